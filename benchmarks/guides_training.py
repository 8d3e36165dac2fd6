"""What training with each bound learns: ELBO_sym, test LPPD and RMSE of one-hidden-layer tanh
networks.

    python benchmarks/guides_training.py [--data FOLDER] [--sets NAME ...] [--seeds 5] [--steps
        20000] [--widths 10 50] [--results FILE]

Without a folder: scikit-learn's diabetes. With one: every ``*.csv``, ``*.txt`` or ``*.data`` of
numbers in it, its last column the target; split as its ``splits.json`` says, else at random. All
seeds of a guide are trained at once. ELBO_sym is the ELBO plus the information from below, for
every guide alike: the permanent at width 10, the guess with nine elements at width 50. Rows of the
table are kept in ``--results``, and those that are there already are not computed again.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from jax.scipy.special import logsumexp
from numpyro import handlers
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


def data_sets(folder, names):
    """Name, rows, and the numbers of the rows to train and to test on."""
    if folder is None:
        from sklearn.datasets import load_diabetes

        rows = np.column_stack(load_diabetes(return_X_y=True))
        yield "diabetes", rows, *at_random(len(rows))
        return
    index = Path(folder, "splits.json")
    splits = json.loads(index.read_text()) if index.exists() else {}
    for path in sorted(p for p in Path(folder).iterdir() if p.suffix in (".csv", ".txt", ".data")):
        if names and path.stem not in names:
            continue
        rows = [
            line.split() for line in path.read_text().replace(",", " ").splitlines() if line.strip()
        ]
        try:
            rows = np.array(rows, float)
        except ValueError:  # a header
            rows = np.array(rows[1:], float)
        parts = splits.get(path.stem)
        yield (
            path.stem,
            rows,
            *((parts["train"], parts["validate"]) if parts else at_random(len(rows))),
        )


def at_random(rows):
    return np.split(np.random.default_rng(0).permutation(rows), [int(0.8 * rows)])


def standardised(table, train, test):
    centre, scale = table[train].mean(0), table[train].std(0) + 1e-12
    train, test = ((table[np.asarray(part)] - centre) / scale for part in (train, test))
    return [jnp.asarray(part) for part in (train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])]


def guides(width):
    sym = mlp(["w1", "w2"], [width], biases=["b1"], kind="signed")
    options = {"check": False, "init_loc_fn": init_to_sample, "init_scale": 0.1}
    yield "AutoNormal", AutoNormal(network, init_loc_fn=init_to_sample, init_scale=0.1)
    yield (
        "InfoNCE 16",
        AutoSymmetrizedNormal(network, sym, bound="infonce", num_importance=16, **options),
    )
    yield "ours", AutoSymmetrizedNormal(network, sym, **options)


def fit(guide, x, y, width, seeds, steps):
    """Parameters of all seeds, along a leading dimension."""
    optim = optax.adam(optax.cosine_decay_schedule(1e-2, steps))
    svi = SVI(network, guide, optim, Trace_ELBO())
    svi.init(jax.random.key(0), x, y, width)  # the guide meets its model outside of vmap

    def one(key):
        state = svi.init(key, x, y, width)
        state, _ = jax.lax.scan(
            lambda s, _: (svi.update(s, x, y, width)[0], None), state, None, steps
        )
        return svi.get_params(state)

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(1), seeds))


def judge_of(x, y, x_test, y_test, width, draws=2000, guesses=64):
    """A function from the parameters of all seeds to ELBO, ELBO_sym, test LPPD and RMSE: ``(seeds,
    4)``.
    """
    sym = mlp(["w1", "w2"], [width], biases=["b1"], kind="signed")
    plain, judge = (
        AutoNormal(network),
        AutoSymmetrizedNormal(network, sym, num_importance=9, check=False),
    )
    for g in (plain, judge):
        SVI(network, g, numpyro.optim.Adam(0.1), Trace_ELBO()).init(jax.random.key(0), x, y, width)
    keys = jax.random.split(jax.random.key(2), draws)

    def gained(params, key):
        """log q - log q_sym at a draw: with the permanent or the guess, its mean is I(g; w) from
        below.
        """
        with (
            handlers.seed(rng_seed=key),
            handlers.substitute(data=params),
            handlers.trace() as trace,
        ):
            judge(x, y, width)
        site = trace["_auto_orbit"]
        log_q = site["fn"].base_log_prob(site["intermediates"][0])
        return log_q - site["fn"].log_prob(site["value"], site["intermediates"])

    def one(params):
        losses = jax.lax.map(
            lambda key: Trace_ELBO().loss(key, params, network, plain, x, y, width),
            keys,
            batch_size=20,
        )
        gains = jax.lax.map(lambda key: gained(params, key), keys[:guesses], batch_size=4)
        posterior = Predictive(plain, params=params, num_samples=draws)(keys[0], x, y, width)
        mean = Predictive(network, posterior, return_sites=["mean"])(keys[0], x_test, None, width)[
            "mean"
        ]
        log_prob = dist.Normal(mean, posterior["noise"][:, None]).log_prob(y_test)
        lppd = (logsumexp(log_prob, axis=0) - jnp.log(draws)).mean()
        rmse = jnp.sqrt(((mean.mean(0) - y_test) ** 2).mean())
        return jnp.stack([-losses.mean(), gains.mean() - losses.mean(), lppd, rmse])

    return jax.jit(lambda params: jax.lax.map(one, params))


def row(label, guide, judged, parts, width, seeds, steps):
    start = time.perf_counter()
    params = jax.block_until_ready(fit(guide, *parts[:2], width, seeds, steps))
    seconds = round(time.perf_counter() - start)
    each = np.array(judged(params))
    error = each.std(0) / max(seeds - 1, 1) ** 0.5
    shown = [f"{m:.3f} +- {e:.3f}" for m, e in zip(each.mean(0), error, strict=True)]
    return [label, *shown, seconds]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--widths", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    kept = (
        options.results.read_text().splitlines()
        if options.results and options.results.exists()
        else []
    )
    lines = [json.loads(line) for line in kept]
    for name, table, train, test in data_sets(options.data, options.sets):
        parts = standardised(table, train, test)
        for width in options.widths:
            judged = judge_of(*parts, width)
            for label, guide in guides(width):
                if any(line[:3] == [name, width, label] for line in lines):
                    continue
                lines.append(
                    [
                        name,
                        width,
                        *row(label, guide, judged, parts, width, options.seeds, options.steps),
                    ]
                )
                print(json.dumps(lines[-1]), flush=True)
                if options.results:
                    options.results.write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(
        text_table(
            ["data", "width", "guide", "ELBO", "ELBO_sym", "test LPPD", "RMSE", "training, s"],
            lines,
        )
    )
