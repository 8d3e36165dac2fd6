"""Guides of models whose discrete sites are summed out: they cover the other sites, as of the sum
written out.
"""

import jax
import numpy as np
import pytest
from enumerated_zoo import ENUMERATED
from numpyro import handlers
from numpyro.contrib.funsor import config_enumerate
from numpyro.infer import SVI, Predictive, Trace_ELBO, TraceEnum_ELBO
from numpyro.optim import Adam

from numpyro_sym import AutoSymmetrizedNormal

CASE = ENUMERATED["mixture"]


def trained(model, guide, loss):
    return SVI(model, guide, Adam(0.05), loss).run(
        jax.random.key(0), 30, *CASE.args, progress_bar=False
    )


@pytest.fixture(scope="module")
def by_hand():
    guide = AutoSymmetrizedNormal(CASE.by_hand)
    return guide, trained(CASE.by_hand, guide, Trace_ELBO())


def as_it_is(model):
    return model


def without_labels(model):
    return handlers.block(model, hide=["z"])


@pytest.mark.slow
@pytest.mark.parametrize("hide", [as_it_is, pytest.param(without_labels, marks=pytest.mark.slow)])
def test_the_guide_is_that_of_the_sum_written_out(by_hand, hide):
    """Whether or not the discrete sites are hidden from the guide, as NumPyro asks for its own."""
    model = config_enumerate(CASE.model)
    guide = AutoSymmetrizedNormal(hide(model))
    result = trained(model, guide, TraceEnum_ELBO())
    assert guide.sym == by_hand[0].sym
    assert len(guide.sym) == 1
    np.testing.assert_allclose(result.losses, by_hand[1].losses, rtol=1e-4)
    for name, value in by_hand[1].params.items():
        np.testing.assert_allclose(result.params[name], value, atol=1e-4)
    draws = guide.sample_posterior(jax.random.key(1), result.params, sample_shape=(3,))
    labels = Predictive(model, draws, infer_discrete=True)(jax.random.key(2), *CASE.args)["z"]
    assert labels.shape == (3, 5)
    assert set(np.unique(labels)) <= {0, 1, 2}
