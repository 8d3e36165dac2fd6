"""Types of axes: which interchangeable positions an axis of an array runs over.

An axis is a sum (positions one run after another) of products (major factor first) of variables. A
variable stands for some number of positions that a permutation may exchange, the same permutation
wherever it occurs. ``line_up`` makes two axes the same by splitting variables: a reshape splits one
into a product, a slice or a concatenation into a sum. A variable with reasons is dead: something
tells its positions apart, nothing may exchange them; they stay aligned, so that signs survive. An
axis along which a value is constant has the type ``None``: it fits anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import NamedTuple, Union

from .exponents import ONE, Exponents

MOST_RUNS = 64  # an axis cut into more runs than this is told apart position by position
MOST_REASONS = 8  # that a variable remembers


class Reason(NamedTuple):
    """Why positions are told apart: what happened, in which primitive, where, for which sites'
    densities.
    """

    text: str
    primitive: str = ""
    source: str = ""
    feeds: frozenset[str] = frozenset()
    opaque: bool = False


class Var:
    """A number of positions. ``parts`` is what it turned out to be: a sum of products of others."""

    __slots__ = ("parts", "reasons", "size")

    def __init__(self, size: int, reasons: Sequence[Reason] = ()) -> None:
        self.size = size
        self.parts: Layout | None = None
        self.reasons: dict[Reason, None] = dict.fromkeys(reasons)

    def become(self, parts: Layout, reason: Reason | None = None) -> None:
        """Bind the variable; its parts are dead where it was."""
        self.parts = parts
        for r in self.reasons:
            self.kill(r)
        if reason is not None:
            self.reasons[reason] = None

    def kill(self, reason: Reason) -> None:
        """Nothing may exchange these positions any more."""
        if self.parts is not None:
            for occ in leaves(self.parts):
                occ.var.kill(reason)
        elif len(self.reasons) < MOST_REASONS:
            self.reasons[reason] = None


class Occurrence(NamedTuple):
    """One occurrence of a variable on an axis, and the exponents with which factors act there."""

    var: Var
    exponents: Exponents = ONE


Factor = Union[Occurrence, "Layout"]  # a sum within a product is one of its factors
Run = tuple[Factor, ...]
Layout = tuple[Run, ...]


class MisalignedError(Exception):
    """Two axes for which no common refinement was found."""


def size_of(factor: Factor) -> int:
    return factor.var.size if isinstance(factor, Occurrence) else sum(map(run_size, factor))


def run_size(run: Run) -> int:
    return prod(map(size_of, run))


def _opened(factor: Factor) -> Layout:
    """One step from a bound variable to its parts.

    Exponents on a variable of several positions may differ from part to part; that of a single
    position is one number, which other values may share, and stays the same unknown.
    """
    if not isinstance(factor, Occurrence):
        return factor
    assert factor.var.parts is not None
    single = factor.var.size == 1
    return _relabeled(
        factor.var.parts, lambda path: factor.exponents if single else factor.exponents.at(path)
    )


def _relabeled(parts: Layout, exponents: Callable[[tuple], Exponents], path: tuple = ()) -> Layout:
    out = []
    for i, run in enumerate(parts):
        factors: list[Factor] = []
        for j, f in enumerate(run):
            here = (*path, (i, j))
            if isinstance(f, Occurrence):
                factors.append(Occurrence(f.var, exponents(here)))
            else:
                factors.append(_relabeled(f, exponents, here))
        out.append(tuple(factors))
    return tuple(out)


def _is_leaf(factor: Factor) -> bool:
    return isinstance(factor, Occurrence) and factor.var.parts is None


def leaves(layout: Layout) -> Iterator[Occurrence]:
    """Every occurrence of an unbound variable."""
    for run in layout:
        for f in run:
            if isinstance(f, Occurrence) and f.var.parts is None:
                yield f
            else:
                yield from leaves(_opened(f))


def normal(layout: Layout) -> Layout:
    """The same axis with bound variables opened, as a sum of as many runs as it has."""
    out: Layout = ()
    for run in layout:
        factors: list[Layout] = []
        for f in run:
            factors.append(((f,),) if _is_leaf(f) else normal(_opened(f)))
        out += product(factors)
    return out


def product(factors: Sequence[Layout]) -> Layout:
    """``(a + b) * c`` is ``a * c + b * c``; ``c * (a + b)`` is no sum of runs and keeps a sum as
    its factor.
    """
    out: Layout = ((),)
    for f in reversed(factors):
        after = out
        out = ()
        for run in f:
            # Before a sum, a run of one position is no factor: the sum's runs follow it one by one.
            opened = len(after) == 1 or run_size(run) == 1
            follows: Layout = after if opened else ((after,),)
            out += tuple(run + r for r in follows)
    return out


def cut(run: Run, k: int, reason: Reason) -> None:
    """Split the variables of a normal run so that a run ends after ``k`` positions."""
    first, rest = run[0], run_size(run[1:])
    assert isinstance(first, Occurrence)  # a normal run begins with a sum nowhere
    n = first.var.size
    if n == 1:
        return cut(run[1:], k, reason)
    q, r = divmod(k, rest)
    # Where the cut lies within one position of the first, that is a run of its own.
    sizes = [q, n - q] if r == 0 else [q, 1, n - q - 1]
    first.var.become(tuple((Occurrence(Var(s)),) for s in sizes if s), reason)


def line_up(a: Layout, b: Layout, reason: Reason) -> None:
    """Refine variables until both axes are the same sum of products.

    :raises MisalignedError: where that cannot be done; what was refined by then stays so.
    """
    left, right = deque(normal(a)), deque(normal(b))
    for _ in range(4 * MOST_RUNS):
        if not left:
            return
        for side in (left, right):  # earlier steps may have split what stands here
            side.extendleft(reversed(normal((side.popleft(),))))
        s, t = run_size(left[0]), run_size(right[0])
        if s == t:
            _line_up_runs(left.popleft(), right.popleft(), reason)
        else:
            cut(left[0] if s > t else right[0], min(s, t), reason)
    raise MisalignedError


def _line_up_runs(a: Run, b: Run, reason: Reason) -> None:
    while a and b:
        left, right = normal((a,)), normal((b,))
        if len(left) + len(right) > 2:
            return line_up(left, right, reason)
        (a,), (b,) = left, right
        f, g = a[0], b[0]
        m, n = size_of(f), size_of(g)
        if len(a) == 1 and isinstance(f, Occurrence):
            return _bind(f.var, b)
        if len(b) == 1 and isinstance(g, Occurrence):
            return _bind(g.var, a)
        if m == n:
            line_up(((f,),), ((g,),), reason)
            a, b = a[1:], b[1:]
        elif isinstance(f, Occurrence) and m % n == 0 and not _occurs(f.var, b):
            f.var.become(((Occurrence(Var(n)), Occurrence(Var(m // n))),), reason)
        elif isinstance(g, Occurrence) and n % m == 0 and not _occurs(g.var, a):
            g.var.become(((Occurrence(Var(m)), Occurrence(Var(n // m))),), reason)
        else:
            raise MisalignedError
    if a or b:
        raise MisalignedError


def _occurs(var: Var, run: Run) -> bool:
    return any(o.var is var for o in leaves((run,)))


def _bind(var: Var, run: Run) -> None:
    if len(run) == 1 and isinstance(run[0], Occurrence) and run[0].var is var:
        return
    if _occurs(var, run):
        raise MisalignedError
    var.become((run,))
