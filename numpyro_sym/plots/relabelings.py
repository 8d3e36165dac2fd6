"""How far relabeling methods agree, and which observations go together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..alignment import Relabelings
from ..symmetry.arguments import check_arguments
from ..symmetry.deprecated import renamed_arguments
from ._canvas import FigSize, canvas


@renamed_arguments(axes="ax")
def plot_relabelings(
    relabelings: Relabelings, *, ax: Any = None, figsize: FigSize | None = None
) -> Any:
    """The similarity of observations, sorted by the best clustering, and the methods' agreement.

    :param relabelings: what :func:`numpyro_sym.alignment.relabel` found.
    :param ax: two matplotlib axes to draw on; new ones by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes.
    """
    check_arguments(plot_relabelings, locals())
    axes = canvas("plot_relabelings", ax, 1, 2, figsize=figsize, size=(9.5, 4.2))
    left, right = np.ravel(axes)
    _similarity(left, relabelings)
    _agreement(right, relabelings)
    return axes


def _similarity(ax: Any, relabelings: Relabelings) -> None:
    labels = relabelings.clustering.labels
    order = np.argsort(labels, kind="stable")
    shown = relabelings.similarity[np.ix_(order, order)]
    image = ax.imshow(shown, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    # Between the last observation of a cluster and the first of the next.
    for edge in np.flatnonzero(np.diff(labels[order])) + 0.5:
        ax.axhline(edge, color="C1", lw=0.8)
        ax.axvline(edge, color="C1", lw=0.8)
    sorted_by = "observation, sorted by cluster"
    ax.set(title="share of draws with one label", xlabel=sorted_by, ylabel=sorted_by)
    ax.figure.colorbar(image, ax=ax, shrink=0.8)


def _agreement(ax: Any, relabelings: Relabelings) -> None:
    agreement, methods = relabelings.agreement, relabelings.methods
    ax.imshow(agreement, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(agreement):
        color = "white" if share > 0.6 else "black"
        text = f"{share:.2f}"
        ax.text(column, row, text, ha="center", va="center", color=color, fontsize="x-small")
    told = []
    for method in methods:
        told.append(method if relabelings.settled[method] else f"{method} (not settled)")
    ax.set_xticks(range(len(methods)), methods, rotation=45, ha="right", fontsize="small")
    ax.set_yticks(range(len(methods)), told, fontsize="small")
    ax.set_title("share of labels alike")
