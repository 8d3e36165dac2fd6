"""A log density taken wherever a model is."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from flax import nnx
from numpyro.distributions import constraints
from numpyro.infer import MCMC

import numpyro_sym as nsym
from numpyro_sym import LogDensity, SymmetryError
from numpyro_sym.mcmc import good_starts
from numpyro_sym.models import prior_factor

X = np.random.default_rng(0).normal(size=(7, 2))
Y = np.sin(2 * X[:, 0]) + 0.3 * X[:, 1]
NETWORK = {"w1": np.full((2, 3), 0.1), "w2": np.full(3, 0.2)}


def prior(network):
    return -0.5 * sum(jnp.sum(x**2) for x in network.values())


def fit(network):
    return -0.5 * jnp.sum((jnp.tanh(X @ network["w1"]) @ network["w2"] - Y) ** 2)


def posterior(network):
    return prior(network) + fit(network)


def model():
    w1 = numpyro.sample("w1", dist.Normal().expand([2, 3]).to_event(2))
    w2 = numpyro.sample("w2", dist.Normal().expand([3]).to_event(1))
    numpyro.sample("y", dist.Normal(jnp.tanh(X @ w1) @ w2, 1.0).to_event(1), obs=Y)


def test_the_symmetry_is_that_of_the_same_numpyro_model():
    found = nsym.find_symmetry(LogDensity(posterior, NETWORK))
    assert found == nsym.find_symmetry(model)
    assert found.order == 48
    assert "1 Units proved" in found.explain()


def test_check_passes_what_holds_and_refuses_what_does_not():
    density = LogDensity(posterior, NETWORK)
    nsym.mlp(["w1", "w2"], [3], kind="signed").check(density)
    with pytest.raises(SymmetryError, match="'log_density' by"):
        nsym.mixture(3, {"w1": 1}).check(density)


def test_scales_are_those_of_the_parts_that_are_the_likelihood():
    def parts(network):
        f = jax.nn.relu(X @ network["w1"]) @ network["w2"]
        return {"shrinkage": prior(network), "fit": -0.5 * jnp.sum((f - Y) ** 2)}

    alone = nsym.find_symmetry(LogDensity(parts, NETWORK))
    assert [u.kind for u in alone] == ["permutation"]
    apart = nsym.find_symmetry(LogDensity(parts, NETWORK, likelihood="fit"))
    assert [u.kind for u in apart] == ["scaled"]
    apart.check(LogDensity(parts, NETWORK, likelihood=["fit"]))
    with pytest.raises(SymmetryError, match="log likelihood changes"):
        apart.check(LogDensity(parts, NETWORK))


def test_explain_and_check_name_the_parts():
    scale = np.array([1.0, 2.0, 3.0])

    def parts(network):
        told_apart = -jnp.sum((network["w1"] / scale) ** 2) - jnp.sum(network["w2"] ** 2)
        return {"told apart": told_apart, "fit": fit(network)}

    density = LogDensity(parts, NETWORK, likelihood="fit")
    found = nsym.find_symmetry(density, include="permutation")
    assert not len(found)
    assert "the factor 'told apart' tells them apart" in found.explain()
    with pytest.raises(SymmetryError, match="'told apart' by"):
        nsym.mlp(["w1", "w2"], [3]).check(density)


def test_a_prior_factor_of_a_numpyro_model_is_no_likelihood():
    def written(factor):
        def model():
            values = {}
            for name, x in NETWORK.items():
                support = constraints.independent(constraints.real, x.ndim)
                values[name] = numpyro.sample(name, dist.ImproperUniform(support, (), x.shape))
            factor("shrinkage", prior(values))
            f = jax.nn.relu(X @ values["w1"]) @ values["w2"]
            numpyro.factor("fit", -0.5 * jnp.sum((f - Y) ** 2))

        return model

    assert [u.kind for u in nsym.find_symmetry(written(prior_factor))] == ["scaled"]
    assert [u.kind for u in nsym.find_symmetry(written(numpyro.factor))] == ["permutation"]


def test_no_false_symmetry():
    def told_apart(network):
        return posterior(network) - 0.01 * network["w2"][0] ** 2

    found = nsym.find_symmetry(LogDensity(told_apart, NETWORK))
    assert all(u.n < 3 for u in found if "w2" in u.sites)
    with pytest.raises(SymmetryError):
        nsym.mlp(["w1", "w2"], [3]).check(LogDensity(told_apart, NETWORK))


def test_supports():
    y = np.random.default_rng(1).normal(size=9)

    def mixture(at):
        each = jax.scipy.stats.norm.logpdf(y[:, None], at["mu"], at["sigma"]) + jnp.log(
            at["weights"]
        )
        fit = jax.scipy.special.logsumexp(each, axis=1).sum()
        return fit - 0.1 * jnp.sum(at["mu"] ** 2) - jnp.sum(at["sigma"])

    position = {"mu": np.arange(3.0), "sigma": np.ones(3), "weights": np.full(3, 1 / 3)}
    supports = {"sigma": constraints.positive, "weights": constraints.simplex}
    density = LogDensity(mixture, position, supports=supports)
    found = nsym.find_symmetry(density)
    assert found.rename({found.units[0].name: "component"}) == nsym.mixture(
        3, {"mu": 0, "sigma": 0, "weights": 0}
    )
    with pytest.raises(SymmetryError, match="outside its support"):
        LogDensity(mixture, {**position, "sigma": np.array([1.0, -1.0, 1.0])}, supports=supports)
    with pytest.raises(SymmetryError, match="site 'nu'"):
        LogDensity(mixture, position, supports={"nu": constraints.positive})
    with pytest.raises(SymmetryError, match="1 dimensions; its site has 0"):
        LogDensity(lambda at: at["s"], {"s": 1.0}, supports={"s": constraints.simplex})


def test_modules_are_positions():
    def of(call):
        return lambda network: -jnp.sum((call(network) - Y) ** 2)

    equinox = eqx.nn.MLP(2, 1, 4, 1, activation=jnp.tanh, key=jax.random.key(0))
    found = nsym.find_symmetry(LogDensity(of(lambda f: jax.vmap(f)(X)[:, 0]), equinox))
    assert found.order == 384
    assert {u.name for u in found} == {"layers.0"}

    class Net(nnx.Module):
        def __init__(self):
            self.first = nnx.Linear(2, 4, rngs=nnx.Rngs(0))
            self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(1), deterministic=True)
            self.last = nnx.Linear(4, 1, rngs=nnx.Rngs(2))

        def __call__(self, x):
            return self.last(self.drop(jnp.tanh(self.first(x))))[:, 0]

    found = nsym.find_symmetry(LogDensity(of(lambda f: f(X)), Net()))
    assert found.order == 384
    assert {u.name for u in found} == {"first"}


def test_a_functions_own_symmetry():
    def apply(network, x):
        return {"mean": jnp.tanh(x @ network["w1"]) @ network["w2"], "size": jnp.abs(network["w2"])}

    network = {"w1": np.full((2, 3), 0.1), "w2": np.full((3, 2), 0.2)}
    mean = LogDensity.of_function(lambda n, x: apply(n, x)["mean"], network, X)
    assert nsym.find_symmetry(mean).order == 48
    # An output that shows single units leaves their signs alone.
    both = LogDensity.of_function(apply, network, X)
    assert all(u.n == 1 for u in nsym.find_symmetry(both))
    with pytest.raises(SymmetryError, match=r"output\.size of apply"):
        nsym.mlp(["w1", "w2"], [3]).check(both)


def test_a_functions_outputs_are_told_apart():
    def exchanged(network):
        return network["w"]

    assert not len(nsym.find_symmetry(LogDensity.of_function(exchanged, {"w": np.ones(4)})))
    total = LogDensity.of_function(lambda network: network["w"].sum(), {"w": np.ones(4)})
    assert nsym.find_symmetry(total).order == 24


@pytest.mark.slow
def test_kernels_starts_and_guides_take_it():
    density = LogDensity(posterior, NETWORK)
    tries = {"num_chains": 2, "num_tries": 4, "num_steps": 20, "within": 1e3}
    start = good_starts(jax.random.key(0), density, **tries)
    kernel = nsym.FoldedNUTS(density)
    chains = {"num_chains": 2, "chain_method": "vectorized", "progress_bar": False}
    mcmc = MCMC(kernel, num_warmup=20, num_samples=20, **chains)
    mcmc.run(jax.random.key(1), init_params=start)
    draws = mcmc.get_samples()
    assert {name: x.shape for name, x in draws.items()} == {"w1": (40, 2, 3), "w2": (40, 3)}
    assert kernel.sym.order == 48
    guide = nsym.AutoSymmetrizedNormal(density)
    with numpyro.handlers.seed(rng_seed=0):
        assert guide().keys() == {"w1", "w2"}


def test_the_density_of_sites():
    density = LogDensity(posterior, NETWORK)
    np.testing.assert_allclose(density.log_density(NETWORK), posterior(NETWORK), rtol=1e-6)


NAN = {"w1": np.full((2, 3), np.nan), "w2": np.ones(3)}
REFUSED = {
    "not JAX": (lambda n: float(np.asarray(n["w2"]).sum()), NETWORK, "written in jax.numpy"),
    "a vector": (lambda n: n["w2"], NETWORK, "one real number. Sum it up"),
    "integers out": (lambda n: jnp.asarray(3), NETWORK, "one real number"),
    "complex": (lambda n: 1j * n["w2"].sum(), NETWORK, "one real number"),
    "a list": (lambda n: [n["w2"].sum()], NETWORK, "one real number"),
    "nothing": (lambda n: None, NETWORK, "got|returns None"),
    "no parts": (lambda n: {}, NETWORK, "empty dict"),
    "a part of a site's name": (lambda n: {"w1": n["w2"].sum()}, NETWORK, "'w1'"),
    "a number for a name": (lambda n: {3: n["w2"].sum()}, NETWORK, "part 3"),
    "not finite there": (lambda n: jnp.log(-n["w2"].sum()), NETWORK, "is nan at the position"),
    "NaN at the position": (posterior, NAN, "'w1' of the position is not finite"),
    "integers": (posterior, {"w1": np.ones((2, 3)), "w2": np.arange(3)}, "integers at 'w2'"),
    "an int": (lambda n: n["mu"] * 1.0, {"mu": 3}, "integers at 'mu'"),
    "no floats": (posterior, {"w1": None}, "no array of floats"),
    "colliding paths": (posterior, {"a.b": np.ones(1), "a": {"b": np.ones(1)}}, "the path 'a.b'"),
    "no function": ("posterior", NETWORK, "fn must be a function"),
    "arguments exchanged": (NETWORK, posterior, "fn"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    fn, position, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        LogDensity(fn, position)


def test_refused_later():
    with pytest.raises(SymmetryError, match="likelihood names part 'y'"):
        LogDensity(posterior, NETWORK, likelihood="y")
    with pytest.raises(SymmetryError, match="takes no arguments"):
        nsym.find_symmetry(LogDensity(posterior, NETWORK), X)
    with pytest.raises(SymmetryError, match="being traced"):
        jax.jit(lambda n: LogDensity(posterior, n).log_density(n))(NETWORK)
    with pytest.raises(SymmetryError, match="not finite at the position"):
        LogDensity.of_function(lambda n: n["w2"] / 0.0, NETWORK)
