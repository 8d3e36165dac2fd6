"""Symmetries that are no permutations, signs or scales of units: named, and what to do about them.

A class that is the reference of a coding, rotations of factors, common shifts: each is one motion
of a point, tried where a model has the shapes for it. The likelihood must not notice it, and must
notice one that is a little different: what it does not see at all proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ..models import Trial
from ..models.numpyro_model import MOST_ENTRIES
from ..symmetry import Axis, Units

Point = Mapping[str, np.ndarray]
Place = tuple[str, Axis]
#: Blocks ``(n, features)`` of an array -> others.
Motion = Callable[[np.ndarray], np.ndarray]

ROTATED = (
    "{name}: the {what} stays as it is under any rotation of its {n} units on {places}, not under "
    "their order and signs alone. Bring draws to one rotation by align_rotations "
    "(numpyro_sym.diagnostics), or read what does not rotate, as loadings @ loadings.T."
)
REFERENCE = (
    "{name}: all {more} classes of {whole} may be exchanged in the likelihood, {short} with them. "
    "Coded against a reference class, that is no permutation of its {n} entries. Give it {more} "
    "entries with a proper prior, and all classes are alike."
)
SHIFTED = (
    "{place}: the likelihood stays as it is where one number is added to all {n} entries. The "
    "prior alone tells their level: look at differences, or subtract the mean."
)


#: What tells these lines from others that :meth:`~numpyro_sym.Symmetry.explain` has.
_TOLD = (
    "stays as it is under any rotation",
    "Coded against a reference class",
    "stays as it is where one number is added",
)


def told_of_motions(notes: Sequence[str]) -> tuple[str, ...]:
    """The lines of :func:`no_permutations` among a symmetry's notes."""
    return tuple(note for note in notes if any(words in note for words in _TOLD))


def no_permutations(trial: Trial, units: Sequence[Units]) -> Iterator[str]:
    """A line for each such symmetry of a model.

    :param trial: points of the model.
    :param units: its units.
    """
    shapes = trial.view.shapes
    if not trial.view.observed or sum(map(prod, shapes.values())) > MOST_ENTRIES:
        return
    for u in units:
        if u.n > 1 and not u.batch and not u.stacked and not u.has_scales:
            yield from _rotations(trial, u)
            yield from _references(trial, u)
    for site, shape in shapes.items():
        for axis, n in enumerate(shape):
            if n > 1:
                yield from _shifts(trial, site, Axis(axis), n)


def _rotations(trial: Trial, u: Units) -> Iterator[str]:
    turned = [(site, a) for site, axs in u.placements for a in axs if u.turns(a)]
    if not turned:
        return
    square = trial.rng.normal(size=(u.n, u.n))
    rotation = np.linalg.qr(square)[0]
    moved = _moving(turned, u.n, lambda x: rotation @ x)
    if not trial.withstands(moved, likelihood=True):
        return
    if trial.withstands(_moving(turned, u.n, lambda x: square @ x), likelihood=True):
        return
    what = "log joint" if trial.withstands(moved) else "likelihood"
    yield ROTATED.format(name=u.name, what=what, n=u.n, places=_listed(turned))


def _references(trial: Trial, u: Units) -> Iterator[str]:
    """One class more on some arrays than on others."""
    shapes = trial.view.shapes
    whole: list[tuple[str, Axis, int]] = []
    short: list[Place] = []
    for site, axs in u.placements:
        for a in axs:
            if (a.power or 0) % 2 and u.has_signs:
                return
            length = shapes[site][a.axis]
            if a.outer * a.inner == 1 and length == u.n + 1:
                # The one that is left over stands after the others, or before them.
                whole.append((site, a, u.n if a.offset == 0 else 0))
            elif length == a.length(u.n):
                short.append((site, a))
            else:
                return
    if not whole or not short:
        return
    for code in (_against_the_last, _against_all):
        moved = _exchanging(whole, _moving(short, u.n, code))
        alone = _exchanging(whole, lambda point: dict(point))
        if trial.withstands(moved, likelihood=True) and not trial.withstands(
            alone, likelihood=True
        ):
            yield REFERENCE.format(
                name=u.name,
                n=u.n,
                more=u.n + 1,
                whole=" ".join(f"{site}[{a.axis}]" for site, a, _ in whole),
                short=_listed(short),
            )
            return


def _against_the_last(x: np.ndarray) -> np.ndarray:
    """Logits of the others less the reference's, where the first class is exchanged with it."""
    return np.concatenate([-x[:1], x[1:] - x[:1]])


def _against_all(x: np.ndarray) -> np.ndarray:
    """Logits that sum to 0 with the reference's."""
    return np.concatenate([-x.sum(0, keepdims=True), x[1:]])


def _exchanging(
    whole: Sequence[tuple[str, Axis, int]], others: Callable[[Point], dict[str, np.ndarray]]
) -> Callable[[Point], dict[str, np.ndarray]]:
    """The first unit exchanged with the one left over, and what becomes of other arrays."""

    def moved(point: Point) -> dict[str, np.ndarray]:
        out = others(point)
        for site, axis, left_over in whole:
            order = np.arange(out[site].shape[axis.axis])
            order[[axis.offset, left_over]] = left_over, axis.offset
            out[site] = np.take(out[site], order, axis.axis)
        return out

    return moved


def _shifts(trial: Trial, site: str, axis: Axis, n: int) -> Iterator[str]:
    """One number added to all entries along an axis."""
    step = trial.rng.normal(size=1)

    def one(x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[:1] + step, x[1:]])

    place = [(site, axis)]
    if trial.withstands(_moving(place, n, lambda x: x + step), likelihood=True) and not (
        trial.withstands(_moving(place, n, one), likelihood=True)
    ):
        yield SHIFTED.format(place=f"{site}[{axis.axis}]", n=n)


def _moving(
    places: Sequence[Place], n: int, motion: Motion
) -> Callable[[Point], dict[str, np.ndarray]]:
    def moved(point: Point) -> dict[str, Any]:
        out = dict(point)
        for site, axis in places:
            x = np.asarray(out[site])
            out[site] = axis.with_blocks(x, motion(axis.blocks(x, n)), n)
        return out

    return moved


def _listed(places: Sequence[Place]) -> str:
    return " ".join(f"{site}[{axis.axis}]" for site, axis in places)
