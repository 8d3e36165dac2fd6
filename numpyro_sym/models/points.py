"""Points of a model: far out at random, at the scales of its priors, and where a
posterior may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import biject_to, constraints

from ..symmetry.bars import advance
from .rounding import QUICK
from .view import Point

#: Steps of Adam between two points, and their length.
LEGS = ((30, 0.1), (60, 0.03))


def in_support(fn: Any, free: Any) -> Any:
    """An unconstrained value carried into a distribution's support."""
    return biject_to(fn.support)(free)


def at_prior_scale(fn: Any, free: Any) -> Any:
    """A standard normal value carried to where a distribution has its mass, as far as location and
    scale tell.

    :param fn: a NumPyro distribution.
    :param free: unconstrained value of its support.
    """
    value = _located(fn, free)
    fits = value is not None and np.shape(value) == np.shape(in_support(fn, free))
    return value if fits else in_support(fn, free)


def _located(fn: Any, free: Any) -> Any:
    while isinstance(fn, (dist.Independent, dist.ExpandedDistribution, dist.MaskedDistribution)):
        fn = fn.base_dist
    if isinstance(fn, dist.MultivariateNormal):
        return fn.loc + (fn.scale_tril @ free[..., None])[..., 0]
    if isinstance(fn, dist.TransformedDistribution):
        value = _located(fn.base_dist, free)
        if value is None:
            return None
        for transform in fn.transforms:
            value = transform(value)
        return value
    scale = getattr(fn, "scale", None)
    if scale is None or not _broadcasts(scale, free):
        return None
    if fn.support is constraints.positive:
        return scale * jnp.exp(free)
    if fn.support is constraints.real and _broadcasts(getattr(fn, "loc", 0.0), free):
        return getattr(fn, "loc", 0.0) + scale * free
    return None


def _broadcasts(x: Any, like: Any) -> bool:
    try:
        return np.broadcast_shapes(np.shape(x), np.shape(like)) == np.shape(like)
    except ValueError:
        return False


def improve(
    place: Callable[[Point], Point],
    placed: Callable[[Point], Point],
    joint: Callable[[Point], Any],
    free: Mapping[str, np.ndarray],
) -> Iterator[Point]:
    """Sites on the way from a start to where the log joint is high, by Adam on the host.

    Nothing where the model has no derivatives.

    :param place: unconstrained values -> sites, compiled.
    :param placed: the same, for JAX to trace.
    :param joint: sites -> log joint.
    :param free: where to start.
    """
    slope = partial(jax.jit, compiler_options=QUICK)(jax.grad(lambda free: joint(placed(free))))
    try:
        slope(free)
    except Exception:  # a program without derivatives, which JAX says in many ways
        return
    # Adam's running moments of the slope.
    mean = {name: np.zeros_like(x) for name, x in free.items()}
    square = dict(mean)
    count = 0
    for steps, rate in LEGS:
        for _ in range(steps):
            count += 1
            gradient = jax.device_get(slope(free))
            advance("evaluations")
            for name, g in gradient.items():
                g = np.nan_to_num(g)
                mean[name] = 0.9 * mean[name] + 0.1 * g
                square[name] = 0.999 * square[name] + 0.001 * g**2
            moved = {}
            for name, x in free.items():
                moved[name] = x + rate * _direction(mean[name], square[name], count)
            free = moved
        yield jax.device_get(place(free))


def _direction(mean: np.ndarray, square: np.ndarray, count: int) -> np.ndarray:
    """Adam's (Kingma and Ba 2015, algorithm 1)."""
    return mean / (1 - 0.9**count) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)
