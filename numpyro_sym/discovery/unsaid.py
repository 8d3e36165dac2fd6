"""Independent parts of units that ``Units`` cannot say: looked for by evaluation, so that a smaller
group is never given silently.

Sets of a batch may lie in a block of an axis that holds something else beside it, or one index
further on one axis than on the other (stacked layers of one width, where what comes out of a layer
goes into the next); and some of the blocks in which units lie may not belong to the others (queries
and values in one array). One set is moved by itself; where the model does not notice, that is
noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice, product

import numpy as np

from ..models import Trial
from ..models.view import Point
from ..symmetry import Axis, Element, Units, act_on_axis
from .batches import lengths_in_common

MOST_SETS = 64  # choices of where a set may lie that are tried for one Units
MOST_PARTS = 16  # choices of parts and what goes with them that are tried for one Units
PARTS = (4, 3, 2)  # of how many equal parts fused arrays are made: gates, queries-keys-values

Mask = np.ndarray  # which entries of an array move; of its number of dimensions


def unsaid_batches(trial: Trial, units: Sequence[Units], notes: list[str]) -> None:
    """Note which units have independent parts that ``Units`` cannot say."""
    for u in units:
        if u.n == 1:
            continue
        plain = u.without_scales()
        shapes = trial.view.shapes
        kinds = [islice(_some_parts(plain, shapes), MOST_PARTS)]
        if not u.batch:
            kinds.append(islice(_sets(plain, shapes), MOST_SETS))
        for kind in kinds:
            for words, masks in kind:
                if _moves_alone(trial, plain, masks):
                    notes.append(
                        f"{u.name}: {words}, which Units cannot say (found by evaluation); the "
                        "one element that all of them share is given, a smaller group."
                    )
                    break


def _moves_alone(trial: Trial, u: Units, masks: Sequence[Mask | None]) -> bool:
    slots = np.arange(u.n)
    factor = np.where(slots == 0, -1.0, 1.0) if u.has_signs else np.ones(u.n)
    of_one_set = Element(np.roll(slots, 1), factor)
    element = Element(*(np.broadcast_to(a, u.shape) for a in of_one_set))
    runs = [(site, axis) for site, axs in u.placements for axis in axs]

    def move(point: Point) -> Point:
        moved = dict(point)
        for (site, axis), mask in zip(runs, masks, strict=True):
            if mask is not None:
                everywhere = act_on_axis(u, element, np.asarray(moved[site]), axis, 0)
                moved[site] = np.where(mask, everywhere, moved[site])
        return moved

    return trial.withstands(move, trial.tried[:1]) and trial.withstands(move)


def _some_parts(
    u: Units, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, list[Mask | None]]]:
    """Some of the equal parts of arrays in which units lie repeatedly, and places on other arrays
    or not: what is left behind is the rest of both, so of parts at most half.

    :returns: words for it, and a mask for each axis of the units.
    """
    runs = [(axis, shapes[site]) for site, axs in u.placements for axis in axs]
    tried = set()  # which arrays have parts; two of four parts are one of two
    for parts in PARTS:
        has_parts = tuple(axis.outer % parts == 0 for axis, _ in runs)
        if not any(has_parts) or (parts == 2 and has_parts in tried):
            continue
        tried.add(has_parts)
        for count in range(1, parts // 2 + 1):
            for chosen in combinations(range(parts), count):
                choices: list[list[Mask | None]] = []
                for (axis, shape), several in zip(runs, has_parts, strict=True):
                    everything = np.ones([1] * len(shape), bool)
                    on = _on_parts(axis, u.n, shape, parts, chosen) if several else None
                    choices.append([on] if several else [everything, None])
                for masks in product(*choices):
                    yield "some of the blocks along an axis have units of their own", [*masks]


def _on_parts(
    axis: Axis, n: int, shape: tuple[int, ...], parts: int, chosen: Sequence[int]
) -> Mask:
    """The entries of units in some of the equal parts of their ``outer`` repetitions."""
    numbers = axis.blocks(np.arange(np.prod(shape, dtype=int)).reshape(shape), n)
    # The features of a unit come in the order (outer, inner, the other axes).
    by_part = numbers.reshape(*numbers.shape[:-1], parts, -1)
    on = np.zeros(np.prod(shape, dtype=int), bool)
    on[by_part[..., list(chosen), :].ravel()] = True
    return on.reshape(shape)


def _sets(
    u: Units, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, list[Mask | None]]]:
    """Where the entries of one set may lie: words for the kind of batch, and a mask for each axis
    of the units.
    """
    runs = [(site, axis, shapes[site]) for site, axs in u.placements for axis in axs]
    # Where units are all that lies along their axes, Units can say it, and it was tried.
    lengths: set[int] = set()
    if any(axis.start is not None for _, axis, _ in runs):
        lengths = {n for _, axis, _ in runs for n in (axis.outer, axis.inner)}
    for m in lengths_in_common(lengths):
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
                f"each of {m} indices of an axis has units of its own, which lie one index further "
                "elsewhere",
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
            # Neighboring runs are of one set, or of one after the other.
            for within in sorted({1, count // m}):
                chosen = axis.offset + np.flatnonzero(index // within % m == 0)
                yield _along(shape, axis.axis % len(shape), chosen)


def _along(shape: tuple[int, ...], k: int, chosen: Sequence[int] | range | np.ndarray) -> Mask:
    """Which entries lie at some positions of an axis."""
    on = np.isin(np.arange(shape[k]), np.asarray(chosen))
    wide = [1] * len(shape)
    wide[k] = -1
    return on.reshape(wide)  # (1, .., length, .., 1)
