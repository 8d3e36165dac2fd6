"""Batches: whether each index of another axis has units of its own.

Units that were found move in the same way at every index of the axes beside theirs: one permutation
for all layers of a stack, all members of an ensemble. Each of these axes is tried as a batch, by
moving each set by an element of its own. What the model does not notice is then proved: for one set
alone, at any index, while all others stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, product
from math import gcd
from typing import NamedTuple

from ..models import ModelView, Trial
from ..symmetry import Axis, Units
from ..symmetry.products import why_no_group
from .caveats import where
from .classes import Class
from .evaluation import withstands
from .reading import read_program

MOST_CANDIDATES = 64  # choices of axes, one on each site, that are tried

#: What a batch may rest on, the best first: a proof for any data, one by the values of these, no
#: proof.
GENERAL, VALUES, EVALUATED = range(3)

#: Site name -> where one more dimension of a batch lies.
Places = Mapping[str, "int | Within"]
Batch = Mapping[str, tuple[int | Axis, ...]]  # site name -> where a batch runs


class Within(NamedTuple):
    """A dimension of a batch along a part of an axis.

    :param run: which entries along it are of one set.
    :param left: outer and inner of the units' own axis in what that leaves of it; ``None`` where
        the units lie on another axis.
    """

    run: Axis
    left: tuple[int, int] | None = None


@dataclass
class Batched:
    """Units with the batches that they have.

    :param units: in the order in which they were given.
    :param certain: name -> the largest part of the units that is proved for any data, or the units
        without a batch, where the batch rests on more.
    :param general: those whose batch is proved for any data.
    :param evaluated: those whose batch is not proved.
    """

    units: list[Units]
    certain: dict[str, Units] = field(default_factory=dict)
    general: list[Units] = field(default_factory=list)
    evaluated: list[Units] = field(default_factory=list)


def with_batches(
    trial: Trial, units: Sequence[Units], levels: Sequence[int], notes: list[str]
) -> Batched:
    """Units with all batches that hold.

    :param levels: what a batch may rest on, the best first.
    """
    found = Batched(list(units))
    grown: dict[str, Units] = {}
    likely = _likely(trial, [u for u in units if u.n > 1], notes)
    proofs = _Proofs(trial.view, [larger for some in likely.values() for larger in some])
    for u in units:
        largest = certain = u
        level = GENERAL
        options = likely.get(u.name, [])
        while options:
            step = _one_dimension_more(trial, options, proofs, levels)
            if step is None:
                if EVALUATED not in levels:
                    notes.append(
                        f"{u.name}: each set along a further axis may have units of its own "
                        f"({options[0].describe_axes()}); that was not proved, so the units of "
                        "all sets move together."
                    )
                break
            largest, level = step[0], max(level, step[1])
            certain = largest if level == GENERAL else certain
            options = _likely(trial, [largest], notes)[largest.name]
        if largest == u:
            continue
        grown[u.name] = largest = _in_order_of_axes(largest)
        if level == GENERAL:
            found.general.append(largest)
        else:
            found.certain[u.name] = _in_order_of_axes(certain)
        if level == EVALUATED:
            found.evaluated.append(largest)
    found.units = [grown.get(u.name, u) for u in units]
    if grown and why_no_group(found.units):
        found.units = list(units)
        for largest in grown.values():
            found.units = _together(found.units, largest, units, notes)
        present = {u.name for u in found.units if u.batch}
        found.certain = {name: u for name, u in found.certain.items() if name in present}
    return found


def _likely(trial: Trial, units: Sequence[Units], notes: list[str]) -> dict[str, list[Units]]:
    """By name, each units with one more dimension of their batch, where the model does not notice
    at the points tried.

    Most are ruled out by the first point; the rest go through all points together.
    """
    left = []
    for u in units:
        shapes = trial.view.shapes
        candidates = chain(_axes_beside(u, shapes), _runs_beside(u, units, shapes))
        for batch in islice(candidates, MOST_CANDIDATES):
            larger = _over(u, batch, shapes)
            if trial.holds_in_full([larger], trial.tried[:1]):
                left.append(larger)
        if next(candidates, None) is not None:
            notes.append(
                f"{u.name}: of all choices of axes for a batch the first {MOST_CANDIDATES} were "
                "tried."
            )
    held = trial.those_that_hold(left) if left else []
    return {u.name: [larger for larger in held if larger.name == u.name] for u in units}


def _one_dimension_more(
    trial: Trial, options: Sequence[Units], proofs: _Proofs, levels: Sequence[int]
) -> tuple[Units, int] | None:
    """The first of some batches that can be shown, and what that rests on."""
    for level in levels:
        for larger in options:
            shown = _confirmed(trial, larger) if level == EVALUATED else proofs.of(larger, level)
            if shown is not None and (shown == larger or trial.holds_in_full([shown])):
                return shown, level
    return None


class _Proofs:
    """Walks through a program with slices in place of sites, each walked once.

    :param likely: units whose batches are walked together, where they have one length and agree on
        each site: what is shown of one set is that no other value changes, whatever else is a slice
        at the same index.
    """

    def __init__(self, view: ModelView, likely: Sequence[Units]) -> None:
        self.view = view
        self.classes: dict[tuple, tuple[Class, ...]] = {}
        self.together: dict[tuple[int, ...], dict[str, tuple[int | Axis, ...]]] = {}
        for u in likely:
            joint = self.together.setdefault(u.batch, {})
            own = batch_of(u)
            if all(joint.get(site, axes) == axes for site, axes in own.items()):
                joint.update(own)

    def of(self, u: Units, level: int) -> Units | None:
        """The units, where the program shows that each set moves by itself."""
        own, joint = batch_of(u), self.together.get(u.batch, {})
        if not all(map(_can_be_cut, own.values())):
            return None
        is_among = all(joint.get(site) == axes for site, axes in own.items())
        for batch in [joint, own] if is_among and joint != own else [own]:
            shown = class_as_units(self._walked(batch, level), u, self.view, batch)
            if shown is not None:
                return shown
        return None

    def _walked(self, batch: Batch, level: int) -> tuple[Class, ...]:
        key = level, tuple(sorted(batch.items()))
        if key not in self.classes:
            self.classes[key] = read_program(
                self.view, any_data=level == GENERAL, batch=batch
            ).classes
        return self.classes[key]


def lengths_in_common(numbers: set[int]) -> list[int]:
    """These numbers and what two of them have in common, above 1, the greatest first: half of the
    sets are sets, too.
    """
    common = {gcd(a, b) for a in numbers for b in numbers}
    return sorted((m for m in common if m > 1), reverse=True)


def _can_be_cut(batch: Sequence[int | Axis]) -> bool:
    """Whether every set is a block of each axis: what an earlier run leaves follows on itself."""
    seen: set[int] = set()
    for run in reversed(batch):
        if isinstance(run, Axis):
            if run.axis in seen and run.outer > 1:
                return False
            seen.add(run.axis)
    return True


def _axes_beside(u: Units, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Mapping[str, int]]:
    """Axes of one length, one on each site of the units, on which nothing of theirs lies yet."""
    free: dict[str, dict[int, list[int]]] = {}  # site -> length -> axes
    for site, axs in u.placements:
        used = {a for axis in axs for a in (axis.axis, *axis.batch_axes)}
        by_length: dict[int, list[int]] = {}
        for k, n in enumerate(shapes[site]):
            if k not in used and n > 1:
                by_length.setdefault(n, []).append(k)
        free[site] = by_length
    for n in set.intersection(*(set(by_length) for by_length in free.values())):
        choices = list(product(*(by_length[n] for by_length in free.values())))
        # Most programs have a batch at the same place of all arrays.
        for axes in sorted(choices, key=lambda axes: (len(set(axes)), axes)):
            yield dict(zip(free, axes, strict=True))


def _runs_beside(
    u: Units, units: Sequence[Units], shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[Places]:
    """Runs of one number of sets, one on each site of the units: along their own axis, where they
    are repeated or a unit has several entries, or along others.

    First those of units that were found: where these are the sets, they say how the sets lie.
    """
    tried: list[Places] = []
    for v in units:
        if v.n == 1 or v == u or v.batch or not set(u.sites) <= set(v.sites):
            continue
        for axs in product(*(v.axes[site] for site in u.sites)):
            places: dict[str, int | Within] = {}
            for site, axis in zip(u.sites, axs, strict=True):
                place = _taken_out(u, site, axis, v.n)
                if place is not None:
                    places[site] = place
            is_run = any(isinstance(place, Within) for place in places.values())
            if len(places) == len(u.sites) and is_run and places not in tried:
                tried.append(places)
                yield places
    repeated = {n for _, axs in u.placements for a in axs for n in (a.outer, a.inner)}
    for m in lengths_in_common(repeated):
        for style in STYLES:
            for chosen in product(*(_runs_of(u, site, shapes[site], m, style) for site in u.sites)):
                places = dict(zip(u.sites, chosen, strict=True))
                if places not in tried and any(isinstance(p, Within) for p in chosen):
                    tried.append(places)
                    yield places


def _taken_out(u: Units, site: str, of_sets: Axis, m: int) -> int | Within | None:
    """Where a batch lies whose sets are other units; ``None`` where it is none of these."""
    if of_sets.start is not None:
        return None
    run = Axis(of_sets.axis, outer=of_sets.outer, inner=of_sets.inner)
    on_axis = [a for a in u.axes[site] if a.axis == run.axis]
    if not on_axis:
        return run.axis if run.outer == run.inner == 1 else Within(run)
    if len(u.axes[site]) > 1:
        return None
    found = [_run_along(on_axis[0], u.n, m, style) for style in STYLES]
    return next((p for p in found if p is not None and p.run == run), None)


def _runs_of(
    u: Units, site: str, shape: tuple[int, ...], m: int, style: str
) -> Iterator[int | Within]:
    """Where ``m`` sets may lie on a site: along the units' own axis in one style, or elsewhere."""
    axs = u.axes[site]
    used = {k for a in axs for k in (a.axis, *a.batch_axes)}
    own = _run_along(axs[0], u.n, m, style) if len(axs) == 1 else None
    if own is not None:
        yield own
        return
    for k, n in enumerate(shape):
        if n % m or k in used:
            continue
        if n == m:
            yield k
        else:
            yield Within(Axis(k, inner=n // m))
            yield Within(Axis(k, outer=n // m))


#: How sets may stand in what is before the units along their axis, or behind them: one program has
#: all its arrays in one style.
STYLES = ("first before", "last before", "first behind", "last behind")


def _run_along(axis: Axis, n: int, m: int, style: str) -> Within | None:
    """A run of ``m`` sets along the units' own axis ``(outer, n, inner)``; ``None`` where they do
    not fit in that style.
    """
    which, where = style.split()
    count = axis.outer if where == "before" else axis.inner
    if axis.start is not None or axis.axis in axis.batch_axes or count % m:
        return None
    rest = count // m
    # The m sets among `count` repetitions: as (m, rest), or as (rest, m).
    major, minor = (1, rest) if which == "first" else (rest, 1)
    if where == "before":
        run = Axis(axis.axis, outer=major, inner=minor * n * axis.inner)
        return Within(run, (rest, axis.inner))
    run = Axis(axis.axis, outer=axis.outer * n * major, inner=minor)
    return Within(run, (axis.outer, rest))


def _over(u: Units, batch: Places, shapes: Mapping[str, tuple[int, ...]]) -> Units:
    """The units with one more dimension of their batch."""
    axes = {}
    for site, axs in u.placements:
        axes[site] = tuple(_with_dimension(a, batch[site]) for a in axs)
    site, place = next(iter(batch.items()))
    run = place.run if isinstance(place, Within) else Axis(place)
    length = shapes[site][run.axis] // (run.outer * run.inner)
    return Units(u.name, u.n, kind=u.kind, axes=axes, batch=(*u.batch, length))


def _with_dimension(axis: Axis, place: int | Within) -> Axis:
    """An axis of units with one more dimension of their batch."""
    if not isinstance(place, Within):
        return replace(axis, batch=(*axis.batch_runs, place))
    batch = (*axis.batch_runs, place.run)
    if place.left is None or place.run.axis != axis.axis:
        return replace(axis, batch=batch)
    outer, inner = place.left
    return replace(axis, outer=outer, inner=inner, batch=batch)


def _in_order_of_axes(u: Units) -> Units:
    """The units with the dimensions of their batch as they follow on each other in their
    first array; runs along a part of an axis stay in the order in which they take it apart.
    """
    first = u.placements[0][1][0].batch_axes
    order = sorted(range(len(u.batch)), key=lambda d: first[d])
    axes = {}
    for site, axs in u.placements:
        axes[site] = tuple(replace(a, batch=tuple(a.batch_runs[d] for d in order)) for a in axs)
    return Units(u.name, u.n, kind=u.kind, axes=axes, batch=tuple(u.batch[d] for d in order))


def _confirmed(trial: Trial, u: Units) -> Units | None:
    return u if not u.has_scales and withstands(trial, u) else None


def batch_of(u: Units) -> Batch:
    """Site name -> where the units' batch runs."""
    return {site: axs[0].batch_runs for site, axs in u.placements}


def class_as_units(
    classes: Sequence[Class], u: Units, view: ModelView, batch: Batch
) -> Units | None:
    """The units, where one of these classes of slices is one set of them."""
    for c in classes:
        if c.alive and c.kind((u.kind,)) == u.kind:
            shown = c.units(u.kind, view.shapes, batch)
            if isinstance(shown, Units) and where(shown) == where(u):
                return shown.renamed(u.name)
    return None


def proved_for_one_set(view: ModelView, u: Units, level: int) -> Units | None:
    """The units where the model's program shows that each set moves by itself.

    :param level: whether that shall hold for any data, or by the values of these.
    """
    return _Proofs(view, []).of(u, level)


def _together(
    present: Sequence[Units], largest: Units, given: Sequence[Units], notes: list[str]
) -> list[Units]:
    """All units, one of them with its batch or without it: the larger group of those that Units can
    say.

    :param present: the units as they are so far, and ``given`` without any batch.
    """

    def replaced(others: Sequence[Units]) -> list[Units]:
        return [largest if other.name == largest.name else other for other in others]

    whole = replaced(present)
    if not why_no_group(whole):
        return whole
    plain = {other.name: other for other in given}
    options = [list(present)]
    for other in present:
        if other.name != largest.name:
            options.append(replaced([plain[x.name] if x is other else x for x in present]))
            options.append(replaced([x for x in present if x is not other]))
    best = max((option for option in options if not why_no_group(option)), key=_size)
    lost = [x.name for x in whole if x not in best]
    notes.append(
        f"{', '.join(lost)}: each set along a further axis has units of its own, but Units cannot "
        "say that beside "
        f"{largest.name} ({largest.describe_axes()}); the larger of the two groups is given."
    )
    return best


def _size(units: Sequence[Units]) -> float:
    return sum(u.without_scales().log_order for u in units)
