"""Properties that hold for any draws, any reference and any element."""

from __future__ import annotations

import numpy as np
import pytest
from alignment_cases import CASES, LINEAR, distance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from numpyro_sym import Element, mixture
from numpyro_sym.alignment import align
from numpyro_sym.alignment.engine.assignment import assign
from numpyro_sym.alignment.engine.factors import best_factors

SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.sampled_from([1e-3, 1.0, 1e3])


def _sites(name, sample, rng, scale=1.0):
    return {s: scale * rng.normal(size=(*sample, *shape)) for s, shape in CASES[name][1].items()}


def _element(sym, batch, rng):
    """Random elements, drawn with NumPy alone."""
    out = {}
    for u in sym:
        factor = {
            "permutation": np.ones((batch, u.n)),
            "signed": rng.choice([-1.0, 1.0], (batch, u.n)),
            "scaled": np.exp(rng.normal(size=(batch, u.n))),
        }[u.kind]
        out[u.name] = Element(rng.permuted(np.tile(np.arange(u.n), (batch, 1)), axis=1), factor)
    return out


@pytest.mark.parametrize("name", LINEAR)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, scale=SCALES)
def test_orbits_have_one_distance(name, seed, scale):
    rng = np.random.default_rng(seed)
    sym, _ = CASES[name]
    sites, reference = _sites(name, (3,), rng, scale), _sites(name, (), rng)
    moved = sym.act(_element(sym, 3, rng), sites)
    a, b = (align(d, reference, sym) for d in (sites, moved))
    np.testing.assert_allclose(a.distance, b.distance, rtol=1e-10)


@pytest.mark.parametrize("name", ["deep", "deep signed", "residual", "conv"])
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_near_copies_come_back_from_anywhere(name, seed):
    rng = np.random.default_rng(seed)
    sym, shapes = CASES[name]
    reference = _sites(name, (), rng)
    near = {s: reference[s] + 1e-3 * rng.normal(size=(3, *shape)) for s, shape in shapes.items()}
    r = align(sym.act(_element(sym, 3, rng), near), reference, sym)
    assert (r.distance <= distance(near, reference, sym.sites) * (1 + 1e-9)).all()


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=4, deadline=None)
@given(seed=SEEDS)
def test_aligning_twice_is_aligning_once_and_never_hurts(name, seed):
    rng = np.random.default_rng(seed)
    sym, _ = CASES[name]
    sites, reference = _sites(name, (3,), rng), _sites(name, (), rng)
    once = align(sites, reference, sym)
    twice = align(once.sites, reference, sym)
    assert (once.distance <= once.distance_before).all()
    assert (twice.distance <= once.distance * (1 + 1e-12)).all()
    np.testing.assert_allclose(
        once.distance, distance(once.sites, reference, sym.sites), rtol=1e-10
    )


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 12), ties=st.booleans())
def test_one_units_is_scipys_optimum(seed, n, ties):
    rng = np.random.default_rng(seed)
    x, reference = rng.normal(size=(4, n)), rng.normal(size=n)
    if ties:
        x, reference = x.round(), reference.round()
    r = align({"mu": x}, {"mu": reference}, mixture(n, {"mu": 0}))
    for b in range(4):
        cost = np.square(reference[:, None] - x[b])
        rows, columns = linear_sum_assignment(cost)
        np.testing.assert_allclose(
            r.distance[b] ** 2, cost[rows, columns].sum(), rtol=1e-9, atol=1e-12
        )


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 20), ties=st.booleans())
def test_assignments_are_scipys(seed, n, ties):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(5, n, n))
    score = score.round() if ties else score
    permutation = assign(score)
    np.testing.assert_array_equal(np.sort(permutation, -1), np.tile(np.arange(n), (5, 1)))
    for s, p in zip(score, permutation, strict=True):
        rows, columns = linear_sum_assignment(s, maximize=True)
        np.testing.assert_allclose(s[np.arange(n), p].sum(), s[rows, columns].sum(), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, spread=st.floats(0.1, 4.0))
def test_scales_are_the_best_of_a_grid(seed, spread):
    rng = np.random.default_rng(seed)
    r, x = np.exp(spread * rng.normal(size=(2, 2, 50))) * rng.choice([-1, 1], (2, 2, 50))
    parts = {1: 2 * r[0] * x[0], 2: -(x[0] ** 2), -1: 2 * r[1] * x[1], -2: -(x[1] ** 2)}
    score, factor = best_factors("scaled", parts)
    grid = np.exp(np.linspace(np.log(1e-6), np.log(1e6), 4001))[:, None]
    best = sum(p * grid**q for q, p in parts.items()).max(0)
    size = np.square(r).sum(0)
    assert (score >= best - 1e-9 * (size + np.abs(best))).all()
    np.testing.assert_allclose(
        score, sum(p * factor**q for q, p in parts.items()), rtol=1e-9, atol=1e-12 * size.max()
    )


@pytest.mark.parametrize("name", ["signed layer", "deep", "hmm"])
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_single_precision_finds_what_double_does(name, seed):
    rng = np.random.default_rng(seed)
    sym, shapes = CASES[name]
    reference = {s: rng.normal(size=shape).astype(np.float32) for s, shape in shapes.items()}
    near = {
        s: reference[s] + 0.1 * rng.normal(size=(3, *shape)).astype(np.float32)
        for s, shape in shapes.items()
    }
    single = align(near, reference, sym)
    double = align(
        {s: x.astype(float) for s, x in near.items()},
        {s: x.astype(float) for s, x in reference.items()},
        sym,
    )
    np.testing.assert_allclose(single.distance, double.distance, rtol=1e-4)
