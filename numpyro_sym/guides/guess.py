"""Guess which group element made a draw: a bound on the symmetrised density that stays tight at any size.

For any normalised ``tau(g | w)``, the information ``I(g; w)`` that the draw holds about its element
is at least ``log|G| + E_q[log tau(e | w)]`` (Barber and Agakov 2003). ``tau`` is a function of the
relation between units and slots alone, ``tau(hg | hw) = tau(g | w)``; so it need never be sampled,
and its normalisation reads ``sum_g tau(e | g^-1 w) = 1``.

Here ``tau`` fills the slots of one ``Units`` after the other, the most identifiable slot first; what
is not yet filled enters through beliefs about it (:mod:`~numpyro_sym.guides.evidence`).
"""

from __future__ import annotations

from math import log

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from ..symmetry import Element, Symmetry, Units
from ..symmetry.symmetry import Elements
from .evidence import Belief, Fit, Gaussian, Sites, belief, fit_of, ignorance, signed
from .matching import balance, log_guess, sample_guess
from .orbit import Drawn

#: How often beliefs about units that share arrays are passed to and fro before one of them is filled.
SWEEPS = 12


def guess(sym: Symmetry, log_q: Drawn, sites: Sites, rng_key: jax.Array, *, num_elements: int = 1) -> jax.Array:
    """A bound on ``log q_sym`` of a draw of the base, from the guess at the identity and at draws of it.

    Its expectation over the base is at least that of ``log q_sym``, so the ELBO that it gives is a
    lower bound; the more elements, the tighter (Burda et al. 2016).

    :param sym: any :class:`~numpyro_sym.Symmetry` of permutations and signs.
    :param log_q: the base guide at its draw.
    :param sites: that draw.
    :param rng_key: a JAX random key.
    :param num_elements: elements in the average, the identity counted; with 1 nothing is random.
    :returns: a scalar.
    """
    key_moments, key_elements = jax.random.split(rng_key)
    x, q, _ = log_q.stand_in(sym, key_moments)
    if num_elements == 1:
        return log_q(sites) - log_tau(sym, x, q) - sym.log_order
    log_ratios, log_taus = importance(key_elements, sym, log_q, sites, x, q, num_elements)
    log_mean = logsumexp(log_ratios) - log(num_elements)
    # The drawn elements depend on the parameters: their share of the gradient is a score, against
    # the average without each of them.
    without = _leave_one_out(log_ratios)[1:]
    score = jax.lax.stop_gradient(log_mean - without) * (log_taus[1:] - jax.lax.stop_gradient(log_taus[1:]))
    return log_q(sites) + log_mean + score.sum() - sym.log_order


def importance(
    rng_key: jax.Array, sym: Symmetry, log_q: Drawn, sites: Sites, x: Sites, q: Gaussian, num_elements: int
) -> tuple[jax.Array, jax.Array]:
    """``log q(g^-1 w) / (q(w) tau(g | w))`` and ``log tau(g | w)``, at the identity and at elements drawn from ``tau``.

    :returns: two arrays of shape ``(num_elements,)``, the identity first.
    """
    keys = jax.random.split(rng_key, num_elements - 1)
    fixed = jax.lax.stop_gradient((x, q))
    drawn = jax.vmap(lambda key: sample_tau(key, sym, *fixed))(keys)
    at_draw, log_identity = log_q(sites), log_tau(sym, x, q)

    def one(g: Elements) -> tuple[jax.Array, jax.Array]:
        log_prob = log_tau(sym, sym.act(g, x), q)
        return log_q(sym.act(g, sites)) - at_draw - log_prob, log_prob

    log_ratios, log_taus = jax.vmap(one)(drawn)
    return jnp.append(-log_identity, log_ratios), jnp.append(log_identity, log_taus)


def _leave_one_out(log_terms: jax.Array) -> jax.Array:
    """Log of the mean of all terms but one, for each."""
    n = len(log_terms)
    others = jnp.where(jnp.eye(n, dtype=bool), -jnp.inf, log_terms[None, :])
    return logsumexp(others, axis=1) - log(n - 1)


def log_tau(sym: Symmetry, x: Sites, q: Gaussian) -> jax.Array:
    """Log probability that the guess gives to the identity.

    :param sym: a :class:`~numpyro_sym.Symmetry` of permutations and signs.
    :param x: site name -> array of reals.
    :param q: the Normals that stand for the base guide; any will do, good ones make the bound tight.
    :returns: a scalar; over all ``g`` the exponentials of ``log_tau(sym, sym.act(g, x), q)`` add up to 1.
    """
    x, q = _reordered(sym, slot_order(sym, q), x, q)
    total = jnp.zeros(())
    for u, filled in _plan(sym):
        each = jax.vmap(lambda fit, u=u: _log_step(u, fit))(_fits(sym, u, filled, x, q))
        total += logsumexp(each) - log(len(each))
    return total


def _log_step(u: Units, fit: Fit) -> jax.Array:
    """Log probability that the guess gives to every unit of one ``Units`` in its own slot."""
    if not signed(u):
        return log_guess(balance(fit.even)).sum()
    return log_guess(balance(fit.either)).sum() + jax.nn.log_sigmoid(2 * jnp.diagonal(fit.odd)).sum()


def sample_tau(rng_key: jax.Array, sym: Symmetry, x: Sites, q: Gaussian) -> Elements:
    """A random element ``g`` from the guess, inverted: ``act(sample_tau(...), x)`` is ``g^-1 x``.

    Its log probability is ``log_tau`` there.

    :param rng_key: a JAX random key.
    :returns: ``{units name: Element}``.
    """
    order = slot_order(sym, q)
    x, q = _reordered(sym, order, x, q)
    total = sym.identity()
    for (u, filled), key in zip(_plan(sym), jax.random.split(rng_key, len(sym)), strict=True):
        key_which, key_permutation, key_sign = jax.random.split(key, 3)
        fits = _fits(sym, u, filled, x, q)
        which = jax.random.randint(key_which, (), 0, len(fits.even))
        fit = jax.tree.map(lambda each, i=which: each[i], fits)
        units = sample_guess(key_permutation, balance(fit.either if signed(u) else fit.even))
        factor = jnp.ones(u.n)
        if signed(u):
            positive = jax.random.bernoulli(key_sign, jax.nn.sigmoid(2 * fit.odd[units, jnp.arange(u.n)]))
            factor = jnp.where(positive, 1.0, -1.0)
        step = {**sym.identity(), u.name: Element(units, factor)}
        x, total = sym.act(step, x), sym.compose(step, total)
    return sym.compose(sym.inverse(order), sym.compose(total, order))


def _fits(sym: Symmetry, u: Units, filled: frozenset[str], x: Sites, q: Gaussian) -> Fit:
    """Fits of the units to be filled, along a leading dimension; each makes a guess, their equal mixture is the guess.

    Units that share arrays are told apart by passing beliefs to and fro. Many sweeps find the
    places where there is enough to go by, and become sure of wrong ones where there is not; one
    sweep never does. The mixture is as good as the better of the two, up to ``log 2``.
    """
    unknown = [v for v in sym.units if v.name not in filled]
    linked = [v for v in unknown if _entangled(v, unknown)]
    beliefs = {v.name: ignorance(v) for v in unknown}
    if u not in linked:
        return jax.tree.map(lambda a: a[None], fit_of(sym, u, beliefs, x, q))

    def sweep(beliefs: dict[str, Belief], keep: jax.Array) -> tuple[dict[str, Belief], dict[str, Belief]]:
        for v in reversed(linked):
            new = belief(v, fit_of(sym, v, beliefs, x, q))
            beliefs = {**beliefs, v.name: jax.tree.map(lambda a, b: keep * a + (1 - keep) * b, beliefs[v.name], new)}
        return beliefs, beliefs

    _, path = jax.lax.scan(sweep, beliefs, jnp.full(SWEEPS, 0.5).at[0].set(0))
    ends = jax.tree.map(lambda a: a[jnp.array([0, -1])], path)
    return jax.vmap(lambda beliefs: fit_of(sym, u, beliefs, x, q))(ends)


def _entangled(u: Units, unknown: list[Units]) -> bool:
    """Whether units share an array with others whose places are unknown, or lie on two axes of one."""
    shared = any(v is not u and set(v.sites) & set(u.sites) for v in unknown)
    return shared or any(len({a.axis for a in axes}) > 1 for _, axes in u.placements)


def _plan(sym: Symmetry) -> list[tuple[Units, frozenset[str]]]:
    """Which units are filled one after the other, and the names of those before."""
    names = [u.name for u in sym.units]
    return [(u, frozenset(names[:i])) for i, u in enumerate(sym.units)]


def slot_order(sym: Symmetry, q: Gaussian) -> Elements:
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


def _reordered(sym: Symmetry, order: Elements, x: Sites, q: Gaussian) -> tuple[Sites, Gaussian]:
    """Units and slots renumbered alike."""
    loc, variance = sym.act(order, q.loc), sym.act(order, q.variance)
    return sym.act(order, x), Gaussian(loc, variance)
