"""Batches of units and wreath products: densities against the whole group listed, guesses against
their law.
"""

import batch_cases as cases
import guess_cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import numpyro_sym as nsym
from numpyro_sym.guides.bounds import outer
from numpyro_sym.guides.bounds._guess import log_tau
from numpyro_sym.guides.bounds.by_name import choose_bound
from numpyro_sym.guides.bounds.orbit import Orbit

pytestmark = pytest.mark.usefixtures("x64")

#: What every run tests; the rest is slow to compile.
QUICK = ("subjects", "members")


def some(names):
    return [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in names]


def setting(name, separation=1.0):
    sym, shapes = cases.CASES[name]
    q = guess_cases.normals(shapes, separation)
    return sym, guess_cases.draw(jax.random.key(1), q), q


@pytest.mark.parametrize("name", some(cases.CASES))
def test_exact_is_the_sum_over_the_group(name):
    sym, x, q = setting(name)
    base = guess_cases.mean_field(q)
    ours = jax.jit(Orbit(base, sym, choose_bound("exact", None)).log_prob)(ravel_pytree(x)[0])
    listed = cases.over_group(base.log_prob, sym, x) - sym.log_order
    np.testing.assert_allclose(ours, listed, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", some(cases.CASES))
def test_guess_sums_to_one_over_the_group(name):
    """At a draw; where it holds for any Normals it makes a valid bound."""
    sym, x, q = setting(name)
    total = jnp.exp(cases.over_group(lambda sites: log_tau(sym, sites, q), sym, x))
    np.testing.assert_allclose(total, 1.0, atol=1e-10)


def test_negative_control_evidence_that_sees_the_order_inside_is_not_normalized(monkeypatch):
    """Members told apart by their units as they stand, not by the sum over their orders."""
    monkeypatch.setattr(outer, "log_sum_of_orders", jnp.trace)
    sym, x, q = setting("members")
    total = jnp.exp(cases.over_group(lambda sites: log_tau(sym, sites, q), sym, x))
    assert abs(total - 1) > 0.01


@pytest.mark.parametrize("n", [7, 9])
def test_sum_of_orders_is_near_the_permanent_and_the_same_for_every_order(n):
    log_weights = 3 * jax.random.normal(jax.random.key(0), (n, n))
    ours = jax.jit(outer.log_sum_of_orders)(log_weights)
    assert (
        0 <= outer.log_permanent(log_weights) - ours <= n / 2 * np.log(2)
    )  # Anari and Rezaei 2019
    turned = log_weights[np.random.default_rng(0).permutation(n)]
    np.testing.assert_allclose(jax.jit(outer.log_sum_of_orders)(turned), ours, rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["subjects", "subjects-hmm", "ensemble-small", "ensemble-small-fixed", "signed-groups"]
)
@pytest.mark.slow
def test_guides_of_models_have_the_density_of_the_group_listed(name):
    """With supports whose transforms tie entries together (a simplex) among the sites."""
    case = cases.registered(name)
    guide = nsym.AutoSymmetrizedNormal(case.model, case.sym, bound="exact")
    params = cases.params_of(guide, case.args, jax.random.key(5))
    orbit = guide._orbit_of(guide._base(jax.random.key(0), params, case.args, {}))
    value = orbit.sample(jax.random.key(1))
    listed = (
        cases.over_group(orbit.base_log_prob, case.sym, orbit.unravel(value)) - case.sym.log_order
    )
    np.testing.assert_allclose(jax.jit(orbit.log_prob)(value), listed, rtol=0, atol=1e-10)


def test_any_number_of_sets_is_exact():
    """A group of 10**77,815 elements; what 100,000 sets tell is the sum of what each does."""
    shapes = {"mu": (100_000, 3)}
    sym = nsym.Symmetry(
        [nsym.Units("component", 3, batch=100_000, axes={"mu": nsym.Axis(1, batch=0)})]
    )
    q = guess_cases.normals(shapes)
    x = guess_cases.draw(jax.random.key(1), q)
    log_q_sym = jax.jit(
        Orbit(guess_cases.mean_field(q), sym, choose_bound("exact", None)).log_prob
    )(x["mu"].ravel())
    every = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
    each = jax.scipy.stats.norm.logpdf(
        x["mu"][:, every], q.loc["mu"][:, None], jnp.sqrt(q.variance["mu"])[:, None]
    )
    expected = (jax.nn.logsumexp(each.sum(-1), axis=1) - jnp.log(6)).sum()
    np.testing.assert_allclose(log_q_sym, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["subjects", "members"])
@pytest.mark.slow
def test_gradients_are_finite_in_single_precision(name):
    sym, shapes = cases.CASES[name]
    with jax.enable_x64(False):
        for separation in (0.0, 100.0):
            q = jax.tree.map(jnp.float32, guess_cases.normals(shapes, separation))
            x = guess_cases.draw(jax.random.key(0), q)
            for bound in ("exact", "guess"):

                def log_prob(x, q, bound=bound):
                    orbit = Orbit(guess_cases.mean_field(q), sym, choose_bound(bound, None))
                    return orbit.log_prob(ravel_pytree(x)[0])

                value, gradient = jax.jit(jax.value_and_grad(log_prob, (0, 1)))(x, q)
                assert np.isfinite(value)
                assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


def large_sets():
    sym = nsym.Symmetry([nsym.Units("unit", 40, batch=3, axes={"x": nsym.Axis(1, batch=0)})])
    q = guess_cases.normals({"x": (3, 40)})
    return sym, guess_cases.draw(jax.random.key(1), q), q


def test_exact_says_what_is_out_of_reach():
    sym, x, q = large_sets()
    orbit = Orbit(guess_cases.mean_field(q), sym, choose_bound("exact", None))
    with pytest.raises(
        nsym.SymmetryError, match=r"10\*\*143.7 elements .* out of reach .* in each set of a batch"
    ):
        orbit.log_prob(x["x"].ravel())


@pytest.mark.slow
def test_guess_of_a_batch_is_that_of_each_set():
    sym, x, q = large_sets()
    guessed = jax.jit(Orbit(guess_cases.mean_field(q), sym, choose_bound("auto", None)).log_prob)(
        x["x"].ravel()
    )
    one = nsym.Symmetry([nsym.Units("unit", 40, axes={"x": 0})])
    alone = jax.jit(jax.vmap(lambda x, q: log_tau(one, x, q)))(x, q)
    np.testing.assert_allclose(
        guessed, guess_cases.log_density(q, x) - alone.sum() - sym.log_order, rtol=1e-10
    )
