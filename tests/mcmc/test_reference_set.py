"""ReferenceSetReparam: the model's own potential, sites in the reference set, every
NumPyro tool.
"""

import pickle
import warnings

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import runs
from numpyro import handlers
from numpyro.infer import (
    HMC,
    MCMC,
    NUTS,
    SVI,
    Predictive,
    Trace_ELBO,
    init_to_value,
    log_likelihood,
)
from numpyro.infer.autoguide import AutoMultivariateNormal, AutoNormal
from numpyro.infer.util import initialize_model, log_density
from registry import POSTERIOR, moving
from scipy import stats

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.alignment import sorted_section
from numpyro_sym.mcmc import OrderedReparam, ReferenceSetReparam, ScaleReparam

#: One case of each way to act; compilation dominates.
NAMES = ("mlp-3-tanh", "hmm", "attention", "rnn", "young", "flat-vector", "product-axis")
over_cases = pytest.mark.parametrize(
    "case", [c for c in POSTERIOR if c.name in NAMES], ids=lambda c: c.name
)


def folded(model, sym, **options):
    return handlers.reparam(model, config=ReferenceSetReparam(sym, **options))


def latents(model, *args, seed=0):
    trace = handlers.trace(handlers.seed(model, seed)).get_trace(*args)
    return {
        n: s["value"] for n, s in trace.items() if s["type"] == "sample" and not s["is_observed"]
    }


def sites(model, args, z, names):
    trace = handlers.trace(handlers.substitute(model, data=z)).get_trace(*args)
    return {name: trace[name]["value"] for name in names}


def renamed(z, sym):
    return {f"{name}_base" if name in sym.sites else name: x for name, x in z.items()}


@over_cases
@pytest.mark.usefixtures("x64")
def test_laws_of_the_fold_reparameterization(case, rng_key):
    """At two points of an orbit: the potential is the model's own, with its gradient; the sites are
    the same.
    """
    model, names = folded(case.model, case.sym), case.sym.sites

    @jax.jit
    def look(point):
        own = jax.value_and_grad(lambda z: log_density(case.model, case.args, {}, z)[0])(point)
        mine = jax.value_and_grad(lambda z: log_density(model, case.args, {}, z)[0])(
            renamed(point, case.sym)
        )
        at = sites(model, case.args, renamed(point, case.sym), names)
        return own, mine, at, log_density(case.model, case.args, {}, {**point, **at})[0]

    point = latents(case.model, *case.args)
    found = [look(z) for z in (point, case.sym.act(moving(case.sym, rng_key), point))]
    found.append(look({**point, **found[0][2]}))
    for (value, grad), (value_r, grad_r), at, density in found:
        np.testing.assert_allclose(value_r, value, rtol=1e-12)
        np.testing.assert_allclose(density, value, rtol=1e-12)
        for name, x in renamed(grad, case.sym).items():
            np.testing.assert_allclose(grad_r[name], x, rtol=1e-8, atol=1e-9, err_msg=name)
        for name, x in found[0][2].items():
            np.testing.assert_allclose(at[name], x, rtol=1e-12, err_msg=name)


@pytest.mark.usefixtures("x64")
def test_false_symmetry_changes_the_potential():
    """Negative control of the two laws above: the fold moves what it may not."""

    def model():
        numpyro.sample("a", dist.Normal(0, 1).expand([3]).to_event(1))
        numpyro.sample("b", dist.Normal(jnp.array([0.0, 1.0, 2.0]), 1).to_event(1))

    sym = nsym.mixture(3, {"a": 0, "b": 0})
    z = {"a": jnp.array([3.0, 2.0, 1.0]), "b": jnp.array([0.5, 1.0, -1.0])}
    wrong = log_density(folded(model, sym), (), {}, renamed(z, sym))[0]
    assert abs(wrong - log_density(model, (), {}, z)[0]) > 0.1


K = 3
Y = np.random.default_rng(0).normal([-3.0, 0.0, 3.0], 0.5, (20, K)).ravel()
MIXTURE = nsym.mixture(K, {"mu": 0, "sigma": 0, "weights": 0})


def mixture(y=None):
    """Locations given scales, in a plate, bounded by scales of their own: all a site
    can depend on.
    """
    with numpyro.plate("component", K):
        sigma = numpyro.sample("sigma", dist.LogNormal(0, 0.5))
        mu = numpyro.sample("mu", dist.Uniform(-20 * sigma, 20 * sigma))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
    total = numpyro.deterministic("total", mu.sum())
    numpyro.deterministic("first", mu[0] + 0 * total)
    with numpyro.plate("rows", len(Y)):
        numpyro.sample(
            "y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, sigma)), obs=y
        )


FOLDED_MIXTURE = folded(mixture, MIXTURE)
POINT = {
    "sigma": np.array([0.9, 0.4, 0.5]),
    "mu": np.array([3.0, -3.0, 0.0]),
    "weights": np.array([0.5, 0.2, 0.3]),
}
ORDER = np.array([1, 2, 0])


@pytest.mark.usefixtures("x64")
def test_supports_that_depend_on_folded_sites():
    """Scales settle the order; the locations' bounds go with their units, in the latent
    space too.
    """
    z = renamed(POINT, MIXTURE)
    own, folded_ = (
        initialize_model(
            jax.random.key(0),
            m,
            model_args=(Y,),
            init_strategy=init_to_value(values=v),
            validate_grad=False,
        )
        for m, v in ((mixture, POINT), (FOLDED_MIXTURE, z))
    )
    for name, x in own.param_info.z.items():
        np.testing.assert_allclose(folded_.param_info.z[f"{name}_base"], x, rtol=1e-12)
    np.testing.assert_allclose(
        folded_.param_info.potential_energy, own.param_info.potential_energy, rtol=1e-12
    )
    out = folded_.postprocess_fn(folded_.param_info.z)
    for name, x in POINT.items():
        np.testing.assert_allclose(out[name], x[ORDER], rtol=1e-12)


def test_prior_draws_are_folded_prior_draws():
    """Against draws of the model itself, folded by hand: the same law, sites that depend on others
    too.
    """
    draws = Predictive(FOLDED_MIXTURE, num_samples=4000)(jax.random.key(0))
    plain = Predictive(mixture, num_samples=4000)(jax.random.key(1))
    order = np.argsort(plain["sigma"], axis=1)
    for name in MIXTURE.sites:
        expected = np.take_along_axis(np.asarray(plain[name]), order, 1)
        for i in range(K):
            assert stats.ks_2samp(draws[name][:, i], expected[:, i]).pvalue > 1e-3, (name, i)
    np.testing.assert_array_equal(draws["first"], draws["mu"][:, 0])
    np.testing.assert_allclose(draws["y"].mean(), plain["y"].mean(), atol=0.2)


@pytest.mark.parametrize("values", [POINT, {"mu": POINT["mu"]}], ids=["all", "one"])
def test_starts_by_original_names(values):
    """Those named, from their values; a start in the latents' names is met by the test above."""
    start = initialize_model(
        jax.random.key(0),
        FOLDED_MIXTURE,
        model_args=(Y,),
        init_strategy=init_to_value(values=values),
        validate_grad=False,
    )
    at = start.postprocess_fn(start.param_info.z)
    for name, x in values.items():
        np.testing.assert_allclose(at[f"{name}_base"], x, rtol=1e-4)
        if len(values) == K:
            np.testing.assert_allclose(at[name], x[ORDER], rtol=1e-4)


def batch(n=4):
    """Draws by original names, no two components in order."""
    rng = np.random.default_rng(1)
    return {
        "sigma": jnp.asarray(rng.lognormal(0, 0.5, (n, K)), jnp.float32),
        "mu": jnp.asarray(rng.normal(size=(n, K)), jnp.float32),
        "weights": jnp.asarray(rng.dirichlet([9.0, 9.0, 9.0], n), jnp.float32),
    }


def test_predictive_and_log_likelihood_by_original_names():
    draws = batch()
    mine, own = (
        Predictive(m, draws, return_sites=["mu", "total", "first"])(jax.random.key(0))
        for m in (FOLDED_MIXTURE, mixture)
    )
    order = np.argsort(draws["sigma"], axis=1)
    np.testing.assert_array_equal(mine["mu"], np.take_along_axis(np.asarray(draws["mu"]), order, 1))
    np.testing.assert_allclose(mine["total"], own["total"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mine["first"], mine["mu"][:, 0])
    np.testing.assert_allclose(
        log_likelihood(FOLDED_MIXTURE, draws, Y)["y"],
        log_likelihood(mixture, draws, Y)["y"],
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.fixture(scope="module")
def chains():
    mcmc = MCMC(
        NUTS(FOLDED_MIXTURE),
        num_warmup=100,
        num_samples=100,
        num_chains=2,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), Y, extra_fields=("potential_energy",))
    return mcmc


@pytest.mark.slow
def test_nuts_and_arviz_with_the_original_names(chains):
    draws = {name: np.asarray(x) for name, x in chains.get_samples().items()}
    assert (np.diff(draws["sigma"]) >= 0).all()
    np.testing.assert_array_equal(draws["first"], draws["mu"][:, 0])
    data = az.from_numpyro(chains, log_likelihood=True)
    posterior = data["posterior"]
    assert {"mu", "sigma", "weights"} <= set(posterior.data_vars)
    assert posterior["mu"].dims[-1] == "component"
    assert set(data["observed_data"].data_vars) == {"y"} == set(data["log_likelihood"].data_vars)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a Pareto k above 0.7 is no error here
        az.loo(data)
    # By the latents that MCMC collects and by the original names alone, the same.
    originals = {name: draws[name] for name in MIXTURE.sites}
    np.testing.assert_allclose(
        log_likelihood(FOLDED_MIXTURE, originals, Y)["y"],
        log_likelihood(FOLDED_MIXTURE, draws, Y)["y"],
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.slow
def test_pickle_and_resume(chains):
    again = pickle.loads(pickle.dumps(ReferenceSetReparam(MIXTURE)))
    assert again.sym == MIXTURE
    chains.post_warmup_state = chains.last_state
    before = chains.get_samples()["mu"]
    chains.run(jax.random.key(1), Y)
    assert not np.array_equal(before, chains.get_samples()["mu"])
    assert (np.diff(chains.get_samples()["sigma"]) >= 0).all()


@pytest.mark.parametrize("kernel", [HMC], ids=lambda k: k.__name__)
def test_law_is_that_of_order_statistics(kernel):
    def model():
        numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))

    assert (
        min(runs.order_statistics_p_values(kernel(folded(model, nsym.mixture(3, {"x": 0}))))) > 1e-3
    )


def factors(x=None):
    loadings = numpyro.sample("loadings", dist.Normal(0, 1).expand([3, 2]).to_event(2))
    scores = numpyro.sample("scores", dist.Normal(0, 1).expand([5, 2]).to_event(2))
    numpyro.sample("x", dist.Normal(scores @ loadings.T, 0.3).to_event(2), obs=x)


FACTORS = nsym.factor_model(2, loadings={"loadings": 1}, factors={"scores": 1})
X = np.random.default_rng(2).normal(size=(5, 3))


@pytest.mark.slow
@pytest.mark.parametrize("family", [AutoNormal, AutoMultivariateNormal])
def test_svi_has_the_models_own_elbo(family):
    """The guide covers the full space; same keys, same numbers, so the same loss to rounding."""
    start = init_to_value(values={"loadings": jnp.ones((3, 2)), "scores": jnp.ones((5, 2))})
    own, mine = (
        SVI(m, family(m, init_loc_fn=start), numpyro.optim.Adam(0.05), Trace_ELBO())
        for m in (factors, folded(factors, FACTORS))
    )
    results = [svi.run(jax.random.key(0), 5, X, progress_bar=False) for svi in (own, mine)]
    np.testing.assert_allclose(results[1].losses, results[0].losses, rtol=1e-4)
    draws = Predictive(mine.model, guide=mine.guide, params=results[1].params, num_samples=50)(
        jax.random.key(1), X
    )
    assert (draws["loadings"][:, 0] >= 0).all()
    assert (np.diff(draws["loadings"][:, 0]) >= 0).all()


def test_signs_that_a_later_site_tells():
    """Scales of the units order them, weights turn them: one latent of either kind."""

    def model():
        tau = numpyro.sample("tau", dist.HalfNormal(1).expand([3]).to_event(1))
        w = numpyro.sample("w", dist.Normal(0, tau).expand([2, 3]).to_event(2))
        v = numpyro.sample("v", dist.Normal(0, 1).expand([3]).to_event(1))
        numpyro.deterministic("f", w @ v)

    sym = Symmetry(
        [Units("unit", 3, kind="signed", incoming={"w": 1}, outgoing={"v": 0}, axes={"tau": 0})]
    )
    draws = Predictive(folded(model, sym), num_samples=50)(jax.random.key(0))
    assert (np.diff(draws["tau"]) >= 0).all()
    assert (draws["w"][:, 0] >= 0).all()
    assert (draws["v"] < 0).any()
    np.testing.assert_allclose(
        draws["f"], np.einsum("sij,sj->si", draws["w_base"], draws["v_base"]), rtol=2e-5, atol=1e-5
    )


def test_keys_that_the_user_chose():
    def model():
        numpyro.sample("w", dist.Normal(0, 1).expand([2, 3]).to_event(2))

    reads = {
        "w": lambda w: w[0],
        ("w", 1): lambda w: w[1],
        ("w", "sum"): lambda w: w.sum(0),
        ("w", "norm"): lambda w: (w**2).sum(0),
    }
    for key, read in reads.items():
        config = folded(model, nsym.mixture(3, {"w": 1}), keys={"component": key})
        for seed in range(3):
            w = handlers.trace(handlers.seed(config, seed)).get_trace()["w"]["value"]
            assert (np.diff(read(np.asarray(w))) >= 0).all(), key


def test_a_run_broken_off_leaves_nothing_behind():
    config = ReferenceSetReparam(MIXTURE)
    model = handlers.reparam(mixture, config=config)

    def breaks():
        with numpyro.plate("component", K):
            numpyro.sample("sigma", dist.LogNormal(0, 0.5))
        raise KeyError

    with pytest.raises(KeyError):
        handlers.seed(handlers.reparam(breaks, config=config), 0)()
    np.testing.assert_array_equal(latents(model)["mu_base"], latents(FOLDED_MIXTURE)["mu_base"])


def test_no_tracer_is_kept():
    with jax.checking_leaks():
        jax.jit(lambda z: log_density(FOLDED_MIXTURE, (Y,), {}, z)[0])(renamed(POINT, MIXTURE))


def test_sorted_section_and_reparam_agree_where_the_keys_do(rng_key):
    """The fold of draws and the fold in the model are one function."""
    point = latents(mixture, Y)
    section = sorted_section(MIXTURE, dict.fromkeys(MIXTURE.sites, (K,)), {"component": "sigma"})
    at = sites(FOLDED_MIXTURE, (Y,), renamed(point, MIXTURE), MIXTURE.sites)
    for name, x in section.fold(point).items():
        np.testing.assert_array_equal(at[name], x)


def between(x=None):
    numpyro.sample("w", dist.Normal(0, 1).expand([2, 3]).to_event(2))
    numpyro.sample("a", dist.Normal(0, 1).expand([2]).to_event(1))


BETWEEN = Symmetry(
    [
        Units("left", 2, kind="signed", incoming={"w": 0}, outgoing={"a": 0}),
        Units("right", 3, kind="signed", incoming={"w": 1}),
    ]
)
REFUSED = {
    "sym must be a Symmetry": lambda: ReferenceSetReparam(mixture),
    "Units 'component' are scaled": lambda: ReferenceSetReparam(
        Symmetry([Units("component", 3, incoming={"mu": 0}, kind="scaled")])
    ),
    "no Units called 'unit'": lambda: ReferenceSetReparam(MIXTURE, keys={"unit": "mu"}),
    "first site of Units .'component'. that the model samples.*"
    "cannot be sorted by site 'mu'": lambda: latents(
        folded(mixture, MIXTURE, keys={"component": "mu"})
    ),
    "'w' is the first site of Units .'left', 'right'.*no exact section": lambda: latents(
        folded(between, BETWEEN)
    ),
    "site 'y' of the symmetry is observed": lambda: latents(
        folded(mixture, nsym.mixture(60, {"y": 0})), Y
    ),
    "length 3; expected 4": lambda: latents(folded(mixture, nsym.mixture(4, {"mu": 0}))),
    "site 'mu' is conditioned on": lambda: latents(
        handlers.condition(FOLDED_MIXTURE, {"mu": POINT["mu"]}), Y
    ),
    "Unconstrained starts .* here 'sigma_base'": lambda: MCMC(
        NUTS(FOLDED_MIXTURE), num_warmup=1, num_samples=1, progress_bar=False
    ).run(jax.random.key(0), Y, init_params=POINT),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=f"(?i){message}"):
        REFUSED[message]()


ABSENT = {
    "ReferenceSetReparam": lambda: ReferenceSetReparam(nsym.mixture(3, {"absent": 0})),
    "ReferenceSetReparam: one of two": lambda: ReferenceSetReparam(
        nsym.mixture(3, {"x": 0, "absent": 0})
    ),
    "OrderedReparam": lambda: OrderedReparam(
        nsym.mixture(3, {"absent": 0}), keys={"component": "absent"}
    ),
    "ScaleReparam": lambda: ScaleReparam(nsym.mlp(["absent", "away"], [3], kind="scaled")),
}


@pytest.mark.parametrize("what", ABSENT)
def test_sites_that_the_model_does_not_have(what):
    def model():
        numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
        numpyro.sample("y", dist.Normal(0, 1))

    with pytest.raises(
        SymmetryError, match=f"{what.split(':')[0]}: the model has no site 'absent'; it has"
    ):
        MCMC(
            NUTS(handlers.reparam(model, config=ABSENT[what]())),
            num_warmup=1,
            num_samples=1,
            progress_bar=False,
        ).run(jax.random.key(0))


def test_nothing_to_do_is_refused():
    with pytest.raises(SymmetryError, match="keys is empty"):
        OrderedReparam(nsym.mixture(3, {"x": 0}), keys={})
    with pytest.raises(SymmetryError, match="has no Units"):
        ReferenceSetReparam(nsym.Symmetry())
