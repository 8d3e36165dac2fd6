"""Traces of one number before and after alignment."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..diagnostics.arviz.groups import ArvizData
from ..symmetry.arguments import check_arguments
from ._canvas import canvas, tidy
from .entry import Entry, entry_label, entry_values


def plot_traces(before: ArvizData, after: ArvizData, entry: Entry, *, axes: Any = None) -> Any:
    """Each chain's draws of one entry, as sampled and aligned, on one scale.

    :param before: an ArviZ object.
    :param after: the same, aligned.
    :param entry: a name, or a name and an index: ``("w1", 0, 3)``.
    :param axes: two matplotlib axes to draw on; new ones by default.
    :returns: the two axes.
    :raises SymmetryError: where there is no such entry.
    """
    check_arguments(plot_traces, locals())
    values = [entry_values(data, entry) for data in (before, after)]
    axes = canvas(axes, 1, 2, size=(9.0, 3.2), sharey=True)
    for ax, chains, title in zip(np.ravel(axes), values, ("as sampled", "aligned"), strict=True):
        for i, chain in enumerate(chains):
            ax.plot(chain, color=f"C{i % 10}", lw=0.6, alpha=0.85, label=f"chain {i}")
        ax.set(xlabel="draw", title=title)
        ax.margins(x=0.01)
        tidy(ax)
    axes[0].set_ylabel(entry_label(entry))
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    axes[1].legend(frameon=False, fontsize="small", handlelength=1, **beside)
    return axes
