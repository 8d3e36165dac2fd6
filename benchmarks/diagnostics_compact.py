"""Is the compact posterior of aligned HMC draws worth more than VI's, and do its spreads tell what
to prune?

    python benchmarks/diagnostics_compact.py [--draws 300] [--width 8]

Digits averaged to 4 x 4 pixels, one hidden layer of tanh units, 600 images to train on. Predictions
on the rest are compared with those of the HMC draws themselves: agreement of the most probable
class, and total variation. Each Gaussian predicts with 200 draws of its own.
"""

import argparse
import time

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal
from sklearn.datasets import load_digits

from numpyro_sym import diagnose, mlp
from numpyro_sym.diagnostics import (
    agreement,
    compact_posterior,
    compare_gaussians,
    pruning_curve,
    total_variation,
)
from numpyro_sym.symmetry import text_table

SITES = ("w1", "b1", "w2", "b2")
TRAIN = 600


def digits():
    images, labels = load_digits(return_X_y=True)
    small = images.reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16)
    order = np.random.default_rng(0).permutation(len(small))
    small = (small - small[order[:TRAIN]].mean(0)) / 4
    return [
        jnp.asarray(a) for a in (small[order].astype(np.float32), labels[order].astype(np.int32))
    ]


def logits(point, x):
    return jnp.tanh(x @ point["w1"] + point["b1"]) @ point["w2"] + point["b2"]


def model(x, y, width):
    shapes = {"w1": (16, width), "b1": (width,), "w2": (width, 10), "b2": (10,)}
    point = {
        n: numpyro.sample(n, dist.Normal(0, 1).expand(s).to_event(len(s)))
        for n, s in shapes.items()
    }
    with numpyro.plate("rows", len(x)):
        numpyro.sample("y", dist.Categorical(logits=logits(point, x)), obs=y)


def probabilities(draws, x):
    return np.asarray(jax.jit(jax.vmap(lambda p: jax.nn.softmax(logits(p, x))))(draws))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--draws", type=int, default=300, help="warm-up and posterior draws a chain"
    )
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20000, help="of VI")
    options = parser.parse_args()
    x, y = digits()
    train, (x_test, y_test) = (x[:TRAIN], y[:TRAIN], options.width), (x[TRAIN:], y[TRAIN:])
    sym = mlp(["w1", "w2"], [options.width], biases=["b1"], kind="signed")

    start = time.process_time()
    mcmc = MCMC(
        NUTS(model, max_tree_depth=6),
        num_warmup=options.draws,
        num_samples=options.draws,
        num_chains=4,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), *train)
    data = az.from_numpyro(mcmc, log_likelihood=True)
    print(f"NUTS: {time.process_time() - start:.0f} s of processor time")
    print(diagnose(data, sym), flush=True)

    draws = dict(mcmc.get_samples())
    truth = probabilities(draws, x_test)
    aligned = compact_posterior(draws, sym)
    single = compact_posterior({n: v[: options.draws] for n, v in draws.items()}, sym)
    gaussians = {
        "compact, aligned": aligned,
        **{f"compact, aligned, rank {r}": compact_posterior(draws, sym, rank=r) for r in (20, 100)},
        "compact, one chain aligned": single,
        "compact, not aligned": compact_posterior(draws),
    }
    guide = AutoNormal(model, init_scale=0.05)
    svi = SVI(model, guide, numpyro.optim.Adam(2e-3), Trace_ELBO())
    params = svi.run(jax.random.key(1), options.steps, *train, progress_bar=False).params
    vi = tuple(
        {n: np.asarray(params[f"{n}_auto_{part}"]) for n in SITES} for part in ("loc", "scale")
    )

    def row(label, p):
        right = np.take_along_axis(p.mean(0), np.asarray(y_test)[:, None], -1)
        return [
            label,
            agreement(p, truth),
            total_variation(p, truth),
            float((p.mean(0).argmax(-1) == y_test).mean()),
            float(np.log(right).mean()),
        ]

    rows = [row("HMC", truth)]
    halves = truth[: len(truth) // 2], truth[len(truth) // 2 :]
    rows.append(
        ["HMC, chains 2-3 against 0-1", agreement(*halves), total_variation(*halves), "", ""]
    )
    for label, g in gaussians.items():
        rows.append(row(label, probabilities(g.sample(jax.random.key(2), (200,)), x_test)))
    vi_draws = {
        n: vi[0][n] + vi[1][n] * np.random.default_rng(0).normal(size=(200, *vi[0][n].shape))
        for n in SITES
    }
    rows.append(
        row("VI", probabilities({n: v.astype(np.float32) for n, v in vi_draws.items()}, x_test))
    )
    print(
        text_table(["predictions", "agreement", "total variation", "accuracy", "test LPPD"], rows),
        flush=True,
    )

    print("\nVI against the compact posterior, in weight space")
    found = compare_gaussians(vi, (aligned.loc, aligned.scale), sym)
    names = list(found.data_vars)
    print(
        text_table(
            ["site", *names],
            [[str(s), *(float(found[n].sel(site=s)) for n in names)] for s in found.site.values],
        )
    )

    def score(point):
        return (logits(point, x_test).argmax(-1) == y_test).mean()

    share = [0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    weights = ("w1", "w2")
    rest = {n: aligned.loc[n] for n in ("b1", "b2")}
    own = {n: aligned.loc[n] for n in weights}, {n: aligned.scale[n] for n in weights}
    by_vi = {n: vi[0][n] for n in weights}, {n: vi[1][n] for n in weights}
    curves = [
        [
            f"HMC mean, by {by}",
            *map(float, pruning_curve(score, *own, share, by=by, fixed=rest).score),
        ]
        for by in ("sd", "snr", "magnitude")
    ]
    vi_rest = {n: vi[0][n] for n in ("b1", "b2")}
    curves += [
        [
            f"VI mean, by {by}",
            *map(float, pruning_curve(score, *by_vi, share, by=by, fixed=vi_rest).score),
        ]
        for by in ("sd", "snr", "magnitude")
    ]
    print("\nTest accuracy of the mean with a share of its weights pruned")
    print(text_table(["", *(f"{s:.0%}" for s in share)], curves))


if __name__ == "__main__":
    main()
