"""Coordinates in which a base guide's sites are close to Normal, and the moments of
those Normals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from ...symmetry import Symmetry
from ..bounds.beliefs import odd

#: Draws behind the stand-in Normals of a base guide whose moments have no closed form.
MOMENT_DRAWS = 128


def elementwise(transform: Any) -> bool:
    """Whether a transform acts on each entry alone."""
    if isinstance(transform, dist.transforms.ComposeTransform):
        return all(elementwise(part) for part in transform.parts)
    while isinstance(transform, dist.transforms.IndependentTransform):
        transform = transform.base_transform
    return transform.domain.event_dim == 0


def keeps(sym: Symmetry, site: str, transform: Any) -> bool:
    """Whether the action is the same before and after a transform: so the coordinates
    are as good.
    """
    identity = isinstance(transform, dist.transforms.IdentityTransform) or (
        isinstance(transform, dist.transforms.ComposeTransform)
        and all(keeps(sym, site, t) for t in transform.parts)
    )
    if isinstance(transform, dist.transforms.IndependentTransform):
        identity = keeps(sym, site, transform.base_transform)
    return identity or (elementwise(transform) and not turns(sym, site))


def coordinate_on(sym: Symmetry, site: str, support: Any) -> Callable[[jax.Array], jax.Array]:
    """An elementwise function that makes values on a support more alike to Normals."""
    while isinstance(support, dist.constraints.independent):
        support = support.base_constraint
    constraints = dist.constraints
    if turns(sym, site):
        return lambda x: x
    positive = (constraints.positive, constraints.nonnegative, constraints.softplus_positive)
    if support in (*positive, constraints.simplex):
        return lambda x: jnp.log(jnp.maximum(x, jnp.finfo(x.dtype).tiny))
    if support is constraints.unit_interval:
        return lambda x: jnp.log(jnp.clip(x, 1e-6)) - jnp.log(jnp.clip(1 - x, 1e-6))
    return lambda x: x


def turns(sym: Symmetry, site: str) -> bool:
    """Whether signs act on a site's entries."""
    return any(odd(u, axis) for u in sym.units for axis in u.axes_of(site))


def normal_of(fn: Any) -> tuple[Any, Any]:
    """The Normal and the transform that a distribution is made of, ``None`` where it is not."""
    transforms: list[Any] = []
    while not isinstance(fn, dist.Normal):
        if isinstance(fn, dist.TransformedDistribution):
            transforms = [*fn.transforms, *transforms]
            fn = fn.base_dist
        elif isinstance(fn, (dist.Independent, dist.ExpandedDistribution)):
            fn = fn.base_dist
        else:
            return None, None
    return fn, dist.transforms.ComposeTransform(transforms)


def without_event_dims(transform: Any) -> Any:
    """The same transform of as few dimensions as it ties together: the densities of the others stay
    apart.
    """
    if isinstance(transform, dist.transforms.ComposeTransform):
        parts = [without_event_dims(part) for part in transform.parts]
        return dist.transforms.ComposeTransform(parts)
    while isinstance(transform, dist.transforms.IndependentTransform):
        transform = transform.base_transform
    return transform


def row_moments(fn: Any) -> tuple[jax.Array, jax.Array] | None:
    """Means and variances of a row of values; ``None`` where there is no closed form."""
    if isinstance(fn, dist.TransformedDistribution):
        if not all(isinstance(t, dist.transforms.ReshapeTransform) for t in fn.transforms):
            return None
        moments = row_moments(fn.base_dist)
        if moments is None:
            return None
        mean, variance = moments
        for reshape in fn.transforms:
            mean, variance = reshape(mean), reshape(variance)
        return mean, variance
    return fn.mean, fn.variance


def moments_of(draws: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means and variances over draws, as constants: they place the guess and are not trained."""
    draws = jax.lax.stop_gradient(draws)
    return draws.mean(0), draws.var(0) + 1e-10
