"""What training with each guide learns: ELBO_sym and test LPPD of networks with tanh layers on
tables, and of a classifier with one layer of ReLU units on MNIST's test set (8,000 images, 2,000
held out). ELBO_sym is the ELBO plus I(g; w) from below, judged for every guide by the same bound,
that of ``bound="auto"``. Means and standard errors over seeds; processor time of one seed on one
thread, without compiling.

python benchmarks/guides_training.py [--data FOLDER [--sets NAME ...]] [--hidden 50 50]
    [--mnist FOLDER [--units 512]] [--seeds 5] [--steps 2000] [--batch 256] [--elements 1]

Without folders: scikit-learn's diabetes. A data folder holds ``*.csv``, ``*.txt`` or ``*.data`` of
numbers, the target in the last column; split as its ``splits.json`` says, else at random. A JSON
line a guide, as soon as it is trained.
"""

import os

os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 "
    + os.environ.get("XLA_FLAGS", "")
)

import argparse
import gzip
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from jax.scipy.special import logsumexp
from json_lines import say
from numpyro import handlers
from numpyro.infer import SVI, Trace_ELBO, init_to_sample, log_likelihood
from numpyro.infer.autoguide import AutoNormal

from numpyro_sym import mlp
from numpyro_sym.guides import AutoSymmetrizedNormal


class Task(NamedTuple):
    """A model ``model(x, y, rows)``, its symmetry, data to train and to test on, and with how many
    draws it is judged.
    """

    name: str
    network: str
    model: Any
    sym: Any
    parts: list
    draws: int


def normal(name, *shape):
    return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))


def regression(hidden):
    """tanh layers, all weights of unit scale, and unknown noise."""

    def model(x, y, rows):
        noise = numpyro.sample("noise", dist.HalfNormal(1.0))
        sizes = [x.shape[1], *hidden]
        for i, width in enumerate(hidden):
            x = jnp.tanh(x @ normal(f"w{i}", sizes[i], width) + normal(f"b{i}", width))
        mean = x @ normal(f"w{len(hidden)}", hidden[-1]) + normal("last", 1)
        with handlers.scale(scale=rows / len(y)), numpyro.plate("rows", len(y)):
            numpyro.sample("y", dist.Normal(mean, noise), obs=y)

    layers = range(len(hidden))
    weights = [f"w{i}" for i in (*layers, len(hidden))]
    return model, mlp(weights, hidden, biases=[f"b{i}" for i in layers], kind="signed")


def classifier(units):
    """ReLU units, weights of unit scale on sums of unit scale."""

    def model(x, y, rows):
        inputs = x.shape[1]
        hidden = jax.nn.relu(x @ normal("w0", inputs, units) / inputs**0.5 + normal("b0", units))
        logits = hidden @ normal("w1", units, 10) / units**0.5 + normal("last", 10)
        with handlers.scale(scale=rows / len(y)), numpyro.plate("rows", len(y)):
            numpyro.sample("y", dist.Categorical(logits=logits), obs=y)

    return model, mlp(["w0", "w1"], [units], biases=["b0"])


def tables(folder, names):
    """Name, rows, and the numbers of the rows to train and to test on."""
    if folder is None:
        from sklearn.datasets import load_diabetes

        rows = np.column_stack(load_diabetes(return_X_y=True))
        yield "diabetes", rows, *at_random(len(rows))
        return
    index = Path(folder, "splits.json")
    splits = json.loads(index.read_text()) if index.exists() else {}
    found = {p.stem: p for p in Path(folder).iterdir() if p.suffix in (".csv", ".txt", ".data")}
    for name in names or sorted(found):
        text = found[name].read_text().replace(",", " ")
        rows = [line.split() for line in text.splitlines() if line.strip()]
        try:
            rows = np.array(rows, float)
        except ValueError:  # a header
            rows = np.array(rows[1:], float)
        parts = splits.get(name)
        yield name, rows, *((parts["train"], parts["validate"]) if parts else at_random(len(rows)))


def at_random(rows):
    return np.split(np.random.default_rng(0).permutation(rows), [int(0.8 * rows)])


def standardized(table, train, test):
    center, scale = table[train].mean(0), table[train].std(0) + 1e-12
    train, test = ((table[np.asarray(part)] - center) / scale for part in (train, test))
    return [jnp.asarray(part) for part in (train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])]


def images(folder):
    def read(name, header):
        return np.frombuffer(gzip.decompress(Path(folder, name).read_bytes()), np.uint8, -1, header)

    x = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32)
    x = jnp.asarray((x - x[:8000].mean()) / x[:8000].std())
    y = jnp.asarray(read("t10k-labels-idx1-ubyte.gz", 8), int)
    return [x[:8000], y[:8000], x[8000:], y[8000:]]


def tasks(options):
    if options.data or not options.mnist:
        model, sym = regression(options.hidden)
        for name, table, train, test in tables(options.data, options.sets):
            network = "-".join(map(str, [table.shape[1] - 1, *options.hidden, 1]))
            yield Task(name, network, model, sym, standardized(table, train, test), 1000)
    if options.mnist:
        network = f"784-{options.units}-10"
        yield Task("MNIST", network, *classifier(options.units), images(options.mnist), 32)


def guides(task):
    """Labels, and what makes a guide: one that has been run once keeps its starting point."""
    start = {"init_loc_fn": init_to_sample, "init_scale": 0.1}
    symmetrized = {"check": False, **start}
    infonce = {"bound": "infonce", "num_importance": 16}
    yield "AutoNormal", lambda: AutoNormal(task.model, **start)
    yield "ours", lambda: AutoSymmetrizedNormal(task.model, task.sym, **symmetrized)
    yield (
        "InfoNCE 16",
        lambda: AutoSymmetrizedNormal(task.model, task.sym, **infonce, **symmetrized),
    )


def trained(task, make_guide, seeds, steps, batch):
    """Parameters of one seed after the other, and processor seconds of each.

    :param batch: rows of one step; all where there are no more.
    """
    x, y, rows = *task.parts[:2], len(task.parts[0])
    batch = min(batch, rows)
    optim = optax.adam(optax.cosine_decay_schedule(1e-2, steps))
    svi = SVI(task.model, make_guide(), optim, Trace_ELBO())

    @jax.jit
    def train(state, key, x, y):
        def step(state, key):
            some = jax.random.randint(key, (batch,), 0, rows) if batch < rows else slice(None)
            return svi.update(state, x[some], y[some], rows)[0], None

        state, _ = jax.lax.scan(step, state, jax.random.split(key, steps))
        return svi.get_params(state)

    compiled = None
    for seed in range(seeds):
        key_init, key_train = jax.random.split(jax.random.key(seed))
        fresh = SVI(task.model, make_guide(), optim, Trace_ELBO())
        state = fresh.init(key_init, x[:batch], y[:batch], rows)
        if compiled is None:
            svi.init(key_init, x[:batch], y[:batch], rows)
            compiled = train.lower(state, key_train, x, y).compile()
        start = time.process_time()
        params = jax.block_until_ready(compiled(state, key_train, x, y))
        yield params, time.process_time() - start


def judge_of(task, elements):
    """A function from parameters to ELBO, I(g; w) from below and test LPPD.

    :param elements: in the guess's average; more are tighter, and dear for several layers.
    """
    x, y, rows = *task.parts[:2], len(task.parts[0])
    plain = AutoNormal(task.model)
    judge = AutoSymmetrizedNormal(task.model, task.sym, num_importance=elements, check=False)
    for g in (plain, judge):
        SVI(task.model, g, optax.adam(0.1), Trace_ELBO()).init(
            jax.random.key(0), x[:2], y[:2], rows
        )
    keys = jax.random.split(jax.random.key(2), task.draws)

    def gained(params, key):
        """log q - log q_sym of a draw: its mean is I(g; w) from below."""
        with (
            handlers.seed(rng_seed=key),
            handlers.substitute(data=params),
            handlers.trace() as trace,
        ):
            judge(x[:2], y[:2], rows)
        site = trace["_auto_orbit"]
        log_q = site["fn"].base_log_prob(site["intermediates"][0])
        return log_q - site["fn"].log_prob(site["value"], site["intermediates"])

    def one(params, key, x, y, x_test, y_test):
        loss = Trace_ELBO().loss(key, params, task.model, plain, x, y, rows)
        draw = plain.sample_posterior(key, params, sample_shape=(1,))
        return loss, log_likelihood(task.model, draw, x_test, y_test, rows)["y"][0]

    @jax.jit
    def judged(params, *parts):
        losses, log_probs = jax.lax.map(lambda key: one(params, key, *parts), keys)
        # One after the other: side by side, both ways through the bound would be taken.
        gains = jax.lax.map(lambda key: gained(params, key), keys[:64])
        lppd = (logsumexp(log_probs, axis=0) - jnp.log(len(keys))).mean()
        return jnp.stack([-losses.mean(), gains.mean(), lppd])

    return lambda params: judged(params, *task.parts)


def row(task, judged, label, make_guide, seeds, steps, batch):
    each, seconds = [], []
    for params, taken in trained(task, make_guide, seeds, steps, batch):
        elbo, information, lppd = np.array(judged(params))
        each.append([elbo, information, elbo + information, lppd])
        seconds.append(taken)
    each = np.array(each)
    error = each.std(0) / max(seeds - 1, 1) ** 0.5
    elbo, information, elbo_sym, lppd = (
        f"{m:.{d}f} +- {e:.{d}f}" for m, e, d in zip(each.mean(0), error, (1, 1, 1, 3), strict=True)
    )
    say(
        **{
            "data": task.name,
            "network": task.network,
            "guide": label,
            "seeds": seeds,
            "steps": steps,
            "ELBO": elbo,
            "I(g; w)": information,
            "log of the order": round(float(task.sym.log_order), 1),
            "ELBO_sym": elbo_sym,
            "test LPPD": lppd,
            "seconds": round(float(np.median(seconds)), 1),
        }
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--hidden", type=int, nargs="+", default=[50, 50])
    parser.add_argument("--mnist")
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--elements", type=int, default=1)
    options = parser.parse_args()
    for task in tasks(options):
        judged = judge_of(task, options.elements)
        for label, make_guide in guides(task):
            row(task, judged, label, make_guide, options.seeds, options.steps, options.batch)
