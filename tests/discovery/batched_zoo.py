"""Models whose units come in batches, with the batches and the order that each has, and models
where they do not.

Units are written ``(n, batch, kind, where)``: ``where`` maps a site to the axis of the units and
those of the batch, ``(axis, (batch axes))``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from numpyro.contrib.module import random_eqx_module, random_flax_module, random_nnx_module
from zoo import X3, X, Y, normal, observe

RNG = np.random.default_rng(1)
BATCHED: dict[str, Case] = {}
SHARED: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """One model and what is to be found.

    :param order: of all ``Units`` together, where it is finite; ``None`` where only ``units`` are
        compared.
    :param evaluated: whether the batches rest on evaluation.
    """

    model: Callable[..., Any]
    args: tuple
    units: tuple
    order: int | None = None
    evaluated: bool = False
    slow: bool = False


def case(name: str, *args: Any, units: Any = (), **options: Any) -> Callable:
    def register(model: Callable) -> Callable:
        BATCHED[name] = Case(model, args, tuple(units), **options)
        return model

    return register


def shared(name: str, *args: Any, units: Any = (), **options: Any) -> Callable:
    """A model whose sets are not independent: nothing with a batch may be found."""

    def register(model: Callable) -> Callable:
        SHARED[name] = Case(model, args, tuple(units), **options)
        return model

    return register


def signed(n: int) -> int:
    return factorial(n) * 2**n


# Stacked layers -----------------------------------------------------------------------------------

STACK = {"w1": (2, (0,)), "b1": (1, (0,)), "w2": (1, (0,))}


def layers(h: Any, w1: Any, b1: Any, w2: Any, activation: Callable = jnp.tanh) -> Any:
    def layer(h, w):
        return h + activation(h @ w[0] + w[1]) @ w[2], None

    return jax.lax.scan(layer, h, (w1, b1, w2))[0]


@case("scanned layers", X, Y, units=[(6, (4,), "signed", STACK)], order=46080**4)
def scanned_layers(x, y):
    w1, b1, w2 = normal("w1", 4, 5, 6), normal("b1", 4, 6), normal("w2", 4, 6, 5)
    observe(layers(x, w1, b1, w2).sum(1), y)


@case("scanned ReLU layers", X, Y, units=[(3, (2,), "scaled", STACK)])
def scanned_relu(x, y):
    w1, b1, w2 = normal("w1", 2, 5, 3), normal("b1", 2, 3), normal("w2", 2, 3, 5)
    observe(layers(x, w1, b1, w2, jax.nn.relu).sum(1), y)


@case(
    "layers from last to first, with outputs",
    X, Y,
    units=[(3, (2,), "permutation", STACK)],
    order=36,
)  # fmt: skip
def scanned_backwards(x, y):
    w1, b1, w2 = normal("w1", 2, 5, 3), normal("b1", 2, 3), normal("w2", 2, 3, 5)

    def layer(h, w):
        inner = jax.nn.gelu(h @ w[0] + w[1])
        return h + inner @ w[2], inner.sum(-1)

    h, sums = jax.lax.scan(layer, x, (w1, b1, w2), reverse=True)
    observe(h.sum(1) + sums.sum(0), y)


# Members of an ensemble ---------------------------------------------------------------------------


def members(x: Any, w1: Any, b1: Any, w2: Any) -> Any:
    return jax.vmap(lambda a, b, c: jnp.tanh(x @ a + b) @ c)(w1, b1, w2)


MEMBERS = {"w1": (0, ()), "b1": (0, ()), "w2": (0, ())}


@case(
    "ensemble whose members are exchangeable",
    X, Y,
    units=[(6, (5,), "signed", STACK), (5, (), "permutation", MEMBERS)],
    order=46080**5 * 120,
)  # fmt: skip
def ensemble(x, y):
    w1, b1, w2 = normal("w1", 5, 5, 6), normal("b1", 5, 6), normal("w2", 5, 6)
    f = members(x, w1, b1, w2)
    with numpyro.plate("rows", 7):
        numpyro.sample(
            "y",
            dist.MixtureSameFamily(dist.Categorical(jnp.ones(5) / 5), dist.Normal(f.T, 0.3)),
            obs=y,
        )


@case("ensemble with data of its own each", X, units=[(6, (5,), "signed", STACK)], order=46080**5)
def ensemble_of_data(x):
    w1, b1, w2 = normal("w1", 5, 5, 6), normal("b1", 5, 6), normal("w2", 5, 6)
    f = members(x, w1, b1, w2)
    numpyro.sample(
        "y", dist.Normal(f, 0.3).to_event(2), obs=np.random.default_rng(2).normal(size=(5, 7))
    )


@case(
    "ensemble of two layers",
    X3,
    units=[
        (3, (2,), "signed", {"w1": (2, (0,)), "w2": (1, (0,))}),
        (4, (2,), "signed", {"w2": (2, (0,)), "w3": (1, (0,))}),
    ],
    order=signed(3) ** 2 * signed(4) ** 2,
)
def deep_ensemble(x):
    w1, w2, w3 = normal("w1", 2, 3, 3), normal("w2", 2, 3, 4), normal("w3", 2, 4)
    f = jnp.einsum("mnh,mh->mn", jnp.tanh(jnp.tanh(jnp.einsum("ni,mih->mnh", x, w1)) @ w2), w3)
    numpyro.sample(
        "y", dist.Normal(f, 0.3).to_event(2), obs=np.random.default_rng(2).normal(size=(2, 7))
    )


@case(
    "recurrent members",
    X3,
    units=[(3, (2,), "signed", {"a": (1, (0,)), "b": (1, (0,)), "c": (1, (0,))})],
)
def recurrent_members(x):
    """A recurrence with a weight for each unit, whose carry runs over the members."""
    a, b, c = normal("a", 2, 3), normal("b", 2, 3), normal("c", 2, 3)

    def step(h, row):
        h = jnp.tanh(a * h + b * row.sum())
        return h, (h * c).sum(1)

    f = jax.lax.scan(step, jnp.zeros((2, 3)), x)[1]
    numpyro.sample(
        "y", dist.Normal(f, 0.3).to_event(2), obs=np.random.default_rng(2).normal(size=(7, 2))
    )


# Plates -------------------------------------------------------------------------------------------

SUBJECTS = np.random.default_rng(3).normal(size=(4, 9))


@case(
    "a mixture for each subject",
    SUBJECTS,
    units=[(3, (4,), "permutation", {"mu": (1, (0,)), "w": (1, (0,))})],
    order=1296,
)
def subjects(y):
    with numpyro.plate("subject", 4):
        mu = numpyro.sample("mu", dist.Normal(0, 5).expand([3]).to_event(1))
        w = numpyro.sample("w", dist.Dirichlet(jnp.ones(3)))
    mixture = dist.MixtureSameFamily(
        dist.Categorical(probs=w[:, None]), dist.Normal(mu[:, None], 1.0)
    )
    numpyro.sample("y", mixture.to_event(2), obs=y)


@case(
    "a mixture for each subject, written out",
    SUBJECTS,
    units=[(3, (4,), "permutation", {"mu": (1, (0,)), "sigma": (1, (0,))})],
    order=1296,
)
def subjects_logsumexp(y):
    with numpyro.plate("subject", 4):
        level = numpyro.sample("level", dist.Normal(0, 1))
        mu = numpyro.sample("mu", dist.Normal(level[:, None], 5).expand([4, 3]).to_event(1))
        sigma = numpyro.sample("sigma", dist.LogNormal(0, 1).expand([3]).to_event(1))
    each = dist.Normal(mu[:, None], sigma[:, None]).log_prob(y[..., None])
    numpyro.factor("y", logsumexp(each, -1).sum())


@case(
    "factors of each group",
    np.random.default_rng(4).normal(size=(2, 6, 4)),
    units=[(3, (2,), "signed", {"loading": (1, (0,)), "score": (2, (0,))})],
    order=48**2,
)
def factors(y):
    loading, score = normal("loading", 2, 3, 4), normal("score", 2, 6, 3)
    numpyro.sample("y", dist.Normal(score @ loading, 0.3).to_event(3), obs=y)


@case(
    "states of each animal that never change",
    np.random.default_rng(5).normal(size=(3, 6)),
    units=[(2, (3,), "permutation", {"start": (1, (0,)), "mu": (1, (0,))})],
    order=8,
)
def states(y):
    """Beliefs of all animals are the carry of a scan over time."""
    with numpyro.plate("animal", 3):
        start = numpyro.sample("start", dist.Dirichlet(jnp.ones(2)))
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))

    def step(belief, now):
        belief = belief + dist.Normal(mu, 1.0).log_prob(now[:, None])
        return belief, None

    belief = jax.lax.scan(step, jnp.log(start), y.T)[0]
    numpyro.factor("y", logsumexp(belief, -1).sum())


# Heads, blocks ------------------------------------------------------------------------------------


@case(
    "inner dimensions of heads",
    X, Y,
    units=[
        (3, (2,), "signed", {"q": (2, (1,)), "k": (2, (1,))}),
        (3, (2,), "signed", {"v": (2, (1,)), "o": (1, (0,))}),
        (2, (), "permutation", {"q": (1, ()), "k": (1, ()), "v": (1, ()), "o": (0, ())}),
    ],
    order=48**4 * 2,
)  # fmt: skip
def attention(x, y):
    q, k, v, o = (
        normal("q", 5, 2, 3),
        normal("k", 5, 2, 3),
        normal("v", 5, 2, 3),
        normal("o", 2, 3, 5),
    )
    q, k, v = (jnp.einsum("td,dhe->the", x, w) for w in (q, k, v))
    weights = jax.nn.softmax(jnp.einsum("the,she->hts", q, k), -1)
    observe(jnp.tanh(jnp.einsum("hts,she,hed->td", weights, v, o)) @ jnp.arange(1.0, 6.0), y)


@case(
    "block-diagonal layer",
    X, Y,
    units=[
        (4, (3,), "signed", {"w1": (2, (0,)), "w2": (1, (0,))}),
        (3, (), "permutation", {"w1": (0, ()), "w2": (0, ()), "w3": (0, ())}),
        (2, (3,), "signed", {"w2": (2, (0,)), "w3": (1, (0,))}),
    ],
    order=signed(4) ** 3 * signed(2) ** 3 * 6,
)  # fmt: skip
def blocks(x, y):
    w1, w2, w3 = normal("w1", 3, 5, 4), normal("w2", 3, 4, 2), normal("w3", 3, 2)
    h = jnp.tanh(jnp.einsum("ni,bih->nbh", x, w1))
    h = jnp.tanh(jnp.einsum("nbh,bhk->nbk", h, w2))
    observe(jnp.tanh(jnp.einsum("nbk,bk->nb", h, w3)).sum(1), y)


@case(
    "two axes of a batch",
    X3,
    units=[(3, (2, 4), "signed", {"w1": (3, (0, 1)), "w2": (2, (0, 1))})],
    order=48**8,
)
def two_axes(x):
    w1, w2 = normal("w1", 2, 4, 3, 3), normal("w2", 2, 4, 3)
    f = jnp.einsum("abnh,abh->abn", jnp.tanh(jnp.einsum("ni,abih->abnh", x, w1)), w2)
    numpyro.sample(
        "y", dist.Normal(f, 0.3).to_event(3), obs=np.random.default_rng(2).normal(size=(2, 4, 7))
    )


@case(
    "layers of members",
    X3,
    units=[(3, (2, 4), "signed", {"w1": (3, (0, 1)), "w2": (2, (0, 1))})],
    order=48**8,
)
def layers_of_members(x):
    w1, w2 = normal("w1", 2, 4, 3, 3), normal("w2", 2, 4, 3, 3)

    def layer(h, w):
        return h + jnp.tanh(h @ w[0]) @ w[1], None

    h = jax.lax.scan(layer, jnp.broadcast_to(x, (4, 7, 3)), (w1, w2))[0]
    numpyro.sample(
        "y",
        dist.Normal(h.sum(2), 0.3).to_event(2),
        obs=np.random.default_rng(2).normal(size=(4, 7)),
    )


@case(
    "a prior summed over the layers first",
    X, Y,
    units=[(3, (2,), "signed", {"w1": (2, (0,)), "w2": (1, (0,))})],
    order=48**2,
    evaluated=True,
)  # fmt: skip
def layers_first(x, y):
    """Summed over the layers first, so that entries of all layers meet."""
    w1, w2 = normal("w1", 2, 5, 3), normal("w2", 2, 3, 5)
    numpyro.factor("size", -jnp.sum(jnp.sum(w1**2, 0)))

    def layer(h, w):
        return h + jnp.tanh(h @ w[0]) @ w[1], None

    observe(jax.lax.scan(layer, x, (w1, w2))[0].sum(1), y)


# Modules ------------------------------------------------------------------------------------------


@case(
    "flax nn.scan",
    X, Y,
    units=[(3, (4,), "signed", {
        "net/ScanBlock_0.Dense_1.kernel": (2, (0,)),
        "net/ScanBlock_0.Dense_1.bias": (1, (0,)),
        "net/ScanBlock_0.Dense_0.kernel": (1, (0,)),
    })],
    order=48**4,
    slow=True,
)  # fmt: skip
def flax_scan(x, y):
    from flax import linen as nn

    class Block(nn.Module):
        @nn.compact
        def __call__(self, h, _):
            return h + nn.Dense(5)(jnp.tanh(nn.Dense(3)(h))), None

    class Net(nn.Module):
        @nn.compact
        def __call__(self, h):
            stack = nn.scan(
                Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=4
            )
            return nn.Dense(1)(stack()(h, None)[0])

    net = random_flax_module("net", Net(), dist.Normal(), input_shape=(1, 5))
    observe(net(x)[:, 0], y)


@case("nnx.scan", X, Y, order=48**4, slow=True)
def nnx_scan(x, y):
    from flax import nnx

    class Block(nnx.Module):
        def __init__(self, rngs):
            self.up, self.down = nnx.Linear(5, 3, rngs=rngs), nnx.Linear(3, 5, rngs=rngs)

    class Net(nnx.Module):
        def __init__(self, rngs):
            make = nnx.split_rngs(splits=4)(nnx.vmap(Block, in_axes=0, out_axes=0))
            self.blocks, self.out = make(rngs), nnx.Linear(5, 1, rngs=rngs)

        def __call__(self, h):
            @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
            def forward(h, block):
                return h + block.down(jnp.tanh(block.up(h)))

            return self.out(forward(h, self.blocks))

    net = random_nnx_module("net", Net(nnx.Rngs(0)), dist.Normal())
    observe(net(x)[:, 0], y)


@case("equinox filter_vmap", X, Y, order=48**3, slow=True)
def eqx_vmap(x, y):
    import equinox as eqx

    make = eqx.filter_vmap(lambda key: eqx.nn.MLP(5, "scalar", 3, 1, jnp.tanh, key=key))
    net = random_eqx_module("net", make(jax.random.split(jax.random.key(0), 3)), dist.Normal())
    f = eqx.filter_vmap(lambda member: jax.vmap(member)(x))(net)
    numpyro.sample(
        "y", dist.Normal(f, 0.3).to_event(2), obs=np.random.default_rng(2).normal(size=(3, 7))
    )


def transformer(x, y, layers=6, d=16, heads=4, hidden=32):
    """A scanned stack of pre-norm blocks with causal attention and a tanh network each."""
    each = d // heads
    stack = {
        "q": normal("q", layers, d, heads, each),
        "k": normal("k", layers, d, heads, each),
        "v": normal("v", layers, d, heads, each),
        "o": normal("o", layers, heads, each, d),
        "w1": normal("w1", layers, d, hidden),
        "b1": normal("b1", layers, hidden),
        "w2": normal("w2", layers, hidden, d),
    }
    mask = jnp.tril(jnp.ones((x.shape[0], x.shape[0]), bool))

    def block(h, w):
        z = h * jax.lax.rsqrt(jnp.mean(h * h, -1, keepdims=True) + 1e-5)
        q, k, v = (jnp.einsum("td,dhe->the", z, w[n]) for n in "qkv")
        scores = jnp.where(mask, jnp.einsum("the,she->hts", q, k) / each**0.5, -1e30)
        h = h + jnp.einsum("hts,she,hed->td", jax.nn.softmax(scores, -1), v, w["o"])
        return h + jnp.tanh(h @ w["w1"] + w["b1"]) @ w["w2"], None

    h = jax.lax.scan(block, x, stack)[0]
    numpyro.sample("y", dist.Normal(h @ normal("out", d), 0.3).to_event(1), obs=y)


BATCHED["scanned transformer"] = Case(
    transformer,
    (RNG.normal(size=(5, 16)), RNG.normal(size=5)),
    (
        (4, (6, 4), "signed", {"q": (3, (0, 2)), "k": (3, (0, 2))}),
        (4, (6, 4), "signed", {"v": (3, (0, 2)), "o": (2, (0, 1))}),
        (4, (6,), "permutation", {"q": (2, (0,)), "k": (2, (0,)), "v": (2, (0,)), "o": (1, (0,))}),
        (32, (6,), "signed", {"w1": (2, (0,)), "b1": (1, (0,)), "w2": (1, (0,))}),
    ),
    slow=True,
)

# Sets that are not independent --------------------------------------------------------------------


@shared("the way out is shared by all layers", X, Y, units=[(3, "signed")])
def shared_out(x, y):
    w1, w2 = normal("w1", 4, 5, 3), normal("w2", 3, 5)
    observe(jax.lax.scan(lambda h, w: (h + jnp.tanh(h @ w) @ w2, None), x, w1)[0].sum(1), y)


@shared("layers average their weights", X, Y, units=[(3, "signed")])
def averaged(x, y):
    w1, w2 = normal("w1", 4, 5, 3), normal("w2", 4, 3)
    observe(jnp.tanh(x @ w1.mean(0)) @ w2.mean(0), y)


@shared("the same units carry through all layers", X, Y, units=[(3, "signed")])
def carried(x, y):
    a, b, c = normal("a", 4, 3), normal("b", 4, 5, 3), normal("c", 4, 3)

    def layer(h, w):
        h = jnp.tanh(h * w[0] + x @ w[1])
        return h, h @ w[2]

    observe(jax.lax.scan(layer, jnp.zeros((7, 3)), (a, b, c))[1].sum(0), y)


@shared("a walk from layer to layer", X, Y, units=[(3, "signed")])
def walk_of_layers(x, y):
    w1 = numpyro.sample("w1", dist.GaussianRandomWalk(0.5, 4).expand([5, 3]).to_event(2))
    w2 = normal("w2", 3, 4)
    observe(jnp.einsum("nhl,hl->n", jnp.tanh(jnp.einsum("ni,ihl->nhl", x, w1)), w2), y)


@shared("neighbors are drawn to each other", X, Y, units=[(3, "signed")])
def neighbors(x, y):
    w1, w2 = normal("w1", 4, 5, 3), normal("w2", 4, 3, 5)
    numpyro.factor("smooth", -jnp.sum((w1[1:] - w1[:-1]) ** 2))
    observe(
        jax.lax.scan(lambda h, w: (h + jnp.tanh(h @ w[0]) @ w[1], None), x, (w1, w2))[0].sum(1), y
    )


@shared("components of all subjects have one mean", SUBJECTS, units=[(3, "permutation")])
def hierarchical(y):
    center = normal("center", 3)
    with numpyro.plate("subject", 4):
        mu = numpyro.sample("mu", dist.Normal(center, 1.0).to_event(1))
    numpyro.factor("y", logsumexp(dist.Normal(mu[:, None], 1.0).log_prob(y[..., None]), -1).sum())


@shared("subjects share their weights", SUBJECTS, units=[(3, "permutation")])
def shared_weights(y):
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("subject", 4):
        mu = numpyro.sample("mu", dist.Normal(0, 5).expand([3]).to_event(1))
    each = jnp.log(w) + dist.Normal(mu[:, None], 1.0).log_prob(y[..., None])
    numpyro.factor("y", logsumexp(each, -1).sum())


@shared("chains share what their states emit", SUBJECTS, units=[(2, "permutation")])
def shared_emissions(y):
    mu = normal("mu", 2, scale=3.0)
    with numpyro.plate("animal", 4):
        start = numpyro.sample("start", dist.Dirichlet(jnp.ones(2)))
        trans = numpyro.sample("trans", dist.Dirichlet(jnp.ones(2)).expand([2]).to_event(1))

    def step(belief, now):
        belief = logsumexp(belief[:, :, None] + jnp.log(trans), 1)
        return belief + dist.Normal(mu, 1.0).log_prob(now[:, None]), None

    belief = jax.lax.scan(step, jnp.log(start), y.T)[0]
    numpyro.factor("y", logsumexp(belief, -1).sum())


@shared("components compete across subjects", SUBJECTS, units=[(3, "permutation")])
def competing(y):
    mu, a = normal("mu", 4, 3), normal("a", 4, 3)
    share = jax.nn.softmax(a, 0)  # of each component, over the subjects
    each = jnp.log(share)[:, None] + dist.Normal(mu[:, None], 1.0).log_prob(y[..., None])
    numpyro.factor("y", logsumexp(each, -1).sum())


@shared("subjects near each other are alike", SUBJECTS, units=[(3, "permutation")])
def gaussian_process(y):
    near = jnp.exp(
        -0.5 * jnp.subtract.outer(jnp.arange(4.0), jnp.arange(4.0)) ** 2
    ) + 0.1 * jnp.eye(4)
    mu = numpyro.sample("mu", dist.MultivariateNormal(jnp.zeros(4), near).expand([3]).to_event(1))
    numpyro.factor("y", logsumexp(dist.Normal(mu.T[:, None], 1.0).log_prob(y[..., None]), -1).sum())


@shared("one key for all heads", X, Y, units=[(3, "signed")])
def multi_query(x, y):
    q, k = normal("q", 5, 2, 3), normal("k", 5, 3)
    scores = jnp.einsum("td,dhe,se->hts", x, q, x @ k)
    observe(jnp.einsum("hts,sd->td", jax.nn.softmax(scores, -1), x) @ jnp.arange(1.0, 6.0), y)


@shared("members add up before they bend", X, Y, units=[(3, "signed")])
def added_up(x, y):
    w1, w2 = normal("w1", 4, 5, 3), normal("w2", 4, 3)
    h = jnp.tanh(jnp.einsum("ni,mih->nh", x, w1))
    observe(jnp.tanh(jnp.einsum("nh,mh->nm", h, w2)).sum(1), y)


@shared("the largest of each unit", X, Y, units=[(3, "permutation")])
def largest(x, y):
    w1, w2 = normal("w1", 4, 5, 3), normal("w2", 4, 3)
    observe(jnp.tanh(jnp.einsum("ni,mih->nmh", x, w1) * w2).max(1).sum(1), y)


@shared("a running sum over layers", X, Y, units=[(3, "signed")])
def running(x, y):
    w1, w2 = normal("w1", 4, 5, 3), normal("w2", 4, 3)
    observe(
        jnp.einsum("nmh,mh->n", jnp.tanh(jnp.einsum("ni,mih->nmh", x, jnp.cumsum(w1, 0))), w2), y
    )


@shared("each step looks at the layer before", X, Y, units=[(3, "signed")])
def looked_back(x, y):
    w1, w2 = normal("w1", 4, 5, 3), normal("w2", 4, 3, 5)
    back = jnp.concatenate([w1[-1:], w1[:-1]])

    def layer(h, w):
        return h + (jnp.tanh(h @ w[0]) + jnp.tanh(h @ w[2])) @ w[1], None

    observe(jax.lax.scan(layer, x, (w1, w2, back))[0].sum(1), y)


@shared("one subject has scales of its own", SUBJECTS)
def told_apart(y):
    scale = jnp.ones((4, 3)).at[2].set(jnp.array([1.0, 2.0, 3.0]))
    mu = normal("mu", 4, 3, scale=scale)
    numpyro.factor("y", logsumexp(dist.Normal(mu[:, None], 1.0).log_prob(y[..., None]), -1).sum())
