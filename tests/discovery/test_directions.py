"""What comes into units and what goes out of them, as a program has it."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from registry import BY_NAME, normal, observe, view

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, Units, plots
from numpyro_sym.discovery import program
from numpyro_sym.discovery.directions import with_directions
from numpyro_sym.models import read_numpyro_model

X = np.random.default_rng(0).normal(size=(7, 3))
Y = np.random.default_rng(1).normal(size=7)


@pytest.fixture(autouse=True)
def _faults_are_raised(monkeypatch):
    monkeypatch.setattr(program, "RAISE_FAULTS", True)


def unsaid(units):
    """The same units of which no direction is known."""
    return units.with_roles({})


@pytest.mark.parametrize("name", BY_NAME)
def test_never_against_what_was_said(name):
    """Of hand-written symmetries, whatever is found is what stands there."""
    sym, model = BY_NAME[name].sym, view(name)
    for u, found in zip(sym, with_directions(model, [unsaid(u) for u in sym]), strict=True):
        for site, said in u.roles.items():
            for mine, its in zip(said, found.roles[site], strict=True):
                assert mine == its or 0 in (mine, its), (u.name, site)


def network(x, y):
    h = jnp.tanh(x @ normal("w1", 3, 4) + normal("b1", 4))
    observe((h @ normal("w2", 4, 1))[:, 0], y)


def linear(x, y):
    observe((x @ normal("w1", 3, 4) @ normal("w2", 4, 1))[:, 0], y)


def by_layout(x, y):
    """Weights as Equinox keeps them, drawn as one row."""
    w1 = normal("w1", 12).reshape(4, 3)
    observe((normal("w2", 1, 4) @ jnp.tanh(w1 @ x.T))[0], y)


def scaled_prior(x, y):
    """Weights are made of raw ones; each unit has a scale of its own."""
    scale = numpyro.sample("scale", dist.HalfNormal(1).expand([4]).to_event(1))
    h = jnp.tanh(x @ (0.3 + normal("w1", 3, 4) * scale))
    observe((h @ normal("w2", 4, 1))[:, 0], y)


def normed(x, y):
    h = x @ normal("w1", 3, 4)
    h = (h - h.mean(0)) / jnp.sqrt(h.var(0) + 1) * normal("gain", 4)
    observe((jax.nn.relu(h) @ normal("w2", 4, 1))[:, 0], y)


def residual(x, y):
    h = x @ normal("embed", 3, 4)
    for i in range(2):
        h = h + jnp.tanh(h @ normal(f"read{i}", 4, 5)) @ normal(f"write{i}", 5, 4)
    observe((h @ normal("head", 4, 1))[:, 0], y)


def recurrent(x, y):
    w_in, w, w_out = normal("w_in", 1, 4), normal("w", 4, 4), normal("w_out", 4, 1)

    def step(h, u):
        return jnp.tanh(u[:, None] @ w_in + h @ w), None

    h, _ = jax.lax.scan(step, jnp.zeros((len(x), 4)), x.T)
    observe((h @ w_out)[:, 0], y)


def convolved(x, y):
    image = jnp.broadcast_to(x[:, :, None, None], (7, 3, 3, 2))
    dims = ("NHWC", "HWIO", "NHWC")
    first = jax.lax.conv_general_dilated(
        image, normal("k1", 3, 3, 2, 4), (1, 1), "SAME", dimension_numbers=dims
    )
    second = jax.lax.conv_general_dilated(
        jnp.tanh(first), normal("k2", 3, 3, 4, 1), (1, 1), "SAME", dimension_numbers=dims
    )
    observe(second.sum((1, 2, 3)), y)


def branched(x, y):
    w1, w2 = normal("w1", 3, 4), normal("w2", 4, 1)
    h = jax.lax.cond(y[0] > 0, lambda: jnp.tanh(x @ w1), lambda: jnp.sin(x @ w1))
    observe((h @ w2)[:, 0], y)


def tied(x, y):
    """An autoencoder: the same array comes in and goes out."""
    w = normal("w", 3, 4)
    out = jnp.tanh(x @ w) @ w.T
    numpyro.sample("y", dist.Normal(out.sum(1), 1.0), obs=y)


def factors(x, y):
    """Loadings times scores: either may be called the first."""
    observe((normal("scores", 7, 4) @ normal("loadings", 4, 1))[:, 0], y)


def bilinear(x, y):
    """Two computed sides meet."""
    observe(((x @ normal("q", 3, 4)) * (x @ normal("k", 3, 4))).sum(1), y)


def mixture(x, y):
    mu = normal("mu", 4)
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(4)))
    parts = dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(mu, 1))
    numpyro.sample("y", parts, obs=y)


IN, OUT, UNSAID = 1, -1, 0
CASES = {
    network: ({"w1": 1, "b1": 0, "w2": 0}, {"w1": IN, "b1": IN, "w2": OUT}),
    linear: ({"w1": 1, "w2": 0}, {"w1": IN, "w2": OUT}),
    by_layout: ({"w1": Axis(0, inner=3), "w2": 1}, {"w1": IN, "w2": OUT}),
    scaled_prior: ({"w1": 1, "scale": 0, "w2": 0}, {"w1": IN, "scale": IN, "w2": OUT}),
    normed: ({"w1": 1, "gain": 0, "w2": 0}, {"w1": IN, "gain": IN, "w2": OUT}),
    residual: (
        {"embed": 1, "read0": 0, "read1": 0, "write0": 1, "write1": 1, "head": 0},
        {"embed": IN, "write0": IN, "write1": IN, "read0": OUT, "read1": OUT, "head": OUT},
    ),
    recurrent: ({"w_in": 1, "w": 1, "w_out": 0}, {"w_in": IN, "w": IN, "w_out": OUT}),
    convolved: ({"k1": 3, "k2": 2}, {"k1": IN, "k2": OUT}),
    branched: ({"w1": 1, "w2": -2}, {"w1": IN, "w2": OUT}),
    tied: ({"w": 1}, {"w": UNSAID}),
    factors: ({"scores": 1, "loadings": 0}, {"scores": UNSAID, "loadings": UNSAID}),
    bilinear: ({"q": 1, "k": 1}, {"q": UNSAID, "k": UNSAID}),
    mixture: ({"mu": 0, "w": 0}, {"mu": UNSAID, "w": UNSAID}),
}


@pytest.mark.parametrize("model", CASES, ids=lambda model: model.__name__)
def test_programs(model):
    axes, expected = CASES[model]
    (found,) = with_directions(read_numpyro_model(model, (X, Y), {}), [Units("unit", 4, axes=axes)])
    assert found.roles == {site: (role,) for site, role in expected.items()}


def test_both_axes_of_one_array():
    """The states of a recurrent network lie on both axes of its weights."""
    units = Units("unit", 4, axes={"w_in": 1, "w": (0, 1), "w_out": 0})
    (found,) = with_directions(read_numpyro_model(recurrent, (X, Y), {}), [units])
    assert found.roles == {"w_in": (IN,), "w": (OUT, IN), "w_out": (OUT,)}


def test_found_units_have_cards_with_directions():
    sym = nsym.find_symmetry(network, X, Y)
    (units,) = sym
    rng = np.random.default_rng(0)
    shapes = {"w1": (3, 4), "b1": (4,), "w2": (4, 1)}
    draws = {name: rng.normal(size=(10, *shape)) for name, shape in shapes.items()}
    labels = [card.label for card in plots.unit_cards(draws, sym, units.name)[0]]
    assert labels == ["w1 (in)", "b1 (in)", "w2 (out)"]
    told = [text.get_text() for text in sym.plot(shapes).texts]
    assert "w1: axis 1, in, ± sign" in told
    assert "w1: axis 0, out, ± sign" in told
    # Nothing but words: an element does what it does, and the symmetries are equal.
    assert Symmetry([units.with_roles({})]) == sym


def test_a_fault_costs_no_more_than_words(monkeypatch):
    """A primitive spelled otherwise by another JAX leaves units as they are."""
    model = read_numpyro_model(network, (X, Y), {})
    units = [Units("unit", 4, axes={"w1": 1, "w2": 0})]
    monkeypatch.setattr("numpyro_sym.discovery.directions._dot_general", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        with_directions(model, units)
    monkeypatch.setattr(program, "RAISE_FAULTS", False)
    assert with_directions(model, units) == units


KEPT = {
    "renamed": lambda u: u.renamed("other"),
    "another kind": lambda u: u.with_kind("permutation"),
    "labels": lambda u: u.with_values(("z",)),
}


@pytest.mark.parametrize("how", KEPT)
def test_what_was_said_is_kept(how):
    u = Units("unit", 3, incoming={"w1": 1}, outgoing={"w2": 0}, axes={"s": 0}, kind="signed")
    assert KEPT[how](u).roles == {"w1": (1,), "w2": (-1,), "s": (0,)}
    assert u.with_sites_renamed({"w1": "w"}).roles == {"w": (1,), "w2": (-1,), "s": (0,)}
    assert u.with_axes({"w1": u.axes["w1"]}).roles == {"w1": (1,)}
    assert u.with_axes({"w1": (Axis(0, power=1), Axis(1, power=1))}).roles == {"w1": (0, 0)}
