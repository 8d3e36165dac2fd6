"""NumPyro's examples, anew and small: those without a symmetry to use, and those with one."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from numpyro.contrib.control_flow import scan
from numpyro.infer.reparam import LocScaleReparam

RNG = np.random.default_rng(0)
Y = RNG.normal(size=12).astype(np.float32)
X = RNG.normal(size=(12, 3)).astype(np.float32)


def normal(name, *shape, scale=1.0):
    return numpyro.sample(name, dist.Normal(0, scale).expand(shape).to_event(len(shape)))


# Without -------------------------------------------------------------------------------------------


def baseball(at_bats, hits):
    """Players with equal counts are exchangeable by coincidence: who reads player 5 goes on reading player 5."""
    m = numpyro.sample("m", dist.Uniform(0, 1))
    kappa = numpyro.sample("kappa", dist.Pareto(1.0, 1.5))
    with numpyro.plate("players", len(at_bats)):
        phi = numpyro.sample("phi", dist.Beta(m * kappa, (1 - m) * kappa))
        numpyro.sample("hits", dist.Binomial(at_bats, phi), obs=hits)


def funnel():
    """No data: the signs of x are not for a kernel to take."""
    y = numpyro.sample("y", dist.Normal(0, 3))
    numpyro.sample("x", dist.Normal(0, jnp.exp(y / 2)).expand([4]).to_event(1))


def ar2(y):
    alpha, beta = normal("alpha"), normal("beta", 2)
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))

    def step(carry, y):
        mean = alpha + beta[0] * carry[0] + beta[1] * carry[1]
        return (y, carry[0]), numpyro.sample("y", dist.Normal(mean, sigma), obs=y)

    scan(step, (y[1], y[0]), y[2:])


def gp(x, y):
    length, noise = (numpyro.sample(name, dist.LogNormal(0, 1)) for name in ("length", "noise"))
    kernel = jnp.exp(-0.5 * ((x[:, None, 0] - x[None, :, 0]) / length) ** 2)
    cov = kernel + (noise + 1e-3) * jnp.eye(len(x))
    numpyro.sample("y", dist.MultivariateNormal(0, covariance_matrix=cov), obs=y)


def horseshoe(x, y):
    tau = numpyro.sample("tau", dist.HalfCauchy(1))
    lam = numpyro.sample("lam", dist.HalfCauchy(1).expand([3]).to_event(1))
    numpyro.sample("y", dist.Normal(x @ (normal("z", 3) * lam * tau), 1).to_event(1), obs=y)


def lotka_volterra(y):
    a, b, c, d = numpyro.sample("theta", dist.LogNormal(jnp.array([-1.0, -3.0, -1.0, -3.0]), 0.5).to_event(1))

    def step(z, _):
        u, v = z
        return (u + 0.1 * u * (a - b * v), v + 0.1 * v * (d * u - c)), jnp.stack(z)

    z = jax.lax.scan(step, (jnp.asarray(30.0), jnp.asarray(4.0)), None, length=len(y))[1]
    numpyro.sample("y", dist.LogNormal(jnp.log(z), 0.5).to_event(2), obs=y)


def eight_schools(y):
    mu, tau = normal("mu", scale=5.0), numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("school", 12), numpyro.handlers.reparam(config={"theta": LocScaleReparam(0)}):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
    numpyro.sample("y", dist.Normal(theta, jnp.arange(1, 13)).to_event(1), obs=y)


def volatility(y):
    s = numpyro.sample("s", dist.GaussianRandomWalk(0.3, num_steps=len(y)))
    numpyro.sample("y", dist.StudentT(5.0, 0, jnp.exp(s)).to_event(1), obs=y)


def observed_only(y):
    numpyro.sample("y", dist.Normal(0, 1).expand(y.shape).to_event(1), obs=y)


BATS, HITS = np.array([45, 45, 45, 45, 30]), np.array([18, 17, 10, 10, 8])
PLAIN = {
    "baseball": (baseball, BATS, HITS),
    "funnel": (funnel,),
    "ar2": (ar2, Y),
    "gp": (gp, X, Y),
    "horseshoe": (horseshoe, X, Y),
    "lotka-volterra": (lotka_volterra, np.exp(RNG.normal(3, 0.3, size=(6, 2)))),
    "eight schools": (eight_schools, Y),
    "volatility": (volatility, Y),
    "observed only": (observed_only, Y),
}


# With ----------------------------------------------------------------------------------------------


def gmm(y):
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(2)))
    mu = normal("mu", 2, scale=5.0)
    with numpyro.plate("n", len(y)):
        numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(mu, 1.0)), obs=y)


def bnn(x, y):
    hidden = jnp.tanh(x @ normal("w1", 3, 3) + normal("b1", 3))
    numpyro.sample("y", dist.Normal(hidden @ normal("w2", 3), 0.2).to_event(1), obs=y)


def hmm(y):
    A = numpyro.sample("A", dist.Dirichlet(jnp.ones((2, 2)) + 4 * jnp.eye(2)).to_event(1))
    mu = normal("mu", 2, scale=3.0)

    def step(alpha, y):
        return logsumexp(alpha[:, None] + jnp.log(A), 0) + dist.Normal(mu, 1.0).log_prob(y), None

    numpyro.factor("y", logsumexp(jax.lax.scan(step, dist.Normal(mu, 1.0).log_prob(y[0]), y[1:])[0]))


def annotation_marginalised(labels):
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(2)))
    theta = numpyro.sample("theta", dist.Dirichlet(jnp.ones(3)).expand([2]).to_event(1))
    numpyro.factor("y", logsumexp(jnp.log(pi) + jnp.log(theta.T[labels]).sum(1), -1).sum())


def lda(docs):
    theta = numpyro.sample("theta", dist.Dirichlet(jnp.ones(2)).expand([3]).to_event(1))
    phi = numpyro.sample("phi", dist.Dirichlet(jnp.ones(4)).expand([2]).to_event(1))
    numpyro.factor("y", jnp.log(jnp.take_along_axis(theta @ phi, docs, 1)).sum())


LABELS = RNG.integers(0, 3, size=(10, 4))
FOLDED = {
    "gmm": (gmm, Y),
    "bnn": (bnn, X, Y),
    "hmm": (hmm, Y),
    "annotation, marginalised": (annotation_marginalised, LABELS),
    "lda": (lda, RNG.integers(0, 4, size=(3, 6))),
}
