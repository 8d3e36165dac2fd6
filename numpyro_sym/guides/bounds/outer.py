"""How well each set of units fits each place of a batch, whatever the order inside the sets.

Units that permute the sets of others (members of an ensemble) make a wreath product with them. A
guess fills the outer units first. What it goes by must stay the same when units move inside a set,
or the guess is none of the element: each set is held against each place by the sum over all orders
inside, which is a permanent, approximated where sets are large.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from ...symmetry import Axis, Symmetry, Units
from .beliefs import (
    Belief,
    Fit,
    Gaussian,
    Sites,
    averaged,
    fit_of,
    ignorance,
    normal_rows,
    odd,
    rows_on,
    signed,
    summed_out,
)
from .permanent import log_permanent
from .slot_filling import balance

#: The largest sets whose orders are summed exactly; what is summed for larger ones is as valid, and
#: less tight.
EXACT_INSIDE = 6


def inner_units(sym: Symmetry, u: Units) -> list[Units]:
    """The units whose sets ``u`` permute."""
    return [v for v in sym.units if u in (outer for _, outer in sym.outer_of(v))]


def outer_fit(sym: Symmetry, u: Units, unknown: Sequence[Units], x: Sites, q: Gaussian) -> Fit:
    """Log densities of whole sets in the places of others, ``(*batch, n, n)``, ``n`` the number of
    sets.

    :param u: units that permute the sets of others.
    :param unknown: units whose places are not known, ``u`` among them. Nothing is assumed of them.
    :param x: site name -> array.
    :param q: the Normals.
    """
    beliefs = {v.name: ignorance(v, jnp.zeros(v.n, bool)) for v in unknown}
    inner = [v for v in inner_units(sym, u) if v in unknown]
    alone = {site: axes for site, axes in u.axes.items() if not any(site in v.sites for v in inner)}
    own = (
        fit_of(sym, u.with_axes(alone), beliefs, x, q)
        if alone
        else Fit(jnp.zeros(()), jnp.zeros(()))
    )
    right = _sets_in_places(sym, u, inner, beliefs, x, q)
    if not signed(u):
        return Fit(own.even + right, own.odd + jnp.zeros_like(right))
    turned = {s: -x[s] if any(odd(u, a) for a in axes) else x[s] for s, axes in u.axes.items()}
    wrong = _sets_in_places(sym, u, inner, beliefs, turned, q)
    return Fit(own.even + (right + wrong) / 2, own.odd + (right - wrong) / 2)


def _sets_in_places(
    sym: Symmetry,
    u: Units,
    inner: Sequence[Units],
    beliefs: dict[str, Belief],
    x: Sites,
    q: Gaussian,
) -> jax.Array:
    """For each set and place, log densities summed over the orders inside: ``(*batch, sets,
    places)``.
    """
    total = jnp.zeros((*u.batch, u.n, u.n))
    told: set[str] = set()
    for v in inner:
        # A site on which several units lie tells of the first of them alone: told twice it would
        # weigh twice.
        fits = [
            _pairs(sym, u, v, s, a, beliefs, x, q)
            for s, axes in v.placements
            if s not in told
            for a in axes
        ]
        told |= set(v.sites)
        if fits:
            fit = jax.tree.map(lambda *each: sum(each), *fits)
            each = jax.vmap(log_sum_of_orders)(summed_out(v, fit).reshape(-1, v.n, v.n))
            total += each.reshape(*total.shape, -1).sum(-1)
    return total


def _pairs(
    sym: Symmetry,
    u: Units,
    v: Units,
    site: str,
    axis: Axis,
    beliefs: dict[str, Belief],
    x: Sites,
    q: Gaussian,
) -> Fit:
    """Log densities of the units of each set in the slots of each, ``(u.sets, sets, places, *other
    batch, n, n)``.
    """
    sets = sym.axis_of_sets(u, v)
    assert sets is not None
    moved = Axis(axis.batch_axes[sets.axis])
    loc, variance = averaged(sym, site, beliefs, q, but=[(u, moved), (v, axis)])
    front = (*sets.batch_axes, sets.axis)

    def by_set(a: jax.Array) -> jax.Array:
        """``(u.sets, sets, *other batch, entries, n)``."""
        blocks = jnp.moveaxis(rows_on(v, axis, a), front, range(len(front)))
        return blocks.reshape(u.sets, *blocks.shape[len(front) - 1 :])

    against_each = jax.vmap(partial(normal_rows, turns=odd(v, axis)), (None, 0, 0))
    pairs = jax.vmap(against_each, (0, None, None))
    return jax.vmap(pairs)(by_set(x[site]), by_set(loc), by_set(variance))


def log_sum_of_orders(log_weights: jax.Array) -> jax.Array:
    """Log permanent of ``exp(log_weights)``, exact up to 6 rows, by Bethe's formula for more.

    At doubly stochastic ``B`` the formula reads ``sum B (log_weights - log B) + (1 - B) log(1 -
    B)`` (Vontobel 2013, *The Bethe permanent of a nonnegative matrix*). It is the same for any
    order of rows and of columns, which is all that a guess needs of it; as a bound of a permanent
    it is never used.

    :param log_weights: floats of shape ``(n, n)``.
    :returns: a scalar.
    """
    if log_weights.shape[-1] <= EXACT_INSIDE:
        return log_permanent(log_weights)
    b = balance(log_weights)
    rest = jnp.maximum(1 - b, 1e-6)
    return (b * (log_weights - jnp.log(b)) + rest * jnp.log(rest)).sum()
