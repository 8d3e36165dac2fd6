"""Networks as plain functions of a point, with the symmetry of their hidden units."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from numpyro_sym import Symmetry, mlp

Point = dict[str, Any]


class Network(NamedTuple):
    """A classifier.

    :param shapes: site name -> shape.
    :param fan_in: site name -> inputs of a unit; 0 for a bias.
    :param logits: (point, images) -> (image, class).
    :param hidden: (point, images) -> units' name -> what they compute, (image, unit).
    :param symmetry: of the hidden units.
    :param unit_prior: whether weights are N(0, 1), rather than of variance 1 / inputs.
    """

    shapes: dict[str, tuple[int, ...]]
    fan_in: dict[str, int]
    logits: Callable[[Point, Any], Any]
    hidden: Callable[[Point, Any], dict[str, Any]]
    symmetry: Symmetry
    unit_prior: bool = False

    def prior_sd(self, name: str) -> float:
        """1 for what a unit sums up, or for all."""
        if self.unit_prior:
            return 1.0
        return float(self.fan_in[name] or 1) ** -0.5

    def start(self, rng: np.random.Generator) -> Point:
        """Random weights of He's variance."""
        point = {}
        for name, shape in self.shapes.items():
            scale = (2 / self.fan_in[name]) ** 0.5 if self.fan_in[name] else 0.1
            point[name] = (scale * rng.normal(size=shape)).astype(np.float32)
        return point


def dense(inputs: int, width: int, layers: int, classes: int = 10, kind: str = "relu") -> Network:
    """A multilayer perceptron with ``layers`` hidden layers of one width."""
    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[kind]
    widths = [inputs, *[width] * layers, classes]
    weights = [f"w{i}" for i in range(1, layers + 2)]
    biases = [f"b{i}" for i in range(1, layers + 2)]
    shapes: dict[str, tuple[int, ...]] = dict(zip(weights, pairwise(widths), strict=True))
    shapes |= {b: (n,) for b, n in zip(biases, widths[1:], strict=True)}
    fan_in = dict(zip(weights, widths, strict=False)) | dict.fromkeys(biases, 0)

    def layers_of(point: Point, x: Any) -> list[Any]:
        each = [x]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            each.append(activation(each[-1] @ point[w] + point[b]))
        return each

    def logits(point: Point, x: Any) -> Any:
        return layers_of(point, x)[-1] @ point[weights[-1]] + point[biases[-1]]

    signs = "signed" if kind == "tanh" else "permutation"
    sym = mlp(weights, widths[1:-1], biases=biases, kind=signs)
    names = [units.name for units in sym]

    def hidden(point: Point, x: Any) -> dict[str, Any]:
        return dict(zip(names, layers_of(point, x)[1:], strict=True))

    return Network(shapes, fan_in, logits, hidden, sym)
