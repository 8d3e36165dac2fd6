"""Coordinate descent inside a compiled program: for one draw, from the identity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..symmetry import Element, Symmetry, SymmetryError, kinds, short_repr
from ..symmetry.arguments import check_arguments, describe
from ..symmetry.symmetry import on_opened_arrays
from .engine.nearest_step import parts, settled
from .in_stacks import on_arrays
from .ranges import unit_in_jit

Sites = Mapping[str, jax.Array]
Elements = dict[str, Element]


class JitAlignment(NamedTuple):
    """One draw, moved.

    :param sites: the draw's sites, moved; others as they came.
    :param elements: units name -> the element that moved them.
    :param distance: distance to the reference after the move, never more than before.
    :param distance_before: distance to the reference as the draw came.
    """

    sites: dict[str, jax.Array]
    elements: Elements
    distance: jax.Array
    distance_before: jax.Array

    def __repr__(self) -> str:
        return short_repr(self)


def align_in_jit(
    sites: kinds.Sites, reference: kinds.Sites, sym: Symmetry, *, max_sweeps: kinds.Positive = 100
) -> JitAlignment:
    """:func:`align` where arrays are traced: under ``jax.jit``, ``jax.vmap``, in a kernel or a
    guide.

    One descent from the identity with Optax's Hungarian algorithm: the optimum for ``Units`` that
    share no array with others, and never farther away than the draw was. Outside of compiled code
    :func:`align` is faster and tries several starts. Values that are NaN stay where they are.

    :param sites: site name -> floats of the site's shape, without sample dimensions: use
        ``jax.vmap``. Labels of units ride along, where they are there.
    :param reference: site name -> floats of the same shape.
    :param sym: the symmetry, of permutations and signs.
    :param max_sweeps: how often all ``Units`` are visited, at most.
    :returns: a :class:`JitAlignment`.
    :raises SymmetryError: for ``kind="scaled"`` units; where a site is missing or does not fit.

    >>> from numpyro_sym import mixture
    >>> sym, reference = mixture(2, {"mu": 0}), {"mu": jnp.array([0.0, 5.0])}
    >>> aligned = jax.jit(lambda x: align_in_jit({"mu": x}, reference, sym).sites["mu"])
    >>> aligned(jnp.array([5.5, 0.5])).tolist()
    [0.5, 5.5]
    """
    check_arguments(align_in_jit, locals())
    sym.refuse_scaled("align_in_jit")
    if not len(sym):
        raise SymmetryError(
            "align_in_jit: the symmetry has no Units, so there is nothing to align by."
        )
    for what, given in (("the draw", sites), ("the reference", reference)):
        for name in sym.sites:
            if name not in given:
                raise SymmetryError(
                    f"align_in_jit: {what} lacks site {name!r}; there are {sorted(given)}."
                )
            if not jnp.issubdtype(jnp.result_type(given[name]), jnp.floating):
                raise SymmetryError(
                    f"align_in_jit: site {name!r} of {what} is {describe(given[name])}; expected "
                    "floats."
                )
        sym.check_shapes({name: jnp.shape(x) for name, x in given.items()})
    if sym.stacks:
        at = sym.stack(reference)

        def on_stacks(arrays: Sites, arrays_sym: Symmetry) -> JitAlignment:
            return align_in_jit(arrays, at, arrays_sym, max_sweeps=max_sweeps)

        return on_arrays(on_stacks, sites, sym, 0)
    whole, sym = sym, sym.without_values()
    draw = {name: jnp.asarray(sites[name]) for name in sym.sites}
    at = {name: jnp.asarray(reference[name], draw[name].dtype) for name in sym.sites}
    dtype = jnp.result_type(*draw.values())
    given = draw
    # Squares of very large or small numbers are beyond their type: both are told in one power of
    # two.
    unit = unit_in_jit(*draw.values(), *at.values())
    draw, at = ({name: jnp.ldexp(x, -unit) for name, x in sites.items()} for sites in (draw, at))

    def squared_distance(moved: Sites) -> jax.Array:
        return sum(
            (jnp.square(moved[name] - r).sum() for name, r in at.items()),
            start=jnp.zeros((), dtype),
        )

    plain, way = on_opened_arrays(sym, {name: x.shape for name, x in draw.items()})
    draw, at = way.open(draw), way.open(at)
    together = parts(plain, {name: x.shape for name, x in draw.items()})

    def sweep(state: tuple) -> tuple:
        elements, moved, least, _, count = state
        before = least
        for part in together:
            total, tried = settled(plain, part, at, moved, elements)
            total = _of_type(total, dtype)
            now = squared_distance(tried)
            # Where it is nearer: the elements, the sites and the distance together.
            choose = partial(jnp.where, now < least)
            new, old = (total, tried, now), (elements, moved, least)
            elements, moved, least = jax.tree.map(choose, new, old)
        return elements, moved, least, least < before, count + 1

    start = _of_type(sym.identity(), dtype)
    first = squared_distance(draw)

    def goes_on(state: tuple) -> jax.Array:
        *_, is_nearer, count = state
        return is_nearer & (count < max_sweeps)

    state = (start, draw, first, jnp.array(True), jnp.array(0))
    elements, _, least, _, _ = jax.lax.while_loop(goes_on, sweep, state)
    moved = {**sym.act(elements, given), **whole.moved_labels(elements, sites)}
    distance = jnp.ldexp(jnp.sqrt(least), unit)
    before = jnp.ldexp(jnp.sqrt(first), unit)
    return JitAlignment({**sites, **moved}, elements, distance, before)


def _of_type(elements: Elements, dtype) -> Elements:
    """The same elements with arrays of one type, as a loop needs them."""
    out = {}
    for name, (permutation, factor) in elements.items():
        out[name] = Element(jnp.asarray(permutation, int), jnp.asarray(factor, dtype))
    return out
