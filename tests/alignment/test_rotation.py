"""Rotations of factor models."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from numpyro_sym import SymmetryError
from numpyro_sym.alignment import align_procrustes, align_varimax, varimax


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
    with pytest.raises(SymmetryError, match="The reference has shape"):
        align_procrustes(np.ones((2, 4, 2)), np.ones((4, 3)))
