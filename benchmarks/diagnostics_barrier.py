"""Loss barriers between two independent runs, before and after alignment: digits, and MNIST with a
folder.

    python benchmarks/diagnostics_barrier.py [--mnist FOLDER] [--steps 6000]

Mean-field Gaussians (SVI with AutoNormal), aligned by means alone and by means and standard
deviations together, and plain networks trained with Adam. Barriers are a test image's, in nats;
beside them the larger of the two ends' losses, by which a barrier is judged.
"""

import argparse
import gzip
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal
from sklearn.datasets import load_digits

from numpyro_sym import align, mlp
from numpyro_sym.alignment import align_gaussians
from numpyro_sym.diagnostics import loss_barrier, marginalized_barrier
from numpyro_sym.symmetry import text_table

BATCH = 256


def digits():
    images, labels = load_digits(return_X_y=True)
    return images / 16, labels, 1437


def mnist(folder):
    """The 10,000 images of the published test set, 8,000 to train on."""

    def read(name, header):
        return np.frombuffer(
            gzip.decompress((Path(folder) / name).read_bytes()), np.uint8, offset=header
        )

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    return images / 255, read("t10k-labels-idx1-ubyte.gz", 8), 8000


def shapes(widths):
    sizes = list(pairwise(widths))
    weights = {f"w{i}": pair for i, pair in enumerate(sizes, 1)}
    return weights | {f"b{i}": (n,) for i, (_, n) in enumerate(sizes, 1)}


def logits(point, x, activation):
    layers = len(point) // 2
    for i in range(1, layers + 1):
        x = x @ point[f"w{i}"] + point[f"b{i}"]
        x = activation(x) if i < layers else x
    return x


def symmetry(widths, kind):
    layers = range(1, len(widths))
    return mlp([f"w{i}" for i in layers], widths[1:-1], biases=[f"b{i}" for i in layers], kind=kind)


def model(x, y, widths, activation):
    """Weights of variance 1 / inputs, minibatches of 256."""
    point = {}
    for name, shape in shapes(widths).items():
        sd = shape[0] ** -0.5 if len(shape) == 2 else 1.0
        point[name] = numpyro.sample(name, dist.Normal(0, sd).expand(shape).to_event(len(shape)))
    with numpyro.plate("rows", len(x), subsample_size=BATCH):
        images, labels = numpyro.subsample(x, event_dim=1), numpyro.subsample(y, event_dim=0)
        numpyro.sample("y", dist.Categorical(logits=logits(point, images, activation)), obs=labels)


def started(seed, widths):
    rng = np.random.default_rng(seed)
    return {
        name: (rng.normal(size=s) * (s[0] ** -0.5 if len(s) == 2 else 0.1)).astype(np.float32)
        for name, s in shapes(widths).items()
    }


def gaussian(seed, x, y, widths, activation, steps):
    """Means and standard deviations of one SVI run."""
    start = started(seed, widths)
    guide = AutoNormal(
        model, init_loc_fn=numpyro.infer.init_to_value(values=start), init_scale=0.02
    )
    svi = SVI(model, guide, optax.adam(optax.cosine_decay_schedule(3e-3, steps)), Trace_ELBO())
    params = svi.run(
        jax.random.key(seed), steps, x, y, widths, activation, progress_bar=False
    ).params
    return tuple(
        {n: np.asarray(params[f"{n}_auto_{part}"]) for n in start} for part in ("loc", "scale")
    )


def trained(seed, x, y, widths, activation, steps):
    """Weights of one network trained with Adam and weight decay."""
    optimizer = optax.adamw(optax.cosine_decay_schedule(1e-3, steps), weight_decay=1e-2)
    start = started(seed, widths)

    def step(carry, key):
        point, state = carry
        rows = jax.random.choice(key, len(x), (BATCH,))

        def loss(point):
            return optax.softmax_cross_entropy_with_integer_labels(
                logits(point, x[rows], activation), y[rows]
            ).mean()

        updates, state = optimizer.update(jax.grad(loss)(point), state, point)
        return (optax.apply_updates(point, updates), state), None

    keys = jax.random.split(jax.random.key(seed), steps)
    (point, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, keys))((start, optimizer.init(start)))
    return {name: np.asarray(w) for name, w in point.items()}


def log_likelihood(point, x, y, activation):
    return jnp.take_along_axis(jax.nn.log_softmax(logits(point, x, activation)), y[:, None], -1)[
        :, 0
    ]


def accuracy(point, x, y, activation):
    return float((logits(point, x, activation).argmax(-1) == y).mean())


def by_means(loc, reference, sym):
    """The elements that bring means together, whatever the standard deviations."""
    found = align({n: loc[n][None] for n in sym.sites}, {n: reference[n] for n in sym.sites}, sym)
    return {name: type(e)(*(a[0] for a in e)) for name, e in found.elements.items()}


def moved(g, point, sym, spread=False):
    g = {name: type(e)(e.permutation, abs(e.factor)) if spread else e for name, e in g.items()}
    return {**point, **sym.act(g, {n: point[n] for n in sym.sites})}


def experiment(name, data, widths, activation, kind, steps):
    images, labels, train = data
    x, y = jnp.asarray(images, jnp.float32), jnp.asarray(labels, jnp.int32)
    sym = symmetry(widths, kind)
    test = x[train:], y[train:], activation
    rows = []

    start = time.process_time()
    (loc0, scale0), (loc1, scale1) = (
        gaussian(s, x[:train], y[:train], widths, activation, steps) for s in (0, 1)
    )
    g = by_means(loc1, loc0, sym)
    both = align_gaussians(
        {n: loc1[n] for n in sym.sites}, {n: scale1[n] for n in sym.sites}, loc0, scale0, sym
    )
    ends = {
        "SVI, as trained": (loc1, scale1),
        "SVI, means alone": (moved(g, loc1, sym), moved(g, scale1, sym, spread=True)),
        "SVI, means and sds": ({**loc1, **both.loc}, {**scale1, **both.scale}),
    }
    for label, end in ends.items():
        found = marginalized_barrier(
            partial(log_likelihood, x=test[0], y=test[1], activation=activation),
            (loc0, scale0),
            end,
            jax.random.key(9),
            num_draws=32,
            num_points=11,
        )
        distance = sum(
            ((a - b) ** 2).sum()
            for p, q in ((loc0, end[0]), (scale0, end[1]))
            for a, b in [(p[n], q[n]) for n in p]
        )
        size = len(test[0])
        rows.append(
            [
                name,
                label,
                found.height / size,
                max(found.loss[0], found.loss[-1]) / size,
                float(distance) ** 0.5,
            ]
        )
    print(
        f"{name}: accuracy of the means {accuracy(loc0, *test):.3f}, {accuracy(loc1, *test):.3f}",
        flush=True,
    )

    first, second = (trained(s, x[:train], y[:train], widths, activation, steps) for s in (2, 3))
    for label, end in {
        "Adam, as trained": second,
        "Adam, aligned": moved(by_means(second, first, sym), second, sym),
    }.items():
        found = loss_barrier(lambda p: -log_likelihood(p, *test).mean(), first, end, num_points=11)
        distance = sum(((first[n] - end[n]) ** 2).sum() for n in first)
        rows.append(
            [name, label, found.height, max(found.loss[0], found.loss[-1]), float(distance) ** 0.5]
        )
    print(
        f"{name}: accuracy of the trained {accuracy(first, *test):.3f}, "
        f"{accuracy(second, *test):.3f}; {time.process_time() - start:.0f} s of processor time",
        flush=True,
    )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mnist", help="folder with t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz"
    )
    parser.add_argument("--steps", type=int, default=6000)
    options = parser.parse_args()
    rows = experiment(
        "digits 64-32-10 tanh", digits(), (64, 32, 10), jnp.tanh, "signed", options.steps
    )
    header = ["network", "runs", "barrier", "loss at an end", "distance"]
    print(text_table(header, rows), flush=True)
    if options.mnist:
        for widths in ((784, 32, 10), (784, 128, 10), (784, 128, 128, 10)):
            label = f"MNIST {'-'.join(map(str, widths))} ReLU"
            more = experiment(
                label, mnist(options.mnist), widths, jax.nn.relu, "permutation", options.steps // 3
            )
            rows += more
            print(text_table(header, more), flush=True)
        print(text_table(header, rows))


if __name__ == "__main__":
    main()
