"""A guide stands where NumPyro's stood: nothing else changes, and where there is no symmetry
nothing at all.
"""

import pickle
import warnings
from copy import deepcopy
from functools import partial

import drop_in_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.contrib.einstein import MixtureGuidePredictive, RBFKernel, SteinVI
from numpyro.infer import SVI, Predictive, Trace_ELBO, TraceGraph_ELBO, autoguide
from numpyro.infer.reparam import NeuTraReparam
from numpyro.infer.util import log_density

from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.discovery import SymmetryInUse
from numpyro_sym.guides import AutoSymmetrized, AutoSymmetrizedNormal

pytestmark = pytest.mark.filterwarnings("ignore:UnpackTransform")

X = jnp.linspace(-1, 1, 6)
Y = jnp.sin(3 * X)
SYM = Symmetry([Units("unit", 2, axes={"w": 0, "v": 0})])


def network(x, y=None, scale=1.0):
    """Two units that nothing tells apart, and a positive scale."""
    w = numpyro.sample("w", dist.Normal(0, scale * jnp.ones(2)).to_event(1))
    v = numpyro.sample("v", dist.Normal(0, 1).expand([2]).to_event(1))
    noise = numpyro.sample("noise", dist.HalfNormal(1))
    mean = numpyro.deterministic("mean", jax.nn.softplus(x[:, None] * w) @ v)
    with numpyro.plate("rows", len(x)):
        numpyro.sample("y", dist.Normal(mean, noise), obs=y)


def line(x, y=None):
    """No symmetry: a slope, a shift, weights that their priors tell apart."""
    slope = numpyro.sample("slope", dist.Normal(1, 1))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.array([1.0, 2.0, 3.0])))
    noise = numpyro.sample("noise", dist.LogNormal(0, 1))
    mean = numpyro.deterministic("mean", slope * x + weights @ jnp.array([1.0, 5.0, -2.0]))
    with numpyro.plate("rows", len(x)):
        numpyro.sample("y", dist.Normal(mean, noise), obs=y)


def symmetrized(kind):
    """What stands for a kind of NumPyro's, with the arguments of that one."""
    return (
        AutoSymmetrizedNormal
        if kind is autoguide.AutoNormal
        else lambda *a, **kw: AutoSymmetrized(kind(*a, **kw))
    )


def svi_of(model, guide, loss=None):
    return SVI(model, guide, numpyro.optim.Adam(0.01), loss or Trace_ELBO())


def trained(guide, *args, steps=3, model=network):
    return svi_of(model, guide).run(jax.random.key(0), steps, *args, progress_bar=False)


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


# No symmetry --------------------------------------------------------------------------------------

KINDS = [autoguide.AutoNormal, autoguide.AutoDiagonalNormal]
KINDS += [
    pytest.param(kind, marks=pytest.mark.slow)
    for kind in (
        autoguide.AutoMultivariateNormal,
        autoguide.AutoLowRankMultivariateNormal,
        partial(autoguide.AutoIAFNormal, hidden_dims=[4]),
    )
]


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_symmetry_it_is_the_base_guide_to_the_last_bit(kind):
    plain, ours = kind(line), symmetrized(kind)(line)
    expected, result = (trained(g, X, Y, model=line) for g in (plain, ours))
    same(expected.losses, result.losses)
    same(expected.params, result.params)
    key, p = jax.random.key(1), result.params
    same(
        plain.sample_posterior(key, p, sample_shape=(2, 3)),
        ours.sample_posterior(key, p, sample_shape=(2, 3)),
    )
    assert len(ours.sym) == 0
    for of in (
        lambda g: g.median(p),
        lambda g: g.quantiles(p, [0.2, 0.9]),
        lambda g: g.quantiles(p, 0.3),
    ):
        try:
            told = of(plain)
        except NotImplementedError:
            continue
        same(told, of(ours))
    predicted = [Predictive(line, guide=g, params=p, num_samples=3)(key, X) for g in (plain, ours)]
    same(*predicted)


# AutoNormal refuses a model without latents, and this one as it does: below.
EXAMPLES = [name for name in cases.PLAIN if name != "observed only"]


@pytest.mark.parametrize(
    "name",
    [
        n if n in ("baseball", "neutra") else pytest.param(n, marks=pytest.mark.slow)
        for n in EXAMPLES
    ],
)
def test_numpyros_examples_without_a_symmetry_loss_for_loss(name):
    model, *args = cases.PLAIN[name]
    plain, ours = autoguide.AutoNormal(model), AutoSymmetrizedNormal(model)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # sites without a plate; of both alike, as another test shows
        expected, result = (trained(g, *args, model=model) for g in (plain, ours))
    same(expected.losses, result.losses)
    same(expected.params, result.params)
    assert len(ours.sym) == 0


@pytest.mark.parametrize(
    "name", [n if n == "gmm" else pytest.param(n, marks=pytest.mark.slow) for n in cases.FOLDED]
)
def test_numpyros_examples_with_one(name, caplog):
    """The same symmetry as a kernel finds, told once, and a bound that is finite."""
    model, args, expected = cases.FOLDED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isfinite(trained(AutoSymmetrizedNormal(model), *args, model=model).losses).all()
    told = [record.getMessage() for record in caplog.records if record.name == "numpyro_sym"]
    assert told == [f"AutoSymmetrizedNormal: found in the model and used: {expected}."]


def discrete(x, y):
    z = numpyro.sample("z", dist.Categorical(jnp.ones(2)))
    numpyro.sample("y", dist.Normal(z * x, 1).to_event(1), obs=y)


def on_a_sphere(x, y):
    numpyro.sample("direction", dist.ProjectedNormal(jnp.zeros(3)))


def without_a_plate(x, y):
    w = numpyro.sample("w", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(w * x, 1), obs=y)


def nothing_latent(x, y):
    numpyro.sample("y", dist.Normal(x, 1).to_event(1), obs=y)


def needs_more(x, y, z):
    numpyro.sample("y", dist.Normal(x, 1).to_event(1), obs=y)


def local(x, y):
    with numpyro.plate("rows", 6, subsample_size=3):
        numpyro.sample("u", dist.Normal(0, 1))


def heard(make, model):
    """What NumPyro says of a model: its errors and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            svi_of(model, make(model)).init(jax.random.key(0), X, Y)
            said = None
        except Exception as error:
            said = type(error), str(error).replace("AutoSymmetrized", "Auto")
    return said, [str(w.message) for w in caught if issubclass(w.category, UserWarning)]


def rows_of_a_batch(x, y):
    """A plate of all rows, and the rows of a batch in it."""
    u = numpyro.sample("u", dist.Normal(0, 1))
    numpyro.deterministic("twice", 2 * u)
    with numpyro.plate("rows", 12, subsample_size=6):
        numpyro.sample("y", dist.Normal(u, 1), obs=y)


@pytest.mark.parametrize(
    "model",
    [rows_of_a_batch, discrete, on_a_sphere, without_a_plate, nothing_latent, needs_more, local],
)
@pytest.mark.parametrize("kind", KINDS[:2])
def test_what_numpyro_says_reaches_the_user(kind, model):
    assert heard(symmetrized(kind), model) == heard(kind, model)


def without_observations(x, y):
    """What it holds are signs and orders of its latents alone, which are not for a
    guide to take.
    """
    numpyro.sample("u", dist.Normal(0, 1).expand([2]).to_event(1))


def both_parts(x, y):
    u = numpyro.sample("u", dist.Normal(0, 1).expand([2]).to_event(1))
    numpyro.sample("y", dist.Normal(u[0], 1), obs=y)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_model_without_observations_is_logged_and_no_more(kind, caplog):
    assert heard(symmetrized(kind), without_observations) == heard(kind, without_observations)
    assert "shows no observations that depend on its units ('u')" in caplog.text


@pytest.mark.parametrize("kind", KINDS[:2])
def test_one_warning_more_where_a_guide_sees_a_part_of_a_model(kind):
    part = handlers.block(handlers.seed(both_parts, 1), expose=["u"])
    said, warned = heard(symmetrized(kind), part)
    assert said is None
    first = warned.pop(0)
    assert "shows no observations that depend on its units ('u')" in first
    assert "Hidden are ['y']" in first
    assert (said, warned) == heard(kind, part)


def test_a_guide_that_was_never_called_says_so():
    """NumPyro's own ends in an AttributeError."""
    with pytest.raises(SymmetryError, match="raised TypeError when it was run"):
        AutoSymmetrizedNormal(line).sample_posterior(jax.random.key(0), {})
    with pytest.raises(SymmetryError, match="found on the first call"):
        AutoSymmetrizedNormal(line).sym.sites  # noqa: B018


def test_what_users_of_a_guide_look_up_is_the_bases():
    guide = AutoSymmetrized(autoguide.AutoDiagonalNormal(line, prefix="q", init_scale=0.3))
    params = trained(guide, X, Y, model=line, steps=1).params
    assert guide.prefix == "q"
    assert guide.latent_dim == 4
    assert guide.model is line
    assert guide.base is guide.base_guide
    assert guide.init_loc_fn is guide.base.init_loc_fn
    np.testing.assert_array_equal(guide.get_posterior(params).mean, params["q_loc"])
    with pytest.raises(AttributeError, match=r"AutoDiagonalNormal.*no attribute 'absent'"):
        guide.absent  # noqa: B018


# When it asks -------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """The arguments of every question which symmetry to use."""
    questions, of = [], SymmetryInUse.of

    def counted(self, args, kwargs):
        questions.append(args)
        return of(self, args, kwargs)

    monkeypatch.setattr(SymmetryInUse, "of", counted)
    return questions


@pytest.mark.slow
def test_steps_do_not_ask_again_and_other_arguments_do(asked):
    guide = AutoSymmetrizedNormal(network, SYM)
    svi = svi_of(network, guide)
    state = svi.init(jax.random.key(0), X, Y)
    for batch in (slice(0, 3), slice(3, 6)):
        state, _ = svi.update(state, X[batch], Y[batch])  # not compiled
        state, _ = jax.jit(svi.update)(state, X[batch], Y[batch])
    svi.evaluate(state, X, Y)
    assert len(asked) == 1
    svi.evaluate(state, X, Y + 1)
    assert len(asked) == 2
    svi.evaluate(state, X, jnp.array(Y))
    assert len(asked) == 2
    unequal = jnp.array([1.0, 2.0])
    with pytest.raises(SymmetryError, match="prior of site 'w' tells its 2 entries apart"):
        svi.init(jax.random.key(0), X, Y, unequal)
    with pytest.raises(SymmetryError, match="prior of site 'w' tells its 2 entries apart"):
        svi.run(jax.random.key(0), 2, X, Y, unequal, init_state=state, progress_bar=False)


def test_a_guide_used_again_finds_what_holds_there():
    """First alike, then told apart by an argument of the prior; and back."""
    guide = AutoSymmetrizedNormal(network)
    svi = svi_of(network, guide)
    svi.init(jax.random.key(0), X, Y)
    assert guide.sym.sites == ("w", "v")
    unequal = jnp.array([1.0, 2.0])
    svi.init(jax.random.key(0), X, Y, unequal)
    assert len(guide.sym) == 0
    same(
        svi.run(jax.random.key(0), 2, X, Y, unequal, progress_bar=False).losses,
        svi_of(network, guide.base)
        .run(jax.random.key(0), 2, X, Y, unequal, progress_bar=False)
        .losses,
    )
    svi.init(jax.random.key(0), X, Y)
    assert guide.sym.sites == ("w", "v")


def test_calls_that_show_no_data_go_on_with_what_is_in_use(asked):
    guide = AutoSymmetrizedNormal(network)
    params = trained(guide, X, Y).params
    predict = Predictive(network, guide=guide, params=params, num_samples=3)
    assert predict(jax.random.key(0), X)["y"].shape == (3, 6)
    with handlers.seed(rng_seed=0), handlers.trace() as trace:
        guide(X)
    assert "_auto_orbit" in trace
    assert len(asked) == 1


def test_copies_share_what_was_found(asked):
    guide = AutoSymmetrizedNormal(network)
    svi_of(network, guide).init(jax.random.key(0), X, Y)
    svi_of(network, deepcopy(guide)).init(jax.random.key(0), X, Y)
    assert len(asked) == 1


# Under JAX's transformations ----------------------------------------------------------------------

MAKE = {
    "given": lambda: AutoSymmetrizedNormal(network, SYM),
    "found": lambda: AutoSymmetrized(autoguide.AutoDiagonalNormal(network)),
}


@pytest.fixture(scope="module", params=MAKE)
def make(request):
    return MAKE[request.param]


@pytest.mark.slow
def test_many_seeds_at_once_and_one_compiled_run(make):
    """One run, however it is transformed.

    NumPyro's own AutoDiagonalNormal starts elsewhere where its first run is traced; AutoNormal does
    not.
    """
    keys = jax.random.split(jax.random.key(0), 2)

    def run(svi, key, *args):
        return svi.run(key, 3, *args, progress_bar=False).losses

    together = jax.vmap(partial(run, svi_of(network, make())), (0, None, None))(keys, X, Y)
    closed_over = jax.jit(lambda key: run(svi_of(network, make()), key, X, Y))(keys[0])
    handed_over = jax.jit(partial(run, svi_of(network, make())))(keys[0], X, Y)
    np.testing.assert_allclose(closed_over, together[0], rtol=1e-3)
    np.testing.assert_allclose(handed_over, together[0], rtol=1e-3)
    if isinstance(make(), AutoSymmetrizedNormal):
        one_by_one = [run(svi_of(network, make()), key, X, Y) for key in keys]
        np.testing.assert_allclose(together, jnp.stack(one_by_one), rtol=1e-3)


@pytest.mark.slow
def test_scan_over_updates_without_leaks(make):
    guide = make()
    svi = svi_of(network, guide)
    with jax.checking_leaks():
        state = svi.init(jax.random.key(0), X, Y)
        _, losses = jax.lax.scan(lambda state, _: svi.update(state, X, Y), state, length=3)
        svi.run(jax.random.key(0), 2, X, Y, progress_bar=False)
    np.testing.assert_allclose(losses, trained(make(), X, Y).losses, rtol=1e-4)
    assert jax.jit(svi.init)(jax.random.key(0), X, Y) is not None


@pytest.mark.slow
def test_a_guide_that_is_restored_goes_on_where_it_was(make):
    guide = make()
    result = trained(guide, X, Y)
    saved = pickle.dumps((result.params, result.state))
    key = jax.random.key(1)
    expected = guide.sample_posterior(key, result.params, sample_shape=(2,))
    params, state = pickle.loads(saved)
    fresh = make()
    drawn = Predictive(network, guide=fresh, params=params, num_samples=3)(
        key, X, Y
    )  # the first call is traced
    assert drawn["mean"].shape == (3, 6)
    fresh = make()
    svi = svi_of(network, fresh)
    svi.init(key, X, Y)
    same(fresh.sample_posterior(key, params, sample_shape=(2,)), expected)
    assert np.isfinite(svi.update(state, X, Y)[1])
    same(
        pickle.loads(pickle.dumps(guide)).sample_posterior(key, params, sample_shape=(2,)), expected
    )


def test_a_checkpoint_of_orbax_goes_into_a_fresh_guide(make, tmp_path):
    checkpoint = pytest.importorskip("orbax.checkpoint")
    guide = make()
    params = trained(guide, X, Y).params
    saved = checkpoint.StandardCheckpointer()
    saved.save(tmp_path / "params", params)
    saved.wait_until_finished()
    params = saved.restore(tmp_path / "params")
    key, fresh = jax.random.key(1), make()
    svi_of(network, fresh).init(key, X, Y)
    expected = guide.sample_posterior(key, params, sample_shape=(2,))
    same(fresh.sample_posterior(key, params, sample_shape=(2,)), expected)


# Where else NumPyro takes guides ------------------------------------------------------------------


@pytest.mark.slow
def test_neutra_takes_it_and_moves_to_the_bases_unconstrained_values(x64):
    """AutoSymmetrizedNormal's row is AutoDiagonalNormal's at the same means and scales."""
    normal, diagonal = MAKE["given"](), MAKE["found"]()
    params = trained(normal, X, Y, steps=2).params
    trained(diagonal, X, Y, steps=1)
    row = {
        f"auto_{what}": jnp.concatenate(
            [jnp.ravel(params[f"{s}_auto_{what}"]) for s in ("w", "v", "noise")]
        )
        for what in ("loc", "scale")
    }
    z = jnp.linspace(-1, 1, 10).reshape(2, 5)
    told = []
    for guide, p in ((normal, params), (diagonal, row), (diagonal.base, row)):
        neutra = NeuTraReparam(guide, p)
        density = log_density(
            handlers.seed(neutra.reparam(network), 0), (X, Y), {}, {"auto_shared_latent": z[0]}
        )[0]
        told.append(
            (
                density,
                neutra.transform_sample(z),
                guide.get_posterior(p).log_prob(z).reshape(2, -1).sum(-1),
            )
        )
    for other in told[1:]:
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), told[0], other)
    with pytest.raises(ValueError, match="NeuTraReparam only supports guides"):
        NeuTraReparam(AutoSymmetrized(lambda x, y: None, SYM), {})


@pytest.mark.slow
def test_neutra_takes_a_flow():
    guide = AutoSymmetrized(autoguide.AutoIAFNormal(network, hidden_dims=[8]))
    params = trained(guide, X, Y).params
    assert NeuTraReparam(guide, params).transform_sample(jnp.zeros((2, 5)))["w"].shape == (2, 2)


@pytest.mark.slow
def test_one_labeling_is_drawn_from_the_base():
    guide = MAKE["given"]()
    params = trained(guide, X, Y, steps=1).params | {"w_auto_loc": jnp.array([5.0, -5.0])}
    draws = Predictive(guide.base, params=params, num_samples=20)(jax.random.key(0), X, Y)["w"]
    assert (draws[:, 0] > draws[:, 1]).all()
    assert (
        0
        < (
            guide.sample_posterior(jax.random.key(0), params, sample_shape=(20,))["w"][:, 0] > 0
        ).mean()
        < 1
    )


@pytest.mark.slow
def test_numbers_of_quantiles_are_as_in_the_base():
    """AutoNormal has a leading axis for a single number, AutoContinuous guides have none."""
    for kind in KINDS[:2]:
        plain, ours = kind(network), AutoSymmetrized(kind(network), SYM, check=False)
        params = trained(ours, X, Y, steps=1).params
        svi_of(network, plain).init(jax.random.key(0), X, Y)
        for levels in (0.3, [0.3], [0.3, 0.6], np.full((2, 2), 0.3)):
            shapes = [jax.tree.map(np.shape, g.quantiles(params, levels)) for g in (plain, ours)]
            assert shapes[0] == shapes[1]
        assert jax.tree.map(np.shape, plain.median(params)) == jax.tree.map(
            np.shape, ours.median(params)
        )


def batched(x, y=None):
    with numpyro.plate("unit", 2):
        w, v = (numpyro.sample(name, dist.Normal(0, 1)) for name in "wv")
    numpyro.sample("y", dist.Normal(jnp.tanh(x[:, None] * w) @ v, 0.5).to_event(1), obs=y)


@pytest.mark.slow
@pytest.mark.parametrize("low_rank", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_batched_guides_have_medians_and_quantiles(low_rank):
    kind = (
        autoguide.AutoBatchedLowRankMultivariateNormal
        if low_rank
        else autoguide.AutoBatchedMultivariateNormal
    )
    guide = AutoSymmetrized(kind(batched, batch_ndim=1), SYM)
    params = trained(guide, X, Y, steps=1, model=batched).params
    low, middle, high = guide.quantiles(params, [0.1, 0.5, 0.9])["w"]
    np.testing.assert_array_equal(guide.median(params)["w"], middle)
    assert middle.shape == (2,)
    assert (low < middle).all()
    assert (middle < high).all()


def test_a_model_with_sites_hidden():
    hidden = handlers.block(handlers.seed(network, 0), hide=["noise"])
    guide = AutoSymmetrizedNormal(hidden, SYM)
    result = trained(guide, X, Y, model=hidden)
    assert "noise_auto_loc" not in result.params
    assert np.isfinite(result.losses).all()


@pytest.mark.slow
def test_parts_of_a_list_outside_the_symmetry_may_be_of_any_kind():
    guide = autoguide.AutoGuideList(network)
    guide.append(autoguide.AutoNormal(handlers.block(network, hide=["noise", "mean"])))
    guide.append(autoguide.AutoDelta(handlers.block(network, expose=["noise"])))
    ours = AutoSymmetrized(guide, SYM)
    result = trained(ours, X, Y)
    assert "noise_auto_loc" in result.params
    assert np.isfinite(result.losses).all()
    assert ours.sample_posterior(jax.random.key(0), result.params)["w"].shape == (2,)


def test_numpyros_restrictions_of_lists_hold():
    guide = autoguide.AutoGuideList(network)
    guide.append(
        AutoSymmetrizedNormal(
            handlers.block(network, hide=["noise"]), Symmetry([SYM["unit"]]), check=False
        )
    )
    guide.append(autoguide.AutoNormal(handlers.block(network, expose=["noise"])))
    with pytest.raises(
        ValueError,
        match="deterministic site 'mean' in sub-guide at position 0 should not be exposed",
    ):
        svi_of(network, guide).init(jax.random.key(0), X, Y)
    inner = autoguide.AutoGuideList(network)
    inner.append(autoguide.AutoNormal(network))
    with pytest.raises(
        ValueError,
        match="deterministic site 'mean' in sub-guide at position 0 should not be exposed",
    ):
        svi_of(network, AutoSymmetrized(inner, SYM)).init(jax.random.key(0), X, Y)


def test_guides_without_a_density_are_refused():
    class AutoRejecting(autoguide.AutoDiagonalNormal):
        def _sample_latent(self, *args, **kwargs):
            return super()._sample_latent(*args, **kwargs)

    kinds = (
        autoguide.AutoDelta,
        autoguide.AutoDAIS,
        autoguide.AutoLaplaceApproximation,
        AutoRejecting,
    )
    bases = [kind(network) for kind in kinds]
    bases.append(autoguide.AutoSemiDAIS(network, network, autoguide.AutoNormal(network)))
    for base in bases:
        with pytest.raises(SymmetryError, match=f"{type(base).__name__} has no tractable density"):
            AutoSymmetrized(base)
    parts = autoguide.AutoGuideList(network)
    parts.append(autoguide.AutoDelta(handlers.block(network, expose=["w", "v"])))
    parts.append(autoguide.AutoNormal(handlers.block(network, expose=["noise", "y"])))
    with pytest.raises(SymmetryError, match="AutoDelta has no tractable density"):
        svi_of(network, AutoSymmetrized(parts, SYM)).init(jax.random.key(0), X, Y)
    with pytest.raises(SymmetryError, match="symmetrized already"):
        AutoSymmetrized(AutoSymmetrizedNormal(network, SYM), SYM)
    with pytest.raises(SymmetryError, match="give sym, or the model"):
        AutoSymmetrized(lambda x, y: None)


# As for every guide of NumPyro's that has an auxiliary site.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Found auxiliary vars")
def test_stein_mixtures_of_symmetrized_guides():
    guide = AutoSymmetrizedNormal(network, SYM)
    stein = SteinVI(
        network,
        guide,
        numpyro.optim.Adam(0.01),
        RBFKernel(),
        num_stein_particles=2,
        num_elbo_particles=2,
    )
    result = stein.run(jax.random.key(0), 2, X, Y, progress_bar=False)
    assert result.params["w_auto_loc"].shape == (2, 2)
    assert np.isfinite(result.losses).all()
    predict = MixtureGuidePredictive(
        network, guide, result.params, stein.guide_sites, num_samples=3
    )
    assert predict(jax.random.key(0), X)["y"].shape == (3, 6)


@pytest.mark.slow
def test_an_empty_site_beside_the_symmetry(rng_key):
    def model(x, y=None):
        numpyro.sample("none", dist.Normal(0, 1).expand([0, 3]).to_event(2))
        network(x, y)

    for guide in (
        AutoSymmetrizedNormal(model),
        AutoSymmetrized(autoguide.AutoDiagonalNormal(model)),
    ):
        result = trained(guide, X, Y, model=model)
        assert np.isfinite(result.losses).all()
        assert guide.sample_posterior(rng_key, result.params)["none"].shape == (0, 3)
        assert guide.median(result.params)["none"].shape == (0, 3)


def test_other_losses_see_the_base_guide_where_there_is_nothing_to_average():
    losses = [
        trained_by(TraceGraph_ELBO(), make(line))
        for make in (AutoSymmetrizedNormal, autoguide.AutoNormal)
    ]
    same(*losses)


def trained_by(loss, guide):
    return svi_of(line, guide, loss).run(jax.random.key(0), 2, X, Y, progress_bar=False).losses
