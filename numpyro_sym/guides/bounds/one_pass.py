"""A guess in one pass, for units that the guide's own parameters keep well apart.

Each unit's values are held once against every slot; a slot takes a unit that is left in proportion
to the share that the slot has of that unit. Nothing is rescaled on the way, so the whole costs a
few passes over a matrix. Where units overlap this tells less than
:mod:`~numpyro_sym.guides.bounds.slot_filling`; so whether it is used depends on the guide's
parameters, never on the draw, and the guess stays a normalized function of the relation between
units and slots.

With several layers the units are told one after the other, by arrays on which all others are in
place; of many entries those that tell most, again by the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp

from ...symmetry import Axis, Element, Symmetry, Units
from ...symmetry.symmetry import Elements
from .beliefs import Fit, Gaussian, Rows, Sites, fit_of_rows, in_every_set, rows_of, signed
from .outer import inner_units

#: What all overlaps together may cost at most, in nats, for one pass to be enough.
ENOUGH = 0.1

#: The largest number of a unit's entries that are looked at. Of 784 pixels 32 tell enough as guides
#: start, and 128 still do when scales have grown in training.
ENTRIES = 128

_FLOOR = -30.0  # of log shares: a quotient of two is finite in float32
_UNIFORM_SHARE = 1e-6


def one_pass_order(sym: Symmetry, sites: Sites) -> list[Units] | None:
    """The units in an order in which each can be told by arrays on which all others are in place,
    each on these arrays alone; first those with most entries. ``None`` where there is no such
    order, as where units permute the sets of others.

    :param sites: site name -> array; only shapes are read.
    """
    if any(inner_units(sym, u) for u in sym.units):
        return None
    left, order = list(sym.units), []
    while left:
        told_by = [_arrays_alone(u, left) for u in left]
        entries = [
            sum(prod(jnp.shape(sites[name])) for name in arrays) / (u.n * u.sets)
            for u, arrays in zip(left, told_by, strict=True)
        ]
        most = max(range(len(left)), key=lambda i: entries[i])
        if not told_by[most]:
            return None
        order.append(left[most].with_axes(told_by[most], values={}))
        del left[most]
    return order


def _arrays_alone(u: Units, unknown: Sequence[Units]) -> dict[str, tuple[Axis, ...]]:
    """The arrays of units that hold no other unknown units, nor themselves on several axes."""
    others = [v for v in unknown if v is not u]
    return {
        site: axes
        for site, axes in u.axes.items()
        if len({axis.axis for axis in axes}) == 1 and not any(site in v.sites for v in others)
    }


def is_enough(sym: Symmetry, order: Sequence[Units], q: Gaussian) -> jax.Array:
    """Whether the units lie so well apart that one pass tells nearly all.

    ``log tau`` costs at most ``log(1 + sum of density ratios)`` a slot, expected to be at most the
    sum of Bhattacharyya coefficients, as ``log(1 + y) <= sqrt(y)``; each is about ``exp(-KL / 4)``.

    :returns: a boolean.
    """
    q = jax.lax.stop_gradient(q)
    each = [_overlap(_fit(sym, u, q.loc, q, spread=q.variance)) for u in order]
    return jnp.stack(each).sum() <= ENOUGH


def _overlap(fit: Fit) -> jax.Array:
    own = jnp.diagonal(fit.even + fit.odd, axis1=-2, axis2=-1)
    divergence = own[..., None] - fit.even - jnp.abs(fit.odd)
    # Of the divergences of two units from each other the lesser one, which is never too large.
    divergence = jnp.minimum(divergence, jnp.swapaxes(divergence, -1, -2))
    return jnp.exp(-divergence / 4).sum() - own.size


def _fit(sym: Symmetry, u: Units, x: Sites, q: Gaussian, spread: Sites | None = None) -> Fit:
    """Log densities of units in slots, ``(*batch, n, n)``, from the entries that tell most."""
    parts = rows_of(sym, u, {}, x, q, spread)
    return fit_of_rows({turns: _most_telling(rows, turns) for turns, rows in parts.items()})


def _most_telling(rows: Rows, turns: bool) -> Rows:
    """The entries whose means differ most from slot to slot, in units of their variance."""
    loc, variance = jax.lax.stop_gradient((rows.loc, rows.variance))
    if loc.shape[-2] <= ENTRIES:
        return rows
    # What turns with the sign has no other center than 0.
    center = 0.0 if turns else loc.mean(-1, keepdims=True)
    across = (*range(loc.ndim - 2), -1)
    telling = ((loc - center) ** 2).mean(across) / variance.mean(across)
    _, most = jax.lax.top_k(telling, ENTRIES)
    return jax.tree.map(lambda a: jnp.take(a, most, axis=-2), rows)


def log_one_pass(sym: Symmetry, order: Sequence[Units], x: Sites, q: Gaussian) -> jax.Array:
    """Log probability that the guess gives to the identity.

    :param order: from :func:`one_pass_order`.
    :returns: a scalar.
    """
    return sum((_log_units(u, _fit(sym, u, x, q)) for u in order), jnp.zeros(()))


def _log_units(u: Units, fit: Fit) -> jax.Array:
    n = u.n
    shares = _shares(fit)
    still_left = jnp.tri(n, dtype=bool)  # [unit, slot]: a unit is left until its own slot
    own = jnp.diagonal(shares, axis1=-2, axis2=-1)
    all_left = jnp.where(still_left, shares, 0).sum(-2)
    number = n - jnp.arange(n)
    log_probs = jnp.log((1 - _UNIFORM_SHARE) * own / all_left + _UNIFORM_SHARE / number)
    if signed(u):
        log_probs += jax.nn.log_sigmoid(2 * jnp.diagonal(fit.odd, axis1=-2, axis2=-1))
    return log_probs.sum()


def _shares(fit: Fit) -> jax.Array:
    """Each slot's share of a unit, the better way round: ``(*batch, units, slots)``."""
    best = fit.even + jnp.abs(fit.odd)
    log_shares = best - jax.nn.logsumexp(best, axis=-1, keepdims=True)
    return jnp.exp(jnp.maximum(log_shares, _FLOOR))


def sample_one_pass(
    rng_key: jax.Array, sym: Symmetry, order: Sequence[Units], x: Sites, q: Gaussian
) -> Elements:
    """A random element from the guess, inverted as in ``sample_tau``.

    :param order: from :func:`one_pass_order`.
    :returns: ``{units name: Element}``.
    """
    total = sym.identity()
    for u, key in zip(order, jax.random.split(rng_key, len(order)), strict=True):
        keys = jax.random.split(key, u.batch)
        fill = in_every_set(u, lambda key, fit, u=u: _draw_units(u, key, fit))
        g = {**sym.identity(), u.name: fill(keys, _fit(sym, u, x, q))}
        x, total = sym.act(g, x), sym.compose(g, total)
    return total


def _draw_units(u: Units, rng_key: jax.Array, fit: Fit) -> Element:
    shares = _shares(fit)
    key_units, key_sign = jax.random.split(rng_key)

    def draw(left: jax.Array, step: tuple) -> tuple[jax.Array, jax.Array]:
        key, of_slot = step
        of_slot = jnp.where(left, of_slot, 0)
        probs = (1 - _UNIFORM_SHARE) * of_slot / of_slot.sum() + _UNIFORM_SHARE / left.sum()
        unit = jax.random.categorical(key, jnp.where(left, jnp.log(probs), -jnp.inf))
        return left.at[unit].set(False), unit

    steps = jax.random.split(key_units, u.n), shares.T
    _, units = jax.lax.scan(draw, jnp.ones(u.n, bool), steps)
    if not signed(u):
        return Element(units, jnp.ones(u.n))
    positive = jax.random.bernoulli(key_sign, jax.nn.sigmoid(2 * fit.odd[units, jnp.arange(u.n)]))
    return Element(units, jnp.where(positive, 1.0, -1.0))
