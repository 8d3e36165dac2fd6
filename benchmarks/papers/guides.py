"""Mean-field guides, plain and symmetrized, trained for many seeds in one program."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpyro.infer import SVI, Trace_ELBO, init_to_sample
from numpyro.infer.autoguide import AutoNormal

from numpyro_sym.guides import AutoSymmetrizedNormal

from .data import Split
from .gaussians import BATCH, Gaussian
from .models import classifier
from .networks import Network, Point


def guide_of(network: Network, symmetrized: bool) -> Any:
    start = {"init_loc_fn": init_to_sample, "init_scale": 0.05}
    if symmetrized:
        return AutoSymmetrizedNormal(classifier, network.symmetry, check=False, **start)
    return AutoNormal(classifier, **start)


def fit_guide(
    network: Network, data: Split, seeds: list[int], symmetrized: bool, steps: int
) -> dict[str, Any]:
    """Parameters, each with the seeds first; each seed starts at a draw of the prior, both guides
    alike. (A guide that was run once starts where it did then: starts are put in by hand.)
    """
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    rows, batch = len(x), min(BATCH, len(x))
    guide = guide_of(network, symmetrized)
    svi = SVI(classifier, guide, optax.adam(optax.cosine_decay_schedule(1e-2, steps)), Trace_ELBO())
    svi.init(jax.random.key(0), network, x[:batch], y[:batch], rows)

    starts = [prior_draw(network, seed) for seed in seeds]
    stacked = {name: jnp.stack([start[name] for start in starts]) for name in network.shapes}

    def train(start: Any, key: Any) -> Any:
        of_start, of_rows = jax.random.split(key)
        state = svi.init(of_start, network, x[:batch], y[:batch], rows)
        params = svi.optim.get_params(state.optim_state)
        params |= {f"{name}_auto_loc": w for name, w in start.items()}
        state = state._replace(optim_state=svi.optim.init(params))

        def step(state: Any, key: Any) -> Any:
            some = jax.random.randint(key, (batch,), 0, rows)
            return svi.update(state, network, x[some], y[some], rows)[0], None

        state, _ = jax.lax.scan(step, state, jax.random.split(of_rows, steps))
        return svi.get_params(state)

    keys = jnp.stack([jax.random.key(seed, impl="rbg") for seed in seeds])
    return jax.device_get(jax.jit(jax.vmap(train))(stacked, keys))


def prior_draw(network: Network, seed: int) -> Point:
    rng = np.random.default_rng(seed)
    return {
        name: (network.prior_sd(name) * rng.normal(size=shape)).astype(np.float32)
        for name, shape in network.shapes.items()
    }


def elbo(
    network: Network, data: Split, params: dict[str, Any], symmetrized: bool, draws: int = 100
) -> Any:
    """For each seed: ELBO, or the lower bound of that of the symmetrized guide, whichever guide the
    parameters were trained in.
    """
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    guide = guide_of(network, symmetrized)
    SVI(classifier, guide, optax.adam(0.1), Trace_ELBO()).init(jax.random.key(0), network, x, y)

    def of_seed(params: Any) -> Any:
        keys = jax.random.split(jax.random.key(7, impl="rbg"), draws)

        def loss(key: Any) -> Any:
            return Trace_ELBO().loss(key, params, classifier, guide, network, x, y)

        return -jax.lax.map(loss, keys).mean()

    return jax.device_get(jax.jit(lambda p: jax.lax.map(of_seed, p))(params))


def gaussian_of(network: Network, params: dict[str, Any]) -> Gaussian:
    """Means and standard deviations, seeds first."""
    loc, scale = (
        {n: params[f"{n}_auto_{part}"] for n in network.shapes} for part in ("loc", "scale")
    )
    return loc, scale
