"""Whether a symmetry holds: the model's own densities before and after it acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np

from ..symmetry import Axis, CheckReport, Symmetry, SymmetryError, Units
from ..symmetry.stacks import stacked_shapes
from .complete_data import discrete_sites, label_sites_there, read_complete_data
from .numpyro_model import read_numpyro_model
from .trial import Changes, Trial
from .view import ModelView, in_double_precision


def check_model(
    sym: Symmetry,
    model: Callable[..., Any],
    args: tuple,
    kwargs: dict[str, Any],
    num_points: int,
    num_elements: int,
    rng_seed: int,
) -> CheckReport:
    """What ``Symmetry.check`` does: read the model in float64, and compare its densities."""

    def check() -> CheckReport:
        view = _read(sym, model, args, kwargs)
        try:
            sym.check_shapes(view.shapes)
        except SymmetryError as error:
            raise SymmetryError(" ".join([str(error), *view.notes])) from None
        return check_symmetry(sym.units, view, num_points, num_elements, rng_seed)

    return in_double_precision(check)


def _read(
    sym: Symmetry, model: Callable[..., Any], args: tuple, kwargs: dict[str, Any]
) -> ModelView:
    """The model; where the symmetry moves labels that the model draws, these are a part of the
    point.
    """
    named = []
    for u in sym:
        named += [(site, u.name, u.n) for site in u.values]
    if named:
        discrete = discrete_sites(model, args, kwargs)
        labels = {site: discrete[site] for site in label_sites_there(discrete, named)}
        if labels:
            return read_complete_data(model, args, kwargs, labels)
    return read_numpyro_model(model, args, kwargs)


def check_symmetry(
    units: Sequence[Units], view: ModelView, num_points: int, num_elements: int, rng_seed: int
) -> CheckReport:
    """Compare densities at random points before and after each ``Units`` acts; raise where they
    differ.
    """
    if num_points < 1 or num_elements < 1:
        raise SymmetryError(
            f"check: num_points and num_elements must be at least 1; got {num_points}, "
            f"{num_elements}."
        )
    trial = Trial(view, num_points, np.random.default_rng(rng_seed), num_elements)
    rows = []
    for u in units:
        changes = trial.changes([u], trial.everywhere)
        if not holds(u, changes):
            raise SymmetryError(_explain(u, changes, trial))
        what, change = "log joint", changes.joint
        if u.has_scales:
            what, change = "log likelihood", changes.likelihood
        rows.append((u.name, u.kind, what, abs(change.nats), change.allowed))
    return CheckReport(tuple(rows), len(trial.everywhere), num_elements)


def holds(u: Units, changes: Changes) -> bool:
    """Whether units that changed so much are a symmetry: of the joint, or with scales of the
    likelihood.
    """
    if u.has_scales:
        return changes.likelihood.is_rounding
    return changes.joint.is_rounding and not changes.left_support


def _explain(u: Units, change: Changes, trial: Trial) -> str:
    batch = f" ({u.describe_size()}, each set by itself)" if u.batch else ""
    head = f"Units {u.name!r}{batch} are no symmetry of this model"
    if not u.has_scales:
        for site in change.left_support:
            return f"{head}: they move the value of site {site!r} out of its support."
        for site, d in change.latent.items():
            # A prior that varies along the axis shows at its own site, whatever the rest does.
            if not d.is_rounding and site in u.axes and change.likelihood.is_rounding:
                axes = ", ".join(_named(a) for a in u.axes[site])
                why = _shared_that_holds(u, trial) or _kind_that_holds(u, trial)
                return (
                    f"{head}: the prior of site {site!r} tells its {u.n} entries apart along axis "
                    f"{axes} (its log density changes by {abs(d.nats):.2g} nats).{why}"
                )
    remedy = _remedy(u, trial)
    what, sites = "log likelihood", change.observed
    if not u.has_scales:
        what, sites = "log joint density", {**change.observed, **change.latent}
    large = {site: d for site, d in sites.items() if not d.is_rounding}
    changed = ", ".join(f"{site!r} by {abs(d.nats):.2g} nats" for site, d in large.items())
    return f"{head}: the {what} changes ({changed or 'in sum'}). {remedy}"


def _kind_that_holds(u: Units, trial: Trial) -> str:
    if not u.has_factors:
        return ""
    plain = u.with_kind("permutation")
    if holds(plain, trial.changes([plain], trial.everywhere)):
        return " With kind='permutation' it holds."
    return ""


def _shared_that_holds(u: Units, trial: Trial) -> str:
    """Whether it holds where all sets of a batch move together."""
    if not u.batch:
        return ""
    axes = {}
    for site, axs in u.placements:
        axes[site] = tuple(replace(axis, batch=()) for axis in axs)
    shared = Units(u.name, u.n, kind=u.kind, axes=axes)
    if holds(shared, trial.changes([shared], trial.everywhere)):
        return f" Without batch={u.batch} it holds: all sets move together, not each by itself."
    return ""


def _remedy(u: Units, trial: Trial) -> str:
    """The one change to the specification that makes it hold, if there is one."""
    shared = _shared_that_holds(u, trial)
    if shared:
        return shared.strip()
    for text, other in _edits(u, trial.view.shapes):
        if holds(other, trial.changes([other], trial.everywhere)):
            return text
    if _kind_that_holds(u, trial):
        return "With kind='permutation' it holds; their factors are what breaks it."
    listed = []
    for site, axs in u.placements:
        listed += [f"{site!r} axis {_named(axis)}" for axis in axs]
    named = ", ".join(listed)
    return f"Check the axes named ({named}) and whether a site or an axis is missing."


def _edits(u: Units, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, Units]]:
    """Specifications one step away: an axis moved, forgotten, too many, or with another power."""
    # The word under which each power is written.
    powers = {1: "incoming", -1: "outgoing", 0: "axes"}
    shapes = stacked_shapes(dict(u.stacked), shapes)
    for site, axs in u.placements:
        shape = shapes[site]
        own = [a.resolved(len(shape)) for a in axs]
        for i, a in enumerate(axs):
            # The other axes on which the units lie there.
            rest, rest_own = axs[:i] + axs[i + 1 :], own[:i] + own[i + 1 :]
            for other in _places(u, shape):
                is_another = (other.axis, other.batch) != (own[i].axis, own[i].batch)
                if is_another and _fits_beside(other, rest_own):
                    moved = u.with_axes({**u.axes, site: (*rest, other.with_power(a.power or 0))})
                    made = f"axis {_named(other)} makes it hold, not axis {_named(a)}"
                    yield f"Site {site!r}: {made}.", moved
            for power, word in powers.items():
                if u.has_factors and power != a.power:
                    named = u.with_axes({**u.axes, site: (*rest, replace(a, power=power))})
                    yield f"Site {site!r}, axis {_named(a)}: name it in {word}.", named
            # A site on which nothing is left is left out.
            dropped = {s: x for s, x in {**u.axes, site: rest}.items() if x}
            if dropped:
                yield f"Site {site!r}, axis {_named(a)}: leave it out.", u.with_axes(dropped)
    if u.values:
        without = f"Without labels {u.describe_labels()} it holds"
        yield f"{without}: leave them out of values.", u.with_values(())
    for site, shape in shapes.items():
        if site in u.values:
            continue
        there = [a.resolved(len(shape)) for a in u.axes.get(site, ())]
        for other in _places(u, shape):
            if not _fits_beside(other, there):
                continue
            for power, word in powers.items():
                if not u.has_factors and power:
                    continue
                axs = (*u.axes.get(site, ()), other.with_power(power))
                written = f"Axis({other.axis}, batch={other.batch_axes})" if u.batch else other.axis
                must = f"Site {site!r}, axis {_named(other)} must move too"
                text = f"{must}: add {word}={{{site!r}: {written}}}."
                yield text, u.with_axes({**u.axes, site: axs})


def _fits_beside(other: Axis, axs: Sequence[Axis]) -> bool:
    """Whether units can lie on an axis of an array besides those on which they lie."""
    for a in axs:
        meets = other.axis in (a.axis, *a.batch_axes) or a.axis in other.batch_axes
        if meets or not a.is_plain:
            return False
    return True


def _named(axis: Axis) -> str:
    """An axis in a sentence: ``1``, or ``1 over 0``; of a block, the axis alone."""
    return str(Axis(axis.axis, batch=axis.batch))[1:-1]


def _places(u: Units, shape: tuple[int, ...]) -> Iterator[Axis]:
    """Whole axes of an array on which the units could lie, their batch on axes of its lengths."""
    for axes in permutations(range(len(shape)), len(u.shape)):
        *batch, k = axes
        if tuple(shape[a] for a in axes) == u.shape:
            yield Axis(k, batch=tuple(batch))
