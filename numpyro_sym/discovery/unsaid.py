"""Batches that ``Units`` cannot say: looked for by evaluation, so that a smaller group is never
given silently.

A batch may run within an axis (heads flattened with their inner dimensions, the groups of a
convolution), or lie one index further on one axis than on the other (stacked layers of one width,
where what comes out of a layer goes into the next). One set of it is moved by itself; where the
model does not notice, that is noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

import numpy as np

from ..models import Trial
from ..models.view import Point
from ..symmetry import Axis, Element, Units, act_on_axis

MOST_MOTIONS = 64  # choices of where a batch lies that are tried for one Units

Mask = np.ndarray  # which entries of an array belong to one set; of its number of dimensions


def unsaid_batches(trial: Trial, units: Sequence[Units], notes: list[str]) -> None:
    """Note which units have a batch that ``Units`` cannot say."""
    for u in units:
        if u.n == 1 or u.batch:
            continue
        plain = u.without_scales()
        for words, masks in islice(_sets(plain, trial.view.shapes), MOST_MOTIONS):
            if _moves_alone(trial, plain, masks):
                notes.append(
                    f"{u.name}: {words}, which Units cannot say (found by evaluation); the one "
                    "element that all sets "
                    "share is given, a smaller group."
                )
                break


def _moves_alone(trial: Trial, u: Units, masks: Sequence[Mask | None]) -> bool:
    slots = np.arange(u.n)
    factor = np.where(slots == 0, -1.0, 1.0) if u.has_signs else np.ones(u.n)
    element = Element(np.roll(slots, 1), factor)
    runs = [(site, axis) for site, axs in u.placements for axis in axs]

    def move(point: Point) -> Point:
        moved = dict(point)
        for (site, axis), mask in zip(runs, masks, strict=True):
            if mask is not None:
                moved[site] = np.where(
                    mask, act_on_axis(u, element, np.asarray(moved[site]), axis, 0), moved[site]
                )
        return moved

    return trial.withstands(move, trial.tried[:1]) and trial.withstands(move)


def _sets(
    u: Units, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, list[Mask | None]]]:
    """Where the entries of one set may lie: words for the kind of batch, and a mask for each axis
    of the units.
    """
    runs = [(site, axis, shapes[site]) for site, axs in u.placements for axis in axs]
    lengths = {axis.outer for _, axis, _ in runs} | {axis.inner for _, axis, _ in runs}
    for m in sorted(length for length in lengths if length > 1):
        blocks = [[*_in_blocks(u, axis, shape, m)] for _, axis, shape in runs]
        for chosen in product(*blocks):
            yield f"each of {m} blocks along an axis has units of its own", [*chosen]
    twice = {site for site, axs in u.placements if len(axs) > 1}
    stacks = {n for site in twice for _, n in _others(u.axes[site], shapes[site])}
    for m in sorted(stacks):
        choices: list[list[Mask | None]] = []
        for site, _, shape in runs:
            others = [k for k, n in _others(u.axes[site], shape) if n == m]
            choices.append([_along(shape, k, [i]) for k in others for i in (0, 1)] or [None])
        for masks in product(*choices):
            yield (
                f"each of {m} indices of an axis has units of its own, which lie one index "
                "further elsewhere",
                [*masks],
            )


def _others(axs: Sequence[Axis], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Axes of an array that the units leave alone, and how long they are."""
    used = {a.resolved(len(shape)).axis for a in axs}
    return [(k, n) for k, n in enumerate(shape) if k not in used and n > 1]


def _in_blocks(u: Units, axis: Axis, shape: tuple[int, ...], m: int) -> Iterator[Mask]:
    """The first of ``m`` sets: along another axis, whole or in blocks, or in the runs of the units'
    own axis.
    """
    for k, n in _others([axis], shape):
        if n % m == 0:
            yield _along(shape, k, range(n // m))
    for count, position in ((axis.outer, 0), (axis.inner, 2)):
        if count % m == 0 and count > 1:
            index = np.indices((axis.outer, u.n, axis.inner))[position].ravel()
            for within in sorted(
                {1, count // m}
            ):  # neighbouring runs are of one set, or of one after the other
                chosen = axis.offset + np.flatnonzero(index // within % m == 0)
                yield _along(shape, axis.axis % len(shape), chosen)


def _along(shape: tuple[int, ...], k: int, chosen: Sequence[int] | range | np.ndarray) -> Mask:
    """Which entries lie at some positions of an axis."""
    on = np.isin(np.arange(shape[k]), np.asarray(chosen))
    return on.reshape([-1 if i == k else 1 for i in range(len(shape))])
