"""Barriers against closed forms; networks renamed and aligned again have none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from planted import TWO_LAYERS, gaussian_network, two_layers

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.alignment import align_gaussians, wasserstein_geodesic
from numpyro_sym.diagnostics import loss_barrier, marginalized_barrier

X = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)


def test_double_well():
    """(w**2 - 1)**2 between its wells: height 1, at the middle; and tilted, by the excess over the
    line.
    """
    found = loss_barrier(
        lambda p: (p["w"] ** 2 - 1) ** 2, {"w": np.float32(-1)}, {"w": np.float32(1)}, num_points=41
    )
    assert found.height == pytest.approx(1)
    assert found.t[found.excess.argmax()] == 0.5
    tilted = loss_barrier(
        lambda p: (p["w"] ** 2 - 1) ** 2 + 3 * p["w"], {"w": np.float32(-1)}, {"w": np.float32(1)}
    )
    assert tilted.height == pytest.approx(1, abs=1e-6)
    convex = loss_barrier(lambda p: p["w"] ** 2, {"w": np.float32(-1)}, {"w": np.float32(2)})
    assert convex.height == 0
    assert convex.excess.min() == pytest.approx(-2.25, abs=1e-2)


def test_marginalized_loss_is_the_closed_form(x64):
    """A line with Gaussian slope: E_q p(y | x, w) is a Gaussian whose variance holds
    the slope's.
    """
    x, y = np.linspace(-2, 2, 7), np.linspace(1, -1, 7)
    ends = [
        ({"w": np.array(1.0)}, {"w": np.array(0.3)}),
        ({"w": np.array(-2.0)}, {"w": np.array(0.1)}),
    ]

    def log_likelihood(point):
        return jax.scipy.stats.norm.logpdf(y, point["w"] * x, 1.0)

    found = marginalized_barrier(
        log_likelihood, *ends, jax.random.key(0), num_draws=20000, num_points=5
    )
    for t, loss in zip(found.t, found.loss, strict=True):
        mean, sd = (1 - t) * 1.0 - 2.0 * t, (1 - t) * 0.3 + t * 0.1
        expected = -scipy.stats.norm.logpdf(y, mean * x, np.sqrt(1 + (sd * x) ** 2)).sum()
        assert loss == pytest.approx(expected, abs=0.03)


@pytest.fixture(scope="module")
def network():
    """A Gaussian over a network, what it predicts, and the same Gaussian with its units renamed."""
    (loc, scale), _, _ = gaussian_network(num_draws=2)
    loc, scale = ({n: x.astype(np.float32) for n, x in d.items()} for d in (loc, scale))
    labels = np.asarray(two_layers(loc, X)).argmax(-1)

    def log_likelihood(point):
        return jax.nn.log_softmax(3 * two_layers(point, X))[jnp.arange(60), labels]

    g = TWO_LAYERS.sample(jax.random.key(1))
    unsigned = {name: nsym.Element(e.permutation, abs(e.factor)) for name, e in g.items()}
    other = tuple(
        {name: np.asarray(x) for name, x in TWO_LAYERS.act(h, d).items()}
        for h, d in ((g, loc), (unsigned, scale))
    )
    return log_likelihood, (loc, scale), other


def test_a_renamed_network_is_far_until_it_is_aligned(network):
    log_likelihood, (loc, _), (other, _) = network

    def loss(point):
        return -log_likelihood(point).mean()

    assert loss_barrier(loss, loc, other).height > 0.1
    aligned = nsym.align({n: x[None] for n, x in other.items()}, loc, TWO_LAYERS).sites
    assert loss_barrier(loss, loc, {n: x[0] for n, x in aligned.items()}).height < 1e-5


def test_a_renamed_gaussian_is_far_until_it_is_aligned(network):
    log_likelihood, here, there = network
    keys = jax.random.split(jax.random.key(0), 2)
    found = align_gaussians(*there, *here, TWO_LAYERS)
    before, after = (
        np.array(
            [
                marginalized_barrier(
                    log_likelihood, here, end, k, num_draws=16, num_points=5
                ).height
                for k in keys
            ]
        )
        for end in (there, (found.loc, found.scale))
    )
    assert before.min() > 5
    assert after.max() < 1e-3  # the same Gaussian, draw by draw
    losses = [
        marginalized_barrier(log_likelihood, here, there, k, num_draws=16, num_points=3).loss[0]
        for k in keys
    ]
    assert np.std(losses) > after.max()


def test_only_the_wasserstein_metric_recovers_permuted_spreads():
    """Equal means: which unit is which is told by the standard deviations alone."""
    sym = nsym.mixture(4, {"mu": 0})
    loc, scale = {"mu": np.zeros(4)}, {"mu": np.array([0.1, 0.5, 1.0, 2.0])}
    order = [2, 0, 3, 1]
    found = align_gaussians(loc, {"mu": scale["mu"][order]}, loc, scale, sym)
    np.testing.assert_array_equal(found.scale["mu"], scale["mu"])
    by_means = nsym.align({"mu": np.zeros((1, 4))}, loc, sym).elements["component"].permutation[0]
    assert not np.array_equal(scale["mu"][order][by_means], scale["mu"])


REFUSED = {
    "the same sites of the same shapes": lambda: loss_barrier(
        lambda p: 0.0, {"w": np.ones(2)}, {"w": np.ones(3)}
    ),
    "an int of at least 3": lambda: loss_barrier(
        lambda p: 0.0, {"w": np.ones(2)}, {"w": np.ones(2)}, num_points=2
    ),
    "It names no site": lambda: marginalized_barrier(
        lambda p: jnp.zeros(1),
        ({"w": np.ones(2)}, {}),
        ({"w": np.ones(2)}, {"w": np.ones(2)}),
        jax.random.key(0),
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def test_the_way_between_ints_is_no_staircase():
    """Between -1 and 1 lie numbers that are no ints; so do they between those of a Gaussian."""
    found = loss_barrier(
        lambda p: (p["w"] ** 2 - 1.0) ** 2, {"w": np.array(-1)}, {"w": np.array(1)}, num_points=5
    )
    np.testing.assert_allclose(found.loss, [0, 0.5625, 1, 0.5625, 0])
    moved, _ = wasserstein_geodesic(
        *({"w": np.array([x])} for x in (0, 1, 2, 1)), t=np.array([0.25])
    )
    assert moved["w"].tolist() == [[0.5]]


def test_losses_that_are_no_numbers():
    ends = {"w": np.zeros(2)}, {"w": np.ones(2)}
    for loss, message in (
        (lambda p: p["w"], "must return one real number; it returns an array of shape"),
        (lambda p: p["v"].sum(), "raised KeyError"),
        (lambda p: jnp.log(p["w"].sum() - 3.0), "NaN on the way"),
    ):
        with pytest.raises(SymmetryError, match=message):
            loss_barrier(loss, *ends)
