"""Named models with their symmetry: what every law is tested on.

Each case has a NumPyro model whose deterministic site ``f`` is what it predicts, and the model's
symmetry written by hand. A new feature of the action earns a case here, and every law test runs
over it.
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, Units
from numpyro_sym.models import read_numpyro_model


class Case(NamedTuple):
    name: str
    sym: Symmetry
    model: Callable
    args: tuple


_rng = np.random.default_rng(0)
X = _rng.normal(size=(7, 3))
Y = _rng.normal(size=7)
SERIES = _rng.normal(size=9)


def normal(name, *shape, scale=1.0):
    return numpyro.sample(name, dist.Normal(0, scale).expand(shape).to_event(len(shape)))


def observe(f, y):
    numpyro.deterministic("f", f)
    numpyro.sample("y", dist.Normal(f, 0.5), obs=y)


def network(widths, activation, *, out_in=False, bias=True):
    """A multilayer perceptron with sites w1, b1, w2, ..."""

    def model(x, y):
        sizes = [x.shape[1], *widths, 1]
        h = x
        for i, (m, n) in enumerate(pairwise(sizes), start=1):
            w = normal(f"w{i}", n, m).T if out_in else normal(f"w{i}", m, n)
            h = h @ w + (normal(f"b{i}", n) if bias and i < len(sizes) - 1 else 0.0)
            h = activation(h) if i < len(sizes) - 1 else h
        observe(h[:, 0], y)

    return model


def network_case(name, widths, activation, kind, *, layout="in,out", bias=True):
    depth = len(widths)
    sym = nsym.mlp(
        [f"w{i}" for i in range(1, depth + 2)],
        widths,
        biases=[f"b{i}" for i in range(1, depth + 1)] if bias else None,
        kind=kind,
        layout=layout,
    )
    return Case(
        name, sym, network(widths, activation, out_in=layout == "out,in", bias=bias), (X, Y)
    )


def mixture_model(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(4)))
    mu = normal("mu", 4)
    sigma = numpyro.sample("sigma", dist.LogNormal(0, 1).expand([4]).to_event(1))
    log_density = logsumexp(jnp.log(weights) + dist.Normal(mu, sigma).log_prob(x[:, None]), axis=1)
    numpyro.deterministic("f", log_density)
    numpyro.sample(
        "x", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, sigma)), obs=x
    )


def hmm_model(x):
    start = numpyro.sample("start", dist.Dirichlet(jnp.ones(3)))
    trans = numpyro.sample("trans", dist.Dirichlet(jnp.ones(3)).expand([3]).to_event(1))
    mu = normal("mu", 3)

    def step(log_alpha, value):
        log_alpha = logsumexp(log_alpha[:, None] + jnp.log(trans), axis=0) + dist.Normal(
            mu, 1.0
        ).log_prob(value)
        return log_alpha, None

    log_alpha, _ = jax.lax.scan(step, jnp.log(start) + dist.Normal(mu, 1.0).log_prob(x[0]), x[1:])
    numpyro.deterministic("f", logsumexp(log_alpha))
    numpyro.factor("x", logsumexp(log_alpha))


def factor_analysis(x):
    loadings = normal("loadings", 3, 2)
    scores = normal("scores", x.shape[0], 2)
    f = numpyro.deterministic("f", scores @ loadings.T)
    numpyro.sample("x", dist.Normal(f, 0.3).to_event(2), obs=x)


def flat_network(x, y):
    """All parameters in one vector: w1 (3, 4), b1 (4,), w2 (4,), and an output bias."""
    v = normal("v", 21)
    observe(jnp.tanh(x @ v[:12].reshape(3, 4) + v[12:16]) @ v[16:20] + v[20], y)


def convolution(x, y):
    """Channels of a convolution, flattened (position major) into a dense layer."""
    kernel = normal("kernel", 2, 4)  # width, channels
    patches = jnp.stack([x[:, :2], x[:, 1:]], axis=1)  # batch, position, width
    observe(jnp.tanh(patches @ kernel).reshape(len(x), -1) @ normal("dense", 8), y)


def attention(x, y):
    """Two heads of dimension 3 in one fused query-key-value kernel."""
    qkv = (x[:, :, None] * normal("embed", 5)).reshape(len(x), 3, 5) @ normal("qkv", 5, 18)
    q, k, v = jnp.moveaxis(qkv.reshape(len(x), 3, 3, 2, 3), 2, 0)  # batch, token, head, dim
    weights = jax.nn.softmax(jnp.einsum("bthd,bshd->bhts", q, k), axis=-1)
    heads = jnp.einsum("bhts,bshd->bthd", weights, v)
    observe((heads.reshape(len(x), 3, 6) @ normal("out", 6)).sum(1), y)


def recurrent(x, y):
    w_in, w, w_out = normal("w_in", 4), normal("w", 4, 4), normal("w_out", 4)
    h = jnp.zeros((len(x), 4))
    for t in range(x.shape[1]):
        h = jnp.tanh(x[:, t, None] * w_in + h @ w)
    observe(h @ w_out, y)


def two_scales(x, y):
    """Five tanh units whose prior tells two of them apart: a Young subgroup on one axis."""
    scale = jnp.array([1.0, 1.0, 1.0, 2.0, 2.0])
    w1 = numpyro.sample("w1", dist.Normal(0, scale).expand([3, 5]).to_event(2))
    observe(jnp.tanh(x @ w1) @ normal("w2", 5), y)


def global_sign(x, y):
    """The sign of a whole array against another's."""
    observe(x @ normal("a", 3) * normal("b", 1)[0], y)


def product_axis(x, y):
    """Two unit axes folded into one array axis: groups x members."""
    w = normal("w", 6)
    observe(jnp.prod(jnp.tanh(w.reshape(2, 3)), axis=1).sum() * x.sum(1) + jnp.sum(w**2), y)


CASES = [
    network_case("mlp-1-tanh", [4], jnp.tanh, "signed"),
    network_case("mlp-3-tanh", [3, 3, 4], jnp.tanh, "signed"),
    network_case("mlp-1-relu", [4], jax.nn.relu, "scaled"),
    network_case("mlp-3-relu", [3, 5, 4], jax.nn.relu, "scaled"),
    network_case(
        "mlp-2-gelu-out-in", [4, 3], jax.nn.gelu, "permutation", layout="out,in", bias=False
    ),
    Case("mixture", nsym.mixture(4, {"weights": 0, "mu": 0, "sigma": 0}), mixture_model, (SERIES,)),
    Case(
        "hmm",
        nsym.hmm(3, transition="trans", initial="start", emissions={"mu": 0}),
        hmm_model,
        (SERIES,),
    ),
    Case(
        "factor",
        nsym.factor_model(2, loadings={"loadings": 1}, factors={"scores": -1}),
        factor_analysis,
        (X,),
    ),
    Case(
        "flat-vector",
        Symmetry(
            [
                Units(
                    "hidden",
                    4,
                    kind="signed",
                    axes={
                        "v": (
                            Axis(0, start=0, outer=3, power=1),
                            Axis(0, start=12, power=1),
                            Axis(0, start=16, power=-1),
                        )
                    },
                )
            ]
        ),
        flat_network,
        (X, Y),
    ),
    Case(
        "convolution",
        Symmetry(
            [
                Units(
                    "channel",
                    4,
                    incoming={"kernel": 1},
                    outgoing={"dense": Axis(0, outer=2)},
                    kind="signed",
                )
            ]
        ),
        convolution,
        (X, Y),
    ),
    Case(
        "attention",
        Symmetry(
            [Units("head", 2, axes={"qkv": Axis(1, outer=3, inner=3), "out": Axis(0, inner=3)})]
        ),
        attention,
        (X, Y),
    ),
    Case(
        "rnn",
        Symmetry(
            [
                Units(
                    "hidden",
                    4,
                    kind="signed",
                    incoming={"w_in": 0},
                    outgoing={"w_out": 0},
                    axes={
                        "w": (
                            Axis(0, power=-1),
                            Axis(1, power=1),
                        )
                    },
                )
            ]
        ),
        recurrent,
        (X, Y),
    ),
    Case(
        "young",
        Symmetry(
            [
                Units(
                    "narrow",
                    3,
                    incoming={"w1": Axis(1, start=0)},
                    outgoing={"w2": Axis(0, start=0)},
                    kind="signed",
                ),
                Units(
                    "wide",
                    2,
                    incoming={"w1": Axis(1, start=3)},
                    outgoing={"w2": Axis(0, start=3)},
                    kind="signed",
                ),
            ]
        ),
        two_scales,
        (X, Y),
    ),
    Case(
        "global-sign",
        Symmetry(
            [
                Units(
                    "product", 1, incoming={"a": Axis(0, inner=3)}, outgoing={"b": 0}, kind="signed"
                )
            ]
        ),
        global_sign,
        (X, Y),
    ),
    Case(
        "product-axis",
        Symmetry(
            [
                Units("group", 2, axes={"w": Axis(0, inner=3)}),
                Units("member", 3, axes={"w": Axis(0, outer=2)}),
            ]
        ),
        product_axis,
        (X, Y),
    ),
]


# Batches: several independent sets of units, and units that permute the sets -------------------


def mixtures_in_subjects(x):
    """A mixture of three components for each of four subjects, nothing shared."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)).expand([4]).to_event(1))
    mu = normal("mu", 4, 3)
    log_density = logsumexp(
        jnp.log(weights)[:, None] + dist.Normal(mu[:, None], 0.5).log_prob(x[..., None]), axis=-1
    )
    numpyro.deterministic("f", log_density)
    numpyro.factor("x", log_density.sum())


def hmm_in_subjects(x):
    """Two subjects, each with a transition matrix of its own."""
    trans = numpyro.sample("trans", dist.Dirichlet(jnp.ones(3)).expand([2, 3]).to_event(2))
    mu = normal("mu", 2, 3)

    def step(log_alpha, value):
        emitted = dist.Normal(mu, 1.0).log_prob(value[:, None])
        return logsumexp(log_alpha[:, :, None] + jnp.log(trans), axis=1) + emitted, None

    log_alpha, _ = jax.lax.scan(step, jnp.zeros((2, 3)), x.T)
    numpyro.deterministic("f", logsumexp(log_alpha, axis=1))
    numpyro.factor("x", logsumexp(log_alpha, axis=1).sum())


def scanned_network(x, y):
    """Four residual layers of six tanh units, their weights stacked under a scan."""
    layers = normal("w1", 4, 3, 6), normal("b1", 4, 6), normal("w2", 4, 6, 3)

    def layer(h, weights):
        w1, b1, w2 = weights
        return h + jnp.tanh(h @ w1 + b1) @ w2, None

    h, _ = jax.lax.scan(layer, x, layers)
    observe(h.sum(1), y)


def ensemble(members, width):
    """The mean of networks of one hidden tanh layer."""

    def model(x, y):
        w1, b1, w2 = (
            normal("w1", members, 3, width),
            normal("b1", members, width),
            normal("w2", members, width),
        )
        observe(jax.vmap(lambda w, b, v: jnp.tanh(x @ w + b) @ v)(w1, b1, w2).mean(0), y)

    return model


def hidden_of_members(members, width, name="hidden"):
    return Units(
        name,
        width,
        batch=members,
        kind="signed",
        incoming={"w1": Axis(2, batch=0), "b1": Axis(1, batch=0)},
        outgoing={"w2": Axis(1, batch=0)},
    )


def ensemble_case(name, members, width, exchanged):
    units = [hidden_of_members(members, width)]
    if exchanged:  # listed first: the order in which they act is not that of the list
        units.insert(0, Units("member", members, axes={"w1": 0, "b1": 0, "w2": 0}))
    return Case(name, Symmetry(units), ensemble(members, width), (X, Y))


def attention_with_inner_dimensions(x, y):
    """Two heads of three inner dimensions; queries and keys may flip signs, as values and outputs
    may.
    """
    q, k, v = (normal(name, 4, 2, 3) for name in ("q", "k", "v"))
    tokens = x[:, :, None] * jnp.linspace(-1.0, 1.0, 4)
    scores = jnp.einsum("btd,dhi,bse,ehi->bhts", tokens, q, tokens, k)
    heads = jnp.einsum("bhts,bsd,dhi->bthi", jax.nn.softmax(scores, axis=-1), tokens, v)
    observe(jnp.einsum("bthi,hi->b", heads, normal("out", 2, 3)), y)


def flat_attention(x, y):
    """Two heads of three inner dimensions, flattened in one axis as most programs have them."""
    q, k, v = (normal(name, 4, 6) for name in ("q", "k", "v"))
    tokens = x[:, :, None] * jnp.linspace(-1.0, 1.0, 4)
    q, k, v = ((tokens @ w).reshape(len(x), 3, 2, 3) for w in (q, k, v))
    weights = jax.nn.softmax(jnp.einsum("bthi,bshi->bhts", q, k), axis=-1)
    heads = jnp.einsum("bhts,bshi->bthi", weights, v)
    observe((heads.reshape(len(x), 3, 6) @ normal("out", 6)).sum(1), y)


def grouped_convolution(x, y):
    """Two groups of channels; what a group holds is its own, and the groups are exchangeable."""
    kernels = normal("w1", 6, 1, 2), normal("w2", 4, 3, 1)  # out, in, width
    h = jax.nn.tanh(jax.lax.conv_general_dilated(x[:, None], kernels[0], (1,), "VALID"))
    h = jax.lax.conv_general_dilated(h, kernels[1], (1,), "VALID", feature_group_count=2)
    observe(jax.nn.gelu(h).sum(2) @ normal("w3", 4), y)


def table_of_networks(x, y):
    """A two-way table of networks, its rows and columns exchangeable."""
    w, v = normal("w", 2, 3, 2, 3), normal("v", 2, 3, 2)  # row, column, unit, input
    hidden = jax.nn.gelu(jnp.einsum("bd,rcud->brcu", x, w))
    observe(jnp.einsum("brcu,rcu,r,c->b", hidden, v, normal("row", 2), normal("column", 3)), y)


def signed_groups(x, y):
    """Groups of tanh units: the sign of a group's scale against that of all its
    outgoing weights.
    """
    w, v = normal("w", 3, 3, 2), normal("v", 3, 2)  # group, input, unit
    hidden = jnp.tanh(jnp.einsum("bd,gdu->bgu", x, w))
    observe(jnp.einsum("bgu,gu,g->b", hidden, v, normal("scale", 3)), y)


def scanned_attention(x, y):
    """Two scanned layers of attention, each with two heads of two inner dimensions of its own."""
    q, k, v, out = (
        normal("q", 2, 3, 2, 2),
        normal("k", 2, 3, 2, 2),
        normal("v", 2, 3, 2, 2),
        normal("out", 2, 2, 2, 3),
    )

    def layer(h, weights):
        q, k, v, out = weights
        scores = jnp.einsum("td,dhi,se,ehi->hts", h, q, h, k)
        return h + jnp.einsum(
            "hts,sd,dhi,hie->te", jax.nn.softmax(scores, axis=-1), h, v, out
        ), None

    h, _ = jax.lax.scan(layer, x, (q, k, v, out))
    observe(h.sum(1), y)


SERIES_OF = _rng.normal(size=(4, 5)) * 2

#: Cases with a batch: what does not know of batches yet is tested on ``CASES`` alone.
BATCHED = [
    Case(
        "subjects",
        Symmetry(
            [
                Units(
                    "component",
                    3,
                    batch=4,
                    axes={"weights": Axis(1, batch=0), "mu": Axis(-1, batch=-2)},
                )
            ]
        ),
        mixtures_in_subjects,
        (SERIES_OF,),
    ),
    Case(
        "subjects-hmm",
        Symmetry(
            [
                Units(
                    "state",
                    3,
                    batch=2,
                    axes={"trans": (Axis(1, batch=0), Axis(2, batch=0)), "mu": Axis(1, batch=0)},
                )
            ]
        ),
        hmm_in_subjects,
        (SERIES_OF[:2],),
    ),
    Case(
        "scanned",
        Symmetry(
            [
                Units(
                    "hidden",
                    6,
                    batch=4,
                    kind="signed",
                    incoming={"w1": Axis(2, batch=0), "b1": Axis(1, batch=0)},
                    outgoing={"w2": Axis(1, batch=0)},
                )
            ]
        ),
        scanned_network,
        (X, Y),
    ),
    ensemble_case("ensemble", 5, 6, exchanged=True),
    ensemble_case("ensemble-small", 3, 2, exchanged=True),
    ensemble_case("ensemble-small-fixed", 3, 2, exchanged=False),
    Case(
        "attention-inner",
        Symmetry(
            [
                Units(
                    "query-key",
                    3,
                    batch=2,
                    kind="signed",
                    incoming={"q": Axis(2, batch=1)},
                    outgoing={"k": Axis(2, batch=1)},
                ),
                Units(
                    "value",
                    3,
                    batch=2,
                    kind="signed",
                    incoming={"v": Axis(2, batch=1)},
                    outgoing={"out": Axis(1, batch=0)},
                ),
                Units("head", 2, axes={"q": 1, "k": 1, "v": 1, "out": 0}),
            ]
        ),
        attention_with_inner_dimensions,
        (X, Y),
    ),
    Case(
        "attention-flat",
        Symmetry(
            [
                Units(
                    "head",
                    2,
                    axes=dict.fromkeys("qkv", Axis(1, inner=3)) | {"out": Axis(0, inner=3)},
                ),
                Units(
                    "query-key",
                    3,
                    batch=2,
                    kind="signed",
                    incoming={"q": Axis(1, batch=Axis(1, inner=3))},
                    outgoing={"k": Axis(1, batch=Axis(1, inner=3))},
                ),
                Units(
                    "value",
                    3,
                    batch=2,
                    kind="signed",
                    incoming={"v": Axis(1, batch=Axis(1, inner=3))},
                    outgoing={"out": Axis(0, batch=Axis(0, inner=3))},
                ),
            ]
        ),
        flat_attention,
        (X, Y),
    ),
    Case(
        "grouped-convolution",
        Symmetry(
            [
                Units(
                    "first",
                    3,
                    batch=2,
                    kind="signed",
                    incoming={"w1": Axis(0, batch=Axis(0, inner=3))},
                    outgoing={"w2": Axis(1, batch=Axis(0, inner=2))},
                ),
                Units(
                    "second",
                    2,
                    batch=2,
                    axes={site: Axis(0, batch=Axis(0, inner=2)) for site in ("w2", "w3")},
                ),
                Units(
                    "group",
                    2,
                    axes={
                        "w1": Axis(0, inner=3),
                        "w2": Axis(0, inner=2),
                        "w3": Axis(0, inner=2),
                    },
                ),
            ]
        ),
        grouped_convolution,
        (X, Y),
    ),
    Case(
        "scanned-attention",
        Symmetry(
            [
                Units(
                    "head",
                    2,
                    batch=2,
                    axes={**dict.fromkeys("qkv", Axis(2, batch=0)), "out": Axis(1, batch=0)},
                ),
                Units(
                    "query-key",
                    2,
                    batch=(2, 2),
                    kind="signed",
                    incoming={"q": Axis(3, batch=(0, 2))},
                    outgoing={"k": Axis(3, batch=(0, 2))},
                ),
                Units(
                    "value",
                    2,
                    batch=(2, 2),
                    kind="signed",
                    incoming={"v": Axis(3, batch=(0, 2))},
                    outgoing={"out": Axis(2, batch=(0, 1))},
                ),
            ]
        ),
        scanned_attention,
        (X, Y),
    ),
    Case(
        "two-batch-axes",
        Symmetry(
            [
                Units("column", 3, axes={"w": 1, "v": 1, "column": 0}),
                Units(
                    "unit",
                    2,
                    batch=(2, 3),
                    axes={"w": Axis(2, batch=(0, 1)), "v": Axis(2, batch=(0, 1))},
                ),
                Units("row", 2, axes={"w": 0, "v": 0, "row": 0}),
            ]
        ),
        table_of_networks,
        (X, Y),
    ),
    Case(
        "signed-groups",
        Symmetry(
            [
                Units(
                    "group",
                    3,
                    kind="signed",
                    incoming={"scale": 0},
                    outgoing={"v": 0},
                    axes={"w": 0},
                ),
                Units(
                    "hidden",
                    2,
                    batch=3,
                    kind="signed",
                    incoming={"w": Axis(2, batch=0)},
                    outgoing={"v": Axis(1, batch=0)},
                ),
            ]
        ),
        signed_groups,
        (X, Y),
    ),
]


BY_NAME = {case.name: case for case in [*CASES, *BATCHED]}
POSTERIOR = [case for case in CASES if all(u.kind != "scaled" for u in case.sym)]


@cache
def view(name):
    """The model of a case as plain functions; call it in double precision. Cached: it compiles."""
    case = BY_NAME[name]
    return read_numpyro_model(case.model, case.args, {})


def random_point(name, seed=0):
    """A random point of a case's model."""
    return view(name).draw(np.random.default_rng(seed))


def moving(sym, rng_key):
    """A random element that permutes every ``Units`` of two or more and uses a factor of each."""
    for key in jax.random.split(rng_key, 100):
        g = sym.sample(key)
        if all(
            (u.n == 1 or (g[u.name].permutation != jnp.arange(u.n)).any())
            and (u.kind == "permutation" or (g[u.name].factor != 1).any())
            for u in sym
        ):
            return g
    raise AssertionError("no such element was drawn")
