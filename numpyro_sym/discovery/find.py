"""The symmetry of a NumPyro model, found from the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..symmetry import ModelView, Symmetry, SymmetryError, Trial, Units
from ..symmetry.units import KINDS, Kind
from ..symmetry.view import in_double_precision
from . import rules_control, rules_elementwise, rules_linear, rules_shape  # noqa: F401 - they register themselves
from .classes import Reading, read_classes
from .evaluation import Derivatives, found_by_evaluation, with_signs, withstands
from .inference import MET, Value, Walk
from .model import read_numpyro_model
from .program import needed, walk_jaxpr
from .signs import MOST_SINGLE_SIGNS, array_flips, class_flips, flip_units, without_redundant
from .words import Namer, explain, reasons_of

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

    def find() -> Symmetry:
        view = read_numpyro_model(model, args, kwargs)
        return symmetry_of(Trial(view, 2, np.random.default_rng(rng_seed)), kinds)

    # Inside a traced function what has concrete arguments runs now; outside, that would cost compilations.
    traced = isinstance(jnp.asarray(np.zeros(())), jax.core.Tracer)
    with jax.ensure_compile_time_eval() if traced else nullcontext():
        return in_double_precision(find)


def symmetry_of(trial: Trial, kinds: Sequence[str]) -> Symmetry:
    """The symmetry of a model that has been read: proved, then by evaluation, with notes on both."""
    view, namer = trial.view, Namer(trial.view)
    notes: list[str] = []
    jaxpr = jax.make_jaxpr(view.evaluate)(trial.points[0])
    joint, likelihood = read_program(view, jaxpr), read_program(view, jaxpr, only=view.observed)
    claimed = without_redundant(proved(view, joint, kinds, namer, notes), view.shapes)
    claimed = _commuting(claimed, notes)
    units = _verified(trial, claimed)
    for u in claimed:
        if u not in units:
            notes.append(f"{u.name}: dropped, for it did not pass the numerical check ({u.describe_axes()}).")
    evaluated = [namer(u) for u in _evaluated(trial, joint, likelihood, units, kinds, notes)]
    for u in evaluated:
        notes.append(f"{u.name}: found by evaluation, not proved: no rule shows it, but it held at every point tried.")
    together = _commuting(without_redundant([*units, *evaluated], view.shapes), notes)
    if not view.observed:
        notes.append("The model has no observed sites: was it given its data?")
    first = f"{len(units)} Units proved from the model's program"
    first += f", verified in {trial.precision} at {len(trial.points)} random points."
    if trial.precision == "float32":
        notes.append("The model fixes its own precision and does not run in float64: a change below 1e-4 is not seen.")
    return Symmetry(together, notes=dict.fromkeys([first, *notes, *explain(joint, likelihood, together)]))


def read_program(view: ModelView, jaxpr: Any, only: Iterable[str] | None = None) -> Reading:
    """Types of the latent sites, from a walk through the program of the model's densities.

    :param only: names of the sites whose densities (and supports) must be invariant; all.
    """
    walk, names = Walk(), sorted(view.shapes)
    supports = {n: f"support of {n}" for n in names}
    wanted = {*names, *view.observed, *supports.values()} if only is None else set(only)
    outputs = [*names, *sorted(view.observed), *supports.values()]  # a dict's leaves come sorted
    feeds = [frozenset([n]) if n in wanted else None for n in outputs]
    sites = {n: walk.unknown_value(shape) for n, shape in view.shapes.items()}
    for value, feed in zip(walk_jaxpr(walk, jaxpr, [sites[n] for n in names], feeds), feeds, strict=True):
        if feed is not None and isinstance(value, Value):
            walk.feeds = feed
            walk.vanish(value)
    use = needed(jaxpr.jaxpr, feeds)[1]
    scalable = {n for n, v in zip(names, jaxpr.jaxpr.invars, strict=True) if use.get(v, frozenset()) & {*view.observed}}
    return read_classes(walk, sites, [*view.observed, *supports.values()], scalable)


def proved(view: ModelView, reading: Reading, kinds: Sequence[str], namer: Namer, notes: list[str]) -> Iterator[Units]:
    """Units of every class of the program, then signs of whole arrays."""
    for c in reading.classes:
        flips = list(class_flips(c))
        kind = c.kind(kinds)
        units = c.units(kind, view.shapes) if c.alive and kind is not None else None
        if isinstance(units, str):
            notes.append(f"{c}: {units}; left out.")
        elif units is not None:
            units = namer(units)
            yield units
            if kind == "signed":
                flips = flips[1:]
            if kind == "signed" and c.degrees is not None and "scaled" in kinds:
                notes.append(
                    f"{units.name}: positive scales leave the likelihood as it is, too; "
                    "include=('permutation', 'scaled') gives those in place of the signs."
                )
        if "signed" in kinds:
            yield from (
                namer(flip_units(flip, view.shapes), ".sign" + ("" if i is None else f"[{i}]")) for i, flip in flips
            )
            if not c.alive and c.parities and c.var.size > MOST_SINGLE_SIGNS:
                notes.append(
                    f"The {c.var.size} positions of {c} each have a sign of their own; only the sign of all is listed."
                )
    for flip in array_flips(reading) if "signed" in kinds else ():
        if all(view.shapes[name] for name, _, _ in flip):
            yield namer(flip_units(flip, view.shapes), ".sign")
        else:
            listed = ", ".join(map(repr, sorted({name for name, _, _ in flip})))
            notes.append(f"The signs of {listed} cancel; not listed, for scalar sites have no axis to act on.")


def _verified(trial: Trial, units: Sequence[Units]) -> list[Units]:
    """The units that hold: permutations and signs by the joint, scales by the likelihood.

    All are tried at once; one by one only where that fails.
    """
    plain = [u.with_kind("permutation") if u.kind == "scaled" else u for u in units]
    if trial.holds(plain) and (plain == list(units) or trial.holds(units)):
        return list(units)
    return [u for u, p in zip(units, plain, strict=True) if trial.holds([p]) and trial.holds([u])]


def _commuting(units: Sequence[Units], notes: list[str]) -> list[Units]:
    """The units, less those that do not commute with earlier ones."""
    kept: list[Units] = []
    try:
        return list(Symmetry(units))
    except SymmetryError:
        pass
    for u in units:
        try:
            kept = list(Symmetry([*kept, u]))
        except SymmetryError:
            notes.append(f"{u.name}: left out, for it does not commute with the others ({u.describe_axes()}).")
    return kept


def _evaluated(
    trial: Trial, joint: Reading, likelihood: Reading, proved: Sequence[Units], kinds: Sequence[str], notes: list[str]
) -> Iterator[Units]:
    """What evaluation finds on axes whose positions an operation without a proof told apart.

    First what the program suggests: positions that it ties to one another, in all of the model or in the likelihood.
    Then, where no constant told them apart, any set of axes of one length.
    """
    shapes = trial.view.shapes
    if "permutation" not in kinds:
        return
    if sum(map(prod, shapes.values())) > MOST_ENTRIES:
        notes.append(f"Not searched by evaluation, for the model has more than {MOST_ENTRIES} entries.")
        return
    derivatives, signs = Derivatives(trial), "signed" in kinds
    moved = {(s, a.axis) for u in proved if u.n > 1 for s, axs in u.placements for a in axs}
    why = {(s, k): reasons_of(a) for s, v in joint.sites.items() for k, a in enumerate(v.axes)}
    for c in (*joint.classes, *likelihood.classes):
        if moved.isdisjoint(c.where) and any(r.opaque for place in c.where for r in why[place]):
            units = c.units("permutation", shapes)
            if isinstance(units, Units) and withstands(trial, units):
                moved.update(c.where)
                yield with_signs(trial, derivatives, units) if signs else units
    by_length: dict[int, list[tuple[str, int]]] = {}
    for (site, axis), reasons in why.items():
        if (site, axis) not in moved and reasons and all(r.opaque or r.text == MET for r in reasons):
            by_length.setdefault(shapes[site][axis], []).append((site, axis))
    for n, axes in by_length.items():
        yield from found_by_evaluation(trial, derivatives, axes, n, signs)
