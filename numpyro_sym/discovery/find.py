"""The symmetry of a NumPyro model, found from the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..symmetry import Axis, Symmetry, SymmetryError, Units
from ..symmetry.units import KINDS, Kind
from . import rules_control, rules_elementwise, rules_linear, rules_shape  # noqa: F401 - they register themselves
from .classes import MOST_SINGLE_SIGNS, Class, Flip, array_flips, class_flips, flip_axes, joined, read_classes
from .evaluation import permutations_by_evaluation
from .explain import explain, reasons_of
from .inference import MET, Value, Walk, walk_jaxpr
from .layout import Reason
from .model import NumPyroModel, read_numpyro_model
from .names import Namer
from .verify import Trial, verified

MOST_ENTRIES = 20_000  # larger models are not searched by evaluation


def find_symmetry(
    model: Callable[..., Any],
    *args: Any,
    include: Kind | Sequence[Kind] = ("permutation", "signed", "scaled"),
    rng_seed: int = 0,
    **kwargs: Any,
) -> Symmetry:
    """The permutations, signs and scales of hidden units that leave a model as it is.

    The model's program is read axis by axis: which positions does no operation tell apart, and
    which factors cancel? What that proves, and what evaluating the model suggests where a program
    is opaque, is verified in float64 at random points before it is returned. A symmetry that is
    not there is never returned; one that is there may be missed: ``print(sym.explain())`` tells
    what was not found to be symmetric, and why.

    The symmetry is that of this data, and of one choice of a minibatch's rows. Units of kind
    ``"scaled"`` leave the likelihood as it is, and their permutations the posterior too.

    :param model: a NumPyro model without discrete latent sites.
    :param args: the model's arguments.
    :param include: kinds to look for, one or several of ``"permutation"``, ``"signed"``, ``"scaled"``.
    :param rng_seed: seed of the random points and elements that verify what was found.
    :param kwargs: the model's keyword arguments.
    :returns: a :class:`Symmetry`, with the same names in the same order on every run.
    :raises SymmetryError: where the model cannot be run, has no latent sites, or discrete ones.

    >>> import jax.numpy as jnp, numpyro, numpyro.distributions as dist
    >>> def model(x, y):
    ...     w1 = numpyro.sample("w1", dist.Normal().expand([2, 4]).to_event(2))
    ...     w2 = numpyro.sample("w2", dist.Normal().expand([4]).to_event(1))
    ...     numpyro.sample("y", dist.Normal(jnp.tanh(x @ w1) @ w2, 0.1), obs=y)
    >>> print(find_symmetry(model, jnp.array([[0.1, 0.2], [0.3, 0.5]]), jnp.array([1.0, 0.5])))
    units  n  kind    order  acts on
    w1     4  signed  384    w1[1] w2[0]
    """
    kinds = (include,) if isinstance(include, str) else tuple(include)
    for kind in kinds:
        if kind not in KINDS:
            raise SymmetryError(f"find_symmetry: include must be among {KINDS}; got {kind!r}.")
    if any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves((args, kwargs))):
        raise SymmetryError("find_symmetry: the model's arguments are being traced; pass concrete arrays.")
    # Inside a traced function what has concrete arguments runs now; outside, that would cost compilations.
    traced = isinstance(jnp.asarray(np.zeros(())), jax.core.Tracer)
    with jax.enable_x64(True), jax.ensure_compile_time_eval() if traced else nullcontext():
        view = read_numpyro_model(model, args, kwargs)
        trial = Trial(view, 2, rng_seed)
        return symmetry_of(view, trial, kinds)


@dataclass(frozen=True)
class Reading:
    """What a walk through the model's program found.

    :param sites: the types of the latent sites.
    :param flips: a basis of the signs of whole arrays.
    """

    walk: Walk
    sites: dict[str, Value]
    classes: list[Class]
    flips: list[dict]


def read_program(view: NumPyroModel, jaxpr: Any, only: Iterable[str] | None = None) -> Reading:
    """Types of the latent sites, from a walk through the program of the model's densities.

    :param only: names of the sites whose densities (and supports) must be invariant; all.
    """
    walk = Walk()
    names = list(view.shapes)
    supports = {n: f"support of {n}" for n in names}
    wanted = {*names, *view.observed, *supports.values()} if only is None else set(only)
    outputs = jax.tree.leaves(({n: n for n in names}, {n: n for n in view.observed}, supports))
    feeds = [frozenset([n]) if n in wanted else None for n in outputs]
    sites = {n: rules_control.unknown_value(walk, view.shapes[n]) for n in names}
    results = walk_jaxpr(walk, jaxpr.jaxpr, jaxpr.consts, [sites[n] for n in sorted(names)], feeds)
    for value, feed in zip(results, feeds, strict=True):
        if feed is not None and isinstance(value, Value):
            walk.feeds = feed
            walk.vanish(value)
    return Reading(walk, sites, *read_classes(walk, sites, [*view.observed, *supports.values()]))


def symmetry_of(view: NumPyroModel, trial: Trial, kinds: tuple[str, ...]) -> Symmetry:
    """The symmetry of a model that has been read: proved, then by evaluation, with notes on both."""
    jaxpr = jax.make_jaxpr(view.evaluate)(trial.points[0])
    reading = read_program(view, jaxpr)
    namer = Namer(view)
    notes: list[str] = []
    units = list(_proved(view, reading, kinds, namer, notes))
    proved, dropped = verified(trial, _commuting(units, notes))
    notes += [f"{u.name}: dropped, for it did not pass the numerical check ({u.describe_axes()})." for u in dropped]
    evaluated: list[Units] = []
    likelihood = read_program(view, jaxpr, only=view.observed)
    if "permutation" in kinds:
        evaluated = [u.renamed(namer(u)) for u in _evaluated(view, trial, reading, likelihood, proved, notes)]
    together = _commuting([*proved, *evaluated], notes)
    unproved = "found by evaluation, not proved: no rule shows it, but it held at every point tried."
    notes += [f"{u.name}: {unproved}" for u in evaluated]
    notes += explain(view, reading, likelihood, together)
    first = f"{len(proved)} Units proved from the model's program"
    first += f", verified in float64 at {len(trial.points)} random points."
    return Symmetry(together, notes=dict.fromkeys([first, *notes]))


def _proved(
    view: NumPyroModel, reading: Reading, kinds: tuple[str, ...], namer: Namer, notes: list[str]
) -> Iterable[Units]:
    """Units of every class of the program, then signs of whole arrays."""
    known: list[Flip] = []
    for c in reading.classes:
        flips = class_flips(c, view.shapes)
        known += [flip for _, flip in flips]
        kind = _kind(c, kinds)
        if c.alive and kind is not None:
            units = _units(view, c, kind, notes)
            if units is not None:
                units = units.renamed(namer(units))
                yield units
                if kind == "signed":
                    flips = flips[1:]
                if kind == "signed" and c.degrees is not None and "scaled" in kinds:
                    notes.append(
                        f"{units.name}: positive scales leave the likelihood as it is, too; "
                        "include=('permutation', 'scaled') gives those in place of the signs."
                    )
        if "signed" in kinds:
            for unit, flip in flips:
                yield _flip_units(flip, namer, unit)
            if not c.alive and c.parities and c.n > MOST_SINGLE_SIGNS:
                notes.append(
                    f"The {c.n} positions of {_where(c)} each have a sign of their own; only the sign of all is listed."
                )
    if "signed" in kinds:
        for flip in array_flips(reading.flips, reading.sites, known):
            scalars = [name for name in flip if not view.shapes[name]]
            if scalars:
                listed = ", ".join(repr(name) for name in flip)
                notes.append(f"The signs of {listed} cancel; not listed, for scalar sites have no axis to act on.")
            else:
                yield _flip_units(flip, namer, None)


def _kind(c: Class, kinds: tuple[str, ...]) -> Kind | None:
    if "signed" in kinds and c.parities:
        return "signed"
    if "scaled" in kinds and c.degrees is not None:
        return "scaled"
    return "permutation" if "permutation" in kinds else None


def _units(view: NumPyroModel, c: Class, kind: Kind, notes: list[str]) -> Units | None:
    """A class as ``Units``, still without a name; ``None``, with a note, where they cannot say it."""
    powers = {"signed": c.parities[:1], "scaled": (c.degrees,), "permutation": ()}[kind] or ((0,) * len(c.places),)
    placed: dict[str, list[Axis]] = {}
    for place, power in zip(c.places, powers[0] or (), strict=True):
        blocks = place.blocks(power)
        if blocks is None:
            notes.append(f"{_where(c)}: interchangeable, but not in blocks that an Axis can name; left out.")
            return None
        placed.setdefault(place.site, []).extend(blocks)
    try:
        return Units("found", c.n, axes={s: joined(b, c.n, view.shapes[s]) for s, b in placed.items()}, kind=kind)
    except SymmetryError:
        notes.append(f"{_where(c)}: interchangeable, but twice along one axis, which Units cannot say; left out.")
        return None


def _flip_units(flip: Flip, namer: Namer, unit: int | None) -> Units:
    units = Units("found", 1, axes=flip_axes(flip), kind="signed")
    return units.renamed(namer(units, unit, "sign"))


def _where(c: Class) -> str:
    return " ".join(dict.fromkeys(f"{p.site}[{p.axis}]" for p in c.places))


def _commuting(units: Sequence[Units], notes: list[str]) -> list[Units]:
    """The units, less those that do not commute with earlier ones."""
    try:
        Symmetry(units)
        return list(units)
    except SymmetryError:
        pass
    kept: list[Units] = []
    for u in units:
        try:
            Symmetry([*kept, u])
            kept.append(u)
        except SymmetryError:
            notes.append(f"{u.name}: left out, for it does not commute with the others ({u.describe_axes()}).")
    return kept


def _evaluated(
    view: NumPyroModel, trial: Trial, joint: Reading, likelihood: Reading, proved: Sequence[Units], notes: list[str]
) -> Iterable[Units]:
    """What evaluation finds on axes whose positions an operation without a proof told apart.

    First what the program suggests: positions that it ties to one another, in all of the model or
    in the likelihood. Then, where no constant told them apart, any set of axes of one length.
    """
    if sum(map(prod, view.shapes.values())) > MOST_ENTRIES:
        notes.append(f"Not searched by evaluation, for the model has more than {MOST_ENTRIES} entries.")
        return
    moved = {(s, a.axis) for u in proved if u.n > 1 for s, axs in u.placements for a in axs}
    for c in (*joint.classes, *likelihood.classes):
        where = {(p.site, p.axis) for p in c.places}
        if not where & moved and any(r.opaque for s, a in where for r in axis_reasons(joint, s, a)):
            units = _units(view, c, "permutation", [])
            if units is not None and trial.withstands(units):
                moved |= where
                yield units
    by_length: dict[int, list[tuple[str, int]]] = {}
    for name, value in joint.sites.items():
        for axis, n in enumerate(value.shape):
            reasons = [r for r in axis_reasons(joint, name, axis) if r.text != MET]
            if (name, axis) not in moved and reasons and all(r.opaque for r in reasons):
                by_length.setdefault(n, []).append((name, axis))
    for n, axes in by_length.items():
        yield from permutations_by_evaluation(trial, axes, n)


def axis_reasons(reading: Reading, site: str, axis: int) -> list[Reason]:
    """Why positions along an axis of a site are told apart."""
    layout = reading.sites[site].axes[axis]
    return reasons_of(layout) if layout is not None else []
