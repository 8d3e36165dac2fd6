"""Models that a check by size, by zeros or by constants alone would get wrong."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import logsumexp
from test_find import expected, found
from zoo import X, Y, normal, observe

from numpyro_sym import SymmetryError, Units, find_symmetry
from numpyro_sym.models import Trial, read_numpyro_model

CORRELATED = np.eye(4)
CORRELATED[0, 1] = CORRELATED[1, 0] = 0.1


def drowned_prior(x, y):
    """The prior ties units 0 and 1, and 2 and 3; the likelihood is a billion times larger."""
    w1 = numpyro.sample(
        "w1", dist.MultivariateNormal(jnp.zeros(4), CORRELATED).expand([5]).to_event(1)
    )
    numpyro.sample("y", dist.Normal(jnp.tanh(x @ w1) @ normal("w2", 4), 1e-5).to_event(1), obs=y)


def test_a_large_likelihood_does_not_hide_the_prior():
    sym = find_symmetry(drowned_prior, X, Y)
    assert all(u.n <= 2 for u in sym)
    whole = Units("hidden", 4, incoming={"w1": 1}, outgoing={"w2": 0}, kind="signed")
    with pytest.raises(SymmetryError, match="prior of site 'w1' tells its 4 entries apart"):
        type(sym)([whole]).check(drowned_prior, X, Y)


@pytest.mark.parametrize("jitted", [False, True])
def test_a_branch_of_zeros_is_not_a_constant(jitted):
    """Which position is looked up hangs on a value that no random point reaches."""

    def model(y):
        mu, z = normal("mu", 3), numpyro.sample("z", dist.Normal())
        i = jax.lax.cond(z > 30.0, lambda: 0, lambda: 2)
        take = jax.jit(lambda m, i: m[i]) if jitted else jnp.take
        observe(take(mu, i) * jnp.ones(7), y)

    assert all(u.n == 1 for u in find_symmetry(model, Y))


def test_infinities_of_two_signs_are_told_apart():
    def model():
        mu = normal("mu", 3)
        equal = jnp.log(jax.nn.relu(mu + 40.0)) == jnp.array([-jnp.inf, jnp.inf, jnp.inf])
        numpyro.factor("f", equal.sum() * 1.0)

    assert all(u.n < 3 for u in find_symmetry(model))


def test_parameters_are_told_apart_by_training():
    def model(x, y):
        scale = numpyro.param("scale", jnp.ones(4), constraint=dist.constraints.positive)
        w1 = numpyro.sample("w1", dist.Normal(0, scale).expand([5, 4]).to_event(2))
        observe(jnp.tanh(x @ w1) @ normal("w2", 4), y)

    assert all(u.n == 1 for u in find_symmetry(model, X, Y))


def test_a_reshape_that_transposes():
    """vmap over a convolution's kernels reshapes with an order of its own."""

    def model(x, y):
        k, w = (
            normal("k", 3, 2, 1, 1, 2),
            normal("w", 3),
        )  # members, channels out, channels in, space
        run = jax.vmap(lambda kernel: jax.lax.conv(x, kernel, (1, 1), "VALID"))
        observe((run(k) ** 2).sum((2, 3, 4)).T @ w, y)

    sym = find_symmetry(model, np.random.default_rng(0).normal(size=(7, 1, 1, 4)), Y)
    # The sign of a member is that of all its channels, which each member has by itself.
    assert (3, "permutation", [("k", [(0, None, 1, 1)]), ("w", [(0, None, 1, 1)])]) in found(sym)
    assert sym.order == 6 * 8**3
    assert "did not pass" not in sym.explain()
    constant = jax.lax.reshape(jnp.array([[1.0, 1.0], [2.0, 2.0]]), (2, 2), dimensions=(1, 0))
    assert np.array_equal(constant, [[1, 2], [1, 2]])
    tied = find_symmetry(lambda: numpyro.factor("f", (normal("w", 2, 2) * jax.lax.reshape(
        jnp.array([[1.0, 1.0], [2.0, 2.0]]), (2, 2), dimensions=(1, 0))).sum()))  # fmt: skip
    assert found(tied) == expected([(2, "permutation", {"w": 0})])


def test_no_sign_twice():
    """Signs that evaluation finds are not listed again as the sign of an array."""

    def model(y):
        w = normal("w", 3, 2)
        numpyro.sample("y", dist.LowRankMultivariateNormal(jnp.zeros(3), w, jnp.ones(3)), obs=y)

    sym = find_symmetry(model, Y[:3])
    assert found(sym) == expected([(2, "signed", {"w": 1})])
    assert sym.order == 8


@pytest.mark.parametrize("n", [2, 3])
def test_signs_of_a_flattened_matrix_that_cancel(n):
    """One class along rows and columns of one axis: its signs all at once are the identity."""

    def model():
        m = jnp.sin(normal("x", n * n).reshape(n, n))
        observe(jnp.abs(m + m.T).sum(1).sum(keepdims=True), np.array([0.3]))

    sym = find_symmetry(model)
    assert found(sym) == []
    assert [(u.n, u.sites) for u in sym] == [(1, ("x",))]  # the sign of the whole
    assert "twice along one axis" in sym.explain()


@pytest.mark.parametrize("high", [jnp.ones(4), "latent"])
def test_supports_that_hold_arrays(high):
    def model(x, y):
        top = 1 + jnp.exp(numpyro.sample("top", dist.Normal())) if isinstance(high, str) else high
        w2 = numpyro.sample("w2", dist.Uniform(jnp.zeros(4), top).to_event(1))
        observe(jnp.tanh(x @ normal("w1", 5, 4)) @ w2, y)

    assert found(find_symmetry(model, X, Y)) == expected([(4, "permutation", {"w1": 1, "w2": 0})])


def test_a_carry_that_fixes_single_precision():
    def model(x, y):
        w1, w2 = normal("w1", 5, 4), normal("w2", 4)
        last, _ = jax.lax.scan(
            lambda h, row: (jnp.tanh(h + row @ w1), None), jnp.zeros(4, jnp.float32), x
        )
        observe(last @ w2 * jnp.ones(7, jnp.float32), y)

    data = X.astype(np.float32), Y.astype(np.float32)
    sym = find_symmetry(model, *data)
    assert found(sym) == expected([(4, "signed", {"w1": 1, "w2": 0})])
    assert "float32" in sym.explain()
    *_, change, rounding = sym.check(model, *data).rows[0]
    assert change <= rounding
    trial = Trial(read_numpyro_model(model, data, {}), 3, np.random.default_rng(0))
    for at in trial.improved:  # far out, where densities are large, last bits are worth more
        assert sum(list(at.roundings())[-1].values()) < 0.01


def test_a_program_without_derivatives_keeps_what_is_proved():
    def model(x, y):
        mu = normal("mu", 3)
        halved = jax.lax.while_loop(
            lambda s: s.max() > 1.0, lambda s: s / 2, jnp.stack([mu[k] ** 2 for k in range(3)])
        )
        observe(jnp.tanh(x @ normal("w1", 5, 4)) @ normal("w2", 4) + halved.sum(), y)

    assert (4, "signed", [("w1", [(1, None, 1, 1)]), ("w2", [(0, None, 1, 1)])]) in found(
        find_symmetry(model, X, Y)
    )


def test_weights_as_a_vector_and_components_one_by_one():
    def model(y):
        w = numpyro.sample("w", dist.Dirichlet(jnp.ones(3)))
        mu = normal("mu", 3)
        parts = jnp.stack([dist.Normal(mu[k], 1).log_prob(y) for k in range(3)], -1)
        numpyro.factor("y", logsumexp(jnp.log(w) + parts, -1).sum())

    sym = find_symmetry(model, Y)
    assert found(sym) == expected([(3, "permutation", {"w": 0, "mu": 0})])


def test_scales_of_what_the_likelihood_never_sees():
    def model(y=None):
        numpyro.sample("mu", dist.Normal(jnp.zeros(4), 1).to_event(1))
        numpyro.sample("y", dist.Normal(normal("f", 2).sum(), 1), obs=y)

    assert all(u.kind != "scaled" for u in find_symmetry(model, 0.3))
    sym = find_symmetry(model)
    assert all(u.kind != "scaled" for u in sym)
    assert "no observed sites" in sym.explain()


def test_tiled_units():
    def model(x, y):
        h = jnp.tile(jnp.tanh(x @ normal("w1", 5, 4)), (1, 2))
        observe(h @ jnp.concatenate([normal("w2", 4), normal("w3", 4)]), y)

    assert found(find_symmetry(model, X, Y)) == expected(
        [(4, "signed", {"w1": 1, "w2": 0, "w3": 0})]
    )
