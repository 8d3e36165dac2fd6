"""How many exchanges of units lie between draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.arrays import real_array
from ._canvas import FigSize, canvas, legend_beside, tidy


def plot_transpositions(
    counts: ArrayLike, n: kinds.Positive, *, ax: Any = None, figsize: FigSize | None = None
) -> Any:
    """A histogram of numbers of transpositions; dashed, where unrelated orders of ``n`` units lie.

    :param counts: ints, as :func:`numpyro_sym.diagnostics.transpositions` gives for some units.
    :param n: how many units there are.
    :param ax: a matplotlib axes to draw on; a new one by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes.
    :raises SymmetryError: where a count is none of a permutation of ``n``.
    """
    check_arguments(plot_transpositions, locals())
    counts = real_array("plot_transpositions", "counts", counts, "ints").ravel()
    if not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0 or counts.max() > n - 1:
        raise SymmetryError(
            f"plot_transpositions: a permutation of {n} has 0 to {n - 1} transpositions; got "
            f"{counts}."
        )
    ax = canvas("plot_transpositions", ax, figsize=figsize)
    expected = n - (1 / np.arange(1, n + 1)).sum()
    low, high = min(counts.min(), int(expected)), max(counts.max(), int(expected) + 1)
    width = 1 + (high - low) // 60
    ax.hist(counts, np.arange(low, high + width + 1, width) - 0.5, color="C0", rwidth=0.9)
    ax.axvline(expected, color="C1", ls="--", label=f"unrelated orders of {n}: {expected:.1f}")
    ax.set(xlabel="transpositions", ylabel="draws")
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend_beside(ax, loc="lower right", bbox_to_anchor=(1.0, 1.0))  # above: it is wide
    tidy(ax)
    return ax
