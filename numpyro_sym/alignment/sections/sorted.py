"""Exact sections: one representative of each orbit, found by signs and by sorting.

``Units`` are put in order one after another. For each, a sign key makes one odd number of every
unit positive, and a sort key arranges the units by one number of each. A key reads a single
coordinate where every other axis of its array is still (no other ``Units`` run over it, or they
are in order already), and a sum over the axes that are not. So the representative is the same for
all points of an orbit, whatever the group (Wiese et al. 2023, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...symmetry import Axis, Element, Symmetry, SymmetryError, Units, kinds
from ...symmetry.arguments import check_arguments
from ...symmetry.axis import Step, open_axes
from ...symmetry.opening import opened, opened_shape
from ...symmetry.stacks import stacked_shapes
from ..engine._families import without_axes
from ..engine._steps import after
from .in_stacks import SectionInStacks


@dataclass(frozen=True)
class Key:
    """One number of each unit: a coordinate, or a sum over axes that other units still move.

    :param site: the array.
    :param axis: where the units lie on it.
    :param twin: the second axis, where the key is read off the diagonal of the two.
    :param summed: other axes to sum over; the rest are read at their first entry.
    :param squared: whether squares are summed, which forgets other units' signs.
    :param whole: whether all entries of a unit on its axis are summed, which forgets the order
        of other units within it; else its first entry is read.
    :param row: which entry of the axes that are not summed is read, counted through them all.
    :param ndim: how many dimensions the array has.
    :param opening: what the array goes through first, so that each run of a batch is an axis of
        its own: all the rest is said of what comes out.
    :param given: where the units lie on the array as it comes, for words; ``None``: as ``axis``.
    """

    site: str
    axis: Axis
    twin: int | None = None
    summed: tuple[int, ...] = ()
    squared: bool = False
    whole: bool = False
    row: int = 0
    ndim: int = 1
    opening: tuple[Step, ...] = ()
    given: Axis | None = None

    @property
    def odd(self) -> bool:
        """Whether a unit's sign turns what is read."""
        return bool((self.axis.power or 0) % 2) and not self.squared and self.twin is None

    @property
    def inside(self) -> int:
        """How many neighboring numbers of :meth:`read_all` are one row's."""
        return 1 if self.whole else self.axis.outer * self.axis.inner

    def read(self, sites: Mapping[str, Any], n: int) -> jax.Array:
        """The key of each unit, shape ``(*batch, n)``."""
        numbers = self.read_all({self.site: jnp.asarray(sites[self.site])}, n)
        return numbers[..., self.row * self.inside]

    def read_all(self, sites: Mapping[str, Any], n: int) -> Any:
        """Every number of each unit that the key could read in the first one's stead.

        :param sites: site name -> array, without sample dimensions or with leading ones.
        :returns: ``(*sample, *batch, n, numbers)``; NumPy's where the site is.
        """
        x, axis = sites[self.site], self.axis
        xp = np if isinstance(x, np.ndarray) else jnp
        x = x**2 if self.squared else x
        lead = x.ndim - (self.ndim - len(self.opening))  # opening adds a dimension a step
        x = open_axes(x, self.opening, lead)
        if self.twin is not None:
            # The diagonal goes last.
            x = xp.diagonal(x, axis1=lead + axis.axis, axis2=lead + self.twin)
            last = replace(axis, axis=-1)
            axis = replace(without_axes(last, (axis.axis, self.twin), self.ndim), axis=-1)
        else:
            x = x.sum(tuple(lead + k for k in self.summed), keepdims=True)
        entries = axis.blocks(x, n, lead)
        # (..., n, outer * inner * rows) -> (..., n, rows, outer * inner)
        entries = entries.reshape(*entries.shape[:-1], axis.outer * axis.inner, -1).swapaxes(-1, -2)
        return entries.sum(-1) if self.whole else entries.reshape(*entries.shape[:-2], -1)

    def __str__(self) -> str:
        what = ""
        if self.twin is not None:
            what = "diagonal of "
        elif self.summed or self.whole:
            what = "sum of "
        square = "**2" if self.squared else ""
        row = f", row {self.row}" if self.row else ""
        return f"{what}{self.site}{square}{self.given or self.axis}{row}"


#: ``(units name, sign key or None, sort key or None)``, in order.
Steps = tuple[tuple[str, Key | None, Key | None], ...]


@dataclass(frozen=True)
class SortedSection:
    """In which order ``Units`` are settled, and by which keys.

    :param sym: the symmetry.
    :param steps: of each ``Units``, in order, what its signs are read off and what it is sorted by.
    """

    sym: Symmetry
    steps: Steps

    def fold(self, sites: kinds.Sites) -> dict[str, Any]:
        """The representative of the orbit of one point; jit- and vmap-able.

        :param sites: site name -> array without sample dimensions.
        """
        check_arguments(SortedSection.fold, locals())
        self.sym.check_shapes({name: jnp.shape(x) for name, x in sites.items()})
        return self.settle(sites)[1]

    def settle(self, sites: Mapping[str, Any]) -> tuple[dict[str, Element], dict[str, Any]]:
        """The element that folds one point, and the folded point.

        :param sites: site name -> array without sample dimensions.
        """
        plain = self.sym.without_values()
        own = {site: jnp.asarray(sites[site]) for site in plain.sites}
        elements, moved = _settled_by(plain, self.steps, own)
        return elements, {**sites, **moved, **self.sym.moved_labels(elements, sites)}

    def __str__(self) -> str:
        lines = []
        for name, sign, sort in self.steps:
            told = []
            if sort is not None:
                told.append(f"sorted by {sort}")
            if sign is not None:
                told.append(f"{sign} made positive")
            lines.append(f"{name}: {', '.join(told)}")
        return "\n".join(lines)


# A chain's first state is folded outside of compiled code: in one program, the same for every run.
@partial(jax.jit, static_argnums=(0, 1))
def _settled_by(
    sym: Symmetry, steps: Steps, sites: dict[str, jax.Array]
) -> tuple[dict[str, Element], dict[str, jax.Array]]:
    """The element that folds one point, and the folded point."""
    out = dict(sites)
    elements: dict[str, Element] = {}
    for name, sign_key, sort_key in steps:
        u = sym[name]
        alone = Symmetry([u])
        order, sign = alone.identity()[name]
        if sign_key is not None:
            sign = jnp.where(sign_key.read(out, u.n) < 0, -1.0, 1.0)
        if sort_key is not None:
            # Signs are turned first, and each goes along with its unit.
            number = sort_key.read(out, u.n)
            order = jnp.argsort(number * sign if sort_key.odd else number, -1)
            sign = jnp.take_along_axis(sign, order, -1)
        step = Element(order, sign)
        out = alone.act({name: step}, out)
        elements = after(sym, {name: step}, elements)
    return elements, out


#: What a unit can be sorted by: one entry, or a sum over all of its entries on a site.
STATISTICS = ("first", "sum", "norm")

#: ``site``, ``(site, statistic)`` or ``(site, row)``.
SortKey = str | tuple[str, str | int]


def sorted_section(
    sym: Symmetry, shapes: kinds.Shapes, keys: Mapping[str, SortKey] | None = None
) -> SortedSection | SectionInStacks:
    """Choose keys for every ``Units`` of a symmetry.

    By default a key is one coordinate where one tells the units apart on every point of an orbit
    alike, before a sum, before a sum of squares; among equals the site that the ``Units`` name
    first.

    :param sym: permutations and signs.
    :param shapes: site name -> shape.
    :param keys: units name -> what to sort these units by: a site; ``(site, statistic)`` with one
        of ``"first"`` (one entry of each unit, the default), ``"sum"`` (of all its entries there)
        and ``"norm"`` (sum of their squares); or ``(site, row)``, the number of the entry to read.
    :returns: a :class:`SortedSection`; ``print`` it to see the keys. Of sites that are stacked one
        with the same methods, whose keys are those of the arrays.
    :raises SymmetryError: where units are scaled, shapes do not fit, a key does not name a site of
        its units, or no exact key exists.

    >>> from numpyro_sym.symmetry import hmm
    >>> states = hmm(2, transition="A", emissions={"mu": 0})
    >>> print(sorted_section(states, {"A": (2, 2), "mu": (2,)}))
    state: sorted by mu[0]
    """
    check_arguments(sorted_section, locals())
    sym.check_shapes(shapes)
    if sym.stacks:
        arrays = stacked_shapes(sym.stacks, shapes)
        return SectionInStacks(sym, section_of_arrays(sym.on_arrays(), arrays, keys))
    return section_of_arrays(sym, shapes, keys)


def section_of_arrays(
    sym: Symmetry,
    shapes: Mapping[str, tuple[int, ...]],
    keys: Mapping[str, SortKey] | None = None,
) -> SortedSection:
    """:func:`sorted_section` where no sites are stacked.

    :param shapes: as they were checked.
    """
    whole, sym = sym, sym.without_values()
    wanted = {name: _wanted(sym[name], key) for name, key in (keys or {}).items()}
    for u in sym.units:
        if u.has_scales:
            raise SymmetryError(
                f"sorted_section: Units {u.name!r} are scaled; there is no order to put scales in."
            )
    steps, stuck = _settled(sym, shapes, wanted)
    if stuck:
        raise SymmetryError(
            f"sorted_section: no exact section for Units {[u.name for u in stuck]}: their signs "
            "can be read only off arrays on which others of them turn signs too. Make them one "
            "Units, or align draws with numpyro_sym.align."
        )
    return SortedSection(whole, steps)


def _settled(
    sym: Symmetry,
    shapes: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, tuple[str, str | int]],
) -> tuple[tuple[tuple[str, Key | None, Key], ...], list[Units]]:
    """The steps of a section, and the units that no step can settle."""
    waiting = list(sym.units)
    steps = []
    while waiting:
        found = []
        for u in waiting:
            keys = _keys(u, waiting, shapes, wanted.get(u.name))
            if keys is not None:
                found.append((u, keys))
        if not found:
            break
        # Of those that are as cheap, the first.
        u, (sign_key, sort_key) = min(found, key=lambda pair: _cost(*pair[1]))
        steps.append((u.name, sign_key, sort_key))
        waiting.remove(u)
    return tuple(steps), waiting


def check_keys(sym: Symmetry, keys: Mapping[str, SortKey]) -> None:
    """Raise where a key is none of these units; whether its row is there, their shapes tell."""
    for name, key in keys.items():
        _wanted(sym[name], key)


def _wanted(u: Units, given: SortKey) -> tuple[str, str | int]:
    """A key as its user gave it, validated: the site and what of it."""
    if not isinstance(given, str) and not (isinstance(given, tuple) and len(given) == 2):
        raise SymmetryError(
            f"Units {u.name!r}: what to sort by is a site, (site, statistic) or (site, row); got "
            f"{given!r}."
        )
    site, statistic = (given, "first") if isinstance(given, str) else given
    if site not in u.sites:
        raise SymmetryError(
            f"Units {u.name!r} cannot be sorted by site {site!r}: they act on {list(u.sites)}."
        )
    is_name = isinstance(statistic, str) and statistic in STATISTICS
    if isinstance(statistic, bool) or not (isinstance(statistic, int) or is_name):
        raise SymmetryError(
            f"Units {u.name!r}, sorted by site {site!r}: expected one of {STATISTICS} or the "
            f"number of a row; got {statistic!r}."
        )
    return site, statistic


def _keys(
    u: Units,
    waiting: list[Units],
    shapes: Mapping[str, tuple[int, ...]],
    wanted: tuple[str, str | int] | None,
) -> tuple[Key | None, Key] | None:
    """The best sign and sort keys that are exact while ``waiting`` are not in order."""
    every = exact_keys(u, [o for o in waiting if o is not u], shapes)
    if wanted is None:
        sort_key = min(every, key=_key_cost)
    else:
        site, statistic = wanted
        there = [key for key in every if key.site == site]
        sort_key = _of(statistic, min(there, key=_key_cost), shapes[site])
    if not u.has_factors:
        return None, sort_key
    signs = [key for key in every if key.odd]
    if not signs:
        return None
    return min(signs, key=_key_cost), sort_key


def exact_keys(
    u: Units, others: Sequence[Units], shapes: Mapping[str, tuple[int, ...]]
) -> list[Key]:
    """A key for each axis that units lie on, the same on all points of an orbit while ``others``
    are not in order.
    """
    ndims = {site: len(shape) for site, shape in shapes.items()}
    way = opened([u, *others], ndims)
    shapes = way.shapes(shapes)
    mine, *rest = way.units
    keys = []
    for site, axs in u.placements:
        for given, axis in zip(axs, mine.axes[site], strict=True):
            key = _key(mine, site, axis, rest, shapes[site])
            how = way.steps.get(site, ())
            keys.append(replace(key, opening=how, given=given.resolved(ndims[site])))
    return keys


def exact_part(sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]) -> Symmetry:
    """The largest part of a symmetry that has an exact section; the symmetry itself where it has
    one.

    Only signs stand in the way, so signs of as few elements as may be are given up.

    >>> rows = Units("a", 2, incoming={"w": 0}, kind="signed")
    >>> columns = Units("b", 3, incoming={"w": 1}, kind="signed")
    >>> print(exact_part(Symmetry([rows, columns]), {"w": (2, 3)}))
    units  n  kind         order  acts on
    a      2  permutation  2      w[0]
    b      3  signed       48     w[1]
    """
    stuck = sorted(_settled(sym, shapes, {})[1], key=lambda u: u.n)
    if not stuck:
        return sym
    counts = range(1, len(stuck) + 1)
    for given_up in chain.from_iterable(combinations(stuck, count) for count in counts):
        kept = []
        for u in sym:
            if u in given_up:
                u = u.with_kind("permutation")
            if u.order > 1:
                kept.append(u)
        part = Symmetry(kept, notes=sym.notes)
        if not _settled(part, shapes, {})[1]:
            break
    return part


def _key(u: Units, site: str, a: Axis, others: Sequence[Units], shape: tuple[int, ...]) -> Key:
    """The key that one axis of one array gives, exact while ``others`` are not in order."""
    ndim = len(shape)
    axis = a.resolved(ndim)
    own = [b for b in u.axes[site] if b.axis % ndim != axis.axis]
    mine = axis.positions(u.n)
    meeting = []
    for o in others:
        for b in o.axes.get(site, ()):
            if b.axis % ndim != axis.axis or np.intersect1d(mine, b.positions(o.n)).size:
                meeting.append((o, b))
    turned = any(o.turns(b) for o, b in meeting)
    # Where others permute the sets of a batch, each set's keys go along with it.
    foreign = [(o, b) for o, b in meeting if b.axis % ndim not in axis.batch_axes]
    moving = {b.axis % ndim for _, b in foreign} - {axis.axis}
    # Units that share entries on one axis commute, so the others only stir within a unit.
    stirred = any(b.axis % ndim == axis.axis for _, b in foreign)
    if own:
        twin = own[0]
        alike = (twin.offset, twin.outer, twin.inner) == (axis.offset, axis.outer, axis.inner)
        if len(own) == 1 and alike and not foreign and (axis.power or 0) + (twin.power or 0) == 0:
            return Key(site, axis, twin=twin.axis % ndim, ndim=ndim)
        moving |= {b.axis % ndim for b in own}
    squared = turned or bool(own)
    return Key(site, axis, summed=tuple(sorted(moving)), squared=squared, whole=stirred, ndim=ndim)


def _of(statistic: str | int, key: Key, shape: tuple[int, ...]) -> Key:
    """The key of this statistic; as exact as ``key``, whose sums it keeps."""
    shape = opened_shape(shape, key.opening)
    rest = [k for k in range(len(shape)) if k not in (key.axis.axis, *key.axis.batch_axes)]
    if statistic in ("sum", "norm"):
        squared = key.squared or key.twin is not None or statistic == "norm"
        return replace(key, twin=None, summed=tuple(rest), squared=squared, whole=True)
    if isinstance(statistic, int):
        rows = 1
        if key.twin is None:
            rows = int(np.prod([shape[k] for k in rest if k not in key.summed]))
        if not 0 <= statistic < rows:
            raise SymmetryError(
                f"Site {key.site!r} of shape {shape} has no row {statistic} to sort by: there are "
                f"{rows} that the symmetry leaves in place."
            )
        return replace(key, row=statistic)
    return key


def _key_cost(key: Key) -> tuple[bool, bool, bool]:
    return key.squared, bool(key.summed) or key.whole, key.twin is not None


def _cost(sign_key: Key | None, sort_key: Key) -> tuple[tuple[bool, ...], ...]:
    return _key_cost(sort_key), _key_cost(sign_key) if sign_key else (False, False, False)
