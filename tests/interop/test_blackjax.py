"""Samplers of BlackJAX: draws folded in their loops, and aligned after them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym import LogDensity
from numpyro_sym.alignment import align_in_jit, sorted_section

blackjax = pytest.importorskip("blackjax", reason="BlackJAX is not installed (extra interop)")
pytestmark = pytest.mark.slow  # where the continuous integration has it

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 2))
Y = np.tanh(X[:, 0]) - 0.5 * np.tanh(X[:, 1])
NETWORK = {"w1": RNG.normal(size=(2, 3)), "w2": RNG.normal(size=3)}


def prior(network):
    return -0.5 * sum(jnp.sum(w**2) for w in network.values())


def fit(network):
    return -2.0 * jnp.sum((jnp.tanh(X @ network["w1"]) @ network["w2"] - Y) ** 2)


def log_density(network):
    return prior(network) + fit(network)


@pytest.fixture(scope="module")
def sym():
    found = nsym.find_symmetry(LogDensity(log_density, NETWORK))
    assert found.order == 48
    return found


@pytest.fixture(scope="module")
def section(sym):
    return sorted_section(sym, {name: x.shape for name, x in NETWORK.items()})


def assert_folded(section, draws, folded):
    """Every folded draw is the representative of its draw, of the same density."""
    expected = jax.vmap(section.settle)(draws)[1]
    again = jax.vmap(section.settle)(folded)[1]
    for name, x in folded.items():
        np.testing.assert_allclose(x, expected[name], rtol=1e-6)
        np.testing.assert_allclose(again[name], x, rtol=1e-6)
    each = jax.vmap(log_density)
    np.testing.assert_allclose(each(folded), each(draws), rtol=1e-4, atol=1e-4)
    # Of 48 copies a chain is hardly ever in the chosen one.
    moved = np.abs(np.asarray(folded["w2"] - draws["w2"])).max(-1) > 0
    assert moved.any()


def assert_aligned(sym, draws):
    """The same nearest points, under jit and on the host."""
    point = {name: np.asarray(x[0]) for name, x in draws.items()}
    on_host = nsym.align({name: np.asarray(x) for name, x in draws.items()}, point, sym)
    in_jit = jax.jit(jax.vmap(lambda draw: align_in_jit(draw, point, sym)))(draws)
    np.testing.assert_allclose(in_jit.distance, on_host.distance, rtol=1e-4, atol=1e-4)
    assert (on_host.distance <= on_host.distance_before + 1e-6).all()


def position(seed):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.normal(size=x.shape), jnp.float32) for name, x in NETWORK.items()}


def test_nuts(sym, section):
    nuts = blackjax.nuts(log_density, step_size=0.1, inverse_mass_matrix=jnp.ones(9))

    @jax.jit
    def run(key, start):
        def step(state, key):
            state, _ = nuts.step(key, state)
            return state, (state.position, section.settle(state.position)[1])

        return jax.lax.scan(step, nuts.init(start), jax.random.split(key, 50))[1]

    draws, folded = run(jax.random.key(0), position(1))
    assert_folded(section, draws, folded)
    assert_aligned(sym, draws)


def test_mclmc(sym, section):
    start = blackjax.mclmc.init(position(1), log_density, jax.random.key(1))
    mclmc = blackjax.mclmc(log_density, L=1.0, step_size=0.1)

    @jax.jit
    def run(key, state):
        def step(state, key):
            state, _ = mclmc.step(key, state)
            return state, (state.position, section.settle(state.position)[1])

        return jax.lax.scan(step, state, jax.random.split(key, 50))[1]

    draws, folded = run(jax.random.key(2), start)
    assert_folded(section, draws, folded)
    assert_aligned(sym, draws)


def test_smc(sym, section):
    hmc = {"step_size": 0.1, "inverse_mass_matrix": jnp.ones(9), "num_integration_steps": 5}
    smc = blackjax.adaptive_tempered_smc(
        prior,
        fit,
        blackjax.hmc.build_kernel(),
        blackjax.hmc.init,
        blackjax.smc.extend_params(hmc),
        blackjax.smc.resampling.systematic,
        target_ess=0.5,
        num_mcmc_steps=2,
    )
    keys = jax.random.split(jax.random.key(0), 2)
    particles = {
        n: jax.random.normal(k, (64, *x.shape))
        for k, (n, x) in zip(keys, NETWORK.items(), strict=True)
    }

    @jax.jit
    def run(key, state):
        def unfinished(carry):
            return carry[1].tempering_param < 1

        def step(carry):
            key, state = carry
            key, now = jax.random.split(key)
            return key, smc.step(now, state)[0]

        state = jax.lax.while_loop(unfinished, step, (key, state))[1]
        return state.particles, jax.vmap(section.settle)(state.particles)[1]

    draws, folded = run(jax.random.key(1), smc.init(particles))
    assert_folded(section, draws, folded)
    assert_aligned(sym, draws)


def test_pathfinder(sym, section):
    @jax.jit
    def run(key, start):
        state, _ = blackjax.vi.pathfinder.approximate(key, log_density, start)
        draws, _ = blackjax.vi.pathfinder.sample(key, state, 50)
        return draws, jax.vmap(section.settle)(draws)[1]

    draws, folded = run(jax.random.key(0), position(2))
    assert_folded(section, draws, folded)
    assert_aligned(sym, draws)
