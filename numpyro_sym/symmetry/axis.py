"""Where units lie on one axis of one array."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .element import Array, namespace
from .errors import SymmetryError


@dataclass(frozen=True)
class Axis:
    """One run of units along one axis of an array, whole or as a block of it.

    The block has length ``outer * n * inner`` and is read as an array of shape
    ``(outer, n, inner)``: the units run over the middle one. A fused query-key-value kernel has
    ``outer=3, inner=head_dim``, an LSTM's gates have ``outer=4``, a convolution flattened into
    a dense layer has ``outer=height * width``, a flat parameter vector has a ``start``.

    :param axis: the axis, counted without leading sample dimensions; negative counts from the end.
        Left out for a site of labels, along which no units lie: see ``values`` of :class:`Units`.
    :param start: where the block begins. ``None`` (the default): the block is the whole axis, and
        an axis of another length is an error.
    :param outer: how many times the run of units is repeated.
    :param inner: how many neighbouring entries belong to one unit.
    :param power: the power with which a unit's factor acts here: 1 for what comes into a unit, -1
        for what goes out, 0 for what only permutes. ``None`` (the default): taken from the
        argument of :class:`Units` in which the axis stands.
    :param batch: the axes on which the units' batch runs, one for each of its dimensions and in
        their order, counted like ``axis``; an int where there is one. Each of them is a whole
        axis. Kept as a tuple.
    :raises SymmetryError: where a number is no integer or is out of range.

    >>> Axis(0, outer=3, inner=4).length(n=2)
    24
    >>> print(Axis(1, batch=0))
    [1 over 0]
    """

    axis: int = None  # type: ignore[assignment]  # an int, but for labels
    start: int | None = None
    outer: int = 1
    inner: int = 1
    power: int | None = None
    batch: int | tuple[int, ...] | None = ()

    def __post_init__(self) -> None:
        for name, least in (
            ("axis", None),
            ("start", 0),
            ("outer", 1),
            ("inner", 1),
            ("power", None),
        ):
            value = getattr(self, name)
            if value is None and (name in ("start", "power") or self.is_of_labels):
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise SymmetryError(f"Axis: {name} must be an int; got {value!r}.")
            if least is not None and value < least:
                raise SymmetryError(f"Axis: {name} must be at least {least}; got {value}.")
            object.__setattr__(self, name, int(value))
        object.__setattr__(self, "batch", _batch_axes(self.axis, self.batch))

    @classmethod
    def of_entries(
        cls, axis: int, positions: np.ndarray, length: int, power: int | None = None
    ) -> list[Axis] | None:
        """Entries along an axis of some length as runs of units, blocks that follow on each other
        in one.

        :param positions: ints of shape ``(outer, n, inner)``.
        :returns: the axes; ``None`` where the entries of a block do not follow on each other.
        """
        outer, n, inner = positions.shape
        flat = positions.reshape(outer, n * inner)
        flat = flat[np.argsort(flat[:, 0])]
        if np.any(np.diff(flat, axis=1) != 1):
            return None
        runs = np.split(flat, np.flatnonzero(np.diff(flat[:, 0]) != n * inner) + 1)
        return [
            cls(axis, None if run.size == length else int(run[0, 0]), len(run), inner, power)
            for run in runs
        ]

    @property
    def is_of_labels(self) -> bool:
        """Whether it names no axis on which units lie, and so can only say where the batch of
        labels runs.
        """
        return (self.axis, self.start, self.outer, self.inner, self.power) == (
            None,
            None,
            1,
            1,
            None,
        )

    @property
    def batch_axes(self) -> tuple[int, ...]:
        """The axes on which the batch runs, one for each of its dimensions."""
        return self.batch  # type: ignore[return-value]  # a tuple since __post_init__

    @property
    def offset(self) -> int:
        """Where the block begins, 0 for a whole axis."""
        return self.start or 0

    def length(self, n: int) -> int:
        """The length of the block of ``n`` units."""
        return self.outer * n * self.inner

    def with_power(self, power: int) -> Axis:
        """The same axis; ``power`` where none was given."""
        return self if self.power is not None else replace(self, power=power)

    def resolved(self, ndim: int) -> Axis:
        """The same axis of an array with ``ndim`` dimensions, counted from the front."""
        batch = tuple(b % ndim for b in self.batch_axes)
        return (
            replace(self, batch=batch)
            if self.is_of_labels
            else replace(self, axis=self.axis % ndim, batch=batch)
        )

    def positions(self, n: int) -> np.ndarray:
        """Positions on the array's axis, shape ``(outer, n, inner)``."""
        shape = (self.outer, n, self.inner)
        return self.offset + np.arange(self.length(n)).reshape(shape)

    def blocks(self, x: Array, n: int, lead: int = 0) -> Array:
        """What belongs to each unit.

        :param x: the array, of shape ``(*sample, *site)``; NumPy or JAX.
        :param n: how many units there are.
        :param lead: how many leading sample dimensions there are.
        :returns: an array of shape ``(*sample, *batch, n, features)``. The features of a unit are
            its entries along ``(outer, inner, *the other axes of the site in their order)``, flat.

        >>> Axis(1, inner=2).blocks(np.arange(8).reshape(2, 4), n=2).tolist()
        [[0, 4, 1, 5], [2, 6, 3, 7]]
        """
        run = self._run_first(x, lead)
        before = lead + len(self.batch_axes)
        # (*sample, *batch, length, *rest) -> (*sample, *batch, outer, n, inner, *rest)
        run = run[(slice(None),) * before + (slice(self.offset, self.offset + self.length(n)),)]
        shape = run.shape
        split = run.reshape(*shape[:before], self.outer, n, self.inner, *shape[before + 1 :])
        split = namespace(x).moveaxis(split, before + 1, before)
        return split.reshape(*shape[:before], n, math.prod(split.shape[before + 1 :]))

    def with_blocks(self, x: Array, blocks: Array, n: int, lead: int = 0) -> Array:
        """The array with other entries of its units: the inverse of :meth:`blocks`.

        :param x: the array that gives the shape, and the entries that belong to no unit.
        :param blocks: of shape ``(*sample, *batch, n, features)``.
        :returns: a new array of the shape of ``x``.

        >>> x = np.arange(6.0)
        >>> axis = Axis(0, start=2)
        >>> axis.with_blocks(x, -axis.blocks(x, n=3), n=3).tolist()
        [0.0, 1.0, -2.0, -3.0, -4.0, 5.0]
        """
        xp = namespace(x, blocks)
        run = self._run_first(x, lead)
        before = lead + len(self.batch_axes)
        rest = run.shape[before + 1 :]
        # (*sample, *batch, n, features) -> (*sample, *batch, outer, n, inner, *rest) -> one axis
        # again
        split = blocks.reshape(*run.shape[:before], n, self.outer, self.inner, *rest)
        block = xp.moveaxis(split, before, before + 1).reshape(
            *run.shape[:before], self.length(n), *rest
        )
        front = (slice(None),) * before
        ends = (
            run[(*front, slice(None, self.offset))],
            run[(*front, slice(self.offset + self.length(n), None))],
        )
        return self._run_back(xp, xp.concatenate([ends[0], block, ends[1]], axis=before), lead)

    def _run_first(self, x: Array, lead: int) -> Array:
        """The array with its axes in the order ``(*sample, *batch, axis, *rest)``."""
        return namespace(x).moveaxis(x, *self._places(x.ndim, lead))

    def _run_back(self, xp: Any, x: Array, lead: int) -> Array:
        source, target = self._places(x.ndim, lead)
        return xp.moveaxis(x, target, source)

    def _places(self, ndim: int, lead: int) -> tuple[list[int], list[int]]:
        """Where the batch and the run lie in an array, and where they stand in front of
        the rest.
        """
        source = [lead + a % (ndim - lead) for a in (*self.batch_axes, self.axis)]
        return source, list(range(lead, lead + len(source)))

    def __str__(self) -> str:
        text = "" if self.is_of_labels else str(self.axis)
        if self.batch_axes:
            text += f" over {' and '.join(map(str, self.batch_axes))}"
        if self.is_of_labels:
            return f"[{text.strip()}]" if text else ""
        if self.start is not None:
            text += f", from {self.start}"
        if self.outer > 1:
            text += f", {self.outer} x"
        if self.inner > 1:
            text += f", {self.inner} each"
        return f"[{text}]"


def _batch_axes(axis: int, given: Any) -> tuple[int, ...]:
    """The axes of a batch as a tuple, all different."""
    if given is None:
        return ()
    several = given if isinstance(given, (tuple, list)) else (given,)
    for b in several:
        if isinstance(b, bool) or not isinstance(b, (int, np.integer)):
            raise SymmetryError(
                f"Axis: batch must be an int or a tuple of ints, the batch's axes; got {given!r}."
            )
    axes = tuple(int(b) for b in several)
    if len({axis, *axes}) <= len(axes):
        raise SymmetryError(
            f"Axis: axis and the axes in batch must all differ; got axis {axis} and batch {axes}."
        )
    return axes
