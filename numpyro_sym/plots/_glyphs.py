"""One array as a rectangle, with the units on it."""

from __future__ import annotations

from math import log
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from ._layout import UNKNOWN, Array, Place

# In inches of a new figure.
CELL = 2.05  # width of what one array gets
LARGEST, SMALLEST = 1.15, 0.16  # sides of rectangles
LINE = 0.155  # height of a line of words
BAND, GAP = 0.07, 0.03  # width of a colored edge, and what is left between two
SHEET = 0.05  # how far the sheets of further axes lie behind each other
THIN = 0.015  # one entry of many is still seen
WIDE = 30  # letters of a line under an array
MOST_LINES = 24  # an array of longer axes is drawn without lines between its entries


class Glyph(NamedTuple):
    """An array as it is drawn.

    :param axes: the axis that runs downwards, and the one that runs to the right; ``None`` where
        there is none.
    :param sides: how long the two are drawn.
    :param bands: how many colored edges stand to the left, and how many above.
    :param lines: words below it, each with the name of the units that it is about.
    """

    array: Array
    axes: tuple[int | None, int | None]
    sides: tuple[float, float]
    bands: tuple[int, int]
    lines: list[tuple[str, str]]

    @property
    def sheets(self) -> int:
        """How many sheets show behind the first, of arrays that have further axes."""
        others = [n for axis, n in enumerate(self.array.shape) if axis not in self.axes]
        return 2 if any(n != 1 for n in others) else 0

    @property
    def above(self) -> float:
        """What stands above the rectangle: the name, the shape and edges."""
        return 2.4 * LINE + self.bands[1] * (BAND + GAP)

    @property
    def below(self) -> float:
        """Down to the words."""
        return self.above + self.sides[0] + self.sheets * SHEET

    @property
    def height(self) -> float:
        """Of all, with some room."""
        return self.below + LINE * (len(self.lines) + 1.2)


def glyph_of(array: Array, longest: int) -> Glyph:
    """How an array is drawn.

    :param longest: the length of the longest axis in the picture.
    """
    axes = _shown_axes(array)
    sides = []
    for axis in axes:
        length = 1 if axis is None else array.shape[axis] or UNKNOWN
        sides.append(SMALLEST + (LARGEST - SMALLEST) * log(max(length, 1)) / log(longest))
    lines = []
    for place in array.places:
        for line in wrap(place.words, WIDE, subsequent_indent="   "):
            lines.append((line, place.units.name))
    down, right = (len(_edges(array, axis)) for axis in axes)
    return Glyph(array, axes, (sides[0], sides[1]), (down, right), lines)


def _shown_axes(array: Array) -> tuple[int | None, int | None]:
    """The two axes of a sheet: those of units first, then those of sets, then the last ones."""
    own = [place.axis for place in array.places if place.axis is not None]
    of_sets = [axis for place in array.places for axis in place.first]
    others = reversed(range(len(array.shape)))
    both = sorted(list(dict.fromkeys([*own, *of_sets, *others]))[:2])
    if len(both) < 2:
        return None, both[0] if both else None
    return both[0], both[1]


def _edges(array: Array, axis: int | None) -> list[tuple[Place, bool]]:
    """What is drawn along an axis: units, and (where the second is true) their sets."""
    if axis is None:
        return []
    found = [(place, False) for place in array.places if place.axis == axis]
    sets = [(p, True) for p in array.places if p.axis != axis and axis in p.first]
    return found + sets


def draw_glyph(
    ax: Any, glyph: Glyph, left: float, top: float, colors: dict[str, str], scale: float
) -> None:
    """One array, in a cell whose upper left corner is given.

    :param colors: units name -> color.
    :param scale: of letters.
    """
    array, (height, width) = glyph.array, glyph.sides
    x, y = left + 0.12 + glyph.bands[0] * (BAND + GAP), top + glyph.above
    small = {"fontsize": 7 * scale, "va": "top"}
    name = {"fontsize": 8.5 * scale, "va": "top", "weight": "bold"}
    ax.text(left + 0.08, top, _short(array.name), **name)
    ax.text(left + 0.08, top + 1.05 * LINE, _written(array), color="0.4", **small)
    for sheet in range(glyph.sheets, 0, -1):
        _box(ax, x + sheet * SHEET, y + sheet * SHEET, width, height, fc="white", ec="0.7")
    hatch = "...." if any(place.axis is None for place in array.places) else None
    _box(ax, x, y, width, height, fc="0.96", ec="0.55", hatch=hatch)
    for place in array.places:
        _shade(ax, glyph, place, x, y, colors[place.units.name])
    _lines_between(ax, glyph, x, y)
    for which, axis in enumerate(glyph.axes):
        for number, (place, is_of_sets) in enumerate(_edges(array, axis), start=1):
            away = number * (BAND + GAP)
            corner = (x - away, y) if which == 0 else (x, y - away)
            draw = _edge_of_sets if is_of_sets else _edge
            draw(ax, glyph, place, which, *corner, colors[place.units.name])
    for number, (line, units) in enumerate(glyph.lines):
        at = top + glyph.below + LINE * (number + 0.4)
        ax.text(left + 0.08, at, line, color=colors[units], **small)


def _shade(ax: Any, glyph: Glyph, place: Place, x: float, y: float, color: str) -> None:
    """All entries of the first unit of the first set, where its axis is shown."""
    if place.axis not in glyph.axes or place.axis is None:
        return
    for upper, lower in _own_stretches(glyph, place, 0):
        for start, end in _own_stretches(glyph, place, 1):
            _box(ax, x + start, y + upper, end - start, lower - upper, fc=color, alpha=0.4, lw=0)


def _own_stretches(glyph: Glyph, place: Place, which: int) -> list[tuple[float, float]]:
    """Where the first unit lies along a side: all of it where only other axes tell units apart."""
    axis = glyph.axes[which]
    return _stretches(glyph, which, None if axis is None else place.first.get(axis))


def _edge(ax: Any, glyph: Glyph, place: Place, which: int, x: float, y: float, color: str) -> None:
    """Where units lie along a side, the first of them dark."""
    assert place.axis is not None  # an edge has an axis
    for positions, alpha in ((place.everyone, 0.45), (place.first[place.axis], 1.0)):
        for start, end in _stretches(glyph, which, positions):
            look = {"fc": color, "alpha": alpha, "lw": 0}
            if which == 0:
                _box(ax, x, y + start, BAND, end - start, **look)
            else:
                _box(ax, x + start, y, end - start, BAND, **look)


def _edge_of_sets(
    ax: Any, glyph: Glyph, place: Place, which: int, x: float, y: float, color: str
) -> None:
    """A dotted side."""
    middle, side = BAND / 2, glyph.sides[which]
    if which == 0:
        ends = [x + middle, x + middle], [y, y + side]
    else:
        ends = [x, x + side], [y + middle, y + middle]
    ax.plot(*ends, color=color, lw=2, ls=(0, (1, 1)))


def _stretches(glyph: Glyph, which: int, positions: np.ndarray | None) -> list[tuple[float, float]]:
    """Where entries lie along a side, those that follow on each other in one; all of it where no
    positions are given.
    """
    side, axis = glyph.sides[which], glyph.axes[which]
    if axis is None or positions is None:
        return [(0.0, side)]
    length = glyph.array.shape[axis] or UNKNOWN
    found = []
    for run in np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1):
        start, end = side * run[0] / length, side * (run[-1] + 1) / length
        found.append((start, max(end, start + THIN)))
    return found


def _lines_between(ax: Any, glyph: Glyph, x: float, y: float) -> None:
    """Between entries, where there are few."""
    lengths = [1 if axis is None else glyph.array.shape[axis] for axis in glyph.axes]
    if any(length is None or length > MOST_LINES for length in lengths):
        return
    height, width = glyph.sides
    rows, columns = (length or 1 for length in lengths)
    for i in range(1, rows):
        ax.plot([x, x + width], [y + height * i / rows] * 2, color="0.75", lw=0.4)
    for i in range(1, columns):
        ax.plot([x + width * i / columns] * 2, [y, y + height], color="0.75", lw=0.4)


def _box(ax: Any, x: float, y: float, width: float, height: float, **look: Any) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), width, height, **({"lw": 0.7} | look)))


def _written(array: Array) -> str:
    """``3 x 16``; dots for what is not known."""
    told = ["·" if length is None else str(length) for length in array.shape]
    if not array.is_whole:
        told.append("…")
    return " x ".join(told) if told else "one number"


def _short(name: str) -> str:
    """A long name ends in what tells it apart."""
    return name if len(name) <= 23 else f"…{name[-22:]}"
