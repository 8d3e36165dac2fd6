"""Functions of draws and the loss of a model, against plain loops and NumPyro."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats
from planted import LOCATIONS, chains

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import loss_barrier, model_loss, predict_draws

Y = np.array([0.3, -0.2, 1.0], np.float32)


def model(y=None):
    a = numpyro.sample("a", dist.Normal(0, 1).expand([2]).to_event(1))
    b = numpyro.sample("b", dist.LogNormal(0, 1))
    with numpyro.plate("rows", 3):
        numpyro.sample("y", dist.Normal(a[0] * a[1], b), obs=y)


def test_predictions_are_those_of_each_draw():
    data = chains(num_draws=25)
    found = predict_draws(
        data, lambda p: jnp.outer(p["mu"], p["mu"]), var_names=["mu"], batch_size=7
    )
    mu = data.posterior["mu"].values.reshape(-1, 3)
    np.testing.assert_allclose(found, mu[:, :, None] * mu[:, None, :], rtol=1e-5)
    aligned = nsym.rebasin(data, LOCATIONS)
    same = predict_draws(aligned, lambda p: jnp.sort(p["mu"]), var_names=["mu"])
    np.testing.assert_allclose(same, np.sort(mu, -1), rtol=1e-6)


def test_loss_is_scipys_and_leads_over_the_barrier():
    loss = model_loss(model, Y)
    point = {"a": np.array([0.5, -1.0], np.float32), "b": np.float32(0.7), "f": np.zeros(9)}
    expected = -scipy.stats.norm.logpdf(Y, -0.5, 0.7).sum()
    assert float(loss(point)) == pytest.approx(expected, rel=1e-5)
    # One product, two ways to make it: between them it is zero.
    start, end = (
        {"a": np.array(a, np.float32), "b": np.float32(0.1)} for a in ([0.6, 0.6], [-0.6, -0.6])
    )
    middle = (
        -scipy.stats.norm.logpdf(Y, 0.0, 0.1).sum() + scipy.stats.norm.logpdf(Y, 0.36, 0.1).sum()
    )
    assert loss_barrier(loss, start, end).height == pytest.approx(middle, rel=1e-4)


REFUSED = {
    "observes nothing": lambda: model_loss(model),
    r"lacks latent sites \['b'\]": lambda: model_loss(model, Y)({"a": np.zeros(2)}),
    "var_names asks for 'z'": lambda: predict_draws(
        {"w": np.ones((3, 2))}, lambda p: p["z"], var_names=["z"]
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
