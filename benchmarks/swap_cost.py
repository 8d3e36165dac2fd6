"""What a name costs where there is no symmetry: FoldedNUTS for NUTS, AutoSymmetrizedNormal for
AutoNormal.

The target is .2 s more at the start and 1.02 times the run after it. The start is a short run that
compiles anew. The run is what a long one takes more than a short one, both out of a cache of
compiled programs, for a compiler's time varies by more than is measured here. Both sides of a pair
in turn, processor time, medians.

python benchmarks/swap_cost.py [--repeats 5] [--rows 400] [--draws 20000] [--steps 300000] [--json
FILE]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

import numpyro_sym as nsym
from numpyro_sym.symmetry import text_table

COLUMNS, SHORT = 10, 100
MORE_AT_THE_START, TIMES_THE_RUN = 0.2, 1.02


def horseshoe(x, y):
    tau = numpyro.sample("tau", dist.HalfCauchy(1))
    lam = numpyro.sample("lam", dist.HalfCauchy(1).expand([COLUMNS]).to_event(1))
    z = numpyro.sample("z", dist.Normal(0, 1).expand([COLUMNS]).to_event(1))
    with numpyro.plate("rows", len(y)):
        numpyro.sample("y", dist.Normal(x @ (z * lam * tau), 1), obs=y)


def regression(x, y):
    beta = numpyro.sample("beta", dist.Normal(0, 1).expand([COLUMNS]).to_event(1))
    sd = numpyro.sample("sd", dist.HalfNormal(1))
    with numpyro.plate("rows", len(y)):
        numpyro.sample("y", dist.Normal(x @ beta, sd), obs=y)


def sampled(kernel, data, length):
    mcmc = MCMC(kernel, num_warmup=SHORT, num_samples=length, progress_bar=False)
    mcmc.run(jax.random.key(0), *data)
    return mcmc.get_samples()


def trained(guide, data, length):
    svi = SVI(guide.model, guide, numpyro.optim.Adam(1e-3), Trace_ELBO())
    return svi.run(jax.random.key(0), length, *data, progress_bar=False).losses


PAIRS = {
    "FoldedNUTS": (sampled, NUTS, nsym.FoldedNUTS),
    "AutoSymmetrizedNormal": (trained, AutoNormal, nsym.AutoSymmetrizedNormal),
}


def use_cache(yes):
    jax.config.update("jax_enable_compilation_cache", yes)
    reset_cache()


def measure(model, swapped, data, length, repeats):
    """Medians of the start and of the run, each as it is and swapped; whether both gave the same
    numbers.
    """
    go, *makers = PAIRS[swapped]
    seconds = np.empty((repeats, 2, 3))
    for i in range(-1, repeats):  # what is compiled once a process goes first, uncounted
        results = {}
        for j in (0, 1) if i % 2 else (1, 0):
            for k, (steps, cached) in enumerate(((SHORT, False), (SHORT, True), (length, True))):
                use_cache(cached)
                start = time.process_time()
                results[j] = jax.block_until_ready(go(makers[j](model), data, steps))
                seconds[i, j, k] = time.process_time() - start
    same = all(
        jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), results[0], results[1]))
    )
    start = np.median(seconds[..., 0], 0)
    run = np.median(seconds[..., 2] - seconds[..., 1], 0)
    return {
        "start": start.tolist(),
        "more at the start": float(start[1] - start[0]),
        "run": run.tolist(),
        "ratio of runs": float(run[1] / run[0]),
        "the same numbers": same,
        "holds": bool(
            start[1] - start[0] <= MORE_AT_THE_START and run[1] / run[0] <= TIMES_THE_RUN
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--json", help="where to write what was measured")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.rows, COLUMNS))
    data = jnp.asarray(x), jnp.asarray(x[:, 0] + rng.normal(size=options.rows))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    found, rows = {}, []
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        for swapped, length in (
            ("FoldedNUTS", options.draws),
            ("AutoSymmetrizedNormal", options.steps),
        ):
            for model in (horseshoe, regression):
                told = measure(model, swapped, data, length, options.repeats)
                found[f"{swapped} on {model.__name__}"] = told
                rows.append(
                    [swapped, model.__name__, *told["start"], *told["run"], told["ratio of runs"]]
                )
    print(
        text_table(["swapped", "model", "start, s", "swapped", "run, s", "swapped", "ratio"], rows)
    )
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
