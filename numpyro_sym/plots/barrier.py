"""Loss barriers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..diagnostics import LossBarrier
from ..symmetry.arguments import check_arguments
from ._canvas import FigSize, canvas, legend_beside, refuse_others, tidy


def plot_barrier(
    barriers: Mapping[str, LossBarrier] | LossBarrier,
    *,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """The loss along the way between two ends, one curve a barrier, each with its height.

    :param barriers: one, or label -> barrier, such as before and after alignment.
    :param ax: a matplotlib axes to draw on; a new one by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes.
    :raises SymmetryError: where there are none.
    """
    check_arguments(plot_barrier, locals())
    every = {"": barriers} if isinstance(barriers, LossBarrier) else barriers
    refuse_others("plot_barrier", "barriers", every, LossBarrier)
    ax = canvas("plot_barrier", ax, figsize=figsize)
    for i, (label, found) in enumerate(every.items()):
        color = f"C{i % 10}"
        height = f"barrier {found.height:.3g}"
        told = f"{label}: {height}" if label else height
        ax.plot(found.t, found.loss, "o-", ms=3, color=color, label=told)
        # The straight line between the ends, above which the barrier is counted.
        ax.plot(found.t[[0, -1]], found.loss[[0, -1]], ls=":", lw=1, color=color, alpha=0.7)
    ax.set(xlabel="position between the ends", ylabel="loss")
    legend_beside(ax)
    tidy(ax)
    return ax
