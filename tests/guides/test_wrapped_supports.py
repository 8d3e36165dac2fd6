"""Latents of TensorFlow Probability: supports and transforms that say that they are trees of arrays
and are none.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.distributions import biject_to, constraints
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO

import numpyro_sym as nsym
from numpyro_sym import SymmetryError

Y = jnp.linspace(0.0, 1.0, 4)


class Wrapped:
    """What NumPyro's wrappers do: they give as their children something that is no sequence."""

    def tree_flatten(self):
        return self.inner, ()

    @classmethod
    def tree_unflatten(cls, _, inner):
        return cls(inner)

    def __init__(self, inner):
        self.inner = inner


class WrappedSupport(Wrapped, constraints.Constraint):
    event_dim = 1

    @property
    def codomain(self):
        return self.inner.codomain

    def __call__(self, x):
        return self.codomain(x)


class WrappedTransform(Wrapped, dist.transforms.Transform):
    domain = constraints.real_vector

    @property
    def codomain(self):
        return WrappedSupport(self.inner)

    def __call__(self, x):
        return self.inner.bijector(x)

    def _inverse(self, y):
        return self.inner.bijector.inv(y)

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        return self.inner.bijector.log_abs_det_jacobian(x, y)

    def forward_shape(self, shape):
        return self.inner.bijector.forward_shape(shape)

    def inverse_shape(self, shape):
        return self.inner.bijector.inverse_shape(shape)


class OpenSimplex:
    """Between bounds that are not told: the support raises when it is asked."""

    bijector = dist.transforms.StickBreakingTransform()
    codomain = constraints.simplex


class OpenInterval:
    bijector = dist.transforms.IndependentTransform(dist.transforms.SigmoidTransform(), 1)
    codomain = constraints.interval(None, None)


biject_to.register(WrappedSupport)(lambda support: WrappedTransform(support.inner))


class Simplex(dist.Dirichlet):
    support = WrappedSupport(OpenSimplex())


class Interval(dist.Beta):
    @property
    def support(self):
        return WrappedSupport(OpenInterval())

    def __init__(self, n):
        super().__init__(2 * jnp.ones(n), 2.0)
        self._event_shape, self._batch_shape = (n,), ()

    def log_prob(self, value):
        return super().log_prob(value).sum(-1)

    def sample(self, key, sample_shape=()):
        return jax.random.beta(key, 2.0, 2.0, (*sample_shape, *self._event_shape))


def on_a_simplex(y):
    w = numpyro.sample("w", Simplex(jnp.ones(3)))
    m = numpyro.sample("m", dist.Normal(0, 1).expand([3]).to_event(1))
    numpyro.sample("y", dist.Normal((w * m).sum(), 1).expand(y.shape).to_event(1), obs=y)


def on_an_interval(y):
    p = numpyro.sample("p", Interval(3))
    numpyro.sample("y", dist.Normal(p.prod(), 1).expand(y.shape).to_event(1), obs=y)


@pytest.fixture(autouse=True)
def unvalidated():
    """NumPyro itself compares with the missing bounds where it validates."""
    with numpyro.validation_enabled(False):
        yield


def test_they_are_no_trees():
    with pytest.raises(ValueError, match="iterable"):
        jax.tree.leaves(WrappedTransform(OpenSimplex()))
    with pytest.raises(TypeError, match="greater_equal"):
        WrappedSupport(OpenInterval())(jnp.zeros(3))


@pytest.mark.parametrize(("model", "site"), [(on_a_simplex, "w"), (on_an_interval, "p")])
def test_a_symmetry_is_found_and_values_outside_are_outside(model, site):
    sym = nsym.find_symmetry(model, Y)
    assert sym.order == 6
    assert site in sym.sites
    with pytest.raises(SymmetryError, match=f"move the value of site '{site}' out of its support"):
        nsym.Symmetry(
            [nsym.Units("u", 1, axes={site: nsym.Axis(0, power=1, outer=3)}, kind="signed")]
        ).check(model, Y)


@pytest.mark.parametrize(
    "model", [on_a_simplex, pytest.param(on_an_interval, marks=pytest.mark.slow)]
)
def test_a_guide_averages(model):
    guide = nsym.AutoSymmetrizedNormal(model)
    svi = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    result = svi.run(jax.random.key(0), 3, Y, progress_bar=False)
    assert guide.sym.order == 6
    assert np.isfinite(result.losses).all()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["draws", "transition", "reparam"])
def test_draws_are_folded(where):
    sym = nsym.find_symmetry(on_a_simplex, Y)
    key = (
        "w" if where == "reparam" else "m"
    )  # the site that the model samples first settles the units
    if where == "reparam":
        kernel = NUTS(
            numpyro.handlers.reparam(
                on_a_simplex, config=nsym.ReferenceSetReparam(sym, keys={"w": key})
            )
        )
    else:
        kernel = nsym.Folded(NUTS(on_a_simplex), sym, keys={"w": key}, where=where)
    mcmc = MCMC(kernel, num_warmup=10, num_samples=10, progress_bar=False)
    mcmc.run(jax.random.key(0), Y)
    draws = mcmc.get_samples()
    assert (np.diff(draws[key]) >= 0).all()
    np.testing.assert_allclose(draws["w"].sum(-1), 1, rtol=1e-5)


def test_tensorflow_probabilitys_own():
    tfd = pytest.importorskip("tensorflow_probability.substrates.jax").distributions
    pytest.importorskip("numpyro.contrib.tfp")

    def model(y):
        w = numpyro.sample("w", tfd.Dirichlet(jnp.ones(3)))
        m = numpyro.sample("m", tfd.Independent(tfd.Gamma(2 * jnp.ones(3), 2.0), 1))
        p = numpyro.sample("p", tfd.Independent(tfd.Beta(2 * jnp.ones(3), 2.0), 1))
        numpyro.sample("y", dist.Normal((w * m * p).sum(), 1).expand(y.shape).to_event(1), obs=y)

    assert nsym.find_symmetry(model, Y).order == 6
    guide = nsym.AutoSymmetrizedNormal(model)
    result = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO()).run(
        jax.random.key(0), 3, Y, progress_bar=False
    )
    assert guide.sym.order == 6
    assert np.isfinite(result.losses).all()
