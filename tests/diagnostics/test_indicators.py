"""What diagnose says of labels: no false "all well", and no false trouble."""

import numpy as np
import pytest
import xarray as xr
from planted import arviz

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.diagnostics.indicators import pairs_alike, with_indicators

MIXTURE = nsym.mixture(3, {"mu": 0}, assignments="z")
ROWS = 8


def posterior(seed=0, certain=False, switch=True, draws=400):
    """Four chains of locations and labels; ``certain``: every row always has the label of its own
    group.
    """
    rng = np.random.default_rng(seed)
    mu = rng.normal([-4.0, 0.0, 4.0], 0.2, (4, draws, 3))
    z = rng.choice(3, p=[0.5, 0.3, 0.2], size=(4, draws, ROWS))
    if certain:
        z = np.broadcast_to(np.arange(ROWS) % 3, z.shape)
    made = {"mu": mu, "z": z.astype(np.int32)}
    if switch:
        orders = np.array([[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]])
        orders = np.broadcast_to(orders[:, None], (4, draws, 3))
        made = MIXTURE.act({"component": nsym.Element(orders, np.ones(orders.shape))}, made)
    return {n: np.array(x) for n, x in made.items()}


def diagnosed(made, sym=MIXTURE):
    lp = np.random.default_rng(9).normal(size=made["z"].shape[:2])
    return nsym.diagnose(arviz({"posterior": made, "sample_stats": {"lp": lp}}), sym)


def row(found, site="z"):
    return {
        name: float(found.sites.sel(site=site)[name])
        for name in ("rhat_raw", "rhat_aligned", "ess_bulk_aligned")
    }


def test_switched_labels_are_label_switching_only():
    found = diagnosed(posterior())
    assert found.verdicts == ("label switching only",)
    assert row(found)["rhat_raw"] > 1.2
    assert row(found)["rhat_aligned"] < 1.01
    assert row(found)["ess_bulk_aligned"] > 400


def test_labels_that_rest_are_no_trouble():
    found = diagnosed(posterior(certain=True))
    assert found.fine, found.verdicts
    assert np.isnan(row(found)["rhat_aligned"])
    assert row(found)["rhat_raw"] > 2
    assert diagnosed(posterior(certain=True, switch=False)).verdicts == ("all well",)


def test_one_row_that_is_stuck_in_another_component_is_seen():
    made = posterior(switch=False)
    made["z"][3, :, 2] = 2
    found = diagnosed(made)
    assert not found.fine
    assert any("aligned chains disagree in z" in line for line in found.verdicts)


def test_rows_that_rest_in_other_components_are_seen():
    """Each chain's labels never move, and are not the same: constants are no evidence, but these
    are none.
    """
    made = posterior(certain=True, switch=False)
    made["z"][1, :, [0, 1]] = made["z"][1, :, [1, 0]]
    found = diagnosed(made)
    assert any("aligned chains disagree in z" in line for line in found.verdicts)


@pytest.mark.parametrize("seed", range(5))
def test_rare_labels_make_no_false_alarm(seed):
    made = posterior(seed, switch=False)
    rng = np.random.default_rng(seed)
    rare = rng.uniform(size=(4, 400, 60)) < np.linspace(0.0005, 0.02, 60)
    made["z"] = np.concatenate([made["z"], np.where(rare, 1, 0).astype(np.int32)], -1)
    found = diagnosed(made)
    assert found.fine, found.verdicts


def test_many_rows():
    made = posterior(switch=False)
    rng = np.random.default_rng(3)
    made["z"] = rng.choice(3, size=(4, 400, 250)).astype(np.int8)
    made["z"][2, :, 217] = 1
    found = diagnosed(made)
    assert any("aligned chains disagree in z" in line for line in found.verdicts)


def test_the_coding_of_labels_does_not_matter():
    """The same draws under another order of all components have the same figures."""
    made = posterior(switch=False)
    order = np.broadcast_to([2, 0, 1], (4, 400, 3))
    other = MIXTURE.act({"component": nsym.Element(order, np.ones(order.shape))}, made)
    one, two = row(diagnosed(made)), row(diagnosed(other))
    assert one["rhat_aligned"] == pytest.approx(two["rhat_aligned"], rel=1e-12)


def test_labels_that_are_not_named_are_told():
    found = diagnosed(posterior(), MIXTURE.without_values())
    assert any(
        "z follows the labels of component: name it in the symmetry" in line
        for line in found.verdicts
    )


def test_pairs_alike_are_invariant_and_judge_where_nothing_else_does():
    made = posterior()
    data = xr.Dataset({n: (("chain", "draw", f"{n}_dim"), x) for n, x in made.items()})
    found = pairs_alike(data, MIXTURE)["pairs alike in z"].values
    brute = (made["z"][..., :, None] == made["z"][..., None, :]).mean((-1, -2))
    np.testing.assert_allclose(found, brute, rtol=1e-12)
    found = nsym.diagnose(arviz({"posterior": made}), MIXTURE)
    assert list(found.invariant["function"].values) == ["pairs alike in z"]
    assert found.verdicts == ("label switching only",)
    still = nsym.diagnose(arviz({"posterior": posterior(certain=True)}), MIXTURE)
    assert still.verdicts[0].startswith("nothing can be told: the invariant functions never change")
    with pytest.raises(SymmetryError, match="'z' is moved by the symmetry"):
        nsym.diagnose(arviz({"posterior": made}), MIXTURE, invariant="z")


def test_shares_of_each_set():
    own = Units("component", 2, batch=3, axes={"mu": Axis(1, batch=0)}, values={"z": Axis(batch=1)})
    z = np.random.default_rng(0).integers(2, size=(2, 200, 5, 3))
    data = xr.Dataset({"z": (("chain", "draw", "time", "subject"), z)})
    found, _ = with_indicators(data, data, Symmetry([own]))
    share = (z == 1).mean(2)
    np.testing.assert_allclose(found["z"].values[..., :6].reshape(2, 200, 3, 2)[..., 1], share)
    np.testing.assert_allclose(
        pairs_alike(data, Symmetry([own]))["pairs alike in z"],
        (share**2 + (1 - share) ** 2).mean(-1),
    )
