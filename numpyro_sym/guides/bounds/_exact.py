"""The symmetrized density itself, by listing a small group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import Any

import jax
from jax.scipy.special import logsumexp

from ...symmetry import Symmetry

LogDensity = Callable[[Mapping[str, Any]], jax.Array]

#: The largest group that ``bound="auto"`` lists.
LARGEST_LISTED = 720


def exact(
    sym: Symmetry, log_q: LogDensity, sites: Mapping[str, Any], rng_key: jax.Array
) -> jax.Array:
    """``log 1/|G| sum_g q(g^-1 w)``, every term of it (Gelberg et al. 2024, eq. 4).

    :param sym: a small :class:`~numpyro_sym.Symmetry`.
    :param log_q: the base guide's log density as a function of the sites.
    :param sites: where: site name -> array.
    :param rng_key: not used; every bound has the same arguments.
    :returns: a scalar.
    """
    each = jax.vmap(lambda g: log_q(sym.act(g, sites)))(sym.elements())
    return logsumexp(each) - log(sym.order)
