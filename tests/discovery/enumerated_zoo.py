"""Models with discrete sites, as NumPyro's tutorials write them, and the labels that may be
exchanged in each.

``labels`` says where the labels lie: how many there are, and on which axes of which sites, or
``(axis, start)`` where they begin at a later position. ``true`` tells which of them may be
exchanged: all (``None``), a run of them, ``(start, stop)``, or none, ``(0, 0)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan
from numpyro.contrib.funsor import markov
from numpyro.ops.indexing import Vindex

RNG = np.random.default_rng(0)
Y, Y2 = RNG.normal(size=5), RNG.normal(size=(4, 2))
ENUMERATED: dict[str, Case] = {}


class Case(NamedTuple):
    """One model, its arguments, and its labels.

    :param sure: whether it holds for any data, and not only for these.
    :param all_said: whether all permutations that are true are found; else ``true`` are those that
        are.
    :param by_hand: the same model with the sum written out, where there is a short way to write it.
    """

    model: Callable[..., Any]
    args: tuple
    labels: tuple[int, dict[str, Any]]
    true: tuple[int, int] | None = None
    sure: bool = True
    all_said: bool = True
    by_hand: Callable[..., Any] | None = None

    @property
    def run(self) -> tuple[int, int]:
        return self.true or (0, self.labels[0]) if self.true != (0, 0) else (0, 0)


def case(name: str, *args: Any, labels: Any, **options: Any) -> Callable:
    def register(model: Callable) -> Callable:
        ENUMERATED[name] = Case(model, args, labels, **options)
        return model

    return register


# Mixtures -----------------------------------------------------------------------------------------


def components() -> tuple[Any, Any, Any]:
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 3))
        sigma = numpyro.sample("sigma", dist.LogNormal(0, 0.5))
    return weights, mu, sigma


def mixture_by_hand(y: Any) -> None:
    weights, mu, sigma = components()
    with numpyro.plate("data", len(y)):
        numpyro.sample(
            "y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, sigma)), obs=y
        )


@case("mixture", Y, labels=(3, {"weights": 0, "mu": 0, "sigma": 0}), by_hand=mixture_by_hand)
def mixture(y):
    weights, mu, sigma = components()
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(mu[z], sigma[z]), obs=y)


@case("mixture in 2-D", Y2, labels=(3, {"weights": 0, "mu": 0, "chol": 0}))
def mixture_2d(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))
        chol = numpyro.sample("chol", dist.LKJCholesky(2))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
        numpyro.sample("y", dist.MultivariateNormal(mu[z], scale_tril=chol[z]), obs=y)


@case("mixture with one fixed mean", Y, labels=(3, {"mu": 0}), true=(1, 3), sure=False)
def mixture_with_one_fixed_mean(y):
    """The first component's mean has a prior of its own."""
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(jnp.array([2.0, 0.0, 0.0]), 1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(3) / 3))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


@case("mixture with known weights", Y, labels=(3, {"mu": 0}), true=(0, 0))
def mixture_with_known_weights(y):
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(jnp.array([0.5, 0.3, 0.2])))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


@case("mixture of a minibatch", Y, labels=(3, {"weights": 0, "mu": 0, "sigma": 0}))
def mixture_of_a_minibatch(y):
    weights, mu, sigma = components()
    with numpyro.plate("data", len(y), subsample_size=2):
        rows = numpyro.subsample(y, event_dim=0)
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(mu[z], sigma[z]), obs=rows)


@case("mixture of what is not seen", Y[:3], labels=(2, {"mu": 0}))
def mixture_of_what_is_not_seen(y):
    """A site that is not discrete depends on one that is, and a factor."""
    with numpyro.plate("component", 2):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Bernoulli(0.5))
        x = numpyro.sample("x", dist.Normal(mu[z], 0.5))
        numpyro.factor("close", -((x - mu[z]) ** 2))
        numpyro.sample("y", dist.Normal(x, 0.1), obs=y)


# Markov models ------------------------------------------------------------------------------------


def states() -> tuple[Any, Any]:
    with numpyro.plate("state", 3):
        trans = numpyro.sample("trans", dist.Dirichlet(jnp.ones(3)))
        mu = numpyro.sample("mu", dist.Normal(0, 3))
    return trans, mu


@case("hidden Markov model", Y, labels=(3, {"init": 0, "trans": [0, 1], "mu": 0}))
def hidden_markov(y):
    init = numpyro.sample("init", dist.Dirichlet(jnp.ones(3)))
    trans, mu = states()

    def step(state, now):
        state = numpyro.sample("z", dist.Categorical(trans[state]), infer={"enumerate": "parallel"})
        numpyro.sample("y", dist.Normal(mu[state], 1.0), obs=now)
        return state, None

    first = numpyro.sample("first", dist.Categorical(init), infer={"enumerate": "parallel"})
    scan(step, first, y)


@case(
    "hidden Markov model that begins in a known state",
    Y,
    labels=(3, {"trans": [0, 1], "mu": 0}),
    true=(1, 3),
)
def hidden_markov_from_zero(y):
    """As NumPyro's example has it."""
    trans, mu = states()

    def step(state, now):
        state = numpyro.sample("z", dist.Categorical(trans[state]))
        numpyro.sample("y", dist.Normal(mu[state], 1.0), obs=now)
        return state, None

    scan(step, 0, y)


@case("hidden Markov model in a loop", Y, labels=(3, {"trans": [0, 1], "mu": 0}))
def hidden_markov_in_a_loop(y):
    trans, mu = states()
    probs = jnp.ones(3) / 3
    for t in markov(range(len(y))):
        state = numpyro.sample(f"z{t}", dist.Categorical(probs), infer={"enumerate": "parallel"})
        numpyro.sample(f"y{t}", dist.Normal(mu[state], 1.0), obs=y[t])
        probs = trans[state]


SEQUENCES, LENGTHS = RNG.integers(0, 2, size=(2, 3, 2)), np.array([3, 2])


@case(
    "hidden Markov model of series, masked",
    SEQUENCES,
    LENGTHS,
    labels=(3, {"trans": [0, 1], "tones": 0}),
    true=(1, 3),
)
def hidden_markov_of_series(sequences, lengths):
    """As NumPyro's example has it: series of different lengths, masked; states that last."""
    num_sequences, _, num_tones = sequences.shape
    stays = 0.9 * jnp.eye(3) + 0.1
    trans = numpyro.sample("trans", dist.Dirichlet(stays).to_event(1))
    tones = numpyro.sample("tones", dist.Beta(0.1, 0.9).expand([3, num_tones]).to_event(2))

    def step(carry, now):
        state, t = carry
        seen = numpyro.handlers.mask(mask=(t < lengths)[:, None])
        with numpyro.plate("sequence", num_sequences, dim=-2), seen:
            state = numpyro.sample("z", dist.Categorical(trans[state]))
            with numpyro.plate("tone", num_tones, dim=-1):
                numpyro.sample("y", dist.Bernoulli(tones[state.squeeze(-1)]), obs=now)
        return (state, t + 1), None

    first = jnp.zeros((num_sequences, 1), int)
    scan(step, (first, 0), jnp.swapaxes(jnp.asarray(sequences), 0, 1))


# More mixtures ------------------------------------------------------------------------------------

COUNTS = np.array([0.0, 3.0, 0.0, 1.0])


@case("zero-inflated mixture", COUNTS, labels=(2, {"weights": 0, "rate": 0}))
def zero_inflated(y):
    """A share of zeros, and two kinds of counts."""
    gate = numpyro.sample("gate", dist.Beta(1, 1))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("component", 2):
        rate = numpyro.sample("rate", dist.Gamma(2.0, 1.0))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.ZeroInflatedPoisson(gate, rate[z]), obs=y)


@case("zero inflation as a state", COUNTS, labels=(2, {"weights": (0, 1), "rate": 0}))
def zero_inflation_as_a_state(y):
    """The first state is that of the zeros, and has a rate of its own."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 2):
        rate = numpyro.sample("rate", dist.Gamma(2.0, 1.0))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Poisson(jnp.concatenate([jnp.array([1e-3]), rate])[z]), obs=y)


@case(
    "mixture of regressions",
    RNG.normal(size=(5, 2)),
    Y,
    labels=(2, {"weights": 0, "slope": 1, "scale": 0}),
)
def mixture_of_regressions(x, y):
    weights = numpyro.sample("weights", dist.Dirichlet(2 * jnp.ones(2)))
    slope = numpyro.sample("slope", dist.Normal(0, 2).expand([2, 2]).to_event(2))
    scale = numpyro.sample("scale", dist.HalfNormal(1).expand([2]).to_event(1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal((x @ slope)[jnp.arange(len(y)), z], scale[z]), obs=y)


ANSWERS = RNG.integers(0, 2, size=(5, 4))


@case("latent classes", ANSWERS, labels=(3, {"weights": 0, "yes": 0}))
def latent_classes(answers):
    """Questions in a plate of their own, to the right of the persons'."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("class", 3, dim=-2), numpyro.plate("question", 4, dim=-1):
        yes = numpyro.sample("yes", dist.Beta(1, 1))
    with numpyro.plate("person", len(answers), dim=-2):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("question of a person", 4, dim=-1) as question:
            numpyro.sample("y", dist.Bernoulli(Vindex(yes)[z, question]), obs=answers)


@case("topics", RNG.integers(0, 3, size=(2, 3)), labels=(2, {"words": 0, "shares": 2}))
def topics(words_of_documents):
    """Latent Dirichlet allocation with every word's topic summed out."""
    num_documents, num_words = words_of_documents.shape
    with numpyro.plate("kind of topic", 2):
        words = numpyro.sample("words", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("document", num_documents, dim=-2):
        shares = numpyro.sample("shares", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("word", num_words, dim=-1):
            topic = numpyro.sample("topic", dist.Categorical(shares))
            numpyro.sample("y", dist.Categorical(words[topic]), obs=words_of_documents)


# Annotation: Paun et al. 2018, as in NumPyro's example --------------------------------------------

LABELS = RNG.integers(0, 2, size=(3, 3))  # item, annotator
BY = np.tile(np.arange(3), (3, 1))


def informative(k: int) -> Any:
    """Annotators are right more often than not: a prior that moves with the classes."""
    return jnp.ones((k, k)) + 2 * jnp.eye(k)


@case("multinomial", BY, LABELS, labels=(2, {"pi": 0, "zeta": 0}))
def multinomial(annotators, labels):
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("class", 2):
        zeta = numpyro.sample("zeta", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("item", len(labels), dim=-2):
        c = numpyro.sample("c", dist.Categorical(pi))
        with numpyro.plate("position", 3):
            numpyro.sample("y", dist.Categorical(zeta[c]), obs=labels)


@case("Dawid and Skene", BY, LABELS, labels=(2, {"pi": 0, "beta": 1}))
def dawid_skene(annotators, labels):
    """With a flat prior of what annotators say, the classes have no names."""
    with numpyro.plate("annotator", 3, dim=-2), numpyro.plate("class", 2):
        beta = numpyro.sample("beta", dist.Dirichlet(jnp.ones(2)))
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("item", len(labels), dim=-2):
        c = numpyro.sample("c", dist.Categorical(pi), infer={"enumerate": "parallel"})
        with numpyro.plate("position", 3):
            numpyro.sample("y", dist.Categorical(Vindex(beta)[annotators, c, :]), obs=labels)


@case("Dawid and Skene, informative", BY, LABELS, labels=(2, {"pi": 0, "beta": 1}), true=(0, 0))
def dawid_skene_informative(annotators, labels):
    """What is said is data, so a prior that they are right tells classes apart."""
    with numpyro.plate("annotator", 3, dim=-2), numpyro.plate("class", 2):
        beta = numpyro.sample("beta", dist.Dirichlet(informative(2)))
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("item", len(labels), dim=-2):
        c = numpyro.sample("c", dist.Categorical(pi))
        with numpyro.plate("position", 3):
            numpyro.sample("y", dist.Categorical(Vindex(beta)[annotators, c, :]), obs=labels)


@case("MACE", BY[:2], LABELS[:2], labels=(2, {"epsilon": 1}), true=(0, 0))
def mace(annotators, labels):
    """Who does not spam tells the class: classes have names."""
    with numpyro.plate("annotator", 3):
        epsilon = numpyro.sample("epsilon", dist.Dirichlet(jnp.full(2, 10.0)))
        theta = numpyro.sample("theta", dist.Beta(0.5, 0.5))
    with numpyro.plate("item", len(labels), dim=-2):
        c = numpyro.sample("c", dist.DiscreteUniform(0, 1))
        with numpyro.plate("position", 3):
            spams = numpyro.sample("s", dist.Bernoulli(1 - theta[annotators]))
            said = jnp.where(spams[..., None] == 0, jnp.eye(2)[c], epsilon[annotators])
            numpyro.sample("y", dist.Categorical(said), obs=labels)


@case(
    "hierarchical Dawid and Skene",
    BY,
    LABELS,
    labels=(2, {"pi": 0, "zeta": 0, "omega": 0, "raw": 1}),
)
def hierarchical_dawid_skene(annotators, labels):
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("class", 2):
        zeta = numpyro.sample("zeta", dist.Normal(0, 1).expand([1]).to_event(1))
        omega = numpyro.sample("omega", dist.HalfNormal(1).expand([1]).to_event(1))
    with numpyro.plate("annotator", 3, dim=-2), numpyro.plate("class of an annotator", 2):
        raw = numpyro.sample("raw", dist.Normal(0, 1).expand([1]).to_event(1))
    beta = jnp.pad(zeta + omega * raw, [(0, 0)] * (jnp.ndim(raw) - 1) + [(0, 1)])
    with numpyro.plate("item", len(labels), dim=-2):
        c = numpyro.sample("c", dist.Categorical(pi))
        with numpyro.plate("position", 3):
            numpyro.sample("y", dist.Categorical(logits=Vindex(beta)[annotators, c, :]), obs=labels)


@case("item difficulty", BY, LABELS, labels=(2, {"pi": 0, "eta": 0, "chi": 0, "raw": 1}))
def item_difficulty(annotators, labels):
    """What is said of an item depends on its class, which chooses among the item's own
    difficulties.
    """
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("class", 2):
        eta = numpyro.sample("eta", dist.Normal(0, 1).expand([1]).to_event(1))
        chi = numpyro.sample("chi", dist.HalfNormal(1).expand([1]).to_event(1))
    with numpyro.plate("item", len(labels), dim=-2):
        c = numpyro.sample("c", dist.Categorical(pi))
        with numpyro.plate("class of an item", 2, dim=-1):
            raw = numpyro.sample("raw", dist.Normal(0, 1).expand([1]).to_event(1))
        theta = jnp.pad(eta + chi * raw, [(0, 0)] * (jnp.ndim(raw) - 1) + [(0, 1)])
        item = jnp.arange(len(labels))[:, None]
        with numpyro.plate("position", 3):
            numpyro.sample("y", dist.Categorical(logits=Vindex(theta)[item, c, :]), obs=labels)


# No labels at all ---------------------------------------------------------------------------------

CAUGHT = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]])


@case("capture and recapture", CAUGHT, labels=(2, {"phi": 0, "rho": 0}), true=(0, 0))
def capture_recapture(caught):
    """Cormack, Jolly and Seber: alive or not, with a survival and a recapture of each interval."""
    with numpyro.plate("interval", 2):
        phi = numpyro.sample("phi", dist.Uniform(0.0, 1.0))
        rho = numpyro.sample("rho", dist.Uniform(0.0, 1.0))
    alive, first_seen = jnp.ones(len(caught)), jnp.argmax(caught, 1)
    with numpyro.plate("animal", len(caught)):
        for t in markov(range(1, 3)):
            may = first_seen < t
            with numpyro.handlers.mask(mask=may):
                alive = numpyro.sample(
                    f"z{t}", dist.Bernoulli(jnp.where(may, phi[t - 1] * alive, 1.0))
                )
                numpyro.sample(f"y{t}", dist.Bernoulli(rho[t - 1] * alive), obs=caught[:, t])


# What looks like a mixture of exchangeable components, and is none --------------------------------

Y3 = RNG.normal(size=3)


def twin(name: str, mean: Callable[..., Any], **options: Any) -> None:
    """A mixture whose components' means are some function of the state, of ``mu`` and of ``nu``."""

    @case(name, Y3, labels=(3, {"mu": 0, "nu": 0}), **options)
    def model(y):
        with numpyro.plate("component", 3):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            nu = numpyro.sample("nu", dist.LogNormal(0, 1))
        with numpyro.plate("data", len(y)):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(3) / 3))
            numpyro.sample("y", dist.Normal(mean(mu, nu, z), 1.0), obs=y)


twin("twin: both looked up", lambda mu, nu, z: mu[z] * nu[z])
twin("twin: by what is one", lambda mu, nu, z: jax.nn.one_hot(z, 3) @ (mu * jnp.exp(nu)))
twin("twin: by a table of pairs", lambda mu, nu, z: jnp.diag(mu)[z, z] + (jnp.diag(nu)[z]).sum(-1))
twin(
    "twin: by hand",
    lambda mu, nu, z: jnp.where(z == 0, mu[0] + nu[0], mu[z] + nu[z]),
    all_said=False,
    true=(1, 3),
)
twin("twin: the next one's", lambda mu, nu, z: mu[z] * nu[(z + 1) % 3], all_said=False, true=(0, 0))
twin("twin: the other way round", lambda mu, nu, z: mu[z] * nu[2 - z], all_said=False, true=(0, 0))
twin("twin: by number", lambda mu, nu, z: mu[z] * nu[z] + 0.1 * z, true=(0, 0))
twin("twin: one adds up", lambda mu, nu, z: jnp.cumsum(mu)[z] * nu[z], true=(0, 0))
twin("twin: two share one", lambda mu, nu, z: mu[jnp.array([0, 1, 1])[z]] * nu[z], true=(0, 0))
twin(
    "twin: a slice of them",
    lambda mu, nu, z: jnp.concatenate([mu[:1], mu[1:]])[z] * nu[z],
    all_said=False,
    true=(1, 3),
)
twin(
    "twin: one is scaled",
    lambda mu, nu, z: mu[z] * nu[z] * jnp.where(z == 2, 2.0, 1.0),
    true=(0, 2),
)
twin(
    "twin: masked by a state",
    lambda mu, nu, z: jnp.where(z == 1, 0.0, mu[z]) * nu[z],
    true=(0, 0),
    all_said=False,
)
twin("twin: by the first", lambda mu, nu, z: mu[z] * nu[z] + mu[0], true=(1, 3))
