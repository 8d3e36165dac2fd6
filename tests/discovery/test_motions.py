"""What is a symmetry and no permutation is named, and nothing else is."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import numpyro_sym as nsym

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(7, 4))


def normal(name, *shape, scale=1.0):
    return numpyro.sample(name, dist.Normal(0, scale).expand(shape).to_event(len(shape)))


def ppca(y):
    w = normal("w", 4, 2)
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    covariance = w @ w.T + sigma * jnp.eye(4)
    numpyro.sample("y", dist.MultivariateNormal(jnp.zeros(4), covariance).expand([7]), obs=y)


def scores(y, prior=1.0):
    w = normal("w", 4, 2, scale=prior)
    z = normal("z", 7, 2)
    numpyro.sample("y", dist.Normal(z @ w.T, 0.5).to_event(2), obs=y)


def laplace_scores(y):
    w = numpyro.sample("w", dist.Laplace().expand([4, 2]).to_event(2))
    z = normal("z", 7, 2)
    numpyro.sample("y", dist.Normal(z @ w.T, 0.5).to_event(2), obs=y)


def network(y):
    w1, w2 = normal("w1", 4, 3), normal("w2", 3)
    numpyro.sample("f", dist.Normal(jnp.tanh(y @ w1) @ w2, 0.1).to_event(1), obs=y[:, 0])


def lines(model, *args):
    return nsym.find_symmetry(model, *args).explain().splitlines()


@pytest.mark.parametrize("model", [ppca, scores])
def test_rotations_of_factors(model):
    (told,) = [line for line in lines(model, Y) if "rotation" in line]
    assert "log joint stays as it is under any rotation" in told
    assert "align_rotations" in told
    assert "w[1]" in told


def test_rotations_that_a_prior_breaks():
    (told,) = [line for line in lines(laplace_scores, Y) if "rotation" in line]
    assert "the likelihood stays as it is under any rotation" in told


def test_no_rotation_of_a_network():
    assert not [line for line in lines(network, Y) if "rotation" in line or "added" in line]


def mixture(logits, told_apart=0.0):
    def model(y):
        mu = normal("mu", 3, scale=5.0)
        own = normal("logits", logits)
        every = own if logits == 3 else jnp.concatenate([own, jnp.zeros(1)])
        weights = dist.Categorical(logits=every + told_apart * jnp.arange(3.0))
        each = dist.MixtureSameFamily(weights, dist.Normal(mu, 1.0))
        numpyro.sample("y", each.expand([7]).to_event(1), obs=y[:, 0])

    return model


def test_a_softmax_against_a_reference_class():
    told = [line for line in lines(mixture(2), Y) if "reference class" in line]
    assert len(told) == 1
    assert (
        "all 3 classes of mu[0] may be exchanged in the likelihood, logits[0] with them" in told[0]
    )
    assert "Give it 3 entries with a proper prior" in told[0]


def test_no_reference_class_where_classes_are_told_apart():
    apart = lines(mixture(2, 0.5), Y)
    assert not [line for line in apart if "reference class" in line]


def test_all_columns_have_a_common_shift():
    told = lines(mixture(3), Y)
    assert not [line for line in told if "reference class" in line]
    (shift,) = [line for line in told if "is added" in line]
    assert shift.startswith("logits[0]: the likelihood stays as it is where one number is added")
    # Of two columns against a reference there is none.
    assert not [line for line in lines(mixture(2), Y) if "is added" in line]


def test_what_the_likelihood_does_not_see_proves_nothing():
    def model(y):
        normal("unseen", 3)
        mu = normal("mu", 1)
        numpyro.sample("y", dist.Normal(mu, 1.0).expand([7]).to_event(1), obs=y[:, 0])

    assert not [line for line in lines(model, Y) if "unseen[0]: the likelihood" in line]


def test_diagnose_says_so_where_weights_disagree():
    """Chains of a factor model at other rotations: the same functions, other weights."""
    sym = nsym.find_symmetry(scores, Y)
    w, z = RNG.normal(size=(4, 2)), RNG.normal(size=(7, 2))
    draws = {"w": [], "z": [], "f": []}
    for chain in range(4):
        turn = np.array([[np.cos(chain), -np.sin(chain)], [np.sin(chain), np.cos(chain)]])
        own_w = w @ turn + 0.01 * RNG.normal(size=(150, 4, 2))
        own_z = z @ turn + 0.01 * RNG.normal(size=(150, 7, 2))
        draws["w"].append(own_w)
        draws["z"].append(own_z)
        draws["f"].append(RNG.normal(size=150))
    draws = {name: np.stack(x) for name, x in draws.items()}
    found = nsym.diagnose(draws, sym, invariant="f")
    assert any(line.startswith("same functions, other weights") for line in found.verdicts)
    assert any("under any rotation" in line for line in found.verdicts)
    assert not found.fine
