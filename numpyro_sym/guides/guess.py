"""Guess which group element made a draw: a bound on the symmetrised density that stays tight at any size.

For any normalised ``tau(g | w)``, the information ``I(g; w)`` that the draw holds about its element
is at least ``log|G| + E_q[log tau(e | w)]`` (Barber and Agakov 2003). ``tau`` is a function of the
relation between units and slots alone, ``tau(hg | hw) = tau(g | w)``; so it need never be sampled,
and its normalisation reads ``sum_g tau(e | g^-1 w) = 1``.

Here ``tau`` fills the slots of one ``Units`` after the other, the most identifiable slot first; what
is not yet filled enters through beliefs about it (:mod:`~numpyro_sym.guides.evidence`).
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from ..symmetry import Element, Symmetry, Units
from ..symmetry.symmetry import Elements
from .evidence import Belief, Fit, Gaussian, Sites, belief, fit_of, ignorance, signed
from .matching import balance, log_guess, sample_guess

#: How often beliefs about units that share arrays are passed to and fro before one of them is filled.
SWEEPS = 3


def log_tau(sym: Symmetry, x: Sites, q: Gaussian) -> jax.Array:
    """Log probability that the guess gives to the identity.

    :param sym: a :class:`~numpyro_sym.Symmetry` of permutations and signs.
    :param x: site name -> array of reals.
    :param q: the Normals that stand for the base guide; any will do, good ones make the bound tight.
    :returns: a scalar; over all ``g`` the exponentials of ``log_tau(sym, sym.act(g, x), q)`` add up to 1.
    """
    order = slot_order(sym, q)
    x, q = _reordered(sym, order, x, q)
    total = jnp.zeros(())
    for u, filled, to in _plan(sym):
        fit = _fit(sym, u, filled, x, q)
        log_weights = fit[u.name].either if signed(u) else fit[u.name].even
        start = filled[u.name]
        total += log_guess(balance(log_weights[start:, start:]))[: to - start].sum()
        if signed(u):
            total += jax.nn.log_sigmoid(2 * jnp.diagonal(fit[u.name].odd)[start:to]).sum()
    return total


def sample_tau(rng_key: jax.Array, sym: Symmetry, x: Sites, q: Gaussian) -> Elements:
    """A random element ``g`` from the guess, inverted: ``act(sample_tau(...), x)`` is ``g^-1 x``.

    Its log probability is ``log_tau`` there.

    :param rng_key: a JAX random key.
    :returns: ``{units name: Element}``.
    """
    order = slot_order(sym, q)
    x, q = _reordered(sym, order, x, q)
    total = sym.identity()
    for (u, filled, to), key in zip(_plan(sym), jax.random.split(rng_key, len(sym)), strict=True):
        key_permutation, key_sign = jax.random.split(key)
        fit = _fit(sym, u, filled, x, q)[u.name]
        log_weights = fit.either if signed(u) else fit.even
        units = sample_guess(key_permutation, balance(log_weights), filled[u.name])
        factor = jnp.ones(u.n)
        if signed(u):
            positive = jax.random.bernoulli(key_sign, jax.nn.sigmoid(2 * fit.odd[units, jnp.arange(u.n)]))
            factor = jnp.where(positive, 1.0, -1.0)
        step = {**sym.identity(), u.name: Element(units, factor)}
        x, total = sym.act(step, x), sym.compose(step, total)
    return sym.compose(sym.inverse(order), sym.compose(total, order))


def _fit(sym: Symmetry, u: Units, filled: Mapping[str, int], x: Sites, q: Gaussian) -> Mapping[str, Fit]:
    """Fits of the units to be filled, after messages between all that are not in place."""
    beliefs = {v.name: ignorance(v, filled[v.name]) for v in sym.units if filled[v.name] < v.n}
    linked = [v for v in sym.units if v.name in beliefs and _entangled(sym, v, beliefs)]
    fits: dict[str, Fit] = {}
    for _ in range(SWEEPS if u in linked else 0):
        for v in reversed(linked):
            fits[v.name] = fit_of(sym, v, beliefs, x, q)
            beliefs[v.name] = belief(v, fits[v.name], filled[v.name])
    fits[u.name] = fit_of(sym, u, beliefs, x, q)
    return fits


def _entangled(sym: Symmetry, u: Units, beliefs: Mapping[str, Belief]) -> bool:
    """Whether these units share an array with units that are not in place, themselves along another axis included."""
    for site in u.sites:
        if len({a.axis for a in u.axes[site]}) > 1:
            return True
        if any(v is not u and v.name in beliefs and site in v.sites for v in sym.units):
            return True
    return False


def _plan(sym: Symmetry) -> list[tuple[Units, dict[str, int], int]]:
    """Which units are filled next, how many slots of each are filled by then, and to which slot."""
    filled = {u.name: 0 for u in sym.units}
    steps = []
    for u in sym.units:
        steps.append((u, dict(filled), u.n))
        filled[u.name] = u.n
    return steps


def slot_order(sym: Symmetry, q: Gaussian) -> dict[str, Element]:
    """Slots by how little they overlap with others, from the Normals' parameters alone.

    An order that looked at the draw would make the bound jump where the order changes.
    """
    q = jax.lax.stop_gradient(q)
    order = {}
    for u in sym.units:
        fit = fit_of(sym, u, {}, q.loc, q, spread=q.variance)
        expected = jnp.logaddexp(fit.even + fit.odd, fit.even - fit.odd) if signed(u) else fit.even
        distance = jnp.diagonal(fit.even + fit.odd)[:, None] - expected
        distance = jnp.where(jnp.eye(u.n, dtype=bool), jnp.inf, (distance + distance.T) / 8)
        # Rounded, so that ties are broken by position and not by the last digit.
        overlap = jnp.round(jax.nn.logsumexp(-distance, axis=1), 2)
        order[u.name] = Element(jnp.argsort(overlap, stable=True), jnp.ones(u.n))
    return order


def _reordered(sym: Symmetry, order: Mapping[str, Element], x: Sites, q: Gaussian) -> tuple[Sites, Gaussian]:
    """Units and slots renumbered alike."""
    loc, variance = sym.act(order, q.loc), sym.act(order, q.variance)
    return sym.act(order, x), Gaussian(loc, variance)
