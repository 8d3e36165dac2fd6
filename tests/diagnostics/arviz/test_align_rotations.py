"""Factor models of ArviZ objects: one rotation, scores along, everything else as it was."""

import json

import numpy as np
import pytest
import xarray as xr

from numpyro_sym import SymmetryError
from numpyro_sym.alignment import align_procrustes, align_varimax
from numpyro_sym.diagnostics import align_rotations, to_arviz

RNG = np.random.default_rng(0)
W = np.zeros((8, 2))
W[:4, 0], W[4:, 1] = 1.5, [1.0, -1.0, 1.0, 0.5]
Z = RNG.normal(size=(9, 2))


def turned(dtype=float, chains=3, draws=20):
    """Draws of one factor model, each in a rotation (or reflection) of its own."""
    turns = np.linalg.qr(RNG.normal(size=(chains, draws, 2, 2)))[0]
    noise = 0.02 * RNG.normal(size=(chains, draws, 8, 2))
    w, z = (W + noise) @ turns, Z @ turns
    draws = {"load.ings": w.swapaxes(-1, -2).copy(), "z[i]": z, "noise": np.ones((chains, draws))}
    return {name: x.astype(dtype) for name, x in draws.items()}


def as_dataset(draws, coords=None):
    variables = {}
    for name, x in draws.items():
        variables[name] = (("chain", "draw", *(f"{name}_{i}" for i in range(x.ndim - 2))), x)
    return xr.Dataset(variables, coords, {"by": "hand"})


AXES, SCORES = {"load.ings": 0}, {"z[i]": -1}


@pytest.mark.parametrize("method", ["varimax", "procrustes"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_rotation_and_the_same_functions(method, dtype):
    draws = turned(dtype)
    data = to_arviz(draws)
    done = align_rotations(data, AXES, factors=SCORES, method=method)
    assert type(done) is type(data)
    w, z = done.posterior["load.ings"].values, done.posterior["z[i]"].values
    assert w.dtype == z.dtype == dtype
    before = draws["z[i]"] @ draws["load.ings"]
    np.testing.assert_allclose(z @ w, before, atol=1e-4)
    assert w.std((0, 1)).max() < 0.05
    assert draws["load.ings"].std((0, 1)).max() > 0.5  # the negative control
    assert z.std((0, 1)).max() < 0.2
    np.testing.assert_array_equal(done.posterior["noise"], draws["noise"])
    # NumPy's own function of the same arrays.
    plain = draws["load.ings"].swapaxes(-1, -2)
    alone = (align_varimax if method == "varimax" else align_procrustes)(plain)
    np.testing.assert_allclose(w.swapaxes(-1, -2), alone.loadings, atol=1e-5)
    told = json.loads(done.posterior.attrs["rotation"])
    assert told["method"] == method
    assert told["settled_share"] == 1


def test_datasets_trees_and_other_groups():
    draws = as_dataset(turned(), {"chain": [3, 5, 9]})
    alone = align_rotations(draws, AXES, factors=SCORES)
    assert isinstance(alone, xr.Dataset)
    assert alone.attrs["by"] == "hand"
    assert alone["chain"].values.tolist() == [3, 5, 9]
    assert alone["load.ings"].dims == draws["load.ings"].dims
    warmup = as_dataset(turned(draws=5))
    other = xr.Dataset({"lp": (("chain", "draw"), np.zeros((3, 20)))})
    groups = {"posterior": draws, "warmup_posterior": warmup, "sample_stats": other}
    tree = xr.DataTree.from_dict(groups)
    done = align_rotations(tree, AXES, factors=SCORES, keep_rotations=True)
    assert set(done.children) == {*groups, "rotation", "warmup_rotation"}
    xr.testing.assert_identical(done["sample_stats"].to_dataset(), other)
    xr.testing.assert_identical(tree["posterior"].to_dataset(), draws)
    # Warm-up comes to the posterior's rotation, and so does another run.
    mean = done["posterior"]["load.ings"].mean(("chain", "draw"))
    away = done["warmup_posterior"]["load.ings"].mean(("chain", "draw")) - mean
    assert abs(away).max() < 0.05
    turns = done["rotation"]["rotation"].values
    again = np.einsum("cdkv,cdkl->cdlv", draws["load.ings"].values, turns)
    np.testing.assert_allclose(again, done["posterior"]["load.ings"].values, atol=1e-12)
    for reference in (done, {"load.ings": mean.values}):
        for method in ("varimax", "procrustes"):
            new = align_rotations(turned(chains=1), AXES, reference=reference, method=method)
            away = new.posterior["load.ings"].values.mean((0, 1)) - mean.values
            assert abs(away).max() < 0.05


def test_several_loadings_are_turned_together():
    draws = turned()
    w = draws.pop("load.ings")
    halves = {"top": w[..., :3], "rest": w[..., 3:], **draws}
    done = align_rotations(halves, {"top": 0, "rest": -2}, factors=SCORES).posterior
    whole = align_rotations({"load.ings": w, **draws}, AXES, factors=SCORES).posterior
    both = np.concatenate([done["top"].values, done["rest"].values], -1)
    np.testing.assert_allclose(both, whole["load.ings"].values, atol=1e-12)
    np.testing.assert_allclose(done["z[i]"], whole["z[i]"], atol=1e-12)


NAN = turned()
NAN["load.ings"][0, 0, 0, 0] = np.nan
GIVEN = turned()
REFUSED = {
    "no site": (lambda: align_rotations(GIVEN, {"w": 0}), "'w'"),
    "no axis": (lambda: align_rotations(GIVEN, {"load.ings": 2}), "has no axis 2"),
    "a word": (lambda: align_rotations(GIVEN, "load.ings"), "'load.ings': -1"),
    "none": (lambda: align_rotations(GIVEN, {}), "is empty"),
    "other factors": (lambda: align_rotations(GIVEN, AXES, factors={"z[i]": 0}), "has 9 factors"),
    "two numbers": (lambda: align_rotations(GIVEN, {**AXES, "z[i]": 0}), "other numbers"),
    "NaN": (lambda: align_rotations(NAN, AXES), "align_varimax"),
    "a method": (lambda: align_rotations(GIVEN, AXES, method="promax"), "'procrustes'"),
    "a reference": (lambda: align_rotations(GIVEN, AXES, reference={"w": W}), "loadings of one"),
    "another shape": (
        lambda: align_rotations(GIVEN, AXES, reference={"load.ings": W}),
        "reference has shape|other numbers",
    ),
    "ArviZ there": (lambda: align_varimax(to_arviz(GIVEN)), "align_rotations"),
    "a Dataset there": (lambda: align_procrustes(as_dataset(GIVEN)), "align_rotations"),
    "no place": (
        lambda: align_rotations(as_dataset(GIVEN), AXES, keep_rotations=True),
        "Pass the whole object",
    ),
    "no draws": (lambda: align_rotations({"w": np.zeros((2, 0, 3, 2))}, {"w": 1}), "no draws"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    call, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        call()
