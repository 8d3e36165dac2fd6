"""All relabeling methods in one labeling, against counting and every permutation."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from numpyro_sym import Axis, Symmetry, SymmetryError, Units, mixture
from numpyro_sym.alignment import best_clustering, relabel, similarity_matrix

K, DRAWS, N = 4, 24, 30
EVERY = np.array(list(permutations(range(K))))
METHODS = (
    *("ecr", "ecr_iterative", "ecr_soft", "stephens", "data_based", "pivotal", "mean"),
    "ordering",
)


@pytest.fixture(scope="module")
def posterior():
    """Draws of a mixture, their labels shuffled: what ``relabel`` takes, and the truth."""
    rng = np.random.default_rng(0)
    center = 2.5 * np.arange(K)
    truth = np.arange(N) % K
    y = center[truth] + 0.5 * rng.normal(size=N)
    shuffles = rng.permuted(np.tile(np.arange(K), (DRAWS, 1)), axis=1)
    mu = np.take_along_axis(center + 0.2 * rng.normal(size=(DRAWS, K)), shuffles, -1)
    log_p = -0.5 * np.square((y[None, :, None] - mu[:, None, :]) / 0.5)
    p = np.exp(log_p - log_p.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    z = (p.cumsum(-1) < rng.random((DRAWS, N, 1))).sum(-1).clip(max=K - 1)
    sym = mixture(K, {"mu": 0}, assignments="z")
    given = {"probabilities": p, "data": y, "order_by": "mu"}
    return {"sites": {"mu": mu, "z": z}, "sym": sym, "given": given, "truth": truth}


@pytest.fixture(scope="module")
def found(posterior):
    return relabel(posterior["sites"], posterior["sym"], **posterior["given"])


def _random_partitions(seed, draws=12, observations=9):
    return np.random.default_rng(seed).integers(0, 3, (draws, observations))


# Similarity and the best clustering ---------------------------------------------------------------


def test_similarity_is_a_count():
    z = _random_partitions(0)
    counted = [[np.mean([a[i] == a[j] for a in z]) for j in range(9)] for i in range(9)]
    np.testing.assert_allclose(similarity_matrix(z), counted)
    np.testing.assert_allclose(similarity_matrix(z.reshape(3, 4, 9)), counted)
    # Neither a draw's own names nor their size matter.
    names = np.array([np.random.default_rng(i).permutation(10**6)[:3] for i in range(12)])
    renamed = np.take_along_axis(names, z, -1)
    np.testing.assert_allclose(similarity_matrix(renamed), counted)
    assert np.abs(similarity_matrix(np.arange(9)[None]) - counted).max() > 0.2


def _binder(a, b):
    pairs = combinations(range(len(a)), 2)
    return sum((a[i] == a[j]) != (b[i] == b[j]) for i, j in pairs)


def _variation(a, b):
    """Of information, in bits, from the table of both labels."""

    def entropy(*labels):
        share = np.unique(np.stack(labels), axis=1, return_counts=True)[1] / len(a)
        return -(share * np.log2(share)).sum()

    return 2 * entropy(a, b) - entropy(a) - entropy(b)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_clustering_has_the_least_binder_loss(seed):
    z = _random_partitions(seed)
    expected = [np.mean([_binder(a, b) for b in z]) for a in z]
    best = best_clustering(z.reshape(3, 4, 9))
    assert best.loss == pytest.approx(min(expected))
    row = np.ravel_multi_index(best.draw, (3, 4))
    assert expected[row] == pytest.approx(min(expected))
    np.testing.assert_array_equal(best.labels, z[row])
    assert max(expected) > min(expected) + 0.5


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_of_variation_of_information_is_below_it_and_exact_for_one_partition(seed):
    z = _random_partitions(seed)
    best = best_clustering(z, loss="vi")
    (row,) = best.draw
    assert 0 < best.loss <= np.mean([_variation(z[row], b) for b in z]) + 1e-9
    # Written as in the paper, one observation at a time.
    similarity = similarity_matrix(z)

    def bound(a):
        same = a[:, None] == a
        others = np.mean([np.log2((b[:, None] == b).sum(1)).mean() for b in z])
        shared = np.log2((similarity * same).sum(1)).mean()
        return np.log2(same.sum(1)).mean() + others - 2 * shared

    assert best.loss == pytest.approx(min(bound(a) for a in z), abs=1e-6)
    assert best_clustering(z[:1], loss="vi").loss == pytest.approx(0, abs=1e-6)


# All methods --------------------------------------------------------------------------------------


def test_every_method_runs_and_they_agree(posterior, found):
    assert found.methods == METHODS
    assert all(found.settled.values())
    assert found.agreement.shape == (8, 8)
    np.testing.assert_allclose(np.diag(found.agreement), 1)
    np.testing.assert_array_equal(found.agreement, found.agreement.T)
    assert found.agreement.min() > 0.97
    for method in METHODS:
        moved = posterior["sym"].act(found.elements[method], posterior["sites"])
        assert moved["mu"].std(0).max() < 0.5
        assert (found.clusterings[method] == found.clustering.labels).mean() > 0.95
    # The negative control: as they came labels mean nothing.
    z = posterior["sites"]["z"]
    assert np.mean([(a == found.clustering.labels).mean() for a in z]) < 0.5
    # The best clustering is the planted one, whatever it calls the components.
    pairs = similarity_matrix(np.stack([found.clustering.labels, posterior["truth"]]))
    assert np.isin(pairs, (0, 1)).mean() > 0.9


def test_agreement_is_a_count_of_labels(posterior, found):
    z = posterior["sites"]["z"]
    moved = {}
    for method in METHODS:
        order = found.elements[method]["component"].permutation
        moved[method] = np.array(
            [[list(q).index(k) for k in a] for a, q in zip(z, order, strict=True)]
        )
    for (i, a), (j, b) in combinations(enumerate(moved.values()), 2):
        assert found.agreement[i, j] == pytest.approx((a == b).mean())
    for method, new in moved.items():
        counts = np.array([np.bincount(column, minlength=K) for column in new.T])
        own = counts[np.arange(N), found.clusterings[method]]
        np.testing.assert_array_equal(own, counts.max(1))


def test_no_other_common_permutation_agrees_with_the_best_clustering_more(posterior, found):
    best, z = found.clustering.labels, posterior["sites"]["z"]
    for method in METHODS:
        order = found.elements[method]["component"].permutation
        new = np.take_along_axis(np.argsort(order, -1), z, -1)
        shares = [(np.argsort(q)[new] == best).mean() for q in EVERY]
        assert (new == best).mean() == pytest.approx(max(shares))
        assert min(shares) < 0.2


def test_a_relabeled_posterior_has_the_same_similarity_and_partition(posterior, found):
    rng = np.random.default_rng(5)
    sites, sym, given = (posterior[k] for k in ("sites", "sym", "given"))
    order = rng.permuted(np.tile(np.arange(K), (DRAWS, 1)), axis=1)
    element = {"component": found.elements["ecr"]["component"]._replace(permutation=order)}
    p = np.take_along_axis(given["probabilities"], order[:, None, :], -1)
    other = relabel(sym.act(element, sites), sym, **{**given, "probabilities": p})
    np.testing.assert_allclose(other.similarity, found.similarity)
    assert other.clustering.draw == found.clustering.draw
    assert other.clustering.loss == pytest.approx(found.clustering.loss)
    np.testing.assert_allclose(other.agreement, found.agreement, atol=0.02)


def test_disagreement_is_shown():
    """Labels that say one thing, and parameters that say another."""
    z = np.tile([0, 0, 0, 1, 1, 1], (6, 1))
    mu = np.array([[0.0, 5.0], [5.0, 0.0]] * 3)  # of these draws half are switched
    sym = mixture(2, {"mu": 0}, assignments="z")
    r = relabel({"mu": mu, "z": z}, sym, order_by="mu")
    assert r.methods == ("ecr", "ecr_iterative", "pivotal", "mean", "ordering")
    assert r.agreement[0, 1] == 1
    assert r.agreement[0, 2] == pytest.approx(0.5)
    frame = r.to_dataframe()
    assert frame.loc["ecr", "mean"] == pytest.approx(0.5)
    assert list(frame.index) == list(r.methods)
    assert frame.loc["ecr", "clustering"] == 1
    text = str(r).splitlines()
    assert text[0].split() == ["method", "settled", "clustering", *r.methods]
    assert text[1].split() == ["ecr", "yes", "1.000", "1.000", "1.000", "0.500", "0.500", "0.500"]


def test_what_has_not_settled_is_shown():
    rng = np.random.default_rng(0)
    sym = Symmetry([Units("component", K, axes={}, values=("z",))])
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p = rng.dirichlet(np.full(K, 0.3), size=(30, 12))
        z = (p.cumsum(-1) < rng.random((30, 12, 1))).sum(-1).clip(max=K - 1)
        r = relabel({"z": z}, sym, probabilities=p, data=rng.normal(size=12))
        assert r.methods == ("ecr", "ecr_iterative", "ecr_soft", "stephens", "data_based")
        if not all(r.settled.values()):
            assert " no " in str(r)
            assert not r.to_dataframe()["settled"].all()
            return
    raise AssertionError("every case has settled")


def test_labels_may_be_left_out(posterior, found):
    sites, sym, given = (posterior[k] for k in ("sites", "sym", "given"))
    p = given["probabilities"]
    r = relabel({"mu": sites["mu"]}, sym, probabilities=p, methods=["stephens", "mean"])
    likeliest = relabel({**sites, "z": p.argmax(-1)}, sym, methods=["mean"])
    np.testing.assert_array_equal(r.similarity, likeliest.similarity)
    assert r.agreement[0, 1] > 0.97


def test_sample_dimensions_are_kept(posterior, found):
    sites, sym, given = (posterior[k] for k in ("sites", "sym", "given"))
    chains = {name: x.reshape(2, 12, *x.shape[1:]) for name, x in sites.items()}
    p = given["probabilities"].reshape(2, 12, N, K)
    r = relabel(chains, sym, **{**given, "probabilities": p}, sample_ndim=2)
    np.testing.assert_allclose(r.agreement, found.agreement)
    assert np.ravel_multi_index(r.clustering.draw, (2, 12)) == found.clustering.draw[0]
    for method in METHODS:
        permutation = r.elements[method]["component"].permutation
        assert permutation.shape == (2, 12, K)
        np.testing.assert_array_equal(
            permutation.reshape(DRAWS, K), found.elements[method]["component"].permutation
        )
    assert sym.act(r.elements["mean"], chains)["z"].shape == (2, 12, N)


def test_what_does_not_fit_is_refused(posterior):
    sites, sym, given = (posterior[k] for k in ("sites", "sym", "given"))
    with pytest.raises(SymmetryError, match=r"'stephens' needs probabilities.*Without: .'ecr', "):
        relabel(sites, sym, methods=["stephens"])
    with pytest.raises(SymmetryError, match="'mean' needs parameters"):
        relabel({"z": sites["z"]}, sym, methods=["mean"])
    with pytest.raises(SymmetryError, match="different ones of"):
        relabel(sites, sym, methods=["ecr", "ecr"])
    with pytest.raises(SymmetryError, match=r"Write \['ecr'\]\."):
        relabel(sites, sym, order_by="mu", methods="ecr")
    with pytest.raises(SymmetryError, match="no site holds labels"):
        relabel({"mu": sites["mu"]}, sym)
    with pytest.raises(SymmetryError, match="must be a site of shape"):
        relabel(sites, sym, order_by="z")
    with pytest.raises(SymmetryError, match="labels have shape"):
        relabel(sites, sym, probabilities=given["probabilities"][:, :-1])
    with pytest.raises(SymmetryError, match="leading sample dimensions"):
        relabel(sites, sym, probabilities=given["probabilities"][:-1])
    with pytest.raises(SymmetryError, match="one row for each of 30"):
        relabel(sites, sym, data=given["data"][:-1])
    batch = Units("component", 2, batch=3, axes={"mu": Axis(1, batch=0)})
    with pytest.raises(SymmetryError, match="have a batch"):
        relabel({"mu": np.zeros((5, 3, 2))}, Symmetry([batch]))
    with pytest.raises(SymmetryError, match="has 0 Units"):
        relabel(sites, Symmetry())
    with pytest.raises(SymmetryError, match="are signed"):
        relabel(sites, Symmetry([Units("component", K, axes={"mu": 0}, kind="signed")]))
