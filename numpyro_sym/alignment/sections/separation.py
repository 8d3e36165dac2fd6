"""A section whose keys separate the units where the posterior is.

Any key gives an exact section, and a poor one leaves units to swap labels between draws. So each
``Units`` is sorted by one number where draws near a mode show one that tells all units apart, and
else goes to the slots of that mode by all of its numbers at once: the assignment of greatest
density under a normal fitted there. One assignment settles one ``Units``, read off numbers that no
``Units`` still to be settled moves, so it is the same for all points of an orbit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...symmetry import Element, Symmetry, Units
from ..engine._steps import after
from ..engine.nearest_step import assigned
from .sorted import Key, SortedSection, SortKey, exact_keys, section_of_arrays

Elements = dict[str, Element]
Draws = Mapping[str, np.ndarray]

#: How many standard deviations of their difference must lie between neighbors in a sorted key.
#: The scales are those of independent coordinates, which are too narrow where these correlate.
SEPARATED = 8.0

#: Assignments of more units cost more than a draw of theirs.
MOST_ASSIGNED = 128


@dataclass(frozen=True, eq=False)
class Slots:
    """What the units of each slot look like: a normal for each of their numbers.

    :param keys: what is read of each unit.
    :param mean: ``(*batch, n, numbers)``, all keys' numbers after each other.
    :param precision: the same shape.
    :param odd: ``(numbers,)``, whether a unit's sign turns a number.
    """

    keys: tuple[Key, ...]
    mean: np.ndarray
    precision: np.ndarray
    odd: np.ndarray

    def element(self, sites: Mapping[str, Any], u: Units) -> Element:
        """The element of greatest density: signs within, order by one assignment."""
        x = jnp.concatenate([key.read_all(sites, u.n) for key in self.keys], -1)
        # (*batch, slot, unit, number)
        x = x[..., None, :, :]
        mean, precision = self.mean[..., None, :], self.precision[..., None, :]
        misfit = (precision * jnp.where(self.odd, x**2, (x - mean) ** 2)).sum(-1)
        agreement = 2 * (precision * self.odd * x * mean).sum(-1)
        order = assigned(jnp.abs(agreement) - misfit)
        # Of each slot, with the unit that it is given.
        turned = jnp.take_along_axis(agreement, order[..., None], -1)[..., 0] < 0
        return Element(order, jnp.where(turned, -1.0, 1.0))

    def __str__(self) -> str:
        return "nearest to a mode on " + ", ".join(dict.fromkeys(key.site for key in self.keys))


@dataclass(frozen=True, eq=False)
class SeparatingSection:
    """Units settled one after another, by sorting or by assignment.

    :param sym: the symmetry.
    :param steps: ``(units name, how they are settled)``, in order.
    """

    sym: Symmetry
    steps: tuple[tuple[str, SortedSection | Slots], ...]

    def settle(self, sites: Mapping[str, Any]) -> tuple[Elements, dict[str, Any]]:
        """The element that folds one point, and the folded point; jit- and vmap-able.

        :param sites: site name -> array without sample dimensions.
        """
        out = dict(sites)
        elements: Elements = {}
        plain = self.sym.without_values()
        for name, how in self.steps:
            if isinstance(how, SortedSection):
                settled, out = how.settle(out)
            else:
                settled = {name: how.element(out, plain[name])}
                out = Symmetry([plain[name]]).act(settled, out)
            elements = after(plain, settled, elements)
        return elements, {**out, **self.sym.moved_labels(elements, sites)}

    def __str__(self) -> str:
        lines = []
        for name, how in self.steps:
            lines.append(str(how) if isinstance(how, SortedSection) else f"{name}: {how}")
        return "\n".join(lines)


def has_choice(
    sym: Symmetry, shapes: Mapping[str, tuple[int, ...]], keys: Mapping[str, SortKey] | None
) -> bool:
    """Whether there is more than one number to sort some units by."""
    sym = sym.without_values()
    for name, others in _in_turn(section_of_arrays(sym, shapes, keys)):
        if name in (keys or {}):
            continue
        numbers = 0
        for key in exact_keys(sym[name], others, shapes):
            like_a_draw = {key.site: np.empty(shapes[key.site])}
            numbers += key.read_all(like_a_draw, sym[name].n).shape[-1]
        if numbers > 1:
            return True
    return False


def separating_section(
    sym: Symmetry, draws: Draws, keys: Mapping[str, SortKey] | None = None
) -> SeparatingSection:
    """Choose how to settle each ``Units`` by draws that lie near one mode of the posterior.

    :param sym: permutations and signs that have an exact section.
    :param draws: site -> floats ``(draws, *site)``, all near one of the mode's copies.
    :param keys: units name -> what to sort these units by, whatever the draws show.
    :raises SymmetryError: as :func:`~numpyro_sym.alignment.sorted_section`.
    """
    whole, sym = sym, sym.without_values()
    shapes = {name: x.shape[1:] for name, x in draws.items()}
    plain = section_of_arrays(sym, shapes, keys)
    here: Draws = {name: x.astype(np.float64) for name, x in draws.items()}
    steps: list[tuple[str, SortedSection | Slots]] = []
    for (name, sign_key, sort_key), (_, others) in zip(plain.steps, _in_turn(plain), strict=True):
        u = sym[name]
        step = SortedSection(Symmetry([u]), ((name, sign_key, sort_key),))
        if name in (keys or {}):
            steps.append((name, step))
            continue
        choices = exact_keys(u, others, shapes)
        sign_key, sign_gap, here = _signs(u, choices, here)
        sort_key, sort_gap, here = _order(u, choices, here)
        # What a slot looks like is each set's own, so no guide while sets are not in order.
        is_unordered = any(outer in others for _, outer in sym.outer_of(u))
        if min(sign_gap, sort_gap) >= SEPARATED or u.n > MOST_ASSIGNED or is_unordered:
            steps.append((name, SortedSection(Symmetry([u]), ((name, sign_key, sort_key),))))
        else:
            steps.append((name, _slots(u, choices, here)))
    return SeparatingSection(whole, tuple(steps))


def _in_turn(section: SortedSection) -> list[tuple[str, list[Units]]]:
    """Each units' name, and the units that are settled after them."""
    units = [section.sym[name] for name, _, _ in section.steps]
    return [(u.name, units[i + 1 :]) for i, u in enumerate(units)]


def _rows(key: Key, draws: Draws, n: int) -> list[tuple[Key, np.ndarray]]:
    """Every key of one number that a key can be: with what it reads, ``(draws, *batch, n)``."""
    read = key.read_all(draws, n)
    rows = range(read.shape[-1] // key.inside)
    return [(replace(key, row=i), read[..., i * key.inside]) for i in rows]


def _signs(u: Units, keys: list[Key], draws: Draws) -> tuple[Key | None, float, Draws]:
    """The number whose sign is surest, by how much, and the draws with that made positive."""
    if not u.has_signs:
        return None, np.inf, draws
    every: list[tuple[Key, np.ndarray]] = []
    for key in keys:
        if key.odd:
            every += _rows(key, draws, u.n)
    gaps = [float(np.min(np.abs(x.mean(0)) / (x.std(0) + _tiny(x)))) for _, x in every]
    key, x = every[int(np.argmax(gaps))]
    sign = np.where(x.mean(0) < 0, -1.0, 1.0)
    straight = np.broadcast_to(np.arange(u.n), u.shape)
    return key, max(gaps), _acted(u, Element(straight, sign), draws)


def _order(u: Units, keys: list[Key], draws: Draws) -> tuple[Key, float, Draws]:
    """The number that separates the units farthest, by how much, and the draws in its order."""
    every: list[tuple[Key, np.ndarray]] = []
    for key in keys:
        every += _rows(key, draws, u.n)

    def gap(x: np.ndarray) -> float:
        if u.n == 1:
            return np.inf
        # (*batch, unit), in ascending order
        order = np.argsort(x.mean(0), -1)
        mean = np.take_along_axis(x.mean(0), order, -1)
        variance = np.take_along_axis(x.var(0), order, -1)
        apart = np.diff(mean) / np.sqrt(variance[..., 1:] + variance[..., :-1] + _tiny(x) ** 2)
        return float(apart.min())

    gaps = [gap(x) for _, x in every]
    key, x = every[int(np.argmax(gaps))]
    return key, max(gaps), _acted(u, Element(np.argsort(x.mean(0), -1), np.ones(u.shape)), draws)


def _slots(u: Units, keys: list[Key], draws: Draws) -> Slots:
    read = [key.read_all(draws, u.n) for key in keys]
    x = np.concatenate(read, -1)  # (draw, *batch, unit, number)
    is_odd = [u.has_signs and key.odd for key in keys]
    odd = np.repeat(is_odd, [part.shape[-1] for part in read])
    every = tuple(range(x.ndim - 1))  # draws, sets and units
    spread = x.std(every)
    # What is the same for all units, a sum of probabilities, tells nothing and its scale is
    # rounding.
    telling = spread > 1e-5 * np.abs(x).max(every)
    precision = np.where(telling, 1 / (x.var(0) + (1e-3 * spread) ** 2 + np.finfo(float).tiny), 0)
    return Slots(tuple(keys), x.mean(0), precision, odd)


def _tiny(x: np.ndarray) -> float:
    return 1e-6 * float(np.abs(x).max()) + np.finfo(float).tiny


def _acted(u: Units, element: Element, draws: Draws) -> Draws:
    return Symmetry([u]).act({u.name: element}, draws, sample_ndim=1)
