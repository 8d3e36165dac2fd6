"""A model's densities at random points, before and after a symmetry acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..symmetry.action import act_on_sites
from ..symmetry.bars import advance
from ..symmetry.element import Element
from ..symmetry.errors import SymmetryError
from ..symmetry.units import Units
from .rounding import (
    disturbed_inputs,
    disturbed_program,
    evaluator,
    factors_matrices,
    narrow_epsilon,
)
from .view import Densities, ModelView, Point

#: Changes in nats below this are never held against a claim: a hundred thousandth of one that
#: matters.
SMALLEST = 1e-7
#: A change is told from rounding where it is so many times what was measured.
FACTOR = 64.0
#: How often rounding is measured at a point, at most.
DISTURBED = 8


class At:
    """A point, and what the model is there.

    :param sites: the point, on the host.
    :param densities: of the model at the point.
    :param most: by site, the largest change of its log density there that may ever count as
        rounding.
    :param measured: gives, by site, how far rounding changes it: more of it each time.
    """

    def __init__(
        self,
        sites: Point,
        densities: Densities,
        most: Mapping[str, float],
        measured: Iterator[Mapping[str, float]],
    ) -> None:
        self.sites, self.densities, self.most = sites, densities, most
        self._known: list[Mapping[str, float]] = []
        self._measured = measured

    def roundings(self) -> Iterator[Mapping[str, float]]:
        """What was measured, and then more of it: most changes are explained by little."""
        yield from self._known
        for more in self._measured:
            self._known.append(more)
            yield more


class Change(NamedTuple):
    """The largest change of a log density.

    :param nats: the change at the point where it stands out most.
    :param allowed: what rounding explains at that point, in nats.
    """

    nats: float = 0.0
    allowed: float = SMALLEST

    @property
    def excess(self) -> float:
        """The change as a multiple of what is allowed; not a number counts as infinite."""
        return abs(self.nats) / self.allowed if np.isfinite(self.nats) else float("inf")

    @property
    def is_rounding(self) -> bool:
        """Whether rounding explains it."""
        return self.excess <= 1.0


class Changes(NamedTuple):
    """Largest changes by site and of the sums, and the sites that left their support."""

    latent: dict[str, Change]
    observed: dict[str, Change]
    joint: Change
    likelihood: Change
    left_support: tuple[str, ...]


class Trial:
    """Points of a model at which its log joint is finite, and what happens there under random
    elements.

    Some points are far out, at random; some are where a posterior may be. Which changes rounding
    explains is measured at each of them where anything changes.

    :param points: the points, on the host.
    :param num_elements: random elements tried at each point.
    :param precision: the dtype in which the model runs.
    :raises SymmetryError: where too few such points are found, or where the model runs another
        program when it is run again, or has other densities when it is evaluated again.
    """

    def __init__(
        self, view: ModelView, num_points: int, rng: np.random.Generator, num_elements: int = 1
    ) -> None:
        view.refuse_impure()
        self.view, self.rng, self.num_elements = view, rng, num_elements
        self._evaluate = evaluator(view.program)
        self._narrow = narrow_epsilon(view.program)
        inside = self._narrow or factors_matrices(view.program)
        self._disturbed = disturbed_program(view.program) if inside else None
        single = self._narrow or jnp.zeros(()).dtype == jnp.float32
        self.precision = "float32" if single else "float64"
        # Far out most points have no finite density: several are drawn for each that is wanted.
        far = list(islice(self.finite(view.draw(rng) for _ in range(10 * num_points)), num_points))
        if len(far) < num_points:
            raise SymmetryError(
                f"The model's log joint is not finite at {num_points} of {10 * num_points} random "
                "points, so nothing can be compared."
            )
        # The same point once more.
        _refuse_changing(far[0], self.at(far[0].sites))
        self.tried = [*far, *self.finite(view.near(rng) for _ in range(num_points))]

    @cached_property
    def improved(self) -> list[At]:
        """Points where a posterior would be; they take a gradient to find, and are found when asked
        for.
        """
        return list(self.finite(self.view.improved(self.rng)))

    @property
    def everywhere(self) -> list[At]:
        """All points: far out, at the priors' scales, and where a posterior would be."""
        return [*self.tried, *self.improved]

    @property
    def points(self) -> list[Point]:
        """The points, on the host."""
        return [at.sites for at in self.tried]

    def evaluate(self, point: Point) -> Densities:
        """Log densities of latent and of observed sites, and which values lie in their support."""
        advance("evaluations")
        return self._named(jax.device_get(self._evaluate(*self._inputs(point))))

    def at(self, point: Point) -> At:
        """What the model is at a point, and how much of that is rounding."""
        densities = self.evaluate(point)
        values = {site: float(value) for site, value in {**densities[0], **densities[1]}.items()}
        # The last bits of a sum of many terms are always left to chance. A last bit that meets a
        # jump of the density is not rounding: never more than a share of all.
        last = float(np.finfo(jnp.zeros(()).dtype).eps)
        share = 1e-9 if self.precision == "float64" else 1e-4
        sums = {site: 500 * last * abs(value) for site, value in values.items()}
        most = {site: max(1e-5, share * abs(value)) + sums[site] for site, value in values.items()}
        return At(point, densities, most, self._roundings(point, values, sums, most))

    def finite(self, points: Iterable[Point]) -> Iterator[At]:
        """The points at which every log density is finite."""
        return (at for at in map(self.at, points) if _is_finite(at.densities))

    def changes(self, units: Sequence[Units], points: Sequence[At] | None = None) -> Changes:
        """What random elements of the units' product change at every point."""
        found = Changes({}, {}, Change(), Change(), ())
        scaled = any(u.has_scales for u in units)
        for at in self.tried if points is None else points:
            for _ in range(self.num_elements):
                moved = at.sites
                for u in units:
                    moved = act_on_sites(u, moving_element(u, self.rng), moved)
                found = _worst(found, _between(at, self.evaluate(moved), scaled))
        return found

    def holds(self, units: Sequence[Units], points: Sequence[At] | None = None) -> bool:
        """Whether random elements of the units' product leave the model as it is at every point.

        The log joint is held equal (with scales, the log likelihood), and every value in its
        support.
        """
        changes = self.changes(units, points)
        change = changes.joint
        if any(u.has_scales for u in units):
            change = changes.likelihood
        return change.is_rounding and not changes.left_support

    def holds_in_full(self, units: Sequence[Units], points: Sequence[At] | None = None) -> bool:
        """Whether units hold: permutations and signs by the joint, scales by the likelihood."""
        plain = [u.without_scales() for u in units]
        return self.holds(plain, points) and (plain == list(units) or self.holds(units, points))

    def those_that_hold(self, units: Sequence[Units]) -> list[Units]:
        """The units that hold in full. All are tried at once; one by one only where that fails."""
        if self.holds_in_full(units):
            return list(units)
        return [u for u in units if self.holds_in_full([u])]

    def withstands(
        self,
        move: Callable[[Point], Point],
        points: Sequence[At] | None = None,
        *,
        likelihood: bool = False,
    ) -> bool:
        """Whether a motion of points, such as no ``Units`` can say, leaves the log joint and
        supports as they are.

        :param likelihood: whether the likelihood alone is asked.
        """
        for at in self.tried if points is None else points:
            changes = _between(at, self.evaluate(move(at.sites)), scaled=likelihood)
            change = changes.likelihood if likelihood else changes.joint
            if changes.left_support or not change.is_rounding:
                return False
        return True

    # How the program is run ----------------------------------------------------------------------

    def _inputs(self, point: Point) -> list[Any]:
        # The program takes the data, then the point, by name.
        types = [v.aval.dtype for v in self.view.program.jaxpr.invars]
        leaves = jax.tree.leaves((dict(self.view.data), dict(point)))
        return [np.asarray(x, dtype) for x, dtype in zip(leaves, types, strict=True)]

    def _named(self, outputs: Sequence[Any]) -> Densities:
        latent, observed = self.view.priors, sorted(self.view.observed)
        names = [*latent, *observed, *sorted(self.view.shapes)]
        # The program's outputs: densities of both kinds, then supports of the latent sites.
        ends = len(latent), len(latent) + len(observed)
        pairs = list(zip(names, outputs, strict=True))
        return dict(pairs[: ends[0]]), dict(pairs[slice(*ends)]), dict(pairs[ends[1] :])

    def _roundings(
        self, point: Point, values: dict, sums: dict, most: dict
    ) -> Iterator[dict[str, float]]:
        """By site, what is left to chance by rounding: that of sums, and more by disturbing last
        bits.
        """
        yield sums
        found = dict.fromkeys(values, 0.0)
        ways: list[Callable[[Point], Densities]] = []
        if not self._narrow:
            ways += [self._disturb_inputs] * DISTURBED
        if self._disturbed:
            ways += [partial(self._disturb_inside, self._disturbed)] * DISTURBED
        for disturb in ways:
            other = disturb(point)
            for site, value in {**other[0], **other[1]}.items():
                change = abs(float(value) - values[site])
                if np.isfinite(change):
                    found[site] = max(found[site], change)
            # The largest change so far.
            yield {site: min(FACTOR * found[site] + sums[site], most[site]) for site in values}

    def _disturb_inputs(self, point: Point) -> Densities:
        return self.evaluate(disturbed_inputs(point, self.rng))

    def _disturb_inside(self, program: Callable[..., list[Any]], point: Point) -> Densities:
        """The program's own operations, too, where inputs alone do not show how it rounds."""
        key = jax.random.key(int(self.rng.integers(2**31)))
        inputs = self._inputs(disturbed_inputs(point, self.rng))
        advance("evaluations")
        return self._named(jax.device_get(program(key, *inputs)))


def _between(at: At, after: Densities, scaled: bool) -> Changes:
    """Changes from a point to where it was moved; rounding is measured where, and until, it
    explains them.
    """

    def explained(changes: Changes) -> bool:
        change = changes.likelihood if scaled else changes.joint
        return change.is_rounding

    at_most = _held_against(at.most, at, after)
    if not explained(at_most):
        return at_most
    for rounding in at.roundings():
        changes = _held_against(rounding, at, after)
        if explained(changes):
            break
    return changes


def _held_against(rounding: Mapping[str, float], at: At, after: Densities) -> Changes:
    changes: list[dict[str, Change]] = []
    for was, now in zip(at.densities[:2], after[:2], strict=True):
        of_sites = {}
        for site, value in was.items():
            of_sites[site] = Change(float(now[site] - value), SMALLEST + rounding[site])
        changes.append(of_sites)
    latent, observed = changes
    joint = _sum([*latent.values(), *observed.values()])
    left = {s for s, inside in at.densities[2].items() if inside and not after[2][s]}
    return Changes(latent, observed, joint, _sum(observed.values()), tuple(sorted(left)))


def _sum(changes: Any) -> Change:
    """The change of a sum; terms that did not change at all bring no rounding either."""
    some = [c for c in changes if c.nats != 0.0]
    return Change(sum(c.nats for c in some), SMALLEST + sum(c.allowed - SMALLEST for c in some))


def _worst(first: Changes, second: Changes) -> Changes:
    return Changes(
        _worst_of_sites(first.latent, second.latent),
        _worst_of_sites(first.observed, second.observed),
        max(first.joint, second.joint, key=_excess),
        max(first.likelihood, second.likelihood, key=_excess),
        tuple(sorted({*first.left_support, *second.left_support})),
    )


def _worst_of_sites(first: Mapping[str, Change], second: Mapping[str, Change]) -> dict[str, Change]:
    """Changes at the sites of the second, the first's where they are worse."""
    return {s: max(first.get(s, Change()), c, key=_excess) for s, c in second.items()}


def _excess(change: Change) -> float:
    return change.excess


def _is_finite(densities: Densities) -> bool:
    latent, observed, _ = densities
    return all(map(np.isfinite, (*latent.values(), *observed.values())))


def _refuse_changing(first: At, second: At) -> None:
    """Raise where one point had two densities."""
    for k in (0, 1):
        for site, value in first.densities[k].items():
            if float(value) != float(second.densities[k][site]):
                raise SymmetryError(
                    f"The model's log density of site {site!r} was {float(value):.8g}, and "
                    f"{float(second.densities[k][site]):.8g} when it was evaluated again at the "
                    "same values: the model keeps a state of its own, or draws random numbers "
                    "outside its sample sites. Nothing can be said of such a model; give it what "
                    "changes as arguments."
                )


def moving_element(u: Units, rng: np.random.Generator) -> Element:
    """A random element, on the host, that moves units and has a factor that is not 1 where there
    are any.

    With a batch, each set has an element of its own; one set at random moves, and another one stays
    as it is, so that a permutation shared by all sets is never taken for one of each.
    """
    sets = [_element_of_set(u, rng, moves=u.sets == 1) for _ in range(u.sets)]
    if u.sets > 1:
        # One set surely moves, one surely stays.
        moving, staying = rng.choice(u.sets, 2, replace=False)
        sets[moving] = _element_of_set(u, rng, moves=True)
        sets[staying] = Element(np.arange(u.n), np.ones(u.n))
    # (set, n) to (*batch, n)
    return Element(*(np.stack(arrays).reshape(u.shape) for arrays in zip(*sets, strict=True)))


def _element_of_set(u: Units, rng: np.random.Generator, moves: bool) -> Element:
    permutation = rng.permutation(u.n)
    if moves and np.array_equal(permutation, np.arange(u.n)):
        permutation = np.roll(permutation, 1)
    factor = np.ones(u.n)
    if u.has_signs:
        factor = rng.choice([-1.0, 1.0], u.n)
        if moves:
            factor[rng.integers(u.n)] = -1.0
    elif u.has_scales:
        factor = np.exp(rng.normal(size=u.n))
    return Element(permutation, factor)
