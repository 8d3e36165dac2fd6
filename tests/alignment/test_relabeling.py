"""Relabeling against every permutation, each method by its own objective."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.alignment import (
    data_based,
    ecr,
    ecr_iterative,
    ecr_soft,
    ordering,
    pivotal,
    stephens,
)

K, DRAWS, N = 5, 30, 40
EVERY = np.array(list(permutations(range(K))))


@pytest.fixture(scope="module")
def posterior():
    """Draws of a mixture whose labels were shuffled: allocations, probabilities,
    locations, data.
    """
    rng = np.random.default_rng(0)
    center = 2.0 * np.arange(K)
    truth = rng.integers(0, K, N)
    y = center[truth] + 0.7 * rng.normal(size=N)
    shuffles = np.array([rng.permutation(K) for _ in range(DRAWS)])
    mu = (center + 0.3 * rng.normal(size=(DRAWS, K)))[np.arange(DRAWS)[:, None], shuffles]
    log_p = -0.5 * np.square((y[None, :, None] - mu[:, None, :]) / 0.7)
    p = np.exp(log_p - log_p.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    z = (p.cumsum(-1) < rng.random((DRAWS, N, 1))).sum(-1).clip(max=K - 1)
    return {"z": z, "p": p, "mu": mu, "y": y, "truth": truth, "shuffles": shuffles}


def _labels(z, permutation):
    """Allocations after ``new[i] = old[permutation[i]]``, one observation at a time."""
    return np.array([list(permutation).index(label) for label in z])


def _least(cost):
    return min(cost(q) for q in EVERY)


def test_ecr_disagrees_least(posterior):
    r = ecr(posterior["z"], posterior["truth"], K)
    best = [
        _least(lambda q, z=z: (_labels(z, q) != posterior["truth"]).sum()) for z in posterior["z"]
    ]
    ours = [
        (_labels(z, q) != posterior["truth"]).sum()
        for z, q in zip(posterior["z"], r.permutation, strict=True)
    ]
    assert ours == best
    assert r.objective == sum(best)


@pytest.mark.parametrize("method", ["iterative", "soft"])
def test_ecr_iterations_end_at_a_pivot_of_their_own(posterior, method):
    z, p = posterior["z"], posterior["p"]
    r = ecr_iterative(z, K) if method == "iterative" else ecr_soft(z, p)
    new = np.array([_labels(a, q) for a, q in zip(z, r.permutation, strict=True)])
    best = [_least(lambda q, a=a: (_labels(a, q) != r.pivot).sum()) for a in z]
    assert [(a != r.pivot).sum() for a in new] == best
    if method == "iterative":
        counts = np.array([np.bincount(column, minlength=K) for column in new.T])
        assert (counts[np.arange(N), r.pivot] == counts.max(1)).all()
    else:
        moved = np.array([a[:, q] for a, q in zip(p, r.permutation, strict=True)])
        np.testing.assert_array_equal(moved.mean(0).argmax(-1), r.pivot)


def test_stephens_has_the_least_divergence_from_its_mean(posterior):
    p = posterior["p"]
    r = stephens(p)

    def divergence(a, q):
        return (a[:, q] * (np.log(a[:, q]) - np.log(r.pivot))).sum()

    best = [_least(lambda q, a=a: divergence(a, q)) for a in p]
    np.testing.assert_allclose(
        [divergence(a, q) for a, q in zip(p, r.permutation, strict=True)], best, rtol=1e-9
    )
    np.testing.assert_allclose(r.objective, sum(best))
    moved = np.array([a[:, q] for a, q in zip(p, r.permutation, strict=True)])
    np.testing.assert_allclose(moved.mean(0), r.pivot, atol=1e-12)


def test_pivotal_is_nearest(posterior):
    x = np.stack([posterior["mu"], posterior["mu"] ** 2 / 10], -1)
    r = pivotal(x, x[0])
    best = [_least(lambda q, a=a: np.square(a[q] - x[0]).sum()) for a in x]
    np.testing.assert_allclose(
        [np.square(a[q] - x[0]).sum() for a, q in zip(x, r.permutation, strict=True)], best
    )


def test_data_based_costs_least(posterior):
    z, y = posterior["z"], posterior["y"]
    r = data_based(z, y, K)
    center, deviation = r.pivot[..., 0]

    def cost(a, q):
        label = _labels(a, q)
        return np.square((y - center[label]) / deviation[label]).sum()

    best = [_least(lambda q, a=a: cost(a, q)) for a in z]
    np.testing.assert_allclose([cost(a, q) for a, q in zip(z, r.permutation, strict=True)], best)
    np.testing.assert_allclose(r.objective, sum(best))


def test_ordering_orders(posterior):
    r = ordering(posterior["mu"])
    assert (np.diff(np.take_along_axis(posterior["mu"], r.permutation, -1)) > 0).all()


@pytest.mark.parametrize(
    "name", ["ecr", "ecr_iterative", "ecr_soft", "stephens", "pivotal", "data_based", "ordering"]
)
def test_every_method_undoes_the_shuffle(posterior, name):
    z, p, mu, y = (posterior[k] for k in ("z", "p", "mu", "y"))
    r = {
        "ecr": lambda: ecr(z, posterior["truth"], K),
        "ecr_iterative": lambda: ecr_iterative(z, K),
        "ecr_soft": lambda: ecr_soft(z, p),
        "stephens": lambda: stephens(p),
        "pivotal": lambda: pivotal(mu[..., None], mu[0][:, None]),
        "data_based": lambda: data_based(z, y, K),
        "ordering": lambda: ordering(mu),
    }[name]()
    moved = np.take_along_axis(mu, r.element.permutation, -1)
    assert moved.std(0).max() < 0.6
    assert mu.std(0).min() > 2  # the negative control: as they came the labels mean nothing


def test_sample_dimensions_are_kept(posterior):
    z = posterior["z"].reshape(2, 15, N)
    np.testing.assert_array_equal(
        ecr(z, posterior["truth"], K).permutation.reshape(DRAWS, K),
        ecr(posterior["z"], posterior["truth"], K).permutation,
    )
    assert stephens(posterior["p"].reshape(2, 15, N, K)).permutation.shape == (2, 15, K)
    assert ecr_iterative(z, K).permutation.shape == (2, 15, K)
    assert data_based(z, posterior["y"], K).permutation.shape == (2, 15, K)


@pytest.fixture(scope="module")
def subjects(posterior):
    """Three subjects that share the locations, each draw of each with an order of its own."""
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 3, N)
    orders = np.argsort(rng.random((DRAWS, 3, K)), -1)
    undone = np.argsort(posterior["shuffles"], -1)
    settled = np.take_along_axis(posterior["p"], undone[:, None, :], -1)
    p = np.take_along_axis(settled, orders[:, groups], -1)
    z = (p.cumsum(-1) < rng.random((DRAWS, N, 1))).sum(-1).clip(max=K - 1)
    mu = np.take_along_axis(np.take_along_axis(posterior["mu"], undone, -1)[:, None, :], orders, -1)
    return {"groups": groups, "p": p, "z": z, "mu": mu}


@pytest.mark.parametrize(
    "name", ["ecr", "ecr_iterative", "ecr_soft", "stephens", "pivotal", "data_based"]
)
def test_each_group_is_relabeled_by_itself(posterior, subjects, name):
    z, p, mu, groups = (subjects[k] for k in ("z", "p", "mu", "groups"))
    y, truth = posterior["y"], posterior["truth"]
    run = {
        "ecr": lambda rows, g: ecr(z[..., rows], truth[rows], K, g),
        "ecr_iterative": lambda rows, g: ecr_iterative(z[..., rows], K, g),
        "ecr_soft": lambda rows, g: ecr_soft(z[..., rows], p[..., rows, :], g),
        "stephens": lambda rows, g: stephens(p[..., rows, :], g),
        "data_based": lambda rows, g: data_based(z[..., rows], y[rows], K, g),
        "pivotal": lambda rows, g: pivotal(mu[..., None], mu[0, ..., None]),
    }[name]
    whole = run(np.arange(N), groups)
    assert whole.permutation.shape == (DRAWS, 3, K)
    if name != "pivotal":
        parts = [run(np.flatnonzero(groups == g), None) for g in range(3)]
        np.testing.assert_array_equal(
            whole.permutation, np.stack([part.permutation for part in parts], 1)
        )
        assert whole.objective == pytest.approx(sum(part.objective for part in parts))
    if name in ("ecr", "ecr_iterative", "ecr_soft", "stephens"):
        for g, part in enumerate(parts):
            np.testing.assert_array_equal(whole.pivot[groups == g], part.pivot)
    if name in ("ecr", "stephens", "pivotal"):
        moved = np.take_along_axis(mu, whole.permutation, -1)
        assert np.median(moved.std(0)) < 0.6
        assert np.median(mu.std(0)) > 2
    # The element is one of Units with a batch.
    units = Units("component", K, batch=3, axes={"mu": Axis(1, batch=0)})
    assert Symmetry([units]).act({"component": whole.element}, {"mu": mu})["mu"].shape == mu.shape


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([0] * (N - 1), r"one for each observation; got shape \(39,\)"),
        ([0.0] * N, "dtype float64"),
        ([-1] * N, "count from 0"),
        ([0] * (N - 1) + [2], "group 1 of 3 has no observations"),
    ],
)
def test_groups_that_do_not_fit_are_refused(posterior, groups, said):
    with pytest.raises(SymmetryError, match=said):
        stephens(posterior["p"], groups)
    with pytest.raises(SymmetryError, match=said):
        ecr_iterative(posterior["z"], K, groups=groups)


def test_what_does_not_fit_is_refused(posterior):
    z, p = posterior["z"], posterior["p"]
    with pytest.raises(SymmetryError, match=r"must lie in 0 \.\. 4; got 1 \.\. 5.*count from 1"):
        ecr(z + 1, posterior["truth"], K)
    with pytest.raises(SymmetryError, match="must be ints"):
        ecr_iterative(z.astype(float), K)
    with pytest.raises(SymmetryError, match="the pivot has shape"):
        ecr(z, posterior["truth"][:-1], K)
    with pytest.raises(SymmetryError, match="sum to 1"):
        stephens(p * 2)
    with pytest.raises(SymmetryError, match="NaN"):
        stephens(np.where(p > 0.9, np.nan, p))
    with pytest.raises(SymmetryError, match="allocations have shape"):
        ecr_soft(z[:, :-1], p)
    with pytest.raises(SymmetryError, match="expected 40 observations"):
        data_based(z, posterior["y"][:-1], K)
