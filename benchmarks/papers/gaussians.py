"""Mean-field Gaussians over a classifier's weights, many seeds in one program, and the way between
two of them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jax.scipy.special import logsumexp

from .data import Split
from .networks import Network, Point

BATCH = 256
Gaussian = tuple[Point, Point]  # means and standard deviations; seeds lead where there are many


def fit(
    network: Network,
    data: Split,
    seeds: list[int],
    *,
    steps: int,
    temperature: float = 1.0,
    rate: float = 3e-3,
    init_sd: float = 0.02,
    draws: int = 1,
    starts: list[int] | None = None,
) -> Gaussian:
    """Means and standard deviations that maximize the ELBO, whose Kullback-Leibler term counts
    ``temperature`` times; at temperature 0 there are no deviations, and this is Adam.

    :param draws: of the weights, for each minibatch: more of them is less noise.
    :param starts: seeds of the first weights, where they are not the seeds of all else.
    """
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))
    batch = min(BATCH, len(x))
    points = [network.start(np.random.default_rng(seed)) for seed in starts or seeds]
    # All weights in one vector: one call of the random generator is soon compiled.
    _, unflatten = ravel_pytree(points[0])
    flat = jnp.stack([ravel_pytree(point)[0] for point in points])
    sds = {name: jnp.full(shape, network.prior_sd(name)) for name, shape in network.shapes.items()}
    prior, _ = ravel_pytree(sds)

    def loss(params: Any, key: Any, rows: Any) -> Any:
        loc, log_sd = params

        def of_draw(noise: Any) -> Any:
            found = network.logits(unflatten(loc + jnp.exp(log_sd) * noise), x[rows])
            return optax.softmax_cross_entropy_with_integer_labels(found, y[rows]).mean()

        if not temperature:
            return of_draw(jnp.zeros_like(loc))
        fitted = jax.vmap(of_draw)(jax.random.normal(key, (draws, len(loc)))).mean()
        ratio = (jnp.exp(2 * log_sd) + loc**2) / prior**2
        kl = (0.5 * (ratio - 1) + jnp.log(prior) - log_sd).sum()
        return fitted + temperature * kl / len(x)

    def train(start: Any, key: Any) -> Any:
        params = start, jnp.full(start.shape, np.log(init_sd))

        def step(carry: Any, key: Any) -> Any:
            params, state = carry
            of_rows, of_draws = jax.random.split(key)
            rows = jax.random.randint(of_rows, (batch,), 0, len(x))
            updates, state = optimizer.update(jax.grad(loss)(params, of_draws, rows), state)
            return (optax.apply_updates(params, updates), state), None

        carry = params, optimizer.init(params)
        (params, _), _ = jax.lax.scan(step, carry, jax.random.split(key, steps))
        return params

    keys = jnp.stack([jax.random.key(seed, impl="rbg") for seed in seeds])
    loc, log_sd = jax.jit(jax.vmap(train))(flat, keys)
    scale = jnp.exp(log_sd) if temperature else jnp.zeros_like(loc)
    return jax.device_get((jax.vmap(unflatten)(loc), jax.vmap(unflatten)(scale)))


def of_seed(gaussian: Gaussian, index: int) -> Gaussian:
    """One of many."""
    return jax.tree.map(lambda x: x[index], gaussian)


@partial(jax.jit, static_argnums=(0, 6))
def along(
    logits: Any, start: Gaussian, end: Gaussian, x: Any, y: Any, key: Any, draws: int
) -> dict[str, Any]:
    """NLL, accuracy and calibration error of the marginalized prediction at eleven points of the
    Wasserstein geodesic, which share their draws.
    """
    _, unflatten = ravel_pytree(start[0])
    (loc0, scale0), (loc1, scale1) = (
        [ravel_pytree(part)[0] for part in gaussian] for gaussian in (start, end)
    )
    noise = jax.random.normal(key, (draws, len(loc0)))

    def at(t: Any) -> dict[str, Any]:
        loc, scale = (1 - t) * loc0 + t * loc1, (1 - t) * scale0 + t * scale1

        def of_draw(eps: Any) -> Any:
            return jax.nn.log_softmax(logits(unflatten(loc + scale * eps), x))

        log_p = logsumexp(jax.lax.map(of_draw, noise), axis=0) - jnp.log(draws)
        right = jnp.take_along_axis(log_p, y[:, None], 1)[:, 0]
        return {
            "nll": -right.mean(),
            "accuracy": (log_p.argmax(1) == y).mean(),
            "ece": calibration_error(jnp.exp(log_p), y),
        }

    return jax.lax.map(at, jnp.linspace(0, 1, 11))


def calibration_error(p: Any, y: Any, bins: int = 10) -> Any:
    """The expected one: the gap of confidence and accuracy, bin by bin."""
    confidence, right = p.max(1), p.argmax(1) == y
    inside = jax.nn.one_hot(jnp.clip((confidence * bins).astype(int), 0, bins - 1), bins)
    return jnp.abs(inside.T @ (confidence - right)).sum() / len(y)


def barrier(loss: Any) -> float:
    """The largest excess over the straight line between the ends."""
    loss = np.asarray(loss, float)
    t = np.linspace(0, 1, len(loss))
    return float((loss - (1 - t) * loss[0] - t * loss[-1]).max())
