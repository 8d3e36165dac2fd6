"""Small networks on the digits, hundreds at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import numpyro_sym as nsym

from .data import Split, digits

Weights = dict[str, Any]

#: Networks that are trained in one program.
AT_ONCE = 250


class Network(NamedTuple):
    """ReLU network on 8 x 8 pixels.

    :param shapes: site -> shape; biases begin with "b".
    :param apply: (weights, inputs) -> logits ``(rows, 10)``.
    :param inputs: pixels ``(rows, 64)`` -> what ``apply`` takes.
    :param symmetry: kind -> its symmetry.
    """

    shapes: dict[str, tuple[int, ...]]
    apply: Callable[[Weights, jax.Array], jax.Array]
    inputs: Callable[[np.ndarray], np.ndarray]
    symmetry: Callable[[str], nsym.Symmetry]


def mlp(*widths: int) -> Network:
    """Fully connected."""
    sizes = [64, *widths, 10]
    depth = len(widths) + 1
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(1, depth + 1):
        shapes |= {f"w{i}": (sizes[i - 1], sizes[i]), f"b{i}": (sizes[i],)}

    def apply(weights: Weights, x: jax.Array) -> jax.Array:
        for i in range(1, depth):
            x = jax.nn.relu(x @ weights[f"w{i}"] + weights[f"b{i}"])
        return x @ weights[f"w{depth}"] + weights[f"b{depth}"]

    def symmetry(kind: str) -> nsym.Symmetry:
        names = [[f"{letter}{i}" for i in range(1, depth + 1)] for letter in "wb"]
        return nsym.mlp(names[0], widths, biases=names[1], kind=kind)

    return Network(shapes, apply, lambda x: x, symmetry)


def cnn(first: int, second: int) -> Network:
    """Two convolutions of 3 x 3, the largest of 2 x 2 between them, the mean over pixels after."""
    shapes = {
        "w1": (9, first),
        "b1": (first,),
        "w2": (9, first, second),
        "b2": (second,),
        "w3": (second, 10),
        "b3": (10,),
    }

    def apply(weights: Weights, x: jax.Array) -> jax.Array:
        h = jax.nn.relu(x @ weights["w1"] + weights["b1"])  # (rows, 64, first)
        h = h.reshape(-1, 4, 2, 4, 2, first).max((2, 4))
        w2 = weights["w2"].reshape(-1, second)
        h = jax.nn.relu(windows(h) @ w2 + weights["b2"])  # (rows, 16, second)
        return h.mean(1) @ weights["w3"] + weights["b3"]

    def symmetry(kind: str) -> nsym.Symmetry:
        channels = {"incoming": {"w1": 1, "b1": 0}, "outgoing": {"w2": 1}}
        maps = {"incoming": {"w2": 2, "b2": 0}, "outgoing": {"w3": 0}}
        return nsym.Symmetry(
            [
                nsym.Units("channels1", first, kind=kind, **channels),
                nsym.Units("channels2", second, kind=kind, **maps),
            ]
        )

    def inputs(x: np.ndarray) -> np.ndarray:
        return np.asarray(windows(jnp.asarray(x).reshape(-1, 8, 8, 1)))

    return Network(shapes, apply, inputs, symmetry)


def windows(h: jax.Array) -> jax.Array:
    """The 3 x 3 pixels around each: ``(rows, side, side, channels)`` to ``(rows, side**2, 9 *
    channels)``.
    """
    rows, side, _, channels = h.shape
    h = jnp.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [h[:, i : i + side, j : j + side] for i in range(3) for j in range(3)]
    return jnp.stack(shifted, 3).reshape(rows, side**2, 9 * channels)


NETWORKS = {"MLP 64-32-16-10": mlp(32, 16), "CNN 4-8": cnn(4, 8)}


class Recipe(NamedTuple):
    """Gradient descent with momentum .9 on batches.

    :param decay: of all weights, as in the loss: ``decay / 2`` times the sum of squares.
    """

    steps: int = 600
    rate: float = 0.05
    decay: float = 5e-4
    batch: int = 64
    momentum: float = 0.9


def begin(network: Network, rng: np.random.Generator, number: int) -> dict[str, np.ndarray]:
    """He's normal weights, biases of zero."""
    weights = {}
    for name, shape in network.shapes.items():
        scale = 0.0 if name[0] == "b" else np.sqrt(2 / np.prod(shape[:-1]))
        weights[name] = (scale * rng.normal(size=(number, *shape))).astype(np.float32)
    return weights


def loss(network: Network, weights: Weights, x: jax.Array, y: jax.Array) -> jax.Array:
    """Cross entropy in nats a row."""
    logp = jax.nn.log_softmax(network.apply(weights, x))
    return -jnp.take_along_axis(logp, y[:, None], 1).mean()


def trained(
    network: Network,
    seed: int,
    number: int,
    recipe: Recipe,
    *,
    start: Weights | None = None,
    data: Split | None = None,
    kept: int = 1,
) -> dict[str, np.ndarray]:
    """So many networks, each of its own batches, and of its own start unless one is given.

    :param kept: how many times along training the weights are kept, evenly, the last the end.
    :returns: site -> floats ``(number, *site)``; ``(number, kept, *site)`` for several times.
    """
    data = digits() if data is None else data
    x, y = jnp.asarray(network.inputs(data.x)), jnp.asarray(data.y)
    # Rows are arguments: as constants, XLA would work on them for minutes.
    train = jax.jit(jax.vmap(partial(_one, network, recipe), (None, None, 0, 0)))
    rng = np.random.default_rng(seed)
    parts = []
    for first in range(0, number, AT_ONCE):
        count = min(AT_ONCE, number - first)
        size = (count, kept, recipe.steps // kept, recipe.batch)
        batches = rng.integers(0, len(y), size, np.int32)
        own = begin(network, rng, count)
        if start is not None:
            own = {name: np.broadcast_to(start[name], w.shape) for name, w in own.items()}
        parts.append(train(x, y, own, batches))
    whole = {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in network.shapes}
    return {name: w[:, 0] for name, w in whole.items()} if kept == 1 else whole


def _one(
    network: Network,
    recipe: Recipe,
    x: jax.Array,
    y: jax.Array,
    weights: Weights,
    batches: jax.Array,
) -> Weights:
    gradient = jax.grad(partial(loss, network))

    def step(carry, rows):
        weights, speed = carry
        slope = gradient(weights, x[rows], y[rows])
        speed = jax.tree.map(
            lambda v, g, w: recipe.momentum * v + g + recipe.decay * w, speed, slope, weights
        )
        weights = jax.tree.map(lambda w, v: w - recipe.rate * v, weights, speed)
        return (weights, speed), None

    def stretch(carry, batches):
        carry, _ = jax.lax.scan(step, carry, batches)
        return carry, carry[0]

    still = jax.tree.map(jnp.zeros_like, weights)
    _, along = jax.lax.scan(stretch, (weights, still), batches)
    return along


def probabilities(network: Network, weights: Weights, x: np.ndarray) -> np.ndarray:
    """Of classes, ``(networks, rows, 10)``."""
    logits = jax.jit(jax.vmap(network.apply, (0, None)))(weights, jnp.asarray(network.inputs(x)))
    return np.asarray(jax.nn.softmax(logits))
