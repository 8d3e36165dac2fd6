"""The move of a draw, whose gradient is the move back: all derivatives are those of ``act``."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from numpyro_sym import Axis, Symmetry, Units, mlp
from numpyro_sym.guides.bounds.orbit import _moved

MEMBERS = Units("member", 2, axes={"w": 0})
UNITS = Units("unit", 3, batch=2, axes={"w": Axis(1, batch=0)}, kind="signed")
CASES = {
    "signs": (mlp(["w0", "w1"], [4], kind="signed"), {"w0": (2, 4), "w1": (4, 1), "other": (3,)}),
    "two layers": (mlp(["w0", "w1", "w2"], [3, 4]), {"w0": (2, 3), "w1": (3, 4), "w2": (4, 1)}),
    "sets exchanged": (Symmetry([UNITS, MEMBERS]), {"w": (2, 3, 2)}),
}


def cubic(x):
    """A function that is the same for no two labelings, with a second derivative."""
    return sum((jnp.arange(1.0, a.size + 1) * a.ravel() ** 3).sum() for a in x.values())


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_those_of_the_action(name, x64):
    sym, shapes = CASES[name]
    keys = jax.random.split(jax.random.key(0), len(shapes))
    x = {n: jax.random.normal(k, shapes[n]) for n, k in zip(shapes, keys, strict=True)}
    g = sym.sample(jax.random.key(1))

    def results(act):
        def f(x):
            return cubic(act(x))

        _, tangent = jax.jvp(f, (x,), (x,))
        draws = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), x)
        return {
            "value": act(x),
            "gradient": jax.grad(f)(x),
            "tangent": tangent,
            "second": jax.jvp(jax.grad(f), (x,), (x,))[1],
            "of each draw": jax.vmap(jax.grad(f))(draws),
        }

    ours = jax.jit(lambda: results(lambda x: _moved(sym, g, x)))()
    theirs = jax.jit(lambda: results(lambda x: sym.act(g, x)))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), ours, theirs)
