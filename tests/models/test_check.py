"""``Symmetry.check``: passes what holds, and says what breaks what does not."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from registry import BATCHED, CASES, X, Y, normal, observe

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units


@pytest.mark.parametrize("case", [*CASES, *BATCHED], ids=lambda c: c.name)
def test_registered_symmetries_hold(case):
    report = case.sym.check(case.model, *case.args)
    assert len(report.rows) == len(case.sym)
    assert all(change <= rounding for *_, change, rounding in report.rows)
    assert all(rounding < 1e-4 for *_, rounding in report.rows)
    assert "largest change" in str(report)


def tanh_network(x, y, scale=1.0, h=5):
    w1 = numpyro.sample("w1", dist.Normal(0, scale).expand([x.shape[1], h]).to_event(2))
    observe(jnp.tanh(x @ w1 + normal("b1", h)) @ normal("w2", h, 1)[:, 0], y)


def mlp(**kwargs):
    return nsym.mlp(["w1", "w2"], [5], biases=["b1"], **{"kind": "signed", **kwargs})


NARROW = np.array([1.0, 1, 1, 2, 2])
BROKEN = {
    "a forgotten bias": (
        nsym.mlp(["w1", "w2"], [5], kind="signed"),
        {},
        r"Site 'b1', axis 0 must move too: add incoming=\{'b1': 0\}",
    ),
    "a forgotten site": (
        Symmetry([Units("hidden", 5, axes={"w1": 1, "b1": 0})]),
        {},
        r"Site 'w2', axis 0 must move too",
    ),
    "a prior that is not exchangeable": (
        mlp(),
        {"scale": NARROW},
        "prior of site 'w1' tells its 5 entries apart along axis 1",
    ),
    "signs under a prior that is not symmetric": (
        Symmetry([Units("hidden", 5, incoming={"w1": 1, "b1": 0, "w2": 0}, kind="scaled")]),
        {},
        "With kind='permutation' it holds",
    ),
    "a site too many": (
        Symmetry([Units("i", 3, axes={"w1": 0})]),
        {},
        "the log joint density changes",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_is_named(name):
    sym, kwargs, message = BROKEN[name]
    with pytest.raises(SymmetryError, match=message):
        sym.check(tanh_network, X, Y, **kwargs)


def test_a_wrong_axis_is_named():
    def model(x, y):
        observe(jnp.tanh(x @ normal("w1", 3, 3)) @ normal("w2", 3), y)

    with pytest.raises(SymmetryError, match="Site 'w1': axis 1 makes it hold, not axis 0"):
        Symmetry([Units("hidden", 3, incoming={"w1": 0, "w2": 0})]).check(model, X, Y)


def test_even_activation_has_no_sign_on_the_way_out():
    def model(x, y):
        observe(jnp.abs(x @ normal("w1", 3, 4)) @ normal("w2", 4), y)

    with pytest.raises(SymmetryError, match="Site 'w2', axis 0: name it in axes"):
        nsym.mlp(["w1", "w2"], [4], kind="signed").check(model, X, Y)
    Symmetry([Units("hidden", 4, incoming={"w1": 1}, axes={"w2": 0}, kind="signed")]).check(
        model, X, Y
    )


def test_a_value_that_leaves_its_support_is_no_symmetry():
    """An improper prior on an ordered vector has a flat density: only the support tells."""

    def model():
        numpyro.sample("mu", dist.ImproperUniform(constraints.ordered_vector, (), (3,)))

    with pytest.raises(SymmetryError, match="move the value of site 'mu' out of its support"):
        nsym.mixture(3, {"mu": 0}).check(model)


def test_a_small_break_is_seen():
    almost = np.array([1.0, 1, 1, 1, 1 + 1e-6])
    with pytest.raises(SymmetryError, match="'w1'"):
        mlp().check(tanh_network, X, Y, scale=almost)


def test_relu_scales_hold_for_the_likelihood_and_its_permutations_for_the_joint():
    def model(x, y):
        observe(jnp.maximum(x @ normal("w1", 3, 4), 0) @ normal("w2", 4), y)

    sym = nsym.mlp(["w1", "w2"], [4], kind="scaled")
    assert sym.check(model, X, Y).rows[0][2] == "log likelihood"
    assert sym.select("permutation").check(model, X, Y).rows[0][2] == "log joint"


def test_session_precision_does_not_matter():
    single = mlp().check(tanh_network, X.astype(np.float32), Y.astype(np.float32))
    change, rounding = single.rows[0][3:]
    assert change <= rounding < 1e-6


def discrete(x):
    z = numpyro.sample("z", dist.Bernoulli(0.5))
    numpyro.sample("x", dist.Normal(z, 1.0), obs=x)


def nothing_latent(x):
    numpyro.sample("x", dist.Normal(0.0, 1.0), obs=x)


def never_finite(x):
    numpyro.sample("mu", dist.Normal(0, 1).expand([2]).to_event(1))
    numpyro.factor("x", -jnp.inf)


UNREADABLE = {
    r"latent sites are all discrete \(z\)": discrete,
    "no latent sample sites": nothing_latent,
    "not finite": never_finite,
    "a callable": "model",
}


@pytest.mark.parametrize("message", UNREADABLE)
def test_models_that_cannot_be_checked(message):
    with pytest.raises(SymmetryError, match=message):
        nsym.mixture(2, {"mu": 0}).check(UNREADABLE[message], X[0])


def test_zero_points_are_refused():
    with pytest.raises(SymmetryError, match="at least 1"):
        mlp().check(tanh_network, X, Y, num_points=0)
