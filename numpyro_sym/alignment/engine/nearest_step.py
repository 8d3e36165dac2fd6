"""The element of some ``Units`` that brings one point nearest to another, in a compiled program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from optax.assignment import hungarian_algorithm

from ...symmetry import Element, Symmetry, Units
from ._families import Shapes, lone_outer, sets_as_draws, wreaths
from ._steps import after

Sites = Mapping[str, Any]
Elements = dict[str, Element]


def nearest_element(u: Units, reference: Sites, sites: Sites) -> Element:
    """The element of greatest inner product with the reference: signs within, order by one
    assignment a set.

    The nearest one, but where the units lie on two axes of one array: there of the linearisation.

    :param reference: site name -> array, without sample dimensions.
    :param sites: likewise.
    """
    dtype = jnp.result_type(*(sites[site] for site in u.sites))
    even = odd = jnp.zeros((*u.shape, u.n), dtype)
    for site, axs in u.placements:
        for axis in axs:
            score = axis.blocks(reference[site], u.n) @ axis.blocks(sites[site], u.n).swapaxes(
                -1, -2
            )
            is_turned = u.turns(axis)
            even, odd = (even, odd + score) if is_turned else (even + score, odd)
    permutation = assigned(even + jnp.abs(odd))
    turned = jnp.take_along_axis(odd, permutation[..., None], -1)[..., 0] < 0
    return Element(permutation, jnp.where(turned, -1, 1).astype(dtype))


def assigned(score: jax.Array) -> jax.Array:
    """The permutations of largest total score ``(*batch, n, n)``, by Optax's Hungarian
    algorithm.
    """

    def one(score: jax.Array) -> jax.Array:
        rows, columns = hungarian_algorithm(-score)
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
    at, rows = (
        sets.sites({site: given[site][None] for site in part.sites}) for given in (reference, sites)
    )
    each = jax.vmap(lambda r, x: nearest_elements(sets.sym, r, x))(at, rows)
    return {name: Element(*(a[0] for a in e)) for name, e in sets.elements_back(each).items()}


def parts(sym: Symmetry, shapes: Shapes) -> list[Symmetry]:
    """What is settled together: some outer units with all whose sets they permute; else every
    ``Units`` alone.
    """
    found = {part.units[0].name: part for part in wreaths(sym, shapes)}
    inside = {u.name for part in found.values() for u in part.units[1:]}
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
        squares = {site: jnp.square(moved[site] - reference[site]) for site in outer.sites}
        by_slot = [
            axis.blocks(squares[site], n).sum(-1) for site, axs in outer.placements for axis in axs
        ]
        return sum(by_slot[1:], start=by_slot[0])

    # [sign, shift, slot], then the member (slot + shift) % n instead of the shift.
    cost = jax.vmap(lambda sign: jax.vmap(lambda shift: tried(shift, sign))(jnp.arange(n)))(
        jnp.asarray(signs)
    )
    slot = jnp.arange(n)[:, None]
    by_member = cost[:, (jnp.arange(n)[None, :] - slot) % n, slot]
    member = assigned(-by_member.min(0))
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
    turns = any(outer.has_factor_on(axis) for _, axs in outer.placements for axis in axs)
    return (1.0, -1.0) if turns else (1.0,)
