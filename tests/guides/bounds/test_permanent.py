"""The permanent in logs against sums over all permutations."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from numpyro_sym.guides.bounds.permanent import log_permanent


@jax.jit
def by_listing(log_weights):
    n = len(log_weights)
    every = np.array(list(permutations(range(n))))
    return logsumexp(log_weights[np.arange(n), every].sum(1))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_is_the_sum_over_permutations(n):
    log_weights = 20 * jax.random.normal(jax.random.key(n), (n, n))
    np.testing.assert_allclose(log_permanent(log_weights), by_listing(log_weights), rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_known_values():
    """n! for ones; the number of derangements of 12 where the diagonal is zero: 176214841."""
    np.testing.assert_allclose(jnp.exp(log_permanent(jnp.zeros((12, 12)))), 479001600.0, rtol=1e-12)
    without = jnp.where(jnp.eye(12, dtype=bool), -jnp.inf, 0.0)
    np.testing.assert_allclose(jnp.exp(log_permanent(without)), 176214841.0, rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_gradient_is_the_marginal_probability():
    log_weights = 2 * jax.random.normal(jax.random.key(0), (5, 5))
    marginal = jax.grad(log_permanent)(log_weights)
    np.testing.assert_allclose(marginal, jax.grad(by_listing)(log_weights), rtol=1e-10)
    np.testing.assert_allclose(marginal.sum(0), 1.0, rtol=1e-12)


def test_single_precision_and_far_apart():
    log_weights = jnp.where(jnp.eye(12, dtype=bool), 0.0, -3000.0)
    assert float(log_permanent(log_weights)) == pytest.approx(0.0, abs=1e-6)
