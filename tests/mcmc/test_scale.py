"""ScaleReparam: an exact bijection that the likelihood of a ReLU network does not see the norm
through.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer import Predictive, init_to_value
from numpyro.infer.util import initialize_model, log_density
from registry import BY_NAME, X, Y
from scipy import stats

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, Units
from numpyro_sym.mcmc import ScaleReparam

DEEP = BY_NAME["mlp-3-relu"]
MODEL = handlers.reparam(DEEP.model, config=ScaleReparam(DEEP.sym))
LATENT = {"w1": "w1_base", "b1": "b1_base", "w2": "w2_scaled", "b2": "b2_base"}
LATENT |= {"w3": "w3_scaled", "b3": "b3_base", "w4": "w4_scaled"}


def run(model, data, *args):
    return handlers.trace(handlers.substitute(model, data=data)).get_trace(*args)


def latents(seed=0):
    trace = handlers.trace(handlers.seed(MODEL, seed)).get_trace(X, Y)
    return {
        n: s["value"] for n, s in trace.items() if s["type"] == "sample" and not s["is_observed"]
    }


@pytest.mark.usefixtures("x64")
def test_density_is_the_models_with_the_jacobian_of_the_map():
    """Three hidden layers, whose weights go out of one and come into the next."""
    z = latents()
    assert set(z) == {*LATENT.values()}
    flat, unravel = jax.flatten_util.ravel_pytree(z)

    def sites(v):
        trace = run(MODEL, unravel(v), X, Y)
        return {name: trace[name]["value"] for name in LATENT}

    jacobian = jax.jit(jax.jacfwd(lambda v: jax.flatten_util.ravel_pytree(sites(v))[0]))(flat)
    at = sites(flat)
    expected = log_density(DEEP.model, (X, Y), {}, at)[0] + np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_density(MODEL, (X, Y), {}, z)[0], expected, rtol=1e-11)
    # Back again, from the sites under their own names.
    trace = run(MODEL, at, X, Y)
    for latent, x in z.items():
        np.testing.assert_allclose(trace[latent]["value"], x, rtol=1e-10, err_msg=latent)


@pytest.mark.usefixtures("x64")
def test_norm_of_incoming_weights_leaves_the_likelihood():
    z = latents()
    f = run(MODEL, z, X, Y)["f"]["value"]
    for layer in (("w1_base", "b1_base"), ("w2_scaled", "b2_base"), ("w3_scaled", "b3_base")):
        stretched = {name: 3 * x if name in layer else x for name, x in z.items()}
        np.testing.assert_allclose(run(MODEL, stretched, X, Y)["f"]["value"], f, rtol=1e-12)
    # Without the reparameterization it does not.
    sites = {name: run(MODEL, z, X, Y)[name]["value"] for name in LATENT}
    plain = run(DEEP.model, {**sites, "w1": 3 * sites["w1"], "b1": 3 * sites["b1"]}, X, Y)["f"][
        "value"
    ]
    assert not np.allclose(plain, f)


def relu(x, y=None):
    """Outgoing weights in a plate over units: the Jacobian is shared out among them."""
    w1 = numpyro.sample("w1", dist.Normal(0, 1).expand([3, 4]).to_event(2))
    with numpyro.plate("unit", 4):
        w2 = numpyro.sample("w2", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(jax.nn.relu(x @ w1) @ w2, 0.5), obs=y)


RELU = nsym.mlp(["w1", "w2"], [4], kind="scaled")


def test_prior_draws_are_the_models():
    draws = Predictive(handlers.reparam(relu, config=ScaleReparam(RELU)), num_samples=2000)(
        jax.random.key(0), X
    )
    assert stats.kstest(np.asarray(draws["w2"]).ravel(), "norm").pvalue > 1e-3
    norms = np.linalg.norm(draws["w1"], axis=1)
    np.testing.assert_allclose(draws["w2_scaled"], draws["w2"] * norms, rtol=1e-4)


def test_plates_and_starts_by_original_names():
    model = handlers.reparam(relu, config=ScaleReparam(RELU))
    point = {"w1": np.full((3, 4), 2.0), "w2": np.arange(1.0, 5.0)}
    start = initialize_model(
        jax.random.key(0),
        model,
        model_args=(X, Y),
        init_strategy=init_to_value(values=point),
        validate_grad=False,
    )
    norm = np.sqrt(12.0)
    np.testing.assert_allclose(start.param_info.z["w2_scaled"], point["w2"] * norm, rtol=1e-5)
    expected = log_density(relu, (X, Y), {}, point)[0] - 4 * np.log(norm)
    np.testing.assert_allclose(-start.param_info.potential_energy, expected, rtol=1e-5)


@pytest.mark.usefixtures("x64")
def test_every_set_of_a_batch_has_norms_of_its_own():
    """Three networks of two units each: each unit's Jacobian, and no other's, with its set."""

    def model():
        w1 = numpyro.sample("w1", dist.Normal(0, 1).expand([3, 3, 2]).to_event(3))
        w2 = numpyro.sample("w2", dist.Normal(0, 2).expand([2, 3]).to_event(2))
        f = jnp.einsum("bki,ib->kb", jax.nn.relu(jnp.einsum("ki,bij->bkj", X, w1)), w2)
        numpyro.sample("y", dist.Normal(f, 0.5).to_event(2), obs=jnp.zeros((len(X), 3)))

    units = Units(
        "hidden", 2, batch=3, kind="scaled",
        incoming={"w1": nsym.Axis(2, batch=0)}, outgoing={"w2": nsym.Axis(0, batch=1)},
    )  # fmt: skip
    reparam = handlers.reparam(model, config=ScaleReparam(nsym.Symmetry([units])))
    rng = np.random.default_rng(0)
    point = {"w1": rng.normal(size=(3, 3, 2)), "w2": rng.normal(size=(2, 3))}
    norms = np.linalg.norm(point["w1"], axis=1).T
    latent = {"w1_base": point["w1"], "w2_scaled": point["w2"] * norms}
    np.testing.assert_allclose(run(reparam, latent)["w2"]["value"], point["w2"], rtol=1e-12)
    expected = log_density(model, (), {}, point)[0] - np.log(norms).sum()
    np.testing.assert_allclose(log_density(reparam, (), {}, latent)[0], expected, rtol=1e-12)


def backwards():
    w2 = numpyro.sample("w2", dist.Normal(0, 1).expand([4]).to_event(1))
    w1 = numpyro.sample("w1", dist.Normal(0, 1).expand([3, 4]).to_event(2))
    return w1, w2


def positive():
    numpyro.sample("w1", dist.Normal(0, 1).expand([3, 4]).to_event(2))
    numpyro.sample("w2", dist.HalfNormal(1).expand([4]).to_event(1))


def seeded(model, config):
    return lambda: handlers.seed(handlers.reparam(model, config=config), 0)()


RECURRENT = nsym.Symmetry(
    [Units("h", 4, axes={"w": (nsym.Axis(0, power=-1), nsym.Axis(1, power=1))}, kind="scaled")]
)
REFUSED = {
    "with Units of kind 'scaled'": lambda: ScaleReparam(nsym.mixture(3, {"mu": 0})),
    "each site on one side": lambda: ScaleReparam(RECURRENT),
    "before .'w1'., which come into": seeded(backwards, ScaleReparam(RELU)),
    "'w2' has support": seeded(positive, ScaleReparam(RELU)),
    "site 'w2' of the symmetry is observed": seeded(
        handlers.condition(backwards, {"w2": jnp.ones(4)}), ScaleReparam(RELU)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
