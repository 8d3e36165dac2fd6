"""The element of some ``Units`` that brings one point nearest to another, in a compiled program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ...symmetry import Element, Symmetry, Units
from ._families import Shapes, lone_outer, sets_as_draws, wreaths
from ._steps import after

Sites = Mapping[str, Any]
Elements = dict[str, Element]


def nearest_element(u: Units, reference: Sites, sites: Sites) -> Element:
    """The element of greatest inner product with the reference: signs within, order by one
    assignment a set.

    The nearest one, but where the units lie on two axes of one array: there of the linearization.

    :param reference: site name -> array, without sample dimensions.
    :param sites: likewise.
    """
    dtype = jnp.result_type(*(sites[site] for site in u.sites))
    even = odd = jnp.zeros((*u.shape, u.n), dtype)
    for site, axs in u.placements:
        for axis in axs:
            # (*batch, slot, entry) and (*batch, unit, entry) to (*batch, slot, unit)
            here, there = axis.blocks(reference[site], u.n), axis.blocks(sites[site], u.n)
            score = here @ there.swapaxes(-1, -2)
            if u.turns(axis):
                odd = odd + score
            else:
                even = even + score
    permutation = assigned(even + jnp.abs(odd))
    # Of each slot, with the unit that it is given.
    turned = jnp.take_along_axis(odd, permutation[..., None], -1)[..., 0] < 0
    return Element(permutation, jnp.where(turned, -1, 1).astype(dtype))


def assigned(score: jax.Array) -> jax.Array:
    """The permutations of largest total score ``(*batch, n, n)``, by Optax's Hungarian
    algorithm.
    """
    from optax.assignment import hungarian_algorithm

    def one(score: jax.Array) -> jax.Array:
        rows, columns = hungarian_algorithm(-score)
        # Pairs come in any order.
        return columns[jnp.argsort(rows)]

    flat = score.reshape(-1, *score.shape[-2:])
    # Of one problem, no loop over problems in lock step.
    found = one(flat[0])[None] if len(flat) == 1 else jax.vmap(one)(flat)
    return found.reshape(score.shape[:-1])


def nearest_elements(part: Symmetry, reference: Sites, sites: Sites) -> dict[str, Element]:
    """The elements of one of the :func:`parts` of a symmetry."""
    shapes = {site: jnp.shape(sites[site]) for site in part.sites}
    outer = lone_outer(part, shapes)
    if outer is None:
        (u,) = part.units
        return {u.name: nearest_element(u, reference, sites)}
    if outer.batch:
        return _nearest_in_sets(part, shapes, reference, sites)
    return _nearest_wreath(part, outer, reference, sites)


def _nearest_in_sets(part: Symmetry, shapes: Shapes, reference: Sites, sites: Sites) -> Elements:
    """Of a wreath product at each place of a batch: each by itself, as if it were a draw."""
    sets = sets_as_draws(part, shapes)
    assert sets is not None
    # (set, *rest) of one point, which is one draw
    at = sets.sites({site: reference[site][None] for site in part.sites})
    rows = sets.sites({site: sites[site][None] for site in part.sites})
    each = jax.vmap(lambda r, x: nearest_elements(sets.sym, r, x))(at, rows)
    return jax.tree.map(lambda a: a[0], sets.elements_back(each))


def parts(sym: Symmetry, shapes: Shapes) -> list[Symmetry]:
    """What is settled together: some outer units with all whose sets they permute; else every
    ``Units`` alone.
    """
    found = {part.units[0].name: part for part in wreaths(sym, shapes)}
    inside: set[str] = set()
    for part in found.values():
        inside |= {u.name for u in part.units[1:]}
    return [found.get(u.name, Symmetry([u])) for u in sym if u.name not in inside]


def settled(
    sym: Symmetry, part: Symmetry, reference: Sites, sites: Sites, total: Elements
) -> tuple[Elements, dict[str, Any]]:
    """A part brought nearest with all else held: what moved the point until now and does so here,
    and the point.
    """
    step = nearest_elements(part, reference, sites)
    moved = part.act(step, {site: sites[site] for site in part.sites})
    return after(sym, step, total), {**sites, **moved}


def _nearest_wreath(
    part: Symmetry, outer: Units, reference: Sites, sites: Sites
) -> dict[str, Element]:
    """As :func:`~numpyro_sym.alignment.engine.wreath.match_wreath` does it, for one point."""
    alone, inner = Symmetry([outer]), part.without(outer.name).units
    n, signs = outer.n, _signs(outer)

    def tried(shift: jax.Array, sign: jax.Array) -> jax.Array:
        element = Element((jnp.arange(n) + shift) % n, jnp.full(n, sign))
        moved = alone.act({outer.name: element}, sites)
        _, moved = _in_turn(inner, reference, moved)
        by_slot = []
        for site, axs in outer.placements:
            squares = jnp.square(moved[site] - reference[site])
            by_slot += [axis.blocks(squares, n).sum(-1) for axis in axs]
        return sum(by_slot[1:], start=by_slot[0])

    # [sign, shift, slot], then the member (slot + shift) % n instead of the shift.
    with_each_shift = jax.vmap(tried, in_axes=(0, None))
    cost = jax.vmap(with_each_shift, in_axes=(None, 0))(jnp.arange(n), jnp.asarray(signs))
    slot = jnp.arange(n)[:, None]
    by_member = cost[:, (jnp.arange(n)[None, :] - slot) % n, slot]
    member = assigned(-by_member.min(0))
    # The sign at which each slot takes its member.
    which = jnp.take_along_axis(by_member.argmin(0), member[:, None], 1)[:, 0]
    best = {outer.name: Element(member, jnp.asarray(signs)[which])}
    steps, _ = _in_turn(inner, reference, alone.act(best, sites))
    still = part.identity()
    return part.compose({**still, **steps}, {**still, **best})


def _in_turn(
    units: Sequence[Units], reference: Sites, sites: Sites
) -> tuple[dict[str, Element], dict[str, Any]]:
    """Each of some units settled in turn, and the point moved."""
    out, steps = dict(sites), {}
    for u in units:
        steps[u.name] = nearest_element(u, reference, out)
        out = Symmetry([u]).act({u.name: steps[u.name]}, out)
    return steps, out


def _signs(outer: Units) -> tuple[float, ...]:
    for _, axs in outer.placements:
        if any(map(outer.has_factor_on, axs)):
            return (1.0, -1.0)
    return (1.0,)
