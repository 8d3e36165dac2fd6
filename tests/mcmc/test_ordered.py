"""OrderedReparam: the exact density of order statistics, good starts, honest limits."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer import HMC, MCMC, Predictive, init_to_value, log_likelihood
from numpyro.infer.util import initialize_model, log_density
from scipy import stats

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, Units
from numpyro_sym.mcmc import OrderedReparam

K = 3


def ordered(model, n=K, **keys):
    axes = {"mu": 0, "weights": 0}
    return handlers.reparam(
        model, config=OrderedReparam(nsym.mixture(n, axes), keys=keys or {"component": "mu"})
    )


def plated(y=None):
    with numpyro.plate("component", K):
        mu = numpyro.sample("mu", dist.Normal(1, 5))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
    with numpyro.plate("rows", 9):
        numpyro.sample(
            "y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, 1)), obs=y
        )


PRIORS = {
    "real": (dist.Normal(1.0, 2.0), 0),
    "row": (dist.Normal(1.0, 2.0), 1),
    "heavy tails": (dist.Cauchy(0.0, 1.0), 0),
    "positive": (dist.Gamma(2.0, 1.0), 1),
    "interval": (dist.Uniform(-1.0, 3.0), 0),
}


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.usefixtures("x64")
def test_density_is_the_priors_times_n_factorial(prior):
    """Against the Jacobian by automatic differentiation; the map and its inverse; the order."""
    fn, row = PRIORS[prior]

    def model():
        numpyro.sample("mu", fn.expand([K, 2]).to_event(2))

    reparam = handlers.reparam(
        model, config=OrderedReparam(nsym.mixture(K, {"mu": 0}), keys={"component": ("mu", row)})
    )

    def value(u):
        trace = handlers.trace(handlers.substitute(reparam, data={"mu_ordered": u})).get_trace()
        return trace["mu"]["value"]

    u = jax.random.normal(jax.random.key(0), (K, 2))
    jacobian = jax.jacfwd(lambda z: value(z.reshape(K, 2)).ravel())(u.ravel())
    expected = (
        log_density(model, (), {}, {"mu": value(u)})[0] + np.linalg.slogdet(jacobian)[1] + np.log(6)
    )
    np.testing.assert_allclose(
        log_density(reparam, (), {}, {"mu_ordered": u})[0], expected, rtol=1e-12
    )
    assert (np.diff(value(u)[:, row]) > 0).all()
    start = handlers.substitute(handlers.seed(reparam, 0), data={"mu": value(u)})
    np.testing.assert_allclose(
        handlers.trace(start).get_trace()["mu_ordered"]["value"], u, rtol=1e-8
    )


@pytest.mark.slow
def test_prior_draws_and_prior_only_chain_are_order_statistics():
    """Sorted-prior quantiles, from draws and from a chain: the normalizer is no matter of a
    constant.
    """

    def model():
        numpyro.sample("mu", dist.Normal(1, 2).expand([K]).to_event(1))

    model = ordered(model)
    mcmc = MCMC(HMC(model), num_warmup=500, num_samples=4000, thinning=4, progress_bar=False)
    mcmc.run(jax.random.key(0))
    for draws in (Predictive(model, num_samples=1000)(jax.random.key(0)), mcmc.get_samples()):
        for i in range(K):
            uniform = stats.beta(i + 1, K - i).cdf(
                stats.norm(1, 2).cdf(np.asarray(draws["mu"])[:, i])
            )
            assert stats.kstest(uniform, "uniform").pvalue > 1e-3


@pytest.mark.slow
def test_original_names():
    model = ordered(plated)
    point = {"mu": np.array([-2.0, 0.5, 3.0]), "weights": np.array([0.2, 0.3, 0.5])}
    y = np.arange(9.0)
    start = initialize_model(
        jax.random.key(0),
        model,
        model_args=(y,),
        init_strategy=init_to_value(values=point),
        validate_grad=False,
    )
    at = start.postprocess_fn(start.param_info.z)
    np.testing.assert_allclose(at["mu"], point["mu"], rtol=1e-4)
    draws = {name: x[None] for name, x in point.items()}
    np.testing.assert_allclose(
        log_likelihood(model, draws, y)["y"], log_likelihood(plated, draws, y)["y"], rtol=1e-5
    )
    trace = handlers.trace(handlers.seed(model, 0)).get_trace(y)
    assert {n for n, s in trace.items() if s["type"] == "sample" and s["is_observed"]} == {"y"}


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 10])
def test_starts_lie_within_the_prior(n):
    """However many units: NumPyro's own ordered vectors start further out with each."""

    def model():
        numpyro.sample("mu", dist.Normal(0, 5).expand([n, 2]).to_event(2))

    config = OrderedReparam(nsym.mixture(n, {"mu": 0}), keys={"component": "mu"})
    start = initialize_model(
        jax.random.key(0), handlers.reparam(model, config=config), validate_grad=False
    )
    mu = start.postprocess_fn(start.param_info.z)["mu"]
    assert np.abs(mu).max() < 3 * 5
    assert np.ptp(mu[:, 0]) > 5
    assert np.diff(mu[:, 0]).min() > 1 / n


def configured(**keys):
    return lambda: OrderedReparam(nsym.mixture(3, {"mu": 0, "weights": 0}), keys=keys)


def run(model, *args):
    return lambda: handlers.trace(handlers.seed(model, 0)).get_trace(*args)


def unordered():
    return handlers.substitute(ordered(plated), data={"mu": np.array([1.0, 0.0, 2.0])})


def minibatch():
    with numpyro.plate("all", 9, subsample_size=3):
        numpyro.sample("mu", dist.Normal(0, 5))


SIGNED = nsym.factor_model(2, loadings={"L": 1})
REFUSED = {
    "Units 'factor' are signed": lambda: OrderedReparam(SIGNED, keys={"factor": "L"}),
    "no Units called 'state'": configured(state="mu"),
    "lie once, or .site, row.; got 'sigma'": configured(component="sigma"),
    "got .'mu', 'norm'": configured(component=("mu", "norm")),
    "lie once": lambda: OrderedReparam(nsym.hmm(2, transition="A"), keys={"state": "A"}),
    "has no row 1": run(ordered(plated, component=("mu", 1))),
    "'weights' is no array of single numbers": run(ordered(plated, component="weights")),
    "length 3; expected 4": run(ordered(plated, n=4)),
    "'mu' is not in the order of its key": run(unordered()),
    "'mu' is conditioned on": run(
        handlers.condition(ordered(plated), {"mu": np.array([0.0, 1.0, 2.0])})
    ),
    "the key 'mu' is scaled": run(handlers.reparam(minibatch, config=configured(component="mu")())),
    "the key 'mu' is observed": run(
        handlers.reparam(
            handlers.condition(plated, {"mu": np.zeros(3)}), config=configured(component="mu")()
        )
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def test_two_units_cannot_share_a_key():
    sym = nsym.Symmetry([Units("a", 2, axes={"w": 0}), Units("b", 3, axes={"w": 1})])
    with pytest.raises(SymmetryError, match="key of two Units"):
        OrderedReparam(sym, keys={"a": "w", "b": "w"})
