"""Where the posterior is: a normal with independent coordinates, fitted in a short optimization."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer import init_to_uniform
from numpyro.infer.util import constrain_fn, potential_energy

from ..models.enumeration import enumerated, is_discrete

Point = dict[str, Any]
Fit = tuple[jax.Array, jax.Array]  # locations and log scales of a flat point

#: How often it starts, how many steps each takes, and how many draws of the best come out.
STARTS, STEPS, DRAWS = 8, 500, 64


def latent_shapes(
    model: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]
) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """Shapes of a model's latent sites, and the names of those that are discrete."""
    shapes: dict[str, tuple[int, ...]] = {}
    discrete = []

    def run(rng_key: jax.Array) -> None:
        with handlers.block():
            seeded = handlers.substitute(
                handlers.seed(model, rng_key), substitute_fn=init_to_uniform
            )
            trace = handlers.trace(seeded).get_trace(*args, **kwargs)
        for name, site in _latent(trace).items():
            shapes[name] = tuple(np.shape(site["value"]))
            if is_discrete(site):
                discrete.append(name)

    # Kernels ask where constants are computed at once, and a known key is one: its numbers, too.
    jax.eval_shape(run, jax.eval_shape(jax.random.key, 0))
    return shapes, tuple(discrete)


def _latent(trace: Mapping[str, dict]) -> dict[str, dict]:
    latent = {}
    for name, site in trace.items():
        if site["type"] == "sample" and not site["is_observed"]:
            latent[name] = site
    return latent


def draws_near_a_mode(
    model: Callable[..., Any],
    args: tuple,
    kwargs: Mapping[str, Any],
    sites: tuple[str, ...],
    init_strategy: Callable[..., Any],
) -> dict[str, np.ndarray] | None:
    """Draws of sites from a normal fitted to the posterior in its unconstrained coordinates.

    The exclusive divergence settles in one of a posterior's copies, and its scales are those of the
    coordinates there. The best of several starts; one fixed key, so the same whenever asked.

    :param model: a NumPyro model.
    :param args: its arguments.
    :param kwargs: its keyword arguments.
    :param sites: which sites to return.
    :param init_strategy: NumPyro's, for where half of the starts lie; the others are uniform.
    :returns: site -> ``(DRAWS, *site)``; ``None`` where no start ended at a finite bound.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the chain says so again
        seeded = handlers.seed(model, 0)
        started = handlers.substitute(seeded, substitute_fn=init_strategy)
        with handlers.block():
            trace = handlers.trace(started).get_trace(*args, **kwargs)
        start = {}
        for name, site in _latent(trace).items():
            if not is_discrete(site):
                start[name] = biject_to(site["fn"].support).inv(site["value"])
        has_sums = len(start) < len(_latent(trace))
        summed = enumerated(seeded, trace) if has_sums else seeded

        def potential(z: Point) -> jax.Array:
            return potential_energy(summed, args, kwargs, z, enum=has_sums)

        def constrained(z: Point) -> Point:
            every = constrain_fn(seeded, args, kwargs, z)
            return {name: every[name] for name in sites}

        flat, unravel = jax.flatten_util.ravel_pytree(start)
        noise, near, far = _random(flat.shape, flat.dtype)
        # Two units that start alike would stay alike.
        starts = jnp.concatenate([flat + 0.5 * near, 2 * far])
        fit = jax.jit(lambda starts, noise: _fitted(potential, constrained, unravel, starts, noise))
        bounds, draws = jax.device_get(fit(starts, noise))
    if not np.isfinite(bounds).any() or not all(np.isfinite(x).all() for x in draws.values()):
        return None
    return {name: np.asarray(x) for name, x in draws.items()}


def _random(shape: tuple[int, ...], dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Made on the host: JAX's generators take longer to compile than the rest."""
    rng = np.random.default_rng(0)
    half = (STARTS // 2, *shape)
    noise = rng.normal(size=(DRAWS, *shape))
    near = rng.normal(size=half)
    far = rng.uniform(-1, 1, size=half)
    return noise.astype(dtype), near.astype(dtype), far.astype(dtype)


def _fitted(
    potential: Callable[[Point], jax.Array],
    constrained: Callable[[Point], Point],
    unravel: Callable[[jax.Array], Point],
    starts: jax.Array,
    noise: jax.Array,
) -> tuple[jax.Array, Point]:
    """The bound that each start reaches, and draws of the best fit."""
    import optax

    adam = optax.adam(optax.cosine_decay_schedule(0.1, STEPS))

    def drawn(fit: Fit, e: jax.Array) -> Point:
        return unravel(fit[0] + jnp.exp(fit[1]) * e)

    def loss(fit: Fit, e: jax.Array) -> jax.Array:
        return potential(drawn(fit, e)) - fit[1].sum()

    def step(carry: Any, i: jax.Array) -> tuple[Any, jax.Array]:
        fit, state = carry
        value, slope = jax.value_and_grad(loss)(fit, noise[i % DRAWS])
        # Where the slope is no number, no step.
        slope = jax.tree.map(lambda g: jnp.where(jnp.isfinite(g), g, 0), slope)
        updates, state = adam.update(slope, state)
        return (optax.apply_updates(fit, updates), state), value

    def fitted(loc: jax.Array) -> tuple[Fit, jax.Array]:
        # Narrow at first, so that it settles in one copy.
        begin = (loc, jnp.full_like(loc, jnp.log(0.1)))
        (fit, _), losses = jax.lax.scan(step, (begin, adam.init(begin)), jnp.arange(STEPS))
        return fit, -losses[-DRAWS:].mean()

    fits, bounds = jax.vmap(fitted)(starts)
    best = jnp.argmax(jnp.where(jnp.isfinite(bounds), bounds, -jnp.inf))
    fit = jax.tree.map(lambda x: x[best], fits)
    return bounds, jax.vmap(lambda e: constrained(drawn(fit, e)))(noise)
