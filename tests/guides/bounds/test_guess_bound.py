"""The guess bounds the information from below, and closely: against permanents and sums over the
group.
"""

import guess_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from numpyro_sym.guides.bounds import slot_filling
from numpyro_sym.guides.bounds._guess import REPORTING, importance, log_tau
from numpyro_sym.guides.bounds.beliefs import Gaussian, fit_of, signed
from numpyro_sym.guides.bounds.permanent import log_permanent

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.slow]

DRAWS = 200


def gap(log_exact, separation, seed, sym, shapes, bound=log_tau, draws=DRAWS):
    """Exact information less the bound on the same draws: mean and standard error; the
    information.
    """
    q = cases.normals(shapes, separation, seed)

    def one(key):
        x = cases.draw(key, q)
        share = cases.log_density(q, x) - log_exact(sym, x, q)  # log of p(e | w)
        return share - bound(sym, x, q), sym.log_order + share

    difference, information = jax.jit(jax.vmap(one))(
        jax.random.split(jax.random.key(seed + 1), draws)
    )
    return float(difference.mean()), float(difference.std() / draws**0.5), float(information.mean())


def by_permanent(sym, x, q):
    fit = fit_of(sym, sym.units[0], {}, x, q)
    return log_permanent(fit.either if signed(sym.units[0]) else fit.even)


def by_listing(sym, x, q):
    every = cases.every_element(sym)
    return logsumexp(jax.vmap(lambda g: cases.log_density(q, sym.act(g, x)))(every))


def assert_close_from_below(difference, error, information):
    assert difference > -3 * error
    assert difference < max(0.1, 0.01 * information)


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_permanent_is_the_sum_over_the_group(kind):
    sym, shapes = cases.layers([3], kind, 2)
    q = cases.normals(shapes)
    x = cases.draw(jax.random.key(0), q)
    np.testing.assert_allclose(by_permanent(sym, x, q), by_listing(sym, x, q), rtol=1e-12)


@pytest.mark.parametrize("kind", ["permutation", "signed"])
@pytest.mark.parametrize("n", [2, 12])
def test_one_layer_from_below_and_within_a_tenth_of_a_nat(n, kind):
    sym, shapes = cases.layers([n], kind)
    # Of two units nearly all draws are guessed exactly: only many show the rare ones.
    draws = 20_000 if n == 2 else DRAWS
    for seed, separation in enumerate((0.1, 0.5, 1.0, 3.0, 10.0)):
        assert_close_from_below(*gap(by_permanent, separation, seed, sym, shapes, draws=draws))


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_two_layers_from_below(kind):
    sym, shapes = cases.layers([3, 2] if kind == "signed" else [3, 3], kind)
    for seed, separation in enumerate((0.1, 0.5, 1.0, 3.0)):
        difference, error, information = gap(by_listing, separation, seed, sym, shapes)
        assert difference > -3 * error
        assert difference < max(0.1, 0.01 * information) + np.log(2)  # the mixture's share


def test_negative_control_a_guess_centered_on_the_identity_exceeds_the_information():
    def centered(sym, x, q):
        fit = fit_of(sym, sym.units[0], {}, x, q)
        return slot_filling.log_guess(slot_filling.balance(fit.even + 2 * jnp.eye(4))).sum()

    difference, error, _ = gap(
        by_permanent, 1.0, 0, *cases.layers([4], "permutation"), bound=centered
    )
    assert difference < -3 * error


def test_negative_control_a_guess_that_is_not_normalized_exceeds_the_information():
    difference, error, _ = gap(
        by_permanent, 0.5, 0, *cases.layers([4], "permutation"), bound=lambda *a: log_tau(*a) + 0.2
    )
    assert difference < -3 * error


def test_importance_weights_bracket_the_exact_value_and_tighten(x64):
    sym, shapes = cases.layers([8], "permutation")
    q = cases.normals(shapes, 1.0, 3)

    def one(key):
        key_draw, key_elements = jax.random.split(key)
        x = cases.draw(key_draw, q)

        def log_q(y):
            return cases.log_density(q, y)

        log_ratios, _ = importance(key_elements, sym, log_q, x, x, q, 9)
        exact = by_permanent(sym, x, q) - log_q(x)
        with_identity = logsumexp(log_ratios) - jnp.log(9)
        without = logsumexp(log_ratios[1:]) - jnp.log(8)
        return jnp.stack([log_ratios[0], with_identity, without]) - exact

    over = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 400))
    mean, error = over.mean(0), over.std(0) / 20
    assert mean[0] > mean[1] > -3 * error[1]
    assert mean[2] < 3 * error[2]
    assert abs(mean[1]) < abs(mean[0]) / 2


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_gradient_of_the_bound_is_close_to_that_of_the_exact_information(kind):
    sym, shapes = cases.layers([10], kind)
    q = cases.normals(shapes, 1.0, 5)
    keys = jax.random.split(jax.random.key(2), 200)

    def exact(q):
        def one(key):
            x = cases.draw(key, q)
            return cases.log_density(q, x) - by_permanent(sym, x, q)

        return jax.vmap(one)(keys).mean()

    def bound(q):
        return jax.vmap(lambda key: log_tau(sym, cases.draw(key, q), q))(keys).mean()

    ours, theirs = (
        jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(jax.grad(f)(q))])
        for f in (bound, exact)
    )
    cosine = ours @ theirs / jnp.linalg.norm(ours) / jnp.linalg.norm(theirs)
    assert cosine > 0.999


def test_gradient_is_that_of_finite_differences():
    sym, shapes = cases.layers([3, 2], "signed")
    q = cases.normals(shapes)
    keys = jax.random.split(jax.random.key(2), 5)

    def bound(scale):
        wide = Gaussian({name: scale * x for name, x in q.loc.items()}, q.variance)
        return jax.vmap(lambda key: log_tau(sym, cases.draw(key, wide), wide))(keys).mean()

    bound, step = jax.jit(bound), 1e-6
    difference = (bound(1.1 + step) - bound(1.1 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(bound)(1.1), difference, rtol=1e-5)


def test_reports_work_harder_at_64_units():
    """On the same draws the guess of reports tells some .2 nats more than that of training."""
    sym, shapes = cases.layers([64], "permutation", 10)
    q = cases.normals(shapes, 1.0)

    def more(key):
        x = cases.draw(key, q)
        return log_tau(sym, x, q, REPORTING) - log_tau(sym, x, q)

    gains = jax.jit(lambda keys: jax.lax.map(more, keys, batch_size=8))(
        jax.random.split(jax.random.key(1), 256)
    )
    assert gains.mean() > 3 * gains.std() / 16
    assert gains.mean() > 0.1
