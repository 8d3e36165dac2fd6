"""Symmetries that move labels, checked on the complete-data joint of models that draw them."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer.util import log_density

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.models.complete_data import discrete_sites, read_complete_data
from numpyro_sym.models.rounding import disturbed_inputs

Y = np.array([-1.2, 0.1, 0.4, 2.2])


def mixture(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("component", 3):
        mu = numpyro.sample("mu", dist.Normal(0, 3))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


def markov_model(y):
    with numpyro.plate("state", 2):
        trans = numpyro.sample("trans", dist.Dirichlet(jnp.ones(2)))
        mu = numpyro.sample("mu", dist.Normal(0, 3))
    before = None
    for t in range(3):
        probs = jnp.ones(2) / 2 if before is None else trans[before]
        before = numpyro.sample(f"z{t}", dist.Categorical(probs))
        numpyro.sample(f"y{t}", dist.Normal(mu[before], 1.0), obs=y[t])


def in_subjects(y):
    """Two subjects, each with components of its own."""
    with numpyro.plate("subject", 2, dim=-1):
        with numpyro.plate("component", 2, dim=-2):
            mu = numpyro.sample("mu", dist.Normal(0, 3))  # component, subject
        with numpyro.plate("row", 3, dim=-2):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("y", dist.Normal(jnp.take_along_axis(mu, z, 0), 1.0), obs=y)


def with_counts(y):
    """A mixture, and a count that no list of values tells."""
    rate = numpyro.sample("count", dist.Poisson(3.0))
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
        numpyro.sample("y", dist.Normal(mu[z] + 0.1 * rate, 1.0), obs=y)


ROWS = np.arange(6.0).reshape(3, 2)
MODELS = {
    "mixture": (mixture, (Y,), nsym.mixture(3, {"weights": 0, "mu": 0}, assignments="z")),
    "states": (
        markov_model,
        (Y,),
        nsym.hmm(2, transition="trans", emissions={"mu": 0}, states=["z0", "z1", "z2"]),
    ),
    "subjects": (
        in_subjects,
        (ROWS,),
        Symmetry(
            [
                Units(
                    "component",
                    2,
                    batch=2,
                    axes={"mu": Axis(0, batch=1)},
                    values={"z": Axis(batch=1)},
                )
            ]
        ),
    ),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", MODELS)
def test_the_view_is_the_joint_of_numpyro(name):
    model, args, _ = MODELS[name]
    view = read_complete_data(model, args, {}, discrete_sites(model, args, {}))
    for seed in range(2):
        point = view.draw(np.random.default_rng(seed))
        latent, observed, _ = view.evaluate(point)
        expected, _ = log_density(model, args, {}, point)
        np.testing.assert_allclose(
            sum(latent.values()) + sum(observed.values()), expected, rtol=1e-12
        )
    assert set(view.shapes) == set(point)


@pytest.mark.parametrize("name", MODELS)
def test_labels_that_move_with_their_units_pass(name):
    model, args, sym = MODELS[name]
    report = sym.check(model, *args)
    assert [row[2] for row in report.rows] == ["log joint"]


def test_labels_of_others_are_refused():
    """A mixture whose components are told apart by the weights' prior; labels said to be of other
    units.
    """

    def told_apart(y):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.array([1.0, 2.0, 3.0])))
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
        other = numpyro.sample("other", dist.Normal(0, 1).expand([3]).to_event(1))
        with numpyro.plate("data", len(y)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("y", dist.Normal(mu[z] + other.sum(), 1.0), obs=y)

    with pytest.raises(SymmetryError, match="Units 'component' are no symmetry"):
        nsym.mixture(3, {"mu": 0, "weights": 0}, assignments="z").check(told_apart, Y)
    with pytest.raises(SymmetryError, match="Without labels z it holds: leave them out of values"):
        nsym.mixture(3, {"other": 0}, assignments="z").check(told_apart, Y)
    nsym.mixture(3, {"other": 0}).check(told_apart, Y)


REFUSED = {
    r"no discrete site 'zz' that could hold their labels .values.; "
    r"its discrete sites are \['z'\]": (nsym.mixture(3, {"weights": 0, "mu": 0}, assignments="zz")),
    r"site 'z' cannot hold their labels .values.: it has 3 values, and not 0 .. 1": (
        Symmetry([Units("pair", 2, axes={"mu": Axis(0, start=0)}, values=("z",))])
    ),
    "there is no axis 1 for the batch": (
        Symmetry(
            [
                Units(
                    "component",
                    3,
                    batch=1,
                    axes={"mu": Axis(0, batch=1)},
                    values={"z": Axis(batch=1)},
                )
            ]
        )
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message].check(mixture, Y)


def test_a_model_that_has_summed_its_labels_is_checked_without_them():
    def summed(y):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
        with numpyro.plate("data", len(y)):
            numpyro.sample(
                "y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, 1.0)), obs=y
            )

    nsym.mixture(3, {"weights": 0, "mu": 0}, assignments="z").check(summed, Y)


def test_sites_without_a_list_of_values_stay_where_they_are():
    found = discrete_sites(with_counts, (Y,), {})
    assert (found["count"].states, found["z"].states, found["z"].shape) == (None, 2, (4,))
    view = read_complete_data(with_counts, (Y,), {}, found)
    one, two = (view.draw(np.random.default_rng(seed)) for seed in (0, 1))
    assert one["count"] == two["count"]
    assert not np.array_equal(one["mu"], two["mu"])


def test_labels_are_not_disturbed_to_measure_rounding():
    point = {"mu": np.ones(3), "z": np.array([1, 2, 0], np.int32)}
    changed = disturbed_inputs(point, np.random.default_rng(0))
    assert not np.array_equal(changed["mu"], point["mu"])
    np.testing.assert_array_equal(changed["z"], point["z"])
    assert changed["z"].dtype == np.int32


def test_parameters_moved_and_labels_not_change_the_joint():
    """Negative control: so the check can fail."""
    sym = nsym.mixture(3, {"weights": 0, "mu": 0}, assignments="z")
    view = read_complete_data(mixture, (Y,), {}, discrete_sites(mixture, (Y,), {}))
    point = view.draw(np.random.default_rng(0))
    g = {"component": nsym.Element(np.array([2, 0, 1]), np.ones(3))}

    def joint(at):
        latent, observed, _ = view.evaluate(at)
        return float(sum(latent.values()) + sum(observed.values()))

    moved = jax.tree.map(np.asarray, sym.act(g, point))
    assert joint(moved) == pytest.approx(joint(point), rel=1e-5)
    assert abs(joint({**moved, "z": point["z"]}) - joint(point)) > 1e-2
