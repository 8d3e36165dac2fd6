"""Networks as NumPyro models, and what their posteriors predict."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from .networks import Network, Point


def classifier(network: Network, x: Any, y: Any = None, rows: int | None = None) -> None:
    """Weights of the network's prior; the likelihood counts for ``rows`` images."""
    point = {}
    for name, shape in network.shapes.items():
        prior = dist.Normal(0, network.prior_sd(name)).expand(shape).to_event(len(shape))
        point[name] = numpyro.sample(name, prior)
    logits = network.logits(point, x)
    with numpyro.handlers.scale(scale=(rows or len(x)) / len(x)):
        numpyro.sample("y", dist.Categorical(logits=logits).to_event(1), obs=y)


def log_joint(network: Network, point: Point, x: Any, y: Any) -> Any:
    """What :func:`classifier` adds up, without constants."""
    log_p = jax.nn.log_softmax(network.logits(point, x))
    total = jnp.take_along_axis(log_p, y[:, None], 1).sum()
    for name, w in point.items():
        total = total - 0.5 * (w**2).sum() / network.prior_sd(name) ** 2
    return total


def probabilities(network: Network, draws: Point, x: Any) -> Any:
    """(draw, image, class)."""

    def of_draw(point: Point) -> Any:
        return jax.nn.softmax(network.logits(point, x))

    return jax.device_get(jax.jit(lambda d: jax.lax.map(of_draw, d, batch_size=20))(draws))
