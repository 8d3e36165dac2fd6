"""Models with the symmetry that each has: its classes, their sizes, kinds and axes.

A class is written ``(n, kind, where)``, where ``where`` maps a site to what acts on it: axes, or
``Axis`` fields ``(axis, start, outer, inner)`` where the units lie inside a longer axis. Signs of
one unit each are counted: ``signs`` of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from numpyro.contrib.module import random_eqx_module, random_flax_module, random_nnx_module

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(7, 5)), RNG.normal(size=7)
X3, Y3 = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2))
ZOO: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """One model: its arguments, the classes it has, and how many signs of single units."""

    model: Callable[..., Any]
    args: tuple
    classes: tuple
    signs: int = 0
    slow: bool = False
    kwargs: dict = field(default_factory=dict)


def case(name: str, *args: Any, classes: Any = (), **options: Any) -> Callable:
    def register(model: Callable) -> Callable:
        ZOO[name] = Case(model, args, tuple(classes), **options)
        return model

    return register


def normal(name: str, *shape: int, scale: Any = 1.0) -> Any:
    return numpyro.sample(name, dist.Normal(0, scale).expand(shape).to_event(len(shape)))


def observe(mean: Any, y: Any) -> None:
    numpyro.sample("y", dist.Normal(mean, 0.3).to_event(1), obs=y)


# Networks -----------------------------------------------------------------------------------------

ONE_LAYER = {"w1": 1, "b1": 0, "w2": 0}
SINGLE = {
    "tanh": (jnp.tanh, "signed"),
    "sin": (jnp.sin, "signed"),
    "erf": (jax.scipy.special.erf, "signed"),
    "relu": (jax.nn.relu, "scaled"),
    "leaky_relu": (jax.nn.leaky_relu, "scaled"),
    "gelu": (jax.nn.gelu, "permutation"),
    "softplus": (jax.nn.softplus, "permutation"),
    "sigmoid": (jax.nn.sigmoid, "permutation"),
    "abs": (jnp.abs, "signed"),
}


def one_layer(activation: Callable) -> Callable:
    def model(x, y=None):
        w1, b1, w2 = normal("w1", 5, 4), normal("b1", 4), normal("w2", 4)
        b2 = numpyro.sample("b2", dist.Normal(0, 1))
        observe(activation(x @ w1 + b1) @ w2 + b2, y)

    return model


for _name, (_activation, _kind) in SINGLE.items():
    case(f"mlp {_name}", X, Y, classes=[(4, _kind, ONE_LAYER)])(one_layer(_activation))


def deep(activation: Callable) -> Callable:
    def model(x, y):
        h = x
        for i in range(3):
            h = activation(h @ normal(f"w{i}", 5, 5) + normal(f"b{i}", 5))
        observe(h @ normal("w3", 5), y)

    return model


THREE = [{f"w{i}": 1, f"b{i}": 0, f"w{i + 1}": 0} for i in range(3)]
case("mlp deep tanh", X, Y, classes=[(5, "signed", w) for w in THREE])(deep(jnp.tanh))
case("mlp deep relu", X, Y, classes=[(5, "scaled", w) for w in THREE])(deep(jax.nn.relu))


@case(
    "mlp residual", X, Y,
    classes=[
        (6, "signed", {"w0": 1, "v0": 0, "u0": 1, "v1": 0, "u1": 1, "out": 0}),
        (4, "permutation", {"v0": 1, "c0": 0, "u0": 0}),
        (4, "permutation", {"v1": 1, "c1": 0, "u1": 0}),
    ],
)  # fmt: skip
def residual(x, y):
    h = x @ normal("w0", 5, 6)
    for i in range(2):
        h = h + jax.nn.gelu(h @ normal(f"v{i}", 6, 4) + normal(f"c{i}", 4)) @ normal(f"u{i}", 4, 6)
    observe(h @ normal("out", 6), y)


@case("mlp hierarchical", X, Y, classes=[(4, "signed", {"w1": 1, "w2": 0, "tau": 0})])
def hierarchical(x, y):
    with numpyro.plate("unit", 4):
        tau = numpyro.sample("tau", dist.HalfCauchy(1.0))
    w1 = numpyro.sample("w1", dist.Normal(0, tau).expand([5, 4]).to_event(2))
    observe(jnp.tanh(x @ w1) @ normal("w2", 4), y)


@case("mlp non-centered", X, Y, classes=[(4, "signed", {"w1_decentered": 1, "w2": 0})])
def non_centered(x, y):
    tau = numpyro.sample("tau", dist.HalfNormal(1.0))
    with numpyro.handlers.reparam(config={"w1": numpyro.infer.reparam.LocScaleReparam(0)}):
        w1 = numpyro.sample("w1", dist.Normal(0, tau).expand([5, 4]).to_event(2))
    observe(jnp.tanh(x @ w1) @ normal("w2", 4), y)


@case("mlp scale per unit", X, Y, signs=4)
def scale_per_unit(x, y):
    w1 = normal("w1", 5, 4, scale=jnp.array([1.0, 2.0, 3.0, 4.0]))
    observe(jnp.tanh(x @ w1 + normal("b1", 4)) @ normal("w2", 4), y)


@case(
    "mlp young", X, Y,
    classes=[
        (3, "permutation", {"w1": (1, 0, 1, 1), "w2": (0, 0, 1, 1)}),
        (2, "permutation", {"w1": (1, 3, 1, 1), "w2": (0, 3, 1, 1)}),
    ],
)  # fmt: skip
def young(x, y):
    w1 = normal("w1", 5, 5, scale=jnp.array([1.0, 1.0, 1.0, 2.0, 2.0]))
    observe(jax.nn.gelu(x @ w1) @ normal("w2", 5), y)


@case("mlp flat", X, Y, classes=[(3, "signed", {"theta": (0, 0, 7, 1)})])
def flat(x, y):
    theta = normal("theta", 22)
    w1, b1, w2, b2 = theta[:15].reshape(5, 3), theta[15:18], theta[18:21], theta[21]
    observe(jnp.tanh(x @ w1 + b1) @ w2 + b2, y)


@case("mlp minibatch", X, Y, classes=[(4, "signed", ONE_LAYER)])
def minibatch(x, y):
    w1, b1, w2 = normal("w1", 5, 4), normal("b1", 4), normal("w2", 4)
    with numpyro.plate("data", 7, subsample_size=3):
        xb, yb = numpyro.subsample(x, event_dim=1), numpyro.subsample(y, event_dim=0)
        mean = numpyro.deterministic("mean", jnp.tanh(xb @ w1 + b1) @ w2)
        with numpyro.handlers.mask(mask=yb < 5):
            numpyro.sample("y", dist.Normal(mean, 0.3), obs=yb)


@case(
    "mlp twice the width inside",
    X,
    Y,
    classes=[(4, "signed", {"w1": 1, "v": 0, "w2": [(0, 0, 1, 1), (0, 4, 1, 1)]})],
)
def skip_by_concatenation(x, y):
    h = jax.nn.gelu(x @ normal("w1", 5, 4))
    observe(jnp.concatenate([h, h * normal("v", 4)], -1) @ normal("w2", 8), y)


@case(
    "linen mlp",
    X,
    Y,
    classes=[(4, "signed", {"nn/Dense_1.kernel": 1, "nn/Dense_1.bias": 0, "nn/Dense_0.kernel": 0})],
)
def linen(x, y):
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(1)(jnp.tanh(linen.Dense(4)(x)))

    net = random_flax_module("nn", Net(), dist.Normal(0, 1), input_shape=(1, 5))
    observe(net(x)[:, 0], y)


@case(
    "nnx mlp",
    X,
    Y,
    classes=[(4, "signed", {"nn/l1.kernel": 1, "nn/l1.bias": 0, "nn/l2.kernel": 0})],
)
def nnx_mlp(x, y):
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.l1, self.l2 = nnx.Linear(5, 4, rngs=rngs), nnx.Linear(4, 1, rngs=rngs)

        def __call__(self, x):
            return self.l2(jnp.tanh(self.l1(x)))

    net = random_nnx_module("nn", Net(nnx.Rngs(0)), dist.Normal(0, 1))
    observe(net(x)[:, 0], y)


@case(
    "eqx mlp", X, Y,
    classes=[
        (4, "scaled", {"nn/layers[0].weight": 0, "nn/layers[0].bias": 0, "nn/layers[1].weight": 1}),
        (4, "scaled", {"nn/layers[1].weight": 0, "nn/layers[1].bias": 0, "nn/layers[2].weight": 1}),
    ],
)  # fmt: skip
def eqx_mlp(x, y):
    import equinox as eqx

    net = random_eqx_module(
        "nn", eqx.nn.MLP(5, "scalar", 4, 2, key=jax.random.key(0)), dist.Normal(0, 1)
    )
    observe(jax.vmap(net)(x), y)


@case(
    "cnn", RNG.normal(size=(3, 6, 6, 1)), RNG.normal(size=3),
    classes=[
        (4, "scaled", {"k": 3, "c": 0, "w1": (0, None, 4, 1)}),
        (5, "scaled", {"w1": 1, "b1": 0, "w2": 0}),
    ],
)  # fmt: skip
def cnn(x, y):
    k, c = normal("k", 3, 3, 1, 4), normal("c", 4)
    h = jax.lax.conv_general_dilated(
        x, k, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    h = jax.nn.relu(h + c)
    h = jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    h = h.reshape(3, -1)
    observe(jax.nn.relu(h @ normal("w1", 16, 5) + normal("b1", 5)) @ normal("w2", 5), y)


@case(
    "resnet block", RNG.normal(size=(2, 5, 5, 3)), RNG.normal(size=2),
    classes=[
        (4, "signed", {"k0": 3, "g": 0, "b": 0, "k1": 2, "k2": 3, "w": 0}),
        (4, "permutation", {"k1": 3, "k2": 2}),
    ],
    signs=1,
)  # fmt: skip
def resnet_block(x, y):
    def conv(x, k):
        return jax.lax.conv_general_dilated(
            x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    h = conv(x, normal("k0", 3, 3, 3, 4))
    z = (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-5)
    z = z * normal("g", 4) + normal("b", 4)
    h = h + conv(jax.nn.gelu(conv(z, normal("k1", 3, 3, 4, 4))), normal("k2", 3, 3, 4, 4))
    observe(h.mean((1, 2)) @ normal("w", 4), y)


@case(
    "attention", RNG.normal(size=(2, 4, 6)), RNG.normal(size=2),
    classes=[
        (3, "permutation", {"q": 1, "k": 1, "v": 1, "o": 0}),
        (2, "signed", {"q": 2, "k": 2}),
        (2, "signed", {"v": 2, "o": 1}),
    ],
    signs=0,
)  # fmt: skip
def attention(x, y):
    q, k, v = (jnp.einsum("bti,ihd->bthd", x, normal(n, 6, 3, 2)) for n in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthd,bshd->bhts", q, k), -1)
    out = jnp.einsum("bhts,bshd->bthd", weights, v)
    observe(jnp.einsum("bthd,hdo->bo", out, normal("o", 3, 2, 2)) @ jnp.array([1.0, 2.0]), y)


@case(
    "rnn", RNG.normal(size=(6, 3)), Y[:6], classes=[(4, "signed", {"wx": 1, "wh": [0, 1], "wo": 0})]
)
def rnn(x, y):
    wx, wh, wo = normal("wx", 3, 4), normal("wh", 4, 4), normal("wo", 4)

    def step(h, u):
        h = jnp.tanh(u @ wx + h @ wh)
        return h, h @ wo

    observe(jax.lax.scan(step, jnp.zeros(4), x)[1], y)


# Mixtures, states, factors ------------------------------------------------------------------------


@case("mixture 1-D", Y, classes=[(3, "permutation", {"weights": 0, "mu": 0, "sigma": 0})])
def mixture(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 3))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    with numpyro.plate("data", len(y)):
        numpyro.sample(
            "y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, sigma)), obs=y
        )


@case(
    "mixture full covariance", RNG.normal(size=(7, 2)),
    classes=[(3, "permutation", {"weights": 0, "mu": 0, "sd": 0, "corr": 0})], signs=0,
)  # fmt: skip
def mixture_full(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))
        sd = numpyro.sample("sd", dist.HalfNormal(1).expand([2]).to_event(1))
        corr = numpyro.sample("corr", dist.LKJCholesky(2, 2.0))
    parts = dist.MultivariateNormal(mu, scale_tril=sd[..., None] * corr)
    with numpyro.plate("data", len(y)):
        numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(weights), parts), obs=y)


@case("mixture by logsumexp", Y, classes=[(3, "permutation", {"weights": 0, "mu": 0})])
def mixture_by_hand(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.full(3, 2.0)))
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    numpyro.factor("y", logsumexp(jnp.log(weights) - 0.5 * (y[:, None] - mu) ** 2, -1).sum())


@case("mixture unrolled", Y, classes=[(3, "permutation", {"mu": 0})])
def mixture_unrolled(y):
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    parts = [dist.Normal(mu[k], 1.0).log_prob(y) for k in range(3)]
    numpyro.factor("y", jnp.logaddexp(jnp.logaddexp(parts[0], parts[1]), parts[2]).sum())


@case("mixture ordered", Y)
def mixture_ordered(y):
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1).mask(False))
    numpyro.factor("order", jnp.where(jnp.all(jnp.diff(mu) > 0), 0.0, -1e3))
    numpyro.factor("y", logsumexp(-0.5 * (y[:, None] - mu) ** 2, -1).sum())


@case("mixture ordered support", Y)
def mixture_ordered_support(y):
    mu = numpyro.sample("mu", dist.ImproperUniform(dist.constraints.ordered_vector, (), (3,)))
    numpyro.factor("y", logsumexp(-0.5 * (y[:, None] - mu) ** 2, -1).sum())


@case("hmm scan", Y, classes=[(3, "permutation", {"init": 0, "A": [0, 1], "mu": 0})])
def hmm(y):
    init = numpyro.sample("init", dist.Dirichlet(jnp.ones(3)))
    A = numpyro.sample("A", dist.Dirichlet(jnp.ones((3, 3)) + 4 * jnp.eye(3)).to_event(1))
    mu = numpyro.sample("mu", dist.Normal(0, 2).expand([3]).to_event(1))

    def step(alpha, y):
        alpha = logsumexp(alpha[:, None] + jnp.log(A), 0) + dist.Normal(mu, 1.0).log_prob(y)
        return alpha, None

    start = jnp.log(init) + dist.Normal(mu, 1.0).log_prob(y[0])
    numpyro.factor("y", logsumexp(jax.lax.scan(step, start, y[1:])[0]))


DOCS = RNG.integers(0, 4, size=(3, 6))


@case("lda", DOCS, classes=[(2, "permutation", {"theta": 1, "phi": 0})])
def lda(docs):
    theta = numpyro.sample("theta", dist.Dirichlet(jnp.ones(2)).expand([3]).to_event(1))
    phi = numpyro.sample("phi", dist.Dirichlet(jnp.ones(4)).expand([2]).to_event(1))
    probs = theta @ phi
    numpyro.factor("y", jnp.log(jnp.take_along_axis(probs, docs, 1)).sum())


@case("factor analysis", RNG.normal(size=(6, 4)), classes=[(2, "signed", {"W": 1, "z": 1})])
def factor_analysis(y):
    W, z = normal("W", 4, 2), normal("z", 6, 2)
    numpyro.sample("y", dist.Normal(z @ W.T, 0.5).to_event(2), obs=y)


@case("factor analysis triangular", RNG.normal(size=(6, 4)), signs=2)
def factor_triangular(y):
    W, z = normal("W", 4, 2), normal("z", 6, 2)
    numpyro.sample("y", dist.Normal(z @ jnp.tril(W).T, 0.5).to_event(2), obs=y)


# None ---------------------------------------------------------------------------------------------


@case("eight schools", RNG.normal(size=8), RNG.uniform(1, 2, size=8))
def eight_schools(y, sigma):
    mu, tau = numpyro.sample("mu", dist.Normal(0, 5)), numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("school", 8):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)


@case("linear regression", X, Y)
def linear_regression(x, y):
    observe(x @ normal("beta", 5), y)


@case("ard gp", X3, Y)
def ard_gp(x, y):
    scale = numpyro.sample("scale", dist.HalfNormal(1).expand([3]).to_event(1))
    z = x / scale
    K = jnp.exp(-0.5 * ((z[:, None] - z[None]) ** 2).sum(-1)) + 0.1 * jnp.eye(7)
    numpyro.sample("y", dist.MultivariateNormal(jnp.zeros(7), K), obs=y)


# Fused and structured arrays ----------------------------------------------------------------------


@case(
    "attention fused", RNG.normal(size=(2, 4, 6)), RNG.normal(size=2),
    classes=[
        (3, "permutation", {"qkv": (1, None, 3, 2), "o": (0, None, 1, 2)}),
        (2, "signed", {"qkv": (1, None, 3, 1), "o": (0, None, 1, 1)}),  # in each of 3 heads
    ],
    signs=1,
)  # fmt: skip
def attention_fused(x, y):
    fused = (x @ normal("qkv", 6, 18)).reshape(2, 4, 3, 3, 2)
    q, k, v = fused[:, :, 0], fused[:, :, 1], fused[:, :, 2]
    weights = jax.nn.softmax(jnp.einsum("bthd,bshd->bhts", q, k), -1)
    out = jnp.einsum("bhts,bshd->bthd", weights, v).reshape(2, 4, 6)
    observe((out @ normal("o", 6, 2) @ jnp.array([1.0, 2.0])).mean(1), y)


GATES = [(1, 0, 2, 1), (1, 8, 1, 1), (1, 12, 1, 1)]  # signs act on the third alone


@case(
    "lstm",
    RNG.normal(size=(6, 3)),
    Y[:6],
    classes=[(4, "signed", {"wx": GATES, "wh": [0, *GATES], "wo": 0})],
)
def lstm(x, y):
    wx, wh, wo = normal("wx", 3, 16), normal("wh", 4, 16), normal("wo", 4)

    def step(state, u):
        h, c = state
        i, f, g, o = jnp.split(u @ wx + h @ wh, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h @ wo

    observe(jax.lax.scan(step, (jnp.zeros(4), jnp.zeros(4)), x)[1], y)


@functools.cache
def eqx_conv_net():
    """The class, made once: the model is run many times, and its net is of one
    structure each time.
    """
    import equinox as eqx

    class Net(eqx.Module):
        conv: eqx.nn.Conv2d
        out: eqx.nn.Linear

        def __init__(self):
            self.conv = eqx.nn.Conv2d(1, 4, 3, key=jax.random.key(0))
            self.out = eqx.nn.Linear(16, "scalar", key=jax.random.key(0))

        def __call__(self, x):
            h = jax.nn.relu(self.conv(x))
            return self.out(
                jax.lax.reduce_window(h, 0.0, jax.lax.add, (1, 2, 2), (1, 2, 2), "VALID").reshape(
                    -1
                )
            )

    return Net


@case(
    "eqx cnn", RNG.normal(size=(3, 1, 6, 6)), RNG.normal(size=3),
    classes=[(4, "scaled", {"nn/conv.weight": 0, "nn/conv.bias": 0,
                            "nn/out.weight": (1, None, 1, 4)})],
)  # fmt: skip
def eqx_cnn(x, y):
    net = random_eqx_module("nn", eqx_conv_net()(), dist.Normal(0, 1))
    observe(jax.vmap(net)(x), y)


@case(
    "depthwise",
    RNG.normal(size=(3, 8, 2)),
    RNG.normal(size=3),
    classes=[(4, "scaled", {"k": 2, "d": 2, "w": 0})],
)
def depthwise(x, y):
    def conv(h, k, groups):
        return jax.lax.conv_general_dilated(h, k, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"), feature_group_count=groups)  # fmt: skip # noqa: E501

    h = jax.nn.relu(conv(x, normal("k", 3, 2, 4), 1))
    observe(jax.nn.relu(conv(h, normal("d", 3, 1, 4), 4)).mean(1) @ normal("w", 4), y)


@case("latent classes", DOCS, classes=[(2, "permutation", {"weights": 0, "p": 0})])
def latent_classes(data):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    p = numpyro.sample("p", dist.Dirichlet(jnp.ones(4)).expand([2, 6]).to_event(2))
    logits = jnp.einsum("nic,kic->nk", jax.nn.one_hot(data, 4), jnp.log(p))
    numpyro.factor("y", logsumexp(jnp.log(weights) + logits, -1).sum())


@case("horseshoe", X, Y)
def horseshoe(x, y):
    tau = numpyro.sample("tau", dist.HalfCauchy(1))
    lam = numpyro.sample("lam", dist.HalfCauchy(1).expand([5]).to_event(1))
    observe(x @ (normal("z", 5) * lam * tau), y)


@case("random walk", Y)
def random_walk(y):
    states = numpyro.sample("states", dist.GaussianRandomWalk(1.0, num_steps=7))
    observe(states, y)


@case("stick breaking", Y, classes=())
def stick_breaking(y):
    v = numpyro.sample("v", dist.Beta(1, 2).expand([3]).to_event(1))
    weights = v * jnp.concatenate([jnp.ones(1), jnp.cumprod(1 - v)[:-1]])
    mu = normal("mu", 3)
    numpyro.factor("y", logsumexp(jnp.log(weights) - 0.5 * (y[:, None] - mu) ** 2, -1).sum())
