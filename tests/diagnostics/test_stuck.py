"""What never moves and should, and what is constant by construction."""

import numpy as np
import xarray as xr

from numpyro_sym.diagnostics._stuck import stuck, stuck_lines

RNG = np.random.default_rng(0)


def draws(**arrays):
    return xr.Dataset(
        {
            n: (("chain", "draw", *(f"{n}{i}" for i in range(np.ndim(x) - 2))), x)
            for n, x in arrays.items()
        }
    )


def test_what_never_moves():
    frozen = RNG.normal(size=(4, 50, 3))
    frozen[..., 1] = 0.3
    one = RNG.normal(size=(4, 50))
    one[2] = 0.3
    other = np.repeat(np.arange(4.0)[:, None], 50, 1) + 0.5
    found = stuck(
        draws(
            frozen=frozen, one=one, other=other, zeros=np.zeros((4, 50)), three=np.full((4, 50), 3)
        )
    )
    assert {name: chains.tolist() for name, chains in found.items()} == {
        "frozen": [True] * 4,
        "one": [False, False, True, False],
        "other": [True] * 4,
        "zeros": [True] * 4,
        "three": [True] * 4,
    }
    assert stuck_lines(found) == (
        "never moves: frozen, other, zeros, three, wholly or in an entry; leave it out if it is a "
        "constant",
        "stuck in single chains: one",
    )


def test_what_is_constant_by_construction():
    triangle = np.tril(RNG.normal(size=(4, 50, 3, 3)))
    triangle[..., 0, 0] = 1.0
    labels = np.tile(np.arange(6), (4, 50, 1))
    labels[0, 7, 2] = 5
    rectified = np.maximum(RNG.normal(size=(4, 50)), 0)
    rectified[1] = 0.0
    assert (
        stuck(
            draws(triangle=triangle, labels=labels, rectified=rectified, empty=np.zeros((4, 50, 0)))
        )
        == {}
    )
    assert stuck_lines({}) == ()
