"""ScaleReparam against plain NUTS on ReLU regressions: minimum ESS per leapfrog, and where it does
not help.

The smallest effective sample size over what both sample alike: the predictions, and the mass of
each unit |w_out| |w_in| in order of size. A network whose units the data need, one with units to
spare, one on few rows.

python benchmarks/mcmc_scale.py [--chains 4] [--warmup 500] [--samples 500]
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from mcmc_runs import sampler
from numpyro import handlers
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import NUTS, init_to_value

import numpyro_sym as nsym
from numpyro_sym.mcmc import ScaleReparam, good_starts
from numpyro_sym.symmetry import text_table

#: name: rows, noise, units of the network, units of the truth.
PROBLEMS = {
    "needed units, least noise": (200, 0.03, 3, 3),
    "needed units, little noise": (200, 0.1, 3, 3),
    "needed units, some noise": (200, 0.3, 3, 3),
    "needed units, much noise": (200, 1.0, 3, 3),
    "units to spare": (200, 0.1, 10, 3),
    "few rows": (8, 0.5, 10, 3),
}
INPUTS = 3


def network(x, y, units, noise):
    w1 = numpyro.sample("w1", dist.Normal(0, 1).expand([INPUTS, units]).to_event(2))
    b1 = numpyro.sample("b1", dist.Normal(0, 1).expand([units]).to_event(1))
    w2 = numpyro.sample("w2", dist.Normal(0, 1).expand([units]).to_event(1))
    numpyro.deterministic("mass", jnp.sort(jnp.abs(w2) * jnp.sqrt((w1**2).sum(0) + b1**2)))
    f = numpyro.deterministic("f", jax.nn.relu(x @ w1 + b1) @ w2)
    numpyro.sample("y", dist.Normal(f, noise), obs=y)


def measure(name, options):
    rows, noise, units, true_units = PROBLEMS[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, INPUTS)).astype(np.float32)
    w1, b1, w2 = (
        rng.normal(size=(INPUTS, true_units)),
        rng.normal(size=true_units),
        rng.normal(size=true_units),
    )
    y = (np.maximum(x @ w1 + b1, 0) @ w2 + noise * rng.normal(size=rows)).astype(np.float32)
    sym = nsym.mlp(["w1", "w2"], [units], biases=["b1"], kind="scaled")
    # Both from the best mode that is found: in which of several a chain ends is another question.
    start = init_to_value(
        values=good_starts(jax.random.key(1), network, x, y, units, noise, num_chains=1)
    )
    each = []
    for model in (network, handlers.reparam(network, config=ScaleReparam(sym))):
        mcmc = sampler(NUTS(model, init_strategy=start), options)
        mcmc.run(jax.random.key(0), x, y, units, noise, extra_fields=("num_steps", "diverging"))
        draws = mcmc.get_samples(group_by_chain=True)
        seen = np.concatenate([np.asarray(draws["f"]), np.asarray(draws["mass"])], -1)
        seen = seen[
            ..., seen.std((0, 1)) > 0
        ]  # where no unit is active, the prediction is zero in every draw
        extra = mcmc.get_extra_fields()
        leapfrogs, ess = float(extra["num_steps"].sum()), float(np.min(effective_sample_size(seen)))
        each.append(
            (
                1e3 * ess / leapfrogs,
                float(np.max(split_gelman_rubin(seen))),
                int(extra["diverging"].sum()),
            )
        )
    (plain, *rest), (scaled, *rest_scaled) = each
    return [name, plain, scaled, scaled / plain, rest[0], rest_scaled[0], rest[1], rest_scaled[1]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--samples", type=int, default=500)
    options = parser.parse_args()
    head = [
        "problem",
        "min ESS per 1000 leapfrogs",
        "scaled",
        "ratio",
        "R-hat",
        "scaled",
        "divergences",
        "scaled",
    ]
    table = []
    for name in PROBLEMS:
        table.append(measure(name, options))
        print(table[-1], flush=True)
    print(text_table(head, table))
