"""LPPD, agreement, total variation and functional diversity: known values and oracles."""

import jax
import numpy as np
import pytest
import xarray as xr
from planted import TWO_LAYERS, gaussian_network, planted, switched, two_layers

from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import agreement, lppd, mutual_information, total_variation


def log_normal(y):
    return -0.5 * y**2 - 0.5 * np.log(2 * np.pi)


def test_lppd_of_a_standard_normal_on_a_standardized_target():
    y = np.random.default_rng(0).gamma(2.0, size=500)
    y = (y - y.mean()) / y.std()
    assert lppd(np.tile(log_normal(y), (4, 10, 1))) == pytest.approx(-1.419, abs=5e-4)


def test_lppd_averages_inside_the_logarithm_and_by_chain():
    each = np.log(np.random.default_rng(0).uniform(size=(3, 7, 5)))
    assert lppd(each) == pytest.approx(np.log(np.exp(each).mean((0, 1))).mean())
    by_hand = [np.log(np.exp(chain).mean(0)).mean() for chain in each]
    np.testing.assert_allclose(lppd(each, by_chain=True), by_hand)
    assert lppd({"y": each[..., :2], "z": each[..., 2:]}) == pytest.approx(lppd(each))
    assert lppd(each) > np.mean(lppd(each, by_chain=True))


def test_lppd_of_arviz_objects():
    data = switched()
    assert lppd(data) == pytest.approx(lppd(data.log_likelihood["y"].values))


def test_zero_density_is_minus_infinity_and_never_dropped():
    each = np.zeros((2, 3, 4))
    each[:, :, 1] = -np.inf
    assert lppd(each) == -np.inf
    each[0, 0, 1] = 0.0  # one draw that allows it is enough
    assert lppd(each) == pytest.approx(np.log(1 / 6) / 4)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


P, Q = (softmax(np.random.default_rng(i).normal(size=(200, 4))) for i in (0, 1))


def test_agreement_and_total_variation():
    assert agreement(P, P) == 1
    assert total_variation(P, P) == 0
    assert agreement(P, Q) == pytest.approx(
        np.mean([a.argmax() == b.argmax() for a, b in zip(P, Q, strict=True)])
    )
    assert total_variation(P, Q) == pytest.approx(
        np.mean([np.maximum(a - b, 0).sum() for a, b in zip(P, Q, strict=True)])
    )
    assert agreement(np.stack([P, P]), np.stack([P, Q, P])) == agreement(P, (2 * P + Q) / 3)


def test_predictions_of_renamed_draws_agree_and_have_no_diversity():
    _, draws, renamed = gaussian_network(num_draws=20)
    x = np.random.default_rng(3).normal(size=(50, 3))
    with jax.enable_x64(True):
        first, second = (
            softmax(np.asarray(jax.vmap(lambda p: two_layers(p, x))(d))) for d in (draws, renamed)
        )
    assert total_variation(first, second) < 1e-12
    each = mutual_information(first)
    np.testing.assert_allclose(mutual_information(second), each, atol=1e-12)
    assert mutual_information(np.stack([first[0], second[0]]))[0, 1] < 1e-12
    assert each[0, 1:].min() > 1e-4
    assert TWO_LAYERS.order > 1


def test_mutual_information_is_its_definition():
    """Between the member that predicts, a fair coin, and the class: by the joint table."""
    found = mutual_information(np.stack([P, Q]))
    joint = np.stack([P, Q], 1) / 2  # (point, member, class)
    marginal = joint.sum(1, keepdims=True) * joint.sum(2, keepdims=True)
    expected = (joint * np.log(joint / marginal)).sum((1, 2)).mean()
    np.testing.assert_allclose(found, [[0, expected], [expected, 0]], atol=1e-12)
    assert mutual_information([[[1.0, 0.0]], [[0.0, 1.0]]])[0, 1] == pytest.approx(np.log(2))


REFUSED = {
    "It holds NaN": lambda: lppd(np.full((1, 1, 1), np.nan)),
    r"expected log densities of shape \(chain, draw, observation\)": lambda: lppd(np.ones((3, 4))),
    "there is no group log_likelihood": lambda: lppd(_without_log_likelihood()),
    "must be probabilities": lambda: agreement(np.ones((3, 2)), np.ones((3, 2))),
    "cannot be compared": lambda: total_variation(P, Q[:, :2] / Q[:, :2].sum(-1, keepdims=True)),
    "must be class probabilities .point, class.": lambda: agreement(P[0], P[0]),
    "must be class probabilities .member, point, class.": lambda: mutual_information(P),
}


def _without_log_likelihood():
    from planted import arviz

    return arviz({"posterior": planted()})


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def test_lppd_does_not_take_a_posterior_for_log_likelihoods():
    """Both are Datasets over chains and draws; whole objects and named arrays say which
    is which.
    """
    posterior = xr.Dataset({"w": (("chain", "draw", "unit"), np.zeros((2, 5, 3)))})
    for given in (posterior, xr.DataTree(posterior, name="posterior")):
        with pytest.raises(SymmetryError, match="One group does not tell"):
            lppd(given)
    assert lppd({"y": np.zeros((2, 5, 3))}) == 0


def test_lppd_of_draws_that_differ_in_number():
    with pytest.raises(SymmetryError, match="expected log densities of shape"):
        lppd({"y": np.zeros((2, 5, 3)), "z": np.zeros((2, 4, 3))})
    with pytest.raises(SymmetryError, match="plus infinity"):
        lppd(np.full((1, 2, 3), np.inf))
