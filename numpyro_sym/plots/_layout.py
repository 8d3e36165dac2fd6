"""Where units lie on arrays, as positions to draw and in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..diagnostics.arviz.groups import group_names, posterior_of, sample_dims
from ..symmetry import Axis, Symmetry, SymmetryError, Units
from ..symmetry.arguments import describe
from ..symmetry.stacks import stacked_shapes

#: Length of an axis of which nothing is known, None: it is drawn like one of this length.
UNKNOWN = 4
Shape = tuple[int | None, ...]


class Place(NamedTuple):
    """Units on one axis of an array.

    :param units: the units.
    :param axis: the axis of the array; ``None`` where its entries are labels of the units.
    :param everyone: positions along this axis that belong to some unit, ints.
    :param first: axis -> positions of what belongs to the first unit of the first set, on every
        axis on which it does not have all.
    :param words: the same in words.
    """

    units: Units
    axis: int | None
    everyone: np.ndarray
    first: dict[int, np.ndarray]
    words: str


class Array(NamedTuple):
    """One array and the units on it.

    :param name: of the site; of a stack, its sites.
    :param shape: ``None`` for a length that is not known.
    :param is_whole: whether there are no further axes than these, as far as is known.
    """

    name: str
    shape: Shape
    is_whole: bool
    places: list[Place]


def arrays_of(sym: Symmetry, shapes: Mapping[str, tuple[int, ...]] | None) -> list[Array]:
    """The arrays on which units lie, in the order of the shapes.

    :param shapes: site name -> shape; ``None``: as much of them as the symmetry tells, and in its
        order.
    :raises SymmetryError: where a site is missing, or an axis does not fit.
    """
    stacks, on = sym.stacks, sym.on_arrays()
    known: dict[str, Shape]
    if shapes is None:
        known = _told_shapes(on)
    else:
        sym.check_shapes(shapes)
        known = dict(stacked_shapes(stacks, shapes, 0) if stacks else shapes)
    found: dict[str, Array] = {}
    for u in on:
        roles = [role for site in u.sites for role in u.roles[site]] + [0] * len(u.labeled)
        for (site, axis), role in zip(u.everywhere, roles, strict=True):
            if site not in known:  # labels may be missing
                continue
            name = " ".join(stacks.get(site, (site,)))
            array = found.setdefault(site, Array(name, known[site], shapes is not None, []))
            array.places.append(_place(u, axis, role, known[site], site in stacks))
    if shapes is None:
        return list(found.values())
    first_sites = {site: stacks.get(site, (site,))[0] for site in found}
    order = list(shapes)
    return [found[site] for site in sorted(found, key=lambda s: order.index(first_sites[s]))]


def shapes_of(who: str, given: Any) -> dict[str, tuple[int, ...]] | None:
    """Shapes of sites, out of whatever tells them.

    :param given: ``None``, an ArviZ object, or site name -> shape or array.
    """
    if given is None:
        return None
    if "posterior" in group_names(given):
        posterior = posterior_of(given)
        lead = sample_dims(posterior)
        shapes = {}
        for name, x in posterior.items():
            shapes[str(name)] = tuple(x.sizes[dim] for dim in x.dims if dim not in lead)
        return shapes
    expected = "expected a shape (a tuple of ints) or an array for each site, or an ArviZ object"
    if not isinstance(given, Mapping):
        raise SymmetryError(f"{who}: {expected}; got {describe(given)}.")
    shapes = {}
    for name, x in given.items():
        shape = x if isinstance(x, tuple) else getattr(x, "shape", None)
        is_shape = isinstance(shape, tuple) and all(map(_is_length, shape))
        if not isinstance(name, str) or not isinstance(shape, tuple) or not is_shape:
            raise SymmetryError(f"{who}: {expected}; got {describe(x)} for {name!r}.")
        shapes[name] = tuple(map(int, shape))
    return shapes


def _is_length(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and not isinstance(n, bool) and int(n) >= 0


def _told_shapes(sym: Symmetry) -> dict[str, Shape]:
    """What the units tell of the shapes: lengths of axes on which they lie, and ``None``.

    Axes counted from the end are put behind those that are counted from the front.
    """
    shapes: dict[str, Shape] = {}
    every = [(u, site, axis) for u in sym for site, axis in u.everywhere]
    for site in dict.fromkeys(site for _, site, _ in every):
        own = [(u, axis) for u, name, axis in every if name == site]
        named = [k for _, axis in own for k in (*axis.batch_axes, axis.axis) if k is not None]
        front = max((k + 1 for k in named if k >= 0), default=0)
        shape: list[int | None] = [None] * (front + max((-k for k in named if k < 0), default=0))
        for u, axis in own:
            for k, length in _told_lengths(u, axis).items():
                shape[k] = max(length, shape[k] or 0)
        shapes[site] = tuple(shape)
    return shapes


def _told_lengths(u: Units, axis: Axis) -> dict[int, int]:
    """Axis -> how long it must be."""
    lengths = {} if axis.is_of_labels else {axis.axis: axis.offset + axis.length(u.n)}
    for run, k, m in zip(axis.batch_runs, axis.batch_axes, u.batch, strict=True):
        # Of one axis, a later run is of what the one before it left, and so are the units.
        each = run.outer * run.inner if isinstance(run, Axis) else 1
        lengths[k] = max(lengths.get(k, 0), each) * m if isinstance(run, Axis) else m
    return lengths


def _place(u: Units, axis: Axis, role: int, shape: Shape, is_stacked: bool) -> Place:
    if axis.is_of_labels:
        return Place(u, None, np.zeros(0, int), {}, f"labels of {u.name}")
    lengths = tuple(UNKNOWN if n is None else n for n in shape)
    plain = axis.resolved(len(lengths))
    involved = [plain.axis, *plain.batch_axes]
    small = tuple(n if k in involved else 1 for k, n in enumerate(lengths))
    blocks = plain.blocks(np.arange(prod(small)).reshape(small), u.n)  # (*batch, n, entries)
    everyone = np.unravel_index(blocks.ravel(), small)[plain.axis]
    own = np.unravel_index(blocks[(0,) * len(u.shape)], small)
    first = {k: np.unique(own[k]) for k in involved}
    return Place(u, plain.axis, np.unique(everyone), first, _in_words(u, plain, role, is_stacked))


def _in_words(u: Units, axis: Axis, role: int, is_stacked: bool) -> str:
    is_of_sites = is_stacked and axis.axis == 0
    told = [f"{u.name}: {'a site each' if is_of_sites else f'axis {axis.axis}'}"]
    if axis.start is not None:
        told.append(f"entries {axis.start} to {axis.start + axis.length(u.n) - 1}")
    if axis.outer > 1:
        told.append(f"{axis.outer} runs")
    if axis.inner > 1:
        told.append(f"{axis.inner} entries each")
    for run in axis.batch_runs:
        told.append(f"sets along axis {run.axis if isinstance(run, Axis) else run}")
    if role:
        told.append("in" if role == 1 else "out")
    power = u.factor_power(axis)
    if u.has_signs and power:
        told.append("± sign")
    elif power:
        of = "scale" if abs(power) == 1 else f"scale^{abs(power)}"
        told.append(f"times {of}" if power > 0 else f"over {of}")
    return ", ".join(told)


def size_in_words(u: Units) -> str:
    """``4 sets of 3 units, in any order, each with a sign``."""
    units = "1 unit" if u.n == 1 else f"{u.n} units"
    told = [f"{u.sets} sets of {units}" if u.batch else units]
    if u.n > 1:
        told.append("in any order")
    if u.has_signs:
        told.append("each with a sign")
    if u.has_scales:
        told.append("each with a scale")
    return f"{u.name}: {', '.join(told)}"
