"""Probabilities of labels in every draw, against sums over all labels by hand."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import planted
import pytest
from numpyro import handlers
from numpyro.contrib.control_flow import scan
from numpyro.infer.util import log_density
from numpyro.ops.indexing import Vindex

from numpyro_sym import SymmetryError
from numpyro_sym.alignment.relabeling import ecr_soft, stephens
from numpyro_sym.diagnostics import label_probabilities

RNG = np.random.default_rng(0)
Y = RNG.normal(size=4) * 2


def mixture(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    with numpyro.plate("rows", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


def of_subjects(y):
    """Two kinds of subjects, and what each row of a subject is: of two sites one is summed out
    beside the other.
    """
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    with numpyro.plate("subjects", 2, dim=-2):
        kind = numpyro.sample("kind", dist.Bernoulli(0.3))
        with numpyro.plate("rows", 2, dim=-1):
            z = numpyro.sample("z", dist.Categorical(logits=jnp.stack([mu * 0, 0.3 * mu])[kind]))
            numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y.reshape(2, 2))


def chain(y):
    """A Markov chain written as a loop."""
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    z = 0
    for i, value in enumerate(y):
        z = numpyro.sample(f"z{i}", dist.Categorical(logits=jnp.eye(3)[z]))
        numpyro.sample(f"y{i}", dist.Normal(mu[z], 1.0), obs=value)


def scanned(y):
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))

    def step(z, value):
        z = numpyro.sample("z", dist.Categorical(logits=jnp.eye(3)[z]))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=value)
        return z, None

    scan(step, 0, y)


def scanned_series(y):
    """Two series in a plate, from a first state that is a site of its own."""
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))

    def step(z, value):
        with numpyro.plate("series", 2):
            z = numpyro.sample("z", dist.Categorical(logits=jnp.eye(3)[z] + 0.1 * mu))
            numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=value)
        return z, None

    with numpyro.plate("series", 2):
        first = numpyro.sample("first", dist.Categorical(logits=0.2 * mu))
    scan(step, first, y.reshape(2, 2))


def scanned_backwards(y):
    """What NumPyro sums here is another joint than that of the values, one by one."""
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))

    def step(z, value):
        z = numpyro.sample("z", dist.Categorical(logits=jnp.eye(3)[z] + 0.1 * mu))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=value)
        return z, None

    scan(step, 0, y, reverse=True)


def scanned_with_memory(y):
    """Each state depends on the two before it."""
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))
    logits = jnp.array([[[1.0, 0.0], [0.0, 0.5]], [[0.3, 0.0], [0.0, 2.0]]])

    def step(states, value):
        older, old = states
        z = numpyro.sample("z", dist.Categorical(logits=Vindex(logits)[older, old]))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=value)
        return (old, z), None

    scan(step, (0, 0), jnp.concatenate([y, y[:1]]), history=2)


def sampled_at_once(y):
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    z = numpyro.sample("z", dist.Categorical(jnp.ones(3) / 3), sample_shape=(4,))
    numpyro.sample("y", dist.Normal(mu[z], 1.0).to_event(1), obs=y)


def by_hand(model, point, site, sites):
    """Sums of the complete-data joint over all values of all discrete sites ``{name: (shape,
    values)}``.
    """
    sizes = [n for shape, n in sites.values() for _ in range(int(np.prod(shape)))]
    every = np.array(list(product(*map(range, sizes))))
    labels, taken = {}, 0
    for name, (shape, _) in sites.items():
        size = int(np.prod(shape))
        labels[name] = jnp.asarray(every[:, taken : taken + size].reshape(-1, *shape))
        taken += size

    @jax.jit
    def joints(labels):
        def joint(z):
            return log_density(handlers.condition(model, data=z), (Y,), {}, point)[0]

        return jnp.exp(jax.lax.map(joint, labels))

    densities, (_, n) = np.asarray(joints(labels)), sites[site]
    is_value = np.asarray(labels[site])[..., None] == np.arange(n)
    total = np.tensordot(densities, is_value, 1)
    return total / total.sum(-1, keepdims=True)


CASES = {
    "mixture": (mixture, "z", {"z": ((4,), 3)}),
    "rows of subjects": (of_subjects, "z", {"kind": ((2, 1), 2), "z": ((2, 2), 3)}),
    "kinds of subjects": (of_subjects, "kind", {"kind": ((2, 1), 2), "z": ((2, 2), 3)}),
    "a step of a chain": (chain, "z1", {f"z{i}": ((), 3) for i in range(4)}),
    "steps of a scan": (scanned, "z", {"z": ((4,), 3)}),
    "steps of two series": (scanned_series, "z", {"first": ((2,), 3), "z": ((2, 2), 3)}),
    "before two series": (scanned_series, "first", {"first": ((2,), 3), "z": ((2, 2), 3)}),
    "steps that remember two": (scanned_with_memory, "z", {"z": ((5,), 2)}),
}


@pytest.mark.parametrize("name", CASES)
def test_they_are_sums_over_all_labels(name):
    model, site, sites = CASES[name]
    draws = {"mu": RNG.normal(size=(1, 2, 2 if model is scanned_with_memory else 3)) * 2}
    if model is mixture:
        draws["weights"] = RNG.dirichlet([2.0, 2.0, 2.0], (1, 2))
    found = label_probabilities(planted.arviz({"posterior": draws}), model, Y, site=site)
    assert found.dtype == np.float64
    with jax.enable_x64(True):
        for draw in range(2):
            point = {site: jnp.asarray(x[0, draw]) for site, x in draws.items()}
            np.testing.assert_allclose(
                found[0, draw], by_hand(model, point, site, sites), atol=1e-10
            )


def test_relabeling_takes_them():
    """Draws whose components are renamed at random come back, by parameters alone."""
    mu = np.array([-4.0, 0.0, 4.0]) + 0.1 * RNG.normal(size=(2, 30, 3))
    orders = np.stack([RNG.permutation(3) for _ in range(60)]).reshape(2, 30, 3)
    y = np.array([-4.0, -4.1, 0.1, 0.0, 4.0])
    weights = np.full((2, 30, 3), 1 / 3)
    data = planted.arviz(
        {"posterior": {"mu": np.take_along_axis(mu, orders, -1), "weights": weights}}
    )
    p = label_probabilities(data, mixture, y, site="z")
    for found in (stephens(p), ecr_soft(p.argmax(-1), p)):
        restored = np.take_along_axis(
            data.posterior["mu"].values, np.asarray(found.permutation), -1
        )
        assert restored.std((0, 1)).max() < 0.2


@pytest.mark.parametrize(
    ("model", "site", "message"),
    [
        (mixture, "mu", "no discrete site 'mu'; it has \\['z'\\]"),
        (scanned_backwards, "z", "Write the scan forwards"),
        (sampled_at_once, "z", "has a sample_shape"),
    ],
)
def test_refused(model, site, message):
    draws = {"mu": RNG.normal(size=(1, 2, 3)), "weights": np.full((1, 2, 3), 1 / 3)}
    with pytest.raises(SymmetryError, match=message):
        label_probabilities(planted.arviz({"posterior": draws}), model, Y, site=site)


def test_a_model_that_cannot_be_run_says_so():
    data = planted.arviz({"posterior": {"mu": np.zeros((1, 2, 3))}})
    with pytest.raises(SymmetryError, match=r"'mixture' raised TypeError .* Pass the model's own"):
        label_probabilities(data, mixture, site="z")


def test_the_model_is_read_once():
    """It is run for its shapes; a reading runs it as it is, and summed out, and so does the one
    that asks whether it runs alike.
    """
    runs = []

    def counted(y):
        runs.append(None)
        mixture(y)

    draws = {"mu": np.zeros((1, 2, 3)), "weights": np.full((1, 2, 3), 1 / 3)}
    label_probabilities(planted.arviz({"posterior": draws}), counted, Y, site="z")
    assert len(runs) <= 5, "it was read twice"
