"""Twins of the models in ``asymmetric``, each with a symmetry that is there and must be found.

Every kind of false claim has its true one here, so that refusing everything fails, too. Classes are
written as in ``zoo``: those that hold for any values of arguments and observations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from asymmetric import COUNTS, EYE, GROUP, SUM3, X, Y, normal, observe, under_covariance
from jax.scipy.special import logsumexp
from numpyro import handlers

SYMMETRIC: dict[str, Twin] = {}

W3, W4 = [(3, "permutation", {"w": 0})], [(4, "permutation", {"w": 0})]
SIGNED3, SIGNED4 = [(3, "signed", {"w": 0})], [(4, "signed", {"w": 0})]
HIDDEN = [(4, "signed", {"w1": 1, "w2": 0})]
HIDDEN_ALIKE = [(4, "permutation", {"w1": 1, "w2": 0})]
FACTORS = [(2, "signed", {"u": 1, "v": 1})]


@dataclass(frozen=True)
class Twin:
    """One model and the classes that it has.

    :param classes: what is found.
    :param signs: how many signs of single units or of whole arrays there are besides.
    :param evaluated: whether it is found by evaluation, so that guides and kernels do not use it
        unasked.
    """

    model: Callable[..., Any]
    args: tuple
    classes: list
    signs: int = 0
    evaluated: bool = False


def true(name: str, *args: Any, classes: list, **options: Any) -> Callable:
    """Register a model with the symmetry that it has."""

    def register(model: Callable) -> Callable:
        SYMMETRIC[name] = Twin(model, args, classes, **options)
        return model

    return register


def units_of(x: Any) -> Any:
    """The outputs of four tanh units."""
    return jnp.tanh(x @ normal("w1", x.shape[-1], 4)) @ normal("w2", 4)


# Minibatches --------------------------------------------------------------------------------------


@true("minibatch: a network", classes=HIDDEN)
def network_of_rows():
    w1, w2 = normal("w1", 5, 4), normal("w2", 4)
    with numpyro.plate("rows", 7, subsample_size=3) as rows:
        numpyro.sample(
            "y", dist.Normal(jnp.tanh(jnp.asarray(X)[rows] @ w1) @ w2, 1), obs=jnp.asarray(Y)[rows]
        )


@true("minibatch: components", classes=W3)
def components_of_rows():
    w = normal("w", 3)
    with numpyro.plate("rows", 7, subsample_size=2) as rows:
        parts = dist.MixtureSameFamily(dist.Categorical(jnp.ones(3) / 3), dist.Normal(w, 1.0))
        numpyro.sample("y", parts, obs=jnp.asarray(Y)[rows])


@true("minibatch: two plates", classes=FACTORS)
def two_plates():
    u, v = normal("u", 6, 2), normal("v", 4, 2)
    rows, columns = (
        numpyro.plate("rows", 6, subsample_size=2, dim=-2),
        numpyro.plate("cols", 4, subsample_size=2),
    )
    with rows as i, columns as j:
        table = jnp.arange(24.0).reshape(6, 4)[i][:, j]
        numpyro.sample("y", dist.Normal(u[i] @ v[j].T, 1), obs=table)


@true("minibatch: random intercepts beside a network", classes=HIDDEN)
def intercepts_beside_a_network():
    w, w1, w2 = normal("w", 6), normal("w1", 6, 4), normal("w2", 4)
    with numpyro.plate("rows", 24, subsample_size=4) as rows:
        mean = w[jnp.asarray(GROUP)[rows]] + jnp.tanh(jnp.asarray(EYE)[rows] @ w1) @ w2
        numpyro.sample("y", dist.Normal(mean, 1), obs=jnp.asarray(COUNTS)[rows])


@true("minibatch: effects of the rows beside it", classes=HIDDEN)
def with_effects_of_rows():
    w1, w2 = normal("w1", 6, 4), normal("w2", 4)
    with numpyro.plate("rows", 24, subsample_size=4) as rows:
        e = numpyro.sample("e", dist.Normal())
        mean = e + jnp.tanh(jnp.asarray(EYE)[rows] @ w1) @ w2
        numpyro.sample("y", dist.Normal(mean, 1), obs=jnp.asarray(COUNTS)[rows])


@true("minibatch: whole data as arguments", EYE, COUNTS, classes=HIDDEN)
def subsampled_arguments(x, y):
    w1, w2 = normal("w1", 6, 4), normal("w2", 4)
    with numpyro.plate("rows", 24, subsample_size=4):
        xb, yb = numpyro.subsample(x, event_dim=1), numpyro.subsample(y, event_dim=0)
        numpyro.sample("y", dist.Normal(jnp.tanh(xb @ w1) @ w2, 1), obs=yb)


@true("minibatch: a plate at dim -2", classes=HIDDEN)
def a_plate_of_rows():
    w1, w2 = normal("w1", 6, 4), normal("w2", 4)
    with (
        numpyro.plate("cols", 3, dim=-1),
        numpyro.plate("rows", 24, subsample_size=4, dim=-2) as rows,
    ):
        mean = (jnp.tanh(jnp.asarray(EYE)[rows] @ w1) @ w2)[:, None]
        numpyro.sample(
            "y", dist.Normal(mean, 1), obs=jnp.asarray(COUNTS)[rows][:, None] * jnp.ones(3)
        )


@true("arguments: rows", EYE[:4], COUNTS[:4], classes=HIDDEN)
def rows_as_arguments(x, y):
    observe(units_of(x), y)


@true("arguments: a dict", {"x": EYE[:4], "y": COUNTS[:4]}, classes=HIDDEN)
def a_dict(batch):
    observe(units_of(batch["x"]), batch["y"])


@true("arguments: users and items", GROUP, GROUP[::-1].copy(), COUNTS, classes=FACTORS)
def factorization(user, item, y):
    observe((normal("u", 6, 2)[user] * normal("v", 6, 2)[item]).sum(-1), y)


@true("arguments: the number of a batch", 1, classes=HIDDEN)
def number_of_a_batch(i):
    observe(units_of(EYE[4 * i : 4 * i + 4]), COUNTS[4 * i : 4 * i + 4])


@true("arguments: where a batch begins", jnp.array(4), classes=HIDDEN)
def where_a_batch_begins(i):
    observe(units_of(jax.lax.dynamic_slice_in_dim(jnp.asarray(EYE), i, 4)), COUNTS[:4])


@true("arguments: a mask over rows", np.array([True, False, True, True]), classes=HIDDEN)
def a_mask(mask):
    mean = units_of(EYE[:4])
    numpyro.sample("y", dist.Normal(mean, 1.0).mask(mask).to_event(1), obs=COUNTS[:4])


@true("arguments: prior scales of the inputs", X, Y, np.array([1.0, 1, 2, 2, 3]), classes=HIDDEN)
def scales_of_inputs(x, y, s):
    observe(jnp.tanh(x @ normal("w1", 5, 4, scale=s[:, None])) @ normal("w2", 4), y)


# Size ---------------------------------------------------------------------------------------------


@true("size: fifty sites of small scale", classes=SIGNED3)
def nuisance():
    w = normal("w", 3)
    for i in range(50):
        numpyro.sample(f"n{i}", dist.Normal(0.5, 1e-4))
    observe((w**2).sum() * jnp.ones(2), np.zeros(2))


@true("size: small noise on a thousand rows", classes=W3)
def small_noise():
    observe(normal("w", 3).sum() * jnp.ones(1000), 0.6 * np.ones(1000), 1e-4)


@true("size: small noise of a network", X, Y, classes=HIDDEN)
def small_noise_of_a_network(x, y):
    observe(units_of(x), y, 1e-5)


@true("size: a large constant", classes=W3)
def large_constant():
    numpyro.factor("constant", -1e9)
    observe(normal("w", 3).sum() * jnp.ones(2), SUM3)


@true("size: a large constant in the same sum", classes=SIGNED3)
def large_constant_inside():
    numpyro.factor("all", -0.5 * (normal("w", 3) ** 2).sum() - 1e9)


@true("size: a far larger constant in the same sum", classes=SIGNED3)
def far_larger_constant_inside():
    numpyro.factor("all", -0.5 * (normal("w", 3) ** 2).sum() - 1e11)


@true("size: many large counts", classes=W3)
def large_counts():
    rate = numpyro.sample("w", dist.Gamma(jnp.ones(3), 1.0).to_event(1))
    numpyro.sample(
        "y", dist.Poisson(1e6 * rate.sum()).expand([500]).to_event(1), obs=np.full(500, 3_000_000)
    )


@true("size: a binomial of ten million", classes=W3)
def large_binomial():
    w = normal("w", 3)
    numpyro.sample(
        "y",
        dist.Binomial(10_000_000, logits=w.sum()).expand([50]).to_event(1),
        obs=np.full(50, 4_000_000),
    )


@true("size: far from zero", classes=W3)
def far_from_zero():
    observe(1e8 + normal("w", 3).sum() * jnp.ones(5), 1e8 + np.arange(5.0), 1.0)


@true("size: a factor with small noise", classes=W4, evaluated=True)
def factor_with_small_noise():
    w = numpyro.sample("w", dist.MultivariateNormal(jnp.zeros(4), jnp.asarray(0.5 + np.eye(4))))
    K = jnp.ones((30, 30)) + 1e-6 * jnp.eye(30)
    numpyro.sample("y", dist.MultivariateNormal(w.sum() * jnp.ones(30), K), obs=np.ones(30))


@true("size: equal correlations of small noise", classes=W4, evaluated=True)
def correlations_of_small_noise():
    under_covariance(jnp.ones((4, 4)) + 1e-5 * jnp.eye(4))


@true("size: a host callback", classes=W3, evaluated=True)
def callback():
    def host(w):
        return np.asarray(-0.5 * np.sum(np.asarray(w) ** 2) + np.sum(w) - 1e5, w.dtype)

    w = normal("w", 3)
    numpyro.factor("y", jax.pure_callback(host, jax.ShapeDtypeStruct((), w.dtype), w))


@true("size: scales that agree", classes=W4)
def equal_scales():
    observe(normal("w", 4, scale=jnp.full(4, 1.002)).sum() * jnp.ones(2), SUM3)


@true(
    "size: a prior that the likelihood drowns", X, Y, classes=HIDDEN_ALIKE, signs=1, evaluated=True
)
def drowned(x, y):
    cov = jnp.asarray(np.eye(4) + 0.1 * (1 - np.eye(4)))
    w1 = numpyro.sample("w1", dist.MultivariateNormal(jnp.zeros(4), cov).expand([5]).to_event(1))
    observe(jnp.tanh(x @ w1) @ normal("w2", 4), y, 1e-5)


@true("size: weights that agree", classes=W4)
def equal_weights():
    w, y = normal("w", 4), np.linspace(-2, 2, 400)
    numpyro.factor(
        "y", logsumexp(jnp.log(jnp.full(4, 0.25)) - 0.5 * (y[:, None] - w) ** 2, -1).sum()
    )


@true("size: degrees of freedom", classes=W3)
def degrees_of_freedom():
    observe(
        numpyro.sample("w", dist.StudentT(jnp.full(3, 3.5)).to_event(1)).sum() * jnp.ones(2), SUM3
    )


@true("size: concentrations", classes=W3)
def concentrations():
    w = numpyro.sample("w", dist.Dirichlet(jnp.full(3, 1.05)))
    numpyro.factor("y", 5 * jnp.sum(w**2))


@true("size: the mean of every entry", classes=W4)
def one_mean():
    observe(
        numpyro.sample("w", dist.Normal(jnp.full(4, 0.02), 1.0).to_event(1)).sum() * jnp.ones(2),
        SUM3,
    )


@true("size: a leak of every unit", X, Y, classes=HIDDEN_ALIKE)
def leak(x, y):
    observe(jnp.tanh(x @ normal("w1", 5, 4) + 0.02) @ normal("w2", 4), y)


@true("size: a transition that prefers none", Y, classes=W3)
def transition(y):
    w, A = normal("w", 3), jnp.full((3, 3), 0.2) + 0.4 * jnp.eye(3)

    def step(alpha, y):
        return logsumexp(alpha[:, None] + jnp.log(A), 0) - 2.0 * (y - w) ** 2, None

    numpyro.factor("y", logsumexp(jax.lax.scan(step, jnp.zeros(3), y)[0]))


@true("size: one column thrice", classes=W3)
def equal_columns():
    observe(jnp.asarray(np.repeat(X[:, :1], 3, 1)) @ normal("w", 3), Y, 0.1)


@true("size: censoring of every entry", classes=W3)
def censored():
    observe(normal("w", 3), jnp.full(3, 1.01))


# Single precision ---------------------------------------------------------------------------------

NARROW_COV = (0.5 + np.eye(4)).astype(np.float32)


@true("float32: a covariance held by the model", classes=W4, evaluated=True)
def narrow_covariance():
    under_covariance(jnp.asarray(NARROW_COV))


@true("float32: a covariance as argument", NARROW_COV, classes=W4, evaluated=True)
def narrow_covariance_given(cov):
    under_covariance(cov)


@true("float32: data", X.astype(np.float32), Y.astype(np.float32), classes=HIDDEN)
def narrow_data(x, y):
    observe(jnp.tanh(x @ normal("w1", 5, 4, scale=jnp.ones(4, jnp.float32))) @ normal("w2", 4), y)


@true("float32: a network in it", X.astype(np.float32), Y.astype(np.float32), classes=HIDDEN)
def narrow_network(x, y):
    w1, w2 = normal("w1", 5, 4).astype(jnp.float32), normal("w2", 4).astype(jnp.float32)
    observe(jnp.tanh(x @ w1) @ w2, y)


@true("float32: a carry in it", X.astype(np.float32), Y.astype(np.float32), classes=HIDDEN)
def narrow_carry(x, y):
    w1, w2 = normal("w1", 5, 4), normal("w2", 4)
    last, _ = jax.lax.scan(
        lambda h, row: (jnp.tanh(h + row @ w1).astype(jnp.float32), None),
        jnp.zeros(4, jnp.float32),
        x,
    )
    observe(last @ w2 * jnp.ones(7, jnp.float32), y)


@true("bfloat16: a network in it", X, Y, classes=HIDDEN)
def half_network(x, y):
    h = jnp.tanh((x @ normal("w1", 5, 4)).astype(jnp.bfloat16))
    observe(h.astype(float) @ normal("w2", 4), y)


# Models that are the same twice, whatever they draw -----------------------------------------------


@true("pure: a counter that only counts", classes=W3)
def counter():
    SEEN.append(len(SEEN))
    observe(normal("w", 3).sum() * jnp.ones(2), SUM3)


SEEN: list[int] = []


@true("pure: a generator with a seed", classes=W3)
def seeded_generator():
    observe(normal("w", 3).sum() * np.random.default_rng(0).normal(size=2), SUM3)


@true("pure: a host callback without a state", classes=W3)
def stateless_callback():
    total = normal("w", 3).sum()
    got = jax.pure_callback(lambda x: np.sin(x), jax.ShapeDtypeStruct((), total.dtype), total)
    observe(got * jnp.ones(2), SUM3)


@true("random: drop-out of the inputs", X, Y, classes=HIDDEN)
def dropout(x, y):
    observe(units_of(x * jax.random.bernoulli(numpyro.prng_key(), 0.5, (5,))), y)


@true("random: features", X, Y, classes=HIDDEN)
def random_features(x, y):
    observe(units_of(jnp.cos(x @ jax.random.normal(numpyro.prng_key(), (5, 3)))), y)


# What no random point meets, for all alike --------------------------------------------------------


@true("region: far out", classes=W3)
def far_out():
    w = normal("w", 3)
    numpyro.factor("y", jnp.sum(jnp.where(w > 60.0, -w, 0.0)) - jnp.sum(w**2))


@true("region: behind a branch", classes=W3)
def behind_a_branch():
    w, z = normal("w", 3), numpyro.sample("z", dist.Normal(1.0))
    numpyro.factor("y", jax.lax.cond(z > 50.0, lambda: jnp.sum(w), lambda: jnp.sum(jnp.cos(w))))


@true("region: behind a jitted branch", classes=W3)
def behind_a_jitted_branch():
    w, z = normal("w", 3), numpyro.sample("z", dist.Normal(1.0))
    numpyro.factor(
        "y", jax.jit(lambda w, z: jax.lax.cond(z > 50.0, jnp.sum, lambda w: jnp.sum(w**4), w))(w, z)
    )


@true("region: where a ramp begins", classes=W3)
def ramp():
    numpyro.factor("y", -jnp.sum(jnp.maximum(normal("w", 3) - 70.0, 0.0)))


@true("region: where a clip ends", classes=W3)
def clipped():
    observe(jnp.clip(normal("w", 3), -70.0, 90.0).sum() * jnp.ones(2), SUM3)


@true("region: inside a callback", classes=W3, evaluated=True)
def callback_far_out():
    def host(w):
        return np.asarray(-np.sum(np.asarray(w) ** 2) - np.sum(np.asarray(w) > 60.0), w.dtype)

    w = normal("w", 3)
    numpyro.factor("y", jax.pure_callback(host, jax.ShapeDtypeStruct((), w.dtype), w))


# Supports -----------------------------------------------------------------------------------------


@true("support: bounds", classes=W3)
def bounds():
    w = numpyro.sample("w", dist.Uniform(0.0, jnp.full(3, 2.0)).to_event(1))
    numpyro.factor("y", -jnp.sum(w**2))


@true("support: an improper interval", classes=W3)
def improper_interval():
    w = numpyro.sample(
        "w", dist.ImproperUniform(dist.constraints.interval(0.0, jnp.full(3, 5.0)), (3,), ())
    )
    numpyro.factor("y", -jnp.sum(w**2))


@true("support: truncation", classes=W3)
def truncated():
    w = numpyro.sample("w", dist.TruncatedNormal(0.0, 1.0, low=jnp.full(3, -1.0)).to_event(1))
    numpyro.factor("y", -jnp.sum(w**2))


@true("support: a bound that is latent", classes=W3)
def latent_bound():
    top = numpyro.sample("top", dist.HalfNormal())
    inside = dist.constraints.interval(0.0, 1.0 + top * jnp.ones(3))
    w = numpyro.sample("w", dist.ImproperUniform(inside, (3,), ()))
    numpyro.factor("y", -jnp.sum(w**2))


@true("support: what is positive", classes=W3)
def positive():
    w = numpyro.sample("w", dist.ImproperUniform(dist.constraints.positive, (3,), ()))
    numpyro.factor("y", -jnp.sum(w**2))


@true("support: a simplex", classes=W3)
def simplex():
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(3)))
    numpyro.factor("y", jnp.sum(jnp.cos(3 * w)))


# The whole, seen through handlers -----------------------------------------------------------------


@true("part: a likelihood in two parts", X, Y, classes=HIDDEN)
def two_likelihoods(x, y):
    f = units_of(x)
    numpyro.sample("y", dist.Normal(f[:4], 0.3).to_event(1), obs=y[:4])
    numpyro.sample("z", dist.StudentT(3.0, f[4:], 0.3).to_event(1), obs=y[4:])


@true("part: one site conditioned on", X, Y, classes=HIDDEN)
def conditioned(x, y):
    def model():
        observe(numpyro.sample("b", dist.Normal()) + units_of(x), y)

    handlers.condition(model, {"b": 0.3})()


@true("part: in a scope", X, Y, classes=[(4, "signed", {"net/w1": 1, "net/w2": 0})])
def scoped(x, y):
    f = handlers.scope(units_of, "net")(x)
    observe(f, y)


# Parameters ---------------------------------------------------------------------------------------


@true("parameter: one for all", classes=W4)
def one_parameter():
    scale = numpyro.param("scale", 1.0, constraint=dist.constraints.positive)
    observe(normal("w", 4, scale=scale).sum() * jnp.ones(2), SUM3)


@true("parameter: one an input", X, Y, classes=HIDDEN)
def parameters_of_inputs(x, y):
    scale = numpyro.param("scale", jnp.ones((5, 1)), constraint=dist.constraints.positive)
    observe(jnp.tanh(x @ normal("w1", 5, 4, scale=scale)) @ normal("w2", 4), y)


# Hierarchies --------------------------------------------------------------------------------------


@true("hierarchy: a scale a unit", X, Y, classes=[(4, "signed", {"tau": 0, "w1": 1, "w2": 0})])
def scale_of_units(x, y):
    tau = numpyro.sample("tau", dist.HalfNormal().expand([4]).to_event(1))
    observe(jnp.tanh(x @ normal("w1", 5, 4, scale=tau)) @ normal("w2", 4), y)


@true("hierarchy: groups of one size and sum", classes=W3)
def equal_groups():
    m, s = numpyro.sample("m", dist.Normal(-1, 1)), numpyro.sample("s", dist.HalfNormal(1))
    w = numpyro.sample("w", dist.Normal(m, s).expand([3]).to_event(1))
    numpyro.sample("y", dist.Binomial(45, logits=w).to_event(1), obs=jnp.full(3, 15))


@true(
    "heads: gates of a mixture of experts",
    X,
    Y,
    classes=[(3, "permutation", {"gate": 1, "expert": 1})],
)
def experts(x, y):
    gates = jax.nn.softmax(x @ normal("gate", 5, 3), -1)
    observe((gates * (x @ normal("expert", 5, 3))).sum(-1), y)


@true(
    "heads: one array cut in two",
    X,
    Y,
    classes=[(4, "signed", {"w": [(1, 0, 1, 1), (1, 4, 1, 1)], "w2": 0})],
    signs=1,
)
def two_halves(x, y):
    w = normal("w", 5, 8)
    observe((jnp.tanh(x @ w[:, :4]) * jnp.cos(x @ w[:, 4:])) @ normal("w2", 4), y)
