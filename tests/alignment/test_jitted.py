"""Alignment inside compiled programs, against the engine on the host."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alignment_cases import CASES, FINITE, LINEAR, distance, draws

from numpyro_sym import SymmetryError
from numpyro_sym.alignment import align, align_in_jit


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def _batched(name):
    sym, _ = CASES[name]
    return jax.jit(jax.vmap(lambda x, r: align_in_jit(x, r, sym), in_axes=(0, None)))


@pytest.mark.parametrize("name", FINITE)
def test_never_farther_and_the_optimum_for_one_units(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (12,)), draws(name, seed=1)
    r = _batched(name)(sites, reference)
    moved = sym.act(r.elements, sites)
    for site in sites:
        np.testing.assert_allclose(r.sites[site], moved[site], rtol=1e-12)
    np.testing.assert_allclose(r.distance, distance(moved, reference, sym.sites), rtol=1e-10)
    np.testing.assert_allclose(r.distance_before, distance(sites, reference, sym.sites), rtol=1e-12)
    assert (r.distance <= r.distance_before).all()
    assert (r.distance < r.distance_before).any()
    if name in LINEAR:
        host = align(sites, reference, sym)
        np.testing.assert_allclose(r.distance, host.distance, rtol=1e-12)
        for u in sym:
            np.testing.assert_array_equal(
                r.elements[u.name].permutation, host.elements[u.name].permutation
            )


@pytest.mark.parametrize("name", ["deep", "deep signed", "residual", "conv"])
def test_several_units_reach_what_the_same_descent_reaches_on_the_host(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (12,)), draws(name, seed=1)
    host = align(sites, reference, sym, starts=("identity",))
    np.testing.assert_allclose(_batched(name)(sites, reference).distance, host.distance, rtol=1e-10)


def test_single_precision_and_other_sites():
    sym, _ = CASES["mixture"]
    sites = {s: jnp.asarray(x, jnp.float32) for s, x in draws("mixture").items()}
    reference = {s: jnp.asarray(x, jnp.float32) for s, x in draws("mixture", seed=1).items()}
    r = jax.jit(lambda x: align_in_jit({**x, "other": jnp.zeros(3)}, reference, sym))(sites)
    assert r.sites["mu"].dtype == r.distance.dtype == jnp.float32
    assert r.sites["other"].shape == (3,)


def test_nan_stays_where_it_is():
    sym, _ = CASES["mixture"]
    sites = {s: jnp.full_like(jnp.asarray(x), jnp.nan) for s, x in draws("mixture").items()}
    r = align_in_jit(sites, draws("mixture", seed=1), sym)
    np.testing.assert_array_equal(r.elements["component"].permutation, np.arange(4))


def test_what_does_not_fit_is_refused():
    sites, reference = draws("layer"), draws("layer", seed=1)
    with pytest.raises(SymmetryError, match="align_in_jit"):
        align_in_jit(sites, reference, CASES["scaled layer"][0])
    sym, _ = CASES["layer"]
    with pytest.raises(SymmetryError, match="the draw lacks site 'w2'"):
        align_in_jit({"w1": sites["w1"], "b1": sites["b1"]}, reference, sym)
    with pytest.raises(SymmetryError, match="w1"):
        align_in_jit({**sites, "w1": np.ones((3, 5))}, reference, sym)
