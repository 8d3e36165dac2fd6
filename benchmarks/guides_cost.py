"""What one SVI step costs against AutoNormal's, by width and depth: processor time, memory and
compiling, all ratios within one run.

Units apart: guides as they start by default. Units that overlap: every scale 2, as wide as the
locations lie, which takes the other way through the bound (docs/guides.md). Memory is what XLA says
that the compiled steps need: arguments, results and everything in between. A JSON line a network.

python benchmarks/guides_cost.py [--quick] [--steps 100] [--mnist FOLDER] [--only [NUMBER ...]]
"""

import os

os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 "
    + os.environ.get("XLA_FLAGS", "")
)

import argparse
import gzip
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from json_lines import say
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

from numpyro_sym import mlp
from numpyro_sym.guides import AutoSymmetrizedNormal

#: Steps in one call, so that the call itself does not count.
TOGETHER = 10

#: widths of the hidden layers, rows, inputs, whether units are apart.
NETWORKS = [
    *(([n], 442, 10, True) for n in (8, 16, 32, 64, 128, 256, 512, 1024)),
    *(([n], 442, 10, False) for n in (8, 32, 64, 128, 256, 512)),
    *(([n], 20_000, 10, True) for n in (8, 64, 256)),
    *(([n] * 2, 442, 10, True) for n in (8, 16, 32, 64, 128, 256)),
    *(([n] * 2, 442, 10, False) for n in (8, 32, 64)),
    *(([n] * 3, 442, 10, True) for n in (8, 32, 64, 128)),
    ([64] * 2, 20_000, 10, True),
    ([64] * 3, 20_000, 10, True),
]
QUICK = [([32], 442, 10, True), ([32], 442, 10, False), ([16, 16], 442, 10, True)]
IMAGES = [[64], [512], [512, 512]]


def network(x, y, widths, outputs):
    """tanh layers; a Normal for one output, classes for more."""

    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))

    sizes = [x.shape[1], *widths]
    for i, width in enumerate(widths):
        x = jnp.tanh(x @ normal(f"w{i}", sizes[i], width) + normal(f"b{i}", width))
    out = x @ normal(f"w{len(widths)}", widths[-1], outputs)
    if outputs > 1:
        numpyro.sample("y", dist.Categorical(logits=out).to_event(1), obs=y)
    else:
        numpyro.sample("y", dist.Normal(out[:, 0], 0.7).to_event(1), obs=y)


def guides(widths, apart):
    layers = range(len(widths))
    weights, biases = [f"w{i}" for i in [*layers, len(widths)]], [f"b{i}" for i in layers]
    sym = mlp(weights, widths, biases=biases, kind="signed")
    scale = {"init_scale": 0.1 if apart else 2.0}
    yield "AutoNormal", AutoNormal(network, **scale)
    yield "symmetrized", AutoSymmetrizedNormal(network, sym, bound="guess", check=False, **scale)


def compiled(guide, data, widths, outputs):
    """Several steps of SVI, where they start, seconds to compile them and bytes that they need."""
    svi = SVI(network, guide, numpyro.optim.Adam(1e-6), Trace_ELBO())
    state = svi.init(jax.random.key(0), *data, widths, outputs)

    # Data are an argument, not a constant that the compiler could fold.
    @jax.jit
    def some(state, x, y):
        def step(_, state):
            return svi.update(state, x, y, widths, outputs)[0]

        return jax.lax.fori_loop(0, TOGETHER, step, state)

    lowered = some.lower(state, *data)
    start = time.process_time()
    some = lowered.compile()
    seconds = time.process_time() - start
    need = some.memory_analysis()
    size = need.temp_size_in_bytes + need.argument_size_in_bytes + need.output_size_in_bytes
    return some, state, seconds, size


def measure(widths, data, apart, outputs, steps):
    """Medians of both guides, by turns, so that a busy moment of the machine hits both alike."""
    running = {
        name: compiled(guide, data, widths, outputs) for name, guide in guides(widths, apart)
    }
    seconds = {name: [] for name in running}
    for turn in range(max(steps // TOGETHER, 3) + 1):
        for name, (some, state, _, _) in running.items():
            start = time.process_time()
            jax.block_until_ready(some(state, *data))
            if turn:  # the first call warms up
                seconds[name].append((time.process_time() - start) / TOGETHER)
    plain, ours = (1e3 * np.median(seconds[name]) for name in running)
    (_, _, plain_compile, plain_size), (_, _, our_compile, our_size) = running.values()
    return {
        "network": "-".join(map(str, [data[0].shape[1], *widths, outputs])),
        "rows": len(data[0]),
        "units": "apart" if apart else "overlapping",
        "AutoNormal, ms": plain,
        "symmetrized, ms": ours,
        "time": ours / plain,
        "memory": our_size / plain_size,
        "AutoNormal compiles, s": plain_compile,
        "symmetrized compiles, s": our_compile,
    }


def random_data(rows, inputs):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(rows, inputs))), jnp.asarray(rng.normal(size=rows))


def images(folder, rows=256):
    """The first images of MNIST's test set, pixels from 0 to 1, and their digits."""

    def read(name, header):
        return np.frombuffer(gzip.decompress(Path(folder, name).read_bytes()), np.uint8, -1, header)

    pixels = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)[:rows] / 255
    return jnp.asarray(pixels), jnp.asarray(read("t10k-labels-idx1-ubyte.gz", 8)[:rows], int)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mnist")
    parser.add_argument("--only", nargs="*", type=int, help="numbers of the networks, from 0")
    options = parser.parse_args()
    networks = QUICK if options.quick else NETWORKS
    if options.only is not None:
        networks = [networks[i] for i in options.only]
    cases = [
        (widths, random_data(rows, inputs), apart, 1) for widths, rows, inputs, apart in networks
    ]
    if options.mnist:
        cases += [(widths, images(options.mnist), True, 10) for widths in IMAGES]
    for case in cases:
        say(**measure(*case, options.steps))
