"""Numbers whose squares are beyond their type, and half precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.alignment import Whitened, align_in_jit, minimum_mass, varimax

SIGNED = nsym.mlp(["w1", "w2", "w3"], [5, 4], biases=["b1", "b2"], kind="signed")
SHAPES = {"w1": (3, 5), "b1": (5,), "w2": (5, 4), "b2": (4,), "w3": (4, 1)}


def _noisy_copies(sym, number=20):
    rng = np.random.default_rng(0)
    reference = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    near = {name: x + 0.1 * rng.normal(size=(number, *x.shape)) for name, x in reference.items()}
    g = jax.tree.map(np.asarray, sym.sample(jax.random.key(0), (number,)))
    return reference, sym.act(g, near)


def _same(found, expected):
    for name, e in expected.elements.items():
        np.testing.assert_array_equal(found.elements[name].permutation, e.permutation)
        np.testing.assert_array_equal(found.elements[name].factor, e.factor)


@pytest.mark.parametrize(
    ("dtype", "unit"),
    [(np.float32, 1e-30), (np.float32, 1e25), (np.float64, 1e-200), (np.float64, 1e200)],
)
def test_units_of_measurement_change_no_element(dtype, unit):
    reference, draws = _noisy_copies(SIGNED)
    expected = nsym.align(draws, reference, SIGNED)
    scaled = {name: (unit * x).astype(dtype) for name, x in draws.items()}
    found = nsym.align(scaled, {name: unit * x for name, x in reference.items()}, SIGNED)
    _same(found, expected)
    assert found.distance.dtype == dtype
    np.testing.assert_allclose(found.distance.astype(float) / unit, expected.distance, rtol=1e-5)
    for name, x in found.sites.items():
        assert x.dtype == dtype
        np.testing.assert_array_equal(
            np.sort(abs(x), axis=None), np.sort(abs(scaled[name]), axis=None)
        )
    _same(nsym.align(scaled, "mean", SIGNED), nsym.align(draws, "mean", SIGNED))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_compared_in_single(dtype):
    reference, draws = _noisy_copies(SIGNED)
    half = {name: jnp.asarray(x, dtype) for name, x in draws.items()}
    found = nsym.align(half, reference, SIGNED)
    _same(found, nsym.align(draws, reference, SIGNED))
    assert found.sites["w1"].dtype == dtype
    assert found.distance.dtype == jnp.float32
    large = {name: 100 * x for name, x in half.items()}  # 300**2 is beyond float16
    _same(nsym.align(large, {n: 100 * x for n, x in reference.items()}, SIGNED), found)


@pytest.mark.parametrize("unit", [1e-30, 1e25])
def test_in_jit_too(unit):
    reference, draws = _noisy_copies(SIGNED, 3)

    @jax.jit
    def aligned(draw, reference):
        return align_in_jit(draw, reference, SIGNED)

    for i in range(3):
        draw = {name: jnp.asarray(x[i], jnp.float32) for name, x in draws.items()}
        expected = aligned(draw, reference)
        found = aligned(
            *(
                {n: jnp.asarray(unit, jnp.float32) * x for n, x in s.items()}
                for s in (draw, reference)
            )
        )
        _same(found, expected)
        assert float(found.distance / unit) == pytest.approx(float(expected.distance), rel=1e-5)


def test_scales_that_no_distance_holds_are_refused():
    sym = nsym.Symmetry([nsym.Units("a", 2, axes={"x": 0}), nsym.Units("b", 2, axes={"y": 0})])
    far_apart = {"x": np.array([[1e-200, 2e-200]]), "y": np.array([[1e200, 2e200]])}
    with pytest.raises(SymmetryError, match="too far apart to be summed"):
        nsym.align(far_apart, "first", sym)
    pair = nsym.mixture(2, {"x": 0})
    tiny = Whitened({"x": np.full(2, 1e-200)})
    with pytest.raises(SymmetryError, match="too far apart"):
        nsym.align({"x": np.array([[1.0, 2.0]])}, {"x": np.array([2.0, 1.0])}, pair, metric=tiny)
    relu = nsym.mlp(["a", "b"], [1], kind="scaled")
    with pytest.raises(SymmetryError, match="largest numbers"):
        minimum_mass({"a": np.array([[1e200]]), "b": np.array([[1.0]])}, relu)


def test_rotations_have_no_unit():
    loadings = np.random.default_rng(0).normal(size=(6, 3))
    for unit in (1e-200, 1e200):
        np.testing.assert_allclose(varimax(unit * loadings), varimax(loadings), atol=1e-6)
