"""A distribution averaged over a group, as a NumPyro distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.flatten_util import ravel_pytree

from ...symmetry import Symmetry, SymmetryError
from ...symmetry.symmetry import Elements, on_opened_arrays
from ..bases.base import Base, Factorized, StandIn, is_factorized
from ..bases.opened_sites import opened_base
from .sets import MeanField

#: (symmetry, the base at its draw, the draw, random key) -> log density of the average.
Bound = Callable[[Symmetry, "Drawn", Mapping[str, Any], jax.Array], jax.Array]


class Drawn:
    """A base guide together with one draw of it, whose density comes without inverting anything.

    :param base: the base guide.
    :param sites: its draw.
    :param intermediates: what :meth:`Base.sample` gave with the draw; ``None`` for a value that
        came from elsewhere.
    """

    def __init__(self, base: Base, sites: Mapping[str, Any], intermediates: Any) -> None:
        self.base, self.sites, self.intermediates = base, sites, intermediates

    def __call__(self, sites: Mapping[str, Any]) -> jax.Array:
        """Log density of the base.

        :raises SymmetryError: where the base is a flow that cannot be inverted, at another point
            than its draw.
        """
        if sites is self.sites and self.intermediates is not None:
            return self.base.log_prob(sites, self.intermediates)
        try:
            return self.base.log_prob(sites)
        except NotImplementedError:
            raise SymmetryError(
                "This base guide has a density at its own draws alone (its flow has no inverse), "
                "so its symmetrized "
                "density can only be guessed: use bound='guess' without num_importance."
            ) from None

    @property
    def evaluates_elsewhere(self) -> bool:
        """Whether the base has a density at other points than its own draws (a flow without an
        inverse has none).
        """
        try:
            jax.eval_shape(lambda: self.base.log_prob(dict(self.sites)))
        except NotImplementedError:
            return False
        return True

    def stand_in(self, sym: Symmetry, rng_key: jax.Array) -> StandIn:
        """Normals that tell the base's units apart, at the draw."""
        return self.base.stand_in(sym, self.sites, rng_key)

    def mean_field(self, sym: Symmetry) -> MeanField | None:
        """The draw of independent Normals, where the base is no more than that."""
        return self.base.mean_field(sym, self.sites) if is_factorized(self.base) else None


def on_opened_sites(sym: Symmetry, drawn: Drawn) -> tuple[Symmetry, Drawn]:
    """A symmetry and a draw on arrays in which every run of a batch is an axis of its own."""
    plain, way = on_opened_arrays(sym, {name: jnp.shape(x) for name, x in drawn.sites.items()})
    if not way.steps:
        return sym, drawn
    return plain, Drawn(opened_base(drawn.base, way), way.open(drawn.sites), drawn.intermediates)


class Orbit(dist.Distribution):
    """``q_sym(w) = 1/|G| sum_g q(g^-1 w)``: draw from the base, then act with a uniform element.

    Its value is one vector: the sites' constrained values, joined. Its log density is a function
    of the draw *before* the element acted, which NumPyro hands back as an intermediate; on a
    value that came from elsewhere only an exact bound has a meaning.

    :param base: a base guide at its parameters; or site name -> distribution of that site,
        independent of the other sites.
    :param sym: the :class:`~numpyro_sym.Symmetry`; its sites are among the base's.
    :param bound: how the log density is computed or bounded.
    """

    # The element is uniform and free of parameters, so the draw is reparameterized. Without this
    # NumPyro stops its gradient in RenyiELBO and TraceGraph_ELBO.
    has_rsample = True
    support = dist.constraints.real_vector
    pytree_data_fields = ("base",)
    pytree_aux_fields = ("sym", "bound", "_unravel")

    def __init__(
        self, base: Base | Mapping[str, dist.Distribution], sym: Symmetry, bound: Bound
    ) -> None:
        self.base: Base = Factorized(dict(base)) if isinstance(base, Mapping) else base
        self.sym = sym
        self.bound = bound
        flat, self._unravel = ravel_pytree(
            {name: jnp.zeros(shape) for name, shape in self.base.shapes.items()}
        )
        super().__init__(batch_shape=(), event_shape=flat.shape)

    def unravel(self, value: jax.Array) -> dict[str, jax.Array]:
        """Vectors ``(*sample, size)`` as site name -> array ``(*sample, *site shape)``."""
        unravel = self._unravel
        for _ in range(jnp.ndim(value) - 1):
            unravel = jax.vmap(unravel)
        return unravel(value)

    def base_log_prob(self, sites: Mapping[str, Any]) -> jax.Array:
        """Log density of the base, summed over its sites."""
        return self.base.log_prob(sites)

    def base_sample(self, rng_key: jax.Array) -> dict[str, jax.Array]:
        """One draw of the base."""
        return self.base.sample(rng_key)[0]

    def sample_with_intermediates(
        self, key: jax.Array, sample_shape: tuple[int, ...] = ()
    ) -> tuple[jax.Array, list]:
        if sample_shape:
            keys = jax.random.split(key, sample_shape)
            draw = self.sample_with_intermediates
            for _ in sample_shape:
                draw = jax.vmap(draw)
            return draw(keys)
        key_base, key_element, key_bound = jax.random.split(key, 3)
        sites, held = self.base.sample(key_base)
        moved = _moved(self.sym, self.sym.sample(key_element), sites)
        return ravel_pytree(moved)[0], [sites, held, key_bound]

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        return self.sample_with_intermediates(key, sample_shape)[0]

    def log_prob(self, value: jax.Array, intermediates: list | None = None) -> jax.Array:
        sites, held, rng_key = intermediates or (self.unravel(value), None, jax.random.key(0))

        def one(sites: Mapping[str, Any], held: Any, rng_key: jax.Array) -> jax.Array:
            sym, drawn = on_opened_sites(self.sym, Drawn(self.base, sites, held))
            return self.bound(sym, drawn, drawn.sites, rng_key)

        for _ in range(jnp.ndim(value) - 1):
            one = jax.vmap(one, in_axes=(0, 0, 0) if intermediates else (0, None, None))
        return one(sites, held, rng_key)


def _moved(sym: Symmetry, g: Elements, sites: Mapping[str, Any]) -> dict[str, Any]:
    """``sym.act`` of permutations and signs, whose gradient is moved back by the inverse element.

    Left to derive it, a compiler adds up entry by entry, which takes longer than the rest of a
    wide network's step. Orthogonal maps are their own inverse's transpose; said as a linear solve,
    JAX knows it in every mode.
    """

    def move_back(x: dict[str, Any]) -> dict[str, Any]:
        return sym.act(sym.inverse(g), x)

    # What moves back undoes it, and is its transpose.
    return jax.lax.custom_linear_solve(
        move_back, dict(sites), lambda _, x: sym.act(g, x), lambda _, x: move_back(x)
    )
