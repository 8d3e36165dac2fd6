"""A distribution averaged over a group, as a NumPyro distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.flatten_util import ravel_pytree

from ..symmetry import Symmetry
from .exact import LogDensity

#: (symmetry, base log density, a draw of the base, random key) -> log density of the average.
Bound = Callable[[Symmetry, LogDensity, Mapping[str, Any], jax.Array], jax.Array]


class Orbit(dist.Distribution):
    """``q_sym(w) = 1/|G| sum_g q(g^-1 w)``: draw from the base, then act with a uniform element.

    Its value is one vector: the sites' constrained values, joined. Its log density is a function
    of the draw *before* the element acted, which NumPyro hands back as an intermediate; on a
    value that came from elsewhere only an exact bound has a meaning.

    :param base: site name -> distribution of that site, independent of the other sites.
    :param sym: the :class:`~numpyro_sym.Symmetry`; its sites are among ``base``.
    :param bound: how the log density is computed or bounded.
    """

    # The element is uniform and free of parameters, so the draw is reparameterised. Without this
    # NumPyro stops its gradient in RenyiELBO and TraceGraph_ELBO.
    has_rsample = True
    support = dist.constraints.real_vector
    pytree_data_fields = ("base",)
    pytree_aux_fields = ("sym", "bound", "_unravel")

    def __init__(self, base: Mapping[str, dist.Distribution], sym: Symmetry, bound: Bound) -> None:
        self.base = dict(base)
        self.sym = sym
        self.bound = bound
        flat, self._unravel = ravel_pytree({name: jnp.zeros(fn.shape()) for name, fn in self.base.items()})
        super().__init__(batch_shape=(), event_shape=flat.shape)

    def unravel(self, value: jax.Array) -> dict[str, jax.Array]:
        """Vectors ``(*sample, size)`` as site name -> array ``(*sample, *site shape)``."""
        unravel = self._unravel
        for _ in range(jnp.ndim(value) - 1):
            unravel = jax.vmap(unravel)
        return unravel(value)

    def base_log_prob(self, sites: Mapping[str, Any]) -> jax.Array:
        """Log density of the base, summed over its sites."""
        return sum((jnp.sum(fn.log_prob(sites[name])) for name, fn in self.base.items()), start=jnp.zeros(()))

    def base_sample(self, rng_key: jax.Array) -> dict[str, jax.Array]:
        """One draw of the base."""
        keys = jax.random.split(rng_key, len(self.base))
        return {name: fn.sample(key) for (name, fn), key in zip(self.base.items(), keys, strict=True)}

    def sample_with_intermediates(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> tuple[jax.Array, list]:
        if sample_shape:
            keys = jax.random.split(key, sample_shape)
            draw = self.sample_with_intermediates
            for _ in sample_shape:
                draw = jax.vmap(draw)
            return draw(keys)
        key_base, key_element, key_bound = jax.random.split(key, 3)
        sites = self.base_sample(key_base)
        moved = self.sym.act(self.sym.sample(key_element), sites)
        return ravel_pytree(moved)[0], [sites, key_bound]

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        return self.sample_with_intermediates(key, sample_shape)[0]

    def log_prob(self, value: jax.Array, intermediates: list | None = None) -> jax.Array:
        sites, rng_key = intermediates or (self.unravel(value), jax.random.key(0))

        def one(sites: Mapping[str, Any], rng_key: jax.Array) -> jax.Array:
            return self.bound(self.sym, self.base_log_prob, sites, rng_key)

        for _ in range(jnp.ndim(value) - 1):
            one = jax.vmap(one, in_axes=(0, 0 if intermediates else None))
        return one(sites, rng_key)
