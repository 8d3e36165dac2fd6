"""Which unit of one chain is which of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.validity import refuse_no_permutation
from ._canvas import FigSize, canvas


def assignment_matrix(elements: kinds.Elements, units: str, first: int, second: int) -> np.ndarray:
    """How often a unit of one chain was matched to a unit of another, draw by draw.

    :param elements: units name -> Element with arrays ``(chain, draw, n)``, as
        :func:`numpyro_sym.diagnostics.elements_of` reads; of a batch, those of one set.
    :param units: name of the units.
    :param first: a chain, by its position.
    :param second: another.
    :returns: shares ``(n, n)``, of the first chain's units along rows; rows and columns sum to 1.
    :raises SymmetryError: where there are no such units or chains.

    >>> from numpyro_sym import Element
    >>> g = {"component": Element(np.array([[[0, 1]], [[1, 0]]]), np.ones((2, 1, 2)))}
    >>> assignment_matrix(g, "component", 0, 1).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    check_arguments(assignment_matrix, locals())
    if units not in elements:
        raise SymmetryError(
            f"assignment_matrix: there are no units {units!r}; there are {sorted(elements)}."
        )
    permutation = np.asarray(elements[units].permutation)
    refuse_no_permutation("assignment_matrix", f"the permutation of Units {units!r}", permutation)
    chains = range(-len(permutation), len(permutation))
    if permutation.ndim != 3 or first not in chains or second not in chains:
        raise SymmetryError(
            f"assignment_matrix: expected permutations (chain, draw, n) with chains {first} and "
            f"{second}; got shape {permutation.shape}."
        )
    n = permutation.shape[-1]
    # (draw, slot): one number for two units that came to the same slot
    pairs = permutation[first] * n + permutation[second]
    return np.bincount(pairs.ravel(), minlength=n * n).reshape(n, n) / permutation.shape[1]


def plot_assignment(
    elements: kinds.Elements,
    units: str,
    first: int = 0,
    second: int = 1,
    *,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """The assignment matrix between two chains: one dark cell a row where labels never switch.

    :param elements: as for :func:`assignment_matrix`.
    :param units: name of the units.
    :param first: a chain, along rows.
    :param second: another, along columns.
    :param ax: a matplotlib axes to draw on; a new one by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes.
    :raises SymmetryError: as :func:`assignment_matrix`.
    """
    check_arguments(plot_assignment, locals())
    shares = assignment_matrix(elements, units, first, second)
    ax = canvas("plot_assignment", ax, figsize=figsize, size=(4.6, 4.0))
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="share of draws", shrink=0.85)
    ax.set(xlabel=f"{units}, chain {second}", ylabel=f"{units}, chain {first}")
    if len(shares) <= 12:
        ax.set_xticks(range(len(shares)))
        ax.set_yticks(range(len(shares)))
    return ax
