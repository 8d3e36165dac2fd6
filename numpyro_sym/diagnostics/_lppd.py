"""The log pointwise predictive density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ..symmetry import SymmetryError
from ..symmetry.arguments import check_arguments
from ..symmetry.arrays import real_array
from .arviz.samples import LOG_LIKELIHOODS, log_likelihoods


def lppd(data: Any, *, by_chain: bool = False) -> Any:
    """How well held-out observations are predicted: ``mean_i log mean_s p(y_i | w_s)``.

    An observation to which every draw gives density zero makes it minus infinity; none is dropped.

    :param data: an ArviZ object with a ``log_likelihood`` group; or log densities of shape
        ``(chain, draw, ...)``, the rest being observations; or a mapping of such arrays, one for
        each observed site.
    :param by_chain: one figure for each chain alone, rather than one for all draws.
    :returns: a float, or an array of shape ``(chain,)``.
    :raises SymmetryError: where there are no log likelihoods, they hold NaN, or their draws differ
        in number.

    >>> import numpy as np
    >>> y = np.random.default_rng(0).normal(size=1000)
    >>> y = (y - y.mean()) / y.std()
    >>> round(lppd(-0.5 * y**2 - 0.5 * np.log(2 * np.pi) + np.zeros((1, 1, 1000))), 3)
    -1.419
    """
    check_arguments(lppd, locals())
    arrays = _log_densities(data)
    # (chain, draw, observation)
    each = np.concatenate([a.reshape(*a.shape[:2], -1) for a in arrays], -1)
    if np.isposinf(each).any():
        raise SymmetryError(
            "lppd: the log likelihoods hold plus infinity, which is no density of an observation."
        )
    axes = (1,) if by_chain else (0, 1)
    draws = np.prod([each.shape[i] for i in axes])
    with np.errstate(divide="ignore"):
        found = (logsumexp(each, axis=axes) - np.log(draws)).mean(-1)
    return found if by_chain else float(found)


def _log_densities(data: Any) -> list[np.ndarray]:
    """Log densities of every observed site, of the same chains and draws."""
    given, least_ndim = log_likelihoods("lppd", data), 2
    if given is None:
        given, least_ndim = list(data.values()) if isinstance(data, Mapping) else [data], 3
    arrays = []
    for x in given:
        a = real_array("lppd", "data", x, LOG_LIKELIHOODS, infinite=True)
        arrays.append(a.astype(float))
    shapes = [a.shape for a in arrays]
    too_few = any(a.ndim < least_ndim for a in arrays)
    if too_few or len({shape[:2] for shape in shapes}) != 1:
        raise SymmetryError(
            f"lppd: expected log densities of shape (chain, draw, observation); got {shapes}."
        )
    return arrays
