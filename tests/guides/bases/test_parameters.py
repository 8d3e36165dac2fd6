"""Parameters that are not a guide's, levels that are no probabilities, and models where guides
belong.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoNormal

import numpyro_sym as nsym
from numpyro_sym import SymmetryError

PAIR = nsym.mixture(2, {"x": 0})
KEY = jax.random.key(0)


def model():
    x = numpyro.sample("x", dist.Normal(0, 1).expand([2]).to_event(1))
    numpyro.sample("obs", dist.Normal(x[0] * x[1], 0.1), obs=1.0)


def by_hand():
    loc = numpyro.param("loc", jnp.array([0.5, -0.5]))
    numpyro.sample("x", dist.Normal(loc, 1.0).to_event(1))


GUIDES = {
    "AutoNormal": (
        lambda: nsym.AutoSymmetrizedNormal(model, PAIR),
        {"x_auto_loc": np.zeros(2), "x_auto_scale": np.ones(2)},
    ),
    "AutoDiagonalNormal": (
        lambda: nsym.AutoSymmetrized(AutoDiagonalNormal(model), PAIR),
        {"auto_loc": np.zeros(2), "auto_scale": np.ones(2)},
    ),
    "by hand": (lambda: nsym.AutoSymmetrized(by_hand, PAIR, model=model), {"loc": np.zeros(2)}),
}
USES = {
    "sample_posterior": lambda guide, params: guide.sample_posterior(KEY, params),
    "sample_component": lambda guide, params: guide.sample_component(KEY, params),
    "component": lambda guide, params: guide.component(params),
    "symmetry_information": lambda guide, params: guide.symmetry_information(
        KEY, params, num_samples=2
    ),
    "median": lambda guide, params: guide.median(params),
    "quantiles": lambda guide, params: guide.quantiles(params, [0.1, 0.9]),
}


@pytest.fixture(scope="module", params=GUIDES)
def guide_and_params(request):
    make, params = GUIDES[request.param]
    return make(), params


@pytest.mark.parametrize("use", USES)
def test_missing_parameters_are_never_made_up(guide_and_params, use):
    guide, params = guide_and_params
    for name in params:
        rest = {n: x for n, x in params.items() if n != name}
        with pytest.raises(SymmetryError, match=f"params lack '{name}'"):
            USES[use](guide, rest)
        with pytest.raises(SymmetryError, match="Are they another model's"):
            USES[use](guide, {**params, name: np.ones(3)})
        with pytest.raises(SymmetryError, match="the training has diverged"):
            USES[use](guide, {**params, name: np.full(2, np.nan)})
    with pytest.raises(SymmetryError, match="a dict of the guide's parameters"):
        USES[use](guide, None)


def test_a_guide_that_was_never_run_answers_from_parameters_all_the_same():
    params = GUIDES["AutoNormal"][1]
    draws = nsym.AutoSymmetrizedNormal(model, PAIR).sample_posterior(KEY, params, sample_shape=(3,))
    assert draws["x"].shape == (3, 2)
    median = nsym.AutoSymmetrizedNormal(model, PAIR).median(params)["x"]
    np.testing.assert_allclose(median, 0, atol=1e-6)


@pytest.mark.parametrize(
    "levels", [1.5, 0.0, [0.1, 1.0], -0.1, np.nan, "0.5", None, [], [[0.1], [0.2, 0.3]]]
)
def test_levels_are_probabilities(levels):
    make, params = GUIDES["AutoNormal"]
    with pytest.raises(SymmetryError, match="quantiles must be numbers between 0 and 1"):
        make().quantiles(params, levels)


def test_a_model_is_no_guide():
    guide = nsym.AutoSymmetrized(model, PAIR)
    svi = SVI(model, guide, numpyro.optim.Adam(0.1), Trace_ELBO())
    with pytest.raises(SymmetryError, match="expected a guide; this one observes site 'obs'"):
        svi.init(KEY)


def test_guides_are_aligned_by_their_own_parameters():
    guide, params = AutoNormal(model), GUIDES["AutoNormal"][1]
    with numpyro.handlers.seed(rng_seed=0):
        guide()
    with pytest.raises(
        SymmetryError, match=r"parameter 'x_auto_loc' has shape \(3,\); expected \(2,\)"
    ):
        nsym.align_guides(guide, params, guide, {**params, "x_auto_loc": np.zeros(3)}, PAIR)
