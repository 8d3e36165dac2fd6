"""Mixtures of three components in each subject: one SVI step of AutoSymmetrizedNormal against
AutoNormal, in one run. The group has 6**subjects elements and the density is exact; memory is what
XLA says that the compiled steps need.

A JSON line a number of subjects.

python benchmarks/guides_batches.py [--steps 200]
"""

import os

os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 "
    + os.environ.get("XLA_FLAGS", "")
)

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from json_lines import say
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

from numpyro_sym import Axis, Symmetry, Units
from numpyro_sym.guides import AutoSymmetrizedNormal

#: Steps in one call, so that the call itself does not count.
TOGETHER = 20
COMPONENTS, ROWS = 3, 50


def mixtures(y):
    """A mixture in each subject; ``y`` of shape ``(subjects, rows)``."""
    with numpyro.plate("subjects", len(y)):
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([COMPONENTS]).to_event(1))
        sigma = numpyro.sample("sigma", dist.LogNormal(0, 0.5).expand([COMPONENTS]).to_event(1))
        log_density = dist.Normal(mu[:, None], sigma[:, None]).log_prob(y[..., None])
        numpyro.factor("y", jax.nn.logsumexp(log_density, axis=-1).sum(-1))


def measure(subjects, steps):
    y = jnp.asarray(np.random.default_rng(0).normal(size=(subjects, ROWS)) * 2)
    component = Units(
        "component", COMPONENTS, batch=subjects, axes={s: Axis(1, batch=0) for s in ("mu", "sigma")}
    )
    guides = {
        "AutoNormal": AutoNormal(mixtures),
        "AutoSymmetrizedNormal": AutoSymmetrizedNormal(
            mixtures, Symmetry([component]), check=False
        ),
    }
    running = {}
    for name, guide in guides.items():
        svi = SVI(mixtures, guide, numpyro.optim.Adam(1e-3), Trace_ELBO())
        state = svi.init(jax.random.key(0), y)

        @jax.jit
        def some(state, y, svi=svi):
            return jax.lax.fori_loop(0, TOGETHER, lambda _, s: svi.update(s, y)[0], state)

        some = some.lower(state, y).compile()
        need = some.memory_analysis()
        size = need.temp_size_in_bytes + need.argument_size_in_bytes + need.output_size_in_bytes
        jax.block_until_ready(some(state, y))
        running[name] = (some, state, size, [])
    for _ in range(
        max(steps // TOGETHER, 1)
    ):  # interleaved, so that a busy moment of the machine hits all alike
        for some, state, _, seconds in running.values():
            start = time.process_time()
            jax.block_until_ready(some(state, y))
            seconds.append((time.process_time() - start) / TOGETHER)
    (_, _, plain_size, plain), (_, _, our_size, ours) = running.values()
    return {
        "subjects": subjects,
        "AutoNormal, ms": float(1e3 * np.median(plain)),
        "symmetrized, ms": float(1e3 * np.median(ours)),
        "time": float(np.median(ours) / np.median(plain)),
        "memory": our_size / plain_size,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    for subjects in (10, 100, 1000):
        say(**measure(subjects, options.steps))
