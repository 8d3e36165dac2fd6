"""How much there is to tell of two layers, from both sides: networks of unit Normals, 1-n-n-1.

The sum over the group is bracketed by annealed importance sampling in both directions: from a
uniform element up to the posterior of elements, which falls short of its logarithm in the mean, and
from the element that made the draw, an exact sample of that posterior, back down, which exceeds it
(Grosse, Ghahramani and Adams 2015, Sandwiching the marginal likelihood using bidirectional Monte
Carlo). Moves exchange two units of a layer. The guess is that of training.

python benchmarks/guides_bracket.py [--width 50] [--draws 16] [--temperatures 4000]
    [--separations .3 .4 .5]
"""

import argparse
from math import lgamma

import jax
import jax.numpy as jnp
from guides_bound import network, normal
from json_lines import say

from numpyro_sym.guides.bounds._guess import log_tau
from numpyro_sym.guides.bounds.beliefs import Gaussian


def turned(x):
    """The network seen from its other end: the second layer is the first."""
    return {
        "w0": x["w2"].T,
        "b0": x["b1"],
        "w1": x["w1"].T,
        "b1": x["b0"],
        "w2": x["w0"].T,
    }


def exchanged(x, i, k):
    """Two units of the first layer exchanged."""
    order = jnp.arange(len(x["b0"])).at[i].set(k).at[k].set(i)
    return {**x, "w0": x["w0"][:, order], "b0": x["b0"][order], "w1": x["w1"][order]}


def gain(x, loc, i, k):
    """What the exchange of two units of the first layer adds to the log density."""

    def of_rows(a, m):
        return ((a[k] - a[i]) * (m[i] - m[k])).sum()

    rows = [(x["w0"].T, loc["w0"].T), (x["b0"], loc["b0"]), (x["w1"], loc["w1"])]
    return sum(of_rows(a, m) for a, m in rows)


def log_q(x, loc):
    return -0.5 * sum(jnp.sum((x[name] - loc[name]) ** 2) for name in loc)


def moves(rng_key, x, loc, beta, number):
    """Metropolis steps at one temperature: random pairs of both layers by turns."""
    n = x["b0"].shape[0]
    key_pairs, key_accept = jax.random.split(rng_key)
    first, second = jax.random.randint(key_pairs, (2, number, 2), 0, n)
    # Two different slots.
    pairs = jnp.stack([first, (first + 1 + second % (n - 1)) % n])
    log_uniform = jnp.log(jax.random.uniform(key_accept, (number, 2)))

    turned_loc = turned(loc)

    def exchange(x, loc, t, layer):
        i, k = pairs[:, t, layer]
        is_taken = log_uniform[t, layer] < beta * gain(x, loc, i, k)
        return exchanged(x, i, jnp.where(is_taken, k, i))

    def step(t, x):
        x = exchange(x, loc, t, 0)
        return turned(exchange(turned(x), turned_loc, t, 1))

    return jax.lax.fori_loop(0, number, step, x)


def annealed(rng_key, x, loc, betas, number):
    """Log weight of one run through the temperatures, each left for the next."""

    def step(x, args):
        key, beta, before = args
        log_weight = (beta - before) * log_q(x, loc)
        return moves(key, x, loc, beta, number), log_weight

    keys = jax.random.split(rng_key, len(betas) - 1)
    _, log_weights = jax.lax.scan(step, x, (keys, betas[1:], betas[:-1]))
    return log_weights.sum()


def bracket(rng_key, x, loc, temperatures, number):
    """Log of the mean density over the group, from below and from above."""
    key_start, key_up, key_down = jax.random.split(rng_key, 3)
    n = x["b0"].shape[0]
    one, two = (jax.random.permutation(k, n) for k in jax.random.split(key_start))
    start = {
        "w0": x["w0"][:, one],
        "b0": x["b0"][one],
        "w1": x["w1"][one][:, two],
        "b1": x["b1"][two],
        "w2": x["w2"][two],
    }
    # Finer where little is known: most is told on the way from there.
    betas = jnp.linspace(0, 1, temperatures) ** 2
    up = annealed(key_up, start, loc, betas, number)
    # From the exact sample the way back: at every temperature it moves first, then leaves.
    moved = moves(jax.random.fold_in(key_down, 0), x, loc, 1.0, number)
    down = annealed(key_down, moved, loc, betas[::-1], number)
    return up, -down


def row(width, separation, draws, temperatures, number):
    sym, shapes = network([width, width], 1, "permutation")
    loc = {name: separation * x for name, x in normal(jax.random.key(0), shapes).items()}
    q = Gaussian(loc, {name: jnp.ones_like(x) for name, x in loc.items()})

    def one(key):
        key_draw, key_bracket = jax.random.split(key)
        x = {name: loc[name] + z for name, z in normal(key_draw, shapes).items()}
        low, high = bracket(key_bracket, x, loc, temperatures, number)
        return log_q(x, loc) - jnp.stack([high, low]), sym.log_order + log_tau(sym, x, q)

    keys = jax.random.split(jax.random.key(1), draws)
    ends, told = jax.jit(lambda keys: jax.vmap(one)(keys))(keys)
    least, most = ends.mean(0)
    error = ends.std(0).max() / draws**0.5
    say(
        **{
            "network": f"1-{width}-{width}-1",
            "separation": separation,
            "log of the order": round(2 * lgamma(width + 1), 1),
            "I at least": round(float(least), 2),
            "I at most": round(float(most), 2),
            "+-": round(float(error), 2),
            "guess": round(float(told.mean()), 2),
            "gap at most": round(float((ends[:, 1] - told).mean()), 2),
        }
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--temperatures", type=int, default=4000)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--separations", type=float, nargs="+", default=[0.1, 0.3, 0.4, 0.5, 0.7])
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    for separation in options.separations:
        row(options.width, separation, options.draws, options.temperatures, options.moves)
