"""Convolutional networks as plain functions: products of patches, so that seeds can be batched."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from numpyro_sym import Symmetry, Units

from .networks import Network, Point


def patches(x: Any, stride: int) -> Any:
    """(image, h, w, c) -> (image, h / stride, w / stride, 9, c), zeros around."""
    h, w = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = []
    for i in range(3):
        for j in range(3):
            shifted.append(padded[:, i : i + h : stride, j : j + w : stride])
    return jnp.stack(shifted, 3)


def conv(x: Any, kernel: Any, stride: int = 1) -> Any:
    """3 x 3, kernel (9, in, out)."""
    return jnp.einsum("nhwpc,pco->nhwo", patches(x, stride), kernel)


def normalized(x: Any) -> Any:
    """Filter response normalization: each channel of an image over its root mean square."""
    return x / jnp.sqrt((x**2).mean((1, 2), keepdims=True) + 1e-6)


def side(x: Any) -> Any:
    """Rows of pixels as square images of one channel."""
    n = round(x.shape[-1] ** 0.5)
    return x.reshape(-1, n, n, 1)


def cnn(channels: int, classes: int = 10) -> Network:
    """Two convolutions with stride 2, the mean over places, a linear layer."""
    c = channels
    shapes = {"k1": (9, 1, c), "b1": (c,), "k2": (9, c, c), "b2": (c,), "w": (c, classes)}
    shapes["b"] = (classes,)
    fan_in = {"k1": 9, "b1": 0, "k2": 9 * c, "b2": 0, "w": c, "b": 0}

    def channels_of(point: Point, x: Any) -> tuple[Any, Any]:
        first = jax.nn.relu(normalized(conv(side(x), point["k1"], 2)) + point["b1"])
        second = jax.nn.relu(normalized(conv(first, point["k2"], 2)) + point["b2"])
        return first, second

    def logits(point: Point, x: Any) -> Any:
        return channels_of(point, x)[1].mean((1, 2)) @ point["w"] + point["b"]

    def hidden(point: Point, x: Any) -> dict[str, Any]:
        first, second = channels_of(point, x)
        return {"first": first.mean((1, 2)), "second": second.mean((1, 2))}

    first = Units("first", c, incoming={"k1": 2, "b1": 0}, outgoing={"k2": 1})
    second = Units("second", c, incoming={"k2": 2, "b2": 0}, outgoing={"w": 0})
    return Network(shapes, fan_in, logits, hidden, Symmetry([first, second]))


def resnet(channels: int, blocks: int = 2, classes: int = 10) -> Network:
    """A stem with stride 2, and blocks of two convolutions that add to one stream of channels."""
    c = channels
    shapes: dict[str, tuple[int, ...]] = {"stem": (9, 1, c)}
    fan_in = {"stem": 9}
    into, out = {"stem": 2}, {}
    inner = []
    for i in range(blocks):
        shapes |= {f"a{i}": (c,), f"k{i}": (9, c, c), f"b{i}": (c,), f"l{i}": (9, c, c)}
        fan_in |= {f"a{i}": 0, f"k{i}": 9 * c, f"b{i}": 0, f"l{i}": 9 * c}
        into |= {f"a{i}": 0, f"l{i}": 2}
        out |= {f"k{i}": 1}
        incoming = {f"k{i}": 2, f"b{i}": 0}
        inner.append(Units(f"block{i}", c, incoming=incoming, outgoing={f"l{i}": 1}))
    shapes |= {"a": (c,), "w": (c, classes), "b": (classes,)}
    fan_in |= {"a": 0, "w": c, "b": 0}
    stream = Units("stream", c, incoming=into | {"a": 0}, outgoing=out | {"w": 0})

    def channels_of(point: Point, x: Any) -> dict[str, Any]:
        x, seen = conv(side(x), point["stem"], 2), {}
        for i in range(blocks):
            y = jax.nn.relu(normalized(x) + point[f"a{i}"])
            y = jax.nn.relu(normalized(conv(y, point[f"k{i}"])) + point[f"b{i}"])
            seen[f"block{i}"] = y.mean((1, 2))
            x = x + conv(y, point[f"l{i}"])
        return {**seen, "stream": jax.nn.relu(normalized(x) + point["a"]).mean((1, 2))}

    def logits(point: Point, x: Any) -> Any:
        return channels_of(point, x)["stream"] @ point["w"] + point["b"]

    return Network(shapes, fan_in, logits, channels_of, Symmetry([stream, *inner]))
