"""Chains in functional modes, against what was planted and against brute force."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest

from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import functional_modes, modes_seen

by_chain = partial(functional_modes, by="chain")
RNG = np.random.default_rng(0)


def f(shifts, draws=200):
    return RNG.normal(size=(len(shifts), draws, 5)) + np.asarray(shifts)[:, None, None]


def test_modes_are_ordered_by_how_many_chains_see_them():
    found = by_chain({"f": f([9.0, 0.0, 0.0, 5.0, 0.0, 5.0])})
    assert found.label.tolist() == [2, 0, 0, 1, 0, 1]
    assert found.num_modes == 3
    assert found.settled.all()
    np.testing.assert_allclose(found.separation[0, 1], 9, rtol=0.15)
    assert "1, 2, 4" in str(found)


@pytest.mark.parametrize(("shift", "modes"), [(1.5, 1), (2.6, 2)])
def test_two_bells_have_two_tops_beyond_two_widths(shift, modes):
    assert by_chain(f([0.0, 0.0, shift], draws=2000)).num_modes == modes


def test_a_drifting_chain_is_no_mode():
    x = f([0.0] * 4)
    x[3] += np.linspace(0, 12, 200)[:, None]
    found = by_chain(x)
    assert found.num_modes == 1
    assert found.settled.tolist() == [True, True, True, False]


def test_one_function_in_which_chains_differ_is_enough():
    x = f([0.0] * 4)
    x[2, :, 4] += 6
    assert by_chain(x).label.tolist() == [0, 0, 1, 0]


def test_modes_seen_is_the_mean_over_all_choices_of_chains():
    label = [0, 0, 0, 1, 1, 2]
    seen = modes_seen(label)
    for r in range(1, 7):
        brute = np.mean([len(set(c)) for c in combinations(label, r)])
        assert seen.expected[r - 1] == pytest.approx(brute)
    assert seen.unseen == pytest.approx(1 / 6)


@pytest.mark.parametrize("x", [np.zeros((2, 7)), np.full((2, 20), np.nan)])
def test_refused(x):
    with pytest.raises(SymmetryError, match="functional_modes"):
        by_chain(x)
