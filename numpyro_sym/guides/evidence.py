"""How well each unit's values fit each slot, as far as the other units' places are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..symmetry import Axis, Symmetry, Units
from .matching import balance

Sites = Mapping[str, Any]

# In nats: what is known, without infinities whose gradients are none.
_NEVER, _SURE = -1e3, 30.0


class Gaussian(NamedTuple):
    """An independent Normal for each entry: site name -> array, and likewise the variances."""

    loc: Sites
    variance: Sites


class Fit(NamedTuple):
    """Log densities of unit ``i`` in slot ``j``: ``even + odd`` and, turned round, ``even - odd``."""

    even: jax.Array
    odd: jax.Array

    @property
    def either(self) -> jax.Array:
        """With the sign summed out."""
        return jnp.logaddexp(self.even + self.odd, self.even - self.odd)


class Belief(NamedTuple):
    """Probability that unit ``i`` is in slot ``j``, and the mean of its sign there: ``(n, n)`` each."""

    place: jax.Array
    sign: jax.Array


def signed(u: Units) -> bool:
    """Whether these units have signs."""
    return u.kind == "signed"


def odd(u: Units, axis: Axis) -> bool:
    """Whether a unit's sign turns its entries on this axis."""
    return signed(u) and (axis.power or 0) % 2 == 1


def ignorance(u: Units, placed: jax.Array) -> Belief:
    """Nothing is known but the units in place: every other may be in any slot left, either way round.

    :param placed: booleans of shape ``(n,)``.
    """
    left = ~placed
    place = jnp.where(left[:, None] & left, 1 / jnp.maximum(left.sum(), 1), jnp.diag(placed.astype(float)))
    return Belief(place, jnp.diag(placed.astype(float)) if signed(u) else place)


def belief(u: Units, fit: Fit, placed: jax.Array) -> Belief:
    """What fits say of the places of the units that are left: their doubly stochastic balance."""
    fit = in_place(fit, placed)
    place = jnp.exp(balance(fit.either if signed(u) else fit.even))
    return Belief(place, place * jnp.tanh(fit.odd) if signed(u) else place)


def in_place(fit: Fit, placed: jax.Array) -> Fit:
    """Fits in which the units in place fit there and nowhere else, the right way round."""
    known, own = placed[:, None] | placed, jnp.diag(placed)
    even = jnp.where(known, jnp.where(own, 0.0, _NEVER), fit.even)
    return Fit(even, jnp.where(known, jnp.where(own, _SURE, 0.0), fit.odd))


def fit_of(
    sym: Symmetry, u: Units, beliefs: Mapping[str, Belief], x: Sites, q: Gaussian, spread: Sites | None = None
) -> Fit:
    """Log densities of the units' values in every slot of ``u``.

    Where other units share an array with these, the densities are those of Normals whose first
    two moments are averaged over the beliefs about them. With beliefs that are certain this is
    the density itself.

    :param beliefs: units name -> :class:`Belief`, for all units that are not in place.
    :param x: site name -> array.
    :param q: the Normals.
    :param spread: variances of ``x``; with them, expected log densities.
    """
    even = odds = jnp.zeros((u.n, u.n))
    for site, axes in u.placements:
        dims = [a.axis % jnp.ndim(x[site]) for a in axes]
        for axis, dim in zip(axes, dims, strict=True):
            others = [(v, a) for v in sym.units if v.name in beliefs for a in v.axes.get(site, ())]
            others = [(v, a) for v, a in others if v is not u or a.axis % jnp.ndim(x[site]) != dim]
            loc, variance = q.loc[site], q.variance[site]
            for v, a in others:
                loc, variance = _average(v, a, beliefs[v.name], loc, variance)
            variance = _rows(variance, u.n, axis)
            part = _normal(_rows(x[site], u.n, axis), _rows(loc, u.n, axis), variance, odd(u, axis))
            even, odds = even + part.even, odds + part.odd
            if spread is not None:
                even -= 0.5 * _rows(spread[site], u.n, axis) @ (1 / variance).T
    return Fit(even, odds)


def _rows(x: jax.Array, n: int, axis: Axis) -> jax.Array:
    """The entries of each unit as one row: shape ``(n, entries)``."""
    block = _block(x, n, axis)
    return jnp.moveaxis(block, axis.axis % jnp.ndim(x) + 1, 0).reshape(n, -1)


def _block(x: jax.Array, n: int, axis: Axis) -> jax.Array:
    """The units' block of an axis, that axis split in three: ``(outer, n, inner)``."""
    dim = axis.axis % jnp.ndim(x)
    if axis.length(n) != x.shape[dim]:
        x = jax.lax.slice_in_dim(x, axis.offset, axis.offset + axis.length(n), axis=dim)
    return x.reshape(*x.shape[:dim], axis.outer, n, axis.inner, *x.shape[dim + 1 :])


def _normal(x: jax.Array, loc: jax.Array, variance: jax.Array, turns: bool) -> Fit:
    """Log densities of rows of ``x`` under rows of Normals; what turns with the sign apart."""
    if not turns:  # subtracting a common centre keeps the squares small
        centre = loc.mean(0)
        x, loc = x - centre, loc - centre
    precision = 1 / variance
    square = (loc**2 * precision + jnp.log(2 * jnp.pi * variance)).sum(1)
    cross = jnp.matmul(x, (loc * precision).T, precision="highest")
    even = -0.5 * (jnp.matmul(x**2, precision.T, precision="highest") + square)
    return Fit(even, cross) if turns else Fit(even + cross, jnp.zeros_like(cross))


def _average(v: Units, axis: Axis, known: Belief, loc: jax.Array, variance: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Moments of the Normals along one axis, averaged over which slot each unit is in."""
    weights = known.sign if odd(v, axis) else known.place
    mean = _mix(weights, loc, v.n, axis)
    # Variances of the means are differences of squares: kept positive whatever rounding does.
    spread = jnp.maximum(_mix(known.place, loc**2, v.n, axis) - mean**2, 0)
    return mean, _mix(known.place, variance, v.n, axis) + spread


def _mix(weights: jax.Array, x: jax.Array, n: int, axis: Axis) -> jax.Array:
    dim = axis.axis % jnp.ndim(x)
    block = _block(x, n, axis)
    mixed = jnp.moveaxis(jnp.tensordot(weights, block, (1, dim + 1), precision="highest"), 0, dim + 1)
    mixed = mixed.reshape(*x.shape[:dim], -1, *x.shape[dim + 1 :])
    if mixed.shape == x.shape:
        return mixed
    return jax.lax.dynamic_update_slice_in_dim(x, mixed, axis.offset, dim)
