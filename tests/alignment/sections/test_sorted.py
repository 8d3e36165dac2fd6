"""Sorted sections: idempotent, constant on orbits, and always a point of the orbit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from registry import CASES, POSTERIOR, moving, random_point, view

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.alignment import sorted_section

pytestmark = pytest.mark.usefixtures("x64")
over_cases = pytest.mark.parametrize("case", POSTERIOR, ids=lambda c: c.name)


def close(a, b):
    for name, x in a.items():
        np.testing.assert_allclose(x, b[name], rtol=1e-12, atol=1e-13, err_msg=name)


@over_cases
def test_fold_is_a_section(case, rng_key):
    model = view(case.name)
    fold = jax.jit(sorted_section(case.sym, model.shapes).fold)
    point = random_point(case.name)
    folded = fold(point)
    close(fold(folded), folded)
    for key in jax.random.split(rng_key, 5):
        close(fold(case.sym.act(moving(case.sym, key), point)), folded)
    other = fold(random_point(case.name, 7))
    assert any(not np.allclose(other[site], folded[site]) for site in case.sym.sites)
    if case.sym.order <= 5000:
        orbit = jax.vmap(lambda g: case.sym.act(g, point))(case.sym.elements())
        miss = sum(
            jnp.abs(orbit[s] - folded[s]).reshape(case.sym.order, -1).sum(1) for s in case.sym.sites
        )
        assert miss.min() < 1e-12


@over_cases
def test_density_is_kept(case, rng_key):
    model = view(case.name)
    point = random_point(case.name)
    folded = sorted_section(case.sym, model.shapes).fold(point)
    before, after = (
        sum(v for group in model.evaluate(p)[:2] for v in group.values()) for p in (point, folded)
    )
    np.testing.assert_allclose(after, before, rtol=1e-11)


def test_layers_whose_only_shared_arrays_are_between_them():
    """Without biases the second layer's keys stand on arrays of the first: it must wait for it."""
    sym = nsym.mlp(["w1", "w2", "w3"], [3, 4], kind="signed")
    section = sorted_section(sym, {"w1": (2, 3), "w2": (3, 4), "w3": (4, 3)})
    assert {name for name, *_ in section.steps} == {"hidden1", "hidden2"}
    assert all(not sort.squared for _, _, sort in section.steps)


def test_matrix_between_two_sign_groups_has_no_exact_section():
    """Both ends of one array turn signs, and nothing else tells them."""
    sym = Symmetry(
        [
            Units("a", 2, incoming={"m": 0}, kind="signed"),
            Units("b", 3, incoming={"m": 1}, kind="signed"),
        ]
    )
    with pytest.raises(SymmetryError, match=r"no exact section for Units \['a', 'b'\]"):
        sorted_section(sym, {"m": (2, 3)})


def test_array_between_two_permutations(rng_key):
    """Each waits for the other; sums over the other's axis settle the first."""
    sym = Symmetry([Units("row", 4, axes={"m": 0}), Units("column", 3, axes={"m": 1})])
    fold = sorted_section(sym, {"m": (4, 3)}).fold
    point = {"m": jax.random.normal(rng_key, (4, 3))}
    for key in jax.random.split(rng_key, 10):
        close(fold(sym.act(moving(sym, key), point)), fold(point))


def test_scales_have_no_order():
    scaled = next(c for c in CASES if c.name == "mlp-1-relu")
    with pytest.raises(SymmetryError, match="'hidden' are scaled"):
        sorted_section(scaled.sym, view(scaled.name).shapes)
