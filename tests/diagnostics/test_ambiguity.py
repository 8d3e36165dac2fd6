"""The chance of the runner-up, against Bayes' rule on draws whose two labelings are known."""

import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym.diagnostics.ambiguity import doubt

SYM = nsym.mixture(2, {"mu": 0})


@pytest.mark.parametrize("apart", [0.0, 1.0, 2.0, 6.0])
def test_it_is_the_posterior_probability_of_the_swap(apart):
    """Two units at +-apart/2 with spread 1: the draw's density under the swapped labels, by Bayes'
    rule.
    """
    rng = np.random.default_rng(0)
    reference = np.array([-apart / 2, apart / 2])
    mu = reference + rng.normal(size=(20000, 2))
    found = nsym.align({"mu": mu}, {"mu": reference}, SYM, sample_ndim=1)
    chance = doubt(found.distance, found.gap, 2)
    variance = np.mean(found.distance**2) / 2
    kept = np.exp(-((found.sites["mu"] - reference) ** 2).sum(-1) / (2 * variance))
    swapped = np.exp(-((found.sites["mu"] - reference[::-1]) ** 2).sum(-1) / (2 * variance))
    np.testing.assert_allclose(chance, swapped / (kept + swapped), atol=1e-9)
    if apart == 0.0:
        np.testing.assert_allclose(chance, 0.5)
    if apart == 6.0:
        # The chance is calibrated: so many draws were in truth made under the swapped labels.
        assert chance.mean() < 1e-3


def test_calibrated():
    """Labels are drawn at random; the share of wrong matches is the mean chance."""
    rng = np.random.default_rng(1)
    reference = np.array([-1.5, 1.5])
    mu = reference + rng.normal(size=(40000, 2))
    wrong = mu[:, 0] > mu[:, 1]
    found = nsym.align({"mu": mu}, {"mu": reference}, SYM, sample_ndim=1)
    assert doubt(found.distance, found.gap, 2).mean() == pytest.approx(wrong.mean(), rel=0.2)


def test_copies_without_noise_leave_no_doubt():
    assert doubt(np.zeros(3), np.ones(3), 4).tolist() == [0, 0, 0]
    assert doubt(np.zeros(3), np.zeros(3), 4).tolist() == [0.5, 0.5, 0.5]
