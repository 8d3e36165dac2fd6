"""The experiments of Gelberg et al. 2024, *VI failures under model symmetries*: plain, their
InfoNCE, and ours.

    python benchmarks/guides_experiments.py [--only interpolation tractable digits mnist] [--mnist
        FOLDER] [--steps 2000] [--widths 5 10 20 30] [--results FILE]

interpolation: a Normal against half N(-a/2, 1) and half N(a/2, 1). tractable: relu(w1 x) + relu(w2
x) on a|x|, whose evidence is an integral in two dimensions. digits and mnist: classifiers with one
hidden layer, ReLU, whose units may be permuted; ELBO_sym is judged by one bound for every guide
alike. ``FOLDER`` holds MNIST's test digits, ``t10k-images-idx3-ubyte.gz`` and their labels, split
8,000 to 2,000. Rows are kept in ``--results``, and those that are there already are not computed
again.
"""

import argparse
import gzip
import json
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

from numpyro_sym import Symmetry, Units, mlp
from numpyro_sym.guides import AutoSymmetrizedNormal
from numpyro_sym.symmetry import text_table

BATCH = 500


def bumps(a):
    either = dist.Normal(jnp.array([-0.5, 0.5]) * a, 1.0)
    numpyro.sample(
        "x",
        dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), either).expand([1]).to_event(1),
    )


GRID = np.linspace(-1, 1, 100, dtype=np.float32)
NOISE = 0.3


def tractable(a):
    w = numpyro.sample("w", dist.Normal(0, 1).expand([2]).to_event(1))
    f = jax.nn.relu(GRID[:, None] * w).sum(1)
    numpyro.sample("y", dist.Normal(f, NOISE).to_event(1), obs=a * jnp.abs(GRID))


def log_evidence(a):
    """By the trapezium rule: smooth, and nothing left at the edges."""
    line = jnp.linspace(-5, 5, 401)
    f = jax.nn.relu(GRID[:, None] * line)
    precision, y = 1 / NOISE**2, a * jnp.abs(GRID)

    def row(first):
        square = ((y[:, None] - f - jax.nn.relu(GRID * first)[:, None]) ** 2).sum(0)
        return logsumexp(-0.5 * (precision * square + line**2 + first**2))

    constants = -len(GRID) / 2 * jnp.log(2 * jnp.pi * NOISE**2) - jnp.log(2 * jnp.pi)
    return logsumexp(jax.lax.map(row, line)) + 2 * jnp.log(line[1] - line[0]) + constants


def small(model, sym, places, steps):
    """Loc, scale and ELBO at every place, of the plain guide and of ours."""
    for label, guide in (
        ("AutoNormal", AutoNormal(model)),
        ("ours", AutoSymmetrizedNormal(model, sym, check=False)),
    ):
        svi = SVI(model, guide, optax.adam(0.02), Trace_ELBO(num_particles=64))
        svi.init(jax.random.key(0), places[0])

        def one(a, svi=svi, guide=guide):
            state = svi.init(jax.random.key(0), a)
            state, _ = jax.lax.scan(lambda s, _: (svi.update(s, a)[0], None), state, None, steps)
            params = svi.get_params(state)
            return params, -Trace_ELBO(num_particles=50_000).loss(
                jax.random.key(1), params, model, guide, a
            )

        yield (
            label,
            *jax.device_get(jax.jit(lambda places: jax.lax.map(one, places))(jnp.asarray(places))),
        )


def interpolation(options):
    places = [3.0, 4.0, 4.5, 5.0, 6.0]
    sign = Symmetry([Units("x", 1, incoming={"x": 0}, kind="signed")])
    for label, params, elbos in small(bumps, sign, places, options.steps):
        for a, loc, scale, elbo in zip(
            places, params["x_auto_loc"], params["x_auto_scale"], elbos, strict=True
        ):
            yield [a, label, abs(loc[0]) / a, scale[0], -elbo]


def tractable_network(options):
    places = [0.05, 0.1, 0.15, 0.2]
    sym = Symmetry([Units("unit", 2, incoming={"w": 0})])
    evidence = jax.lax.map(log_evidence, jnp.asarray(places))
    for label, params, elbos in small(tractable, sym, places, options.steps):
        for a, loc, elbo, log_z in zip(places, params["w_auto_loc"], elbos, evidence, strict=True):
            yield [a, label, *loc, (elbo - log_z) / len(GRID)]


def classifier(x, y, width, rows):
    """Weights of unit scale on sums of unit scale; the likelihood counts for all rows."""

    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))

    hidden = jax.nn.relu(
        x @ normal("w1", x.shape[1], width) / x.shape[1] ** 0.5 + normal("b1", width)
    )
    logits = hidden @ normal("w2", width, 10) / width**0.5 + normal("b2", 10)
    numpyro.deterministic("logits", logits)
    with handlers.scale(scale=rows / len(x)):
        numpyro.sample("y", dist.Categorical(logits=logits).to_event(1), obs=y)


def digits(_):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    return x[:1437], y[:1437], x[1437:], y[1437:]


def mnist(options):
    def read(name, header):
        return np.frombuffer(
            gzip.decompress(Path(options.mnist, name).read_bytes()), np.uint8, offset=header
        )

    x = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32)
    y = read("t10k-labels-idx1-ubyte.gz", 8)
    return x[:8000], y[:8000], x[8000:], y[8000:]


def guides(sym):
    start = {"init_loc_fn": init_to_sample, "init_scale": 0.05}
    yield "AutoNormal", AutoNormal(classifier, **start)
    yield (
        "InfoNCE 16",
        AutoSymmetrizedNormal(
            classifier, sym, bound="infonce", num_importance=16, check=False, **start
        ),
    )
    yield "ours", AutoSymmetrizedNormal(classifier, sym, check=False, **start)


def classified(data, options, done):
    x, y, x_test, y_test = data(options)
    center, scale = x.mean(), x.std()
    x, x_test = (jnp.asarray((part - center) / scale, float) for part in (x, x_test))
    y, y_test = jnp.asarray(y, int), jnp.asarray(y_test, int)
    rows = len(x)
    for width in options.widths:
        sym = mlp(["w1", "w2"], [width], biases=["b1"])
        plain, judge = (
            AutoNormal(classifier),
            AutoSymmetrizedNormal(classifier, sym, num_importance=9, check=False),
        )
        for g in (plain, judge):
            SVI(classifier, g, optax.adam(0.1), Trace_ELBO()).init(
                jax.random.key(0), x[:2], y[:2], width, rows
            )

        def gained(params, key, judge=judge, width=width):
            with (
                handlers.seed(rng_seed=key),
                handlers.substitute(data=params),
                handlers.trace() as trace,
            ):
                judge(x[:2], y[:2], width, rows)
            site = trace["_auto_orbit"]
            log_q = site["fn"].base_log_prob(site["intermediates"][0])
            return log_q - site["fn"].log_prob(site["value"], site["intermediates"])

        @jax.jit
        def judged(params, plain=plain, gained=gained, width=width):
            keys = jax.random.split(jax.random.key(2), 100)
            losses = jax.lax.map(
                lambda key: Trace_ELBO().loss(key, params, classifier, plain, x, y, width, rows),
                keys,
            )
            gains = jax.lax.map(lambda key: gained(params, key), keys[:64], batch_size=4)
            posterior = Predictive(plain, params=params, num_samples=100)(
                keys[0], x, y, width, rows
            )
            predict = Predictive(classifier, posterior, return_sites=["logits"])
            log_probs = jax.nn.log_softmax(predict(keys[0], x_test, None, width, rows)["logits"])
            log_prob = logsumexp(log_probs, axis=0) - jnp.log(100)
            lppd = jnp.take_along_axis(log_prob, y_test[:, None], 1).mean()
            accuracy = (log_prob.argmax(1) == y_test).mean()
            return -losses.mean(), gains.mean() - losses.mean(), lppd, accuracy

        for label, guide in guides(sym):
            if [width, label] in done:
                continue
            svi = SVI(
                classifier,
                guide,
                optax.adam(optax.cosine_decay_schedule(1e-2, options.steps)),
                Trace_ELBO(),
            )
            state = svi.init(jax.random.key(1), x[:BATCH], y[:BATCH], width, rows)

            @jax.jit
            def train(state, x, y, svi=svi, width=width):
                def step(state, key):
                    batch = jax.random.randint(key, (BATCH,), 0, rows)
                    return svi.update(state, x[batch], y[batch], width, rows)[0], None

                return jax.lax.scan(
                    step, state, jax.random.split(jax.random.key(3), options.steps)
                )[0]

            params = svi.get_params(train(state, x, y))
            yield [width, label, sym.log_order, *judged(params)]


PARTS = {
    "interpolation": (lambda o, done: interpolation(o), ["a", "guide", "|loc|/a", "scale", "KL"]),
    "tractable": (
        lambda o, done: tractable_network(o),
        ["a", "guide", "w1", "w2", "(ELBO - log Z) / N"],
    ),
    **{
        data.__name__: (
            lambda o, done, data=data: classified(data, o, done),
            ["width", "guide", "log|G|", "ELBO", "ELBO_sym", "test LPPD", "accuracy"],
        )
        for data in (digits, mnist)
    },
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=["interpolation", "tractable", "digits"]
    )
    parser.add_argument("--mnist")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--widths", type=int, nargs="+", default=[5, 10, 20, 30])
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    kept = (
        options.results.read_text().splitlines()
        if options.results and options.results.exists()
        else []
    )
    lines = [json.loads(line) for line in kept]
    for name in options.only:
        compute, header = PARTS[name]
        done = [line[1:3] for line in lines if line[0] == name]
        if not (done and name in ("interpolation", "tractable")):
            for values in compute(options, done):
                row = [v if isinstance(v, (str, int)) else round(float(v), 4) for v in values]
                lines.append([name, *row])
                print(json.dumps(lines[-1]), flush=True)
                if options.results:
                    options.results.write_text("".join(json.dumps(line) + "\n" for line in lines))
        print(
            name,
            text_table(header, [line[1:] for line in lines if line[0] == name]),
            sep="\n",
            flush=True,
        )
