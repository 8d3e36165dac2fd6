"""Functional modes from draws, and the symmetry removal of Wiese et al. beside the alignment."""

import jax
import numpy as np
import pytest
from registry import moving

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import chains_needed, functional_modes
from numpyro_sym.mcmc import remove_symmetry


def draws_of(centers, num_draws=100, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return np.asarray(centers)[:, None] + noise * rng.normal(size=(len(centers), num_draws, 3))


A, B, C = np.zeros(3), np.array([4.0, 0, 0]), np.array([0, 0, -4.0])


def test_modes_and_their_weights():
    modes = functional_modes(draws_of([A, B, A, A, C, A, A, B]))
    np.testing.assert_allclose(modes.weights, [5 / 8, 2 / 8, 1 / 8])
    np.testing.assert_allclose(modes.probabilities, [5 / 8, 2 / 8, 1 / 8])
    assert modes.labels[:, 0].tolist() == [0, 1, 0, 0, 2, 0, 0, 1]
    assert (modes.labels == modes.labels[:, :1]).all()
    assert modes.unseen == 1 / 8
    assert chains_needed(probabilities=modes.probabilities) > chains_needed(
        probabilities=[0.625, 0.375]
    )


def test_chain_that_changes_its_mode_belongs_to_the_one_it_keeps_to():
    draws = draws_of([A, B, A])
    draws[2, :30] += B - A
    modes = functional_modes(draws)
    np.testing.assert_allclose(modes.weights, [170 / 300, 130 / 300])
    np.testing.assert_allclose(modes.probabilities, [2 / 3, 1 / 3])


@pytest.mark.parametrize("features", [1, 2, 8])
def test_one_mode_is_one(features):
    """Negative control: chains of one law are not split."""
    draws = np.random.default_rng(features).normal(size=(4, 150, features))
    assert len(functional_modes(draws).weights) == 1


def test_number_of_modes_given():
    """Two that touch are told apart where it is said that there are two."""
    draws = draws_of([A, A + np.array([1.5, 0, 0])], noise=0.4)
    modes = functional_modes(draws, num_modes=2)
    assert (modes.labels[0] == modes.labels[0, 0]).mean() > 0.9
    assert (modes.labels[1] == 1 - modes.labels[0, 0]).mean() > 0.9


REFUSED = {
    "shape .chain, draw, ...": lambda: functional_modes(np.ones(4)),
    "NaN or infinity": lambda: functional_modes(np.full((2, 20, 3), np.nan)),
    "too few for 10 neighbors": lambda: functional_modes(np.ones((2, 3, 1))),
    "exceeds max_modes": lambda: functional_modes(np.ones((2, 30, 1)), num_modes=11),
    "got 1": lambda: remove_symmetry({"mu": np.ones((1, 3))}, nsym.mixture(3, {"mu": 0})),
    "Units 'hidden' are scaled": lambda: remove_symmetry(
        {}, nsym.mlp(["w1", "w2"], [3], kind="scaled")
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def shuffled(sym, shapes, noise, num_draws=200):
    """One point with noise, each draw under an element of its own; and the same draws before."""
    rng = np.random.default_rng(0)
    still = {
        n: rng.normal(size=s) + noise * rng.normal(size=(num_draws, *s)) for n, s in shapes.items()
    }
    return still, {
        n: np.asarray(x)
        for n, x in sym.act(sym.sample(jax.random.key(0), (num_draws,)), still).items()
    }


NETWORK = nsym.mlp(["w1", "w2"], [5], biases=["b1"], kind="signed")
SHAPES = {"w1": (2, 5), "b1": (5,), "w2": (5, 1)}


@pytest.mark.usefixtures("x64")
def test_removal_undoes_planted_elements():
    """All draws agree again: what is left within a slot is the noise; the alignment's distances are
    the same.
    """
    still, draws = shuffled(NETWORK, SHAPES, noise=0.1)
    removed = remove_symmetry(draws, NETWORK)
    aligned = nsym.align(draws, "mean", NETWORK)
    for name, x in NETWORK.act(removed.elements, draws).items():
        np.testing.assert_allclose(removed.sites[name], x)
    for found in (removed, aligned):
        for name, x in found.sites.items():
            np.testing.assert_allclose(
                np.sort(x.std(0).ravel()), np.sort(still[name].std(0).ravel()), rtol=1e-9
            )
    assert max(draws[name].std(0).max() for name in SHAPES) > 1  # so there was something to undo


@pytest.mark.usefixtures("x64")
def test_removal_keeps_draws_on_their_orbits_where_it_fails():
    """Units that overlap are more than nearest neighbors tell; the assignment is nearer to its
    mean.
    """
    _, draws = shuffled(NETWORK, SHAPES, noise=0.8, num_draws=60)
    removed = remove_symmetry(draws, NETWORK)
    aligned = nsym.align(draws, "mean", NETWORK)
    g = moving(NETWORK, jax.random.key(1))
    fold = nsym.alignment.sorted_section(NETWORK, SHAPES).fold
    for i in (7,):
        at = {name: x[i] for name, x in removed.sites.items()}
        for name, x in fold(NETWORK.act(g, {name: x[i] for name, x in draws.items()})).items():
            np.testing.assert_allclose(fold(at)[name], x, rtol=1e-9)
    spread = [sum((x.var(0)).sum() for x in found.sites.values()) for found in (aligned, removed)]
    assert spread[0] < spread[1]
