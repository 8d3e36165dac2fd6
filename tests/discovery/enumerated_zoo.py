"""Models with discrete sites, as NumPyro's tutorials write them, and the labels that may be exchanged in each.

``labels`` says where the labels lie: how many there are, and on which axes of which sites. ``true`` tells which of them
may be exchanged: all (``None``), a run of them, ``(start, stop)``, or none, ``(0, 0)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan
from numpyro.contrib.funsor import markov

RNG = np.random.default_rng(0)
Y, Y2 = RNG.normal(size=5), RNG.normal(size=(4, 2))
ENUMERATED: dict[str, Case] = {}


class Case(NamedTuple):
    """One model, its arguments, and its labels.

    :param sure: whether it holds for any data, and not only for these.
    :param by_hand: the same model with the sum written out, where there is a short way to write it.
    """

    model: Callable[..., Any]
    args: tuple
    labels: tuple[int, dict[str, Any]]
    true: tuple[int, int] | None = None
    sure: bool = True
    by_hand: Callable[..., Any] | None = None

    @property
    def run(self) -> tuple[int, int]:
        return self.true or (0, self.labels[0]) if self.true != (0, 0) else (0, 0)


def case(name: str, *args: Any, labels: Any, **options: Any) -> Callable:
    def register(model: Callable) -> Callable:
        ENUMERATED[name] = Case(model, args, labels, **options)
        return model

    return register


# Mixtures ------------------------------------------------------------------------------------------


def components() -> tuple[Any, Any, Any]:
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 3))
        sigma = numpyro.sample("sigma", dist.LogNormal(0, 0.5))
    return weights, mu, sigma


def mixture_by_hand(y: Any) -> None:
    weights, mu, sigma = components()
    with numpyro.plate("data", len(y)):
        numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, sigma)), obs=y)


@case("mixture", Y, labels=(3, {"weights": 0, "mu": 0, "sigma": 0}), by_hand=mixture_by_hand)
def mixture(y):
    weights, mu, sigma = components()
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(mu[z], sigma[z]), obs=y)


@case("mixture in 2-D", Y2, labels=(3, {"weights": 0, "mu": 0, "chol": 0}))
def mixture_2d(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))
        chol = numpyro.sample("chol", dist.LKJCholesky(2))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
        numpyro.sample("y", dist.MultivariateNormal(mu[z], scale_tril=chol[z]), obs=y)


@case("mixture with one fixed mean", Y, labels=(3, {"mu": 0}), true=(1, 3), sure=False)
def mixture_with_one_fixed_mean(y):
    """The first component's mean has a prior of its own."""
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(jnp.array([2.0, 0.0, 0.0]), 1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(3) / 3))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


@case("mixture with known weights", Y, labels=(3, {"mu": 0}), true=(0, 0))
def mixture_with_known_weights(y):
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(jnp.array([0.5, 0.3, 0.2])))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


# Markov models -------------------------------------------------------------------------------------


def states() -> tuple[Any, Any]:
    with numpyro.plate("state", 3):
        trans = numpyro.sample("trans", dist.Dirichlet(jnp.ones(3)))
        mu = numpyro.sample("mu", dist.Normal(0, 3))
    return trans, mu


@case("hidden Markov model", Y, labels=(3, {"init": 0, "trans": [0, 1], "mu": 0}))
def hidden_markov(y):
    init = numpyro.sample("init", dist.Dirichlet(jnp.ones(3)))
    trans, mu = states()

    def step(state, now):
        state = numpyro.sample("z", dist.Categorical(trans[state]), infer={"enumerate": "parallel"})
        numpyro.sample("y", dist.Normal(mu[state], 1.0), obs=now)
        return state, None

    first = numpyro.sample("first", dist.Categorical(init), infer={"enumerate": "parallel"})
    scan(step, first, y)


@case("hidden Markov model that begins in a known state", Y, labels=(3, {"trans": [0, 1], "mu": 0}), true=(1, 3))
def hidden_markov_from_zero(y):
    """As NumPyro's example has it."""
    trans, mu = states()

    def step(state, now):
        state = numpyro.sample("z", dist.Categorical(trans[state]))
        numpyro.sample("y", dist.Normal(mu[state], 1.0), obs=now)
        return state, None

    scan(step, 0, y)


@case("hidden Markov model in a loop", Y, labels=(3, {"trans": [0, 1], "mu": 0}))
def hidden_markov_in_a_loop(y):
    trans, mu = states()
    probs = jnp.ones(3) / 3
    for t in markov(range(len(y))):
        state = numpyro.sample(f"z{t}", dist.Categorical(probs), infer={"enumerate": "parallel"})
        numpyro.sample(f"y{t}", dist.Normal(mu[state], 1.0), obs=y[t])
        probs = trans[state]
