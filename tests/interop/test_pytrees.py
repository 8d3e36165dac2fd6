"""Pytrees as sites and back, whatever they are made of."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from numpyro_sym import SymmetryError
from numpyro_sym.interop import pytree_of, pytrees_of, sites_of, stacked_sites


@jax.tree_util.register_dataclass
@dataclass
class Layer:
    weight: jax.Array
    bias: jax.Array


class Net(nnx.Module):
    def __init__(self, seed=0):
        rngs = nnx.Rngs(seed)
        self.first = nnx.Linear(2, 3, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(3, 1, rngs=rngs)


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(1)(jnp.tanh(linen.Dense(3)(x)))


def nnx_net(seed):
    return Net(seed)


def nnx_state(seed):
    return nnx.split(Net(seed), nnx.Param, ...)[1]


def linen_params(seed):
    return LinenNet().init(jax.random.key(seed), jnp.ones((1, 2)))


def equinox_mlp(seed):
    return eqx.nn.MLP(2, 1, 3, 1, key=jax.random.key(seed))


def dataclasses(seed):
    return [
        Layer(jnp.full((2, 3), float(seed)), jnp.zeros(3)),
        Layer(jnp.ones((3, 1)), jnp.ones(1)),
    ]


def nested(seed):
    first = {"w": np.full((2, 3), seed, float), "activation": np.tanh}
    return {"layers": (first, {"w": np.ones(3), "name": None}), "scale": 0.5, "steps": 3}


#: Makers of pytrees, and the sites that each has.
MAKERS = {
    nnx_net: {"first.bias", "first.kernel", "last.bias", "last.kernel"},
    nnx_state: {"first.bias", "first.kernel", "last.bias", "last.kernel"},
    linen_params: {f"params.Dense_{i}.{x}" for i in (0, 1) for x in ("kernel", "bias")},
    equinox_mlp: {f"layers.{i}.{x}" for i in (0, 1) for x in ("weight", "bias")},
    dataclasses: {f"{i}.{x}" for i in (0, 1) for x in ("weight", "bias")},
    nested: {"layers.0.w", "layers.1.w", "scale"},
}


@pytest.mark.parametrize("make", MAKERS)
def test_sites_are_named_by_their_path(make):
    assert sites_of(make(0)).keys() == MAKERS[make]


@pytest.mark.parametrize("make", MAKERS)
def test_there_and_back(make):
    tree = make(1)
    moved = {name: x + 1.0 for name, x in sites_of(tree).items()}
    back = pytree_of(moved, like=make(0))
    assert type(back) is type(tree)
    assert jax.tree.structure(back) == jax.tree.structure(tree)
    for name, x in sites_of(back).items():
        np.testing.assert_array_equal(x, moved[name])


@pytest.mark.parametrize("make", MAKERS)
def test_several_are_draws(make):
    trees = [make(seed) for seed in range(3)]
    draws = stacked_sites(trees)
    back = pytrees_of(draws, like=trees[0])
    for seed, tree in enumerate(trees):
        for name, x in sites_of(tree).items():
            np.testing.assert_array_equal(draws[name][seed], x)
            np.testing.assert_array_equal(sites_of(back[seed])[name], x)
    stacked = pytree_of(draws, like=trees[0])
    assert all(len(x) == 3 for x in sites_of(stacked).values())


def test_what_comes_back_still_computes():
    net = Net()
    doubled = pytree_of({name: 2 * x for name, x in sites_of(net).items()}, like=net)
    x = jnp.ones((1, 2))
    np.testing.assert_allclose(doubled.first(x), 2 * net.first(x), rtol=1e-6)


def test_arrays_stay_numpys_or_jaxs():
    assert isinstance(stacked_sites([{"w": np.ones(2)}])["w"], np.ndarray)
    assert isinstance(stacked_sites([{"w": jnp.ones(2)}])["w"], jax.Array)


def test_one_array_is_a_pytree():
    assert sites_of(np.ones(3)).keys() == {"position"}
    np.testing.assert_array_equal(pytree_of({"position": np.ones(3)}, like=np.zeros(3)), np.ones(3))


def test_traced():
    tree = {"w": jnp.ones(3), "f": jnp.tanh}
    through = jax.jit(lambda sites: pytree_of(sites, like=tree)["w"].sum())
    assert through(sites_of(tree)) == 3.0


REFUSED = {
    "colliding paths": (lambda: sites_of({"a.b": np.ones(1), "a": {"b": np.ones(1)}}), "'a.b'"),
    "no floats": (lambda: sites_of({"n": np.arange(3)}), "no array of floats"),
    "a site missing": (lambda: pytree_of({}, {"w": np.ones(1)}), "'w'"),
    "an unknown site": (
        lambda: pytree_of({"w": np.ones(1), "v": np.ones(1)}, {"w": np.ones(1)}),
        "v",
    ),
    "another shape": (lambda: pytree_of({"w": np.ones(3)}, {"w": np.ones(2)}), r"\(3,\)"),
    "none": (lambda: stacked_sites([]), "list of pytrees"),
    "one alone": (lambda: stacked_sites({"w": np.ones(1)}), "sites_of"),
    "other shapes": (lambda: stacked_sites([{"w": np.ones(1)}, {"w": np.ones(2)}]), "pytree 1"),
    "other sites": (lambda: stacked_sites([{"w": np.ones(1)}, {"v": np.ones(1)}]), "pytree 1"),
    "no draws": (lambda: pytrees_of({"w": np.ones(2)}, {"w": np.ones(2)}), "one leading"),
    "uneven draws": (
        lambda: pytrees_of(
            {"v": np.ones((2, 1)), "w": np.ones((3, 1))}, {"v": np.ones(1), "w": np.ones(1)}
        ),
        "sample shapes",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    call, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        call()
