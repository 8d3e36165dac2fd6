"""What folding costs, and what walls cost: NUTS, FoldedNUTS, the fold and the ordered
reparameterization.

Five tanh units on a sine. Effective draws are those of the predictions, which every way samples
alike, per second of processor time and per leapfrog; ratios to NUTS of the same run.

python benchmarks/mcmc_cost.py [--chains 4] [--warmup 500] [--samples 500] [--repeats 3] [--kernels
FoldedNUTS walls]
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from mcmc_runs import sampler
from numpyro import handlers
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import NUTS

import numpyro_sym as nsym
from numpyro_sym.mcmc import OrderedReparam, ReferenceSetReparam
from numpyro_sym.symmetry import text_table

UNITS = 5
SYM = nsym.mlp(["w1", "w2"], [UNITS], biases=["b1"], kind="signed")


def network(x, y=None):
    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0, 2).expand(shape).to_event(len(shape)))

    hidden = jnp.tanh(x @ normal("w1", 1, UNITS) + normal("b1", UNITS))
    f = numpyro.deterministic("f", hidden @ normal("w2", UNITS))
    numpyro.sample("y", dist.Normal(f, 0.1), obs=y)


def sine():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-4, 4, 100)).astype(np.float32)[:, None]
    return x, (np.sin(2 * x[:, 0]) + 0.1 * rng.normal(size=100)).astype(np.float32)


def walls():
    return handlers.reparam(
        network, config=OrderedReparam(SYM.select("permutation"), keys={"hidden": "b1"})
    )


KERNELS = {
    "NUTS": lambda: NUTS(network),
    "FoldedNUTS": lambda: nsym.FoldedNUTS(network, SYM),
    "reparameterized": lambda: NUTS(handlers.reparam(network, config=ReferenceSetReparam(SYM))),
    "walls": lambda: NUTS(walls()),
}


def measure(options):
    data = sine()
    found = {}
    for name in dict.fromkeys(("NUTS", *options.kernels)):
        mcmc = sampler(KERNELS[name](), options)
        mcmc.run(jax.random.key(0), *data, extra_fields=("num_steps",))
        found[name] = (mcmc, [])
    # Compiled now: the sampling alone, interleaved, so that a busy moment of the machine hits all
    # alike.
    for i in range(options.repeats):
        for mcmc, runs in found.values():
            mcmc.post_warmup_state = mcmc.last_state
            start = time.process_time()
            mcmc.run(jax.random.key(i), *data, extra_fields=("num_steps",))
            jax.block_until_ready(mcmc.get_samples())
            seconds = time.process_time() - start
            f = np.asarray(mcmc.get_samples(group_by_chain=True)["f"])
            leapfrogs = float(mcmc.get_extra_fields()["num_steps"].sum())
            ess = float(np.median(effective_sample_size(f)))
            runs.append((seconds, leapfrogs, ess, float(np.max(split_gelman_rubin(f)))))
    plain = np.median(found["NUTS"][1], 0)
    for name, (_, runs) in found.items():
        seconds, leapfrogs, ess, rhat = np.median(runs, 0)
        each = [ess / seconds / (plain[2] / plain[0]), ess / leapfrogs / (plain[2] / plain[1])]
        yield [
            name,
            round(leapfrogs),
            round(ess),
            *map(float, each),
            float(leapfrogs / seconds / (plain[1] / plain[0])),
            rhat,
        ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kernels", nargs="+", default=list(KERNELS), choices=KERNELS)
    head = [
        "kernel",
        "leapfrogs",
        "ESS of f",
        "ESS a second",
        "ESS a leapfrog",
        "leapfrogs a second",
        "R-hat of f",
    ]
    print(text_table(head, list(measure(parser.parse_args()))))
