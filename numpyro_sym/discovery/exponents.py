"""How values answer to factors: linear forms in unknown exponents, and the systems that these must
solve.

Give every unit a factor ``s``. A value that is multiplied by ``s**p`` has the exponent ``p``:
modulo 2 where factors are signs, rational where they are positive. The exponents of a model's sites
are unknown; every other one is a linear form in them, and an operation that cannot pass a factor
through demands that a form vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple


class Unknown(NamedTuple):
    """An unknown exponent, of a sign or of a positive factor; the path leads to one part of a split
    variable.
    """

    sign: bool
    symbol: int
    path: tuple = ()


class Exponents(dict[Unknown, Fraction]):
    """Of one value: one linear form in the exponents of signs, and one in those of positive
    factors. Never changed.
    """

    @classmethod
    def unknown(cls, symbol: int) -> Exponents:
        """Exponents of which nothing is known yet."""
        return cls({Unknown(sign, symbol): Fraction(1) for sign in (True, False)})

    def times(self, other: Exponents, power: int | Fraction = 1) -> Exponents:
        """The exponents of ``x * y**power``."""
        total = Exponents(self)
        for key, c in other.items():
            value = total.pop(key, Fraction(0)) + power * c
            if value := value % 2 if key.sign else value:
                total[key] = value
        return total

    def of(self, sign: bool) -> Exponents:
        """The form of the signs alone, or of the positive factors."""
        return Exponents({key: c for key, c in self.items() if key.sign is sign})

    def at(self, path: tuple) -> Exponents:
        """The exponents on one part of a variable that has been split."""
        return Exponents({key._replace(path=key.path + path): c for key, c in self.items()})


ONE = Exponents()


def solutions(rows: Iterable[Exponents], wanted: Sequence[Unknown]) -> list[Exponents]:
    """A basis of the values that the wanted unknowns take where every row vanishes, by Gauss-Jordan
    elimination.

    Other unknowns are eliminated first, so that what remains speaks of the wanted ones alone.
    """
    rank = {key: i for i, key in enumerate(wanted)}
    pivots: dict[Unknown, Exponents] = {}  # each row is 1 at its own pivot and 0 at every other
    for row in rows:
        for key in [k for k in row if k in pivots]:
            row = row.times(pivots[key], -row[key])
        if row:
            pivot = max(row, key=lambda k: rank.get(k, len(rank)))
            row = ONE.times(row, 1 / row[pivot])
            for key, other in pivots.items():
                if pivot in other:
                    pivots[key] = other.times(row, -other[pivot])
            pivots[pivot] = row
    bound = [k for k in wanted if k in pivots]
    free = [k for k in wanted if k not in pivots]
    found = []
    for f in free:
        values = {f: Fraction(1)}
        values |= {k: -pivots[k].get(f, Fraction(0)) for k in bound}
        found.append(ONE.times(Exponents(values)))
    return found
