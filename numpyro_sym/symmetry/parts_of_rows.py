"""One program run over rows in a few parts, so that a bar can move while a device works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .bars import advance, expect

#: So many parts at most, and the share of rows that may be done twice to make parts alike.
_PARTS, _SPARE = 16, 0.02


def mapped_in_parts(
    function: Callable[[Any], Any], rows: Any, unit: str, batch_size: int = 1
) -> Any:
    """:func:`jax.lax.map` of a function that is not traced, on the host, its bar moving.

    What the function holds of arrays is an argument of the program, and no constant that would be
    folded when compiling.

    :param function: of one row, traced by JAX.
    :param rows: arrays with one leading dimension.
    :param unit: what rows are, for the bar.
    :returns: NumPy arrays with that dimension.
    """

    def mapped(some: Any) -> Any:
        return jax.lax.map(function, some, batch_size=batch_size if batch_size > 1 else None)

    number = len(jax.tree.leaves(rows)[0])
    if _size(number, batch_size) == number:
        return in_parts(mapped, rows, unit, batch_size)

    def of_part(x: Any) -> jax.ShapeDtypeStruct:
        dtype = jax.dtypes.canonicalize_dtype(x.dtype)
        return jax.ShapeDtypeStruct((_size(len(x), batch_size), *x.shape[1:]), dtype)

    program, shapes = jax.make_jaxpr(mapped, return_shape=True)(jax.tree.map(of_part, rows))
    structure = jax.tree.structure(shapes)
    run = jax.jit(lambda constants, leaves: jax.core.eval_jaxpr(program.jaxpr, constants, *leaves))

    def evaluated(some: Any) -> Any:
        return jax.tree.unflatten(structure, run(program.consts, jax.tree.leaves(some)))

    return in_parts(evaluated, rows, unit, batch_size)


def in_parts(run: Callable[[Any], Any], rows: Any, unit: str, batch_size: int = 1) -> Any:
    """What a compiled program gives for rows, run for equal parts of them, one after another.

    The next part is handed to the device before one is looked at, so that the device never waits.

    :param run: of arrays with one leading dimension, the same for each row whatever the others are.
    :param rows: such arrays.
    :param unit: what they are, for the bar.
    :param batch_size: how many rows the program works on at once: parts are multiples of it.
    :returns: NumPy arrays.
    """
    number = len(jax.tree.leaves(rows)[0])
    size = _size(number, batch_size)
    expect(unit, number)
    found: list[Any] = []
    ahead = None
    for start in range(0, number, size):
        behind, ahead = ahead, run(_part(rows, start, size))
        if start:
            found.append(jax.device_get(behind))
            advance(unit, size)
    found.append(jax.device_get(ahead))
    advance(unit, number - size * (len(found) - 1))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:number], *found)


def _part(rows: Any, start: int, size: int) -> Any:
    """So many rows; the last part is filled up with the last row, again and again."""

    def part(x: Any) -> Any:
        if start + size <= len(x):
            return x[start : start + size]
        return x[jnp.minimum(jnp.arange(start, start + size), len(x) - 1)]

    return jax.tree.map(part, rows)


def _size(number: int, batch_size: int) -> int:
    """Rows of a part: all of them where parts alike would do many rows twice."""
    for parts in range(_PARTS, 1, -1):
        size = batch_size * -(-number // (parts * batch_size))
        if -(-number // size) > 1 and -number % size <= _SPARE * number:
            return size
    return number
