"""What training with each bound learns: ELBO_sym, test LPPD and RMSE of one-hidden-layer tanh networks.

    python benchmarks/guides_training.py [--data FOLDER] [--seeds 5] [--steps 20000] [--widths 10 50]

Without a folder: scikit-learn's diabetes. With one: every ``*.csv``, ``*.txt`` or ``*.data`` of
numbers in it, its last column the target. All seeds of a guide are trained at once.
ELBO_sym is the plain ELBO plus the information I(g; w) from below, for every guide alike.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from jax.scipy.special import logsumexp
from numpyro.infer import SVI, Predictive, Trace_ELBO, init_to_sample
from numpyro.infer.autoguide import AutoNormal

from numpyro_sym import mlp
from numpyro_sym.guides import AutoSymmetrizedNormal
from numpyro_sym.symmetry import text_table


def network(x, y=None, width=10):
    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))

    noise = numpyro.sample("noise", dist.HalfNormal(1.0))
    hidden = jnp.tanh(x @ normal("w1", x.shape[1], width) + normal("b1", width))
    mean = hidden @ normal("w2", width, 1)[:, 0] + normal("b2", 1)
    numpyro.deterministic("mean", mean)
    numpyro.sample("y", dist.Normal(mean, noise).to_event(1), obs=y)


def data_sets(folder):
    if folder is None:
        from sklearn.datasets import load_diabetes

        yield "diabetes", np.column_stack(load_diabetes(return_X_y=True))
        return
    for path in sorted(p for p in Path(folder).iterdir() if p.suffix in (".csv", ".txt", ".data")):
        text = path.read_text().replace(",", " ").splitlines()
        rows = [line.split() for line in text if line.strip()]
        try:
            yield path.stem, np.array(rows, float)
        except ValueError:  # a header
            yield path.stem, np.array(rows[1:], float)


def split(table, seed=0):
    """Nine tenths to train on; standardised on these."""
    order = np.random.default_rng(seed).permutation(len(table))
    train, test = np.split(table[order], [int(0.9 * len(table))])
    scale = train.std(0) + 1e-12
    train, test = ((part - train.mean(0)) / scale for part in (train, test))
    return [jnp.asarray(part) for part in (train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])]


def guides(width):
    sym = mlp(["w1", "w2"], [width], biases=["b1"], kind="signed")
    options = {"check": False, "init_loc_fn": init_to_sample, "init_scale": 0.1}
    yield "AutoNormal", AutoNormal(network, init_loc_fn=init_to_sample, init_scale=0.1)
    yield "InfoNCE 64", AutoSymmetrizedNormal(network, sym, bound="infonce", num_importance=64, **options)
    yield "ours", AutoSymmetrizedNormal(network, sym, **options)


def fit(guide, x, y, width, seeds, steps):
    """Parameters of all seeds, along a leading dimension."""
    optim = optax.adam(optax.cosine_decay_schedule(1e-2, steps))
    svi = SVI(network, guide, optim, Trace_ELBO())
    svi.init(jax.random.key(0), x, y, width)  # the guide meets its model outside of vmap

    def one(key):
        state = svi.init(key, x, y, width)
        state, _ = jax.lax.scan(lambda s, _: (svi.update(s, x, y, width)[0], None), state, None, steps)
        return svi.get_params(state)

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(1), seeds))


def scores(params, x, y, x_test, y_test, width, draws=500):
    sym = mlp(["w1", "w2"], [width], biases=["b1"], kind="signed")
    plain = AutoNormal(network)
    judge = AutoSymmetrizedNormal(network, sym, check=False)
    for g in (plain, judge):
        SVI(network, g, numpyro.optim.Adam(0.1), Trace_ELBO()).init(jax.random.key(0), x, y, width)
    elbo = Trace_ELBO(num_particles=draws)
    key = jax.random.key(2)
    elbo_sym = -elbo.loss(key, params, network, judge, x, y, width)
    posterior = Predictive(plain, params=params, num_samples=draws)(key, x, y, width)
    mean = Predictive(network, posterior, return_sites=["mean"])(key, x_test, None, width)["mean"]
    log_prob = dist.Normal(mean, posterior["noise"][:, None]).log_prob(y_test)
    lppd = (logsumexp(log_prob, axis=0) - jnp.log(draws)).mean()
    rmse = jnp.sqrt(((mean.mean(0) - y_test) ** 2).mean())
    return float(elbo_sym), float(lppd), float(rmse)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--widths", type=int, nargs="+", default=[10, 50])
    options = parser.parse_args()
    lines = []
    for name, table in data_sets(options.data):
        x, y, x_test, y_test = split(table)
        for width in options.widths:
            for label, guide in guides(width):
                params = fit(guide, x, y, width, options.seeds, options.steps)
                each = np.array(
                    [
                        scores(jax.tree.map(lambda a, i=i: a[i], params), x, y, x_test, y_test, width)
                        for i in range(options.seeds)
                    ]
                )
                error = each.std(0) / max(options.seeds - 1, 1) ** 0.5
                shown = [f"{m:.3f} +- {e:.3f}" for m, e in zip(each.mean(0), error, strict=True)]
                lines.append([name, width, label, *shown])
                print(text_table(["data", "width", "guide", "ELBO_sym", "test LPPD", "RMSE"], lines), flush=True)
