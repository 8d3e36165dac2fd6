"""Models with a symmetry that is not there, as a hostile user would write them, and how far it is
off.

A case names a false claim and, where its kind is one of size, tells it apart by at least a
hundredth of a nat at a draw of the prior (or where ``at`` says). Where a claim holds for these very
arguments and not for others, ``whole`` is the model, with the arguments, that tells it apart.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.infer.util import log_density
from numpyro.primitives import Messenger

from numpyro_sym import Axis, Element, Symmetry, Units

RNG = np.random.default_rng(1)
X, Y = RNG.normal(size=(7, 5)), RNG.normal(size=7)
ASYMMETRIC: dict[str, Broken] = {}


@dataclass(frozen=True)
class Broken:
    """One model and its false claim.

    :param claim: what is not so.
    :param whole: where it is seen not to be so: a model and its arguments; this one.
    :param at: sites -> values at the measured point, where a draw of the prior does not tell.
    :param sized: whether its size is measured, or the claim is false in another way.
    :param narrow: whether it runs in single precision only.
    :param here: whether the claim holds for these very arguments.
    """

    model: Callable[..., Any]
    args: tuple
    claim: Units
    whole: tuple[Callable[..., Any], tuple]
    at: Mapping[str, Any] = field(default_factory=dict)
    sized: bool = True
    narrow: bool = False
    here: bool = False

    def nats(self, claim: Units | None = None) -> float:
        """How far the claim (or another) changes NumPyro's own log density, at the worst of a few
        points.
        """
        units, (model, args) = claim or self.claim, self.whole
        sym, found = Symmetry([units]), [0.0]
        with jax.enable_x64(not self.narrow), Whole():
            for seed in range(3):
                at = {site: jnp.asarray(value) for site, value in self.at.items()}
                trace = handlers.trace(
                    handlers.substitute(handlers.seed(model, seed), at)
                ).get_trace(*args)
                point = {
                    k: v["value"]
                    for k, v in trace.items()
                    if v["type"] == "sample" and not v["is_observed"]
                }
                point = {k: np.asarray(v) for k, v in point.items()}
                before = log_density(handlers.seed(model, 0), args, {}, point)[0]
                for element in _elements(units):
                    moved = sym.act({units.name: element}, point)
                    if not _in_support(model, args, moved):
                        found.append(np.inf)
                        continue
                    change = float(
                        log_density(handlers.seed(model, 0), args, {}, moved)[0] - before
                    )
                    found.append(abs(change) if np.isfinite(change) else np.inf)
        return max(found)


def _in_support(model: Callable, args: tuple, point: Mapping[str, Any]) -> bool:
    trace = handlers.trace(handlers.substitute(handlers.seed(model, 0), point)).get_trace(*args)
    return all(bool(np.all(trace[name]["fn"].support(value))) for name, value in point.items())


def _elements(units: Units) -> list[Element]:
    """Reversal, a step round, and (where there are any) signs of every second unit."""
    signs = np.where(np.arange(units.n) % 2 == (units.n > 1), -1.0, 1.0)
    factor = signs if units.kind == "signed" else np.ones(units.n)
    return [
        Element(np.arange(units.n)[::-1], factor),
        Element(np.roll(np.arange(units.n), 1), np.ones(units.n)),
    ]


class Whole(Messenger):
    """Subsampled plates with all their rows."""

    def process_message(self, msg: dict) -> None:
        if msg["type"] == "plate" and msg["args"][1] is not None:
            size = msg["args"][0]
            msg["args"], msg["value"] = (size, size), jnp.arange(size)


def false(
    name: str, *args: Any, claim: Units, whole_args: Any = None, learnt: Any = None, **options: Any
) -> Callable:
    """Register a model with the claim that is false of it, for its parameters as they start or as
    learnt.
    """

    def register(model: Callable) -> Callable:
        whole = model if learnt is None else handlers.substitute(model, learnt)
        seen = whole, args if whole_args is None else whole_args
        ASYMMETRIC[name] = Broken(model, args, claim, seen, **options)
        return model

    return register


def normal(name: str, *shape: int, scale: Any = 1.0) -> Any:
    return numpyro.sample(name, dist.Normal(0, scale).expand(shape).to_event(len(shape)))


def observe(mean: Any, y: Any, sd: Any = 0.3) -> None:
    numpyro.sample("y", dist.Normal(mean, sd).to_event(1), obs=y)


def exchange(n: int, **axes: Any) -> Units:
    return Units("claim", n, axes=axes)


W2, W3, W4, W6, W20, LAST5, PAIR = (
    *(exchange(n, w=0) for n in (2, 3, 4, 6, 20)),
    *(exchange(n, w=Axis(0, start)) for n, start in ((5, 1), (2, 0))),
)
LAST2 = exchange(2, w=Axis(0, 1))
SIGNS3 = Units("claim", 3, incoming={"w": 0}, kind="signed")
HIDDEN = Units("claim", 4, incoming={"w1": 1}, outgoing={"w2": 0}, kind="signed")

# Minibatches --------------------------------------------------------------------------------------

EYE, COUNTS = np.repeat(np.eye(6), 4, 0), np.repeat(np.arange(6.0), 4)
GROUP = np.repeat(np.arange(6), 4)
SPARSE = np.zeros((60, 20))
SPARSE[np.arange(60), np.arange(60) // 3] = 1.0


@false("minibatch: the design of one row a coefficient", claim=W6)
def one_row_a_coefficient():
    w = normal("w", 6, scale=5.0)
    with numpyro.plate("rows", 24, subsample_size=4) as rows:
        numpyro.sample("y", dist.Normal(EYE[rows] @ w, 1), obs=COUNTS[rows])


@false("minibatch: random intercepts", claim=W6)
def random_intercepts():
    w, mu = normal("w", 6, scale=5.0), numpyro.sample("mu", dist.Normal())
    with numpyro.plate("rows", 24, subsample_size=4) as rows:
        numpyro.sample("y", dist.Normal(mu + w[jnp.asarray(GROUP)[rows]], 1), obs=COUNTS[rows])


@false("minibatch: a sparse design", claim=W20)
def sparse_design():
    w = normal("w", 20)
    with numpyro.plate("rows", 60, subsample_size=5) as rows:
        numpyro.sample(
            "y", dist.Normal(jnp.asarray(SPARSE)[rows] @ w, 1), obs=np.arange(60.0)[rows]
        )


@false("minibatch: two plates", claim=exchange(6, u=0))
def two_plates():
    u, v = normal("u", 6), normal("v", 4)
    table = np.outer(np.arange(6.0), np.arange(1.0, 5.0))
    rows, columns = (
        numpyro.plate("rows", 6, subsample_size=2, dim=-2),
        numpyro.plate("cols", 4, subsample_size=2),
    )
    with rows as i, columns as j:
        numpyro.sample("y", dist.Normal(u[i][:, None] + v[j], 1), obs=jnp.asarray(table)[i][:, j])


@false("minibatch: a plate at dim -2", claim=W6)
def a_plate_of_rows():
    w = normal("w", 6, scale=5.0)
    with (
        numpyro.plate("cols", 3, dim=-1),
        numpyro.plate("rows", 24, subsample_size=4, dim=-2) as rows,
    ):
        mean = (jnp.asarray(EYE)[rows] @ w)[:, None]
        numpyro.sample(
            "y", dist.Normal(mean, 1), obs=jnp.asarray(COUNTS)[rows][:, None] * jnp.ones(3)
        )


@false("minibatch: whole data as arguments", EYE, COUNTS, claim=W6)
def subsampled_arguments(x, y):
    w = normal("w", 6, scale=5.0)
    with numpyro.plate("rows", 24, subsample_size=4):
        xb, yb = numpyro.subsample(x, event_dim=1), numpyro.subsample(y, event_dim=0)
        numpyro.sample("y", dist.Normal(xb @ w, 1), obs=yb)


@false("minibatch: features", claim=W6)
def features_in_part():
    w = normal("w", 6, scale=5.0)
    with numpyro.plate("features", 6, subsample_size=2) as j:
        numpyro.factor("y", -0.5 * (w[j] - jnp.arange(6.0)[j]) ** 2)


@false("minibatch: effects of the rows beside it", claim=W6)
def with_effects_of_rows():
    w = normal("w", 6, scale=5.0)
    with numpyro.plate("rows", 24, subsample_size=4) as rows:
        e = numpyro.sample("e", dist.Normal())
        numpyro.sample("y", dist.Normal(e + jnp.asarray(EYE)[rows] @ w, 1), obs=COUNTS[rows])


@false(
    "arguments: rows of one coefficient",
    EYE[:4],
    COUNTS[:4],
    claim=LAST5,
    whole_args=(EYE, COUNTS),
    here=True,
)
def rows_as_arguments(x, y):
    observe(x @ normal("w", 6, scale=5.0), y, 1.0)


@false(
    "arguments: rows in a plate",
    EYE[:4],
    COUNTS[:4],
    claim=LAST5,
    whole_args=(EYE, COUNTS),
    here=True,
)
def rows_in_a_plate(x, y):
    w = normal("w", 6, scale=5.0)
    with numpyro.plate("rows", 24, subsample_size=len(x)):
        numpyro.sample("y", dist.Normal(x @ w, 1), obs=y)


@false(
    "arguments: users whom a batch does not mention", GROUP[:4], COUNTS[:4],
    claim=LAST5, whole_args=(GROUP, COUNTS), here=True,
)  # fmt: skip
def embeddings(user, y):
    observe(normal("w", 6)[user], y)


@false(
    "arguments: users and items", GROUP[:4], GROUP[8:12], COUNTS[:4],
    claim=exchange(5, u=Axis(0, 1)), whole_args=(GROUP, GROUP[::-1], COUNTS), here=True,
)  # fmt: skip
def factorization(user, item, y):
    observe((normal("u", 6, 2)[user] * normal("v", 6, 2)[item]).sum(-1), y)


@false(
    "arguments: a dict", {"user": GROUP[:4], "y": COUNTS[:4]},
    claim=LAST5, whole_args=({"user": GROUP, "y": COUNTS},), here=True,
)  # fmt: skip
def a_dict(batch):
    observe(jax.nn.one_hot(batch["user"], 6) @ normal("w", 6), batch["y"])


@false("arguments: the number of a batch", 0, claim=LAST5, whole_args=(1,), here=True)
def number_of_a_batch(i):
    observe(
        normal("w", 6)[GROUP[4 * i : 4 * i + 4]] * COUNTS[4 * i : 4 * i + 4],
        COUNTS[4 * i : 4 * i + 4] + 1.0,
    )


@false(
    "arguments: where a batch begins",
    jnp.array(0),
    claim=LAST5,
    whole_args=(jnp.array(4),),
    here=True,
)
def where_a_batch_begins(i):
    def rows(x):
        return jax.lax.dynamic_slice_in_dim(jnp.asarray(x), i, 4)

    observe(rows(EYE) @ (jnp.arange(1.0, 7.0) * 0 + normal("w", 6)), rows(COUNTS) + 1.0)


@false("arguments: a mask that hides the same", np.array([1.0, 0.0, 0.0]),
       claim=exchange(2, w=Axis(0, 1)),
       whole_args=(np.array([1.0, 1.0, 0.0]),), here=True)  # fmt: skip
def a_mask(mask):
    observe(normal("w", 3) * mask, np.arange(3.0))


@false("arguments: prior scales", np.array([1.0, 1.0, 2.0]), claim=PAIR,
       whole_args=(np.array([1.0, 2.0, 2.0]),), here=True)  # fmt: skip
def scales_as_arguments(s):
    observe(normal("w", 3, scale=s).sum() * jnp.ones(2), np.arange(2.0))


# Size ---------------------------------------------------------------------------------------------


@false("size: a hundred sites of small scale", claim=W3)
def nuisance():
    w = normal("w", 3, scale=jnp.array([1.0, 1.0, 1.5]))
    for i in range(100):
        numpyro.sample(f"n{i}", dist.Normal(0, 1e-4))
    observe(w.sum() * jnp.ones(2), np.zeros(2))


@false("size: small noise on a thousand rows", claim=W3, at={"w": [0.1, 0.2, 0.3]})
def small_noise():
    w = normal("w", 3, scale=jnp.array([1.0, 1.0, 1.2]))
    observe(w.sum() * jnp.ones(1000), 0.6 * np.ones(1000), 1e-4)


@false("size: small noise, the likelihood itself", claim=W3, at={"w": [0.1, 0.2, 0.3]})
def small_noise_in_the_likelihood():
    w = normal("w", 3)
    observe(
        (w @ jnp.array([1.0, 1.0, 1.0 + 1e-5])) * jnp.ones(1000), 0.600004 * np.ones(1000), 1e-4
    )


@false("size: a large constant", claim=W3)
def large_constant():
    numpyro.factor("constant", -1e9)
    observe(normal("w", 3, scale=jnp.array([1.0, 1.0, 1.1])).sum() * jnp.ones(2), np.zeros(2))


@false("size: a large constant in the same sum", claim=W3)
def large_constant_inside():
    w = normal("w", 3)
    numpyro.factor("all", -0.5 * (w**2 * jnp.array([1.0, 1.0, 1.1])).sum() - 1e9)


@false("size: a far larger constant in the same sum", claim=W3)
def far_larger_constant_inside():
    w = normal("w", 3)
    numpyro.factor("all", -0.5 * (w**2 * jnp.array([1.0, 1.0, 1.3])).sum() - 1e11)


@false("size: many large counts", claim=W3)
def large_counts():
    rate = numpyro.sample("w", dist.Gamma(jnp.array([1.0, 1.0, 1.05]), 1.0).to_event(1))
    numpyro.sample(
        "y", dist.Poisson(1e6 * rate.sum()).expand([500]).to_event(1), obs=np.full(500, 3_000_000)
    )


@false("size: a binomial of ten million", claim=W3)
def large_binomial():
    w = normal("w", 3, scale=jnp.array([1.0, 1.0, 1.05]))
    numpyro.sample(
        "y",
        dist.Binomial(10_000_000, logits=w.sum()).expand([50]).to_event(1),
        obs=np.full(50, 4_000_000),
    )


@false("size: far from zero", claim=W3)
def far_from_zero():
    w = normal("w", 3, scale=jnp.array([1.0, 1.0, 1.05]))
    observe(1e8 + w.sum() * jnp.ones(5), 1e8 + np.arange(5.0), 1.0)


@false("size: a factor with small noise", claim=W4)
def factor_with_small_noise():
    cov = 0.5 + np.eye(4) * np.array([1.0, 1.0, 1.0, 1.05])
    w = numpyro.sample("w", dist.MultivariateNormal(jnp.zeros(4), jnp.asarray(cov)))
    K = jnp.ones((30, 30)) + 1e-6 * jnp.eye(30)
    numpyro.sample("y", dist.MultivariateNormal(w.sum() * jnp.ones(30), K), obs=np.ones(30))


@false("size: a kernel of small noise over the entries", claim=W4)
def kernel_of_small_noise():
    at = jnp.array([0.0, 1.0, 2.0, 3.0])
    K = jnp.exp(-0.5 * (at[:, None] - at) ** 2 / 25.0) + 1e-5 * jnp.eye(4)
    observe(
        numpyro.sample("w", dist.MultivariateNormal(jnp.zeros(4), K)).sum() * jnp.ones(2),
        np.zeros(2),
    )


@false("size: a host callback", claim=W3)
def callback():
    def host(w):
        return np.asarray(-0.5 * np.sum(np.asarray(w) ** 2 * [1, 1, 1.05]) - 1e5, w.dtype)

    w = normal("w", 3)
    numpyro.factor("y", jax.pure_callback(host, jax.ShapeDtypeStruct((), w.dtype), w))


@false("size: a callback that rounds", claim=W3)
def rounding_callback():
    def host(w):
        w = np.asarray(w)
        return np.asarray(np.round(1e4 * (np.tanh(w) @ [1, 1, 1.02])) / 1e4, w.dtype)

    w = normal("w", 3)
    numpyro.factor("y", jax.pure_callback(host, jax.ShapeDtypeStruct((), w.dtype), w))


@false("size: scales that nearly agree", claim=W4, at={"w": [1.0, -2.0, 0.5, 3.0]})
def nearly_equal_scales():
    observe(
        normal("w", 4, scale=jnp.array([1.0, 1.0, 1.0, 1.002])).sum() * jnp.ones(2), np.zeros(2)
    )


@false("size: correlations that nearly agree", claim=W4)
def nearly_equal_correlations():
    cov = np.eye(4) + 0.1 * (1 - np.eye(4))
    cov[0, 1] = cov[1, 0] = 0.13
    observe(
        numpyro.sample("w", dist.MultivariateNormal(jnp.zeros(4), jnp.asarray(cov))).sum()
        * jnp.ones(2),
        np.zeros(2),
    )


@false("size: a prior that the likelihood drowns", X, Y, claim=exchange(4, w1=1, w2=0))
def drowned(x, y):
    cov = np.eye(4)
    cov[0, 1] = cov[1, 0] = 0.1
    w1 = numpyro.sample(
        "w1", dist.MultivariateNormal(jnp.zeros(4), jnp.asarray(cov)).expand([5]).to_event(1)
    )
    observe(jnp.tanh(x @ w1) @ normal("w2", 4), y, 1e-5)


@false("size: weights that nearly agree", claim=W4, at={"w": [1.0, -1.0, 0.5, 0.0]})
def nearly_equal_weights():
    w, y = normal("w", 4), np.linspace(-2, 2, 400)
    logits = jnp.log(jnp.array([0.25, 0.25, 0.249, 0.251]))
    numpyro.factor("y", logsumexp(logits - 0.5 * (y[:, None] - w) ** 2, -1).sum())


@false("size: degrees of freedom", claim=W3)
def degrees_of_freedom():
    w = numpyro.sample("w", dist.StudentT(jnp.array([3.0, 3.0, 3.5])).to_event(1))
    observe(w.sum() * jnp.ones(2), np.zeros(2))


@false("size: concentrations", claim=W3)
def concentrations():
    w = numpyro.sample("w", dist.Dirichlet(jnp.array([1.0, 1.0, 1.05])))
    numpyro.factor("y", 5 * jnp.sum(w**2))


@false("size: the mean of one entry", claim=W4)
def one_mean():
    w = numpyro.sample("w", dist.Normal(jnp.array([0.0, 0, 0, 0.02]), 1.0).to_event(1))
    observe(w.sum() * jnp.ones(2), np.zeros(2))


@false("size: a leak of one unit", X, Y, claim=HIDDEN)
def leak(x, y):
    h = jnp.tanh(x @ normal("w1", 5, 4) + jnp.array([0.0, 0, 0, 0.02]))
    observe(h @ normal("w2", 4), y)


@false("size: a small bias breaks signs", X, Y, claim=HIDDEN)
def small_bias(x, y):
    observe(jnp.tanh(x @ normal("w1", 5, 4) + 0.02) @ normal("w2", 4), y)


@false("size: a transition that one state prefers", Y, claim=exchange(3, w=0))
def transition(y):
    w = normal("w", 3)
    A = jnp.full((3, 3), 1 / 3).at[0, 1].add(0.02).at[0, 2].add(-0.02)

    def step(alpha, y):
        return logsumexp(alpha[:, None] + jnp.log(A), 0) - 2.0 * (y - w) ** 2, None

    numpyro.factor("y", logsumexp(jax.lax.scan(step, jnp.zeros(3), y)[0]))


@false("size: one column nearly another", claim=PAIR)
def nearly_equal_columns():
    x = np.stack([X[:, 0], X[:, 0] * (1 + 3e-3), X[:, 1]], 1)
    observe(jnp.asarray(x) @ normal("w", 3), Y, 0.1)


@false("size: censoring of one entry", claim=W3)
def censored():
    w = normal("w", 3)
    observe(w, np.array([1.0, 1.0, 1.01]), 0.3)


# Single precision ---------------------------------------------------------------------------------

NARROW_COV = (0.5 + np.eye(4)).astype(np.float32)
NARROW_COV[3, 3] += np.float32(0.02)


def under_covariance(cov: Any) -> None:
    observe(
        numpyro.sample("w", dist.MultivariateNormal(jnp.zeros(4), cov)).sum() * jnp.ones(2),
        np.zeros(2),
    )


@false("float32: a covariance held by the model", claim=W4)
def narrow_covariance():
    under_covariance(jnp.asarray(NARROW_COV))


@false("float32: a covariance as argument", NARROW_COV, claim=W4)
def narrow_covariance_given(cov):
    under_covariance(cov)


@false("float32: data", X.astype(np.float32), Y.astype(np.float32), claim=HIDDEN)
def narrow_data(x, y):
    w1 = normal("w1", 5, 4, scale=jnp.array([1, 1, 1, 1.02], jnp.float32))
    observe(jnp.tanh(x @ w1) @ normal("w2", 4), y)


@false("float32: a network in it", X.astype(np.float32), Y.astype(np.float32), claim=HIDDEN)
def narrow_network(x, y):
    w1 = normal("w1", 5, 4).astype(jnp.float32)
    h = jnp.tanh(x @ w1 * jnp.array([1, 1, 1, 1.01], jnp.float32))
    observe(h @ normal("w2", 4).astype(jnp.float32), y)


@false(
    "float32: a carry in it",
    X.astype(np.float32),
    Y.astype(np.float32),
    claim=exchange(4, w1=1, w2=0),
    narrow=True,
)
def narrow_carry(x, y):
    w1, w2 = normal("w1", 5, 4), normal("w2", 4)
    scale = jnp.array([1, 1, 1, 1.02], jnp.float32)
    last, _ = jax.lax.scan(
        lambda h, row: (jnp.tanh(h * scale + row @ w1), None), jnp.zeros(4, jnp.float32), x
    )
    observe(last @ w2 * jnp.ones(7, jnp.float32), y)


@false("bfloat16: a network in it", X, Y, claim=HIDDEN)
def half_network(x, y):
    h = jnp.tanh(
        (x @ normal("w1", 5, 4)).astype(jnp.bfloat16) * jnp.array([1, 1, 1, 1.25], jnp.bfloat16)
    )
    observe(h.astype(float) @ normal("w2", 4), y)


# Models that are not the same twice ---------------------------------------------------------------

SUM3 = np.zeros(2)


def impure(name: str, *args: Any, claim: Units = W3) -> Callable:
    return false(f"impure: {name}", *args, claim=claim, sized=False)


CALLS = itertools.count()


@impure("a counter")
def counter():
    observe(normal("w", 3).sum() * jnp.ones(2) * (1 + 0.1 * next(CALLS)), SUM3)


LOG: list[float] = []


@impure("a list that grows")
def growing_list():
    LOG.append(1.0)
    observe(normal("w", 3).sum() * jnp.ones(2), SUM3, 1.0 + 0.01 * len(LOG))


@impure("numpyro.primitives.mutable")
def mutable():
    state = numpyro.primitives.mutable("state", STATE)
    state["n"] += 1.0
    observe(normal("w", 3).sum() * state["n"] * jnp.ones(2), SUM3)


STATE = {"n": 0.0}


@impure("a global generator")
def global_generator():
    observe((normal("w", 3) * np.random.default_rng().normal()).sum() * jnp.ones(2), SUM3)


@impure("the clock")
def clock():
    observe(normal("w", 3).sum() * (time.perf_counter() % 1) * jnp.ones(2), SUM3)


HOST = itertools.count()


@impure("a host callback with a state")
def stateful_callback():
    w = normal("w", 3)
    got = jax.pure_callback(
        lambda x: np.asarray(np.sum(x) * next(HOST), x.dtype), jax.ShapeDtypeStruct((), w.dtype), w
    )
    observe(got * jnp.ones(2), SUM3)


LATE = itertools.count()


@impure("a host callback that changes late")
def late_callback():
    def host(x):
        return np.asarray(
            -0.5 * np.sum(np.asarray(x) ** 2) + (0.5 if next(LATE) % 40 > 20 else 0.0), x.dtype
        )

    w = normal("w", 3)
    numpyro.factor("y", jax.pure_callback(host, jax.ShapeDtypeStruct((), w.dtype), w))


@false("random: a drop-out that kept all", claim=W4, sized=False, here=True)
def dropout():
    keep = jax.random.bernoulli(numpyro.prng_key(), 0.97, (4,))
    observe((normal("w", 4) * keep).sum() * jnp.ones(2), SUM3)


@false("random: features", claim=W4, sized=False, here=True)
def random_features():
    signs = jnp.round(jax.random.uniform(numpyro.prng_key(), (4,)) * 0.6 + 1.0)
    observe((normal("w", 4) * signs).sum() * jnp.ones(2), SUM3)


# What no random point meets -----------------------------------------------------------------------


def region(name: str, **at: Any) -> Callable:
    """What differs only there."""
    return false(f"region: {name}", claim=PAIR, at=at, here=True)


@region("far out", w=[70.0, 1.0, 2.0])
def far_out():
    w = normal("w", 3)
    numpyro.factor("y", jnp.where(w[0] > 60.0, -w[0], 0.0) - jnp.sum(w**2))


@region("behind a branch", w=[1.0, 0.2, -1.0], z=60.0)
def behind_a_branch():
    w, z = normal("w", 3), numpyro.sample("z", dist.Normal())
    numpyro.factor("y", jax.lax.cond(z > 50.0, lambda: w[0], lambda: jnp.sum(jnp.cos(w))))


@region("behind a jitted branch", w=[1.0, 0.2, -1.0], z=60.0)
def behind_a_jitted_branch():
    w, z = normal("w", 3), numpyro.sample("z", dist.Normal())
    numpyro.factor(
        "y",
        jax.jit(lambda w, z: w[jax.lax.cond(z > 50.0, lambda: 0, lambda: 2)] * 0.1)(w, z)
        - jnp.sum(w**4),
    )


@region("where a ramp begins", w=[75.0, 0.0, 0.0])
def ramp():
    numpyro.factor("y", -jnp.sum(jnp.maximum(normal("w", 3) - jnp.array([70.0, 80.0, 90.0]), 0.0)))


@region("where a clip ends", w=[-75.0, 0.0, 0.0])
def clipped():
    observe(
        jnp.clip(normal("w", 3), jnp.array([-70.0, -80.0, -90.0]), 90.0).sum() * jnp.ones(2), SUM3
    )


@region("infinities of two signs", w=[-65.0, 0.0, 0.0])
def infinities():
    w = normal("w", 3)
    equal = jnp.log(jax.nn.relu(w + 60.0)) == jnp.array([-jnp.inf, jnp.inf, jnp.inf])
    numpyro.factor("y", equal.sum() - jnp.sum(w**2))


@region("what a latent value looks up", w=[1.0, -1.0, 0.0], z=60.0)
def looked_up():
    w, z = normal("w", 3), numpyro.sample("z", dist.Normal())
    numpyro.factor("y", -jnp.sum(w**2) + 0.1 * jnp.where(z > 50.0, w[jnp.argmax(w) * 0], 0.0))


@region("inside a callback", w=[65.0, 0.0, 0.0])
def callback_far_out():
    def host(w):
        return np.asarray(-np.sum(np.asarray(w) ** 2) - (w[0] > 60.0), w.dtype)

    w = normal("w", 3)
    numpyro.factor("y", jax.pure_callback(host, jax.ShapeDtypeStruct((), w.dtype), w))


# Supports -----------------------------------------------------------------------------------------


@false("support: an order", claim=W3, at={"w": [-1.0, 0.0, 1.0]})
def ordered():
    w = numpyro.sample("w", dist.ImproperUniform(dist.constraints.ordered_vector, (), (3,)))
    numpyro.factor("y", -jnp.sum(w**2))


@false("support: bounds", claim=LAST2, at={"w": [0.2, 0.3, 1.9]})
def bounds():
    w = numpyro.sample("w", dist.Uniform(0.0, jnp.array([1.0, 1.0, 2.0])).to_event(1))
    numpyro.factor("y", -jnp.sum(w**2))


@false("support: an improper interval", claim=LAST2, at={"w": [0.5, 0.2, 4.0]})
def improper_interval():
    inside = dist.constraints.interval(0.0, jnp.array([1.0, 1.0, 5.0]))
    w = numpyro.sample("w", dist.ImproperUniform(inside, (3,), ()))
    numpyro.factor("y", -jnp.sum(w**2))


@false("support: truncation", claim=LAST2, at={"w": [0.0, 0.5, -1.9]})
def truncated():
    w = numpyro.sample(
        "w", dist.TruncatedNormal(0.0, 1.0, low=jnp.array([-1.0, -1.0, -2.0])).to_event(1)
    )
    numpyro.factor("y", -jnp.sum(w**2))


@false("support: a bound that is latent", claim=LAST2, at={"w": [0.5, 0.2, 2.5], "top": 1.0})
def latent_bound():
    top = numpyro.sample("top", dist.HalfNormal())
    inside = dist.constraints.interval(0.0, 1.0 + top * jnp.array([1.0, 1.0, 2.0]))
    w = numpyro.sample("w", dist.ImproperUniform(inside, (3,), ()))
    numpyro.factor("y", -jnp.sum(w**2))


@false(
    "support: signs of what is positive",
    claim=Units("claim", 3, incoming={"w": 0}, kind="signed"),
    at={"w": [1.0, 2.0, 3.0]},
)
def positive():
    w = numpyro.sample("w", dist.ImproperUniform(dist.constraints.positive, (3,), ()))
    numpyro.factor("y", -jnp.sum(w**2))


# Coincidences of the data -------------------------------------------------------------------------


@false("coincidence: players of equal counts", np.array([10, 12, 9, 15, 15]),
       claim=exchange(2, w=Axis(0, 3)),
       whole_args=(np.array([10, 12, 9, 14, 15]),), here=True)  # fmt: skip
def baseball(hits):
    m, s = numpyro.sample("m", dist.Normal(-1, 1)), numpyro.sample("s", dist.HalfNormal(1))
    with numpyro.plate("player", 5):
        w = numpyro.sample("w", dist.Normal(m, s))
        numpyro.sample("hits", dist.Binomial(45, logits=w), obs=hits)


@false("coincidence: rows held by the model", claim=PAIR, here=True, sized=False)
def equal_rows_inside():
    observe(normal("w", 3), jnp.array([1.0, 1.0, 2.0]))


@false("coincidence: columns", np.ones((4, 3)), np.arange(4.0), claim=W3, here=True,
       whole_args=(np.arange(12.0).reshape(4, 3), np.arange(4.0)))  # fmt: skip
def equal_columns(x, y):
    observe(x @ normal("w", 3), y)


@false(
    "coincidence: every count the same",
    np.full(4, 7),
    claim=W4,
    here=True,
    whole_args=(np.arange(4),),
)
def equal_counts(y):
    numpyro.sample("y", dist.Poisson(jnp.exp(normal("w", 4))).to_event(1), obs=y)


@false("coincidence: nothing but zeros", np.zeros((4, 3)), np.arange(4.0), claim=W3, here=True,
       whole_args=(np.arange(12.0).reshape(4, 3), np.arange(4.0)))  # fmt: skip
def only_zeros(x, y):
    observe(x @ normal("w", 3), y)


# A part without its likelihood --------------------------------------------------------------------


def regression():
    w, tau = normal("w", 3), numpyro.sample("tau", dist.HalfNormal().expand([4]).to_event(1))
    u = normal("u", 4, scale=tau)
    observe(X[:, :3] @ w + X[:, :4] @ u, Y)


@false("part: NumPyro's recipe", claim=W3, here=True, sized=False)
def exposed_alone():
    handlers.block(handlers.seed(regression, 1), expose=["w"])()


@false(
    "part: its scales are random numbers", claim=exchange(2, u=Axis(0, 0)), here=True, sized=False
)
def hidden_scales():
    def model():
        k = numpyro.sample("k", dist.Bernoulli(0.95).expand([2]).to_event(1))
        u = normal("u", 2, scale=1.0 + k)
        numpyro.sample("y", dist.Normal(u.sum(), 1), obs=0.3)

    handlers.block(handlers.seed(model, 1), hide=["k"])()


@false("part: observed elsewhere", claim=W3, here=True, sized=False)
def observed_elsewhere():
    normal("w", 3)
    observe(normal("v", 2) * jnp.ones(2), np.arange(2.0))


# Parameters ---------------------------------------------------------------------------------------


@false("parameter: a vector", claim=W4, learnt={"scale": jnp.arange(1.0, 5.0)})
def vector_of_parameters():
    scale = numpyro.param("scale", jnp.ones(4), constraint=dist.constraints.positive)
    observe(normal("w", 4, scale=scale).sum() * jnp.ones(2), SUM3)


@false("parameter: two of one start", claim=W2, learnt={"a": 1.0, "b": 2.0})
def two_parameters():
    a, b = (numpyro.param(n, 1.0, constraint=dist.constraints.positive) for n in "ab")
    observe(normal("w", 2, scale=jnp.stack([a, b])).sum() * jnp.ones(2), SUM3)


@false(
    "parameter: blocks of one start", claim=exchange(2, w=Axis(0, outer=1, inner=3)),
    learnt={"a": jnp.ones(3), "b": jnp.full(3, 2.0)},
)  # fmt: skip
def blocks_of_parameters():
    a, b = (numpyro.param(n, jnp.ones(3), constraint=dist.constraints.positive) for n in "ab")
    observe(normal("w", 6, scale=jnp.concatenate([a, b])).sum() * jnp.ones(2), SUM3)


@false(
    "parameter: a simplex without a constraint", claim=W3, learnt={"p": jnp.array([0.2, 0.3, 0.5])}
)
def simplex_of_parameters():
    p = numpyro.param("p", jnp.ones(3) / 3)
    w = normal("w", 3)
    parts = dist.MixtureSameFamily(dist.Categorical(probs=p), dist.Normal(w, 1.0))
    numpyro.sample("y", parts.expand([4]).to_event(1), obs=np.arange(4.0))
