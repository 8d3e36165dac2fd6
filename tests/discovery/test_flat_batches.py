"""Batches that run along a part of an axis: found, proved, and never where sets share something."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import logsumexp
from registry import BY_NAME
from zoo import X3, Y, normal, observe

from numpyro_sym import Axis, Units, find_symmetry
from numpyro_sym.discovery.caveats import where

ROWS = len(X3)
TOKENS = X3[:, :, None] * np.array([1.0, -0.5, 0.3, 0.8])  # row, token, feature
HEADS = Axis(1, inner=3)
INTO, OUT_OF = Axis(1, batch=HEADS), Axis(0, batch=Axis(0, inner=3))


def attended(q, k, v):
    weights = jax.nn.softmax(jnp.einsum("bthi,bshi->bhts", q, k), axis=-1)
    heads = jnp.einsum("bhts,bshi->bthi", weights, v)
    return heads.reshape(ROWS, 3, -1)


def grouped_queries(y):
    """Two heads of keys and values, each for two heads of queries."""
    q = (TOKENS @ normal("q", 4, 12)).reshape(ROWS, 3, 2, 2, 3)
    k, v = ((TOKENS @ normal(name, 4, 6)).reshape(ROWS, 3, 2, 3) for name in "kv")
    weights = jax.nn.softmax(jnp.einsum("bthgi,bshi->bhgts", q, k), axis=-1)
    heads = jnp.einsum("bhgts,bshi->bthgi", weights, v).reshape(ROWS, 3, 12)
    observe((heads @ normal("out", 12)).sum(1), y)


GROUPED_QUERIES = [
    Units(
        "head",
        2,
        axes=dict.fromkeys("kv", HEADS) | {"q": Axis(1, inner=6), "out": Axis(0, inner=6)},
    ),
    Units(
        "query",
        2,
        batch=2,
        axes={
            "q": Axis(1, inner=3, batch=Axis(1, inner=6)),
            "out": Axis(0, inner=3, batch=Axis(0, inner=6)),
        },
    ),
    Units(
        "query-key",
        3,
        batch=2,
        kind="signed",
        incoming={"q": Axis(1, outer=2, batch=Axis(1, inner=6))},
        outgoing={"k": INTO},
    ),
    Units(
        "value",
        3,
        batch=2,
        kind="signed",
        incoming={"v": INTO},
        outgoing={"out": Axis(0, outer=2, batch=Axis(0, inner=6))},
    ),
]


def stacked(y):
    """Blocks of a transformer under scan, their heads flattened."""
    weights = {name: normal(name, 3, 4, 4) for name in "qkvo"}

    def block(tokens, w):
        q, k, v = ((tokens @ w[name]).reshape(ROWS, 3, 2, 2) for name in "qkv")
        return tokens + attended(q, k, v) @ w["o"], None

    tokens, _ = jax.lax.scan(block, TOKENS, weights)
    observe((tokens @ jnp.array([0.4, 1.0, -0.7, 0.2])).sum(1), y)


STACKED = [
    Units(
        "head",
        2,
        batch=3,
        axes=dict.fromkeys("qkv", Axis(2, inner=2, batch=0)) | {"o": Axis(1, inner=2, batch=0)},
    ),
    Units(
        "query-key",
        2,
        batch=(3, 2),
        kind="signed",
        incoming={"q": Axis(2, batch=(0, Axis(2, inner=2)))},
        outgoing={"k": Axis(2, batch=(0, Axis(2, inner=2)))},
    ),
    Units(
        "value",
        2,
        batch=(3, 2),
        kind="signed",
        incoming={"v": Axis(2, batch=(0, Axis(2, inner=2)))},
        outgoing={"o": Axis(1, batch=(0, Axis(1, inner=2)))},
    ),
]


def convolved(y):
    """Channels last: a grouped convolution between two others, then a dense layer."""
    layout = ("NHWC", "HWIO", "NHWC")
    h = X3.reshape(ROWS, 3, 1, 1)
    for i, (kernel, groups) in enumerate(
        [(normal("w1", 2, 1, 1, 6), 1), (normal("w2", 1, 1, 3, 4), 2)]
    ):
        h = jax.lax.conv_general_dilated(
            h, kernel, (1, 1), "SAME", dimension_numbers=layout, feature_group_count=groups
        )
        h = jnp.tanh(h) if i == 0 else jax.nn.gelu(h + normal("b2", 4))
    observe(h.reshape(ROWS, -1) @ normal("w3", 12), y)


CONVOLVED = [
    Units(
        "first",
        3,
        batch=2,
        kind="signed",
        incoming={"w1": Axis(3, batch=Axis(3, inner=3))},
        outgoing={"w2": Axis(2, batch=Axis(3, inner=2))},
    ),
    Units(
        "second",
        2,
        batch=2,
        axes={
            "w2": Axis(3, batch=Axis(3, inner=2)),
            "b2": Axis(0, batch=Axis(0, inner=2)),
            "w3": Axis(0, outer=3, batch=Axis(0, outer=3, inner=2)),
        },
    ),
    Units(
        "group",
        2,
        axes={
            "w1": Axis(3, inner=3),
            "w2": Axis(3, inner=2),
            "b2": Axis(0, inner=2),
            "w3": Axis(0, outer=3, inner=2),
        },
    ),
]


def depthwise(y):
    """One channel a group: the groups are units, and nothing is left inside."""
    h = jax.lax.conv_general_dilated(X3[:, None], normal("w1", 4, 1, 2), (1,), "VALID")
    h = jax.lax.conv_general_dilated(
        jnp.tanh(h), normal("w2", 4, 1, 1), (1,), "VALID", feature_group_count=4
    )
    observe(jax.nn.gelu(h).sum(2) @ normal("w3", 4), y)


DEPTHWISE = [
    Units("channel", 4, kind="signed", incoming={"w1": 0}, outgoing={"w2": 0}, axes={"w3": 0})
]


def mixtures_in_one_row(y):
    """Components of four subjects, all locations in one vector."""
    mu = normal("mu", 12).reshape(4, 3)
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)).expand([4]).to_event(1))
    each = jnp.log(weights)[:, None] + dist.Normal(mu[:, None], 1.0).log_prob(y[..., None])
    numpyro.factor("y", logsumexp(each, -1).sum())


MIXTURES = [
    Units(
        "component",
        3,
        batch=4,
        axes={"mu": Axis(0, batch=Axis(0, inner=3)), "weights": Axis(1, batch=0)},
    )
]


def last_major(y):
    """Heads vary fastest along the axis, so each set is spread over it."""
    q, k = ((TOKENS @ normal(name, 4, 6)).reshape(ROWS, 3, 3, 2) for name in "qk")
    weights = jax.nn.softmax(jnp.einsum("btih,bsih->bhts", q, k), axis=-1)
    observe(jnp.einsum("bhts,bs,h->b", weights, TOKENS[..., 0], normal("out", 2)), y)


SPREAD = Axis(1, batch=Axis(1, outer=3))
LAST_MAJOR = [
    Units("head", 2, axes={"q": Axis(1, outer=3), "k": Axis(1, outer=3), "out": 0}),
    Units("query-key", 3, batch=2, kind="signed", incoming={"q": SPREAD}, outgoing={"k": SPREAD}),
]

SUBJECTS = np.random.default_rng(0).normal(size=(4, 9))
FOUND = {
    "grouped queries": (grouped_queries, Y, GROUPED_QUERIES),
    "stacked": (stacked, Y, STACKED),
    "grouped convolution, channels last": (convolved, Y, CONVOLVED),
    "depthwise convolution": (depthwise, Y, DEPTHWISE),
    "mixtures in one row": (mixtures_in_one_row, SUBJECTS, MIXTURES),
    "heads last": (last_major, Y, LAST_MAJOR),
}


#: The registry has these already.
REGISTERED = ("attention-flat", "grouped-convolution")


@pytest.mark.parametrize("name", [*FOUND, *REGISTERED])
def test_each_set_has_units_of_its_own(name):
    if name in REGISTERED:
        model, args, units = BY_NAME[name].model, BY_NAME[name].args, BY_NAME[name].sym
    else:
        model, y, units = FOUND[name]
        args = (y,)
    sym = find_symmetry(model, *args)
    found = {where(u) for u in sym if u.n > 1}
    assert found == {where(u) for u in units}
    assert not any("evaluated" in some for some in sym.caveats.values())
    assert sym.check(model, *args).rows


def shared_gain(y):
    """Both heads have their inner dimensions weighed by one vector."""
    q, k = ((TOKENS @ normal(name, 4, 6)).reshape(ROWS, 3, 2, 3) for name in "qk")
    weights = jax.nn.softmax(jnp.einsum("bthi,bshi,i->bhts", q, k, normal("gain", 3)), axis=-1)
    observe(jnp.einsum("bhts,bs->b", weights, TOKENS[..., 0]), y)


def tied_projection(y):
    """What leaves every head goes through one matrix."""
    v = jnp.tanh(TOKENS @ normal("v", 4, 6)).reshape(ROWS, 3, 2, 3)
    each = jnp.einsum("bshi,io->bho", v, normal("out", 3, 2))
    observe(jnp.tanh(each).sum(2) @ jnp.array([1.0, 2.0]), y)


def summed_over_heads(y):
    """A prior in which the heads' entries meet dimension by dimension."""
    v = normal("v", 4, 6)
    numpyro.factor("size", -jnp.sum(jnp.square(v.reshape(4, 2, 3)).sum(1) ** 2))
    h = jnp.tanh(TOKENS[:, 0] @ v).reshape(ROWS, 2, 3)
    observe(jnp.einsum("bhi,hi->b", h, normal("out", 2, 3)), y)


@pytest.mark.parametrize("model", [shared_gain, tied_projection, summed_over_heads])
def test_sets_that_share_something_have_no_batch(model):
    """Negative controls: one permutation for all sets is there, and one for each is not."""
    sym = find_symmetry(model, Y)
    inner = [u for u in sym if u.n == 3]
    assert [u.batch for u in inner] == [()]
    assert "which Units cannot say" not in sym.explain()


def test_heads_that_are_told_apart_have_units_of_their_own_all_the_same():
    def model(y):
        q, k = ((TOKENS @ normal(name, 4, 6)).reshape(ROWS, 3, 2, 3) for name in "qk")
        weights = jax.nn.softmax(jnp.einsum("bthi,bshi->bhts", q, k), axis=-1)
        observe(jnp.einsum("bhts,bs,h->b", weights, TOKENS[..., 0], jnp.array([1.0, 2.0])), y)

    sym = find_symmetry(model, Y)
    assert [(u.n, u.batch, u.kind) for u in sym] == [(3, (2,), "signed")]


def fused(y, as_array):
    """Queries, keys and values in one array, and one of biases, split as programs split them."""
    qkv = TOKENS @ normal("qkv", 4, 18) + normal("bias", 18)
    if as_array:
        q, k, v = jnp.moveaxis(qkv.reshape(ROWS, 3, 3, 2, 3), 2, 0)
    else:
        q, k, v = (a.reshape(ROWS, 3, 2, 3) for a in jnp.split(qkv, 3, axis=-1))
    observe((attended(q, k, v) @ normal("out", 6)).sum(1), y)


@pytest.mark.parametrize("as_array", [True, False])
def test_what_one_array_holds_beside_others_is_said(as_array):
    """A smaller group is given, never silently."""
    sym = find_symmetry(fused, Y, as_array)
    assert "which Units cannot say (found by evaluation)" in sym.explain()
    sym.check(fused, Y, as_array)
