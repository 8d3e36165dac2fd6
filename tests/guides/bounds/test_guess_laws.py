"""The guess is a probability over the group at every point, whatever the Normals: what makes its
bound valid.
"""

import itertools

import guess_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp
from jax.test_util import check_grads

from numpyro_sym.guides.bounds import _guess as guess_module
from numpyro_sym.guides.bounds import slot_filling
from numpyro_sym.guides.bounds._guess import REPORTING, TRAINING, log_tau, sample_tau
from numpyro_sym.guides.bounds.beliefs import Fit, in_place
from numpyro_sym.guides.bounds.slot_filling import balance, log_guess, sample_guess

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


def test_negative_control_a_guess_centered_on_the_identity_is_not_normalized(monkeypatch):
    """The identity favored by the position of a unit, not by its relation to a slot: the sum
    leaves 1.
    """

    def centered(weights, *how):
        return log_guess(weights * jnp.exp(jnp.eye(len(weights))), *how)

    monkeypatch.setattr(guess_module, "log_guess", centered)
    sym, shapes = cases.CASES["one layer"]
    q = cases.normals(shapes)
    assert abs(total(sym, cases.draw(jax.random.key(1), q), q) - 1) > 0.1


@pytest.fixture
def short_levels(monkeypatch):
    """Levels and blocks of several slots already where all orders can be listed."""
    monkeypatch.setattr(slot_filling, "_SINGLE", 1)
    assert slot_filling.levels(8, 4) == [(0, 2, 2), (4, 2, 1), (6, 1, 1), (7, 1, 1)]


def every_order(n):
    return np.array(list(itertools.permutations(range(n))))


def probabilities(weights, blocks):
    """Of every order of the units, as :func:`every_order` lists them."""
    told = jax.vmap(lambda order: log_guess(weights[order], 2, blocks).sum())
    return jnp.exp(jax.jit(told)(every_order(len(weights))))


@pytest.mark.parametrize(("n", "blocks"), [(8, 4), (6, 1), (6, 2), (6, 3), (6, 8)])
def test_blocks_of_several_slots_sum_to_one_over_all_orders(short_levels, n, blocks):
    weights = balance(4 * jax.random.normal(jax.random.key(0), (n, n)))
    np.testing.assert_allclose(probabilities(weights, blocks).sum(), 1.0, atol=1e-12)


def test_negative_control_shares_that_know_the_own_slot_do_not_sum_to_one(
    short_levels, monkeypatch
):
    rows_left = slot_filling._rows_left

    def knowing(*args):
        rows = rows_left(*args)
        return rows._replace(own=rows.own * (1 + jnp.eye(*rows.own.shape)))

    monkeypatch.setattr(slot_filling, "_rows_left", knowing)
    weights = balance(jax.random.normal(jax.random.key(0), (6, 6)))
    assert abs(probabilities(weights, 3).sum() - 1) > 0.1


@pytest.mark.slow
def test_gradients_written_out_are_those_of_the_values(short_levels):
    weights = balance(jax.random.normal(jax.random.key(0), (8, 8)))
    told = jax.jit(lambda w: log_guess(w, 2, 4).sum())
    check_grads(told, (weights,), order=1, modes=("fwd", "rev"), eps=1e-6)


def test_blocks_of_several_slots_are_drawn_as_told(short_levels):
    """The unit of every slot: how often, and how probable over all orders."""
    weights = balance(2 * jax.random.normal(jax.random.key(0), (8, 8)))
    in_slot = every_order(8)[:, :, None] == np.arange(8)
    told = (probabilities(weights, 4)[:, None, None] * in_slot).sum(0)
    keys = jax.random.split(jax.random.key(1), 20_000)
    drawn = jax.jit(jax.vmap(lambda key: sample_guess(key, weights, 0, 8, 2, 4)))(keys)
    assert (jnp.sort(drawn, axis=1) == np.arange(8)).all()
    often = (drawn[:, :, None] == np.arange(8)).mean(0)
    np.testing.assert_array_less(abs(often - told), 5 * jnp.sqrt(told / 20_000) + 1e-9)


def test_levels_fill_every_slot_once_and_their_number_grows_like_the_logarithm():
    for n in [*range(200), 512, 4096]:
        for blocks in (1, 8, 32):
            levels = slot_filling.levels(n, blocks)
            starts = [level.start for level in levels]
            assert [*starts, n] == [0, *np.cumsum([level.slots for level in levels])]
    assert len(slot_filling.levels(4096, 8)) == np.log2(4096 / slot_filling._SINGLE) + 1


def test_many_units_relabeled_with_their_slots_change_nothing_but_the_order():
    """A unit of the first level and one of the last change places: slots before see nothing."""
    weights = balance(3 * jax.random.normal(jax.random.key(0), (70, 70)))
    moved = np.arange(70)
    moved[[3, 69]] = moved[[69, 3]]
    whole, swapped = (jax.jit(log_guess)(a) for a in (weights, weights[moved]))
    np.testing.assert_allclose(swapped[:3], whole[:3], rtol=1e-12)
    assert abs(whole[3] - swapped[3]) > 0.1


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
    same = cases.which_elements(sym, drawn, every)
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
