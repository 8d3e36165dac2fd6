"""The guess is a probability over the group at every point, whatever the Normals: what makes its
bound valid.
"""

import guess_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from numpyro_sym.guides.bounds import _guess as guess_module
from numpyro_sym.guides.bounds._guess import REPORTING, TRAINING, log_tau, sample_tau
from numpyro_sym.guides.bounds.beliefs import Fit, in_place
from numpyro_sym.guides.bounds.slot_filling import balance, log_conditionals, log_guess

pytestmark = pytest.mark.usefixtures("x64")


def total(sym, x, q, effort=TRAINING):
    """``sum_g tau(e | g^-1 w)``."""
    every = cases.every_element(sym)
    return jnp.exp(
        logsumexp(jax.jit(jax.vmap(lambda g: log_tau(sym, sym.act(g, x), q, effort)))(every))
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n.startswith(("two", "three")) else n
        for n in cases.CASES
    ],
)
def test_sums_to_one_over_the_group(name):
    """At a draw, and at a point that has nothing to do with the Normals."""
    sym, shapes = cases.CASES[name]
    q = cases.normals(shapes, separation=1.5)
    points = jax.tree.map(
        lambda *each: jnp.stack(each),
        cases.draw(jax.random.key(1), q),
        cases.normals(shapes, 5.0, seed=9).loc,
    )
    np.testing.assert_allclose(
        jax.jit(jax.vmap(lambda x: total(sym, x, q)))(points), 1.0, atol=1e-10
    )


@pytest.mark.slow
def test_sums_to_one_with_many_pauses():
    sym, shapes = cases.layers([5, 2], "permutation")
    q = cases.normals(shapes, separation=1.5)
    x = cases.draw(jax.random.key(1), q)
    np.testing.assert_allclose(total(sym, x, q, REPORTING), 1.0, atol=1e-10)


def test_negative_control_a_guess_centred_on_the_identity_is_not_normalised(monkeypatch):
    """The identity favoured by the position of a unit, not by its relation to a slot: the sum
    leaves 1.
    """

    def centred(log_balanced, rounds):
        return log_guess(log_balanced + jnp.eye(len(log_balanced)), rounds)

    monkeypatch.setattr(guess_module, "log_guess", centred)
    sym, shapes = cases.CASES["one layer"]
    q = cases.normals(shapes)
    assert abs(total(sym, cases.draw(jax.random.key(1), q), q) - 1) > 0.1


def test_blocks_of_slots_leave_every_conditional_as_it_is():
    """What is in place has been cut away: the same numbers as from the whole matrix,
    slot by slot.
    """
    log_balanced = balance(3 * jax.random.normal(jax.random.key(0), (60, 60)))
    slots = jnp.arange(60)
    whole = jax.jit(jax.vmap(lambda s: log_conditionals(log_balanced, slots >= s, s)[s]))(slots)
    np.testing.assert_allclose(jax.jit(log_guess)(log_balanced), whole, atol=1e-12)
    assert whole.sum() < -100


@pytest.mark.parametrize(
    "left", [[True] * 5, [False, True, True, True, True], [True, False, True, False, True]]
)
def test_conditionals_are_normalised_over_the_units_left(left):
    log_balanced = balance(5 * jax.random.normal(jax.random.key(0), (5, 5)))
    left = jnp.array(left)
    log_probs = jax.jit(log_conditionals)(log_balanced, left, jnp.array(5 - left.sum()))
    np.testing.assert_allclose(jnp.exp(log_probs).sum(), 1.0, atol=1e-13)
    assert (jnp.exp(log_probs)[~left] == 0).all()


@pytest.mark.parametrize("n", [2, 3])
def test_is_exact_where_all_weights_are_one(n):
    np.testing.assert_allclose(
        jax.jit(lambda x: log_guess(balance(x)).sum())(jnp.zeros((n, n))),
        -np.log([2, 6][n - 2]),
        atol=1e-6,
    )


def assert_drawn_as_told(sym, x, q):
    """Frequencies of drawn elements against log_tau where they move the draw; a chi-square
    statistic.
    """
    every = cases.every_element(sym)
    probability = jnp.exp(jax.jit(jax.vmap(lambda g: log_tau(sym, sym.act(g, x), q)))(every))
    keys = jax.random.split(jax.random.key(0), 8000)
    drawn = jax.jit(jax.vmap(lambda key: sample_tau(key, sym, x, q)))(keys)
    same = jnp.ones((len(keys), len(probability)), bool)
    for u in sym:
        same &= (drawn[u.name].permutation[:, None] == every[u.name].permutation).all(-1)
        same &= (drawn[u.name].factor[:, None] == every[u.name].factor).all(-1)
    counts, expected = same.sum(0), len(keys) * probability
    assert counts.sum() == len(keys)
    likely = expected > 5
    chi_square = (((counts - expected) ** 2 / expected)[likely]).sum()
    assert chi_square < likely.sum() + 5 * np.sqrt(2 * likely.sum())


@pytest.mark.parametrize(
    "name", ["one layer, signs", pytest.param("two layers", marks=pytest.mark.slow)]
)
def test_draws_have_the_probability_that_the_guess_tells(name):
    sym, shapes = cases.CASES[name]
    q = cases.normals(shapes, separation=0.7)
    assert_drawn_as_told(sym, cases.draw(jax.random.key(3), q), q)


@pytest.mark.slow
def test_draws_change_from_guess_to_guess_as_told(monkeypatch):
    """Two guesses that contradict each other: what fills one block tells what fills the next."""
    fits = guess_module._fits

    def contrary(sym, u, filled, start, *rest):
        fit = jax.tree.map(lambda each: each[0], fits(sym, u, filled, start, *rest))
        turned = in_place(Fit(-fit.even, fit.odd), jnp.arange(u.n) < start)
        return jax.tree.map(lambda *each: jnp.stack(each), fit, turned)

    monkeypatch.setattr(guess_module, "_fits", contrary)
    sym, shapes = cases.layers([3, 2], "permutation")
    q = cases.normals(shapes, separation=0.7)
    assert_drawn_as_told(sym, cases.draw(jax.random.key(3), q), q)


@pytest.mark.parametrize("name", ["one layer, signs", "two layers, signs", "both axes of a matrix"])
@pytest.mark.slow
def test_finite_values_and_gradients_in_single_precision(name):
    """Far apart, equal, and at a thousand scales' distance."""
    sym, shapes = cases.CASES[name]
    with jax.enable_x64(False):
        for separation in (0.0, 1.0, 1000.0):
            q = jax.tree.map(jnp.float32, cases.normals(shapes, separation))
            x = cases.draw(jax.random.key(0), q)
            value, gradient = jax.jit(jax.value_and_grad(lambda x, q: log_tau(sym, x, q), (0, 1)))(
                x, q
            )
            assert np.isfinite(value)
            assert value <= 1e-5
            assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
