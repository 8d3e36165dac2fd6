"""HMC's draws of a small classifier's weights, its VI and a plainly trained network, computed once
for all experiments of a run.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import MCMC, NUTS

from .data import Split, digits
from .frame import Setting
from .gaussians import Gaussian, fit, of_seed
from .models import log_joint
from .networks import Network, Point, dense

CHAINS = 4
UNIT, SMALLER = "N(0, 1)", "1 / inputs"


class Posterior(NamedTuple):
    """
    :param draws: site name -> (chain, draw, *site).
    :param vi: means and standard deviations of mean-field VI.
    :param trained: weights of a network trained with Adam, on the same images.
    """

    network: Network
    data: Split
    draws: Point
    vi: Gaussian
    trained: Point


def coarse(num_train: int = 600) -> Split:
    """Digits averaged to 4 x 4 pixels."""
    full = digits(num_train)

    def small(x: np.ndarray) -> np.ndarray:
        return x.reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16)

    return Split(small(full.x), full.y, small(full.x_test), full.y_test)


def named(setting: Setting) -> str:
    """As the page says it."""
    return f"width {setting['width']}, {setting['prior']}"


def posterior(setting: Setting, seed: int) -> Posterior:
    """By NUTS from independent fits, as many draws of warm-up as afterwards."""
    return _posterior(setting["width"], setting["prior"], setting["draws"], seed)


@cache
def _posterior(width: int, prior: str, num_draws: int, seed: int) -> Posterior:
    data = coarse()
    network = dense(16, width, 1, kind="tanh")._replace(unit_prior=prior == UNIT)
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    seeds = list(range(100 * seed, 100 * seed + CHAINS + 1))
    plain, _ = fit(network, data, seeds, steps=1000, temperature=0.0)
    starts = {name: jnp.asarray(w[:CHAINS]) for name, w in plain.items()}

    def potential(point: Point) -> Any:
        return -log_joint(network, point, x, y)

    mcmc = MCMC(
        NUTS(potential_fn=potential, max_tree_depth=6),
        num_warmup=num_draws,
        num_samples=num_draws,
        num_chains=CHAINS,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(seed, impl="rbg"), init_params=starts)
    draws = jax.device_get(mcmc.get_samples(group_by_chain=True))
    vi = of_seed(fit(network, data, [seed], steps=6000), 0)
    return Posterior(network, data, draws, vi, {n: w[CHAINS] for n, w in plain.items()})
