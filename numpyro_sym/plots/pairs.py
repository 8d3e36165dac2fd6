"""Two numbers together, before and after folding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..diagnostics.arviz.groups import ArvizData
from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.deprecated import renamed_arguments
from ._canvas import FigSize, canvas, legend_beside, tidy
from .selection import Chosen, Coords, Entry, before_and_after


@renamed_arguments(axes="ax")
def plot_pairs(
    before: ArvizData,
    after: ArvizData,
    x: Entry | None = None,
    y: Entry | None = None,
    *,
    var_names: kinds.NameOrNames | None = None,
    coords: Coords | None = None,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """The joint posterior of two entries: many copies before folding, one after; a color a chain.

    :param before: an ArviZ object.
    :param after: the same, aligned or folded.
    :param x: a name, or a name and an index: ``("w1", 0, 3)``.
    :param y: likewise.
    :param var_names: in their place, the variables that hold the two.
    :param coords: dimension -> coordinates, such that two entries are left.
    :param ax: two matplotlib axes to draw on; new ones by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the two axes.
    :raises SymmetryError: where there is no such entry, or not two are chosen.
    """
    check_arguments(plot_pairs, locals())
    if (x is None) != (y is None):
        raise SymmetryError("plot_pairs: x and y are two entries; got one. Give both, or neither.")
    where = (before, after)
    if x is not None and y is not None:
        across = before_and_after("plot_pairs", *where, x, var_names, coords)
        up = before_and_after("plot_pairs", *where, y, var_names, coords)
    else:
        across = up = before_and_after("plot_pairs", *where, None, var_names, coords)
        if len(across[0].entries) != 2:
            raise SymmetryError(
                f"plot_pairs: a pair is two entries; var_names and coords choose "
                f"{len(across[0].entries)}. Write x=('w1', 0, 3), y=..., or choose two."
            )
    axes = canvas(
        "plot_pairs", ax, 1, 2, figsize=figsize, size=(8.0, 3.8), sharex=True, sharey=True
    )
    titles = ("as sampled", "one copy")
    for one, h, v, title in zip(np.ravel(axes), across, up, titles, strict=True):
        xlabel, ylabel = _draw(one, h, v)
        one.set(xlabel=xlabel, title=title)
        tidy(one)
    left, right = np.ravel(axes)
    left.set_ylabel(ylabel)
    legend_beside(right, markerscale=4)
    return axes


def _draw(ax: Any, across: Chosen, up: Chosen) -> tuple[str, str]:
    """The first entry of one against the last of the other, which may be one choice of two."""
    xlabel, ylabel = next(iter(across.entries)), list(up.entries)[-1]
    pairs = zip(across.entries[xlabel], up.entries[ylabel], strict=True)
    for i, (a, b) in enumerate(pairs):
        look = {"ms": 2.5, "mew": 0, "alpha": 0.5, "color": f"C{i % 10}"}
        ax.plot(a, b, ".", label=f"chain {across.chains[i]}", **look)
    return xlabel, ylabel
