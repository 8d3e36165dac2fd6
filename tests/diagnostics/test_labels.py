"""Labels that change within chains, and what follows them, against draws relabeled by hand."""

import numpy as np
import pytest
import xarray as xr

import numpyro_sym as nsym
from numpyro_sym.diagnostics.labels import relabeled, runs_over_units, share_within

THREE = nsym.mixture(3, {"mu": 0})
SIGNED = nsym.Symmetry([nsym.Units("hidden", 3, incoming={"w": 0}, kind="signed")])


def elements(name, rng, signs=False):
    permutation = rng.permuted(np.tile(np.arange(3), (4, 50, 1)), axis=-1)
    factor = rng.choice([-1.0, 1.0], permutation.shape) if signs else np.ones(permutation.shape)
    return {name: nsym.Element(permutation, factor)}


def test_share_within_chains():
    permutation = np.tile(np.arange(3), (2, 10, 1))
    permutation[1] = [2, 0, 1]  # another order in another chain is no change within it
    factor = np.full(permutation.shape, 2.5)
    assert share_within({"u": nsym.Element(permutation, factor)}) == 0
    permutation[0, :3] = [1, 0, 2]
    assert share_within({"u": nsym.Element(permutation, factor)}) == pytest.approx(0.15)
    factor[1, 4, 0] = -2.5
    assert share_within({"u": nsym.Element(permutation, factor)}) == pytest.approx(0.2)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (3, 3)])
@pytest.mark.parametrize("signs", [False, True])
def test_an_axis_follows(shape, signs):
    """Draws moved by the inverse come back, however the units lie on the variable."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 50, *shape))
    g = elements("hidden", rng, signs)
    axes = tuple(i for i, length in enumerate(shape) if length == 3)
    alike = nsym.Symmetry([nsym.Units("hidden", 3, incoming={"x": axes}, kind="signed")])
    moved = alike.act(alike.inverse(g), {"x": x})["x"]
    dims = ("chain", "draw", *(f"d{i}" for i in range(len(shape))))
    found = [np.asarray(y) for name, y in relabeled(xr.DataArray(moved, dims=dims), SIGNED, g)]
    assert any(np.array_equal(y, x) for y in found)


def test_integers_follow():
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, (4, 50, 7))
    g = elements("component", rng)
    # Slot i holds what was unit permutation[i] before, and z names the unit as it was before.
    before = np.take_along_axis(g["component"].permutation, z, -1)
    ((name, found),) = relabeled(xr.DataArray(before, dims=("chain", "draw", "row")), THREE, g)
    assert name == "component"
    np.testing.assert_array_equal(found, z)


@pytest.mark.parametrize(
    ("shape", "dtype", "name", "expected"),
    [
        ((), float, "x", False),
        ((5,), float, "x", False),
        ((3,), float, "x", True),
        ((5, 3), float, "x", True),
        ((5,), int, "x", True),
        ((), bool, "x", True),
        ((), float, "x_decentered", True),
        ((5,), float, "x_base", True),
    ],
)
def test_what_may_name_units(shape, dtype, name, expected):
    dims = ("chain", "draw", *(f"d{i}" for i in range(len(shape))))
    x = xr.DataArray(np.zeros((4, 50, *shape), dtype), dims=dims, name=name)
    assert runs_over_units(x, THREE) is expected
