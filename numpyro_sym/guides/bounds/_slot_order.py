"""The order in which a guess fills the slots of its units."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...symmetry import Element, Symmetry
from ...symmetry.symmetry import Elements
from .beliefs import Gaussian, Sites, fit_of


def slot_order(sym: Symmetry, q: Gaussian) -> Elements:
    """Slots by how little they overlap with others, from the Normals' parameters alone.

    An order that looked at the draw would make the bound jump where the order changes.
    """
    q = jax.lax.stop_gradient(q)
    order = {}
    for u in sym.units:
        fit = fit_of(sym, u, {}, q.loc, q, spread=q.variance)
        best = fit.even + jnp.abs(fit.odd)
        own = jnp.diagonal(best, axis1=-2, axis2=-1)
        overlap = jnp.exp((best - own[..., None]) / 4)
        both_ways = overlap.sum(-1) + overlap.sum(-2) - 2
        # Rounded, so that ties are broken by position and not by the last digit.
        overlap = jnp.round(jnp.log(jnp.maximum(both_ways, 1e-6)), 2)
        order[u.name] = Element(jnp.argsort(overlap, axis=-1, stable=True), jnp.ones(u.shape))
    return order


def reordered(sym: Symmetry, order: Elements, x: Sites, q: Gaussian) -> tuple[Sites, Gaussian]:
    """Units and slots renumbered alike.

    :returns: the same values and Normals in another order.
    """
    loc, variance = sym.act(order, q.loc), sym.act(order, q.variance)
    return sym.act(order, x), Gaussian(loc, variance)
