"""The guess with several elements: still a bound from one side, tighter, and its gradient is that
of its mean.
"""

import guess_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from numpyro_sym.guides.bounds._guess import guess, log_tau
from numpyro_sym.guides.bounds.beliefs import Gaussian, fit_of
from numpyro_sym.guides.bounds.orbit import Drawn
from numpyro_sym.guides.bounds.permanent import log_permanent

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.slow
def test_bounds_the_symmetrized_density_from_above_and_tightens():
    sym, shapes = cases.layers([6], "permutation")
    q = cases.normals(shapes, 0.7)

    def excess(key):
        key_draw, *keys = jax.random.split(key, 4)
        x = cases.draw(key_draw, q)
        log_sym = log_permanent(fit_of(sym, sym.units[0], {}, x, q).even) - sym.log_order
        each = zip((1, 2, 9), keys, strict=True)
        drawn = Drawn(cases.mean_field(q), x, None)
        return jnp.stack([guess(sym, drawn, x, k, num_elements=n) for n, k in each]) - log_sym

    over = jax.jit(jax.vmap(excess))(jax.random.split(jax.random.key(0), 4000))
    mean, error = over.mean(0), over.std(0) / 4000**0.5
    assert (mean > -3 * error).all()
    assert mean[0] > mean[1] + error[1] > mean[2] + error[2]


@pytest.mark.slow
def test_gradient_is_that_of_the_mean_over_the_elements_drawn():
    """At one draw, the mean over elements written out as a sum over the group."""
    sym, shapes = cases.layers([3], "permutation")
    q = cases.normals(shapes, 0.5)
    x = cases.normals(shapes, 1.0, seed=4).loc
    every = cases.every_element(sym)

    def mean(loc):
        at = Gaussian(loc, q.variance)
        log_q = cases.log_density(at, x)
        own = -log_tau(sym, x, at)

        def one(g):
            moved = sym.act(g, x)
            log_prob = log_tau(sym, moved, at)
            other = cases.log_density(at, moved) - log_q - log_prob
            return jnp.exp(log_prob) * (
                log_q + logsumexp(jnp.stack([own, other])) - jnp.log(2) - sym.log_order
            )

        return jax.vmap(one)(every).sum()

    def sampled(loc, key):
        at = Gaussian(loc, q.variance)
        return guess(sym, Drawn(cases.mean_field(at), x, None), x, key, num_elements=2)

    expected, expected_gradient = jax.jit(jax.value_and_grad(mean))(q.loc)
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(sampled), (None, 0)))(
        q.loc, jax.random.split(jax.random.key(1), 20_000)
    )
    pairs = zip(
        jax.tree.leaves((values, gradients)),
        jax.tree.leaves((expected, expected_gradient)),
        strict=True,
    )
    for each, exact in pairs:
        error = each.std(0) / each.shape[0] ** 0.5
        assert (np.abs(each.mean(0) - exact) < 4.5 * error + 1e-9).all()
