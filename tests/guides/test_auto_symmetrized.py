"""AutoSymmetrized: every base guide with a density, its average against sums by hand."""

import pickle
from functools import partial
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer import SVI, Predictive, Trace_ELBO, autoguide, init_to_value
from scipy import stats

from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.guides import AutoSymmetrized, AutoSymmetrizedNormal
from numpyro_sym.guides.bounds._information import _bracket

pytestmark = pytest.mark.filterwarnings("ignore:UnpackTransform")


def mixture(y=None):
    """Two components: weights on a simplex, locations, positive scales; a scale outside the
    symmetry.
    """
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("component", 2):
        mu = numpyro.sample("mu", dist.Normal(0, 3))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    shift = numpyro.sample("shift", dist.LogNormal(0, 1))
    spread = numpyro.deterministic("spread", mu.max() - mu.min())
    normals = dist.Normal(mu, sigma + shift)
    numpyro.sample(
        "y",
        dist.MixtureSameFamily(dist.Categorical(weights), normals).expand([6]).to_event(1),
        obs=y,
    )
    return spread


SYM = Symmetry([Units("component", 2, axes={"weights": 0, "mu": 0, "sigma": 0})])
Y = np.array([-2.0, -1.5, -1.0, 1.0, 1.5, 2.0])


def by_hand(y=None):
    loc = numpyro.param("loc", jnp.array([-0.5, 0.5]))
    mu = numpyro.sample("mu", dist.Normal(loc, 0.4).to_event(1))
    numpyro.sample("sigma", dist.LogNormal(0.1 * mu, 0.3).to_event(1))
    numpyro.sample("weights", dist.Dirichlet(jnp.array([2.0, 3.0])))
    numpyro.sample("shift", dist.LogNormal(mu.sum(), 0.2))


def parts():
    guide = autoguide.AutoGuideList(mixture)
    guide.append(
        autoguide.AutoNormal(
            handlers.block(mixture, expose=["component", "mu", "sigma", "y"]), prefix="a"
        )
    )
    guide.append(
        autoguide.AutoMultivariateNormal(
            handlers.block(mixture, expose=["weights", "shift"]), prefix="b"
        )
    )
    return guide


BASES = {
    "normal": lambda: autoguide.AutoNormal(mixture, init_scale=0.5),
    "diagonal": lambda: autoguide.AutoDiagonalNormal(mixture, init_scale=0.5),
    "multivariate": lambda: autoguide.AutoMultivariateNormal(mixture, init_scale=0.5),
    "low rank": lambda: autoguide.AutoLowRankMultivariateNormal(mixture, init_scale=0.5),
    "iaf": lambda: autoguide.AutoIAFNormal(mixture, hidden_dims=[8]),
    "by hand": lambda: by_hand,
    "list": parts,
}


def traced(guide, *args):
    with handlers.seed(rng_seed=0), handlers.trace() as trace:
        guide(*args)
    return trace


def orbit_of(guide, *args):
    return traced(guide, *args)["_auto_orbit"]


def log_density(base, params, sites):
    """Log density that the base's own trace has at these sites."""
    for part in base if isinstance(base, autoguide.AutoGuideList) else [base]:
        if isinstance(part, autoguide.AutoContinuous):
            free = {
                n: biject_to(part.prototype_trace[n]["fn"].support).inv(sites[n])
                for n in part._init_locs
            }
            sites = {n: x for n, x in sites.items() if n not in free}
            sites[f"_{part.prefix}_latent"] = jnp.concatenate([jnp.ravel(x) for x in free.values()])
    with (
        handlers.seed(rng_seed=0),
        handlers.substitute(data={**params, **sites}),
        handlers.trace() as trace,
    ):
        base(Y)
    return sum(s["fn"].log_prob(s["value"]).sum() for s in trace.values() if s["type"] == "sample")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "iaf" else n for n in BASES]
)
def test_density_is_the_average_over_both_labelings(name, x64):
    """The base's density from its own trace, at the draw and at the draw relabeled by hand."""
    base = BASES[name]()
    trace = traced(AutoSymmetrized(base, SYM, model=mixture, check=False, bound="exact"), Y)
    site, params = (
        trace["_auto_orbit"],
        {n: s["value"] for n, s in trace.items() if s["type"] == "param"},
    )
    point = site["fn"].unravel(site["value"])

    swapped = {n: x[::-1] if n in SYM.sites else x for n, x in point.items()}
    if name == "normal":
        point, swapped = ({**s, "shift": jnp.array(1.0)} for s in (point, swapped))
    log_base = jax.jit(partial(log_density, base))
    expected = jnp.logaddexp(log_base(params, point), log_base(params, swapped)) - np.log(2)
    if name == "normal":
        shift = dist.TransformedDistribution(
            dist.Normal(base._init_locs["shift"], 0.5), dist.transforms.ExpTransform()
        )
        expected -= shift.log_prob(1.0)
    log_prob = jax.jit(site["fn"].log_prob)
    np.testing.assert_allclose(log_prob(site["value"]), expected, rtol=1e-9)
    np.testing.assert_allclose(log_prob(site["value"], site["intermediates"]), expected, rtol=1e-9)


def components(y=None, n=3):
    """All sites in one plate, as batched guides need it."""
    with numpyro.plate("component", n):
        mu = numpyro.sample("mu", dist.Normal(0, 3))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    alike = dist.MixtureSameFamily(dist.Categorical(jnp.ones(n) / n), dist.Normal(mu, sigma))
    numpyro.sample("y", alike.expand([6]).to_event(1), obs=y)


BATCHED = [autoguide.AutoBatchedMultivariateNormal, autoguide.AutoBatchedLowRankMultivariateNormal]


@pytest.mark.parametrize("make", BATCHED)
@pytest.mark.slow
def test_batched_guides_are_averaged_over_every_labeling_and_train(make, x64, rng_key):
    sym = Symmetry([Units("component", 3, axes={"mu": 0, "sigma": 0})])
    base = make(components, batch_ndim=1, init_scale=0.5)
    trace = traced(AutoSymmetrized(base, sym, check=False, bound="exact"), Y)
    site, params = (
        trace["_auto_orbit"],
        {n: s["value"] for n, s in trace.items() if s["type"] == "param"},
    )
    point = site["fn"].unravel(site["value"])
    orders = [np.array(p) for p in permutations(range(3))]
    each = [log_density(base, params, {n: x[p] for n, x in point.items()}) for p in orders]
    expected = logsumexp(jnp.array(each)) - np.log(6)
    log_prob = jax.jit(site["fn"].log_prob)
    np.testing.assert_allclose(log_prob(site["value"]), expected, rtol=1e-9)
    np.testing.assert_allclose(log_prob(site["value"], site["intermediates"]), expected, rtol=1e-9)
    svi = SVI(
        components,
        AutoSymmetrized(base, sym, bound="guess"),
        numpyro.optim.Adam(0.02),
        Trace_ELBO(),
    )
    losses = svi.run(rng_key, 200, Y, progress_bar=False).losses
    assert losses[-20:].mean() < losses[:20].mean()


def proportions(n):
    """Units whose values are a share of the whole, a location and a positive scale."""
    numpyro.sample("share", dist.Dirichlet(jnp.ones(n)))
    with numpyro.plate("component", n):
        numpyro.sample("mu", dist.Normal(0, 3))
        numpyro.sample("sigma", dist.LogNormal(0, 1))


def spread_out(n, scale=0.4):
    """A guide of proportions, and parameters that tell its units apart, but not all."""
    sym = Symmetry([Units("component", n, axes={"share": 0, "mu": 0, "sigma": 0})])
    guide = AutoSymmetrizedNormal(proportions, sym, bound="guess", check=False)
    traced(guide, n)
    keys = jax.random.split(jax.random.key(3), 3)
    params = {
        f"{s}_auto_loc": jax.random.normal(k, (n - (s == "share"),))
        for s, k in zip(sym.sites, keys, strict=True)
    }
    return guide, params | {
        name.replace("loc", "scale"): scale * jnp.ones_like(x) for name, x in params.items()
    }


@pytest.mark.slow
def test_simplex_and_scales_are_bounded_against_a_sum_in_numpy(x64):
    """120 labelings, densities by SciPy with the Jacobian of stick breaking written out."""
    n = 5
    guide, params = spread_out(n)
    p = {name: np.asarray(x) for name, x in params.items()}

    def log_q(share, mu, sigma):
        rest = 1 - np.concatenate([[0], np.cumsum(share[:-1])])  # what is left before each stick
        stick = share[:-1] / rest[:-1]
        free = np.log(stick / (1 - stick)) + np.log(np.arange(n - 1, 0, -1))
        jacobian = np.log(stick * (1 - stick) * rest[:-1]).sum()
        total = stats.norm.logpdf(free, p["share_auto_loc"], p["share_auto_scale"]).sum() - jacobian
        total += stats.norm.logpdf(mu, p["mu_auto_loc"], p["mu_auto_scale"]).sum()
        return (
            total
            + stats.lognorm.logpdf(
                sigma, p["sigma_auto_scale"], scale=np.exp(p["sigma_auto_loc"])
            ).sum()
        )

    with handlers.seed(rng_seed=0), handlers.substitute(data=params), handlers.trace() as trace:
        guide(n)
    fn = trace["_auto_orbit"]["fn"]
    values, held = jax.jit(jax.vmap(fn.sample_with_intermediates))(
        jax.random.split(jax.random.key(1), 100)
    )
    bounds = np.asarray(jax.jit(jax.vmap(fn.log_prob))(values, held))
    sites = jax.tree.map(np.asarray, fn.unravel(values))
    orders = [np.array(o) for o in permutations(range(n))]
    exact = np.array(
        [
            logsumexp(
                np.array(
                    [log_q(*(sites[s][i][o] for s in ("share", "mu", "sigma"))) for o in orders]
                )
            )
            for i in range(len(values))
        ]
    ) - np.log(len(orders))
    over = bounds - exact
    assert over.mean() > -3 * over.std() / 10
    assert over.mean() < 0.1


@pytest.mark.slow
def test_simplex_and_scales_of_many_units_are_bracketed(x64, rng_key):
    guide, params = spread_out(40)
    information = guide.symmetry_information(rng_key, params, 40, num_samples=64)
    assert information.lower < information.upper + 3 * (
        information.lower_error + information.upper_error
    )
    assert information.upper - information.lower < 0.01 * information.lower
    assert 40 < information.lower < information.log_order


@pytest.mark.parametrize("name", ["multivariate", pytest.param("by hand", marks=pytest.mark.slow)])
def test_guess_is_a_bound_for_any_base(name, x64):
    """On the same draws the guess has at least the exact log density in the mean, importance
    weights less so.
    """
    base = BASES[name]()
    exact, guess = (
        AutoSymmetrized(base, SYM, model=mixture, check=False, bound=b) for b in ("exact", "guess")
    )
    fn = orbit_of(exact, Y)["fn"]
    guess_fn = orbit_of(guess, Y)["fn"]
    keys = jax.random.split(jax.random.key(0), 400)

    def one(key):
        value, held = fn.sample_with_intermediates(key)
        return guess_fn.log_prob(value, held) - fn.log_prob(value, held)

    over = jax.jit(jax.vmap(one))(keys)
    assert over.mean() > -3 * over.std() / 20
    assert over.mean() < 0.1


@pytest.mark.slow
def test_training_and_what_it_returns(rng_key):
    """A multivariate Normal: parameters keep their names, draws are of both labelings, one
    component's of one.
    """
    guide = AutoSymmetrized(autoguide.AutoMultivariateNormal(mixture), SYM)
    svi = SVI(mixture, guide, numpyro.optim.Adam(0.02), Trace_ELBO())
    result = svi.run(rng_key, 600, Y, progress_bar=False, stable_update=True)
    assert set(result.params) == {"auto_loc", "auto_scale_tril"}
    draws = guide.sample_posterior(rng_key, result.params, Y, sample_shape=(2, 300))
    assert draws["weights"].shape == (2, 300, 2)
    np.testing.assert_allclose(
        draws["spread"], abs(draws["mu"][..., 0] - draws["mu"][..., 1]), rtol=1e-4
    )
    first_is_larger = (draws["mu"][..., 0] > draws["mu"][..., 1]).mean()
    assert 0.4 < first_is_larger < 0.6
    np.testing.assert_allclose(
        guide.median(result.params)["mu"][0], guide.median(result.params)["mu"][1], atol=1e-5
    )
    predicted = Predictive(mixture, guide=guide, params=result.params, num_samples=10)(rng_key)
    assert predicted["y"].shape == (10, 6)
    again = pickle.loads(pickle.dumps(guide))
    np.testing.assert_array_equal(
        again.sample_posterior(rng_key, result.params, Y)["mu"],
        guide.sample_posterior(rng_key, result.params, Y)["mu"],
    )
    information = guide.symmetry_information(rng_key, result.params, Y, num_samples=64)
    assert information.lower == pytest.approx(information.upper)
    assert 0 < information.lower <= information.log_order + 1e-5
    assert guide.component(result.params, Y).posterior.loc.shape == result.params["auto_loc"].shape


@pytest.mark.slow
def test_a_flow_without_inverse_is_guessed_at_its_draw(rng_key):
    base = autoguide.AutoBNAFNormal(mixture, hidden_factors=[2])
    svi = SVI(mixture, AutoSymmetrized(base, SYM), numpyro.optim.Adam(0.01), Trace_ELBO())
    assert np.isfinite(svi.run(rng_key, 3, Y, progress_bar=False).losses).all()
    refused = AutoSymmetrized(base, SYM, bound="infonce")
    with pytest.raises(SymmetryError, match="no inverse"):
        orbit_of(refused, Y)["fn"].log_prob(jnp.ones(7))


@pytest.mark.slow
def test_a_guide_list_as_base(rng_key):
    guide = AutoSymmetrized(parts(), SYM, check=False)
    svi = SVI(mixture, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    result = svi.run(rng_key, 3, Y, progress_bar=False)
    assert np.isfinite(result.losses).all()
    assert {"b_loc", "mu_a_loc"} <= set(result.params)


@pytest.mark.slow
def test_quantiles_of_signed_units_from_draws_are_those_in_closed_form():
    def signed():
        numpyro.sample("x", dist.Normal(0, 3).expand([3]).to_event(1))

    sym = Symmetry([Units("u", 3, incoming={"x": 0}, kind="signed")])
    loc, scale = jnp.array([1.0, 2.0, -3.0]), jnp.array([0.3, 0.5, 0.4])
    drawn, closed = (
        AutoSymmetrized(autoguide.AutoDiagonalNormal(signed), sym),
        AutoSymmetrizedNormal(signed, sym),
    )
    orbit_of(drawn), orbit_of(closed)
    ours = drawn.quantiles({"auto_loc": loc, "auto_scale": scale}, [0.1, 0.5, 0.8])["x"]
    expected = closed.quantiles({"x_auto_loc": loc, "x_auto_scale": scale}, [0.1, 0.5, 0.8])["x"]
    np.testing.assert_allclose(ours[::2], expected[::2], atol=0.03)
    assert abs(ours[1]).max() < 0.7  # between the signs there is little to tell the median by


@pytest.mark.slow
def test_found_units_of_subsampled_sites_are_left_out(rng_key):
    """Factors act on rows of which each step sees a few; what acts on whole sites is kept."""

    def factors(y):
        loadings = numpyro.sample("loadings", dist.Normal(0, 1).expand([2]).to_event(1))
        shift = numpyro.sample("shift", dist.Normal(0, 1).expand([3]).to_event(1))
        with numpyro.plate("rows", 6, subsample_size=3):
            scores = numpyro.sample("scores", dist.Normal(0, 1).expand([2]).to_event(1))
            batch = numpyro.subsample(y, event_dim=0)
            numpyro.sample("y", dist.Normal(scores @ loadings + shift.sum(), 1), obs=batch)

    guide = AutoSymmetrizedNormal(factors)
    result = SVI(factors, guide, numpyro.optim.Adam(0.01), Trace_ELBO()).run(
        rng_key, 2, Y, progress_bar=False
    )
    assert [u.sites for u in guide.sym] == [("shift",)]
    assert np.isfinite(result.losses).all()


@pytest.mark.slow
@pytest.mark.parametrize("make", [autoguide.AutoNormal, autoguide.AutoDiagonalNormal])
def test_units_that_start_alike_are_told_apart(make, rng_key):
    alike = init_to_value(
        values={"weights": jnp.full(2, 0.5), "mu": jnp.zeros(2), "sigma": jnp.ones(2), "shift": 1.0}
    )
    base = make(mixture, init_loc_fn=alike)
    orbit_of(AutoSymmetrized(base, SYM, check=False), Y)
    assert abs(base._init_locs["mu"][0] - base._init_locs["mu"][1]) > 1e-3
    np.testing.assert_allclose(
        base._init_locs["shift"], 0.0, atol=1e-6
    )  # outside the symmetry: as it was
    if hasattr(base, "_init_latent"):
        np.testing.assert_allclose(
            base._unpack_latent(base._init_latent)["mu"], base._init_locs["mu"]
        )
    three = init_to_value(values={"x": jnp.array([0.0, 0.0, 1.0])})
    base = make(
        lambda: numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1)), init_loc_fn=three
    )
    orbit_of(AutoSymmetrized(base, Symmetry([Units("u", 3, axes={"x": 0})]), check=False))
    assert abs(base._init_locs["x"][0] - base._init_locs["x"][1]) > 1e-3  # two of three
    apart = make(mixture, init_loc_fn=init_to_value(values={"mu": jnp.array([0.0, 1.0])}))
    orbit_of(AutoSymmetrized(apart, SYM, check=False), Y)
    np.testing.assert_allclose(
        apart._init_locs["mu"], [0.0, 1.0], atol=1e-6
    )  # no tie: nothing is changed


@pytest.mark.slow
def test_information_of_a_group_too_large_to_list_is_bracketed(rng_key):
    def wide():
        numpyro.sample("x", dist.Normal(0, 10).expand([20]).to_event(1))

    guide = AutoSymmetrizedNormal(wide, Symmetry([Units("u", 20, axes={"x": 0})]))
    orbit_of(guide)
    params = {"x_auto_loc": jnp.linspace(-10, 10, 20), "x_auto_scale": jnp.ones(20)}
    information = guide.symmetry_information(rng_key, params, num_samples=128)
    assert information.lower < information.upper < information.lower + 0.1
    assert 20 < information.lower < information.log_order
    component = guide.component(params)
    np.testing.assert_allclose(component.dists["x"].mean, params["x_auto_loc"])


def amortized(y):
    with numpyro.plate("rows", 6, subsample_size=2):
        numpyro.sample("shift", dist.LogNormal(0, 1))


REFUSED = {
    "AutoDelta has no tractable density": lambda: AutoSymmetrized(
        autoguide.AutoDelta(mixture), SYM
    ),
    "AutoDAIS has no tractable density": lambda: AutoSymmetrized(autoguide.AutoDAIS(mixture), SYM),
    "must be a NumPyro guide": lambda: AutoSymmetrized("guide", SYM),
    "are scaled": lambda: AutoSymmetrized(
        by_hand, Symmetry([Units("u", 2, incoming={"mu": 0}, kind="scaled")])
    ),
    "'nu', which is not there": lambda: orbit_of(
        AutoSymmetrized(by_hand, Symmetry([Units("u", 2, axes={"nu": 0})])), Y
    ),
    "subsampled plate 'rows'": lambda: orbit_of(
        AutoSymmetrized(amortized, Symmetry([Units("u", 2, axes={"shift": 0})])), Y
    ),
    "out of reach": lambda: orbit_of(
        AutoSymmetrizedNormal(
            lambda: numpyro.sample("x", dist.Normal(0, 1).expand([20]).to_event(1)),
            Symmetry([Units("u", 20, axes={"x": 0})]),
            bound="exact",
            check=False,
        )
    )["fn"].log_prob(jnp.zeros(20)),
    "at least 2": lambda: AutoSymmetrized(BASES["normal"](), SYM, check=False).symmetry_information(
        jax.random.key(0), {}, Y, num_samples=1
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def without_arguments():
    return by_hand()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=() if n == "multivariate" else pytest.mark.slow)
        for n in BASES
        if n != "iaf"
    ],
)
def test_information_is_compiled_once(name, rng_key):
    """For other parameters and another key the program is the same; for more draws it is not."""
    base, args = (without_arguments, ()) if name == "by hand" else (BASES[name](), (Y,))
    guide = AutoSymmetrized(base, SYM, model=mixture, check=False)
    params = {n: s["value"] for n, s in traced(guide, *args).items() if s["type"] == "param"}

    def told(params, key, num_samples=8):
        before = _bracket._cache_size()
        found = guide.symmetry_information(key, params, num_samples=num_samples)
        return found, _bracket._cache_size() - before

    first, compiled = told(params, rng_key)
    assert compiled == 1
    assert told(params, rng_key) == (first, 0)
    moved = {n: 1.1 * x for n, x in params.items()}
    other, compiled = told(moved, jax.random.key(1))
    assert other != first
    assert compiled == 0
    assert told(params, rng_key, 9)[1] == 1


@pytest.mark.slow
def test_information_of_other_arguments_is_another(rng_key):
    """A guide's data changed in place: nothing of the first call is left in the second."""

    def spread(y):
        numpyro.sample("mu", dist.Normal(np.array([-0.5, 0.5]) * y, 0.4).to_event(1))
        numpyro.sample("sigma", dist.LogNormal(jnp.zeros(2), 0.3).to_event(1))
        numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        numpyro.sample("shift", dist.LogNormal(0.0, 0.2))

    guide = AutoSymmetrized(spread, SYM, model=mixture, check=False)
    y = np.zeros(2)
    traced(guide, y)
    assert guide.symmetry_information(rng_key, {}, y, num_samples=8).lower == pytest.approx(
        0, abs=1e-5
    )
    y += 20.0
    told = guide.symmetry_information(rng_key, {}, y, num_samples=8)
    assert told.lower == pytest.approx(np.log(2), abs=1e-5)
