"""Types of axes: which interchangeable positions an axis of an array runs over.

An axis is a sum (positions one run after another) of products (major factor first) of variables.
A variable stands for some number of positions that a permutation may exchange, the same
permutation wherever it occurs. ``align`` makes two axes the same by splitting variables: a reshape
splits one into a product, a slice or a concatenation into a sum. A variable with reasons is dead:
something tells its positions apart, nothing may exchange them; they stay aligned, so that signs
survive. An axis along which a value is constant has the type ``None``: it fits anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from .characters import Char

MOST_RUNS = 64  # an axis cut into more runs than this is told apart position by position


class Reason(NamedTuple):
    """Why positions are told apart: what happened, in which primitive, where, for which sites' densities."""

    text: str
    primitive: str = ""
    source: str = ""
    feeds: frozenset[str] = frozenset()
    opaque: bool = False


class Var:
    """A number of positions. ``parts`` is what it turned out to be: a sum of products of others."""

    __slots__ = ("parts", "reasons", "size")

    def __init__(self, size: int, reasons: tuple[Reason, ...] = ()) -> None:
        self.size = size
        self.parts: tuple[tuple[Var, ...], ...] | None = None
        self.reasons: dict[Reason, None] = dict.fromkeys(reasons)

    def become(self, parts: tuple[tuple[Var, ...], ...], reason: Reason | None = None) -> None:
        """Bind the variable; its parts are dead where it was."""
        self.parts = parts
        for r in self.reasons:
            for term in parts:
                for part in term:
                    kill(part, r)
        if reason is not None:
            self.reasons[reason] = None


class Occ(NamedTuple):
    """One occurrence of a variable on an axis, and the exponents with which factors act there."""

    var: Var
    char: Char


Term = tuple[Occ, ...]
Layout = tuple[Term, ...]


class MisalignedError(Exception):
    """Two axes for which no common refinement was found."""


def kill(var: Var, reason: Reason) -> None:
    """Nothing may exchange these positions any more."""
    if var.parts is None:
        if len(var.reasons) < 8:
            var.reasons[reason] = None
        return
    for term in var.parts:
        for part in term:
            kill(part, reason)


def term_size(term: Term) -> int:
    return prod(o.var.size for o in term)


def expand(occ: Occ) -> list[Term]:
    """One step from a bound variable to its parts.

    Exponents on a variable of several positions may differ from part to part; that of a single
    position is one number, which other values may share, and stays the same unknown.
    """
    assert occ.var.parts is not None
    return [
        tuple(Occ(v, occ.char.at((i, j)) if occ.var.size > 1 else occ.char) for j, v in enumerate(term))
        for i, term in enumerate(occ.var.parts)
    ]


def normal(layout: Layout) -> Layout:
    """The sum of products as long as possible: ``(a + b) * c`` is ``a * c + b * c``.

    ``c * (a + b)`` is no sum of runs and stays a product with a bound factor.
    """
    out: list[Term] = []
    todo = deque(layout)
    while todo:
        term = todo.popleft()
        for i, occ in enumerate(term):
            parts = occ.var.parts
            if parts is not None and (len(parts) == 1 or term_size(term[:i]) == 1):
                todo.extendleft(term[:i] + part + term[i + 1 :] for part in reversed(expand(occ)))
                break
        else:
            out.append(term)
    return tuple(out)


def leaves(layout: Layout) -> Iterator[Occ]:
    """Every occurrence of an unbound variable."""
    for term in layout:
        for occ in term:
            if occ.var.parts is None:
                yield occ
            else:
                yield from leaves(tuple(expand(occ)))


def cut(term: Term, k: int, reason: Reason) -> None:
    """Split the variables of a normal term so that a run ends after ``k`` positions."""
    first, rest = term[0].var, term_size(term[1:])
    if first.size == 1:
        return cut(term[1:], k, reason)
    q, r = divmod(k, rest)
    sizes = [q, first.size - q] if r == 0 else [q, 1, first.size - q - 1]
    first.become(tuple((Var(s),) for s in sizes if s), reason)


def align(a: Layout, b: Layout, reason: Reason) -> None:
    """Refine variables until both axes are the same sum of products.

    :raises MisalignedError: where that cannot be done; what was refined by then stays so.
    """
    left, right = deque(normal(a)), deque(normal(b))
    for _ in range(4 * MOST_RUNS):
        if not left:
            return
        # Earlier steps may have split what stands here.
        left.extendleft(reversed(normal((left.popleft(),))))
        right.extendleft(reversed(normal((right.popleft(),))))
        s, t = term_size(left[0]), term_size(right[0])
        if s == t:
            _align_terms(left.popleft(), right.popleft(), reason)
        elif s > t:
            cut(left[0], t, reason)
        else:
            cut(right[0], s, reason)
    raise MisalignedError


def _align_terms(a: Term, b: Term, reason: Reason) -> None:
    while a and b:
        if normal((a,)) != (a,) or normal((b,)) != (b,):
            return align(normal((a,)), normal((b,)), reason)
        if len(a) == 1 and a[0].var.parts is None:
            return _bind(a[0].var, b)
        if len(b) == 1 and b[0].var.parts is None:
            return _bind(b[0].var, a)
        f, g = a[0].var, b[0].var
        if f.size == g.size:
            if f.parts is None:
                _bind(f, b[:1])
            elif g.parts is None:
                _bind(g, a[:1])
            elif f is not g:
                align((a[:1],), (b[:1],), reason)
            a, b = a[1:], b[1:]
        elif f.size % g.size == 0 and f.parts is None:
            f.become(((Var(g.size), Var(f.size // g.size)),), reason)
        elif g.size % f.size == 0 and g.parts is None:
            g.become(((Var(f.size), Var(g.size // f.size)),), reason)
        else:
            raise MisalignedError
    if a or b:
        raise MisalignedError


def _bind(var: Var, term: Term) -> None:
    if len(term) == 1 and term[0].var is var:
        return
    if any(o.var is var for o in leaves((term,))):
        raise MisalignedError
    var.become((tuple(o.var for o in term),))
