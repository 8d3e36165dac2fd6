"""Guess which group element made a draw: a bound on the symmetrized density that stays tight at any
size.

For any normalized ``tau(g | w)``, the information ``I(g; w)`` that the draw holds about its element
is at least ``log|G| + E_q[log tau(e | w)]`` (Barber and Agakov 2003). ``tau`` is a function of the
relation between units and slots alone, ``tau(hg | hw) = tau(g | w)``; so it need never be sampled,
and its normalization reads ``sum_g tau(e | g^-1 w) = 1``.

Where the guide's parameters keep the units well apart, ``tau`` is told in one pass
(:mod:`~numpyro_sym.guides.bounds.one_pass`). Elsewhere it fills the slots of one ``Units`` after
the other, the most identifiable slot first; what is not yet filled enters through beliefs about it
(:mod:`~numpyro_sym.guides.bounds.beliefs`). The sets of a batch are filled side by side. Units that
permute the sets of others come first, from evidence that does not depend on the order inside a set
(:mod:`~numpyro_sym.guides.bounds.outer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import log
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from ...symmetry import Element, Symmetry, Units
from ...symmetry.symmetry import Elements
from ._slot_order import reordered, slot_order
from .beliefs import (
    Belief,
    Fit,
    Gaussian,
    Sites,
    belief,
    fit_of,
    ignorance,
    in_every_set,
    in_place,
    signed,
    summed_out,
)
from .branches import either_way
from .one_pass import is_enough, log_one_pass, one_pass_order, sample_one_pass
from .orbit import Drawn
from .outer import inner_units, outer_fit
from .slot_filling import BALANCINGS, BLOCKS, ROUNDS, balance, log_guess, sample_guess


class Effort(NamedTuple):
    """How much is done to tell units apart.

    :param rounds: how often what is left is rescaled before the next block of slots is filled.
    :param blocks: how many blocks what is left would make.
    :param sweeps: how often beliefs are passed to and fro between layers whose units share arrays.
    :param pauses: where the filling stops for beliefs made anew, as shares of the slots: a few
        units in place can tell the others of both layers. More pauses tell more than more sweeps.
    """

    rounds: int
    blocks: int
    sweeps: int
    pauses: tuple[float, ...]


TRAINING = Effort(ROUNDS, BLOCKS, 4, (0, 0.02, 0.04, 0.08, 0.14, 0.2, 0.3, 0.4, 0.55, 0.7))
REPORTING = Effort(8, 32, 12, (0, 0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8))

#: How probable it is that another kind of belief fills the next block.
CHANGE = 0.1


def guess(
    sym: Symmetry, log_q: Drawn, sites: Sites, rng_key: jax.Array, *, num_elements: int = 1
) -> jax.Array:
    """A bound on ``log q_sym`` of a draw of the base, from the guess at the identity and at draws
    of it.

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
    score = jax.lax.stop_gradient(log_mean - without) * (
        log_taus[1:] - jax.lax.stop_gradient(log_taus[1:])
    )
    return log_q(sites) + log_mean + score.sum() - sym.log_order


def importance(
    rng_key: jax.Array,
    sym: Symmetry,
    log_q: Callable[[Sites], jax.Array],
    sites: Sites,
    x: Sites,
    q: Gaussian,
    num_elements: int,
    effort: Effort = TRAINING,
) -> tuple[jax.Array, jax.Array]:
    """``log q(g^-1 w) / (q(w) tau(g | w))`` and ``log tau(g | w)``, at the identity and at elements
    drawn from ``tau``.

    :returns: two arrays of shape ``(num_elements,)``, the identity first.
    """
    keys = jax.random.split(rng_key, num_elements - 1)
    fixed = jax.lax.stop_gradient((x, q))
    drawn = jax.vmap(lambda key: sample_tau(key, sym, *fixed, effort))(keys)
    at_draw, log_identity = log_q(sites), log_tau(sym, x, q, effort)

    def one(g: Elements) -> tuple[jax.Array, jax.Array]:
        log_prob = log_tau(sym, sym.act(g, x), q, effort)
        return log_q(sym.act(g, sites)) - at_draw - log_prob, log_prob

    log_ratios, log_taus = jax.vmap(one)(drawn)
    return jnp.append(-log_identity, log_ratios), jnp.append(log_identity, log_taus)


def _leave_one_out(log_terms: jax.Array) -> jax.Array:
    """Log of the mean of all terms but one, for each."""
    n = len(log_terms)
    others = jnp.where(jnp.eye(n, dtype=bool), -jnp.inf, log_terms[None, :])
    return logsumexp(others, axis=1) - log(n - 1)


def log_tau(sym: Symmetry, x: Sites, q: Gaussian, effort: Effort = TRAINING) -> jax.Array:
    """Log probability that the guess gives to the identity.

    :param sym: a :class:`~numpyro_sym.Symmetry` of permutations and signs.
    :param x: site name -> array of reals.
    :param q: the Normals that stand for the base guide; any will do, good ones make the bound
        tight.
    :param effort: with more the bound is tighter where several layers are filled, and slower.
    :returns: a scalar; over all ``g`` the exponentials of ``log_tau(sym, sym.act(g, x), q)`` add up
        to 1.
    """
    slot_by_slot = partial(_log_slot_by_slot, sym, effort=effort)
    order = one_pass_order(sym, x)
    if order is None:
        return slot_by_slot(x, q)
    in_one_pass = partial(log_one_pass, sym, order)
    return either_way(lambda _, q: is_enough(sym, order, q), in_one_pass, slot_by_slot)(x, q)


def _log_slot_by_slot(sym: Symmetry, x: Sites, q: Gaussian, effort: Effort) -> jax.Array:
    """Log probability of the identity, with what is left rescaled on the way."""
    x, q = reordered(sym, slot_order(sym, q), x, q)
    total = jnp.zeros(())
    for u, filled, blocks in _plan(sym, effort):
        one = partial(_log_block, sym, u, filled, x, q, effort)
        if len(blocks) > 1:
            # Beliefs of all pauses would fill memory: they are made again for the gradient.
            log_probs = jax.lax.map(jax.checkpoint(one), blocks)
        else:
            log_probs = one(blocks[0])[None]
        of_every_set = jnp.moveaxis(log_probs, (0, 1), (-2, -1))
        total += in_every_set(u, _over_paths)(of_every_set).sum()
    return total


def _log_block(
    sym: Symmetry,
    u: Units,
    filled: frozenset[str],
    x: Sites,
    q: Gaussian,
    effort: Effort,
    block: jax.Array,
) -> jax.Array:
    """Log probability of the units of one block in their own slots, by each of the guesses:
    ``(guesses, *batch)``.
    """
    fits = _fits(sym, u, filled, block[0], x, q, effort.sweeps)
    each = _of_each(in_every_set(u, lambda fit: _log_steps(u, fit, effort)), fits)
    return jnp.where(_within(u, block), each, 0).sum(-1)


def _of_each(function: Callable[[Fit], jax.Array], fits: Fit) -> jax.Array:
    """A function of every fit along the leading dimension. One alone is not mapped over: products
    of single matrices are several times faster than those of a batch of one.
    """
    if len(fits.even) == 1:
        return function(jax.tree.map(lambda a: a[0], fits))[None]
    return jax.vmap(function)(fits)


def _within(u: Units, block: jax.Array) -> jax.Array:
    slots = jnp.arange(u.n)
    return (block[0] <= slots) & (slots < block[1])


def _over_paths(log_probs: jax.Array) -> jax.Array:
    """Log of the mixture over which guess fills each block: it seldom changes from one to the next.

    :param log_probs: floats of shape ``(blocks, guesses)``.
    """
    number = log_probs.shape[1]
    change = (
        jnp.full((number, number), CHANGE / number).at[jnp.diag_indices(number)].add(1 - CHANGE)
    )
    forward = log_probs[0] - log(number)
    for each in log_probs[1:]:
        forward = each + logsumexp(forward[:, None] + jnp.log(change), axis=0)
    return logsumexp(forward)


def _log_steps(u: Units, fit: Fit, effort: Effort) -> jax.Array:
    """Log probability that the guess gives to each unit in its own slot, the units before it in
    theirs.
    """
    log_probs = log_guess(balance(summed_out(u, fit), BALANCINGS), effort.rounds, effort.blocks)
    return log_probs + jax.nn.log_sigmoid(2 * jnp.diagonal(fit.odd)) if signed(u) else log_probs


def sample_tau(
    rng_key: jax.Array, sym: Symmetry, x: Sites, q: Gaussian, effort: Effort = TRAINING
) -> Elements:
    """A random element ``g`` from the guess, inverted: ``act(sample_tau(...), x)`` is ``g^-1 x``.

    Its log probability is ``log_tau`` there.

    :param rng_key: a JAX random key.
    :returns: ``{units name: Element}``.
    """
    slot_by_slot = partial(_sample_slot_by_slot, sym, effort=effort)
    order = one_pass_order(sym, x)
    if order is None:
        return slot_by_slot(rng_key, x, q)

    def in_one_pass(rng_key: jax.Array, x: Sites, q: Gaussian) -> Elements:
        return sample_one_pass(rng_key, sym, order, x, q)

    return jax.lax.cond(is_enough(sym, order, q), in_one_pass, slot_by_slot, rng_key, x, q)


def _sample_slot_by_slot(
    sym: Symmetry, rng_key: jax.Array, x: Sites, q: Gaussian, effort: Effort
) -> Elements:
    """A random element, inverted, with what is left rescaled on the way."""
    order = slot_order(sym, q)
    x, q = reordered(sym, order, x, q)
    total = sym.identity()
    for (u, filled, blocks), key in zip(
        _plan(sym, effort), jax.random.split(rng_key, len(sym)), strict=True
    ):
        fill = partial(_fill_block, sym, u, filled, q, effort)
        steps = jnp.asarray(blocks), jax.random.split(key, len(blocks))
        (x, total, _), _ = jax.lax.scan(fill, (x, total, jnp.zeros(u.batch, int)), steps)
    return sym.compose(sym.inverse(order), sym.compose(total, order))


def _fill_block(
    sym: Symmetry,
    u: Units,
    filled: frozenset[str],
    q: Gaussian,
    effort: Effort,
    so_far: Any,
    step: Any,
) -> tuple[Any, None]:
    """Draw the units of one block: the values with them in place, the element so far, and which
    guess was followed.
    """
    (x, total, which), (block, key) = so_far, step
    fits = _fits(sym, u, filled, block[0], x, q, effort.sweeps)
    # A key for every set of the batch; its own guess, units and signs.
    keys = jax.random.split(key, u.batch)
    by_set = Fit(*(jnp.moveaxis(a, 0, -3) for a in fits))
    one_set = in_every_set(u, partial(_fill_one_set, u, effort, block))
    g, which = one_set(keys, by_set, which)
    g = {**sym.identity(), u.name: g}
    return (sym.act(g, x), sym.compose(g, total), which), None


def _fill_one_set(
    u: Units, effort: Effort, block: jax.Array, key: jax.Array, fits: Fit, which: jax.Array
) -> tuple[Element, jax.Array]:
    """The units of one block of one set, and the guess that drew them: most often the one that drew
    those before.
    """
    key_change, key_which, key_units, key_sign = jax.random.split(key, 4)
    anew = (block[0] == 0) | jax.random.bernoulli(key_change, CHANGE)
    which = jnp.where(anew, jax.random.randint(key_which, (), 0, len(fits.even)), which)
    fit = jax.tree.map(lambda each: each[which], fits)
    weights = balance(summed_out(u, fit), BALANCINGS)
    units = sample_guess(key_units, weights, block[0], block[1], effort.rounds, effort.blocks)
    factor = jnp.ones(u.n)
    if signed(u):
        positive = jax.random.bernoulli(
            key_sign, jax.nn.sigmoid(2 * fit.odd[units, jnp.arange(u.n)])
        )
        factor = jnp.where(_within(u, block) & ~positive, -1.0, 1.0)
    return Element(units, factor), which


def _fits(
    sym: Symmetry,
    u: Units,
    filled: frozenset[str],
    start: jax.Array,
    x: Sites,
    q: Gaussian,
    sweeps: int,
) -> Fit:
    """Fits of the units to be filled, along a leading dimension; each makes a guess, their equal
    mixture is the guess.

    Units that share arrays are told apart by passing beliefs to and fro. Many sweeps find the
    places where there is enough to go by, and become sure of wrong ones where there is not; one
    sweep never does. The mixture is as good as the better of the two, up to ``log 2``.

    :param start: units of ``u`` before this one are in place.
    """
    unknown = [v for v in sym.units if v.name not in filled]
    if inner_units(sym, u):
        return jax.tree.map(lambda a: a[None], outer_fit(sym, u, unknown, x, q))
    linked = [v for v in unknown if _entangled(v, unknown)]
    placed = {v.name: jnp.arange(v.n) < (start if v is u else 0) for v in unknown}
    beliefs = {v.name: ignorance(v, placed[v.name]) for v in unknown}
    if u not in linked:
        return jax.tree.map(lambda a: a[None], fit_of(sym, u, beliefs, x, q))

    def sweep(
        beliefs: dict[str, Belief], keep: jax.Array
    ) -> tuple[dict[str, Belief], dict[str, Belief]]:
        for v in reversed(linked):
            new = belief(v, fit_of(sym, v, beliefs, x, q), placed[v.name])
            beliefs = {
                **beliefs,
                v.name: jax.tree.map(lambda a, b: keep * a + (1 - keep) * b, beliefs[v.name], new),
            }
        return beliefs, beliefs

    _, path = jax.lax.scan(jax.checkpoint(sweep), beliefs, jnp.full(sweeps, 0.5).at[0].set(0))
    ends = jax.tree.map(lambda a: a[jnp.array([0, -1])], path)
    fits = jax.vmap(lambda beliefs: fit_of(sym, u, beliefs, x, q))(ends)
    return jax.vmap(lambda fit: in_place(fit, placed[u.name]))(fits)


def _entangled(u: Units, unknown: Sequence[Units]) -> bool:
    """Whether units share an array with others whose places are unknown, or lie on two
    axes of one.
    """
    shared = any(v is not u and set(v.sites) & set(u.sites) for v in unknown)
    return shared or any(len({a.axis for a in axes}) > 1 for _, axes in u.placements)


def _plan(sym: Symmetry, effort: Effort) -> list[tuple[Units, frozenset[str], np.ndarray]]:
    """Which units are filled one after the other, the names of those before, and their blocks of
    slots.

    :returns: units, names, and ints of shape ``(blocks, 2)``: where a block starts, where it ends.
    """
    plan = []
    # Those that permute the sets of others first: only then is it known which set is which.
    units = sym.in_order_of_action[::-1]
    for i, u in enumerate(units):
        linked = _entangled(u, units[i:]) and not inner_units(sym, u)
        starts = sorted({round(u.n * share) for share in effort.pauses}) if linked else [0]
        filled = frozenset(v.name for v in units[:i])
        plan.append((u, filled, np.stack([starts, [*starts[1:], u.n]], 1)))
    return plan
