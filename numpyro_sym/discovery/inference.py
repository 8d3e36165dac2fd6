"""Types of values, and what rules of primitives say about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, count, pairwise
from typing import Any, NamedTuple

import numpy as np

from .exponents import ONE, Exponents
from .layout import (
    Layout,
    MisalignedError,
    Occurrence,
    Reason,
    Run,
    Var,
    cut,
    leaves,
    line_up,
    normal,
    product,
    run_size,
)

MET = "it meets an axis of other runs"  # what took that axis apart is the reason
MOST_BLOCKS = 16  # runs of equal entries that a constant's axis is read as


class Block(NamedTuple):
    """A dimension of a batch within a longer axis, which is read as ``(outer, size, inner)``."""

    axis: int
    outer: int
    size: int


def one_slice(shape: Sequence[int], batch: Batch) -> tuple[int, ...]:
    """The shape of one slice of an array along the dimensions of a batch."""
    one = list(shape)
    for k in batch:
        if isinstance(k, Block):
            one[k.axis] //= k.size
        elif k is not None:
            one[k] = 1
    return tuple(one)


#: Where a dimension of a batch lies: an axis, a block of one, or ``None`` inside a loop that runs
#: over it.
Lies = int | Block | None
#: Of each dimension; empty for what is no slice.
Batch = tuple[Lies, ...]


class Value(NamedTuple):
    """The type of one value: a layout for each axis (``None``: constant along it), and the
    exponents of the whole.

    :param exponents: the factor of the whole value.
    :param known: the value itself, where it is constant.
    :param batch: of one slice of a batch (see :mod:`.slices`): where each dimension of the batch
        lies.
    :param pieces: what it was concatenated from, for an operation that reads them one by one.
    """

    shape: tuple[int, ...]
    axes: tuple[Layout | None, ...]
    exponents: Exponents = ONE
    known: Any = None
    batch: Batch = ()
    pieces: tuple[Value, ...] = ()

    @property
    def zero(self) -> bool:
        """It is 0 everywhere, which answers to any factor."""
        return isinstance(self.known, np.ndarray) and self.known.size > 0 and not self.known.any()


WHOLE = Var(1)  # stands in for a variable where a demand is on a whole value
Combine = Callable[[Var, list[Exponents]], Exponents]
Rule = Callable[..., "Value | Sequence[Any]"]
rules: dict[str, Rule] = {}
calls: set[str] = set()  # primitives that only run a program of their own
#: Rules of primitives that do the same to each entry, with entries at its place.
entry_by_entry: set[Rule] = set()


def register_rule(*primitives: str) -> Callable[[Rule], Rule]:
    """Register the rule of one or more primitives, by name; a later one replaces an earlier one.

    A rule is a function ``rule(walk, eqn, *values)`` of a :class:`Walk`, the jaxpr's equation and
    the types of its inputs; it returns the type of its output, or a sequence of them.

    :param primitives: names of primitives, as a jaxpr prints them.
    :returns: a decorator.
    """

    def register(rule: Rule) -> Rule:
        rules.update(dict.fromkeys(primitives, rule))
        return rule

    return register


@dataclass
class Walk:
    """One walk through a program: the demands it makes on exponents, and what rules work with.

    :param rows: demands: a form on an occurrence of a variable vanishes, for the sake of these
        sites' densities.
    :param unknown: names of primitives met for which there is no rule.
    :param eqn: the present equation.
    :param feeds: the sites whose densities need it, and ``out_feeds`` output by output.
    :param any_data: whether equal entries of a constant count as a coincidence of the data.
    """

    rows: list[tuple[Var, Exponents, frozenset[str]]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    symbols: Any = field(default_factory=count)
    eqn: Any = None
    feeds: frozenset[str] = frozenset()
    out_feeds: Sequence[frozenset[str] | None] = ()
    any_data: bool = False

    # What rules say ----------------------------------------------------------------------------

    def because(self, text: str, opaque: bool = False) -> Reason:
        """The reason for what happens at the present equation."""
        name, source = "", ""
        if self.eqn is not None:
            name, source = self.eqn.primitive.name, source_line(self.eqn)
        return Reason(text, name, source, self.feeds, opaque)

    def unknown_exponents(self) -> Exponents:
        return Exponents.unknown(next(self.symbols))

    def unknown_value(self, shape: Sequence[int]) -> Value:
        """A value about which nothing is known yet."""
        axes = [self.free_axis(n) for n in shape]
        return self.value(shape, axes, self.unknown_exponents())

    def free_axis(self, n: int) -> Layout | None:
        """The layout of an axis about which nothing is known yet; ``None`` where it is
        of length 1.
        """
        if n == 1:
            return None
        return ((Occurrence(Var(n), self.unknown_exponents()),),)

    def demand(self, var: Var, exponents: Exponents) -> None:
        """The exponents must vanish."""
        if exponents:
            self.rows.append((var, exponents, self.feeds))

    def fresh(self, size: int, *reasons: Reason) -> Layout | None:
        """An axis of new positions: interchangeable, or dead for these reasons."""
        return None if size == 1 else ((Occurrence(Var(size, reasons)),),)

    def value(
        self, shape: Iterable[int], axes: Iterable[Layout | None], exponents: Exponents = ONE
    ) -> Value:
        """A value whose axes of length 1 hand their factor to the whole."""
        shape, axes = tuple(int(n) for n in shape), list(axes)
        for i, n in enumerate(shape):
            if n == 1:
                for occ in leaves(axes[i] or ()):
                    exponents = exponents.times(occ.exponents)
                axes[i] = None
        return Value(shape, tuple(axes), exponents)

    def kill(
        self, x: Value, text: str, axes: Iterable[int] | None = None, opaque: bool = False
    ) -> None:
        """Nothing may exchange positions along these axes (all of them), nor have a
        factor there.
        """
        for i in range(len(x.shape)) if axes is None else axes:
            for occ in leaves(x.axes[i] or ()):
                occ.var.kill(self.because(text, opaque))
        self.vanish(x, axes)

    def vanish(self, x: Value, axes: Iterable[int] | None = None, signs_only: bool = False) -> None:
        """No factors along these axes; where none are given, none on the whole value either."""
        whole = [Occurrence(WHOLE, x.exponents)] if axes is None else []
        for i in range(len(x.shape)) if axes is None else axes:
            whole += leaves(x.axes[i] or ())
        for occ in whole:
            self.demand(occ.var, occ.exponents.of(True) if signs_only else occ.exponents)

    def retold(self, x: Value, text: str, sizes: Mapping[int, int], opaque: bool = False) -> Value:
        """Some axes killed, and new dead ones of these lengths in their places."""
        self.kill(x, text, sizes, opaque)
        shape, axes, reason = list(x.shape), list(x.axes), self.because(text, opaque)
        for i, size in sizes.items():
            shape[i], axes[i] = size, self.fresh(size, reason)
        return self.value(shape, axes, x.exponents)

    def merge(self, layouts: Sequence[Layout | None], combine: Combine) -> Layout | None:
        """Align axes of several values; ``combine`` makes one set of exponents of theirs, and
        demands.
        """
        given = [a for a in layouts if a is not None]
        if not given:
            return None
        try:
            for other in given[1:]:
                line_up(given[0], other, self.because(MET))
            return _zip([a if a is None else normal(a) for a in layouts], combine)
        except MisalignedError:
            why = self.because("runs of different lengths meet", opaque=True)
            for layout in given:
                for occ in leaves(layout):
                    occ.var.kill(why)
                    self.demand(occ.var, occ.exponents)
            return _zip([normal(given[0])], lambda var, each: ONE)

    def same(self, var: Var, each: list[Exponents]) -> Exponents:
        """A ``combine`` for values that must answer alike, such as terms of a sum."""
        for c in each[1:]:
            self.demand(var, each[0].times(c, -1))
        return each[0]

    def cancel(self, var: Var, each: list[Exponents]) -> Exponents:
        """A ``combine`` for two factors that must cancel, such as along a contraction."""
        self.demand(var, each[0].times(each[1]))
        return ONE

    def tie(self, layouts: Sequence[Layout | None]) -> Layout | None:
        """Axes that run over the same positions, with the same factors."""
        return self.merge(layouts, self.same)

    def unify(self, x: Value, y: Value) -> Value:
        """Both values have one type from now on; a constant 0 has any exponents. Which of them it
        is, is not known.
        """
        if x.zero or y.zero:
            return (y if x.zero else x)._replace(known=None, pieces=())
        axes = [self.tie(pair) for pair in zip(x.axes, y.axes, strict=True)]
        return self.value(x.shape, axes, self.same(WHOLE, [x.exponents, y.exponents]))

    # Shapes ------------------------------------------------------------------------------------

    def run(self, layout: Layout | None, start: int, stop: int) -> Layout | None:
        """Positions ``start .. stop - 1`` of an axis."""
        if layout is None or stop - start == sum(map(run_size, layout)):
            return layout
        which = f"positions {start} to {stop - 1} are"
        if stop == start + 1:
            which = f"position {start} is"
        reason = self.because(f"{which} used apart", opaque=True)
        position, kept, todo = 0, list[Run](), list(reversed(normal(layout)))
        while todo:
            runs = normal((todo.pop(),))
            end = position + run_size(runs[0])
            edge = next((e for e in (start, stop) if position < e < end), None)
            if edge is not None:
                cut(runs[0], edge - position, reason)
            if edge is not None or len(runs) > 1:
                todo += reversed(runs)
                continue
            kept += runs if start <= position < stop else ()
            position = end
        return tuple(kept)

    def unflatten(self, layout: Layout | None, sizes: Sequence[int]) -> list[Layout | None]:
        """One axis as several, major first."""
        if layout is None:
            return [None] * len(sizes)
        parts = [self.free_axis(n) for n in sizes]
        self.tie([layout, product([p for p in parts if p is not None])])
        return parts

    # Constants ---------------------------------------------------------------------------------

    def data(self, name: str, shape: Sequence[int]) -> Value:
        """The type of data that may have any values: every position is told apart from
        the others.
        """
        reason = self.because(f"{name} may have any values")
        return self.value(shape, [self.fresh(n, reason) for n in shape])

    def constant(self, x: Any) -> Value:
        """The type of a constant, by its value."""
        shape = np.shape(x)
        if not isinstance(x, np.ndarray):  # random keys and the like
            why = self.because("a constant", True)
            return Value(shape, tuple(self.fresh(n, why) for n in shape), known=x)
        axes, paired = [self._constant_axis(x, i) for i in range(x.ndim)], set[int]()
        for i, j in combinations(range(x.ndim), 2):
            is_open = axes[i] is not None and axes[j] is not None and not paired & {i, j}
            if is_open and _is_scaled_identity(x, i, j):
                axes[i] = axes[j] = self.fresh(shape[i])
                paired |= {i, j}
        return Value(shape, tuple(axes), known=x)

    def _constant_axis(self, x: np.ndarray, axis: int) -> Layout | None:
        n = x.shape[axis]
        if n <= 1 or x.strides[axis] == 0 or x.size == 0:
            return None
        flat = np.moveaxis(x, axis, 0)
        change = (flat[1:] != flat[:-1]).reshape(n - 1, -1).any(1)
        if not change.any():
            return None
        reason = self.because(f"a constant of shape {x.shape} varies along its axis {axis}")
        if self.any_data or change.sum() >= MOST_BLOCKS or change.all():
            return self.fresh(n, reason)
        edges = [0, *(np.flatnonzero(change) + 1).tolist(), n]
        runs = []
        for a, b in pairwise(edges):
            # A single position has none beside it that could be exchanged with it.
            reasons = (reason,) if b - a == 1 else ()
            runs.append((Occurrence(Var(b - a, reasons)),))
        return tuple(runs)


def _zip(layouts: Sequence[Any], combine: Combine) -> Any:
    """Aligned axes, of which some may be constant, as one: exponents combined occurrence by
    occurrence.
    """
    given = [a for a in layouts if a is not None]
    model = given[0]
    if isinstance(model, Occurrence):
        if any(not isinstance(a, Occurrence) or a.var is not model.var for a in given):
            raise MisalignedError
        each = [ONE if a is None else a.exponents for a in layouts]
        return Occurrence(model.var, combine(model.var, each))
    if any(isinstance(a, Occurrence) or len(a) != len(model) for a in given):
        raise MisalignedError
    parts = []
    for i in range(len(model)):
        beside = [None if a is None else a[i] for a in layouts]
        parts.append(_zip(beside, combine))
    return tuple(parts)


def _is_scaled_identity(x: np.ndarray, i: int, j: int) -> bool:
    """One value on the diagonal of two axes and one off it: the same permutation of
    both leaves it.
    """
    n = x.shape[i]
    if n != x.shape[j] or n > 4096:
        return False
    flat = np.moveaxis(x, (i, j), (0, 1)).reshape(n, n, -1)
    return bool(np.all(flat == np.where(np.eye(n, dtype=bool)[..., None], flat[0, 0], flat[0, 1])))


#: Where the lines of this package are: none of a user's.
PACKAGE = os.path.dirname(os.path.dirname(__file__)).replace(os.sep, "/") + "/"


def source_line(eqn: Any) -> str:
    """The user's line behind an equation; empty where the traceback does not tell it."""
    try:
        for frame in eqn.source_info.traceback.frames:
            name = frame.file_name.replace(os.sep, "/")
            if "/site-packages/" not in name and not name.startswith((PACKAGE, "<")):
                return f"{os.path.basename(name)}:{frame.line_num}"
    except Exception:
        pass
    return ""


def opaque(walk: Walk, eqn: Any, *inputs: Value) -> list[Value]:
    """What is done about a primitive nobody knows: it must see invariant inputs only."""
    text = f"no rule says what {eqn.primitive.name!r} does with its axes"
    for x in inputs:
        walk.kill(x, text, opaque=True)
    why = walk.because(text, opaque=True)
    outs = []
    for v in eqn.outvars:
        axes = [walk.fresh(n, why) for n in v.aval.shape]
        outs.append(walk.value(v.aval.shape, axes))
    return outs
