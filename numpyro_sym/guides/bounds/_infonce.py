"""The paper's bound: a few random elements instead of the whole group."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from ...symmetry import Symmetry
from ._exact import LogDensity


def infonce(
    sym: Symmetry,
    log_q: LogDensity,
    sites: Mapping[str, Any],
    rng_key: jax.Array,
    *,
    num_elements: int,
) -> jax.Array:
    """``log 1/K (q(w) + sum_{k<K} q(g_k^-1 w))`` with uniform ``g_k`` (Gelberg et al. 2024, eq. 8).

    With ``w ~ q`` its expectation is at least that of ``log q_sym``, so the ELBO that it gives is
    a lower bound. The gain over the plain ELBO is at most ``log K``.

    :param sym: any :class:`~numpyro_sym.Symmetry`.
    :param log_q: the base guide's log density as a function of the sites.
    :param sites: a draw of the base guide.
    :param rng_key: a JAX random key.
    :param num_elements: K, the draw itself counted.
    :returns: a scalar.
    """
    others = sym.sample(rng_key, (num_elements - 1,))
    each = jax.vmap(lambda g: log_q(sym.act(g, sites)))(others)
    return logsumexp(jnp.append(each, log_q(sites))) - log(num_elements)
