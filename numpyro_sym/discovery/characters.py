"""How values answer to factors: exponents as linear forms, and the linear systems they must solve.

Give every unit a factor ``s``. A value that is multiplied by ``s**p`` has the character ``p``:
modulo 2 where factors are signs (its parity), rational where they are positive (its degree).
Exponents of the model's sites are unknown; every other exponent is a linear form in unknowns, and
an operation that could not pass a factor through demands that a form vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

Key = tuple[int, tuple]  # an unknown: a symbol and the path to one leaf of its variable
Form = tuple[tuple[Key, Fraction], ...]


class Char(NamedTuple):
    """A character: linear forms for the parity (coefficients 1) and for the degree."""

    parity: Form = ()
    degree: Form = ()

    @classmethod
    def unknown(cls, symbol: int) -> Char:
        """A character about which nothing is known yet."""
        form = (((symbol, ()), Fraction(1)),)
        return cls(form, form)

    def times(self, other: Char, power: int = 1) -> Char:
        """The character of ``x * y**power``."""
        return Char(
            _sum(self.parity, other.parity, Fraction(power), 2), _sum(self.degree, other.degree, Fraction(power))
        )

    def to_power(self, power: int | Fraction) -> Char:
        """The character of ``x**power``; a power that is no integer needs a parity of 0."""
        odd = Fraction(power).denominator == 1 and power % 2 == 1
        return Char(self.parity if odd else (), _sum((), self.degree, Fraction(power)))

    def at(self, part: tuple) -> Char:
        """The character on one part of a variable that has been split."""
        return Char(*(tuple(((s, (*path, part)), c) for (s, path), c in form) for form in self))


ONE = Char()


def _sum(a: Form, b: Form, factor: Fraction, modulus: int | None = None) -> Form:
    if not b or not factor:
        return a
    total = dict(a)
    for key, c in b:
        total[key] = total.get(key, Fraction(0)) + factor * c
    return _clean(total, modulus)


def _clean(row: Mapping[Key, Fraction], modulus: int | None) -> Form:
    items = ((k, c % modulus if modulus else c) for k, c in row.items())
    return tuple((k, c) for k, c in items if c)


def solutions(rows: Iterable[Form], wanted: Sequence[Key], modulus: int | None) -> list[dict[Key, Fraction]]:
    """A basis of the values that the wanted unknowns take where every row vanishes.

    Gauss-Jordan over the rationals, or over the integers modulo 2. Unknowns that are not wanted
    are eliminated first, so that what remains speaks of the wanted ones alone.
    """
    hidden: dict[Key, Form] = {}
    seen = set(wanted)
    rest: list[Form] = []
    for row in rows:
        row = _reduce(row, hidden, modulus)
        pivot = next((k for k, _ in row if k not in seen), None)
        if pivot is not None:
            hidden[pivot] = row
        elif row:
            rest.append(row)
    # A pivot found late may stand in rows kept early: none can, for those hold wanted unknowns only.
    pivots: dict[Key, Form] = {}
    for row in rest:
        row = _reduce(row, pivots, modulus)
        if row:
            # The last wanted unknown depends on the earlier ones.
            pivot = max(row, key=lambda item: wanted.index(item[0]))[0]
            pivots = {k: _reduce(r, {pivot: row}, modulus) for k, r in pivots.items()} | {pivot: row}
    basis = []
    for free in wanted:
        if free in pivots:
            continue
        vector = {free: Fraction(1)}
        for pivot, row in pivots.items():
            entries = dict(row)
            if free in entries:
                value = -entries[free] / entries[pivot]
                vector[pivot] = value % modulus if modulus else value
        basis.append(vector)
    return basis


def _reduce(row: Form, pivots: Mapping[Key, Form], modulus: int | None) -> Form:
    """Subtract multiples of pivot rows until no pivot stands in the row."""
    while True:
        entries = dict(row)
        found = next((k for k in entries if k in pivots), None)
        if found is None:
            return row
        pivot_row = dict(pivots[found])
        row = _sum(row, pivots[found], -entries[found] / pivot_row[found], modulus)
