"""Where units lie on one axis of one array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .element import Array, namespace
from .errors import SymmetryError

#: How one run of a batch becomes an axis: on which axis of the array as it is by then, how many
#: blocks the run is repeated in, and how many neighboring entries belong to one set.
Step = tuple[int, int, int]


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
    :param inner: how many neighboring entries belong to one unit.
    :param power: the power with which a unit's factor acts here: 1 for what comes into a unit, -1
        for what goes out, 0 for what only permutes. ``None`` (the default): taken from the
        argument of :class:`Units` in which the axis stands.
    :param batch: the axes on which the units' batch runs, one for each of its dimensions and in
        their order, counted like ``axis``; an int where there is one. Each of them is a whole
        axis, or an ``Axis(axis, outer=..., inner=...)`` that says which entries along it belong to
        one set: heads that lie on one axis with their inner dimensions, the groups of a
        convolution. What such a run leaves of its axis is one set's, and there the units may lie.
        Kept as a tuple.
    :raises SymmetryError: where a number is no integer or is out of range.

    >>> Axis(0, outer=3, inner=4).length(n=2)
    24
    >>> print(Axis(1, batch=0))
    [1 over 0]
    >>> heads = Axis(1, batch=Axis(1, inner=2))  # of 3 heads with 2 dimensions each, side by side
    >>> heads.blocks(np.arange(6).reshape(1, 6), n=2)[..., 0].tolist()
    [[0, 1], [2, 3], [4, 5]]
    """

    axis: int = None  # type: ignore[assignment]  # an int, but for labels
    start: int | None = None
    outer: int = 1
    inner: int = 1
    power: int | None = None
    batch: int | Axis | tuple[int | Axis, ...] | None = ()

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
        object.__setattr__(self, "batch", _as_batch(self.axis, self.batch))

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
        found = []
        for run in runs:
            start = None if run.size == length else int(run[0, 0])
            found.append(cls(axis, start, len(run), inner, power))
        return found

    @property
    def is_of_labels(self) -> bool:
        """Whether it names no axis on which units lie, and so can only say where the batch of
        labels runs.
        """
        given = (self.axis, self.start, self.outer, self.inner, self.power)
        return given == (None, None, 1, 1, None)

    @property
    def batch_runs(self) -> tuple[int | Axis, ...]:
        """Where the batch runs, for each of its dimensions: a whole axis, or a run along one."""
        return self.batch  # type: ignore[return-value]  # a tuple since __post_init__

    @property
    def batch_axes(self) -> tuple[int, ...]:
        """The axes on which the batch runs, one for each of its dimensions."""
        return tuple(b.axis if isinstance(b, Axis) else b for b in self.batch_runs)

    @property
    def is_plain(self) -> bool:
        """Whether every dimension of the batch is a whole axis."""
        return not any(isinstance(b, Axis) for b in self.batch_runs)

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
        batch = tuple(
            replace(b, axis=b.axis % ndim) if isinstance(b, Axis) else b % ndim
            for b in self.batch_runs
        )
        if self.is_of_labels:
            return replace(self, batch=batch)
        return replace(self, axis=self.axis % ndim, batch=batch)

    def left_by_batch(
        self, shape: tuple[int, ...], batch: tuple[int, ...]
    ) -> tuple[int, ...] | None:
        """How long each axis of an array is within one set: 1 where it is one of the batch's,
        less where the batch runs along it.

        :param batch: how many sets there are, by dimension.
        :returns: ``None`` where so many sets do not fit.
        """
        left = list(shape)
        for run, k, m in zip(self.batch_runs, self.batch_axes, batch, strict=True):
            each = run.outer * run.inner if isinstance(run, Axis) else 1
            if left[k] != m * each:
                return None
            left[k] = each
        return tuple(left)

    def opened(self) -> tuple[Axis, list[Step]]:
        """The same units where each run of their batch is an axis of the array, and how it becomes
        one.

        An axis of ``outer * m * inner`` entries becomes one of ``m``, and after it one of ``outer *
        inner``: what is left of it. Axes must be counted from the front.
        """
        own = self.axis  # of labels there is none
        batch: list[int] = []
        steps: list[Step] = []
        left = list(self.batch_runs)
        while left:
            run = left.pop(0)
            if not isinstance(run, Axis):
                batch.append(run)
                continue
            where = run.axis
            steps.append((where, run.outer, run.inner))
            # The new axis stands at `where`; that axis' rest and all behind it are one further.
            if not self.is_of_labels:
                own += own >= where
            batch = [b + (b >= where) for b in batch] + [where]
            left = [_further(b, where) for b in left]
        return replace(self, axis=own, batch=tuple(batch)), steps

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
        if not self.is_plain:
            plain, steps = self.resolved(x.ndim - lead).opened()
            return plain.blocks(open_axes(x, steps, lead), n, lead)
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
        if not self.is_plain:
            plain, steps = self.resolved(x.ndim - lead).opened()
            with_others = plain.with_blocks(open_axes(x, steps, lead), blocks, n, lead)
            return close_axes(with_others, steps, lead)
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
        if self.batch_runs:
            text += f" over {' and '.join(map(_in_words, self.batch_runs))}"
        if self.is_of_labels:
            return f"[{text.strip()}]" if text else ""
        if self.start is not None:
            text += f", from {self.start}"
        if self.outer > 1:
            text += f", {self.outer} x"
        if self.inner > 1:
            text += f", {self.inner} each"
        return f"[{text}]"


def open_axes(x: Array, steps: Sequence[Step], lead: int = 0) -> Array:
    """An array in which each run of a batch is an axis of its own.

    :param lead: how many leading sample dimensions there are.
    """
    xp = namespace(x)
    for axis, outer, inner in steps:
        k = lead + axis
        before, after = x.shape[:k], x.shape[k + 1 :]
        m = x.shape[k] // (outer * inner)
        # (*before, outer * m * inner, *after) -> (*before, m, outer * inner, *after)
        split = xp.moveaxis(x.reshape(*before, outer, m, inner, *after), k + 1, k)
        x = split.reshape(*before, m, outer * inner, *after)
    return x


def close_axes(x: Array, steps: Sequence[Step], lead: int = 0) -> Array:
    """The inverse of :func:`open_axes`."""
    xp = namespace(x)
    for axis, outer, inner in reversed(steps):
        k = lead + axis
        before, after = x.shape[:k], x.shape[k + 2 :]
        m = x.shape[k]
        split = xp.moveaxis(x.reshape(*before, m, outer, inner, *after), k, k + 1)
        x = split.reshape(*before, outer * m * inner, *after)
    return x


def _further(b: int | Axis, where: int) -> int | Axis:
    """A dimension of a batch after an axis was set in at ``where``."""
    if isinstance(b, Axis):
        return replace(b, axis=b.axis + (b.axis >= where))
    return b + (b >= where)


def _in_words(b: int | Axis) -> str:
    return f"({str(b)[1:-1]})" if isinstance(b, Axis) else str(b)


def _as_batch(axis: int, given: Any) -> tuple[int | Axis, ...]:
    """Where a batch runs, as a tuple: whole axes, all different, and runs along others."""
    if given is None:
        return ()
    several = given if isinstance(given, (tuple, list)) else (given,)
    runs = tuple(_as_run(b, given) for b in several)
    whole = [b for b in runs if not isinstance(b, Axis)]
    others = {axis, *(b.axis for b in runs if isinstance(b, Axis))}
    if len(set(whole)) < len(whole) or not others.isdisjoint(whole):
        raise SymmetryError(
            f"Axis: axis and the axes in batch must all differ; got axis {axis} and batch {runs}."
        )
    return runs


def _as_run(b: Any, given: Any) -> int | Axis:
    if isinstance(b, Axis):
        if b.is_of_labels or (b.start, b.power, b.batch) != (None, None, ()):
            raise SymmetryError(
                "Axis: a run of a batch is Axis(axis, outer=..., inner=...) over all of an axis, "
                f"without start, power and batch; got {b!r}."
            )
        return b.axis if b.outer == b.inner == 1 else b
    if isinstance(b, bool) or not isinstance(b, (int, np.integer)):
        raise SymmetryError(
            "Axis: batch must be an int or a tuple of ints, the batch's axes, or of Axis, runs "
            f"along them; got {given!r}."
        )
    return int(b)
