"""Models and chains that several tests look at; conftest runs each once a session."""

from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from numpyro.infer import MCMC
from numpyro.infer.util import log_density
from registry import normal
from scipy import stats

import numpyro_sym as nsym


@contextmanager
def optimized():
    """Compile as users do, for what runs longer than it compiles."""
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", True)


UNITS = 5
TANH_UNITS = nsym.mlp(["w1", "w2"], [UNITS], biases=["b1"], kind="signed")


def network(x, y=None, scale=2.0, noise=0.1):
    """One hidden layer of 5 tanh units on one input."""
    w1, b1, w2 = (
        normal("w1", 1, UNITS, scale=scale),
        normal("b1", UNITS, scale=scale),
        normal("w2", UNITS, scale=scale),
    )
    hidden = jnp.tanh(x @ w1 + b1)
    numpyro.deterministic("first_unit", hidden[:, 0].mean())
    f = numpyro.deterministic("f", hidden @ w2)
    numpyro.sample("y", dist.Normal(f, noise), obs=y)


def sine():
    """A hundred noisy points of a sine over two periods and a half: all five units are needed."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-4, 4, 100)).astype(np.float32)[:, None]
    return x, (np.sin(2 * x[:, 0]) + 0.1 * rng.normal(size=100)).astype(np.float32)


def precise_sine():
    """Four hundred points with little noise: a fit that misses a bump cannot find it again."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-4, 4, 400)).astype(np.float32)[:, None]
    return x, (np.sin(1.5 * x[:, 0]) + PRECISE * rng.normal(size=400)).astype(np.float32)


PRECISE = 0.05


@optimized()
def modes(x, y, noise):
    """Local optima by Adam from 24 random starts: points with a leading dimension, potentials."""

    def potential(point):
        return -log_density(network, (x, y), {"noise": noise}, point)[0]

    shapes = {"w1": (24, 1, UNITS), "b1": (24, UNITS), "w2": (24, UNITS)}
    starts = {
        name: 2 * jax.random.normal(jax.random.key(i), s)
        for i, (name, s) in enumerate(shapes.items())
    }
    optimizer = optax.adam(0.02)

    def fit(point):
        def step(carry, _):
            point, state = carry
            updates, state = optimizer.update(jax.grad(potential)(point), state)
            return (optax.apply_updates(point, updates), state), None

        (point, _), _ = jax.lax.scan(step, (point, optimizer.init(point)), None, length=6000)
        return point, potential(point)

    return jax.jit(jax.vmap(fit))(starts)


def four_copies_of_the_best_mode():
    """Starts of four chains on the sine: one optimum, under four random elements of the
    symmetry.
    """
    points, potentials = modes(*sine(), noise=0.1)
    best = {name: jnp.stack([x[jnp.argmin(potentials)]] * 4) for name, x in points.items()}
    return TANH_UNITS.act(TANH_UNITS.sample(jax.random.key(3), (4,)), best)


def three_good_starts_and_a_bad_one():
    """Starts on the precise sine: its best optimum three times, and a far worse one."""
    points, potentials = modes(*precise_sine(), noise=PRECISE)
    best = jnp.argmin(potentials)
    bad = jnp.argmin(jnp.abs(potentials - potentials.min() - 1420))
    return {name: x[jnp.stack([best, best, best, bad])] for name, x in points.items()}


class Run(NamedTuple):
    mcmc: Any
    draws: dict


@optimized()
def sample(kernel, *args, num_warmup=300, num_samples=600, init_params=None, **kwargs) -> Run:
    mcmc = MCMC(
        kernel,
        num_warmup=num_warmup,
        num_samples=num_samples,
        num_chains=4,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(
        jax.random.key(1),
        *args,
        init_params=init_params,
        extra_fields=("num_steps", "adapt_state.step_size"),
        **kwargs,
    )
    return Run(
        mcmc, {name: np.asarray(x) for name, x in mcmc.get_samples(group_by_chain=True).items()}
    )


def order_statistics_p_values(kernel):
    """Of Kolmogorov-Smirnov tests that the three values of ``x`` have the laws of normal order
    statistics.
    """
    mcmc = MCMC(kernel, num_warmup=500, num_samples=4000, thinning=4, progress_bar=False)
    mcmc.run(jax.random.key(0))
    quantiles = stats.norm.cdf(mcmc.get_samples()["x"])
    return [
        stats.kstest(stats.beta(i + 1, 3 - i).cdf(quantiles[:, i]), "uniform").pvalue
        for i in range(3)
    ]
