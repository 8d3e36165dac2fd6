"""Simulation-based calibration: the truth's rank among posterior draws is uniform, or the sampler
is wrong.

Talts et al. 2018, arXiv 1804.06788. All data sets at once, one chain each.
"""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import runs
from numpyro import handlers
from numpyro.infer import HMC, NUTS, Predictive
from scipy import stats

import numpyro_sym as nsym
from numpyro_sym.alignment import sorted_section
from numpyro_sym.mcmc import OrderedReparam, ReferenceSetReparam

pytestmark = pytest.mark.slow

SETS, WARMUP, DRAWS, THIN, BINS = 400, 300, 63, 8, 8


def mixture(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 2).expand([2]).to_event(1))
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(2)))
    with numpyro.plate("rows", 8):
        numpyro.sample(
            "y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, 1)), obs=y
        )


X = jnp.linspace(-2, 2, 8)


def network(y=None):
    w1 = numpyro.sample("w1", dist.Normal(0, 1).expand([1, 2]).to_event(2))
    w2 = numpyro.sample("w2", dist.Normal(0, 1).expand([2]).to_event(1))
    f = numpyro.deterministic("f", jnp.tanh(X[:, None] @ w1) @ w2)
    with numpyro.plate("rows", 8):
        numpyro.sample("y", dist.Normal(f, 0.5), obs=y)


def subjects(y=None):
    """A mixture for each of two subjects: components of either have an order of their own."""
    mu = numpyro.sample("mu", dist.Normal(0, 2).expand([2, 2]).to_event(2))
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(2)).expand([2]).to_event(1))
    each = dist.MixtureSameFamily(dist.Categorical(weights[:, None]), dist.Normal(mu[:, None], 1))
    numpyro.sample("y", each.expand([2, 8]).to_event(2), obs=y)


def labeled(y=None):
    """A mixture of three whose labels NumPyro sums out."""
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(3)))
    with numpyro.plate("rows", 8):
        z = numpyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
        numpyro.sample("y", dist.Normal(mu[z], 1), obs=y)


MIXTURE = nsym.mixture(2, {"mu": 0, "weights": 0})
NETWORK = nsym.mlp(["w1", "w2"], [2], kind="signed")
_BY_SUBJECT = dict.fromkeys(("mu", "weights"), nsym.Axis(1, batch=0))
SUBJECTS = nsym.Symmetry([nsym.Units("component", 2, batch=2, axes=_BY_SUBJECT)])
# By name: model, symmetry, sites' shapes, what is ranked: numbers of a folded point.
PROBLEMS = {
    "mixture": (
        mixture,
        MIXTURE,
        {"mu": (2,), "weights": (2,)},
        lambda p: [p["mu"][0], p["mu"][1], p["weights"][0]],
    ),
    "subjects": (
        subjects,
        SUBJECTS,
        {"mu": (2, 2), "weights": (2, 2)},
        lambda p: [*p["mu"].ravel(), *p["weights"][:, 0]],
    ),
    "labeled": (
        labeled,
        nsym.mixture(3, {"mu": 0, "weights": 0}),
        {"mu": (3,), "weights": (3,)},
        lambda p: [*p["mu"], *p["weights"][:2]],
    ),
    "network": (network, NETWORK, {"w1": (1, 2), "w2": (2,)}, lambda p: [*p["w1"][0], *p["w2"]]),
}


@runs.optimized()
def ranks(problem, kernel, spoil=None):
    """The rank of each number of the folded truth among the folded draws: ``(sets, numbers)``.

    :param spoil: what to do to the kernel once it is past its guards.
    """
    model, sym, shapes, numbers = PROBLEMS[problem]
    truth = Predictive(model, num_samples=SETS)(jax.random.key(1))
    kernel.init(
        jax.random.key(0), WARMUP, None, (truth["y"][0],), {}
    )  # the symmetry is verified here
    if spoil is not None:
        spoil(kernel)
    fold = sorted_section(sym, shapes).fold

    def read(point):
        return jnp.stack(numbers(fold({name: point[name] for name in shapes})))

    def one(key, y):
        state = kernel.init(key, WARMUP, None, (y,), {})

        def step(state, _):
            return kernel.sample(state, (y,), {}), None

        def draw(state, _):
            state, _ = jax.lax.scan(step, state, None, length=THIN)
            return state, read(kernel.postprocess_fn((y,), {})(state.z))

        state, _ = jax.lax.scan(step, state, None, length=WARMUP)
        return jax.lax.scan(draw, state, None, length=DRAWS)[1]

    draws = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(2), SETS), truth["y"])
    expected = jax.vmap(read)(truth)
    return np.asarray((draws < expected[:, None]).sum(1))


def smallest_p(found):
    """Of the chi-square tests of all numbers, times their number (Bonferroni)."""
    bins = found * BINS // (DRAWS + 1)
    counts = [np.bincount(column, minlength=BINS) for column in bins.T]
    return min(stats.chisquare(c).pvalue for c in counts) * len(counts)


def ordered(model, sym, key):
    plain = sym.select("permutation")
    return handlers.reparam(model, config=OrderedReparam(plain, keys={plain.units[0].name: key}))


KERNELS = {
    "FoldedNUTS": lambda model, sym: nsym.FoldedNUTS(model, sym, max_tree_depth=6),
    "fold reparameterization": lambda model, sym: NUTS(
        handlers.reparam(model, config=ReferenceSetReparam(sym)), max_tree_depth=6
    ),
    "ordered reparameterization": lambda model, sym: NUTS(
        ordered(model, sym, {"mixture": "mu", "subjects": "mu", "network": "w1"}[model.__name__]),
        max_tree_depth=6,
    ),
}


@pytest.mark.parametrize(
    ("problem", "kernel"),
    [(p, k) for p, k in product(PROBLEMS, KERNELS) if p != "labeled" or k == "FoldedNUTS"],
)
def test_calibrated(problem, kernel):
    model, sym, *_ = PROBLEMS[problem]
    assert smallest_p(ranks(problem, KERNELS[kernel](model, sym))) > 0.01


def uneven():
    """A fold in each transition with a mass matrix of its own for either unit: coordinates mu, then
    weights.
    """
    inner = HMC(
        mixture,
        inverse_mass_matrix=np.array([0.01, 2.0, 1.0]),
        adapt_mass_matrix=False,
        adapt_step_size=False,
        step_size=0.4,
        num_steps=2,
        trajectory_length=None,
    )
    return nsym.Folded(inner, MIXTURE, where="transition")


def without_random_element(kernel):
    """Steps without it, and a start with it: its guard looks when a chain starts."""
    sample = kernel.sample

    def spoilt(*args):
        kernel._random_element = False
        try:
            return sample(*args)
        finally:
            kernel._random_element = True

    kernel.sample = spoilt


def test_a_wrong_kernel_is_found_out():
    """Negative control: without the random element before each step; with it, the same kernel
    passes.
    """
    assert smallest_p(ranks("mixture", uneven(), spoil=without_random_element)) < 1e-4
    assert smallest_p(ranks("mixture", uneven())) > 0.01
