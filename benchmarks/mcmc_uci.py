"""LPPD of FoldedNUTS on the sets of Wiese et al. 2023 (arXiv 2304.02902), beside what they report.

Tanh networks with weights N(0, 1) and a noise HalfNormal(1): f1 has one hidden layer of 3, f2 three
of 16. Inputs and target are standardized by the training rows alone. Rows are printed and kept as
they finish; a second call goes on.

python benchmarks/mcmc_uci.py --data FOLDER [--networks f1 f2] [--sets yacht ...] [--chains 8]
[--results mcmc_uci.json]
"""

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from mcmc_runs import sampler
from numpyro.infer import init_to_sample, log_likelihood

import numpyro_sym as nsym
from numpyro_sym.symmetry import text_table

WIDTHS = {"f1": [3], "f2": [16, 16, 16]}
#: All chains, one chain, Laplace.
THEIRS = {
    "sinusoidal": {"f1": (-0.53, -0.56, -0.57), "f2": (-0.59, -0.59, -2.42)},
    "izmailov": {"f1": (0.79, 0.65, 0.53), "f2": (0.91, 0.91, -1.81)},
    "regression2d": {"f1": (0.64, 0.75, -27.4), "f2": (0.95, 0.95, -2.33)},
    "airfoil": {"f1": (-0.74, -0.80, -1.78), "f2": (0.92, 0.72, -3.57)},
    "concrete": {"f1": (-0.41, -0.44, -14.5), "f2": (0.26, 0.25, -4.36)},
    "diabetes": {"f1": (-1.20, -1.20, -1.46), "f2": (-1.18, -1.22, -2.61)},
    "energy": {"f1": (0.92, 0.69, -31.7), "f2": (2.07, 2.38, -1.39)},
    "forest_fire": {"f1": (-1.37, -1.37, -2.39), "f2": (-1.43, -1.69, -2.80)},
    "yacht": {"f1": (1.90, 1.29, -5.60), "f2": (3.31, 0.15, -2.69)},
}


def network(widths):
    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))

    def model(x, y=None):
        h = x
        sizes = [x.shape[1], *widths, 1]
        for i, (m, n) in enumerate(pairwise(sizes), start=1):
            h = h @ normal(f"w{i}", m, n) + normal(f"b{i}", n)
            h = jnp.tanh(h) if i < len(sizes) - 1 else h
        noise = numpyro.sample("noise", dist.HalfNormal(1))
        numpyro.sample("y", dist.Normal(h[:, 0], noise), obs=y)

    depth = len(widths)
    weights, biases = ([f"{letter}{i}" for i in range(1, depth + 2)] for letter in "wb")
    return model, nsym.mlp(weights, widths, biases=biases, kind="signed")


def load(folder, name):
    """Training inputs and target, test inputs and target, standardized by the training rows."""
    rows = np.loadtxt(folder / f"{name}.data")
    split = json.loads((folder / "splits.json").read_text())[name]
    mean, deviation = rows[split["train"]].mean(0), rows[split["train"]].std(0)
    train, test = (
        ((rows[split[part]] - mean) / np.where(deviation > 0, deviation, 1))
        for part in ("train", "validate")
    )
    return train[:, :-1], train[:, -1], test[:, :-1], test[:, -1]


def lppd(log_likelihoods):
    """Mean over points of the log mean over draws: ``(draws, points)``; a density of
    zero is -inf.
    """
    return float((logsumexp(log_likelihoods, axis=0) - np.log(len(log_likelihoods))).mean())


def measure(folder, name, which, options):
    x, y, x_test, y_test = load(folder, name)
    model, sym = network(WIDTHS[which])
    kernel = nsym.FoldedNUTS(
        model, sym, init_strategy=init_to_sample, max_tree_depth=options.tree_depth
    )
    mcmc = sampler(kernel, options)
    start = time.process_time()
    mcmc.run(jax.random.key(options.seed), x, y, extra_fields=("diverging",))
    jax.block_until_ready(mcmc.get_samples())
    seconds = time.process_time() - start
    every = log_likelihood(model, mcmc.get_samples(), x_test, y_test)["y"]
    chains = every.reshape(options.chains, -1, len(y_test))
    each = [lppd(chain) for chain in chains]
    return {
        "chains": options.chains,
        "all": lppd(every),
        "one": float(np.mean(each)),
        "best": float(np.max(each)),
        "divergences": int(mcmc.get_extra_fields()["diverging"].sum()),
        "seconds": round(seconds),
    }


COLUMNS = ("chains", "all", "one", "best", "divergences", "seconds")

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=["f1"], choices=WIDTHS)
    parser.add_argument("--sets", nargs="+", default=list(THEIRS), choices=THEIRS)
    parser.add_argument("--chains", type=int, default=8)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--tree-depth", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path("mcmc_uci.json"))
    options = parser.parse_args()
    done = json.loads(options.results.read_text()) if options.results.exists() else {}
    for which in options.networks:
        for name in options.sets:
            if f"{name} {which}" not in done:
                done[f"{name} {which}"] = measure(options.data, name, which, options)
                options.results.write_text(json.dumps(done, indent=1))
                print(name, which, done[f"{name} {which}"], flush=True)
    rows = [
        [*key.split(), *(row[c] for c in COLUMNS), *THEIRS[key.split()[0]][key.split()[1]][:2]]
        for key, row in done.items()
    ]
    print(text_table(["set", "net", *COLUMNS, "theirs, all", "theirs, one"], rows))
