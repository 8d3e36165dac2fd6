"""Sites that no number tells apart and yet may be the units of others: of one shape and one prior.

Which could be exchanged is seen by evaluating the model as it is, with their values exchanged, and
costs no compilation: only what passes is read as arrays, and proved there or evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np

from ..models import Trial
from ..models.view import Point
from ..symmetry.stacks import Stacks

#: Of one shape so many sites are compared, at most.
MOST_ALIKE = 32
#: Axes that may move along, tried one by one.
MOST_AXES = 8
#: Densities of one prior at one value differ by rounding alone.
_SAME = 1e-9
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")

Place = tuple[str, int]


def families_alike(trial: Trial, moved: set[str]) -> Iterator[Stacks]:
    """Arrays that sites of one shape and one prior may be stacked into: those that share a part of
    their names, with all others that share it; then any.

    :param trial: points of the model.
    :param moved: sites that are not asked; what is added to it while this goes on is not either.
    """
    alike = [names for names in _alike(trial, moved) if len(names) > 1]
    for stacks in chain(_by_words(alike), _by_groups(alike)):
        sites = [site for names in stacks.values() for site in names]
        if moved.isdisjoint(sites) and _are_exchanged(trial, stacks, moved):
            yield {_free(array, trial.view.shapes): names for array, names in stacks.items()}


def _alike(trial: Trial, moved: set[str]) -> Iterator[list[str]]:
    """Groups of sites of one shape, support and prior: at one value they have one density."""
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for name, shape in trial.view.shapes.items():
        if name not in moved and name not in trial.view.local:
            by_shape.setdefault(tuple(shape), []).append(name)
    point = trial.points[-1]
    for names in by_shape.values():
        left = names if 1 < len(names) <= MOST_ALIKE else []
        while len(left) > 1:
            first = left[0]
            at = trial.evaluate({**point, **dict.fromkeys(left, point[first])})
            own = float(at[0][first])
            group = []
            for name in left:
                difference = abs(float(at[0][name]) - own)
                if bool(at[2][name]) and difference <= _SAME * (1 + abs(own)):
                    group.append(name)
            yield group
            left = [name for name in left if name != first and name not in group]


def _by_words(alike: Sequence[Sequence[str]]) -> Iterator[dict[str, tuple[str, ...]]]:
    """Sites whose names differ by one word, ``mu_left`` and ``mu_right``, with all that differ by
    the same words.
    """
    families: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
    for names in alike:
        by_pattern: dict[str, dict[str, str]] = {}
        for name in names:
            for word in _WORD.finditer(name):
                front, back = name[: word.start()], name[word.end() :]
                if _WORD.search(front + back):
                    by_pattern.setdefault(f"{front}#{back}", {})[word[0]] = name
        for pattern, by_word in by_pattern.items():
            words = tuple(sorted(by_word))
            if len(words) > 1:
                array = pattern.replace("#", "").strip("_./:|- ")
                families.setdefault(words, {})[array] = tuple(by_word[word] for word in words)
    yield from families.values()


def _by_groups(alike: Sequence[Sequence[str]]) -> Iterator[dict[str, tuple[str, ...]]]:
    """Each group whole; and pairs all together, of which it does not matter who goes with whom."""
    stacks: dict[str, tuple[str, ...]] = {"_".join(names): tuple(names) for names in alike}
    pairs = {array: stacks[array] for array in stacks if len(stacks[array]) == 2}
    if len(pairs) > 1:
        yield pairs
    for array, names in stacks.items():
        yield {array: names}


def _are_exchanged(trial: Trial, stacks: Stacks, moved: set[str]) -> bool:
    """Whether any two neighbors may be exchanged, with some axes of other sites or without."""
    n = len(next(iter(stacks.values())))
    inside = {site for names in stacks.values() for site in names}
    axes: list[Place] = []
    for site, shape in trial.view.shapes.items():
        if site not in inside and site not in moved:
            axes += [(site, axis) for axis, length in enumerate(shape) if length == n]
    along: list[Sequence[Place]] = [(), axes] if axes else [()]
    if 1 < len(axes) <= MOST_AXES:
        along += [[place] for place in axes]
    return any(
        all(trial.withstands(_exchange(stacks, i, j, some)) for i, j in pairwise(range(n)))
        for some in along
    )


def _exchange(stacks: Stacks, i: int, j: int, axes: Sequence[Place]) -> Any:
    """Two units exchanged, in stacks and along axes."""

    def moved(point: Point) -> dict[str, Any]:
        out = dict(point)
        for names in stacks.values():
            out[names[i]], out[names[j]] = point[names[j]], point[names[i]]
        for site, axis in axes:
            order = np.arange(np.shape(point[site])[axis])
            order[[i, j]] = j, i
            out[site] = np.take(out[site], order, axis)
        return out

    return moved


def _free(array: str, shapes: Mapping[str, Any]) -> str:
    """A name for a stack that no site has."""
    while array in shapes:
        array += "_stack"
    return array
