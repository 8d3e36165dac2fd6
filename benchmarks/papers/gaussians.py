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
) -> Gaussian:
    """Means and standard deviations that maximise the ELBO, whose Kullback-Leibler term counts
    ``temperature`` times; at temperature 0 there are no deviations, and this is Adam.

    :param draws: of the weights, for each minibatch: more of them is less noise.
    """
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))
    prior = {name: network.prior_sd(name) for name in network.shapes}
    batch = min(BATCH, len(x))

    def loss(params: Gaussian, key: Any, rows: Any) -> Any:
        loc, log_sd = params

        def of_draw(key: Any) -> Any:
            point = dict(loc)
            if temperature:
                keys = jax.random.split(key, len(loc))
                for k, name in zip(keys, loc, strict=True):
                    noise = jax.random.normal(k, loc[name].shape)
                    point[name] = loc[name] + jnp.exp(log_sd[name]) * noise
            found = network.logits(point, x[rows])
            return optax.softmax_cross_entropy_with_integer_labels(found, y[rows]).mean()

        fitted = jax.vmap(of_draw)(jax.random.split(key, draws)).mean()
        if not temperature:
            return fitted
        kl = 0.0
        for name, s in prior.items():
            ratio = jnp.exp(2 * log_sd[name]) + loc[name] ** 2
            kl += (0.5 * (ratio / s**2 - 1) + np.log(s) - log_sd[name]).sum()
        return fitted + temperature * kl / len(x)

    def train(start: Point, key: Any) -> Gaussian:
        params = start, {n: jnp.full(w.shape, np.log(init_sd)) for n, w in start.items()}

        def step(carry: Any, key: Any) -> Any:
            params, state = carry
            of_rows, of_draws = jax.random.split(key)
            rows = jax.random.choice(of_rows, len(x), (batch,))
            updates, state = optimiser.update(jax.grad(loss)(params, of_draws, rows), state)
            return (optax.apply_updates(params, updates), state), None

        carry = params, optimiser.init(params)
        (params, _), _ = jax.lax.scan(step, carry, jax.random.split(key, steps))
        return params[0], jax.tree.map(jnp.exp, params[1])

    starts = [network.start(np.random.default_rng(seed)) for seed in seeds]
    stacked = {name: jnp.stack([start[name] for start in starts]) for name in network.shapes}
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    loc, scale = jax.jit(jax.vmap(train))(stacked, keys)
    if not temperature:
        scale = jax.tree.map(jnp.zeros_like, scale)
    return jax.device_get((loc, scale))


def of_seed(gaussian: Gaussian, index: int) -> Gaussian:
    """One of many."""
    return jax.tree.map(lambda x: x[index], gaussian)


@partial(jax.jit, static_argnums=(0, 6))
def along(
    logits: Any, start: Gaussian, end: Gaussian, x: Any, y: Any, key: Any, draws: int
) -> dict[str, Any]:
    """NLL, accuracy and calibration error of the marginalised prediction at eleven points of the
    Wasserstein geodesic, which share their draws.
    """
    names = list(start[0])
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    noise = {n: jax.random.normal(keys[n], (draws, *start[0][n].shape)) for n in names}

    def at(t: Any) -> dict[str, Any]:
        loc, scale = jax.tree.map(lambda a, b: (1 - t) * a + t * b, start, end)

        def of_draw(eps: Point) -> Any:
            return jax.nn.log_softmax(logits({n: loc[n] + scale[n] * eps[n] for n in names}, x))

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
