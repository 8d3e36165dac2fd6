"""Models and chains that several tests look at; conftest runs each once a session."""

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

import numpyro_sym as nsym

UNITS = 5
TANH_UNITS = nsym.mlp(["w1", "w2"], [UNITS], biases=["b1"], kind="signed")


def network(x, y=None, scale=1.0, noise=0.2):
    """One hidden layer of 5 tanh units on one input."""
    w1, b1, w2 = normal("w1", 1, UNITS, scale=scale), normal("b1", UNITS, scale=scale), normal("w2", UNITS, scale=scale)
    hidden = jnp.tanh(x @ w1 + b1)
    numpyro.deterministic("first_unit", hidden[:, 0].mean())
    f = numpyro.deterministic("f", hidden @ w2)
    numpyro.sample("y", dist.Normal(f, noise), obs=y)


def sine():
    """Fifty noisy points of a sine: the posterior has one mode up to the symmetry."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-3, 3, 50)).astype(np.float32)[:, None]
    return x, (np.sin(x[:, 0]) + 0.2 * rng.normal(size=50)).astype(np.float32)


def teacher():
    """A hundred points of a random network of the same form: fits of several qualities exist."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-3, 3, 100)).astype(np.float32)[:, None]
    w1, b1, w2 = rng.normal(0, 2, (1, UNITS)), rng.normal(0, 2, UNITS), rng.normal(0, 2, UNITS)
    return x, (np.tanh(x @ w1 + b1) @ w2 + 0.05 * rng.normal(size=100)).astype(np.float32)


TEACHER_MODEL = {"scale": 2.0, "noise": 0.05}


def modes_of_the_teacher():
    """Local optima by Adam from 32 random starts, best first: points and their potentials."""
    x, y = teacher()

    def potential(point):
        return -log_density(network, (x, y), TEACHER_MODEL, point)[0]

    keys = jax.random.split(jax.random.key(1), 3)
    shapes = {"w1": (32, 1, UNITS), "b1": (32, UNITS), "w2": (32, UNITS)}
    starts = {name: 2 * jax.random.normal(k, shape) for k, (name, shape) in zip(keys, shapes.items(), strict=True)}
    optimiser = optax.adam(0.02)

    def fit(point):
        def step(carry, _):
            point, state = carry
            updates, state = optimiser.update(jax.grad(potential)(point), state)
            return (optax.apply_updates(point, updates), state), None

        (point, _), _ = jax.lax.scan(step, (point, optimiser.init(point)), None, length=4000)
        return point, potential(point)

    points, potentials = jax.jit(jax.vmap(fit))(starts)
    order = jnp.argsort(potentials)
    return {name: x[order] for name, x in points.items()}, potentials[order]


class Run(NamedTuple):
    mcmc: Any
    draws: dict


def sample(kernel, *args, num_warmup=500, num_samples=500, init_params=None, **kwargs) -> Run:
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
    return Run(mcmc, {name: np.asarray(x) for name, x in mcmc.get_samples(group_by_chain=True).items()})
