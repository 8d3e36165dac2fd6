"""Positions of other samplers: dicts of arrays whose leading axes are chains and draws, as BlackJAX
leaves them.
"""

from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import arviz

import numpyro_sym as nsym

SYM = nsym.Symmetry([nsym.Units("unit", 3, axes={"w": 1, "v": 0}, kind="signed")])
X = jnp.linspace(-2, 2, 8)
Y = jnp.tanh(jnp.outer(X, jnp.array([0.5, -1.5, 3.0]))) @ jnp.array([1.0, 2.0, -1.0])


def log_density(position):
    mean = jnp.tanh(X[:, None] * position["w"][0] + position["w"][1]) @ position["v"]
    prior = sum((x**2).sum() for x in jax.tree.leaves(position))
    return -0.5 * prior - 0.5 * ((Y - mean) ** 2).sum() / 0.1**2


def planted(chains=3, draws=5, noise=0.05):
    """Draws near one point, each in a labeling of its own."""
    rng = np.random.default_rng(0)
    truth = {"w": np.array([[0.5, -1.5, 3.0], [0.1, 0.2, -0.3]]), "v": np.array([1.0, 2.0, -1.0])}
    near = {
        name: x + noise * rng.normal(size=(chains, draws, *x.shape)) for name, x in truth.items()
    }
    return truth, near, SYM.act(SYM.sample(jax.random.key(1), (chains, draws)), near)


def test_align_takes_leading_axes_as_they_are(x64):
    truth, near, positions = planted()
    aligned = nsym.align(positions, truth, SYM)
    assert aligned.distance.shape == (3, 5)
    for name, x in near.items():
        np.testing.assert_allclose(aligned.sites[name], x, rtol=1e-12)
    # The nearest of all 48 copies, each written out.
    for chain, draw in product(range(3), range(5)):
        one = {name: np.asarray(x[chain, draw]) for name, x in positions.items()}
        copies = (
            (one["w"][:, list(p)] * s, one["v"][list(p)] * s)
            for p in permutations(range(3))
            for s in product([-1.0, 1.0], repeat=3)
        )
        best = min(((w - truth["w"]) ** 2).sum() + ((v - truth["v"]) ** 2).sum() for w, v in copies)
        np.testing.assert_allclose(np.asarray(aligned.distance[chain, draw]) ** 2, best, rtol=1e-9)


def test_rebasin_takes_them_once_they_are_arviz():
    truth, _, positions = planted()
    idata = nsym.rebasin(
        arviz({"posterior": {n: np.asarray(x) for n, x in positions.items()}}), SYM
    )
    spread = {name: np.asarray(idata.posterior[name]).std((0, 1)).max() for name in truth}
    before = {name: np.asarray(x).std((0, 1)).max() for name, x in positions.items()}
    assert max(spread.values()) < 0.1 < 0.5 < min(before.values())


def test_positions_of_blackjax_itself():
    blackjax = pytest.importorskip("blackjax")
    kernel = blackjax.hmc(log_density, 0.02, jnp.ones(9), 5)
    start = {"w": jnp.ones((2, 2, 3)) * jnp.arange(1.0, 4.0), "v": jnp.ones((2, 3))}
    states = jax.vmap(kernel.init)(start)

    def step(states, key):
        states, _ = jax.vmap(kernel.step)(jax.random.split(key, 2), states)
        return states, states.position

    states, draws = jax.lax.scan(step, states, jax.random.split(jax.random.key(0), 10))
    reference = jax.tree.map(lambda x: x[0], states.position)
    for positions, lead in ((states.position, (2,)), (draws, (10, 2))):
        aligned = nsym.align(positions, reference, SYM)
        assert aligned.distance.shape == lead
        np.testing.assert_allclose(
            log_density_of(aligned.sites, lead),
            log_density_of(positions, lead),
            rtol=1e-4,
            atol=1e-2,
        )
        assert (aligned.distance <= aligned.distance_before + 1e-5).all()


def log_density_of(positions, lead):
    each = log_density
    for _ in lead:
        each = jax.vmap(each)
    return each(positions)
