"""How much of the information I(g; w) each bound tells: networks of unit Normals, 1-n-1 or d-n-1.

    python benchmarks/guides_bound.py [--draws 64] [--layers 1 2]

The exact value is a permanent where n <= 12; elsewhere the least of three bounds from above:
importance weights without the identity, of many elements for one layer; for two layers the sum of
what each tells with the other in place; and log q(w) - log r(w), whose mean is above I for any
density r, here of independent entries.
"""

import argparse
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from numpyro_sym import Symmetry, mlp
from numpyro_sym.guides.bounds._guess import REPORTING, importance, log_tau
from numpyro_sym.guides.bounds.beliefs import Gaussian, fit_of, signed
from numpyro_sym.guides.bounds.permanent import log_permanent
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
    ([50, 50], 1, 0.4, "permutation"),
    ([50, 50], 1, 0.5, "permutation"),
    ([50, 50], 1, 0.7, "permutation"),
    ([50, 50], 1, 1.0, "permutation"),
]
IMPORTANCE, FROM_ABOVE, INFONCE = 9, 65, 64


def network(widths, inputs, kind):
    sizes = [inputs, *widths, 1]
    weights, biases = (
        [f"w{i}" for i in range(len(sizes) - 1)],
        [f"b{i}" for i in range(len(widths))],
    )
    shapes = {w: (sizes[i], sizes[i + 1]) for i, w in enumerate(weights)} | {
        b: (n,) for b, n in zip(biases, widths, strict=True)
    }
    return mlp(weights, widths, biases=biases, kind=kind), shapes


def normal(rng_key, shapes):
    keys = jax.random.split(rng_key, len(shapes))
    return {
        name: jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


@cache
def bounds(widths, inputs, kind, draws):
    """A function from the separation to what each bound tells at every draw: one compilation a
    network.
    """
    sym, shapes = network(widths, inputs, kind)
    single = len(widths) == 1

    def all_of(key, loc):
        q = Gaussian(loc, {name: jnp.ones_like(x) for name, x in loc.items()})
        # With signs every entry's law is even.
        center = {n: 0.0 if kind == "signed" else a.mean() for n, a in loc.items()}
        spread = {n: 1 + ((a - center[n]) ** 2).mean() for n, a in loc.items()}

        def log_q(x):
            return -0.5 * sum(jnp.sum((x[name] - loc[name]) ** 2) for name in loc)

        def log_independent(x):
            return -0.5 * sum(
                jnp.sum((x[n] - center[n]) ** 2 / spread[n] + jnp.log(spread[n])) for n in loc
            )

        def without_identity(key, part, x):
            ratios, _ = importance(
                key, part, log_q, x, x, q, FROM_ABOVE if single else IMPORTANCE, REPORTING
            )
            return ratios[:IMPORTANCE], part.log_order - logsumexp(ratios[1:]) + jnp.log(
                len(ratios) - 1
            )

        key_draw, key_elements, key_uniform = jax.random.split(key, 3)
        x = {name: loc[name] + z for name, z in normal(key_draw, shapes).items()}
        ratios, above = without_identity(key_elements, sym, x)
        apart = (
            above
            if single
            else sum(without_identity(key_elements, Symmetry([u]), x)[1] for u in sym)
        )
        uniform = jax.vmap(lambda g: log_q(sym.act(g, x)) - log_q(x))(
            sym.sample(key_uniform, (INFONCE - 1,))
        )
        infonce = jnp.log(INFONCE) - logsumexp(jnp.append(uniform, 0.0))
        if single and widths[0] <= 12:
            fit = fit_of(sym, sym.units[0], {}, x, q)
            ratio = log_permanent(fit.either if signed(sym.units[0]) else fit.even) - jnp.trace(
                fit.even + fit.odd
            )
            above = apart = sym.log_order - ratio
        below = sym.log_order - logsumexp(ratios) + jnp.log(IMPORTANCE)
        return jnp.stack(
            [
                sym.log_order + log_tau(sym, x, q),
                below,
                infonce,
                above,
                apart,
                log_q(x) - log_independent(x),
            ]
        )

    def at(separation):
        loc = {name: separation * x for name, x in normal(jax.random.key(0), shapes).items()}
        return jax.lax.map(
            partial(all_of, loc=loc), jax.random.split(jax.random.key(1), draws), batch_size=8
        )

    return jax.jit(at)


def row(widths, inputs, separation, kind, draws):
    each = bounds(tuple(widths), inputs, kind, draws)(separation)
    log_order = network(widths, inputs, kind)[0].log_order
    least = 3 if widths[0] <= 12 else 3 + int(each[:, 3:].mean(0).argmin())
    guess, drawn, infonce, reference = map(float, each.mean(0)[jnp.array([0, 1, 2, least])])
    error = float((each[:, least] - each[:, 0]).std() / draws**0.5)
    return [
        "-".join(map(str, [inputs, *widths, 1])) + (" signs" if kind == "signed" else ""),
        separation,
        *(
            round(v, 2)
            for v in (
                log_order,
                reference,
                guess,
                reference - guess,
                error,
                reference - drawn,
                infonce,
            )
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    header = [
        "network",
        "separation",
        "log|G|",
        "I at most",
        "guess",
        "gap",
        "+-",
        f"gap, {IMPORTANCE - 1} draws",
    ]
    rows = []
    for r in ROWS:
        if len(r[0]) in options.layers:
            rows.append(row(*r, options.draws if len(r[0]) == 1 else options.draws // 4))
            print(rows[-1], flush=True)
    print(text_table([*header, f"InfoNCE {INFONCE}"], rows))
