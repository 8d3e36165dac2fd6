"""The log pointwise predictive density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ..symmetry import SymmetryError
from .groups import get_group, group_names


def lppd(data: Any, *, by_chain: bool = False) -> Any:
    """How well held-out observations are predicted: ``mean_i log mean_s p(y_i | w_s)``.

    An observation to which every draw gives density zero makes it minus infinity; none is dropped.

    :param data: an ArviZ object with a ``log_likelihood`` group; or log densities of shape ``(chain, draw,
        ...)``, the rest being observations; or a mapping of such arrays, one for each observed site.
    :param by_chain: one figure for each chain alone, rather than one for all draws.
    :returns: a float, or an array of shape ``(chain,)``.
    :raises SymmetryError: where there are no log likelihoods, or they hold NaN.

    >>> import numpy as np
    >>> y = np.random.default_rng(0).normal(size=1000)
    >>> y = (y - y.mean()) / y.std()
    >>> round(lppd(-0.5 * y**2 - 0.5 * np.log(2 * np.pi) + np.zeros((1, 1, 1000))), 3)
    -1.419
    """
    arrays = _log_densities(data)
    each = np.concatenate([a.reshape(*a.shape[:2], -1) for a in arrays], -1)
    if np.isnan(each).any():
        raise SymmetryError("lppd: the log likelihoods hold NaN; a density of zero is minus infinity, not NaN.")
    axes = (1,) if by_chain else (0, 1)
    draws = np.prod([each.shape[i] for i in axes])
    with np.errstate(divide="ignore"):
        found = (logsumexp(each, axis=axes) - np.log(draws)).mean(-1)
    return found if by_chain else float(found)


def _log_densities(data: Any) -> list[np.ndarray]:
    if "log_likelihood" in group_names(data):
        group = get_group(data, "log_likelihood")
        return [np.asarray(x.transpose("chain", "draw", ...).values, float) for x in group.values()]
    if group_names(data):
        raise SymmetryError(
            f"lppd: there is no group log_likelihood; there are {group_names(data)}. "
            "Use arviz.from_numpyro(mcmc, log_likelihood=True)."
        )
    arrays = [np.asarray(x, float) for x in (data.values() if isinstance(data, Mapping) else [data])]
    if any(a.ndim < 3 for a in arrays):
        raise SymmetryError(
            f"lppd: expected log densities of shape (chain, draw, observation); got {[a.shape for a in arrays]}."
        )
    return arrays
