"""Gaussians with full covariances: distances, ways and matches held against brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.linalg
from numpyro.infer import autoguide

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.alignment import align_full_gaussians, bures_wasserstein_geodesic
from numpyro_sym.guides.full_gaussians import _moved

SYM = Symmetry([Units("unit", 3, incoming={"w1": 1}, outgoing={"w2": 0}, kind="signed")])
SHAPES = {"w2": (3,), "beside": (), "w1": (2, 3)}
SIZE = 10


def gaussian(seed):
    rng = np.random.default_rng(seed)
    loc = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    root = rng.normal(size=(SIZE, SIZE))
    return loc, root @ root.T + 0.1 * np.eye(SIZE)


def flat(sites):
    return np.concatenate([np.ravel(sites[name]) for name in SHAPES])


def matrix_of(g):
    """The element as a matrix on flat values: moved unit vectors."""
    rows = np.eye(SIZE)
    sites = {"w2": rows[:, :3], "beside": rows[:, 3], "w1": rows[:, 4:].reshape(-1, 2, 3)}
    moved = SYM.act(jax.tree.map(np.asarray, g), sites, sample_ndim=1)
    return np.concatenate([np.reshape(moved[name], (SIZE, -1)) for name in SHAPES], 1).T


def distance(loc0, cov0, loc1, cov1):
    """With SciPy's square root of a matrix."""
    root = scipy.linalg.sqrtm(cov0).real
    cross = np.trace(scipy.linalg.sqrtm(root @ cov1 @ root).real)
    return np.sqrt(((loc0 - loc1) ** 2).sum() + np.trace(cov0 + cov1) - 2 * cross)


def test_the_nearest_of_all():
    (loc, cov), (to, target) = gaussian(0), gaussian(1)
    found = align_full_gaussians(loc, cov, to, target, SYM)
    assert found.exact
    least = np.inf
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            m = matrix_of({"unit": nsym.Element(np.array(order), np.array(signs))})
            least = min(least, distance(m @ flat(loc), m @ cov @ m.T, flat(to), target))
    np.testing.assert_allclose(found.distance, least, rtol=1e-6)
    m = matrix_of(found.elements)
    np.testing.assert_allclose(found.covariance, m @ cov @ m.T, rtol=1e-10)
    np.testing.assert_allclose(flat(found.loc), m @ flat(loc), rtol=1e-10)
    np.testing.assert_allclose(
        found.distance_before, distance(flat(loc), cov, flat(to), target), rtol=1e-6
    )
    assert found.distance < found.distance_before


def test_a_moved_copy_is_recovered_where_only_correlations_tell():
    """Equal means, equal standard deviations: the covariance alone says which unit is which."""
    sym = nsym.mixture(3, {"mu": 0, "nu": 0})
    at = {"mu": np.zeros(3), "nu": np.zeros(3)}
    cov = np.eye(6)
    cov[0, 3] = cov[3, 0] = 0.8
    cov[1, 4] = cov[4, 1] = -0.5
    order = np.array([2, 0, 1, 5, 3, 4])
    found = align_full_gaussians(at, cov[np.ix_(order, order)], at, cov, sym)
    np.testing.assert_allclose(found.covariance, cov, atol=1e-12)
    assert found.distance < 1e-6 < found.distance_before


def test_large_groups_are_matched_by_means_and_deviations():
    sym = nsym.mixture(8, {"mu": 0})
    rng = np.random.default_rng(0)
    loc, order = {"mu": rng.normal(size=8)}, rng.permutation(8)
    root = rng.normal(size=(8, 8))
    cov = root @ root.T + np.eye(8)
    moved = {"mu": loc["mu"][order]}
    found = align_full_gaussians(moved, cov[np.ix_(order, order)], loc, cov, sym)
    assert not found.exact
    np.testing.assert_allclose(found.loc["mu"], loc["mu"])
    assert found.distance < 1e-5


def test_the_way_is_the_shortest():
    (loc, cov), (to, target) = gaussian(2), gaussian(3)
    t = np.linspace(0, 1, 5)
    means, covariances = bures_wasserstein_geodesic(loc, cov, to, target, t)
    assert means["w1"].shape == (5, 2, 3)
    assert covariances.shape == (5, SIZE, SIZE)
    np.testing.assert_allclose(covariances[0], cov, rtol=1e-8)
    np.testing.assert_allclose(covariances[-1], target, rtol=1e-6, atol=1e-8)
    whole = distance(flat(loc), cov, flat(to), target)
    for i in range(4):
        steps = []
        for k in (i, i + 1):
            at = np.concatenate([np.ravel(means[name][k]) for name in SHAPES])
            steps += [at, covariances[k]]
        np.testing.assert_allclose(distance(*steps), whole / 4, rtol=1e-5)


def model():
    w1 = numpyro.sample("w1", dist.Normal().expand([2, 3]).to_event(2))
    w2 = numpyro.sample("w2", dist.Normal().expand([3]).to_event(1))
    numpyro.sample("beside", dist.HalfNormal(1))
    numpyro.sample("y", dist.Normal((jnp.tanh(w1) @ w2).sum(), 1), obs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["AutoMultivariateNormal", "AutoLowRankMultivariateNormal"])
def test_guides_with_covariances(kind):
    guide = getattr(autoguide, kind)(model, init_scale=0.3)
    with numpyro.handlers.seed(rng_seed=0):
        guide()
    rng = np.random.default_rng(0)
    params = {"auto_loc": jnp.asarray(rng.normal(size=SIZE), jnp.float32)}
    if kind == "AutoMultivariateNormal":
        root = np.tril(rng.normal(size=(SIZE, SIZE)))
        np.fill_diagonal(root, np.exp(np.diag(root)))
        params["auto_scale_tril"] = jnp.asarray(root, jnp.float32)
    else:
        params["auto_cov_factor"] = jnp.asarray(rng.normal(size=(SIZE, 2)), jnp.float32)
        params["auto_scale"] = jnp.asarray(np.exp(rng.normal(size=SIZE)), jnp.float32)
    g = SYM.sample(jax.random.key(2))
    # The same law moved, as draws tell it: mean and covariance of unconstrained values.
    law = guide.get_posterior(params)
    there = law.sample(jax.random.key(0), (20_000,))
    names = ("w1", "w2")
    sites = {name: jax.vmap(guide._unpack_latent)(there)[name] for name in names}
    moved = SYM.act(g, sites, sample_ndim=1)
    other = {name: np.asarray(x) for name, x in moved.items()}
    back = nsym.align_guides(guide, params, guide, params, SYM)
    assert back.gaussian.distance < 1e-2
    for name, x in back.params.items():
        np.testing.assert_allclose(x, params[name], rtol=1e-3, atol=1e-5)
    # Moved as its parameters are, and recovered.
    planted = {**params, **_moved(guide, params, SYM, jax.tree.map(np.asarray, g))}
    drawn = guide.get_posterior(planted).sample(jax.random.key(1), (20_000,))
    for name in names:
        mine = np.asarray(jax.vmap(guide._unpack_latent)(drawn)[name])
        np.testing.assert_allclose(mine.mean(0), other[name].mean(0), atol=0.12)
        np.testing.assert_allclose(mine.std(0), other[name].std(0), rtol=0.05)
    found = nsym.align_guides(guide, params, guide, planted, SYM)
    assert found.gaussian.distance < 1e-2 < found.gaussian.distance_before
    for name, x in found.params.items():
        np.testing.assert_allclose(x, params[name], rtol=1e-3, atol=1e-4)
    assert found.geodesic(0.5)[1].shape == (SIZE, SIZE)


def changed(**changes):
    loc, cov = gaussian(0)
    given = {"loc": loc, "covariance": cov, "reference_loc": loc, "reference_covariance": cov}
    return align_full_gaussians(**{**given, "sym": SYM, **changes})


REFUSED = {
    "not symmetric": ({"covariance": np.triu(np.ones((SIZE, SIZE)))}, "not symmetric"),
    "negative": ({"covariance": -np.eye(SIZE)}, "negative eigenvalues"),
    "another size": ({"covariance": np.eye(4)}, "of the 10 values"),
    "deviations": ({"covariance": np.ones(SIZE)}, "a covariance"),
    "other sites": ({"reference_loc": {"w1": np.zeros((2, 3))}}, "the same sites"),
    "another order": ({"reference_loc": dict(reversed(gaussian(0)[0].items()))}, "same order"),
    "scales": (
        {"sym": Symmetry([Units("u", 3, incoming={"w1": 1}, kind="scaled")])},
        "are scaled",
    ),
    "no units": ({"sym": Symmetry()}, "no Units"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    changes, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        changed(**changes)


def test_no_way_from_a_singular_covariance():
    loc, cov = gaussian(0)
    singular = np.diag([0.0] + [1.0] * (SIZE - 1))
    with pytest.raises(SymmetryError, match="singular"):
        bures_wasserstein_geodesic(loc, singular, loc, cov, 0.5)
    bures_wasserstein_geodesic(loc, cov, loc, singular, 0.5)


def test_the_way_refuses_in_its_own_name():
    loc, cov = gaussian(0)
    other = dict(reversed(loc.items()))
    for given in ((loc, cov, loc, np.eye(4)), (loc, np.eye(4), loc, cov), (loc, cov, other, cov)):
        with pytest.raises(SymmetryError, match=r"^bures_wasserstein_geodesic: "):
            bures_wasserstein_geodesic(*given, 0.5)
