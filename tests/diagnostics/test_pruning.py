"""What is pruned first, by brute force; a planted network whose narrow weights are those that
matter.
"""

import jax.numpy as jnp
import numpy as np
import pytest

from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import pruning_curve, pruning_masks

RNG = np.random.default_rng(0)
LOC = {"a": RNG.normal(size=(3, 4)), "b": RNG.normal(size=5)}
SCALE = {name: RNG.uniform(0.1, 2, x.shape) for name, x in LOC.items()}
FLAT, SPREAD = (np.concatenate([d["a"].ravel(), d["b"]]) for d in (LOC, SCALE))
ORDERS = {"sd": -SPREAD, "snr": np.abs(FLAT) / SPREAD, "magnitude": np.abs(FLAT)}


@pytest.mark.parametrize("by", ORDERS)
def test_the_least_worthy_go_first(by):
    share = np.linspace(0, 1, 7)
    masks = pruning_masks(LOC, SCALE, share, by=by)
    kept = np.concatenate([masks["a"].reshape(7, -1), masks["b"]], -1)
    for i, fraction in enumerate(share):
        gone = set(np.argsort(ORDERS[by])[: round(fraction * 17)])
        assert set(np.flatnonzero(~kept[i])) == gone
    assert (np.diff(kept.sum(-1)) <= 0).all()


def test_curve_is_the_score_of_the_masked_means():
    def score(point):
        return jnp.sin(point["a"]).sum() * point["c"] + point["b"] @ point["b"]

    found = pruning_curve(score, LOC, SCALE, [0.0, 0.4, 1.0], by="snr", fixed={"c": 2.0})
    masks = pruning_masks(LOC, SCALE, [0.0, 0.4, 1.0], by="snr")
    for i in range(3):
        a, b = LOC["a"] * masks["a"][i], LOC["b"] * masks["b"][i]
        assert found.score[i] == pytest.approx(2 * np.sin(a).sum() + b @ b, rel=1e-5)
    assert len(pruning_curve(score, LOC, SCALE, fixed={"c": 2.0}).fraction) == 21


def test_spread_tells_what_magnitude_does_not():
    """Half the weights are large and unsure, half small and sure: only the sure ones carry the
    signal.
    """
    signal = np.where(np.arange(40) < 20, 0.0, 0.3)
    mean = {"w": np.where(np.arange(40) < 20, 1.0, 0.3)}
    sd = {"w": np.where(np.arange(40) < 20, 3.0, 0.01)}

    def error(point):
        return ((point["w"] - signal) ** 2).sum()

    by_sd, by_size = (
        pruning_curve(error, mean, sd, [0.5], by=by).score[0] for by in ("sd", "magnitude")
    )
    assert by_sd == pytest.approx(0, abs=1e-9)
    assert by_size > 20


def test_constant_weights_are_the_surest():
    masks = pruning_masks(
        {"w": np.array([1e-3, 1.0])}, {"w": np.array([0.0, 0.5])}, [0.5], by="snr"
    )
    assert masks["w"].tolist() == [[True, False]]


REFUSED = {
    "by must be one of": lambda: pruning_masks(LOC, SCALE, [0.5], by="size"),
    "between 0 and 1": lambda: pruning_masks(LOC, SCALE, [1.5]),
    "site 'b' needs means": lambda: pruning_masks(LOC, {"a": SCALE["a"]}, [0.5]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
