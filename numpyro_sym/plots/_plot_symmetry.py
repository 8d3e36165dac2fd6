"""Which axes of which arrays belong together."""

from __future__ import annotations

from math import ceil, log
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ._canvas import FigSize, canvas
from ._layout import UNKNOWN, Array, Place, arrays_of, shapes_of, size_in_words
from .selection import chosen_names

# In inches of a new figure.
CELL = 2.05  # width of what one array gets
LARGEST, SMALLEST = 1.15, 0.16  # sides of rectangles
LINE = 0.155  # height of a line of words
BAND, GAP = 0.07, 0.03  # width of a coloured edge, and what is left between two
DECK = 0.05  # how far the sheets of further axes lie behind each other
WIDE = 30  # characters of a line under an array
MOST_LINES = 32  # an axis of more entries is drawn without lines between them


def plot_symmetry(
    sym: Symmetry,
    shapes_or_draw: Any = None,
    *,
    var_names: kinds.NameOrNames | None = None,
    columns: kinds.Positive = 5,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """Which axes of which arrays belong together: every array a rectangle, one colour for each
    ``Units``.

    Coloured edges are axes along which units lie, dotted ones those along which their sets do;
    shaded is all that belongs to the first unit of the first set. Sides of one length are axes of
    one length. An array of more than two axes is drawn as sheets of two, units' axes first; every
    axis is told in words below.

    :param sym: the symmetry.
    :param shapes_or_draw: site name -> shape, or one draw, site name -> array ``(*site)``, or an
        ArviZ object. Left out, what the symmetry itself tells: the other lengths are drawn alike
        and written as dots.
    :param var_names: a site or several to draw; ``"~w1"``: all but this one.
    :param columns: arrays in a row.
    :param ax: a matplotlib axes to draw on; a new one by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes.
    :raises SymmetryError: where there is no symmetry, a site is missing or an axis does not fit.
    """
    check_arguments(plot_symmetry, locals())
    if not sym.units:
        raise SymmetryError("plot_symmetry: there is no symmetry in sym, and nothing to draw.")
    shapes = shapes_of("plot_symmetry", shapes_or_draw)
    arrays = {array.name: array for array in arrays_of(sym, shapes)}
    drawn = [arrays[name] for name in chosen_names("plot_symmetry", var_names, list(arrays))]
    colors = {u.name: f"C{i % 10}" for i, u in enumerate(sym.units)}
    longest = max([2, *(length or UNKNOWN for array in drawn for length in array.shape)])
    glyphs = [_glyph(array, longest) for array in drawn]
    columns = min(columns, len(glyphs))
    rows = [glyphs[i : i + columns] for i in range(0, len(glyphs), columns)]
    heights = [max(glyph.height for glyph in row) for row in rows]
    there = {place.units.name: place.units for array in drawn for place in array.places}
    legend = [(size_in_words(u), colors[name]) for name, u in there.items()]
    unmoved = [] if shapes is None else [n for n in shapes if n not in _moved(sym)]
    width = max(columns * CELL, 4.6)
    below = wrap(_caption(unmoved), int(width / 0.075))
    height = sum(heights) + LINE * (ceil(len(legend) / 2) + len(below) + 2)
    ax = canvas("plot_symmetry", ax, figsize=figsize, size=(width, height))
    # One unit of the data is an inch of the new figure; on the caller's axes all shrinks alike.
    ax.set(xlim=(0, columns * CELL), ylim=(sum(heights), 0), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    top = 0.0
    for row, high in zip(rows, heights, strict=True):
        for i, glyph in enumerate(row):
            _draw(ax, glyph, i * CELL, top, colors)
        top += high
    _legend(ax, legend)
    ax.set_xlabel("\n".join(below), fontsize="small", color="0.35")
    return ax


def _moved(sym: Symmetry) -> set[str]:
    return {*sym.sites, *sym.label_sites, *sym.stacks}


def _caption(unmoved: list[str]) -> str:
    told = "Shaded: what belongs to the first unit."
    if unmoved:
        names = ", ".join(unmoved[:8]) + (", ..." if len(unmoved) > 8 else "")
        told += f" Not moved: {names}."
    return told


class Glyph(NamedTuple):
    """An array as it is drawn.

    :param rows: the axis that runs downwards, ``None`` where there is none; ``columns`` likewise.
    :param size: width and height of the rectangle.
    :param lines: of words below it, each with the units that it is about.
    :param bands: how many coloured edges stand to the left, and how many above.
    """

    array: Array
    rows: int | None
    columns: int | None
    size: tuple[float, float]
    lines: list[tuple[str, str]]
    bands: tuple[int, int]

    @property
    def sheets(self) -> int:
        """How many sheets show behind the first, of arrays that have further axes."""
        return 2 if len(self.array.shape) > 2 else 0

    @property
    def above(self) -> float:
        """What stands above the rectangle: two lines, sheets and edges."""
        return 2.4 * LINE + self.sheets * DECK + self.bands[1] * (BAND + GAP)

    @property
    def height(self) -> float:
        """Of all, with some room."""
        return self.above + self.size[1] + LINE * (len(self.lines) + 1.2)


def _glyph(array: Array, longest: int) -> Glyph:
    rows, columns = _shown_axes(array)
    sides = []
    for axis in (columns, rows):
        length = 1 if axis is None else array.shape[axis] or UNKNOWN
        share = log(max(length, 1)) / log(longest)
        sides.append(SMALLEST + (LARGEST - SMALLEST) * share)
    lines = []
    for place in array.places:
        for line in wrap(place.words, WIDE, subsequent_indent="   "):
            lines.append((line, place.units.name))
    bands = tuple(len(_edges(array, axis)) for axis in (rows, columns))
    return Glyph(array, rows, columns, (sides[0], sides[1]), lines, (bands[0], bands[1]))


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


def _draw(ax: Any, glyph: Glyph, left: float, top: float, colors: dict[str, str]) -> None:
    """One array, in a cell whose upper left corner is given."""
    array, (width, height) = glyph.array, glyph.size
    x, y = left + 0.12 + glyph.bands[0] * (BAND + GAP), top + glyph.above
    ax.text(left + 0.08, top + 0.1, _short(array.name), fontsize="small", weight="bold", va="top")
    shape = ax.text(left + 0.08, top + 0.1 + LINE, _written(array), fontsize="x-small", va="top")
    shape.set_color("0.4")
    for sheet in range(glyph.sheets, 0, -1):
        _box(ax, x + sheet * DECK, y - sheet * DECK, width, height, fc="white", ec="0.7")
    is_of_labels = any(place.axis is None for place in array.places)
    _box(ax, x, y, width, height, fc="0.96", ec="0.55", hatch="...." if is_of_labels else None)
    for place in array.places:
        if place.axis is not None:
            _shade(ax, glyph, place, (x, y), colors[place.units.name])
    _lines(ax, glyph, x, y)
    for axis, is_row in ((glyph.rows, True), (glyph.columns, False)):
        for number, (place, is_of_sets) in enumerate(_edges(array, axis)):
            color = colors[place.units.name]
            corner = (x - (number + 1) * (BAND + GAP), y) if is_row else None
            corner = corner or (x, y - (number + 1) * (BAND + GAP))
            _edge(ax, glyph, place, is_of_sets, is_row, corner, color)
    for number, (line, name) in enumerate(glyph.lines):
        at = y + height + LINE * (number + 0.5)
        ax.text(left + 0.08, at, line, fontsize="x-small", va="top", color=colors[name])


def _shade(ax: Any, glyph: Glyph, place: Place, corner: tuple[float, float], color: str) -> None:
    """All entries of the first unit of the first set."""
    (x, y), (width, height) = corner, glyph.size
    shown = (glyph.columns, glyph.rows)
    if place.axis not in shown:
        return
    across, down = (
        _stretches(glyph, axis, side, place.first.get(axis))
        for axis, side in zip(shown, (width, height), strict=True)
    )
    for start, end in across:
        for upper, lower in down:
            _box(ax, x + start, y + upper, end - start, lower - upper, fc=color, alpha=0.4, lw=0)


def _edge(
    ax: Any,
    glyph: Glyph,
    place: Place,
    is_of_sets: bool,
    is_row: bool,
    corner: tuple[float, float],
    color: str,
) -> None:
    """The coloured edge of one axis: units filled, the first of them dark; sets dotted."""
    axis, side = (glyph.rows, glyph.size[1]) if is_row else (glyph.columns, glyph.size[0])
    x, y = corner
    if is_of_sets:
        end = (x + BAND / 2, y + side) if is_row else (x + side, y + BAND / 2)
        start = (x + BAND / 2, y) if is_row else (x, y + BAND / 2)
        ax.plot(*zip(start, end, strict=True), color=color, lw=2, ls=(0, (1, 1)))
        return
    assert axis is not None  # an edge has an axis
    for positions, alpha in ((place.everyone, 0.45), (place.first[axis], 1.0)):
        for start, end in _stretches(glyph, axis, side, positions):
            if is_row:
                _box(ax, x, y + start, BAND, end - start, fc=color, alpha=alpha, lw=0)
            else:
                _box(ax, x + start, y, end - start, BAND, fc=color, alpha=alpha, lw=0)


def _stretches(
    glyph: Glyph, axis: int | None, side: float, positions: np.ndarray | None
) -> list[tuple[float, float]]:
    """Where entries lie along a side, those that follow on each other in one; all of it where no
    positions are given.
    """
    if axis is None or positions is None:
        return [(0.0, side)]
    length = glyph.array.shape[axis] or UNKNOWN
    found = []
    for run in np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1):
        start, end = side * run[0] / length, side * (run[-1] + 1) / length
        found.append((start, max(end, start + 0.015)))  # one of many is still seen
    return found


def _lines(ax: Any, glyph: Glyph, x: float, y: float) -> None:
    """Between entries, where there are few."""
    width, height = glyph.size
    for axis, is_row in ((glyph.rows, True), (glyph.columns, False)):
        length = None if axis is None else glyph.array.shape[axis]
        if length is None or not 1 < length <= MOST_LINES:
            continue
        for i in range(1, length):
            if is_row:
                ends = [x, x + width], [y + height * i / length] * 2
            else:
                ends = [x + width * i / length] * 2, [y, y + height]
            ax.plot(*ends, color="0.75", lw=0.4)


def _box(ax: Any, x: float, y: float, width: float, height: float, **look: Any) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), width, height, **({"lw": 0.7} | look)))


def _written(array: Array) -> str:
    """``3 × 16``; dots for what is not known."""
    told = ["·" if length is None else str(length) for length in array.shape]
    if not array.is_whole:
        told.append("…")
    return " × ".join(told) if told else "one number"


def _short(name: str) -> str:
    """A long name ends in what tells it apart."""
    return name if len(name) <= 24 else f"…{name[-23:]}"


def _legend(ax: Any, told: list[tuple[str, str]]) -> None:
    """One line for each ``Units``, above all."""
    from matplotlib.patches import Patch

    handles = [Patch(color=color, label=words) for words, color in told]
    beside = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.3}
    ncols = 2 if len(told) > 1 else 1
    ax.legend(handles=handles, frameon=False, fontsize="small", ncols=ncols, **beside)
