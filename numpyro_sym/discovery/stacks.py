"""Units that have a site each, found by reading the model as one of arrays that stack them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..models import ModelView, Trial
from ..models.view import Densities, Point, run_program
from ..symmetry import Symmetry, SymmetryError, Units
from ..symmetry.stacks import Stacks, stacked, stacked_shapes, unstacked
from .alike import families_alike

_NUMBER = re.compile(r"\d+")
#: What is left between the parts of a name without its number.
_EMPTY = re.compile(r"[\[\]._/:|-]*#[\[\]._/:|-]*")


def with_stacks(
    view: ModelView,
    found: Symmetry,
    trial: Trial,
    search: Callable[[ModelView, Callable[[], Trial]], Symmetry],
) -> Symmetry:
    """A symmetry and, beside it, units that have a site each: ``mu1``, ``mu2``, ...

    Sites of one shape whose names differ by a number are read as one array; with them all others
    that are numbered alike. Then those that :func:`families_alike` finds.

    :param view: the model.
    :param found: its symmetry; sites that it moves are left alone.
    :param trial: points of the model.
    :param search: the symmetry of a model, by points of it.
    """
    moved = {name for u in found for name in (*u.site_names, *u.values)}
    units, notes = list(found.units), list(found.notes)
    caveats, taken = dict(found.caveats), set(found.caveats)
    numbered = list(_families(view.shapes, moved))
    # The others pass a first look; what numbers tell apart is told of if it does not.
    for stacks in chain(numbered, families_alike(trial, moved)):
        listed = ", ".join(f"{array} = ({' '.join(sites)})" for array, sites in stacks.items())
        whole = _in_stacks(view, stacks)
        try:
            inside = search(whole, partial(_trial, whole, trial.rng))
        except SymmetryError as error:
            notes.append(f"Read as arrays {listed}, the model is not searched: {error}")
            continue
        new = []
        for u in inside:
            apart = _apart(u, stacks, taken)
            if apart is not None and moved.isdisjoint(apart.site_names):
                new += trial.those_that_hold([apart])
                caveats[apart.name] = inside.caveats[u.name]
                notes += [line for line in inside.notes if line.startswith(f"{u.name}: ")]
        for u in new:
            moved |= {*u.site_names}
            notes.append(f"{u.name}: its units have a site each, {u.describe_axes()}.")
        if not new and stacks in numbered:
            notes.append(f"{listed}: not found to be exchangeable, one site for another.")
        units += new
        taken |= {u.name for u in new}
    kept = {u.name: caveats[u.name] for u in units}
    return Symmetry(units, notes=notes, caveats=kept, certain=found.certain)


def _trial(view: ModelView, rng: np.random.Generator) -> Trial:
    return Trial(view, 2, rng)


def _apart(u: Units, stacks: Stacks, taken: set[str]) -> Units | None:
    """Units of stacked arrays as units of sites; ``None`` where they are not the sites."""
    along = {site for site, axs in u.placements if any(a.axis == 0 for a in axs)}
    mine = {array: sites for array, sites in stacks.items() if array in u.axes}
    is_one_each = all(len(sites) == u.n for sites in mine.values())
    if u.batch or u.n < 2 or not mine or not along >= mine.keys() or not is_one_each:
        return None
    name = u.name
    while name in taken:
        name += "_apart"
    axes = dict(u.placements)
    return Units(name, u.n, axes=axes, kind=u.kind, values=u.values, stacked=mine)


def _families(shapes: Mapping[str, tuple[int, ...]], moved: set[str]) -> Iterator[Stacks]:
    """Arrays that sites of one shape could be stacked into, all of one row of numbers."""
    by_pattern: dict[str, dict[int, str]] = {}
    for name in shapes:
        for number in _NUMBER.finditer(name):
            pattern = f"{name[: number.start()]}#{name[number.end() :]}"
            by_pattern.setdefault(pattern, {})[int(number[0])] = name
    families: dict[tuple[int, ...], dict[str, tuple[str, ...]]] = {}
    seen: set[str] = set()
    for pattern, numbered in by_pattern.items():
        names = tuple(numbered[i] for i in sorted(numbered))
        is_alike = len(names) > 1 and len({tuple(shapes[name]) for name in names}) == 1
        if not is_alike or not seen.isdisjoint(names) or not moved.isdisjoint(names):
            continue
        array = _array_name(pattern)
        family = families.setdefault(tuple(sorted(numbered)), {})
        if array not in shapes and array not in family:
            family[array] = names
            seen |= {*names}
    yield from (family for family in families.values() if family)


def _array_name(pattern: str) -> str:
    """``mu`` of ``mu#`` and of ``mu[#]``, ``layers.weight`` of ``layers.#.weight``."""
    front, back = _EMPTY.split(pattern)[:2]
    return f"{front}.{back}" if front and back else front or back or "stack"


def _in_stacks(view: ModelView, stacks: Stacks) -> ModelView:
    """The same model with stacks in place of their sites."""
    point = {name: jnp.zeros(shape) for name, shape in view.shapes.items()}
    structure = jax.tree.structure(jax.eval_shape(view.evaluate, point))
    shapes = stacked_shapes(stacks, view.shapes)

    def densities(data: Mapping[str, Any], point: Point) -> Densities:
        sites = unstacked(stacks, point, list(view.shapes))
        outcome = run_program(view.program, data, sites)
        latent, observed, inside = jax.tree.unflatten(structure, outcome)
        for array, names in stacks.items():
            latent[array] = sum(latent.pop(name) for name in names)
            inside[array] = jnp.all(jnp.stack([inside.pop(name) for name in names]))
        return latent, observed, inside

    def of_array(names: Sequence[str]) -> dict[int, str]:
        """The plates that all of a stack's sites stand in, an axis further on."""
        (first, *others) = (view.plates.get(name, {}) for name in names)
        shared = {k: plate for k, plate in first.items() if all(p.get(k) == plate for p in others)}
        return {k + 1: plate for k, plate in shared.items()}

    plates = {name: plate for name, plate in view.plates.items() if name in shapes}
    plates |= {array: of_array(names) for array, names in stacks.items()}
    local = {array for array, names in stacks.items() if not view.local.isdisjoint(names)}
    zeros = {name: jnp.zeros(shape) for name, shape in shapes.items()}

    def improved(rng: np.random.Generator) -> Iterator[Point]:
        for point in view.improved(rng):
            yield stacked(stacks, point)

    return replace(
        view,
        shapes=shapes,
        draw=lambda rng, *scale: stacked(stacks, _on_host(view.draw(rng, *scale))),
        near=lambda rng: stacked(stacks, _on_host(view.near(rng))),
        improved=improved,
        program=jax.make_jaxpr(densities)(dict(view.data), zeros),
        evaluate=jax.jit(partial(densities, view.data)),
        local=frozenset({*(view.local & shapes.keys()), *local}),
        plates=plates,
        notes=(),
    )


def _on_host(point: Point) -> dict[str, np.ndarray]:
    return {name: np.asarray(x) for name, x in point.items()}
