"""AutoSymmetrizedNormal stands where AutoNormal stood, and its density is the average it claims."""

import pickle
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.infer import (
    SVI,
    Predictive,
    RenyiELBO,
    Trace_ELBO,
    TraceGraph_ELBO,
    TraceMeanField_ELBO,
    init_to_median,
)
from numpyro.infer.autoguide import AutoDelta, AutoGuideList, AutoNormal
from registry import BY_NAME, Case, normal
from scipy import integrate, stats

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units

ELBOS = {
    "trace": Trace_ELBO,
    "mean-field": TraceMeanField_ELBO,
    "renyi": lambda **kw: RenyiELBO(alpha=0.5, **kw),
    "graph": TraceGraph_ELBO,
}


def of_normals(**shapes):
    """A model of unit Normals alone."""

    def model():
        for name, shape in shapes.items():
            normal(name, *shape)

    return model


#: Arrays that two Units share, and one that the same Units act on along both axes: their places
#: hang together.
HANGING = [
    Case(
        "two-layers",
        nsym.mlp(["a", "b", "c"], [3, 2]),
        of_normals(a=(2, 3), b=(3, 2), c=(2, 1)),
        (),
    ),
    Case("both-axes", Symmetry([Units("u", 3, axes={"m": (0, 1)})]), of_normals(m=(3, 3)), ()),
]
SMALL = [BY_NAME[name] for name in ("young", "global-sign")]
SMALL += [
    pytest.param(BY_NAME[name], marks=pytest.mark.slow)
    for name in ("mlp-1-tanh", "hmm", "factor", "attention")
]
SMALL += HANGING


def pair(n=2, kind="permutation"):
    return Symmetry([Units("unit", n, incoming={"x": 0}, kind=kind)])


def wide(n=2):
    numpyro.sample("x", dist.Normal(0, 10.0).expand([n]).to_event(1))


def started(guide, *args, elbo=None):
    """SVI that has met its model, so that the guide knows its sites; and its parameters."""
    svi = SVI(guide.model, guide, numpyro.optim.Adam(0.01), elbo or Trace_ELBO())
    return svi, svi.get_params(svi.init(jax.random.key(0), *args))


# The density -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_density_is_the_brute_force_average(case, rng_key):
    """Every element applied by hand to the whole point; constrained sites with their Jacobian."""
    guide = nsym.AutoSymmetrizedNormal(case.model, case.sym, init_scale=0.7, check=False)
    _, params = started(guide, *case.args)
    base = AutoNormal(case.model, init_scale=0.7)
    started(base, *case.args)
    seeded = handlers.substitute(handlers.seed(guide, rng_key), params)
    trace = handlers.trace(seeded).get_trace(*case.args)
    point = {name: trace[name]["value"] for name in base._init_locs}

    @jax.jit
    def log_q(g):
        sites = case.sym.act(g, point)
        q = handlers.seed(handlers.substitute(base, {**params, **sites}), 0)
        tr = handlers.trace(q).get_trace(*case.args)
        return sum(tr[name]["fn"].log_prob(sites[name]).sum() for name in sites)

    # The order in which the group is listed is not the library's: itertools and signs by hand.
    terms = [log_q(g) for g in _every_element(case.sym)]
    assert len(terms) == case.sym.order
    expected = logsumexp(jnp.array(terms)) - np.log(len(terms))
    site = trace["_auto_orbit"]
    rest = sum(trace[n]["fn"].log_prob(point[n]).sum() for n in point if n not in case.sym.sites)
    log_prob = jax.jit(site["fn"].log_prob)
    found = log_prob(site["value"], site["intermediates"]) + rest
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(log_prob(site["value"]) + rest, expected, rtol=1e-9)


def _every_element(sym):
    lists = []
    for u in sym:
        signs = (
            np.stack(np.meshgrid(*[[1.0, -1.0]] * u.n), -1).reshape(-1, u.n)
            if u.kind == "signed"
            else [np.ones(u.n)]
        )
        lists.append(
            [nsym.Element(np.array(p), s) for p in permutations(range(u.n)) for s in signs]
        )
    stack = [{}]
    for u, each in zip(sym, lists, strict=True):
        stack = [{**g, u.name: e} for g in stack for e in each]
    return stack


@pytest.mark.slow
@pytest.mark.parametrize(("distance", "information"), [(1, 0.1114), (2, 0.3368), (4, 0.6327)])
def test_elbo_gains_the_information(distance, information, x64):
    """ELBO_sym = ELBO + I(g; w); I by quadrature, pinned to its known value."""
    place = distance / np.sqrt(8)
    params = {"x_auto_loc": jnp.array([place, -place]), "x_auto_scale": jnp.ones(2)}
    losses = []
    for guide in (nsym.AutoSymmetrizedNormal(wide, pair()), AutoNormal(wide)):
        started(guide)
        losses.append(
            Trace_ELBO(num_particles=200_000).loss(jax.random.key(1), params, wide, guide)
        )

    def integrand(z):
        return stats.norm.pdf(z) * (np.log(2) - np.logaddexp(0, -distance * z - distance**2 / 2))

    by_quadrature = integrate.quad(integrand, -10, 10)[0]
    assert by_quadrature == pytest.approx(information, abs=1e-4)
    assert losses[1] - losses[0] == pytest.approx(by_quadrature, abs=4e-3)


@pytest.mark.slow
def test_infonce_is_a_lower_bound_that_saturates_at_log_k(x64):
    """Slots far apart: I is log 120, K = 20 elements can tell 2.889 of it (known value)."""
    guide = nsym.AutoSymmetrizedNormal(
        wide, pair(5), bound="infonce", num_importance=20, check=False
    )
    base = AutoNormal(wide)
    for g in (guide, base):
        started(g, 5)
    params = {"x_auto_loc": 100.0 * jnp.arange(5), "x_auto_scale": jnp.ones(5)}
    gain = [
        Trace_ELBO(num_particles=100_000).loss(jax.random.key(2), params, lambda n: wide(n), g, 5)
        for g in (base, guide)
    ]
    assert gain[0] - gain[1] == pytest.approx(2.889, abs=0.01)
    assert gain[0] - gain[1] < np.log(20)


@pytest.mark.slow
def test_a_bound_with_k_elements_tightens(x64):
    params = {"x_auto_loc": jnp.array([0.0, 1.0, 2.0]), "x_auto_scale": jnp.ones(3)}
    losses = []
    for options in ({"bound": "infonce", "num_importance": k} for k in (1, 4, 64)):
        guide = nsym.AutoSymmetrizedNormal(wide, pair(3), **options)
        started(guide, 3)
        losses.append(
            float(Trace_ELBO(num_particles=20_000).loss(jax.random.key(0), params, wide, guide, 3))
        )
    guide = nsym.AutoSymmetrizedNormal(wide, pair(3), bound="exact")
    started(guide, 3)
    exact = float(Trace_ELBO(num_particles=20_000).loss(jax.random.key(0), params, wide, guide, 3))
    assert losses[0] > losses[1] > losses[2] > exact


# What it changes -------------------------------------------------------------------------------


def two_bumps(distance):
    """Half N(-a/2, 1) and half N(a/2, 1)."""
    either = dist.Normal(jnp.array([-0.5, 0.5]) * distance, 1.0)
    bumps = dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), either)
    numpyro.sample("x", bumps.expand([1]).to_event(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guide", "distance", "place"),
    [("plain", 4, 0.0), ("plain", 6, 0.5), ("symmetrized", 4, 0.5), ("symmetrized", 6, 0.5)],
)
def test_interpolation(guide, distance, place, x64):
    """Two modes at a = 4: the plain guide settles between them, ours on one; at a = 6
    both on one.
    """

    def make(model):
        return (
            AutoNormal(model)
            if guide == "plain"
            else nsym.AutoSymmetrizedNormal(model, pair(1, "signed"))
        )

    svi = SVI(two_bumps, make(two_bumps), numpyro.optim.Adam(0.02), Trace_ELBO(num_particles=200))
    result = svi.run(jax.random.key(0), 1500, distance, progress_bar=False)
    assert abs(result.params["x_auto_loc"][0]) / distance == pytest.approx(place, abs=0.06)
    if place == 0.0:  # the known optimum between the modes
        assert result.params["x_auto_scale"][0] == pytest.approx(2.047, abs=0.05)
        assert result.losses[-300:].mean() == pytest.approx(0.2265, abs=0.02)


@pytest.mark.slow
def test_renyi_gradient_is_traces_on_the_plus_minus_toy(x64, rng_key):
    """With one particle every Renyi ELBO is the ELBO; a draw that NumPyro took for one without
    a reparameterization would lose the gradient of the location."""

    def toy():
        bumps = dist.MixtureSameFamily(
            dist.Categorical(jnp.ones(2) / 2), dist.Normal(jnp.array([-2.0, 2.0]), 1.0)
        )
        numpyro.sample("x", bumps.expand([1]).to_event(1))

    guide = nsym.AutoSymmetrizedNormal(toy, pair(1, "signed"), check=False)
    started(guide)
    params = {"x_auto_loc": jnp.array([1.0]), "x_auto_scale": jnp.array([0.8])}
    keys = jax.random.split(rng_key, 20_000)
    means = {}
    for name, elbo in (("trace", Trace_ELBO()), ("renyi", RenyiELBO(alpha=0.5, num_particles=1))):
        draws = jax.jit(
            jax.vmap(jax.grad(lambda p, k, e=elbo: e.loss(k, p, toy, guide)), in_axes=(None, 0))
        )
        means[name] = {
            n: (g.mean(), g.std() / np.sqrt(len(keys))) for n, g in draws(params, keys).items()
        }
    for name in params:
        (trace, error), (renyi, other_error) = means["trace"][name], means["renyi"][name]
        assert abs(trace - renyi) < 4 * np.hypot(error, other_error)
        assert abs(trace) > 20 * error


# It stands where AutoNormal stood ----------------------------------------------------------------


def regression(x, y=None):
    """A tanh network with a latent noise scale, which is outside the symmetry."""
    hidden = jnp.tanh(x @ normal("w1", 1, 3) + normal("b1", 3))
    noise = numpyro.sample("noise", dist.HalfNormal(1.0))
    f = numpyro.deterministic("f", hidden @ normal("w2", 3))
    with numpyro.plate("rows", len(x)):
        numpyro.sample("y", dist.Normal(f, noise), obs=y)


REGRESSION = nsym.mlp(["w1", "w2"], [3], biases=["b1"], kind="signed")
X = np.linspace(-2, 2, 20)[:, None]
Y = np.sin(X[:, 0])


@pytest.fixture(scope="module")
def fitted():
    guide = nsym.AutoSymmetrizedNormal(regression, REGRESSION)
    svi = SVI(regression, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    return (
        guide,
        svi,
        svi.run(jax.random.key(0), 1500, X, Y, progress_bar=False, stable_update=True),
    )


def test_parameters_have_autonormals_names_and_start(fitted):
    _, params = started(AutoNormal(regression), X, Y)
    _, ours = started(nsym.AutoSymmetrizedNormal(regression, REGRESSION), X, Y)
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in params.items()}
    assert set(fitted[2].params) == set(params)
    assert fitted[2].losses[-100:].mean() < fitted[2].losses[:100].mean() - 5


@pytest.mark.slow
@pytest.mark.parametrize("elbo", ELBOS)
@pytest.mark.parametrize(
    "precision", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["float32", "float64"]
)
def test_every_elbo_has_finite_gradients_in_every_parameter(elbo, precision, rng_key):
    with jax.enable_x64(precision):
        guide = nsym.AutoSymmetrizedNormal(regression, REGRESSION)
        x, y = jnp.asarray(X, float), jnp.asarray(Y, float)
        _, params = started(guide, x, y)
        loss, gradient = jax.jit(
            jax.value_and_grad(
                lambda p: ELBOS[elbo](num_particles=3).loss(rng_key, p, regression, guide, x, y)
            )
        )(params)
        assert loss.dtype == (np.float64 if precision else np.float32)
        for name, g in gradient.items():
            assert np.isfinite(g).all(), name
            assert (np.abs(g) > 0).any(), name


@pytest.mark.slow
@pytest.mark.parametrize("elbo", ["mean-field", "graph"])
def test_elbos_that_are_one_number_agree(elbo, rng_key, fitted):
    guide, _, result = fitted
    losses = [
        float(make(num_particles=10).loss(rng_key, result.params, regression, guide, X, Y))
        for make in (Trace_ELBO, ELBOS[elbo])
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_predictive(fitted, rng_key):
    guide, _, result = fitted
    posterior = Predictive(guide, params=result.params, num_samples=50)(rng_key, X)
    assert {k: v.shape for k, v in posterior.items() if k in REGRESSION.sites} == {
        "w1": (50, 1, 3),
        "b1": (50, 3),
        "w2": (50, 3),
    }
    predicted = Predictive(regression, guide=guide, params=result.params, num_samples=200)(
        rng_key, X
    )
    assert predicted["y"].shape == (200, 20)
    assert np.abs(predicted["f"].mean(0) - Y).max() < 0.4


def test_sample_posterior_draws_from_the_average(fitted, rng_key):
    """Units come in every order; predictions are those of the draw; deterministics are computed."""
    guide, _, result = fitted
    draws = guide.sample_posterior(rng_key, result.params, X, sample_shape=(4, 500))
    assert draws["w1"].shape == (4, 500, 1, 3)
    assert draws["noise"].min() > 0
    f = np.tanh(X * draws["w1"] + draws["b1"][..., None, :]) @ draws["w2"][..., None]
    np.testing.assert_allclose(draws["f"], f[..., 0], atol=1e-4)
    for name in REGRESSION.sites:
        flat = draws[name].reshape(2000, -1)
        spread = flat.std(0)
        np.testing.assert_allclose(spread, spread.mean(), rtol=0.1)  # alike for all units
        assert np.abs(flat.mean(0)).max() < 5 * spread.max() / np.sqrt(2000)  # signs cancel
    assert guide.sample_posterior(rng_key, result.params, X)["w1"].shape == (1, 3)


@pytest.mark.slow
def test_quantiles_are_those_of_the_draws(fitted, rng_key):
    guide, _, result = fitted
    levels = [0.1, 0.5, 0.8]
    quantiles = guide.quantiles(result.params, levels)
    draws = guide.sample_posterior(rng_key, result.params, X, sample_shape=(20_000,))
    for name in ("w1", "b1", "w2", "noise"):
        below = (draws[name][:, None] <= quantiles[name]).mean(0)
        np.testing.assert_allclose(
            below,
            np.broadcast_to(np.reshape(levels, (3,) + (1,) * (below.ndim - 1)), below.shape),
            atol=0.02,
        )
    median = guide.median(result.params)
    np.testing.assert_allclose(median["w1"], quantiles["w1"][1], atol=1e-6)
    assert quantiles["w1"].shape == (3, 1, 3)
    assert guide.quantiles(result.params, 0.5)["w1"].shape == (1, 1, 3)


@pytest.mark.slow
def test_quantiles_of_a_simplex_and_of_both_axes_of_a_matrix(rng_key):
    case = BY_NAME["hmm"]
    guide = nsym.AutoSymmetrizedNormal(case.model, case.sym, init_scale=0.8)
    _, params = started(guide, *case.args)
    quantiles = guide.quantiles(params, [0.25, 0.75])
    draws = guide.sample_posterior(rng_key, params, *case.args, sample_shape=(20_000,))
    for name in case.sym.sites:
        below = (draws[name][:, None] <= quantiles[name]).mean(0)
        np.testing.assert_allclose(below[0], 0.25, atol=0.02)
        np.testing.assert_allclose(below[1], 0.75, atol=0.02)
    assert not np.allclose(
        quantiles["trans"][0, 0, 0], quantiles["trans"][0, 0, 1]
    )  # diagonal, and not


def test_pickle(fitted, rng_key):
    guide, _, result = fitted
    again = pickle.loads(pickle.dumps(guide))
    a, b = (g.sample_posterior(rng_key, result.params, X) for g in (guide, again))
    np.testing.assert_array_equal(a["w1"], b["w1"])
    fresh = pickle.loads(pickle.dumps(nsym.AutoSymmetrizedNormal(regression, REGRESSION)))
    started(fresh, X, Y)


@pytest.mark.slow
def test_auto_guide_list():
    weights = list(REGRESSION.sites)
    guide = AutoGuideList(regression)
    seeded = handlers.seed(regression, 1)
    guide.append(
        nsym.AutoSymmetrizedNormal(handlers.block(seeded, expose=[*weights, "y"]), REGRESSION)
    )
    guide.append(AutoDelta(handlers.block(seeded, expose=["noise"])))
    svi = SVI(regression, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    result = svi.run(jax.random.key(0), 10, X, Y, progress_bar=False)
    assert set(result.params) == {"noise_auto_loc"} | {
        f"{n}_auto_{p}" for n in weights for p in ("loc", "scale")
    }
    assert set(guide.sample_posterior(jax.random.key(0), result.params)) >= {*weights, "noise"}


@pytest.mark.slow
def test_minibatches_and_local_latents_outside_the_symmetry():
    """AutoNormal takes subsampled local latents; so does this, where the symmetry is elsewhere."""

    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))
        with numpyro.plate("rows", len(y), subsample_size=5):
            batch = numpyro.subsample(y, event_dim=0)
            shift = numpyro.sample("shift", dist.Normal(0, 1))
            either = dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), dist.Normal(mu, 1.0))
            numpyro.sample("y", either.expand([5]), obs=batch - shift)

    guide = nsym.AutoSymmetrizedNormal(model, nsym.mixture(2, {"mu": 0}))
    result = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO()).run(
        jax.random.key(0), 10, np.arange(20.0), progress_bar=False
    )
    assert result.params["shift_auto_loc"].shape == (20,)
    assert np.isfinite(result.losses).all()


def test_options_of_autonormal_pass_through():
    guide = nsym.AutoSymmetrizedNormal(
        regression, REGRESSION, prefix="q", init_loc_fn=init_to_median, init_scale=0.3
    )
    _, params = started(guide, X, Y)
    np.testing.assert_allclose(params["w1_q_scale"], 0.3, rtol=1e-5)


def test_first_call_under_jit_skips_only_the_numerical_check():
    guide = nsym.AutoSymmetrizedNormal(regression, REGRESSION)
    svi = SVI(regression, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    state = jax.jit(lambda x, y: svi.init(jax.random.key(0), x, y).optim_state)(X, Y)
    assert state is not None


def test_symmetry_left_out_is_found_on_the_first_call():
    guide = nsym.AutoSymmetrizedNormal(regression)
    with pytest.raises(SymmetryError, match="one is found on the first call"):
        guide.sym  # noqa: B018
    started(guide, X, Y)
    assert guide.sym.order == REGRESSION.order
    assert {u.kind for u in guide.sym} == {"signed"}
    assert set(guide.sym.sites) == set(REGRESSION.sites)


# Bad input ---------------------------------------------------------------------------------------


def subsampled(y):
    with numpyro.plate("rows", len(y), subsample_size=5):
        z = numpyro.sample("x", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(z, 1), obs=numpyro.subsample(y, event_dim=0))


def unequal(n=2):
    numpyro.sample("x", dist.Normal(jnp.arange(1.0 * n), 1.0).to_event(1))


def started_with(model, sym, *args, **kwargs):
    return started(nsym.AutoSymmetrizedNormal(model, sym, **kwargs), *args)


REFUSED = {
    "Units 'unit' are scaled": lambda: nsym.AutoSymmetrizedNormal(wide, pair(kind="scaled")),
    "bound must be": lambda: nsym.AutoSymmetrizedNormal(wide, pair(), bound="best"),
    "num_importance must be an int of at least 1": lambda: nsym.AutoSymmetrizedNormal(
        wide, pair(), num_importance=0
    ),
    "prior of site 'x' tells its 2 entries apart": lambda: started_with(unequal, pair()),
    "'z', which is not there": lambda: started_with(wide, nsym.mixture(2, {"z": 0})),
    "length 2; expected 3": lambda: started_with(wide, pair(3)),
    "subsampled plate 'rows'": lambda: started_with(subsampled, pair(20), np.zeros(20)),
    "length 20; expected 5.*read at their full size": lambda: started_with(
        subsampled, pair(5), np.zeros(20)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
