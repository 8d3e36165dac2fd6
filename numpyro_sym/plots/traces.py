"""Traces of single numbers before and after alignment."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..diagnostics.arviz.groups import ArvizData
from ..symmetry import kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.deprecated import renamed_arguments
from ._canvas import FigSize, canvas, legend_beside, tidy
from .selection import Coords, Entry, before_and_after, refuse_many


@renamed_arguments(axes="ax")
def plot_traces(
    before: ArvizData,
    after: ArvizData,
    entry: Entry | None = None,
    *,
    var_names: kinds.NameOrNames | None = None,
    coords: Coords | None = None,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """Each chain's draws of one entry, as sampled and aligned, on one scale; a row an entry.

    :param before: an ArviZ object.
    :param after: the same, aligned.
    :param entry: a name, or a name and an index: ``("w1", 0, 3)``.
    :param var_names: in its place, a variable or several, all of whose entries are drawn;
        ``"~w1"``: all but this one.
    :param coords: dimension -> coordinates to draw.
    :param ax: matplotlib axes to draw on, two an entry; new ones by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes: two, or an array ``(entry, 2)`` where there are several entries.
    :raises SymmetryError: where there is no such entry, or more than 20 are chosen.
    """
    check_arguments(plot_traces, locals())
    both = before_and_after("plot_traces", before, after, entry, var_names, coords)
    labels = list(both[0].entries)
    refuse_many("plot_traces", both[0].entries)
    rows = len(labels)
    size = (9.0, 1.2 + 2.0 * rows)
    ax = canvas("plot_traces", ax, rows, 2, figsize=figsize, size=size, sharex="col", sharey="row")
    grid = np.reshape(np.asarray(ax, object), (rows, 2))
    for row, label in zip(grid, labels, strict=True):
        for one, chosen in zip(row, both, strict=True):
            for i, chain in enumerate(chosen.entries[label]):
                look = {"color": f"C{i % 10}", "lw": 0.6, "alpha": 0.85}
                one.plot(chain, label=f"chain {chosen.chains[i]}", **look)
            one.margins(x=0.01)
            tidy(one)
        row[0].set_ylabel(label)
    for one, title in zip(grid[0], ("as sampled", "aligned"), strict=True):
        one.set_title(title)
    for one in grid[-1]:
        one.set_xlabel("draw")
    legend_beside(grid[0, 1], handlelength=1)
    return ax
