"""Cost of one SVI step, one particle, against AutoNormal in the same run: median seconds and
memory, as ratios.

Memory is what XLA says the compiled steps need: arguments, results and everything in between.

python benchmarks/guides_cost.py [--steps 200]
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

from numpyro_sym import mlp
from numpyro_sym.guides import AutoSymmetrizedNormal
from numpyro_sym.symmetry import text_table

#: Steps in one call, so that the call itself does not count.
TOGETHER = 20


def network(x, y, width):
    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0, 1).expand(shape).to_event(len(shape)))

    hidden = jnp.tanh(x @ normal("w1", x.shape[1], width) + normal("b1", width))
    numpyro.sample("y", dist.Normal(hidden @ normal("w2", width, 1)[:, 0], 0.7).to_event(1), obs=y)


def guides(width):
    sym = mlp(["w1", "w2"], [width], biases=["b1"], kind="signed")
    yield "AutoNormal", AutoNormal(network)
    yield "guess", AutoSymmetrizedNormal(network, sym, bound="guess", check=False)
    yield (
        "InfoNCE 64",
        AutoSymmetrizedNormal(network, sym, bound="infonce", num_importance=64, check=False),
    )


def measure(rows, inputs, width, steps):
    rng = np.random.default_rng(0)
    data = jnp.asarray(rng.normal(size=(rows, inputs))), jnp.asarray(rng.normal(size=rows))
    running = {}
    for name, guide in guides(width):
        svi = SVI(network, guide, numpyro.optim.Adam(1e-3), Trace_ELBO())
        state = svi.init(jax.random.key(0), *data, width)

        # Data are an argument, not a constant that the compiler could fold.
        @jax.jit
        def some(state, x, y, svi=svi):
            return jax.lax.fori_loop(0, TOGETHER, lambda _, s: svi.update(s, x, y, width)[0], state)

        some = some.lower(state, *data).compile()
        need = some.memory_analysis()
        size = need.temp_size_in_bytes + need.argument_size_in_bytes + need.output_size_in_bytes
        jax.block_until_ready(some(state, *data))
        running[name] = (some, state, size, [])
    for _ in range(
        max(steps // TOGETHER, 1)
    ):  # interleaved, so that a busy moment of the machine hits all alike
        for some, state, _, seconds in running.values():
            start = time.perf_counter()
            jax.block_until_ready(some(state, *data))
            seconds.append((time.perf_counter() - start) / TOGETHER)
    _, _, plain_size, plain = running["AutoNormal"]
    return [
        [
            rows,
            inputs,
            width,
            n,
            1e3 * np.median(s),
            float(np.median(s) / np.median(plain)),
            b / 1e6,
            b / plain_size,
        ]
        for n, (_, _, b, s) in running.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    table = [r for size in ((442, 10, 50), (20_000, 10, 50)) for r in measure(*size, options.steps)]
    print(
        text_table(["rows", "inputs", "width", "guide", "ms a step", "ratio", "MB", "ratio"], table)
    )
