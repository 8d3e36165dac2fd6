"""Interchangeable units and the array axes that run over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import factorial, inf, lgamma, log, prod
from typing import Any, Literal, get_args

import numpy as np

from .axis import Axis
from .element import Array, Element
from .errors import SymmetryError
from .stacks import as_stacks, why_not_stacked

Kind = Literal["permutation", "signed", "scaled"]
KINDS: tuple[str, ...] = get_args(Kind)

AxisLike = int | Axis | tuple[int | Axis, ...]


@dataclass(frozen=True, init=False, repr=False)
class Units:
    """What is interchangeable: hidden neurons, channels, heads, components, factors.

    One group element permutes the ``n`` units and gives each a factor; on an axis with power
    ``p`` it acts by ``new[i] = factor[i]**p * old[permutation[i]]``. With a batch there are several
    independent sets of ``n`` units, such as the hidden units of each of four stacked layers, and
    every set ``b`` has a permutation and factors of its own:
    ``new[b, i] = factor[b, i]**p * old[b, permutation[b, i]]``.

    A site may also hold labels of units, ``0 .. n-1``, rather than lie along them: the component of
    each observation, the state at each time. A label goes where its unit goes, ``new =
    inverse(permutation)[old]``, by the permutation of its own set where there is a batch. Labels
    have no factor.

    :param name: the name under which elements, tables and errors speak of these units.
    :param n: how many units there are.
    :param incoming: site name -> axis (or axes) of what comes into a unit: power 1.
    :param outgoing: site name -> axis (or axes) of what goes out of a unit: power -1.
    :param axes: site name -> axis (or axes) that the units only permute: power 0.
        An axis is an int, an :class:`Axis`, or a tuple of these where the same units lie on one
        array several times.
    :param kind: ``"permutation"`` (factors 1), ``"signed"`` (factors -1 or 1) or ``"scaled"``
        (factors > 0: a symmetry of the likelihood only).
    :param batch: how many independent sets there are, an int or a tuple of ints; each
        :class:`Axis` then says with its own ``batch`` on which axes of the array they run.
    :param values: names of the sites that hold labels of these units, integers; where there is a
        batch, site name -> ``Axis(batch=...)``, the axes of the array on which the batch runs. They
        are moved wherever they are there, and may be missing: where a model sums them out, say.
    :param stacked: array -> its ``n`` sites, where each unit has a site of its own: ``{"mu":
        ("mu1", "mu2")}``. The array is named like a site in ``incoming``, ``outgoing`` or
        ``axes``; where it is not, the units are its first axis, and are only permuted.
    :raises SymmetryError: where no site is named, a number or a kind is wrong, one axis is
        given twice, an axis does not say where the batch runs, or a site is said to hold labels of
        the units that lie along it.

    >>> Units("hidden", 3, incoming={"w1": 1, "b1": 0}, outgoing={"w2": 0}, kind="signed")
    Units('hidden', 3, kind='signed', acts on w1[1] b1[0] w2[0])
    >>> Units("component", 3, axes={"mu": Axis(1, batch=0)}, batch=4).order
    1296
    >>> Units("component", 3, axes={"mu": 0}, values=("z",))
    Units('component', 3, kind='permutation', acts on mu[0], labels z)
    >>> Units("component", 2, stacked={"mu": ("mu1", "mu2"), "sd": ("sd1", "sd2")})
    Units('component', 2, kind='permutation', acts on (mu1 mu2) (sd1 sd2))
    """

    name: str
    n: int
    kind: Kind
    batch: tuple[int, ...]
    placements: tuple[tuple[str, tuple[Axis, ...]], ...]
    labeled: tuple[tuple[str, Axis], ...]
    stacked: tuple[tuple[str, tuple[str, ...]], ...]
    directions: tuple[tuple[str, tuple[int, ...]], ...] = field(compare=False)

    def __init__(
        self,
        name: str,
        n: int,
        *,
        incoming: Mapping[str, AxisLike] | None = None,
        outgoing: Mapping[str, AxisLike] | None = None,
        axes: Mapping[str, AxisLike] | None = None,
        kind: Kind = "permutation",
        batch: int | tuple[int, ...] = (),
        values: Sequence[str] | Mapping[str, Axis] = (),
        stacked: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise SymmetryError(f"Units: name must be a non-empty string; got {name!r}.")
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise SymmetryError(f"Units {name!r}: n must be a positive int; got {n!r}.")
        if not isinstance(kind, str) or kind not in KINDS:
            raise SymmetryError(f"Units {name!r}: kind must be one of {KINDS}; got {kind!r}.")
        placed: dict[str, list[Axis]] = {}
        roles: dict[str, list[int]] = {}
        for power, group in ((1, incoming), (-1, outgoing), (0, axes)):
            for site, given in _by_site(name, group).items():
                for axis in _as_axes(name, site, given):
                    placed.setdefault(site, []).append(axis.with_power(power))
                    # A power of one's own may be meant as a parity alone.
                    roles.setdefault(site, []).append(power if axis.power in (None, power) else 0)
        labeled = _as_labeled(name, values)
        stacks = as_stacks(f"Units {name!r}", {} if stacked is None else stacked)
        for array in stacks:
            placed.setdefault(array, [Axis(0, power=0)])
            roles.setdefault(array, [0])
        if not placed and not labeled:
            raise SymmetryError(
                f"Units {name!r}: name at least one site in incoming, outgoing, axes or values."
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "n", int(n))
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "batch", _as_batch(name, batch))
        object.__setattr__(
            self, "placements", tuple((site, tuple(axs)) for site, axs in placed.items())
        )
        object.__setattr__(self, "labeled", labeled)
        object.__setattr__(self, "stacked", tuple(stacks.items()))
        object.__setattr__(
            self, "directions", tuple((site, tuple(each)) for site, each in roles.items())
        )
        for site, axs in self.placements:
            for axis in axs:
                _refuse_other_batch(self, site, axis)
            if why := why_overlapping(name, self.n, site, axs):
                raise SymmetryError(why)
        if why := why_not_stacked(f"Units {name!r}", stacks, placed, dict(labeled)):
            raise SymmetryError(why)
        for site, axis in labeled:
            _refuse_other_batch(self, site, axis)
            if site in placed:
                raise SymmetryError(
                    f"Units {name!r}: site {site!r} holds labels of these units (values), and "
                    "they lie along it. Name "
                    "it once: in values where its entries are integers 0 .. n-1, else in "
                    "incoming, outgoing or axes."
                )

    # What it is ------------------------------------------------------------------------------

    @property
    def axes(self) -> dict[str, tuple[Axis, ...]]:
        """Site name -> the axes on which these units lie, each with its power."""
        return dict(self.placements)

    @property
    def roles(self) -> dict[str, tuple[int, ...]]:
        """Site name -> for each of its axes 1 for what comes in, -1 for what goes out, 0 where that
        was neither said nor found in a program. Powers alone do not tell: -1 and 1 are one parity.
        """
        return dict(self.directions)

    @property
    def values(self) -> dict[str, Axis]:
        """Site name -> where the batch runs, of the sites that hold labels of these units."""
        return dict(self.labeled)

    @property
    def everywhere(self) -> tuple[tuple[str, Axis], ...]:
        """Site and axis of all places that the units have: where they lie, and where labels do."""
        lie = [(site, axis) for site, axs in self.placements for axis in axs]
        return (*lie, *self.labeled)

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites along which these units lie, in the order given."""
        return tuple(site for site, _ in self.placements)

    @property
    def site_names(self) -> tuple[str, ...]:
        """Names of the sites themselves: those of a stack in its place."""
        stacks = dict(self.stacked)
        return tuple(name for site in self.sites for name in stacks.get(site, (site,)))

    def axes_of(self, site: str) -> tuple[Axis, ...]:
        """Where the units lie on a site, or on the array that it is stacked into; none elsewhere.

        >>> (axis,) = Units("a", 2, stacked={"mu": ("mu1", "mu2")}).axes_of("mu2")
        >>> axis.axis
        0
        """
        own = dict(self.placements)
        for array, sites in self.stacked:
            if site in sites:
                return own[array]
        return own.get(site, ())

    @property
    def order(self) -> int | float:
        """How many elements the group has: ``n!`` or ``n! 2**n`` a set, or infinity where units
        scale.
        """
        if self.kind == "scaled":
            return inf
        of_one_set = factorial(self.n) * (2**self.n if self.kind == "signed" else 1)
        return of_one_set**self.sets

    @property
    def log_order(self) -> float:
        """Natural logarithm of :attr:`order`."""
        if self.kind == "scaled":
            return inf
        of_one_set = lgamma(self.n + 1) + (self.n * log(2) if self.kind == "signed" else 0.0)
        return self.sets * of_one_set

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one element's arrays, ``(*batch, n)``."""
        return (*self.batch, self.n)

    @property
    def sets(self) -> int:
        """How many independent sets of units there are: 1 without a batch."""
        return prod(self.batch)

    def describe_size(self) -> str:
        """How many units there are, for a table: ``3``, or ``4 x 3`` for four sets of three."""
        return " x ".join(map(str, self.shape))

    # What it does ----------------------------------------------------------------------------

    @property
    def has_factors(self) -> bool:
        """Whether units have signs or scales."""
        return self.kind != "permutation"

    @property
    def has_signs(self) -> bool:
        """Whether each unit has a sign."""
        return self.kind == "signed"

    @property
    def has_scales(self) -> bool:
        """Whether each unit has a positive scale."""
        return self.kind == "scaled"

    def factor_power(self, axis: Axis, moment: int = 1) -> int:
        """The power with which factors act on an axis, 0 where they leave it alone.

        :param moment: of what lies there, this power is taken.
        """
        power = moment * (axis.power or 0)
        if not self.has_factors:
            return 0
        return power % 2 if self.has_signs else power

    def has_factor_on(self, axis: Axis) -> bool:
        """Whether factors change what lies on an axis."""
        return self.factor_power(axis) != 0

    def turns(self, axis: Axis) -> bool:
        """Whether a unit's sign turns what lies on an axis."""
        return self.has_signs and self.has_factor_on(axis)

    def factor_on(self, axis: Axis, factor: Array) -> Array:
        """What entries on an axis are multiplied with.

        :param axis: one of these units' axes.
        :param factor: an element's factors.
        """
        return factor ** self.factor_power(axis)

    def generators(self) -> list[Element]:
        """Elements of one set, on the host, that generate its permutations and its signs.

        A cycle, a swap and, where there are factors, one factor of -1 (of 2 where units scale).
        """
        slots, ones = np.arange(self.n), np.ones(self.n)
        found = [Element(np.roll(slots, 1), ones), Element(np.r_[slots[1::-1], slots[2:]], ones)]
        if self.has_factors:
            other = -1.0 if self.has_signs else 2.0
            found.append(Element(slots, np.where(slots == 0, other, 1.0)))
        return found

    # Adjusting it ----------------------------------------------------------------------------

    def on_arrays(self) -> Units:
        """The same units of stacked sites: each stack is a site."""
        return self._with(stacked={}) if self.stacked else self

    def renamed(self, name: str) -> Units:
        """The same units under another name."""
        return self._with(name=name)

    def with_kind(self, kind: Kind) -> Units:
        """The same units on the same axes with another kind of factor."""
        return self._with(kind=kind)

    def without_scales(self) -> Units:
        """The same units without factors where these are scales, which are no symmetry of a
        posterior.
        """
        return self.with_kind("permutation") if self.has_scales else self

    def with_axes(
        self, axes: Mapping[str, tuple[Axis, ...]], values: Mapping[str, Axis] | None = None
    ) -> Units:
        """The same units on other axes, whose powers must be given; labels as they are, or too."""
        return self._with(axes=axes, values=self.values if values is None else values)

    def with_values(self, values: Sequence[str] | Mapping[str, Axis]) -> Units:
        """The same units on the same axes, with labels in other sites."""
        return self._with(values=values)

    def with_sites_renamed(self, names: Mapping[str, str]) -> Units:
        """The same units of sites under other names, ``{old: new}``."""
        axes = {names.get(site, site): axs for site, axs in self.placements}
        values = {names.get(site, site): axis for site, axis in self.labeled}
        stacked = {}
        for array, sites in self.stacked:
            stacked[names.get(array, array)] = tuple(names.get(site, site) for site in sites)
        roles = {names.get(site, site): each for site, each in self.roles.items()}
        return self._with(axes=axes, values=values, stacked=stacked, roles=roles)

    def with_roles(self, roles: Mapping[str, tuple[int, ...]]) -> Units:
        """The same units, with what they do on the axes of their sites; see :attr:`roles`.

        :param roles: of sites that it does not name, or of whose axes it tells too few or too many,
            nothing is known.

        >>> unit = Units("unit", 2, axes={"w1": 1, "w2": 0}).with_roles({"w1": (1,)})
        >>> unit.roles
        {'w1': (1,), 'w2': (0,)}
        """
        return self._with(roles=roles)

    def describe_axes(self) -> str:
        """Where the units act, for a table."""
        stacks, told = dict(self.stacked), []
        for site, axs in self.placements:
            named = f"({' '.join(stacks[site])})" if site in stacks else site
            # The first axis of a stack is its sites themselves.
            told += [
                named if site in stacks and axis.axis == 0 else f"{named}{axis}" for axis in axs
            ]
        axes = " ".join(told)
        if not self.labeled:
            return axes
        labels = f"labels {self.describe_labels()}"
        return f"{axes}, {labels}" if axes else labels

    def describe_labels(self) -> str:
        """Which sites hold labels of these units, for a table."""
        return " ".join(f"{site}{axis}" for site, axis in self.labeled)

    def _with(self, **changed: Any) -> Units:
        own: dict[str, Any] = {
            "name": self.name,
            "n": self.n,
            "axes": self.axes,
            "kind": self.kind,
            "batch": self.batch,
        }
        roles = changed.pop("roles", self.roles)
        own |= {"values": self.values, **changed}
        stacked = own.pop("stacked", dict(self.stacked))
        own["stacked"] = {array: sites for array, sites in stacked.items() if array in own["axes"]}
        units = Units(**own)
        fitting = []
        for site, axs in units.placements:
            told = tuple(roles.get(site, ()))
            fitting.append((site, told if len(told) == len(axs) else (0,) * len(axs)))
        object.__setattr__(units, "directions", tuple(fitting))
        return units

    def __repr__(self) -> str:
        batch = f"batch={self.batch}, " if self.batch else ""
        acts = f"acts on {self.describe_axes()}"
        return f"Units({self.name!r}, {self.n}, {batch}kind={self.kind!r}, {acts})"


def _as_batch(name: str, given: Any) -> tuple[int, ...]:
    several = given if isinstance(given, (tuple, list)) else (given,)
    for m in several:
        if isinstance(m, bool) or not isinstance(m, (int, np.integer)) or m < 1:
            raise SymmetryError(
                f"Units {name!r}: batch must be a positive int or a tuple of these; got {given!r}."
            )
    return tuple(int(m) for m in several)


def _as_labeled(name: str, given: Any) -> tuple[tuple[str, Axis], ...]:
    """Sites of labels, each with the axes on which its batch runs."""
    if isinstance(given, str) or not isinstance(given, (Mapping, tuple, list)):
        raise SymmetryError(
            f"Units {name!r}: values are names of sites in a tuple, or a dict, site name -> "
            "Axis(batch=...); got "
            f"{given!r}." + (f" Write ({given!r},)." if isinstance(given, str) else "")
        )
    axes = dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, Axis())
    if len(axes) < len(given):
        raise SymmetryError(f"Units {name!r}: a site is named twice in values; got {given!r}.")
    for site, axis in axes.items():
        if not isinstance(site, str) or not site:
            raise SymmetryError(
                f"Units {name!r}: sites are named by strings; got {site!r} in values."
            )
        if not isinstance(axis, Axis) or not axis.is_of_labels:
            raise SymmetryError(
                f"Units {name!r}, site {site!r} of labels: expected Axis(batch=...), the axes on "
                "which the batch runs, "
                f"and nothing else; got {axis!r}. Sites that units lie along go to incoming, "
                "outgoing or axes."
            )
    return tuple(axes.items())


def _refuse_other_batch(units: Units, site: str, axis: Axis) -> None:
    """Every axis names one array axis for each dimension of the batch."""
    if len(axis.batch_axes) == len(units.batch):
        return
    if not units.batch:
        raise SymmetryError(
            f"Units {units.name!r}, site {site!r}: axis {axis} names a batch, and the units have "
            "none. "
            "Say how many sets there are: Units(..., batch=m)."
        )
    raise SymmetryError(
        f"Units {units.name!r}, site {site!r}: the batch {units.batch} needs {len(units.batch)} "
        "axes of the array; "
        f"axis {axis} names {len(axis.batch_axes)}. Write "
        f"numpyro_sym.Axis({_first(axis)}batch=...)."
    )


def _first(axis: Axis) -> str:
    return "" if axis.is_of_labels else f"{axis.axis}, "


def _by_site(name: str, group: Mapping[str, AxisLike] | None) -> Mapping[str, AxisLike]:
    if group is None or isinstance(group, Mapping):
        return group or {}
    raise SymmetryError(
        f"Units {name!r}: incoming, outgoing and axes are dicts, site name -> axis; got {group!r}."
    )


def _as_axes(name: str, site: str, given: AxisLike) -> Iterable[Axis]:
    if not isinstance(site, str):
        raise SymmetryError(f"Units {name!r}: sites are named by strings; got {site!r}.")
    for axis in given if isinstance(given, (tuple, list)) else (given,):
        if isinstance(axis, Axis) and not axis.is_of_labels:
            yield axis
        elif isinstance(axis, (int, np.integer)) and not isinstance(axis, bool):
            yield Axis(int(axis))
        else:
            raise SymmetryError(
                f"Units {name!r}, site {site!r}: an axis is an int or a numpyro_sym.Axis; got "
                f"{axis!r}."
            )


def why_overlapping(name: str, n: int, site: str, axs: tuple[Axis, ...]) -> str | None:
    """Where one entry of an array's axis would belong to units twice; ``None`` where each belongs
    to one unit once.
    """
    for first, second in combinations(axs, 2):
        if first.batch != second.batch and not (first.is_plain and second.is_plain):
            return (
                f"Units {name!r}: on site {site!r} they lie on {first} and on {second}, whose "
                "batches run in different blocks."
            )
        if not first.is_plain:
            first, second = first.opened()[0], second.opened()[0]
        if first.axis in second.batch_axes or second.axis in first.batch_axes:
            return (
                f"Units {name!r}: on site {site!r} they lie on {first} and on {second}: an axis "
                "on which "
                "units lie cannot be one on which their batch runs."
            )
        if (
            first.axis == second.axis
            and np.intersect1d(first.positions(n), second.positions(n)).size
        ):
            powers = ""
            if first.power != second.power:
                powers = f" with powers {first.power} and {second.power}"
            return (
                f"Units {name!r}: axis {first.axis} of site {site!r} is used twice{powers}. "
                "Name it once, as incoming, outgoing or axes."
            )
    return None
