"""Checkpoints in the layouts of others, aligned by a symmetry found from a JAX function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import constraints

import numpyro_sym as nsym
from numpyro_sym import LogDensity
from numpyro_sym.interop import pytree_of, pytrees_of, sites_of, stacked_sites


def mlp_state(seed, widths=(4, 6, 5, 3)):
    """A state_dict as torch writes it: weights (out, in)."""
    rng, state = np.random.default_rng(seed), {}
    for i in range(len(widths) - 1):
        state[f"net.{2 * i}.weight"] = rng.normal(size=(widths[i + 1], widths[i]))
        state[f"net.{2 * i}.bias"] = rng.normal(size=widths[i + 1])
    return state


def mlp_apply(state, x):
    for i in range(len(state) // 2):
        if i:
            x = jax.nn.gelu(x)
        x = x @ state[f"net.{2 * i}.weight"].T + state[f"net.{2 * i}.bias"]
    return x


X = np.random.default_rng(5).normal(size=(6, 4))


@pytest.mark.slow
def test_networks_are_merged_and_averaged():
    first, second = mlp_state(0), mlp_state(0)
    found = nsym.find_symmetry(LogDensity.of_function(mlp_apply, first, X))
    assert found.order == 720 * 120
    # Copies of one network, each with units in another order.
    copies = []
    for seed in range(3):
        copies.append(found.act(found.sample(jax.random.key(seed)), sites_of(second)))
    aligned = nsym.align(stacked_sites(copies), first, found)
    average = pytree_of({name: x.mean(0) for name, x in aligned.sites.items()}, like=first)
    np.testing.assert_allclose(mlp_apply(average, X), mlp_apply(first, X), atol=1e-5)
    for network in pytrees_of(aligned.sites, like=first):
        np.testing.assert_allclose(network["net.2.weight"], first["net.2.weight"], atol=1e-6)
    # Without alignment their average is another function.
    naive = pytree_of({n: x.mean(0) for n, x in stacked_sites(copies).items()}, like=first)
    assert np.abs(mlp_apply(naive, X) - mlp_apply(first, X)).max() > 0.1


# A residual network -----------------------------------------------------------------------------

WIDTHS = (8, 12, 16)


def resnet_state(seed):
    """A state_dict of a residual network: convolutions (out, in, height, width), no biases."""
    rng, state = np.random.default_rng(seed), {}

    def conv(name, out, into, size):
        state[f"{name}.weight"] = rng.normal(size=(out, into, size, size)) / np.sqrt(into * size**2)

    def norm(name, n):
        state[f"{name}.weight"] = rng.uniform(0.5, 1.5, n)
        state[f"{name}.bias"] = rng.normal(size=n)
        state[f"{name}.running_mean"] = rng.normal(size=n)
        state[f"{name}.running_var"] = rng.uniform(0.5, 1.5, n)
        state[f"{name}.num_batches_tracked"] = np.array(7)

    conv("conv1", WIDTHS[0], 3, 3)
    norm("bn1", WIDTHS[0])
    into = WIDTHS[0]
    for stage, n in enumerate(WIDTHS):
        for block in range(2):
            name = f"layer{stage + 1}.{block}"
            conv(f"{name}.conv1", n, into, 3)
            norm(f"{name}.bn1", n)
            conv(f"{name}.conv2", n, n, 3)
            norm(f"{name}.bn2", n)
            if into != n:
                conv(f"{name}.downsample.0", n, into, 1)
                norm(f"{name}.downsample.1", n)
            into = n
    state["fc.weight"], state["fc.bias"] = rng.normal(size=(10, into)), rng.normal(size=10)
    for name, x in state.items():
        if x.dtype == np.float64:
            state[name] = x.astype(np.float32)
    return state


def resnet_apply(state, x):
    def conv(name, x, stride=1):
        w = state[f"{name}.weight"]
        pad = w.shape[-1] // 2
        return jax.lax.conv_general_dilated(x, w, (stride, stride), [(pad, pad)] * 2)

    def norm(name, x):
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        scale = state[f"{name}.weight"] / jnp.sqrt(var + 1e-5)
        shift = state[f"{name}.bias"] - mean * scale
        return x * scale[:, None, None] + shift[:, None, None]

    x = jax.nn.relu(norm("bn1", conv("conv1", x)))
    for stage in range(len(WIDTHS)):
        for block in range(2):
            name = f"layer{stage + 1}.{block}"
            stride = 2 if stage and not block else 1
            y = jax.nn.relu(norm(f"{name}.bn1", conv(f"{name}.conv1", x, stride)))
            y = norm(f"{name}.bn2", conv(f"{name}.conv2", y))
            if f"{name}.downsample.0.weight" in state:
                x = norm(f"{name}.downsample.1", conv(f"{name}.downsample.0", x, stride))
            x = jax.nn.relu(x + y)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.slow
def test_residual_networks_in_torchs_layout_are_recovered_exactly():
    state = resnet_state(0)
    network = sites_of(state)  # less the counters
    images = np.random.default_rng(1).normal(size=(2, 3, 8, 8))
    supports = {name: constraints.positive for name in network if name.endswith("running_var")}
    density = LogDensity.of_function(resnet_apply, network, images, supports=supports)
    found = nsym.find_symmetry(density, include="permutation")
    # The residual stream of each stage, and the inner channels of each of its two blocks.
    assert sorted(u.n for u in found) == sorted(3 * WIDTHS)
    planted = found.sample(jax.random.key(0))
    moved = found.act(planted, network)
    assert np.abs(moved["layer2.1.conv2.weight"] - network["layer2.1.conv2.weight"]).max() > 0.1
    np.testing.assert_allclose(
        resnet_apply(moved, images), resnet_apply(network, images), rtol=1e-3, atol=1e-3
    )
    aligned = nsym.align({name: np.asarray(x) for name, x in moved.items()}, network, found)
    assert aligned.distance == 0
    for name, undone in found.inverse(planted).items():
        np.testing.assert_array_equal(aligned.elements[name].permutation, undone.permutation)
    back = pytree_of(aligned.sites, like=state)
    for name, x in state.items():
        np.testing.assert_array_equal(back[name], x)
