"""Scales of ReLU units: a symmetry of the likelihood, used only where asked for by name, and then
told.
"""

import json

import numpy as np
import pytest
from broken_posteriors import rescale
from planted import arviz, dataset
from posteriors import RELU, healthy, relabel

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, diagnose
from numpyro_sym.diagnostics import compact_posterior


@pytest.fixture
def groups():
    """The scale of a unit is unsure, as the prior leaves it; labels differ between chains."""
    groups, sym = healthy("relu")
    rescale(groups, np.exp(0.3 * np.random.default_rng(0).normal(size=(4, 1000, 4))))
    relabel(groups, sym)
    return groups


def test_draws_keep_their_scales(groups):
    """Aligned draws are the posterior's, relabeled: entries only change places."""
    data = arviz(groups)
    out = nsym.rebasin(data, RELU)
    for name in RELU.sites:
        before, after = (np.sort(dataset(d)[name].values, axis=None) for d in (data, out))
        np.testing.assert_array_equal(before, after)
    told = json.loads(dataset(out).attrs["rebasin"])
    assert told["units"] == {"hidden": "4 permutation: w1[1] b1[0] w2[0]"}
    assert told["scales"] == "left as they are"


@pytest.mark.slow
def test_asked_for_by_name(groups):
    data = arviz(groups)
    out = nsym.rebasin(data, RELU, scales=["hidden"])
    plain = nsym.rebasin(data, RELU)
    assert dataset(out)["b1"].std() < 0.999 * dataset(plain)["b1"].std()
    assert (
        json.loads(dataset(out).attrs["rebasin"])["scales"]
        == "moved: hidden; not draws of the posterior"
    )
    one = nsym.rebasin(data, RELU, scales="hidden")
    np.testing.assert_array_equal(dataset(one)["b1"], dataset(out)["b1"])


def test_the_compact_posterior_is_the_posterior(groups):
    data = arviz(groups)
    compact, moved = (compact_posterior(data, RELU, scales=s) for s in ((), ("hidden",)))
    aligned = dataset(nsym.rebasin(data, RELU))
    np.testing.assert_allclose(
        compact.scale["b1"], aligned["b1"].values.reshape(-1, 4).std(0, ddof=1)
    )
    assert (moved.scale["w2"] < compact.scale["w2"]).mean() > 0.9
    assert compact.scaled == ()
    assert moved.scaled == ("hidden",)
    assert "scales of hidden moved" in repr(moved)


@pytest.mark.parametrize("scales", [(), ("hidden",)])
def test_a_scale_has_a_row_of_its_own(groups, scales):
    """By hand: half the log of the ratio of norms; its figures do not hang on what was moved."""
    found = diagnose(arviz(groups), RELU, scales=scales)
    row = found.sites.sel(site="scale of hidden")
    assert row["rhat_raw"] > 1.05 > 1.01 > row["rhat_aligned"]
    posterior = groups["posterior"]
    into = np.square(posterior["w1"]).sum(-2) + posterior["b1"] ** 2
    scale = 0.25 * np.log(into / np.square(posterior["w2"]).sum(-1))
    import arviz as az

    by_hand = az.rhat(az.convert_to_dataset({"s": scale}))["s"].max()
    assert row["rhat_raw"] == pytest.approx(float(by_hand))


@pytest.mark.slow
def test_a_scale_that_does_not_mix_is_never_hidden_by_moving_it(groups):
    rescale(groups, np.array([1.0, 1.0, 3.0, 3.0])[:, None, None] * np.ones((4, 1000, 4)))
    for scales in ((), ("hidden",)):
        found = diagnose(arviz(groups), RELU, scales=scales)
        assert found.sites["rhat_aligned"].sel(site="scale of hidden") > 1.5
        assert not found.fine


@pytest.mark.parametrize("scales", [("other",), "component"])
def test_refused(groups, scales):
    with pytest.raises(SymmetryError, match="scales must name Units of kind 'scaled'"):
        nsym.rebasin(arviz(groups), RELU, scales=scales)
