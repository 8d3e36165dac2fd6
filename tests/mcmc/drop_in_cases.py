"""NumPyro's examples, anew and small: those without a symmetry to use, and those with one, and
which.
"""

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


# Without ------------------------------------------------------------------------------------------


def baseball(at_bats, hits):
    """Players with equal counts are exchangeable by coincidence: who reads player 5 goes on reading
    player 5.
    """
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
    a, b, c, d = numpyro.sample(
        "theta", dist.LogNormal(jnp.array([-1.0, -3.0, -1.0, -3.0]), 0.5).to_event(1)
    )

    def step(logs, _):
        hare, lynx = jnp.exp(logs)
        return logs + 0.1 * jnp.stack([a - b * lynx, d * hare - c]), logs

    logs = jax.lax.scan(step, jnp.log(jnp.array([30.0, 4.0])), None, length=len(y))[1]
    numpyro.sample("y", dist.LogNormal(logs, 0.5).to_event(2), obs=y)


def eight_schools(y):
    mu, tau = normal("mu", scale=5.0), numpyro.sample("tau", dist.HalfCauchy(5))
    with (
        numpyro.plate("school", 12),
        numpyro.handlers.reparam(config={"theta": LocScaleReparam(0)}),
    ):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
    numpyro.sample("y", dist.Normal(theta, jnp.arange(1, 13)).to_event(1), obs=y)


def volatility(y):
    s = numpyro.sample("s", dist.GaussianRandomWalk(0.3, num_steps=len(y)))
    numpyro.sample("y", dist.StudentT(5.0, 0, jnp.exp(s)).to_event(1), obs=y)


def covtype(x, y):
    numpyro.sample(
        "y",
        dist.Bernoulli(logits=x @ normal("coefs", 3) + normal("intercept")).to_event(1),
        obs=y > 0,
    )


def ucbadmit(department, applied, admitted):
    """A varying intercept: departments differ by their data."""
    mu, sigma, male = normal("mu"), numpyro.sample("sigma", dist.HalfNormal(1)), normal("male")
    with numpyro.plate("department", 3):
        alpha = numpyro.sample("alpha", dist.Normal(mu, sigma))
    logits = alpha[department] + male * (jnp.arange(len(applied)) % 2)
    numpyro.sample("admitted", dist.Binomial(applied, logits=logits).to_event(1), obs=admitted)


def var2(y):
    """Coefficients that run over the series twice, as rows and as columns; data tell the series
    apart.
    """
    phi, c = normal("phi", 2, 3, 3, scale=0.5), normal("c", 3)
    sd = numpyro.sample("sd", dist.HalfNormal(1).expand([3]).to_event(1))
    corr = numpyro.sample("corr", dist.LKJCholesky(3, 1.0))
    mean = c + y[1:-1] @ phi[0].T + y[:-2] @ phi[1].T
    numpyro.sample(
        "y", dist.MultivariateNormal(mean, scale_tril=sd[:, None] * corr).to_event(1), obs=y[2:]
    )


def zero_inflated_poisson(x, y):
    gate = numpyro.sample("gate", dist.Beta(1, 1))
    rate = jnp.exp(x @ normal("beta", 3))
    numpyro.sample("y", dist.ZeroInflatedPoisson(gate, rate).to_event(1), obs=y)


def neutra():
    """Two moons, that their signs carry into one another and themselves; no data."""
    x = numpyro.sample("x", dist.Uniform(-4, 4).expand([2]).to_event(1))
    ring = 0.5 * ((jnp.sqrt((x**2).sum()) - 2) / 0.4) ** 2
    numpyro.factor("moons", logsumexp(-0.5 * ((x[0] + jnp.array([-2.0, 2.0])) / 0.6) ** 2) - ring)


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
    "covtype": (covtype, X, Y),
    "ucbadmit": (ucbadmit, np.arange(6) // 2, np.full(6, 50), np.array([20, 25, 11, 9, 40, 33])),
    "var2": (var2, X),
    "zero-inflated poisson": (
        zero_inflated_poisson,
        X,
        np.array([0, 0, 3, 1, 0, 0, 2, 7, 0, 1, 0, 4]),
    ),
    "neutra": (neutra,),
    "observed only": (observed_only, Y),
}


# With ---------------------------------------------------------------------------------------------


def gmm(y):
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(2)))
    mu = normal("mu", 2, scale=5.0)
    with numpyro.plate("n", len(y)):
        numpyro.sample(
            "y", dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(mu, 1.0)), obs=y
        )


def bnn(x, y):
    hidden = jnp.tanh(x @ normal("w1", 3, 3) + normal("b1", 3))
    numpyro.sample("y", dist.Normal(hidden @ normal("w2", 3), 0.2).to_event(1), obs=y)


def hmm(y):
    A = numpyro.sample("A", dist.Dirichlet(jnp.ones((2, 2)) + 4 * jnp.eye(2)).to_event(1))
    mu = normal("mu", 2, scale=3.0)

    def step(alpha, y):
        return logsumexp(alpha[:, None] + jnp.log(A), 0) + dist.Normal(mu, 1.0).log_prob(y), None

    numpyro.factor(
        "y", logsumexp(jax.lax.scan(step, dist.Normal(mu, 1.0).log_prob(y[0]), y[1:])[0])
    )


def annotation_marginalized(labels):
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(2)))
    theta = numpyro.sample("theta", dist.Dirichlet(jnp.ones(3)).expand([2]).to_event(1))
    numpyro.factor("y", logsumexp(jnp.log(pi) + jnp.log(theta.T[labels]).sum(1), -1).sum())


def stein_bnn(x, y):
    """Precisions of the weights and of the noise have priors of their own; a minibatch
    of the rows.
    """
    precision = numpyro.sample("precision", dist.Gamma(1, 0.1))
    scale = 1 / jnp.sqrt(numpyro.sample("precision_w", dist.Gamma(1, 0.1)))
    w1, b1 = normal("w1", 3, 3, scale=scale), normal("b1", 3, scale=scale)
    w2, b2 = normal("w2", 3, scale=scale), normal("b2", scale=scale)
    with numpyro.plate("rows", len(y), subsample_size=len(y)):
        mean = jax.nn.relu(x @ w1 + b1) @ w2 + b2
        numpyro.sample("y", dist.Normal(mean, 1 / jnp.sqrt(precision)), obs=y)


def prodlda(counts):
    """Topics mixed on the scale of logits, normalized over the words."""
    beta = normal("beta", 2, 4)
    with numpyro.plate("documents", len(counts)):
        theta = numpyro.sample("theta", dist.Normal(0, 1).expand([2]).to_event(1))
        logits = jax.nn.softmax(theta) @ beta
        standard = (logits - logits.mean(0)) / jnp.sqrt(logits.var(0) + 1e-3)
        numpyro.sample("words", dist.Multinomial(total_count=6, logits=standard), obs=counts)


def lda(docs):
    theta = numpyro.sample("theta", dist.Dirichlet(jnp.ones(2)).expand([3]).to_event(1))
    phi = numpyro.sample("phi", dist.Dirichlet(jnp.ones(4)).expand([2]).to_event(1))
    numpyro.factor("y", jnp.log(jnp.take_along_axis(theta @ phi, docs, 1)).sum())


LABELS = RNG.integers(0, 3, size=(10, 4))
TOKENS = RNG.integers(0, 4, size=(3, 6))
COUNTS = np.array([[3, 1, 2, 0], [0, 4, 1, 1], [1, 1, 0, 4]])
TWO, THREE = "2 exchangeable", "3 exchangeable"
#: name -> the model, its arguments, and what is said of its units.
FOLDED = {
    "gmm": (gmm, (Y,), f"w ({TWO}: w[0] mu[0])"),
    "bnn": (bnn, (X, Y), f"w1 ({THREE} with signs: w1[1] b1[0] w2[0])"),
    "stein_bnn": (stein_bnn, (X, Y), f"w1 ({THREE}: w1[1] b1[0] w2[0])"),
    "hmm": (hmm, (Y,), f"A ({TWO}: A[0] A[1] mu[0])"),
    "annotation, marginalized": (annotation_marginalized, (LABELS,), f"pi ({TWO}: pi[0] theta[0])"),
    "lda": (lda, (TOKENS,), f"theta ({TWO}: theta[1] phi[0])"),
    "prodlda": (prodlda, (COUNTS,), f"beta ({TWO}: beta[0] theta[1])"),
}
