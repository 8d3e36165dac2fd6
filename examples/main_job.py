"""The three flows on real data (scikit-learn's diabetes and iris), and on a sine for the picture.

1. SVI with AutoNormal and with AutoSymmetrizedNormal: both ELBOs, both test LPPDs.
2. FoldedNUTS, and the same chains as plain NUTS draws them.
3. R-hat before and after re-basing the draws, and a picture.
"""

import argparse
import warnings

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from numpyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, log_likelihood
from numpyro.infer.autoguide import AutoNormal
from sklearn.datasets import load_diabetes, load_iris

import numpyro_sym as nsym
from numpyro_sym.symmetry import text_table

warnings.filterwarnings("ignore", message="\nArviZ is undergoing", category=FutureWarning)
import arviz as az  # noqa: E402

WEIGHTS = ("w1", "b1", "w2")


def network(x, y=None, width=5, noise=None):
    """One hidden layer of tanh units; the noise is latent unless it is given."""

    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))

    hidden = jnp.tanh(x @ normal("w1", x.shape[1], width) + normal("b1", width))
    f = numpyro.deterministic("f", hidden @ normal("w2", width))
    if noise is None:
        noise = numpyro.sample("noise", dist.HalfNormal(1.0))
    with numpyro.plate("rows", len(x)):
        numpyro.sample("y", dist.Normal(f, noise), obs=y)


def symmetry(width):
    """Units may be permuted, and the sign of each turned: tanh is odd."""
    return nsym.mlp(["w1", "w2"], [width], biases=["b1"], kind="signed")


def diabetes():
    """442 patients, 10 measurements; 80 per cent to train, standardized by the training rows."""
    x, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    train, test = rows[: int(0.8 * len(y))], rows[int(0.8 * len(y)) :]
    x, y = (np.asarray((a - a[train].mean(0)) / a[train].std(0), np.float32) for a in (x, y))
    return (x[train], y[train]), (x[test], y[test])


def iris():
    """150 flowers: the length of the petals, from their width and the two of the sepals."""
    measured = load_iris().data
    measured = np.asarray((measured - measured.mean(0)) / measured.std(0), np.float32)
    petal_length = 2
    return np.delete(measured, petal_length, axis=1), measured[:, petal_length]


def sine():
    """100 points, one input: what the network makes of it can be drawn."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-3, 3, 100)).astype(np.float32)[:, None]
    return x, (np.sin(1.5 * x[:, 0]) + 0.1 * rng.normal(size=100)).astype(np.float32)


def lppd(draws, x, y, **kwargs):
    """Mean over points of the log of the mean density over draws."""
    each = log_likelihood(network, draws, x, y, **kwargs)["y"]
    return float((logsumexp(each, axis=0) - np.log(len(each))).mean())


def guides(steps, progress_bar):
    """SVI with either guide; everything but the guide's name is the same."""
    train, test = diabetes()
    width, rows = 5, []
    for guide in (AutoNormal(network), nsym.AutoSymmetrizedNormal(network, symmetry(width))):
        svi = SVI(network, guide, numpyro.optim.Adam(0.005), Trace_ELBO())
        print(f"\nSVI, diabetes, {width} tanh units, {type(guide).__name__}")
        result = svi.run(jax.random.key(0), steps, *train, progress_bar=progress_bar)
        elbo = -Trace_ELBO(num_particles=2000).loss(
            jax.random.key(1), result.params, network, guide, *train
        )
        draws = guide.sample_posterior(
            jax.random.key(2), result.params, *train, sample_shape=(500,)
        )
        weights = {name: draws[name] for name in (*WEIGHTS, "noise")}
        rows.append([type(guide).__name__, float(elbo), lppd(weights, *test)])
    print("\n" + text_table(["guide", "ELBO", "test LPPD"], rows))


def chains(x, y, draws, progress_bar, label, width, **kwargs):
    """FoldedNUTS, and plain NUTS: the same chains from the same key, not folded."""
    sym = symmetry(width)
    runs = []
    for kernel in (
        NUTS(network, max_tree_depth=7),
        nsym.FoldedNUTS(network, sym, max_tree_depth=7),
    ):
        print(f"\n{type(kernel).__name__}, {label}, 4 chains")
        mcmc = MCMC(
            kernel,
            num_warmup=500,
            num_samples=draws,
            num_chains=4,
            chain_method="vectorized",
            progress_bar=progress_bar,
        )
        mcmc.run(jax.random.key(1), x, y, width=width, **kwargs)
        data = az.from_numpyro(mcmc, log_likelihood=True)
        print(nsym.diagnose(data, sym))
        runs.append((mcmc, data))
    print(f"reference set: {runs[1][0].sampler.section}")
    mcmc, raw = runs[0]
    return mcmc, raw, nsym.rebasin(raw, sym)


def picture(path, mcmc, raw, aligned, x, y):
    """Raw traces, aligned traces, and the predictions that both make."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9.5, 3.2), layout="constrained")
    left.sharey(middle)
    for axes, data, title in ((left, raw, "raw: NUTS"), (middle, aligned, "aligned: rebasin")):
        for i, chain in enumerate(data.posterior["b1"].values[..., 0]):
            axes.plot(chain, color=f"C{i}", lw=0.7, label=f"chain {i}")
        axes.set(xlabel="draw", title=title)
    left.set_ylabel("bias of the first unit")
    middle.legend(fontsize="small", loc="upper center", ncols=2, columnspacing=1, handlelength=1)
    low, high = left.get_ylim()
    left.set_ylim(low, high + 0.25 * (high - low))
    grid = np.linspace(x.min() - 0.5, x.max() + 0.5, 200, dtype=np.float32)[:, None]
    draws = {name: v for name, v in mcmc.get_samples().items() if name in WEIGHTS}
    y_grid = Predictive(network, draws)(jax.random.key(3), grid, width=3, noise=0.1)["y"]
    low, median, high = np.quantile(y_grid, [0.05, 0.5, 0.95], axis=0)
    right.fill_between(grid[:, 0], low, high, alpha=0.3, lw=0, label="90% band")
    right.plot(grid[:, 0], median, label="median")
    right.plot(x[:, 0], y, "k.", ms=3, label="data")
    right.set(xlabel="x", ylabel="y", title="predictions of both")
    right.set_ylim(top=2.4)
    right.legend(fontsize="small", loc="upper center", ncols=2, columnspacing=1)
    fig.savefig(path, dpi=150)
    print(f"\nsaved {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="numpyro_sym.png", help="where the picture goes")
    parser.add_argument("--steps", type=int, default=6000, help="SVI steps")
    parser.add_argument("--draws", type=int, default=800, help="posterior draws a chain")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    options = parser.parse_args()
    bars = not options.no_progress
    guides(options.steps, bars)
    chains(*iris(), options.draws, bars, "iris", width=2)
    x, y = sine()
    mcmc, raw, aligned = chains(x, y, options.draws, bars, "sine", width=3, noise=0.1)
    picture(options.output, mcmc, raw, aligned, x, y)


if __name__ == "__main__":
    main()
