"""Draws that were had before, in disguises; and chains that may look like copies and are none."""

import numpy as np
import pytest
import xarray as xr

from numpyro_sym.diagnostics.copies import copied_chains, coupled_chains, fingerprints, tiled_chains
from numpyro_sym.diagnostics.rhat_ess import figures_of


def prints(**arrays):
    dims = ("chain", "draw", "i", "j")
    data = xr.Dataset(
        {n: ((*dims[:2], *(f"{n}_{d}" for d in dims[2 : x.ndim])), x) for n, x in arrays.items()}
    )
    return fingerprints(data, [(name,) for name in arrays])


def chains(seed=0, dtype=float):
    return np.random.default_rng(seed).normal(size=(4, 300, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_order_and_signs_do_not_hide_a_draw(dtype):
    x = chains(dtype=dtype)
    again = -x[..., [2, 0, 1]]
    np.testing.assert_array_equal(prints(w=x), prints(w=again))
    assert len(np.unique(prints(w=x))) == 1200
    again[0, 0, 0] = np.nextafter(again[0, 0, 0], dtype(9))
    assert (prints(w=x) != prints(w=again)).sum() == 1


def test_sites_do_not_stand_for_each_other():
    x, y = chains(), chains(1)
    assert (prints(w=x, v=y) != prints(w=y, v=x)).all()


def test_healthy_chains_share_nothing():
    found = prints(w=chains())
    assert copied_chains(found) == []
    assert not tiled_chains(found).any()


def test_rejections_are_no_copies():
    x = chains()
    x[:, 1::2] = x[:, ::2]
    assert not tiled_chains(prints(w=x)).any()


def test_numbers_on_a_grid_come_again_by_chance():
    x = np.random.default_rng(0).integers(0, 3, (4, 300, 3)) / 2
    found = prints(w=x)
    assert copied_chains(found) == []
    assert not tiled_chains(found).any()


def test_two_pairs_of_copies():
    x = chains()
    x[2], x[3] = x[0][::-1], x[1]
    assert [group.tolist() for group in copied_chains(prints(w=x))] == [
        [True, False, True, False],
        [False, True, False, True],
    ]


def test_a_chain_of_tiles():
    x = chains()
    x[1, 200:] = x[1, 50:150]
    assert tiled_chains(prints(w=x)).tolist() == [False, True, False, False]


def test_too_few_bits_tell_nothing():
    assert prints(w=chains(dtype=np.float32)[..., 0]) is None


def coupled(x):
    data = xr.Dataset(
        {"w": (("chain", "draw", "i"), x), "still": (("chain", "draw"), np.ones((4, 300)))}
    )
    return [group.tolist() for group in coupled_chains(data, figures_of(data), 400)]


def test_chains_that_move_together():
    x = chains()
    assert coupled(x) == []
    noise = np.random.default_rng(9).normal(size=x[0].shape)
    x[2] = x[0] + 0.1 * noise
    x[3] = 0.1 * noise - x[1]
    assert coupled(x) == [[True, False, True, False], [False, True, False, True]]


def test_slow_chains_look_alike_by_chance():
    slow = np.cumsum(chains(), axis=1)
    assert np.abs(np.corrcoef(slow[..., 0])[0, 1:]).max() > 0.5
    assert coupled(slow) == []
