"""Types of every value of a program, walked through its jaxpr once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, NamedTuple

import numpy as np

from .characters import ONE, Char
from .folding import as_constant, fold
from .layout import Layout, MisalignedError, Occ, Reason, Term, Var, align, cut, expand, kill, leaves, normal, term_size

MET = "it meets an axis of other runs"  # what took that axis apart is the reason
MOST_BLOCKS = 16  # runs of equal entries that a constant's axis is read as


class Value(NamedTuple):
    """The type of one value: a layout for each axis (``None``: constant along it), and a character.

    :param char: the factor of the whole value.
    :param zero: it is known to be 0 everywhere, which answers to any factor.
    """

    shape: tuple[int, ...]
    axes: tuple[Layout | None, ...]
    char: Char = ONE
    zero: bool = False


Combine = Callable[[Var | None, list[Char]], Char]
Rule = Callable[..., Sequence[Value]]
rules: dict[str, Rule] = {}
calls: set[str] = set()  # primitives that only run a program of their own


def register_rule(*primitives: str) -> Callable[[Rule], Rule]:
    """Register the rule of one or more primitives, by name; a later one replaces an earlier one.

    A rule is a function ``rule(walk, eqn, *values)`` of a :class:`Walk`, the jaxpr's equation and
    the types of its inputs (a NumPy array where an input is constant); it returns the types of the
    outputs. ``walk.values`` makes types of constants.

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

    :param rows: demands: a form on an occurrence of a variable (``None``: on a whole value) vanishes.
    :param unknown: names of primitives met for which there is no rule.
    :param eqn: the present equation.
    :param feeds: the sites whose densities need it, and ``out_feeds`` output by output.
    """

    rows: list[tuple[Var | None, Char, frozenset[str]]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    symbols: Any = field(default_factory=count)
    eqn: Any = None
    feeds: frozenset[str] = frozenset()
    out_feeds: Sequence[frozenset[str] | None] = ()

    # What rules say ----------------------------------------------------------------------------

    def because(self, text: str, opaque: bool = False) -> Reason:
        """The reason for what happens at the present equation."""
        if self.eqn is None:
            return Reason(text, feeds=self.feeds, opaque=opaque)
        return Reason(text, self.eqn.primitive.name, source_line(self.eqn), self.feeds, opaque)

    def unknown_char(self) -> Char:
        return Char.unknown(next(self.symbols))

    def demand(self, var: Var | None, char: Char) -> None:
        """The exponents must vanish."""
        if char != ONE:
            self.rows.append((var, char, self.feeds))

    def fresh(self, size: int, *reasons: Reason) -> Layout | None:
        """An axis of new positions: interchangeable, or dead for these reasons."""
        return None if size == 1 else ((Occ(Var(size, reasons), ONE),),)

    def value(self, shape: Iterable[int], axes: Iterable[Layout | None], char: Char = ONE) -> Value:
        """A value whose axes of length 1 hand their factor to the whole."""
        shape, axes = tuple(int(n) for n in shape), list(axes)
        for i, n in enumerate(shape):
            if n == 1 and (layout := axes[i]) is not None:
                for occ in leaves(layout):
                    char = char.times(occ.char)
                axes[i] = None
        return Value(shape, tuple(axes), char)

    def values(self, inputs: Sequence[Any]) -> list[Value]:
        """Types of all inputs, constants by their value."""
        return [x if isinstance(x, Value) else self.constant(x) for x in inputs]

    def kill(self, x: Value, text: str, axes: Iterable[int] | None = None, opaque: bool = False) -> None:
        """Nothing may exchange positions along these axes (all of them), nor have a factor there."""
        for i in range(len(x.shape)) if axes is None else axes:
            for occ in leaves(x.axes[i] or ()):
                kill(occ.var, self.because(text, opaque))
        self.vanish(x, axes)

    def vanish(self, x: Value, axes: Iterable[int] | None = None) -> None:
        """No factors along these axes; where none are given, none on the whole value either."""
        for i in range(len(x.shape)) if axes is None else axes:
            for occ in leaves(x.axes[i] or ()):
                self.demand(occ.var, occ.char)
        if axes is None:
            self.demand(None, x.char)

    def signless(self, x: Value) -> None:
        """No sign anywhere; positive factors stay."""
        for layout in x.axes:
            for occ in leaves(layout or ()):
                self.demand(occ.var, Char(occ.char.parity, ()))
        self.demand(None, Char(x.char.parity, ()))

    def retold(self, x: Value, text: str, sizes: Mapping[int, int], opaque: bool = False) -> Value:
        """Some axes killed, and new dead ones of these lengths in their places."""
        self.kill(x, text, sizes, opaque)
        shape = [sizes.get(i, n) for i, n in enumerate(x.shape)]
        reason = self.because(text, opaque)
        axes = [self.fresh(sizes[i], reason) if i in sizes else a for i, a in enumerate(x.axes)]
        return self.value(shape, axes, x.char)

    def merge(self, layouts: Sequence[Layout | None], combine: Combine) -> Layout | None:
        """Align axes of several values; ``combine`` makes one character of theirs, and demands."""
        first = next((a for a in layouts if a is not None), None)
        if first is None:
            return None
        reason = self.because(MET)
        try:
            for other in layouts:
                if other is not None and other is not first:
                    align(first, other, reason)
            return self._zip(layouts, combine)
        except MisalignedError:
            why = self.because("runs of different lengths meet", opaque=True)
            for occ in (occ for layout in layouts for occ in leaves(layout or ())):
                kill(occ.var, why)
                self.demand(occ.var, occ.char)
            return tuple(tuple(Occ(o.var, ONE) for o in term) for term in normal(first))

    def _zip(self, layouts: Sequence[Layout | None], combine: Combine) -> Layout:
        terms = [normal(a) if a is not None else None for a in layouts]
        model = next(t for t in terms if t is not None)
        if any(t is not None and [len(x) for x in t] != [len(x) for x in model] for t in terms):
            raise MisalignedError
        return tuple(
            tuple(
                self._zip_occ(model[i][j].var, [t[i][j] if t is not None else None for t in terms], combine)
                for j in range(len(model[i]))
            )
            for i in range(len(model))
        )

    def _zip_occ(self, var: Var, occs: list[Occ | None], combine: Combine) -> Occ:
        if all(o is None or o.var is var for o in occs) and var.parts is None:
            return Occ(var, combine(var, [o.char if o is not None else ONE for o in occs]))
        # A sum inside a product: one unknown for the whole of it, tied to the parts' exponents.
        whole = Occ(var, self.unknown_char())
        inside = [list(leaves(((o,),))) if o is not None else None for o in occs]
        for i, leaf in enumerate(leaves(((whole,),))):
            column = [x[i] if x is not None else None for x in inside]
            if any(o is not None and o.var is not leaf.var for o in column):
                raise MisalignedError
            char = combine(leaf.var, [o.char if o is not None else ONE for o in column])
            self.demand(leaf.var, leaf.char.times(char, -1))
        return whole

    def same(self, var: Var | None, chars: list[Char]) -> Char:
        """A ``combine`` for values that must answer alike, such as terms of a sum."""
        for c in chars[1:]:
            self.demand(var, chars[0].times(c, -1))
        return chars[0]

    def cancel(self, var: Var | None, chars: list[Char]) -> Char:
        """A ``combine`` for factors that must cancel, such as along a contraction."""
        total = ONE
        for c in chars:
            total = total.times(c)
        self.demand(var, total)
        return ONE

    def tie(self, layouts: Sequence[Layout | None]) -> Layout | None:
        """Axes that run over the same positions, with the same factors."""
        return self.merge(layouts, self.same)

    # Shapes ------------------------------------------------------------------------------------

    def run(self, layout: Layout | None, start: int, stop: int) -> Layout | None:
        """Positions ``start .. stop - 1`` of an axis."""
        if layout is None or stop - start == sum(map(term_size, layout)):
            return layout
        which = f"position {start} is" if stop == start + 1 else f"positions {start} to {stop - 1} are"
        reason = self.because(f"{which} used apart", opaque=True)
        for edge in (start, stop):
            self._cut_at(layout, edge, reason)
        kept, position = [], 0
        for term in normal(layout):
            if start <= position < stop:
                kept.append(term)
            position += term_size(term)
        return tuple(kept)

    def _cut_at(self, layout: Layout, edge: int, reason: Reason) -> None:
        while True:
            position = 0
            for term in normal(layout):
                if position < edge < position + term_size(term):
                    cut(term, edge - position, reason)
                    break
                position += term_size(term)
            else:
                return

    def factor(self, layout: Layout) -> Term:
        """An axis as a factor of a product."""
        terms = normal(layout)
        if len(terms) == 1:
            return terms[0]
        var = Var(sum(map(term_size, terms)))
        var.become(tuple(tuple(o.var for o in term) for term in terms))
        whole = Occ(var, self.unknown_char())
        for a, b in zip(expand(whole), terms, strict=True):
            for x, y in zip(a, b, strict=True):
                for p, q in zip(leaves(((x,),)), leaves(((y,),)), strict=True):
                    self.demand(p.var, p.char.times(q.char, -1))
        return (whole,)

    def product(self, layouts: Sequence[tuple[int, Layout | None]]) -> Layout | None:
        """Several axes, ``(length, layout)`` each, flattened into one."""
        layouts = [(n, a) for n, a in layouts if n > 1]
        if all(a is None for _, a in layouts):
            return None
        factors = [self.fresh(n) if a is None else a for n, a in layouts]
        if len(factors) == 1:
            return factors[0]
        first, rest = factors[0], sum((self.factor(a) for a in factors[1:] if a is not None), ())
        return tuple(term + rest for term in normal(first or ()))

    def unflatten(self, layout: Layout | None, sizes: Sequence[int]) -> list[Layout | None]:
        """One axis as several, major first."""
        if layout is None:
            return [None] * len(sizes)
        parts: list[Layout | None] = [((Occ(Var(n), self.unknown_char()),),) if n > 1 else None for n in sizes]
        self.tie([layout, self.product(list(zip(sizes, parts, strict=True)))])
        return parts

    # Constants ---------------------------------------------------------------------------------

    def constant(self, x: Any) -> Value:
        """The type of a constant, by its value."""
        shape = np.shape(x)
        if not isinstance(x, np.ndarray):  # random keys and the like
            return Value(shape, tuple(self.fresh(n, self.because("a constant", True)) for n in shape))
        axes: list[Layout | None] = [self._constant_axis(x, i) for i in range(x.ndim)]
        for i in range(x.ndim):
            for j in range(i + 1, x.ndim):
                if axes[i] is not None and axes[j] is not None and _is_scaled_identity(x, i, j):
                    axes[i] = axes[j] = self.fresh(shape[i])
        return Value(shape, tuple(axes), zero=x.size > 0 and not np.any(x))

    def _constant_axis(self, x: np.ndarray, axis: int) -> Layout | None:
        n = x.shape[axis]
        if n <= 1 or x.strides[axis] == 0 or x.size == 0:
            return None
        flat = np.moveaxis(x, axis, 0)
        change = (flat[1:] != flat[:-1]).reshape(n - 1, -1).any(1)
        if not change.any():
            return None
        reason = self.because(f"a constant of shape {x.shape} varies along its axis {axis}")
        if change.sum() >= MOST_BLOCKS or change.all():
            return self.fresh(n, reason)
        edges = [0, *(np.flatnonzero(change) + 1).tolist(), n]
        return tuple((Occ(Var(b - a, (reason,) if b - a == 1 else ()), ONE),) for a, b in pairwise(edges))


def _is_scaled_identity(x: np.ndarray, i: int, j: int) -> bool:
    """One value on the diagonal of two axes and one off it: the same permutation of both leaves it."""
    n = x.shape[i]
    if n != x.shape[j] or n > 4096:
        return False
    flat = np.moveaxis(x, (i, j), (0, 1)).reshape(n, n, -1)
    same = np.eye(n, dtype=bool)[..., None]
    return bool(np.all(flat == np.where(same, flat[0, 0], flat[0, 1])))


def source_line(eqn: Any) -> str:
    """The user's line behind an equation; empty where the traceback does not tell it."""
    try:
        for frame in eqn.source_info.traceback.frames:
            name = frame.file_name.replace(os.sep, "/")
            if "/site-packages/" not in name and "/numpyro_sym/discovery/" not in name and not name.startswith("<"):
                return f"{os.path.basename(name)}:{frame.line_num}"
    except Exception:
        pass
    return ""


# The walk ----------------------------------------------------------------------------------------


def walk_jaxpr(walk: Walk, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Any], feeds: Sequence[Any]) -> list[Any]:
    """Types (or constants) of a jaxpr's outputs, given those of its inputs.

    :param feeds: for each output, the sites whose densities depend on it, or ``None`` where
        nothing does and what leads to it may be left out.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    env: dict[Any, Any] = {}
    env.update(zip(jaxpr.constvars, map(as_constant, consts), strict=True))
    env.update(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return as_constant(atom.val) if hasattr(atom, "val") else env[atom]

    needed = _needed(jaxpr, feeds)
    outer = walk.eqn, walk.feeds, walk.out_feeds
    for eqn, out_feeds in zip(jaxpr.eqns, needed, strict=True):
        feeding = [f for f in out_feeds if f is not None]
        if not feeding:
            continue
        walk.eqn, walk.feeds, walk.out_feeds = eqn, frozenset().union(*feeding), out_feeds
        env.update(zip(eqn.outvars, apply_rule(walk, eqn, [read(a) for a in eqn.invars]), strict=True))
    walk.eqn, walk.feeds, walk.out_feeds = outer
    return [read(a) if f is not None else None for a, f in zip(jaxpr.outvars, feeds, strict=True)]


def _needed(jaxpr: Any, feeds: Sequence[frozenset[str] | None]) -> list[list[frozenset[str] | None]]:
    """For each output of each equation, the sites whose densities need it; ``None`` where none does."""
    use: dict[Any, frozenset[str]] = {}

    def mark(atoms: Iterable[Any], feed: frozenset[str]) -> None:
        for atom in atoms:
            if not hasattr(atom, "val"):
                use[atom] = use.get(atom, frozenset()) | feed

    for atom, feed in zip(jaxpr.outvars, feeds, strict=True):
        if feed is not None:
            mark([atom], feed)
    needed: list[list[frozenset[str] | None]] = []
    for eqn in reversed(jaxpr.eqns):
        outs = [use.get(v) for v in eqn.outvars]
        for feed in outs:
            if feed is not None:
                mark(eqn.invars, feed)
        needed.append(outs)
    return needed[::-1]


def apply_rule(walk: Walk, eqn: Any, inputs: list[Any]) -> Sequence[Any]:
    """Outputs of one equation: computed where every input is constant, else typed by its rule."""
    if not any(isinstance(x, Value) for x in inputs) and eqn.primitive.name not in calls:
        return fold(eqn, inputs)
    rule = rules.get(eqn.primitive.name)
    if rule is not None and all(0 not in a.aval.shape for a in (*eqn.invars, *eqn.outvars)):
        try:
            return rule(walk, eqn, *inputs)
        except Exception:
            # Parameters that a version of JAX spells otherwise. What the rule demanded by then
            # only narrows what is found.
            pass
    walk.unknown.add(eqn.primitive.name)
    return opaque(walk, eqn, *inputs)


def opaque(walk: Walk, eqn: Any, *inputs: Any) -> list[Value]:
    """What is done about a primitive nobody knows: it must see invariant inputs only."""
    text = f"no rule says what {eqn.primitive.name!r} does with its axes"
    for x in walk.values(inputs):
        walk.kill(x, text, opaque=True)
    why = walk.because(text, opaque=True)
    return [walk.value(v.aval.shape, [walk.fresh(n, why) for n in v.aval.shape]) for v in eqn.outvars]
