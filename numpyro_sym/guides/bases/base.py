"""Base guides as distributions over the model's sites: what a symmetrized guide needs to know of
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeGuard

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.infer.util import log_density

from ...models.held import arrays_held
from ...symmetry import Symmetry
from ..bounds.beliefs import Gaussian, Sites
from ..bounds.sets import MeanField
from .coordinates import (
    MOMENT_DRAWS,
    coordinate_on,
    keeps,
    moments_of,
    normal_of,
    row_moments,
    without_event_dims,
)


class StandIn(NamedTuple):
    """Independent Normals in place of a base guide, for the units' places alone.

    :param x: site name -> the draw, in coordinates in which the Normals live.
    :param q: the Normals.
    :param exact: whether they are the base guide itself.
    """

    x: Sites
    q: Gaussian
    exact: bool


class Base(Protocol):
    """A base guide at given parameters."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Site name -> shape of its constrained value."""

    def sample(self, rng_key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        """One draw of all sites, and what makes its density cheap."""

    def log_prob(self, sites: Sites, intermediates: Any = None) -> jax.Array:
        """Log density of constrained values, summed over sites."""

    def stand_in(self, sym: Symmetry, sites: Sites, rng_key: jax.Array) -> StandIn:
        """Normals that tell its units apart."""


class MeanFieldBase(Base, Protocol):
    """A base guide of independent sites."""

    def mean_field(self, sym: Symmetry, sites: Sites) -> MeanField | None:
        """A draw as one of independent Normals, ``None`` where the sites are made of something
        else.
        """

    def only(self, names: tuple[str, ...]) -> MeanFieldBase:
        """Some of the sites."""


@partial(jax.tree_util.register_dataclass, data_fields=["dists"], meta_fields=[])
@dataclass(frozen=True)
class Factorized:
    """Independent sites, each with a distribution: what ``AutoNormal`` is.

    :param dists: site name -> distribution of its constrained value.
    """

    dists: Mapping[str, dist.Distribution]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: fn.shape() for name, fn in self.dists.items()}

    def sample(self, rng_key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        keys = jax.random.split(rng_key, max(len(self.dists), 1))
        sites, held = {}, {}
        for (name, fn), key in zip(self.dists.items(), keys, strict=False):
            sites[name], held[name] = fn.sample_with_intermediates(key)
        return sites, held

    def log_prob(self, sites: Sites, intermediates: Any = None) -> jax.Array:
        held = intermediates or {}
        total = jnp.zeros(())
        for name, fn in self.dists.items():
            if held.get(name):
                total += jnp.sum(fn.log_prob(sites[name], held[name]))
            else:
                total += jnp.sum(fn.log_prob(sites[name]))
        return total

    def stand_in(self, sym: Symmetry, sites: Sites, rng_key: jax.Array) -> StandIn:
        x, loc, variance, exact = {}, {}, {}, True
        for name in sym.sites:
            normal, transform = normal_of(self.dists[name])
            if normal is None or not keeps(sym, name, transform):
                exact = False
                draws = self.dists[name].sample(rng_key, (MOMENT_DRAWS,))
                coordinate = coordinate_on(sym, name, self.dists[name].support)
                loc[name], variance[name] = moments_of(coordinate(draws))
                x[name] = coordinate(sites[name])
            else:
                shape = self.dists[name].shape()
                loc[name] = jnp.broadcast_to(normal.loc, shape)
                variance[name] = jnp.broadcast_to(normal.scale, shape) ** 2
                x[name] = transform.inv(sites[name])
        return StandIn(x, Gaussian(loc, variance), exact)

    def mean_field(self, sym: Symmetry, sites: Sites) -> MeanField | None:
        """A draw as one of independent Normals; ``None`` where the sites are made of something
        else.
        """
        x, loc, variance, transforms = {}, {}, {}, {}
        for name in sym.sites:
            normal, transform = normal_of(self.dists[name])
            if normal is None:
                return None
            shape, held = self.dists[name].shape(), arrays_held(transform)
            if keeps(sym, name, transform):
                x[name] = transform.inv(sites[name])
            elif held is None or any(map(jnp.ndim, held)):
                return None  # it may treat one set unlike another
            else:
                x[name], transforms[name] = sites[name], without_event_dims(transform)
                shape = transform.inverse_shape(shape)
            loc[name] = jnp.broadcast_to(normal.loc, shape)
            variance[name] = jnp.broadcast_to(normal.scale, shape) ** 2
        return MeanField(x, Gaussian(loc, variance), transforms)

    def only(self, names: tuple[str, ...]) -> Factorized:
        """Some of the sites."""
        return Factorized({name: self.dists[name] for name in names})


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["posterior"],
    meta_fields=["unpack", "transforms"],
)
@dataclass(frozen=True)
class Flat:
    """One distribution of all sites' unconstrained values in a row: what ``AutoContinuous`` guides
    are.

    :param posterior: distribution of the row.
    :param unpack: NumPyro's transform from the row to ``{site name: array}``.
    :param transforms: site name -> transform from unconstrained to constrained values, in the row's
        order.
    """

    posterior: dist.Distribution
    unpack: Any
    transforms: Mapping[str, Any] = field(hash=False)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        row = jax.ShapeDtypeStruct(self.posterior.shape(), jnp.result_type(float))
        free = jax.eval_shape(self.unpack, row)
        shapes = {}
        for name, transform in self.transforms.items():
            shapes[name] = transform.forward_shape(free[name].shape)
        return shapes

    def sample(self, rng_key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        row, held = self.posterior.sample_with_intermediates(rng_key)
        return self._constrained(row), (row, held)

    def log_prob(self, sites: Sites, intermediates: Any = None) -> jax.Array:
        free = {name: transform.inv(sites[name]) for name, transform in self.transforms.items()}
        if intermediates is None:
            row, held = jnp.concatenate([jnp.ravel(free[name]) for name in self.transforms]), None
        else:
            row, held = intermediates
            free = self.unpack(row)
        density = self.posterior.log_prob(row, held) if held else self.posterior.log_prob(row)
        total = jnp.sum(density)
        for name, transform in self.transforms.items():
            total -= jnp.sum(transform.log_abs_det_jacobian(free[name], sites[name]))
        return total

    def stand_in(self, sym: Symmetry, sites: Sites, rng_key: jax.Array) -> StandIn:
        moments = row_moments(self.posterior)
        if moments is None:
            moments = moments_of(self.posterior.sample(rng_key, (MOMENT_DRAWS,)))
        free_loc, free_variance = map(self.unpack, moments)
        x, loc, variance = {}, {}, {}
        # Sites whose units do not act alike on unconstrained values.
        mixing = [name for name in sym.sites if not keeps(sym, name, self.transforms[name])]
        draws = {}
        if mixing:
            keys = jax.random.split(rng_key, MOMENT_DRAWS)
            draws = jax.vmap(lambda key: self.sample(key)[0])(keys)
        for name in sym.sites:
            if name in mixing:
                coordinate = coordinate_on(sym, name, self.transforms[name].codomain)
                loc[name], variance[name] = moments_of(coordinate(draws[name]))
                x[name] = coordinate(sites[name])
            else:
                loc[name], variance[name] = free_loc[name], free_variance[name]
                x[name] = self.transforms[name].inv(sites[name])
        return StandIn(x, Gaussian(loc, variance), exact=False)

    def _constrained(self, row: jax.Array) -> dict[str, jax.Array]:
        free = self.unpack(row)
        return {name: transform(free[name]) for name, transform in self.transforms.items()}


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["params"],
    meta_fields=["guide", "supports"],
)
@dataclass(frozen=True)
class Traced:
    """A guide written by hand, whose sample sites are the model's: read by running it.

    :param params: parameter name -> constrained value.
    :param guide: the guide, with its arguments bound.
    :param supports: site name -> constraint.
    """

    params: Mapping[str, jax.Array]
    guide: Callable[..., Any]
    supports: Mapping[str, Any] = field(hash=False)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        sites = jax.eval_shape(lambda: self.sample(jax.random.key(0))[0])
        return {name: x.shape for name, x in sites.items()}

    def sample(self, rng_key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        with handlers.block():
            guide = handlers.substitute(handlers.seed(self.guide, rng_key), data=self.params)
            trace = handlers.trace(guide).get_trace()
        return {name: trace[name]["value"] for name in self.supports}, None

    def log_prob(self, sites: Sites, intermediates: Any = None) -> jax.Array:
        guide = handlers.seed(self.guide, jax.random.key(0))
        with handlers.block():
            mine = {name: sites[name] for name in self.supports}
            return log_density(guide, (), {}, {**self.params, **mine})[0]

    def stand_in(self, sym: Symmetry, sites: Sites, rng_key: jax.Array) -> StandIn:
        draws = jax.vmap(lambda key: self.sample(key)[0])(jax.random.split(rng_key, MOMENT_DRAWS))
        x, loc, variance = {}, {}, {}
        for name in sym.sites:
            coordinate = coordinate_on(sym, name, self.supports[name])
            loc[name], variance[name] = moments_of(coordinate(draws[name]))
            x[name] = coordinate(sites[name])
        return StandIn(x, Gaussian(loc, variance), exact=False)


@partial(jax.tree_util.register_dataclass, data_fields=["parts"], meta_fields=[])
@dataclass(frozen=True)
class Product:
    """Independent parts over different sites: what ``AutoGuideList`` is."""

    parts: tuple[Any, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for part in self.parts:
            shapes |= part.shapes
        return shapes

    def sample(self, rng_key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        sites: dict[str, jax.Array] = {}
        held = []
        for part, key in zip(self.parts, jax.random.split(rng_key, len(self.parts)), strict=True):
            drawn, intermediates = part.sample(key)
            sites |= drawn
            held.append(intermediates)
        return sites, tuple(held)

    def log_prob(self, sites: Sites, intermediates: Any = None) -> jax.Array:
        held = intermediates or (None,) * len(self.parts)
        return sum(part.log_prob(sites, h) for part, h in zip(self.parts, held, strict=True))

    def stand_in(self, sym: Symmetry, sites: Sites, rng_key: jax.Array) -> StandIn:
        x: dict[str, Any] = {}
        loc: dict[str, Any] = {}
        variance: dict[str, Any] = {}
        exact = True
        for part, key in zip(self.parts, jax.random.split(rng_key, len(self.parts)), strict=True):
            mine = _restricted(sym, tuple(part.shapes))
            if mine.sites:
                stand_in = part.stand_in(mine, sites, key)
                x |= stand_in.x
                loc |= stand_in.q.loc
                variance |= stand_in.q.variance
                exact &= stand_in.exact
        return StandIn(x, Gaussian(loc, variance), exact)


def is_factorized(base: Base) -> TypeGuard[MeanFieldBase]:
    """Whether sites are independent, each with a distribution of its own."""
    return hasattr(base, "mean_field")


def _restricted(sym: Symmetry, names: tuple[str, ...]) -> Symmetry:
    """The same units, on these sites only."""
    units = []
    for u in sym.units:
        axes = {site: axs for site, axs in u.axes.items() if site in names}
        if axes:
            units.append(u.with_axes(axes))
    return Symmetry(units)
