"""Interchangeable units and the array axes that run over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import factorial, inf, lgamma, log
from typing import Any, Literal, get_args

import numpy as np

from .axis import Axis
from .errors import SymmetryError

Kind = Literal["permutation", "signed", "scaled"]
KINDS: tuple[str, ...] = get_args(Kind)

AxisLike = int | Axis | tuple[int | Axis, ...]


@dataclass(frozen=True, init=False, repr=False)
class Units:
    """What is interchangeable: hidden neurons, channels, heads, components, factors.

    One group element permutes the ``n`` units and gives each a factor; on an axis with power
    ``p`` it acts by ``new[i] = factor[i]**p * old[permutation[i]]``.

    :param name: the name under which elements, tables and errors speak of these units.
    :param n: how many units there are.
    :param incoming: site name -> axis (or axes) of what comes into a unit: power 1.
    :param outgoing: site name -> axis (or axes) of what goes out of a unit: power -1.
    :param axes: site name -> axis (or axes) that the units only permute: power 0.
        An axis is an int, an :class:`Axis`, or a tuple of these where the same units lie on one
        array several times.
    :param kind: ``"permutation"`` (factors 1), ``"signed"`` (factors -1 or 1) or ``"scaled"``
        (factors > 0: a symmetry of the likelihood only).
    :raises SymmetryError: where no site is named, a number or a kind is wrong, or one axis is
        given twice.

    >>> Units("hidden", 3, incoming={"w1": 1, "b1": 0}, outgoing={"w2": 0}, kind="signed")
    Units('hidden', 3, kind='signed', acts on w1[1] b1[0] w2[0])
    """

    name: str
    n: int
    kind: Kind
    placements: tuple[tuple[str, tuple[Axis, ...]], ...]
    directed: bool = field(compare=False)
    """Whether it was said what comes in and what goes out. Powers alone do not tell: -1 and 1 are one parity."""

    def __init__(
        self,
        name: str,
        n: int,
        *,
        incoming: Mapping[str, AxisLike] | None = None,
        outgoing: Mapping[str, AxisLike] | None = None,
        axes: Mapping[str, AxisLike] | None = None,
        kind: Kind = "permutation",
    ) -> None:
        if not isinstance(name, str) or not name:
            raise SymmetryError(f"Units: name must be a non-empty string; got {name!r}.")
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise SymmetryError(f"Units {name!r}: n must be a positive int; got {n!r}.")
        if not isinstance(kind, str) or kind not in KINDS:
            raise SymmetryError(f"Units {name!r}: kind must be one of {KINDS}; got {kind!r}.")
        placed: dict[str, list[Axis]] = {}
        for power, group in ((1, incoming), (-1, outgoing), (0, axes)):
            for site, given in _by_site(name, group).items():
                placed.setdefault(site, []).extend(a.with_power(power) for a in _as_axes(name, site, given))
        if not placed:
            raise SymmetryError(f"Units {name!r}: name at least one site in incoming, outgoing or axes.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "n", int(n))
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "placements", tuple((site, tuple(axs)) for site, axs in placed.items()))
        object.__setattr__(self, "directed", bool(incoming or outgoing))
        for site, axs in self.placements:
            _refuse_overlap(self, site, axs)

    @property
    def axes(self) -> dict[str, tuple[Axis, ...]]:
        """Site name -> the axes on which these units lie, each with its power."""
        return dict(self.placements)

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites these units act on, in the order given."""
        return tuple(site for site, _ in self.placements)

    @property
    def order(self) -> int | float:
        """How many elements the group has: ``n!``, ``n! 2**n``, or infinity where units scale."""
        if self.kind == "scaled":
            return inf
        return factorial(self.n) * (2**self.n if self.kind == "signed" else 1)

    @property
    def log_order(self) -> float:
        """Natural logarithm of :attr:`order`."""
        if self.kind == "scaled":
            return inf
        return lgamma(self.n + 1) + (self.n * log(2) if self.kind == "signed" else 0.0)

    def renamed(self, name: str) -> Units:
        """The same units under another name."""
        return self._with(name=name)

    def with_kind(self, kind: Kind) -> Units:
        """The same units on the same axes with another kind of factor."""
        return self._with(kind=kind)

    def with_axes(self, axes: Mapping[str, tuple[Axis, ...]]) -> Units:
        """The same units on other axes, whose powers must be given."""
        return self._with(axes=axes)

    def describe_axes(self) -> str:
        """Where the units act, for a table."""
        return " ".join(f"{site}{axis}" for site, axs in self.placements for axis in axs)

    def _with(self, **changed: Any) -> Units:
        units = Units(**{"name": self.name, "n": self.n, "axes": self.axes, "kind": self.kind, **changed})
        object.__setattr__(units, "directed", self.directed)
        return units

    def __repr__(self) -> str:
        return f"Units({self.name!r}, {self.n}, kind={self.kind!r}, acts on {self.describe_axes()})"


def _by_site(name: str, group: Mapping[str, AxisLike] | None) -> Mapping[str, AxisLike]:
    if group is None or isinstance(group, Mapping):
        return group or {}
    raise SymmetryError(f"Units {name!r}: incoming, outgoing and axes are dicts, site name -> axis; got {group!r}.")


def _as_axes(name: str, site: str, given: AxisLike) -> Iterable[Axis]:
    if not isinstance(site, str):
        raise SymmetryError(f"Units {name!r}: sites are named by strings; got {site!r}.")
    for axis in given if isinstance(given, (tuple, list)) else (given,):
        if isinstance(axis, Axis):
            yield axis
        elif isinstance(axis, (int, np.integer)) and not isinstance(axis, bool):
            yield Axis(int(axis))
        else:
            raise SymmetryError(
                f"Units {name!r}, site {site!r}: an axis is an int or a numpyro_sym.Axis; got {axis!r}."
            )


def _refuse_overlap(units: Units, site: str, axs: tuple[Axis, ...]) -> None:
    """One entry of an array's axis belongs to one unit once."""
    for i, first in enumerate(axs):
        for second in axs[i + 1 :]:
            if first.axis != second.axis:
                continue
            if np.intersect1d(first.positions(units.n), second.positions(units.n)).size:
                powers = f" with powers {first.power} and {second.power}" if first.power != second.power else ""
                raise SymmetryError(
                    f"Units {units.name!r}: axis {first.axis} of site {site!r} is used twice{powers}. "
                    "Name it once, as incoming, outgoing or axes."
                )
