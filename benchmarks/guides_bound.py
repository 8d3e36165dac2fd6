"""How much of the information I(g; w) each bound tells: networks of unit Normals, 1-n-1 or d-n-1.

    python benchmarks/guides_bound.py [--draws 64] [--quick]

The exact value is a permanent where n <= 12, else the bracket of importance weights: with the
identity among the elements from below, without it from above.
"""

import argparse

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from numpyro_sym import mlp
from numpyro_sym.guides.evidence import Gaussian, fit_of, signed
from numpyro_sym.guides.guess import importance, log_tau
from numpyro_sym.guides.permanent import log_permanent
from numpyro_sym.symmetry import text_table

#: widths, inputs, separation in scales, kind.
ROWS = [
    ([12], 1, 1.0, "permutation"),
    ([12], 10, 0.5, "permutation"),
    ([12], 1, 1.0, "signed"),
    ([50], 1, 2.0, "permutation"),
    ([50], 10, 0.5, "permutation"),
    ([50], 10, 2.0, "permutation"),
    ([50], 1, 5.0, "signed"),
    ([64], 10, 1.0, "permutation"),
    ([50, 50], 1, 0.1, "permutation"),
    ([50, 50], 1, 0.3, "permutation"),
    ([50, 50], 1, 0.5, "permutation"),
    ([50, 50], 1, 0.7, "permutation"),
    ([50, 50], 1, 1.0, "permutation"),
]
IMPORTANCE, INFONCE = 9, 64


def network(widths, inputs, kind):
    sizes = [inputs, *widths, 1]
    weights, biases = [f"w{i}" for i in range(len(sizes) - 1)], [f"b{i}" for i in range(len(widths))]
    shapes = {w: (sizes[i], sizes[i + 1]) for i, w in enumerate(weights)} | {
        b: (n,) for b, n in zip(biases, widths, strict=True)
    }
    return mlp(weights, widths, biases=biases, kind=kind), shapes


def normal(rng_key, shapes):
    keys = jax.random.split(rng_key, len(shapes))
    return {name: jax.random.normal(key, shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}


def row(widths, inputs, separation, kind, draws):
    sym, shapes = network(widths, inputs, kind)
    loc = {name: separation * x for name, x in normal(jax.random.key(0), shapes).items()}
    q = Gaussian(loc, {name: jnp.ones_like(x) for name, x in loc.items()})

    def log_q(x):
        return -0.5 * sum(jnp.sum((x[name] - loc[name]) ** 2) for name in loc)

    def one(key):
        key_draw, key_elements, key_uniform = jax.random.split(key, 3)
        x = {name: loc[name] + z for name, z in normal(key_draw, shapes).items()}
        ratios, _ = importance(key_elements, sym, log_q, x, x, q, IMPORTANCE)
        below, above = logsumexp(ratios) - jnp.log(IMPORTANCE), logsumexp(ratios[1:]) - jnp.log(IMPORTANCE - 1)
        uniform = jax.vmap(lambda g: log_q(sym.act(g, x)) - log_q(x))(sym.sample(key_uniform, (INFONCE - 1,)))
        infonce = jnp.log(INFONCE) - logsumexp(jnp.append(uniform, 0.0))
        if len(widths) == 1 and widths[0] <= 12:
            fit = fit_of(sym, sym.units[0], {}, x, q)
            ratio = log_permanent(fit.either if signed(sym.units[0]) else fit.even) - jnp.trace(fit.even + fit.odd)
            above = ratio
        return jnp.stack([sym.log_order + log_tau(sym, x, q), sym.log_order - below, sym.log_order - above, infonce])

    keys = jax.random.split(jax.random.key(1), draws)
    each = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=8))(keys)
    (guess, drawn, reference, infonce), error = each.mean(0), (each[:, 0] - each[:, 2]).std() / draws**0.5
    return [
        "-".join(map(str, [inputs, *widths, 1])) + (" signs" if kind == "signed" else ""),
        separation,
        sym.log_order,
        *map(float, (reference, guess, reference - guess, error, reference - drawn, infonce)),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="one layer only")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = [row(*r, options.draws) for r in ROWS if len(r[0]) == 1 or not options.quick]
    header = ["network", "separation", "log|G|", "I or upper", "guess", "gap", "+-", f"gap, {IMPORTANCE - 1} draws"]
    print(text_table([*header, f"InfoNCE {INFONCE}"], rows))
