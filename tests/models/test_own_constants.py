"""Data of NumPy's in double precision that models close over: read in double, used in single
precision elsewhere.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.extend.core import jaxpr_as_fun
from numpyro import handlers
from numpyro.infer import MCMC, NUTS

import numpyro_sym as nsym
from numpyro_sym.models.own_constants import with_own_arrays, with_own_constants


class Problem:
    """A network and the data that it closes over, new ones each time: JAX remembers arrays by
    identity.
    """

    def __init__(self):
        rng = np.random.default_rng(0)
        self.x, self.y, self.rows = rng.normal(size=(7, 2)), rng.normal(size=7), np.arange(7) % 3
        self.shift = rng.normal(size=7)

    def f(self, w, v):
        return jax.jit(lambda w, v: jnp.tanh(self.x @ w) @ v)(w, v)

    def model(self):
        w = numpyro.sample("w", dist.Normal(0, 1).expand([2, 3]).to_event(2))
        v = numpyro.sample("v", dist.Normal(0, 1).expand([3]).to_event(1))
        level = numpyro.sample("level", dist.Normal(1, 1).expand([3]).to_event(1))
        mean = self.f(w, v) - self.shift + level[self.rows]
        numpyro.sample("y", dist.Normal(mean, 1), obs=self.y)


def trace_of(problem):
    return handlers.trace(handlers.seed(problem.model, 0)).get_trace()


def run_of(kernel):
    def run(problem):
        mcmc = MCMC(kernel(problem.model), num_warmup=2, num_samples=2, progress_bar=False)
        mcmc.run(jax.random.key(0))
        return mcmc

    return run


USES = {
    "eager": lambda p: p.x @ jnp.ones((2, 3)),
    "argument": lambda p: jax.jit(lambda x, w: x @ w)(p.x, jnp.ones((2, 3))),
    "closure": lambda p: jax.jit(lambda w, v: p.f(w, v) - p.shift)(jnp.ones((2, 3)), jnp.ones(3)),
    "traced": lambda p: jax.make_jaxpr(lambda w, v: p.f(w, v) - p.shift)(
        jnp.ones((2, 3)), jnp.ones(3)
    ),
    "trace": trace_of,
    "gathered": lambda p: jnp.zeros(3)[p.rows],
    "nuts": run_of(NUTS),
}


@pytest.mark.parametrize("use", USES)
def test_what_was_read_leaves_the_users_arrays_as_they_are(use):
    """Whatever is first, and with its programs still there."""
    problem = Problem()
    found = nsym.find_symmetry(problem.model)
    assert found.select("signed").order == 48
    kept = USES[use](problem)
    assert kept is not None
    assert nsym.find_symmetry(problem.model) == found
    found.check(problem.model)


@pytest.mark.parametrize("use", USES)
def test_what_the_user_ran_before_is_no_obstacle(use):
    problem = Problem()
    kept = USES[use](problem)
    found = nsym.find_symmetry(problem.model)
    assert found.select("signed").order == 48
    found.check(problem.model)
    assert kept is not None


@pytest.mark.slow
def test_kernels_and_what_is_found_go_on_after_each_other():
    problem = Problem()
    first = run_of(nsym.FoldedNUTS)(problem)
    found = nsym.find_symmetry(problem.model)
    second = run_of(nsym.FoldedNUTS)(problem)
    assert first.sampler.sym == second.sampler.sym
    assert set(first.sampler.sym.units) <= set(found.units)
    assert first.get_samples()["w"].dtype == jnp.float32


def test_a_kernel_finds_what_is_there_after_a_run_of_nuts():
    """What the model computes from its own arrays alone, too."""
    scale = np.ones(3)

    def model(y):
        w = numpyro.sample("w", dist.Normal(0, scale).to_event(1))
        numpyro.sample("y", dist.Normal((w**2).sum(), 1.0), obs=y)

    before = MCMC(NUTS(model), num_warmup=2, num_samples=2, progress_bar=False)
    before.run(jax.random.key(0), jnp.ones(()))
    kernel = nsym.FoldedNUTS(model)
    kernel.init(jax.random.key(0), 2, None, (jnp.ones(()),), {})
    assert "No symmetry was looked for" not in kernel.sym.explain()
    assert kernel.sym.order == 48
    assert before is not None


SHIFT = {
    "plain": lambda x, c: x - c,
    "jit": lambda x, c: jax.jit(lambda x: x - c)(x),
    "scan": lambda x, c: jax.lax.scan(lambda s, _: (s - c, None), x, None, length=2)[0],
    "over rows": lambda x, c: jax.lax.scan(lambda s, row: (s - row, None), x[0], c)[0],
    "cond": lambda x, c: jax.lax.cond(x[0, 0] > 0, lambda x: x - c, lambda x: x + c, x),
    "while": lambda x, c: jax.lax.while_loop(lambda s: (s * c).sum() < 0, lambda s: s - c, x),
    "product": lambda x, c: c.T @ x,
}


@pytest.mark.parametrize("name", SHIFT)
def test_constants_are_copies_in_the_precision_in_which_they_are_used(name):
    c = np.random.default_rng(1).normal(size=(4, 4))
    x = np.random.default_rng(2).normal(size=(4, 4))
    kept = jax.make_jaxpr(lambda x: SHIFT[name](x, c))(
        jnp.ones((4, 4))
    )  # in single precision, and still there
    with jax.enable_x64(True):
        program = with_own_constants(jax.make_jaxpr(lambda x: SHIFT[name](x, c))(x))
        (found,) = jax.jit(jaxpr_as_fun(program))(x)
        assert found.dtype == jnp.float64
        np.testing.assert_allclose(found, SHIFT[name](x, np.array(c)), rtol=1e-5, atol=1e-6)
    assert kept is not None
    assert (jnp.ones((4, 4)) @ c).dtype == jnp.float32


def test_a_constant_that_is_single_stays_so():
    c = np.ones(3, np.float32)
    with jax.enable_x64(True):
        program = with_own_constants(
            jax.make_jaxpr(lambda x: x + jnp.asarray(c).astype(float))(np.ones(3))
        )
        assert [x.dtype for x in program.consts] == [np.float32]
        (found,) = jaxpr_as_fun(program)(np.ones(3))
        assert found.dtype == jnp.float64


def test_a_function_is_traced_once():
    count = []

    def function(tree):
        count.append(1)
        return {"sum": tree["a"] + tree["b"]}

    own = with_own_arrays(function)
    for scale in (1.0, 2.0):
        assert own({"a": jnp.array(scale), "b": jnp.array(1.0)})["sum"] == scale + 1
    assert len(count) == 1
