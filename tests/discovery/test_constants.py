"""Constants of a program are computed as JAX does, and told apart by what they are."""

import jax
import jax.numpy as jnp
import numpy as np

from numpyro_sym.discovery.constants import as_constant, fold


def folded(function, *args):
    """Outputs of a program, each of its equations folded."""
    program = jax.make_jaxpr(function)(*args)
    values = dict(zip(program.jaxpr.invars, map(as_constant, args), strict=True))
    values |= dict(zip(program.jaxpr.constvars, map(as_constant, program.consts), strict=True))

    def of(v):
        return as_constant(v.val) if hasattr(v, "val") else values[v]

    for eqn in program.jaxpr.eqns:
        outs = fold(eqn, [of(v) for v in eqn.invars])
        values |= dict(zip(eqn.outvars, outs, strict=True))
    return [of(v) for v in program.jaxpr.outvars]


def of_repeated(x):
    """Arrays repeated along one axis, then turned, joined, compared and reduced."""
    rows = jax.lax.broadcast_in_dim(x, (3, 3), (1,))
    turned = jax.lax.transpose(rows, (1, 0))
    which = jax.lax.lt(rows, turned)
    joined = jax.lax.concatenate([rows, rows], 1)
    return (
        jax.lax.add(rows, turned),
        jax.lax.select(which, rows, turned),
        jax.lax.mul(joined, joined),
        jax.lax.transpose(jax.lax.add(rows, rows), (1, 0)),
        jnp.sum(joined, 0),
        jnp.sum(joined),
        jnp.prod(turned, (0, 1)),
    )


def test_they_are_what_jax_computes():
    with jax.enable_x64(True):
        x = np.array([0.3, -1.2, 2.0])
        for ours, theirs in zip(folded(of_repeated, x), of_repeated(x), strict=True):
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_what_is_repeated_stays_so():
    """Entry by entry and joined, but not along the other axis."""
    with jax.enable_x64(True):
        added, _, squared, turned, *_ = folded(of_repeated, np.array([0.3, -1.2, 2.0]))
    assert (squared.strides[0], turned.strides[1]) == (0, 0)
    assert 0 not in added.strides


def test_sums_of_the_same_parts_are_the_same():
    """Whatever their order, to the last bit; not those of other parts."""
    with jax.enable_x64(True):
        rows = np.array(
            [[1.0, 0.1, 0.1], [0.1, 1.0, 0.1], [0.1, 0.1, 1.0], [0.1, 0.1, 1.0 + 1e-15]]
        )
        (sums,) = folded(lambda x: jnp.sum(x, 1), rows)
        assert sums[0] == sums[1] == sums[2] != sums[3]
        in_their_order = [(row[0] + row[1]) + row[2] for row in rows[:3]]
        assert len(set(in_their_order)) > 1, "no rounding would have told them apart"
