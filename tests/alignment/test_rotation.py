"""Rotations of factor models."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest

from numpyro_sym import SymmetryError
from numpyro_sym.alignment import align_procrustes, align_varimax, rotation, varimax, varimax_turns


def _orthogonal(rng, n, batch):
    return np.linalg.qr(rng.normal(size=(batch, n, n)))[0]


def _simple_structure(rng, p=12, q=3):
    loadings = np.zeros((p, q))
    loadings[np.arange(p), np.arange(p) % q] = rng.uniform(1, 2, p)
    return loadings


def _criterion(loadings):
    return np.square(loadings).var(-2).sum(-1)


def test_varimax_is_the_best_of_many_rotations():
    rng = np.random.default_rng(0)
    loadings = rng.normal(size=(4, 10, 2))
    rotation = varimax(loadings)
    np.testing.assert_allclose(
        rotation @ rotation.swapaxes(-1, -2), np.broadcast_to(np.eye(2), (4, 2, 2)), atol=1e-12
    )
    angle = np.linspace(0, np.pi, 2001)
    turns = np.moveaxis(
        np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), -1, 0
    )
    best = _criterion(loadings[:, None] @ turns).max(-1)
    found = _criterion(loadings @ rotation)
    assert (found >= best - 1e-5 * best).all()


def _one_at_a_time(x, tolerance=1e-7):
    """Kaiser's algorithm as he gives it: one matrix, pair after pair, until no angle is left."""
    x = x.copy()
    for _ in range(5000):
        largest = 0.0
        for i, j in combinations(range(x.shape[-1]), 2):
            u, v = x[:, i] ** 2 - x[:, j] ** 2, 2 * x[:, i] * x[:, j]
            across = 2 * ((u * v).mean() - u.mean() * v.mean())
            along = (u**2 - v**2).mean() - u.mean() ** 2 + v.mean() ** 2
            angle = np.arctan2(across, along) / 4
            c, s = np.cos(angle), np.sin(angle)
            x[:, i], x[:, j] = c * x[:, i] + s * x[:, j], c * x[:, j] - s * x[:, i]
            largest = max(largest, abs(angle))
        if largest <= tolerance:
            return x
    raise AssertionError


@pytest.mark.parametrize("factors", [2, 5, 8])
def test_slow_draws_and_quick_ones_end_where_each_alone_ends(factors):
    rng = np.random.default_rng(factors)
    simple = _simple_structure(rng, 16, factors)
    noise = np.repeat([0.01, 1.0], 6)[:, None, None]
    draws = (simple + noise * rng.normal(size=(12, *simple.shape))) @ _orthogonal(rng, factors, 12)
    turns = varimax(draws)
    alone = np.array([_criterion(_one_at_a_time(x)) for x in draws])
    assert (_criterion(draws @ turns) >= alone * (1 - 1e-9)).all()
    assert np.median(_criterion(draws) / alone) < 0.9  # the negative control
    np.testing.assert_allclose(turns, [varimax(x) for x in draws], atol=1e-6)


def test_blocks_of_draws_change_nothing(monkeypatch):
    draws = np.random.default_rng(6).normal(size=(11, 9, 5))
    turns = varimax(draws)
    monkeypatch.setattr(varimax_turns, "_BLOCK", 4)
    np.testing.assert_array_equal(varimax(draws), turns)


def test_newton_steps_follow_the_derivatives_of_the_criterion():
    rng = np.random.default_rng(4)
    z = rng.normal(size=(1, 7, 4))
    gradient, hessian = varimax_turns._derivatives(z)

    def change(angles):
        return varimax_turns._criterion(varimax_turns._turned(z, angles[None]))[0]

    step = 1e-4 * np.eye(6)
    slopes = [(change(h) - change(-h)) / 2e-4 for h in step]
    np.testing.assert_allclose(gradient[0], slopes, atol=1e-5)
    for h, row in zip(step, hessian[0], strict=True):
        mixed = [change(h + k) - change(h - k) - change(k - h) + change(-h - k) for k in step]
        np.testing.assert_allclose(np.array(mixed) / 4e-8, row, atol=1e-4)


def test_what_has_not_come_to_rest_says_so(monkeypatch):
    rng = np.random.default_rng(5)
    draws = rng.normal(size=(2, 3, 12, 6))
    assert align_varimax(draws).settled.shape == (2, 3)
    assert align_varimax(draws).settled.all()
    assert align_procrustes(draws).settled.all()
    monkeypatch.setattr(varimax_turns, "_MAX_SWEEPS", 2)
    monkeypatch.setattr(rotation, "_MAX_ITERATIONS", 2)
    stopped = align_varimax(draws)
    assert not stopped.settled.any()
    turns = stopped.rotation
    np.testing.assert_allclose(turns @ turns.swapaxes(-1, -2) - np.eye(6), 0, atol=1e-12)
    assert not align_procrustes(draws).settled.any()


def test_without_anything_to_turn_nothing_turns():
    flat = np.zeros((3, 5, 4))
    np.testing.assert_array_equal(varimax(flat), np.broadcast_to(np.eye(4), (3, 4, 4)))
    assert varimax(np.ones((5, 1))).tolist() == [[1.0]]


@pytest.mark.parametrize("method", [align_varimax, align_procrustes])
def test_rotated_draws_come_back_to_one(method):
    rng = np.random.default_rng(1)
    simple = _simple_structure(rng)
    turned = (simple + 0.01 * rng.normal(size=(50, *simple.shape))) @ _orthogonal(rng, 3, 50)
    assert turned.std(0).max() > 0.5  # the negative control
    r = method(turned)
    assert r.loadings.std(0).max() < 0.03
    np.testing.assert_allclose(r.loadings, turned @ r.rotation, atol=1e-12)
    np.testing.assert_allclose(r.distance, np.sqrt(np.square(r.loadings - r.reference).sum((1, 2))))
    np.testing.assert_allclose(r.reference, r.loadings.mean(0), atol=1e-3)


def test_signs_and_order_are_those_of_the_enumeration():
    rng = np.random.default_rng(2)
    draws = rng.normal(size=(20, 8, 3))
    r = align_varimax(draws)
    for x in r.loadings:
        every = (
            x[:, list(q)] * s for q in permutations(range(3)) for s in product((-1, 1), repeat=3)
        )
        best = min(np.square(y - r.reference).sum() for y in every)
        np.testing.assert_allclose(np.square(x - r.reference).sum(), best)


def test_procrustes_to_a_point_is_stationary():
    rng = np.random.default_rng(3)
    draws, reference = rng.normal(size=(2, 5, 8, 3)), rng.normal(size=(8, 3))
    r = align_procrustes(draws, reference)
    assert r.loadings.shape == draws.shape
    # At the optimum the cross product is symmetric and positive semidefinite.
    cross = r.loadings.swapaxes(-1, -2) @ reference
    np.testing.assert_allclose(cross, cross.swapaxes(-1, -2), atol=1e-10)
    assert (np.linalg.eigvalsh(cross) > 0).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(SymmetryError, match="loadings must be floats"):
        varimax(np.ones(3))
    with pytest.raises(SymmetryError, match="NaN"):
        align_procrustes(np.full((2, 4, 2), np.nan))
    with pytest.raises(SymmetryError, match="the reference has shape"):
        align_procrustes(np.ones((2, 4, 2)), np.ones((4, 3)))
