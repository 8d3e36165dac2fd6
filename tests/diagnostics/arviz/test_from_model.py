"""The log joint of draws, of the model itself: against NumPyro's own, and against sums over labels
by hand.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import planted
import pytest
from jax.scipy.special import logsumexp
from numpyro.infer.util import log_density

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import with_log_joint

RNG = np.random.default_rng(0)
Y = np.r_[RNG.normal(-2, 0.5, 20), RNG.normal(2, 0.5, 20)]
SYM = nsym.mixture(2, {"mu": 0, "weights": 0})


def enumerated(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    with numpyro.plate("rows", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(mu[z], 0.5), obs=y)


def by_hand(y):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    each = jnp.log(weights) + dist.Normal(mu, 0.5).log_prob(y[:, None])
    numpyro.factor("y", logsumexp(each, axis=-1).sum())


def draws_near(modes, num_draws=250):
    """Chains about one mode each: site name -> array ``(chain, draw, 2)``."""
    mu = np.stack([mode + 0.1 * RNG.normal(size=(num_draws, 2)) for mode in modes])
    share = 0.5 + 0.05 * RNG.normal(size=mu.shape[:2])
    return {"mu": mu, "weights": np.stack([share, 1 - share], -1)}


def joint_of(model, draws, index):
    with jax.enable_x64(True):
        point = {name: jnp.asarray(x[index]) for name, x in draws.items()}
        return float(log_density(model, (Y,), {}, point)[0])


@pytest.mark.parametrize("model", [by_hand, enumerated])
def test_it_is_numpyros_own_log_joint(model):
    draws = draws_near([(-2, 2), (2, -2)], 5)
    stats = planted.dataset(
        with_log_joint(planted.arviz({"posterior": draws}), model, Y), "sample_stats"
    )
    assert stats["log_joint"].dims == ("chain", "draw")
    for index in np.ndindex(2, 5):
        np.testing.assert_allclose(
            stats["log_joint"].values[index], joint_of(by_hand, draws, index), rtol=1e-10
        )
    prior = stats["log_joint"] - stats["log_likelihood"]
    expected = dist.Normal(0, 5).log_prob(draws["mu"]).sum(-1)
    np.testing.assert_allclose(prior, expected, rtol=1e-5)


def test_it_is_what_diagnose_compares_where_there_is_nothing_else():
    relabeled = planted.arviz({"posterior": draws_near([(-2, 2), (2, -2), (-2, 2), (2, -2)])})
    with pytest.raises(SymmetryError, match="with_log_joint"):
        nsym.diagnose(relabeled, SYM)
    assert nsym.diagnose(with_log_joint(relabeled, enumerated, Y), SYM).verdicts == (
        "label switching only",
    )


def test_negative_control_another_mode_is_seen():
    elsewhere = planted.arviz({"posterior": draws_near([(-2, 2), (2, -2), (-2, 2), (2, 2.2)])})
    verdicts = nsym.diagnose(with_log_joint(elsewhere, enumerated, Y), SYM).verdicts
    assert "another functional mode in chain 3" in verdicts[0]


def test_nothing_that_was_there_is_changed():
    draws = draws_near([(-2, 2), (2, -2)], 5)
    data = planted.arviz({"posterior": draws, "sample_stats": {"lp": np.zeros((2, 5))}})
    found = with_log_joint(data, enumerated, Y)
    assert type(found) is type(data)
    assert "log_joint" not in planted.dataset(data, "sample_stats")
    assert (planted.dataset(found, "sample_stats")["lp"] == 0).all()
    assert planted.dataset(found).identical(planted.dataset(data))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mu": None}, "site 'mu'.* do not hold"),
        ({"mu": np.zeros((2, 5, 3))}, r"site 'mu' have the shape \(3,\); the model's has \(2,\)"),
    ],
)
def test_draws_that_do_not_fit_are_refused(changed, message):
    draws = {**draws_near([(-2, 2), (2, -2)], 5), **changed}
    data = planted.arviz({"posterior": {name: x for name, x in draws.items() if x is not None}})
    with pytest.raises(SymmetryError, match=message):
        with_log_joint(data, enumerated, Y)
