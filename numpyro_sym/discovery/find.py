"""The symmetry of a NumPyro model, found from the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..models import ModelView, Trial
from ..models.numpyro_model import MOST_ENTRIES, read_numpyro_model
from ..models.view import in_double_precision
from ..symmetry import Symmetry, SymmetryError, Units
from ..symmetry import kinds as kinds_of_arguments
from ..symmetry.arguments import check_arguments
from ..symmetry.bars import progress
from ..symmetry.deprecated import renamed_arguments
from ..symmetry.products import why_no_group
from ..symmetry.randomness import seed_of
from . import rules_control, rules_elementwise, rules_linear, rules_lookup, rules_shape  # noqa: F401 - they register
from ._explain import Namer, explain, reasons_of
from .batches import EVALUATED, GENERAL, VALUES, with_batches
from .caveats import CAVEATS, caveats_of
from .classes import Reading
from .directions import with_directions
from .evaluation import Derivatives, found_by_evaluation, with_signs, withstands
from .inference import MET
from .labels import found_with_labels
from .motions import no_permutations
from .reading import read_program
from .signs import MOST_SINGLE_SIGNS, array_flips, class_flips, flip_units, without_redundant
from .stacks import with_stacks
from .unsaid import unsaid_batches


@renamed_arguments(rng_seed="rng_key")
def find_symmetry(
    model: kinds_of_arguments.Model,
    *args: Any,
    include: kinds_of_arguments.FactorKinds = ("permutation", "signed", "scaled"),
    rng_key: kinds_of_arguments.RngKeyOrSeed = 0,
    progress_bar: bool = True,
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

    Discrete sites are summed out as NumPyro's NUTS does, by funsor (``pip install
    'numpyro_sym[enum]'``); the symmetry is that of the other sites' joint density.

    :param model: a NumPyro model, or a :class:`~numpyro_sym.LogDensity`.
    :param args: the model's arguments.
    :param include: kinds to look for, one or several of ``"permutation"``, ``"signed"``,
        ``"scaled"``.
    :param rng_key: a JAX random key, or a seed, of the random points and elements that verify what
        was found.
    :param progress_bar: whether to show one where it takes long: how often the model was evaluated.
    :param kwargs: the model's keyword arguments.
    :returns: a :class:`Symmetry`, with the same names in the same order on every run.
    :raises SymmetryError: where the model cannot be run, has no latent sites, or discrete ones that
        cannot be summed.

    >>> import jax.numpy as jnp, numpyro, numpyro.distributions as dist
    >>> def model(x, y):
    ...     w1 = numpyro.sample("w1", dist.Normal().expand([2, 4]).to_event(2))
    ...     w2 = numpyro.sample("w2", dist.Normal().expand([4]).to_event(1))
    ...     numpyro.sample("y", dist.Normal(jnp.tanh(x @ w1) @ w2, 0.1), obs=y)
    >>> print(find_symmetry(model, jnp.array([[0.1, 0.2], [0.3, 0.5]]), jnp.array([1.0, 0.5])))
    units  n  kind    order  acts on
    w1     4  signed  384    w1[1] w2[0]
    """
    check_arguments(find_symmetry, locals())
    kinds = (include,) if isinstance(include, str) else tuple(include)
    if any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves((args, kwargs))):
        raise SymmetryError(
            "find_symmetry: the model's arguments are being traced; pass concrete arrays."
        )

    def find() -> Symmetry:
        view = read_numpyro_model(model, args, kwargs)
        trial = Trial(view, 2, np.random.default_rng(seed_of(rng_key)))
        found = symmetry_of(view, lambda: trial, kinds)
        if "permutation" in kinds:
            found = with_stacks(view, found, trial, partial(symmetry_of, kinds=kinds))
        found = found.with_notes(no_permutations(trial, found.units))
        return found_with_labels(found, model, args, kwargs) if view.states else found

    with at_compile_time(), progress("find_symmetry", "evaluations", progress_bar):
        return in_double_precision(find)


def at_compile_time() -> AbstractContextManager:
    """Inside a traced function what has concrete arguments runs now.

    Outside, that would cost compilations; and what a model computes from arrays that it closes over
    would fail while a program of single precision holds the same arrays (see own_constants).
    """
    traced = isinstance(jnp.asarray(np.zeros(())), jax.core.Tracer)
    return jax.ensure_compile_time_eval() if traced else nullcontext()


def symmetry_of(
    view: ModelView,
    make_trial: Callable[[], Trial],
    kinds: Sequence[str],
    any_data: bool = False,
    evaluate: bool = True,
) -> Symmetry:
    """The symmetry of a model that has been read: proved, then by evaluation, with notes on both.

    :param make_trial: points of the model, for what is not asked where nothing is claimed.
    :param any_data: whether what is proved shall hold whatever the data are, and not by their
        values.
    :param evaluate: whether to look for what evaluation finds where no rule proves it.
    """
    namer = Namer(view)
    notes = list(view.notes)
    joint = read_program(view, any_data=any_data)
    likelihood = read_program(view, only=view.observed, any_data=any_data)
    claimed = _whole(view, proved(view, joint, kinds, namer, notes), notes)
    claimed = _commuting(without_redundant(claimed, view.shapes), notes)
    if not claimed and not evaluate:
        return Symmetry(
            notes=[
                *notes,
                "0 Units proved from the model's program.",
                *explain(joint, likelihood, [], view.prior_factors),
            ]
        )
    trial = make_trial()
    units = trial.those_that_hold(claimed)
    for u in claimed:
        if u not in units:
            notes.append(
                f"{u.name}: dropped, for it did not pass the numerical check ({u.describe_axes()})."
            )
    evaluated = []
    if evaluate:
        evaluated = [namer(u) for u in _evaluated(trial, joint, likelihood, units, kinds, notes)]
    evaluated = _whole(view, evaluated, notes)
    together = _commuting(without_redundant([*units, *evaluated], view.shapes), notes)
    general = None
    if not any_data:
        general = list(proved(view, read_program(view, any_data=True), kinds, Namer(view), []))
    levels = [GENERAL, *([] if any_data else [VALUES]), *([EVALUATED] if evaluate else [])]
    batched = with_batches(trial, together, levels, notes)
    together = without_redundant(batched.units, view.shapes)
    if evaluate:
        unsaid_batches(trial, together, notes)
    if general is not None:
        general += batched.general
    evaluated = [*evaluated, *batched.evaluated]
    together = with_directions(view, together)
    caveats = caveats_of(view, together, evaluated, general)
    certain = {}
    for name, u in batched.certain.items():
        certain[name] = Symmetry([u], caveats=caveats_of(view, [u], evaluated, general))
    for u in together:
        notes += [f"{u.name}: {CAVEATS[caveat]}" for caveat in sorted(caveats[u.name])]
    if not view.observed:
        notes.append("The model has no observed sites: was it given its data?")
    first = f"{len(units)} Units proved from the model's program"
    first += f", verified in {trial.precision} at {len(trial.tried)} points."
    if trial.precision == "float32":
        notes.append(
            "The model fixes its own precision: changes that rounding in float32 explains are not "
            "seen."
        )
    told = dict.fromkeys([first, *notes, *explain(joint, likelihood, together, view.prior_factors)])
    return Symmetry(together, notes=told, caveats=caveats, certain=certain)


def _whole(view: ModelView, units: Iterable[Units], notes: list[str]) -> list[Units]:
    """The units that act on no site of which a minibatch holds only a part."""
    kept = []
    for u in units:
        if part := [site for site in u.sites if site in view.local]:
            notes.append(
                f"{u.name}: left out, for a minibatch holds only a part of "
                f"{', '.join(map(repr, part))}."
            )
        else:
            kept.append(u)
    return kept


def proved(
    view: ModelView, reading: Reading, kinds: Sequence[str], namer: Namer, notes: list[str]
) -> Iterator[Units]:
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
            for i, flip in flips:
                # Of a matrix flattened, the signs of its rows times those of its columns may
                # cancel.
                if flip:
                    yield namer(
                        flip_units(flip, view.shapes), ".sign" + ("" if i is None else f"[{i}]")
                    )
            if not c.alive and c.parities and c.var.size > MOST_SINGLE_SIGNS:
                notes.append(
                    f"The {c.var.size} positions of {c} each have a sign of their own; only the "
                    "sign of all is listed."
                )
    for flip in array_flips(reading) if "signed" in kinds else ():
        if all(view.shapes[name] for name, _, _ in flip):
            yield namer(flip_units(flip, view.shapes), ".sign")
        else:
            listed = ", ".join(map(repr, sorted({name for name, _, _ in flip})))
            notes.append(
                f"The signs of {listed} cancel; not listed, for scalar sites have no axis to act "
                "on."
            )


def _commuting(units: Sequence[Units], notes: list[str]) -> list[Units]:
    """The units, less those that make no group with earlier ones."""
    if not why_no_group(units):
        return list(units)
    kept: list[Units] = []
    for u in units:
        if why_no_group([*kept, u]):
            notes.append(
                f"{u.name}: left out, for it does not commute with the others "
                f"({u.describe_axes()})."
            )
        else:
            kept.append(u)
    return kept


def _evaluated(
    trial: Trial,
    joint: Reading,
    likelihood: Reading,
    proved: Sequence[Units],
    kinds: Sequence[str],
    notes: list[str],
) -> Iterator[Units]:
    """What evaluation finds on axes whose positions an operation without a proof told apart.

    First what the program suggests: positions that it ties to one another, in all of the model or
    in the likelihood. Then, where no constant told them apart, any set of axes of one length.
    """
    shapes = trial.view.shapes
    if "permutation" not in kinds:
        return
    if sum(map(prod, shapes.values())) > MOST_ENTRIES:
        notes.append(
            f"Not searched by evaluation, for the model has more than {MOST_ENTRIES} entries."
        )
        return
    derivatives, signs = Derivatives(trial), "signed" in kinds
    moved: set[tuple[str, int]] = set()
    for u in proved:
        for site, axs in u.placements:
            moved |= {(site, axis.axis) for axis in axs if u.n > 1}
    why = {}
    for site, value in joint.sites.items():
        for k, layout in enumerate(value.axes):
            why[site, k] = reasons_of(layout)
    for c in (*joint.classes, *likelihood.classes):
        if moved.isdisjoint(c.where) and any(r.opaque for place in c.where for r in why[place]):
            units = c.units("permutation", shapes)
            if isinstance(units, Units) and withstands(trial, units):
                moved.update(c.where)
                yield with_signs(trial, derivatives, units) if signs else units
    by_length: dict[int, list[tuple[str, int]]] = {}
    for (site, axis), reasons in why.items():
        unproved = reasons and all(r.opaque or r.text == MET for r in reasons)
        if unproved and (site, axis) not in moved:
            by_length.setdefault(shapes[site][axis], []).append((site, axis))
    for n, axes in by_length.items():
        yield from found_by_evaluation(trial, derivatives, axes, n, signs)
