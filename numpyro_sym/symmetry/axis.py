"""Where units lie on one axis of one array."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .errors import SymmetryError


@dataclass(frozen=True)
class Axis:
    """One run of units along one axis of an array, whole or as a block of it.

    The block has length ``outer * n * inner`` and is read as an array of shape
    ``(outer, n, inner)``: the units run over the middle one. A fused query-key-value kernel has
    ``outer=3, inner=head_dim``, an LSTM's gates have ``outer=4``, a convolution flattened into
    a dense layer has ``outer=height * width``, a flat parameter vector has a ``start``.

    :param axis: the axis, counted without leading sample dimensions; negative counts from the end.
    :param start: where the block begins. ``None`` (the default): the block is the whole axis, and
        an axis of another length is an error.
    :param outer: how many times the run of units is repeated.
    :param inner: how many neighbouring entries belong to one unit.
    :param power: the power with which a unit's factor acts here: 1 for what comes into a unit, -1
        for what goes out, 0 for what only permutes. ``None`` (the default): taken from the
        argument of :class:`Units` in which the axis stands.
    :raises SymmetryError: where a number is no integer or is out of range.

    >>> Axis(0, outer=3, inner=4).length(n=2)
    24
    """

    axis: int
    start: int | None = None
    outer: int = 1
    inner: int = 1
    power: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("axis", None), ("start", 0), ("outer", 1), ("inner", 1), ("power", None)):
            value = getattr(self, name)
            if value is None and name in ("start", "power"):
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise SymmetryError(f"Axis: {name} must be an int; got {value!r}.")
            if least is not None and value < least:
                raise SymmetryError(f"Axis: {name} must be at least {least}; got {value}.")
            object.__setattr__(self, name, int(value))

    @classmethod
    def of_entries(cls, axis: int, positions: np.ndarray, length: int, power: int | None = None) -> list[Axis] | None:
        """Entries along an axis of some length as runs of units, blocks that follow on each other in one.

        :param positions: ints of shape ``(outer, n, inner)``.
        :returns: the axes; ``None`` where the entries of a block do not follow on each other.
        """
        outer, n, inner = positions.shape
        flat = positions.reshape(outer, n * inner)
        flat = flat[np.argsort(flat[:, 0])]
        if np.any(np.diff(flat, axis=1) != 1):
            return None
        runs = np.split(flat, np.flatnonzero(np.diff(flat[:, 0]) != n * inner) + 1)
        return [cls(axis, None if run.size == length else int(run[0, 0]), len(run), inner, power) for run in runs]

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

    def positions(self, n: int) -> np.ndarray:
        """Positions on the array's axis, shape ``(outer, n, inner)``."""
        shape = (self.outer, n, self.inner)
        return self.offset + np.arange(self.length(n)).reshape(shape)

    def __str__(self) -> str:
        text = str(self.axis)
        if self.start is not None:
            text += f", from {self.start}"
        if self.outer > 1:
            text += f", {self.outer} x"
        if self.inner > 1:
            text += f", {self.inner} each"
        return f"[{text}]"
