"""How well each unit's values fit each slot, as far as the other units' places are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ...symmetry import Axis, Symmetry, Units
from .slot_filling import balance

Sites = Mapping[str, Any]

# In nats: what is known, without infinities whose gradients are none.
_NEVER, _SURE = -1e3, 30.0


class Gaussian(NamedTuple):
    """An independent Normal for each entry: site name -> array, and likewise the variances."""

    loc: Sites
    variance: Sites


class Fit(NamedTuple):
    """Log densities of unit ``i`` in slot ``j``: ``even + odd`` and, turned round, ``even - odd``.

    Arrays of shape ``(*batch, n, n)``, the batch that of the units.
    """

    even: jax.Array
    odd: jax.Array

    @property
    def either(self) -> jax.Array:
        """With the sign summed out."""
        size = jnp.abs(self.odd)
        return self.even + size + jnp.log(1 + jnp.exp(-2 * size))


class Rows(NamedTuple):
    """Units' values with the Normals of their slots, ``(*batch, entries, n)`` each: as layers of a
    network hold them, so that nothing large is turned.

    :param x: values.
    :param loc: means.
    :param variance: variances.
    :param spread: variances of ``x``, for expected log densities.
    """

    x: jax.Array
    loc: jax.Array
    variance: jax.Array
    spread: jax.Array | None = None


class Belief(NamedTuple):
    """Probability that unit ``i`` is in slot ``j``, and the mean of its sign there: ``(*batch, n,
    n)`` each.
    """

    place: jax.Array
    sign: jax.Array


def signed(u: Units) -> bool:
    """Whether these units have signs."""
    return u.has_signs


def odd(u: Units, axis: Axis) -> bool:
    """Whether a unit's sign turns its entries on this axis."""
    return signed(u) and (axis.power or 0) % 2 == 1


def ignorance(u: Units, placed: jax.Array) -> Belief:
    """Nothing is known but the units in place: every other may be in any slot left, either way
    round.

    :param placed: booleans of shape ``(n,)``, the same for every set of a batch.
    """
    left = ~placed
    known = jnp.diag(placed.astype(float))
    place = jnp.where(left[:, None] & left, 1 / jnp.maximum(left.sum(), 1), known)
    each = Belief(place, known if signed(u) else place)
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (*u.batch, u.n, u.n)), each)


def in_every_set(u: Units, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of what belongs to one set of units as one of arrays ``(*batch, ...)``."""
    for _ in u.batch:
        function = jax.vmap(function)
    return function


def belief(u: Units, fit: Fit, placed: jax.Array) -> Belief:
    """What fits say of the places of the units that are left: their doubly stochastic balance."""
    fit = in_place(fit, placed)
    place = in_every_set(u, balance)(summed_out(u, fit))
    return Belief(place, place * jnp.tanh(fit.odd) if signed(u) else place)


def in_place(fit: Fit, placed: jax.Array) -> Fit:
    """Fits in which the units in place fit there and nowhere else, the right way round."""
    known, own = placed[:, None] | placed, jnp.diag(placed)
    even = jnp.where(known, jnp.where(own, 0.0, _NEVER), fit.even)
    return Fit(even, jnp.where(known, jnp.where(own, _SURE, 0.0), fit.odd))


def summed_out(u: Units, fit: Fit) -> jax.Array:
    """Log densities of units in slots, either way round where they have signs."""
    return fit.either if signed(u) else fit.even


def fit_of(
    sym: Symmetry,
    u: Units,
    beliefs: Mapping[str, Belief],
    x: Sites,
    q: Gaussian,
    spread: Sites | None = None,
) -> Fit:
    """Log densities of the units' values in every slot of ``u``.

    Where other units share an array with these, the densities are those of Normals whose first
    two moments are averaged over the beliefs about them. With beliefs that are certain this is
    the density itself. With a batch, every set's units are held against its own slots.

    :param beliefs: units name -> :class:`Belief`, for all units that are not in place.
    :param x: site name -> array.
    :param q: the Normals.
    :param spread: variances of ``x``; with them, expected log densities.
    :returns: a :class:`Fit` of arrays ``(*batch, n, n)``.
    """
    return fit_of_rows(rows_of(sym, u, beliefs, x, q, spread))


def fit_of_rows(parts: Mapping[bool, Rows]) -> Fit:
    """The fit that all rows tell together, those that turn with the sign and those that do not."""
    fits = [normal_rows(*rows, turns=turns) for turns, rows in parts.items()]
    return jax.tree.map(lambda *each: sum(each), *fits)


def rows_of(
    sym: Symmetry,
    u: Units,
    beliefs: Mapping[str, Belief],
    x: Sites,
    q: Gaussian,
    spread: Sites | None = None,
) -> dict[bool, Rows]:
    """The units' values and Normals, entries of all sites side by side: one matrix product does
    for all of them. Parameters as for :func:`fit_of`.

    :returns: apart, those that turn with the sign (``True``) and those that do not.
    """
    each: dict[bool, list[Rows]] = {False: [], True: []}
    for site, axes in u.placements:
        for axis in axes:
            loc, variance = averaged(sym, site, beliefs, q, but=[(u, axis)])
            of_site = Rows(x[site], loc, variance, None if spread is None else spread[site])
            each[odd(u, axis)].append(jax.tree.map(partial(rows_on, u, axis), of_site))
    return {
        turns: jax.tree.map(lambda *of_sites: jnp.concatenate(of_sites, -2), *rows)
        for turns, rows in each.items()
        if rows
    }


def rows_on(u: Units, axis: Axis, x: jax.Array) -> jax.Array:
    """What belongs to each unit on one axis of one array, ``(*batch, entries, n)``."""
    return jnp.swapaxes(axis.blocks(x, u.n), -1, -2)


def averaged(
    sym: Symmetry,
    site: str,
    beliefs: Mapping[str, Belief],
    q: Gaussian,
    but: Sequence[tuple[Units, Axis]],
) -> tuple[jax.Array, jax.Array]:
    """Moments of a site's Normals, averaged over the beliefs about the units that lie on it.

    :param but: units and axes over which they are not averaged.
    """
    loc, variance = q.loc[site], q.variance[site]
    kept = {(u.name, axis.axis % jnp.ndim(loc)) for u, axis in but}
    for v in sym.units:
        for axis in v.axes.get(site, ()):
            if v.name in beliefs and (v.name, axis.axis % jnp.ndim(loc)) not in kept:
                loc, variance = _average(v, axis, beliefs[v.name], loc, variance)
    return loc, variance


def normal_rows(
    x: jax.Array,
    loc: jax.Array,
    variance: jax.Array,
    spread: jax.Array | None = None,
    *,
    turns: bool,
) -> Fit:
    """Log densities of units under Normals, ``(*batch, entries, n)``; what turns with the sign
    apart.

    :param spread: variances of ``x``; with them, expected log densities.
    """
    if not turns:  # subtracting a common center keeps the squares small
        center = loc.mean(-1, keepdims=True)
        x, loc = x - center, loc - center
    # Units down, slots across. Turned before all else: the gradient of what is turned last turns a
    # matrix of all pairs.
    of_square = jnp.swapaxes(x**2 if spread is None else x**2 + spread, -1, -2)
    x = jnp.swapaxes(x, -1, -2)
    precision = 1 / variance
    square = (loc**2 * precision + jnp.log(2 * jnp.pi * variance)).sum(-2)[..., None, :]
    cross = jnp.matmul(x, loc * precision, precision="highest")
    even = -0.5 * (jnp.matmul(of_square, precision, precision="highest") + square)
    return Fit(even, cross) if turns else Fit(even + cross, jnp.zeros_like(cross))


def _average(
    v: Units, axis: Axis, known: Belief, loc: jax.Array, variance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Moments of the Normals along one axis, averaged over which slot each unit is in."""
    weights = known.sign if odd(v, axis) else known.place
    mean = _mix(weights, loc, v.n, axis)
    # Variances of the means are differences of squares: kept positive whatever rounding does.
    spread = jnp.maximum(_mix(known.place, loc**2, v.n, axis) - mean**2, 0)
    return mean, _mix(known.place, variance, v.n, axis) + spread


def _mix(weights: jax.Array, x: jax.Array, n: int, axis: Axis) -> jax.Array:
    return axis.with_blocks(x, jnp.matmul(weights, axis.blocks(x, n), precision="highest"), n)
