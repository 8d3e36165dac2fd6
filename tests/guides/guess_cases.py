"""Networks of Normals for the laws of the guess: independent Normals and a draw of them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from numpyro_sym import Axis, Element, Symmetry, Units, hmm, mlp
from numpyro_sym.guides.bases.base import Factorized
from numpyro_sym.guides.bounds.beliefs import Gaussian


def layers(widths, kind, inputs=1):
    """A multilayer perceptron's symmetry and the shapes of its sites."""
    sizes = [inputs, *widths, 1]
    weights = [f"w{i}" for i in range(len(sizes) - 1)]
    biases = [f"b{i}" for i in range(len(widths))]
    shapes = {w: (sizes[i], sizes[i + 1]) for i, w in enumerate(weights)}
    shapes |= {b: (widths[i],) for i, b in enumerate(biases)}
    return mlp(weights, widths, biases=biases, kind=kind), shapes


CASES = {
    "one layer": layers([4], "permutation"),
    "one layer, signs": layers([3], "signed", 2),
    "one unit, sign": layers([1], "signed"),
    "two layers": layers([3, 3], "permutation"),
    "two layers, signs": layers([3, 2], "signed"),
    "three layers": layers([2, 3, 2], "permutation"),
    "three layers, signs": layers([2, 2, 2], "signed"),
    "both axes of a matrix": (
        hmm(4, transition="a", emissions={"mu": 0}),
        {"a": (4, 4), "mu": (4,)},
    ),
    "block of a vector": (
        Symmetry([Units("u", 3, axes={"x": (Axis(0, start=1, outer=2),)})]),
        {"x": (9,)},
    ),
}


def normals(shapes, separation=1.0, seed=0, spread=0.3):
    """Normals whose locations are that many scales apart, scales unequal."""
    keys = iter(jax.random.split(jax.random.key(seed), 2 * len(shapes)))
    loc = {
        name: separation * jax.random.normal(next(keys), shape) for name, shape in shapes.items()
    }
    variance = {
        name: jnp.exp(spread * jax.random.normal(next(keys), shape))
        for name, shape in shapes.items()
    }
    return Gaussian(loc, variance)


def mean_field(q):
    """The same Normals as a base guide."""
    return Factorized(
        {name: dist.Normal(q.loc[name], jnp.sqrt(q.variance[name])) for name in q.loc}
    )


def draw(rng_key, q):
    keys = jax.random.split(rng_key, len(q.loc))
    noise = {
        name: jax.random.normal(k, x.shape)
        for k, (name, x) in zip(keys, q.loc.items(), strict=True)
    }
    return {name: x + jnp.sqrt(q.variance[name]) * noise[name] for name, x in q.loc.items()}


def which_elements(sym, drawn, every):
    """Whether each of some elements is each of all: booleans ``(drawn, all)``."""
    same = jnp.ones((), bool)
    for u in sym:
        # [drawn, all, unit]
        same &= (drawn[u.name].permutation[:, None] == every[u.name].permutation).all(-1)
        same &= (drawn[u.name].factor[:, None] == every[u.name].factor).all(-1)
    return same


def log_density(q, x):
    """Summed Normal densities, written out."""
    return sum(
        -0.5
        * jnp.sum(
            (x[name] - q.loc[name]) ** 2 / q.variance[name] + jnp.log(2 * jnp.pi * q.variance[name])
        )
        for name in q.loc
    )


def every_element(sym):
    """The group from itertools, stacked along a leading dimension; its order is not the
    library's.
    """
    each = []
    for u in sym:
        signs = (
            list(itertools.product((1.0, -1.0), repeat=u.n))
            if u.kind == "signed"
            else [(1.0,) * u.n]
        )
        each.append([(p, s) for s in signs for p in itertools.permutations(range(u.n))])
    group = list(itertools.product(*each))
    return {
        u.name: Element(np.array([g[i][0] for g in group]), np.array([g[i][1] for g in group]))
        for i, u in enumerate(sym)
    }
