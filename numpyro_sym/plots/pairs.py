"""Two numbers against each other before and after folding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..diagnostics.arviz.groups import ArvizData
from ..symmetry.arguments import check_arguments
from ._canvas import canvas, tidy
from .entry import Entry, entry_label, entry_values


def plot_pairs(before: ArvizData, after: ArvizData, x: Entry, y: Entry, *, axes: Any = None) -> Any:
    """The joint posterior of two entries: many copies before folding, one after; a colour a chain.

    :param before: an ArviZ object.
    :param after: the same, aligned or folded.
    :param x: a name, or a name and an index: ``("w1", 0, 3)``.
    :param y: likewise.
    :param axes: two matplotlib axes to draw on; new ones by default.
    :returns: the two axes.
    :raises SymmetryError: where there is no such entry.
    """
    check_arguments(plot_pairs, locals())
    values = [(entry_values(data, x), entry_values(data, y)) for data in (before, after)]
    axes = canvas(axes, 1, 2, size=(8.0, 3.8), sharex=True, sharey=True)
    for ax, both, title in zip(np.ravel(axes), values, ("as sampled", "one copy"), strict=True):
        for i, (a, b) in enumerate(zip(*both, strict=True)):
            ax.plot(a, b, ".", ms=2.5, mew=0, alpha=0.5, color=f"C{i % 10}", label=f"chain {i}")
        ax.set(xlabel=entry_label(x), title=title)
        tidy(ax)
    axes[0].set_ylabel(entry_label(y))
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    legend = axes[1].legend(frameon=False, fontsize="small", markerscale=4, **beside)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    return axes
