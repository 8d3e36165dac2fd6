"""A base guide whose sites are stacked: units that have a site each, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ...symmetry import Symmetry
from ...symmetry.stacks import Stacks, stacked_shapes
from ..bounds.beliefs import Gaussian, Sites
from .base import Base, Factorized, StandIn
from .coordinates import MOMENT_DRAWS, coordinate_on, moments_of, normal_of, without_event_dims


@partial(
    jax.tree_util.register_dataclass, data_fields=["base"], meta_fields=["stacked", "supports"]
)
@dataclass(frozen=True)
class StackedBase:
    """The same base guide, whose sites come and go in stacks.

    :param base: the base guide.
    :param stacked: the symmetry, of stacked sites.
    :param supports: name of a site, or of a stack -> its support.
    """

    base: Base
    stacked: Symmetry
    supports: Mapping[str, Any] = field(hash=False)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return stacked_shapes(self.stacked.stacks, self.base.shapes)

    def sample(self, rng_key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        sites, held = self.base.sample(rng_key)
        return self.stacked.stack(sites), held

    def log_prob(self, sites: Sites, intermediates: Any = None) -> jax.Array:
        return self.base.log_prob(self.stacked.unstack(sites), intermediates)

    def stand_in(self, sym: Symmetry, sites: Sites, rng_key: jax.Array) -> StandIn:
        keys = jax.random.split(rng_key, MOMENT_DRAWS)
        draws = jax.vmap(lambda key: self.sample(key)[0])(keys)
        x, loc, variance = {}, {}, {}
        for name in sym.sites:
            coordinate = coordinate_on(sym, name, self.supports[name])
            loc[name], variance[name] = moments_of(coordinate(draws[name]))
            x[name] = coordinate(sites[name])
        return StandIn(x, Gaussian(loc, variance), exact=False)


def stacked_base(base: Base, sym: Symmetry, trace: Mapping[str, Any]) -> Base:
    """A base guide as one of arrays: of independent Normals, where the sites of each stack are such
    and are transformed alike, and of independent sites then.

    :param sym: the symmetry, of stacked sites.
    :param trace: site name -> its message in the guide's trace.
    """
    if isinstance(base, Factorized):
        dists = _stacked_dists(base.dists, sym.stacks)
        if dists is not None:
            return Factorized(dists)
    supports = {name: trace[name]["fn"].support for name in sym.sites}
    supports |= {array: supports[sites[0]] for array, sites in sym.stacks.items()}
    return StackedBase(base, sym, supports)


def _stacked_dists(
    dists: Mapping[str, dist.Distribution], stacks: Stacks
) -> dict[str, dist.Distribution] | None:
    """Each stack as one distribution; ``None`` where its sites are no Normals transformed alike."""
    out = dict(dists)
    for array, sites in stacks.items():
        read = [normal_of(out.pop(site)) for site in sites]
        normals = [normal for normal, _ in read]
        if None in normals:
            return None
        transforms = [without_event_dims(transform) for _, transform in read]
        if not all(are_alike(transforms[0], other) for other in transforms[1:]):
            return None
        shape = np.shape(normals[0].loc + normals[0].scale)
        loc = jnp.stack([jnp.broadcast_to(normal.loc, shape) for normal in normals])
        scale = jnp.stack([jnp.broadcast_to(normal.scale, shape) for normal in normals])
        out[array] = dist.Normal(loc, scale)
        if parts := _parts(transforms[0]):
            out[array] = dist.TransformedDistribution(out[array], parts)
    return out


def _parts(transform: Any) -> list[Any]:
    """What a transform is composed of; an identity of nothing."""
    if not isinstance(transform, dist.transforms.ComposeTransform):
        return [transform]
    return [part for inner in transform.parts for part in _parts(inner)]


def are_alike(one: Any, other: Any) -> bool:
    """Whether two transforms are of one kind, with the same numbers in them."""
    leaves, structure = jax.tree.flatten(one)
    others, same = jax.tree.flatten(other)
    is_traced = any(isinstance(x, jax.core.Tracer) for x in (*leaves, *others))
    if is_traced or bool(structure != same):  # type: ignore[operator]
        return False
    return all(np.array_equal(a, b) for a, b in zip(leaves, others, strict=True))
