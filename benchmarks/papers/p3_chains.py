"""Tanh networks of regression, and many short chains of each at once.

Weights and biases are N(0, 1), the noise is HalfNormal(1), as in Wiese et al. 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpyro.infer import MCMC, NUTS

from .data import Split

Weights = dict[str, Any]


def output(widths: Sequence[int], weights: Weights, x: jax.Array) -> jax.Array:
    for i in range(1, len(widths) + 1):
        x = jnp.tanh(x @ weights[f"w{i}"] + weights[f"b{i}"])
    last = len(widths) + 1
    return (x @ weights[f"w{last}"] + weights[f"b{last}"])[:, 0]


def log_density(widths: Sequence[int], weights: Weights, x: jax.Array, y: jax.Array) -> jax.Array:
    """Of each target."""
    noise = weights["log noise"]
    residual = (y - output(widths, weights, x)) * jnp.exp(-noise)
    return -jnp.square(residual) / 2 - noise - np.log(2 * np.pi) / 2


def log_joint(widths: Sequence[int], weights: Weights, x: jax.Array, y: jax.Array) -> jax.Array:
    """But for a constant; the noise on its log scale."""
    noise = weights["log noise"]
    prior = -sum(jnp.square(w).sum() for n, w in weights.items() if n != "log noise") / 2
    return log_density(widths, weights, x, y).sum() + prior - jnp.exp(2 * noise) / 2 + noise


def begin(widths: Sequence[int], split: Split, seed: int, chains: int, scale: float) -> Weights:
    """Draws of the prior, weights ``scale`` times as large; the noise at 1."""
    sizes = [split.x.shape[1], *widths, 1]
    rng = np.random.default_rng(seed)
    weights = {"log noise": np.zeros(chains)}
    for i in range(1, len(sizes)):
        weights[f"w{i}"] = scale * rng.normal(size=(chains, sizes[i - 1], sizes[i]))
        weights[f"b{i}"] = scale * rng.normal(size=(chains, sizes[i]))
    return {name: jnp.asarray(w, jnp.float32) for name, w in weights.items()}


def rows(split: Split, part: str = "train") -> tuple[jax.Array, jax.Array]:
    x, y = (split.x, split.y) if part == "train" else (split.x_test, split.y_test)
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def log_densities(widths: Sequence[int], draws: Weights, split: Split, part: str) -> np.ndarray:
    """``(chain, draw, row)``."""
    of_draw = partial(log_density, widths)
    of_chains = jax.jit(jax.vmap(jax.vmap(of_draw, (0, None, None)), (0, None, None)))
    return np.asarray(of_chains(draws, *rows(split, part)), float)


def best_ends(widths: Sequence[int], split: Split, seed: int, chains: int) -> Weights:
    """Of four times as many runs of Adam from draws of the prior, those of highest log joint."""
    x, y = rows(split)
    ends = adam(widths, begin(widths, split, seed, 4 * chains, 1.0), x, y, 2000)
    height = jax.jit(jax.vmap(partial(log_joint, widths), (0, None, None)))(ends, x, y)
    best = np.argsort(-np.asarray(height))[:chains]
    return {name: w[best] for name, w in ends.items()}


def nuts(
    widths: Sequence[int],
    split: Split,
    seed: int,
    start: Weights,
    warmup: int = 300,
    tree_depth: int = 6,
) -> Weights:
    """Draws ``(chain, 16, ...)`` after so many of warm-up."""
    x, y = rows(split)
    chains = len(start["log noise"])
    kernel = NUTS(potential_fn=lambda w: -log_joint(widths, w, x, y), max_tree_depth=tree_depth)
    mcmc = MCMC(
        kernel,
        num_warmup=warmup,
        num_samples=16,
        num_chains=chains,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(seed), init_params=start)
    return mcmc.get_samples(group_by_chain=True)


def langevin(
    widths: Sequence[int], split: Split, seed: int, chains: int, steps: int, kept: int = 20
) -> tuple[Weights, Weights]:
    """Draws ``(chain, kept, ...)`` of microcanonical Langevin Monte Carlo, and where they began.

    The noise is held at .2 as Adam runs: the joint density has its peak where the network goes
    through every row and the noise is gone, and no chain comes back from there.
    """
    import blackjax
    from blackjax.adaptation.mclmc_adaptation import MCLMCAdaptationState

    x, y = rows(split)
    start = begin(widths, split, seed, chains, 0.5)
    start["log noise"] = jnp.full(chains, np.log(0.2), jnp.float32)
    start = adam(widths, start, x, y, 1500, held=("log noise",))
    kernel = blackjax.mcmc.mclmc.build_kernel()
    size = sum(w[0].size for w in start.values())
    first = MCLMCAdaptationState(size**0.5, 0.01 * size**0.5, jnp.ones(size))

    def chain(key: jax.Array, start: Weights, x: jax.Array, y: jax.Array) -> Weights:
        target = lambda w: log_joint(widths, w, x, y)  # noqa: E731
        keys = jax.random.split(key, 3)
        state = blackjax.mcmc.mclmc.init(start, target, keys[0])
        state, tuned, _ = blackjax.mclmc_find_L_and_step_size(
            kernel,
            steps,
            state,
            keys[1],
            target,
            frac_tune1=0.4,
            frac_tune2=0.2,
            frac_tune3=0.0,
            diagonal_preconditioning=False,
            params=first,
        )

        def step(state, key):
            state, _ = kernel(
                key, state, target, tuned.inverse_mass_matrix, tuned.L, tuned.step_size
            )
            return state, None

        def stretch(state, keys):
            state, _ = jax.lax.scan(step, state, keys)
            return state, state.position

        each = jax.random.split(keys[2], (kept, steps // kept))
        return jax.lax.scan(stretch, state, each)[1]

    run = jax.jit(jax.vmap(chain, (0, 0, None, None)))
    return run(jax.random.split(jax.random.key(seed), chains), start, x, y), start


@partial(jax.jit, static_argnums=(0, 4, 5))
def _descend(
    widths: tuple[int, ...],
    start: Weights,
    x: jax.Array,
    y: jax.Array,
    steps: int,
    held: tuple[str, ...],
) -> Weights:
    rule = optax.adam(optax.cosine_decay_schedule(0.01, steps))
    slope = jax.grad(lambda w: -log_joint(widths, w, x, y))

    def step(carry, _):
        weights, state = carry
        slopes = slope(weights)
        slopes = {n: jnp.zeros_like(g) if n in held else g for n, g in slopes.items()}
        updates, state = rule.update(slopes, state)
        return (optax.apply_updates(weights, updates), state), None

    return jax.lax.scan(step, (start, rule.init(start)), None, length=steps)[0][0]


def adam(
    widths: Sequence[int],
    start: Weights,
    x: jax.Array,
    y: jax.Array,
    steps: int,
    held: tuple[str, ...] = (),
) -> Weights:
    """Where Adam ends from each start, some sites held."""
    return jax.vmap(lambda w: _descend(tuple(widths), w, x, y, steps, held))(start)
