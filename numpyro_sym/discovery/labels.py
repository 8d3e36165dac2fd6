"""Labels that move with the units of a symmetry: which discrete sites hold them, by the
complete-data joint.

A symmetry of the joint with discrete sites summed out says nothing of the sites themselves. Where
one has as many values as there are units, it may hold their labels; where it has an axis as long,
units may lie along it. What leaves log p(y, theta, z) as it is at random values of all discrete
sites is how they move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, permutations, product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..models import Trial
from ..models.complete_data import DiscreteSite, discrete_sites, read_complete_data
from ..models.view import in_double_precision
from ..symmetry import Axis, Symmetry, SymmetryError, Units

Sites = Mapping[str, DiscreteSite]
#: How the discrete sites of one kind move: as labels, or along an axis; ``None`` where they stay.
Way = Axis | None

#: Ways tried for one ``Units``; sites of one shape and number of values are taken to move alike
#: first.
MOST_WAYS, MOST_SITES = 64, 5


BLOCK = (
    "Of the {n} units and of others are the labels in {sites}, which have more values, and labels "
    "of a block of units cannot be named in values. Components that are concatenated before they "
    "are looked up are exchanged only within each array: where all are alike, write one site."
)
SOME_SETS = (
    "There are {batch} sets of units, and labels of some of them (in {sites}) cannot be named in "
    "values: a site of labels has an axis for the sets."
)
REMEDY = "Draw them from the moved parameters: Predictive(model, draws, infer_discrete=True)."


class Labeled(NamedTuple):
    """A symmetry of the complete-data joint.

    :param sym: with ``values``; the units that go together with the discrete sites in some way.
    :param lost: names of the others, and why.
    """

    sym: Symmetry
    lost: Mapping[str, str]


def with_labels(
    sym: Symmetry,
    model: Callable[..., Any],
    args: tuple,
    kwargs: Mapping[str, Any],
    rng_seed: int = 0,
) -> Labeled:
    """The symmetry with the sites that hold labels of its units, each verified in float64.

    :param sym: of the model with its discrete sites summed out; sites that it names already stay as
        they are named.
    :raises SymmetryError: where the model cannot be evaluated at given values of its discrete
        sites.
    """
    sites = discrete_sites(model, args, kwargs)
    if not sites or not sym.units:
        return Labeled(sym, {})

    def found() -> dict[str, Units | None]:
        view = read_complete_data(model, args, kwargs, sites)
        trial = Trial(view, 2, np.random.default_rng(rng_seed), num_elements=2)
        return {u.name: _labeled(u, sites, trial) for u in sym}

    carried = in_double_precision(found)
    kept = [u for u in carried.values() if u is not None]
    lost = {u.name: _why_lost(u, sites) for u in sym if carried[u.name] is None}
    return Labeled(Symmetry(kept, notes=sym.notes, caveats=sym.caveats, certain=sym.certain), lost)


def _labeled(u: Units, sites: Sites, trial: Trial) -> Units | None:
    """The units with the first way in which they and the discrete sites leave the complete-data
    joint as it is.
    """
    for way in islice(_ways(u, sites), MOST_WAYS):
        if trial.holds([way.without_scales()]):
            return way
    return None


def _ways(u: Units, sites: Sites) -> Iterator[Units]:
    kinds: dict[tuple, list[str]] = {}
    for name, site in sites.items():
        if name not in u.values:
            kinds.setdefault((site.shape, site.states), []).append(name)
    yield from _all_ways(u, sites, list(kinds.values()))
    if max(map(len, kinds.values()), default=1) > 1 and len(sites) <= MOST_SITES:
        yield from _all_ways(u, sites, [[name] for name in sites if name not in u.values])


def _all_ways(u: Units, sites: Sites, groups: Sequence[Sequence[str]]) -> Iterator[Units]:
    """Every combination of how groups of sites move, the sites of each alike; labels first."""
    for ways in product(*(list(_moves(u, sites[names[0]])) for names in groups)):
        axes, values = u.axes, u.values
        for names, way in zip(groups, ways, strict=True):
            if way is None:
                continue
            for name in names:
                if way.is_of_labels:
                    values[name] = way
                else:
                    axes[name] = (way,)
        yield u.with_axes(axes).with_values(values)


def _moves(u: Units, site: DiscreteSite) -> Iterator[Way]:
    """How one site may move: it holds labels, it stays, or units lie along it."""
    ndim, batch = len(site.shape), u.batch
    places = [
        axes
        for axes in permutations(range(ndim), len(batch))
        if tuple(site.shape[a] for a in axes) == batch
    ]
    if site.states == u.n:
        yield from (Axis(batch=axes) for axes in places)
    yield None
    for axes in places:
        for k in set(range(ndim)) - set(axes):
            if site.shape[k] == u.n:
                yield replace(Axis(k, power=0), batch=axes)


def _why_lost(u: Units, sites: Sites) -> str:
    """Which sites may hold labels of these units in a way that ``values`` cannot say."""
    more = [repr(name) for name, site in sites.items() if site.states and site.states > u.n]
    as_many = [repr(name) for name, site in sites.items() if site.states == u.n]
    if more:
        return BLOCK.format(n=u.n, sites=", ".join(more))
    if u.batch and as_many:
        return SOME_SETS.format(batch=prod(u.batch), sites=", ".join(as_many))
    return "No way was found in which they and the units leave the joint as it is."


def found_with_labels(
    sym: Symmetry, model: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]
) -> Symmetry:
    """What was found in a model with its discrete sites summed out, with the labels that move
    along.

    Units for which no labels are found stay as they are, and a note says so.
    """
    try:
        found, lost = with_labels(sym, model, args, kwargs)
    except SymmetryError as error:
        return _noted(sym, [f"Labels were not looked for: {error}"])
    notes = [
        f"{u.name}: sites {', '.join(u.values)} hold its labels, verified by evaluating the joint "
        "at given labels."
        for u in found
        if u.values
    ]
    for why in dict.fromkeys(lost.values()):
        names = ", ".join(name for name in lost if lost[name] == why)
        notes.append(f"{names}: draws of the discrete sites do not move along. {why} {REMEDY}")
    whole = [sym[u.name] if u.name in lost else found[u.name] for u in sym]
    return _noted(Symmetry(whole, notes=sym.notes, caveats=sym.caveats, certain=sym.certain), notes)


def _noted(sym: Symmetry, notes: Sequence[str]) -> Symmetry:
    return Symmetry(sym.units, notes=[*sym.notes, *notes], caveats=sym.caveats, certain=sym.certain)
