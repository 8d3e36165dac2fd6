"""Which axes of which arrays belong together."""

from __future__ import annotations

from math import ceil
from textwrap import wrap
from typing import Any

from ..diagnostics.arviz.samples import chosen_names
from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ._canvas import FigSize, canvas
from ._glyphs import CELL, LINE, draw_glyph, glyph_of
from ._layout import UNKNOWN, Array, arrays_of, shapes_of, size_in_words

LETTER = 0.072  # width of a letter of the legend and the caption, in inches
#: One a ``Units``, and again from the first; gray is for what belongs to none.
COLORS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C9", "C8")


def plot_symmetry(
    sym: Symmetry,
    shapes_or_draw: Any = None,
    *,
    var_names: kinds.NameOrNames | None = None,
    columns: kinds.Positive = 5,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """Which axes of which arrays belong together: every array a rectangle, one color for each
    ``Units``.

    Colored edges are axes along which units lie, dotted ones those along which their sets do;
    dark and shaded is all that belongs to the first unit of the first set. Sides of one length are
    axes of one length. An array of more than two axes is drawn as sheets of two, units' axes
    first; every axis is told in words below: ranges and runs of longer axes, what comes in and
    goes out (where it was said), signs and scales.

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
    colors = {u.name: COLORS[i % len(COLORS)] for i, u in enumerate(sym.units)}
    longest = max([2, *(length or UNKNOWN for array in drawn for length in array.shape)])
    glyphs = [glyph_of(array, longest) for array in drawn]
    columns = min(columns, len(glyphs))
    rows = [glyphs[i : i + columns] for i in range(0, len(glyphs), columns)]
    heights = [max(glyph.height for glyph in row) for row in rows]

    there = {place.units.name: place.units for array in drawn for place in array.places}
    legend = [(size_in_words(u), colors[name]) for name, u in there.items()]
    width = max(columns * CELL, 2 * CELL)
    beside = max(1, int(width / (0.35 + LETTER * max(len(words) for words, _ in legend))))
    above = 1.2 * LINE * ceil(len(legend) / beside) + LINE
    caption = wrap(_caption(sym, drawn, shapes), int(width / LETTER))
    height = above + sum(heights) + LINE * (len(caption) + 0.5)

    ax = canvas("plot_symmetry", ax, figsize=figsize, size=(width, height))
    # One unit of the data is an inch of a new figure; on the caller's axes all shrinks alike.
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    scale = _scale(ax, width, height)
    for i, (words, color) in enumerate(legend):
        x, y = (i % beside) * width / beside + 0.08, 1.2 * LINE * (i // beside + 0.6)
        ax.plot([x, x + 0.2], [y, y], color=color, lw=5 * scale, solid_capstyle="butt")
        ax.text(x + 0.28, y, words, fontsize=8.5 * scale, va="center")
    top = above
    for row, high in zip(rows, heights, strict=True):
        for i, glyph in enumerate(row):
            draw_glyph(ax, glyph, i * CELL, top, colors, scale)
        top += high
    below = {"fontsize": 8.5 * scale, "color": "0.35", "va": "top"}
    ax.text(0.08, top, "\n".join(caption), **below)
    return ax


def _scale(ax: Any, width: float, height: float) -> float:
    """What an inch of the picture is in inches of the axes, at most 1: letters shrink with it."""
    is_alone = len(ax.figure.axes) == 1  # then it is given all there is, once it is laid out
    size = ax.figure.bbox if is_alone else ax.get_window_extent()
    return min(1.0, size.width / ax.figure.dpi / width, size.height / ax.figure.dpi / height)


def _caption(sym: Symmetry, drawn: list[Array], shapes: dict[str, tuple[int, ...]] | None) -> str:
    places = [place for array in drawn for place in array.places]
    told = "Shaded: what belongs to the first unit"
    if any(place.units.batch for place in places):
        told += " of the first set. Dotted: the axis along which there are sets"
    moved = {*sym.sites, *sym.label_sites}
    unmoved = [name for name in shapes or {} if name not in moved]
    if unmoved:
        told += f". Not moved: {', '.join(unmoved[:8])}{', ...' if len(unmoved) > 8 else ''}"
    return f"{told}."
