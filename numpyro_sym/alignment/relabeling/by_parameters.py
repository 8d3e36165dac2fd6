"""Labels by the components' own parameters: nearest to a pivot, or in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry import SymmetryError
from .result import Relabeling, as_floats, cheapest


def pivotal(parameters: ArrayLike, pivot: ArrayLike) -> Relabeling:
    """Labels under which a draw's parameters are nearest to a pivot's (pivotal reordering).

    Marin, Mengersen and Robert 2005. For arrays of several sites at once, or of hidden Markov
    models, use :func:`numpyro_sym.align`, of which this is the case of one array.

    :param parameters: floats ``(*sample, n, features)``, on scales that may be compared; with a
        batch ``(*sample, *batch, n, features)``.
    :param pivot: floats ``(n, features)`` or ``(*batch, n, features)``, for instance the draw of
        highest posterior density.
    :returns: a :class:`Relabeling`; its objective is the sum of squared distances.
    :raises SymmetryError: where the shapes do not fit, or values are not finite.

    >>> pivotal([[[5.1], [0.2]]], [[0.0], [5.0]]).permutation
    array([[1, 0]])
    """
    x = as_floats(parameters, 2, "pivotal: parameters")
    at = as_floats(pivot, 2, "pivotal: the pivot")
    if x.shape[x.ndim - at.ndim :] != at.shape:
        raise SymmetryError(
            f"pivotal: the pivot has shape {at.shape}; expected {x.shape[-2:]}, after a batch if "
            "any."
        )
    flat = x.reshape(-1, *at.shape)  # (draw, *batch, unit, feature)
    # (draw, *batch, unit of the pivot, unit of the draw)
    squares = np.square(at).sum(-1)[..., :, None] + np.square(flat).sum(-1)[..., None, :]
    permutation, total = cheapest(squares - 2 * at @ flat.swapaxes(-1, -2))
    return Relabeling(permutation.reshape(x.shape[:-1]), at, total, 0, True)


def ordering(values: ArrayLike) -> Relabeling:
    """Labels in ascending order of one parameter (an artificial identifiability constraint).

    Honest only where the posterior separates the components by it.

    :param values: floats ``(*sample, n)``.
    :returns: a :class:`Relabeling`; its pivot is the mean of the ordered values, its objective 0.
    :raises SymmetryError: where values are not finite.

    >>> ordering([[3.0, 1.0, 2.0]]).permutation
    array([[1, 2, 0]])
    """
    x = as_floats(values, 1, "ordering: values")
    permutation = np.argsort(x, -1, kind="stable")
    ordered = np.take_along_axis(x, permutation, -1)
    return Relabeling(permutation, ordered.reshape(-1, x.shape[-1]).mean(0), 0.0, 0, True)
