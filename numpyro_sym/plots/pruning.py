"""Pruning curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..diagnostics import PruningCurve
from ..symmetry.arguments import check_arguments
from ._canvas import FigSize, canvas, legend_beside, refuse_others, tidy


def plot_pruning(
    curves: Mapping[str, PruningCurve] | PruningCurve,
    *,
    ylabel: str = "score",
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """What is left of a score as weights are pruned, one curve a rule.

    :param curves: one, or label -> curve.
    :param ylabel: what the score is.
    :param ax: a matplotlib axes to draw on; a new one by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes.
    :raises SymmetryError: where there are none.
    """
    check_arguments(plot_pruning, locals())
    every = {f"by {curves.by}": curves} if isinstance(curves, PruningCurve) else curves
    refuse_others("plot_pruning", "curves", every, PruningCurve)
    ax = canvas("plot_pruning", ax, figsize=figsize)
    for i, (label, curve) in enumerate(every.items()):
        ax.plot(100 * curve.fraction, curve.score, "o-", ms=3, color=f"C{i % 10}", label=label)
    ax.set(xlabel="weights pruned (%)", ylabel=ylabel)
    legend_beside(ax)
    tidy(ax)
    return ax
