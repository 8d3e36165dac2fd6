"""Each verdict on draws in which it was planted; never "fine" where invariant functions
disagree.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import LOCATIONS, K, arviz, chains

from numpyro_sym import diagnose, mixture


def verdicts(data, **kwargs):
    return diagnose(data, LOCATIONS, invariant="f", **kwargs).verdicts


PLANTED = {
    "pure switching": (chains(), ("label switching only",)),
    "all well": (chains(switch=False), ("all well",)),
    "another mode": (
        chains(switch=False, mode_of={3: 1.5}),
        ("another functional mode in chain 3", "chains 0, 1 and 2 alone: all well"),
    ),
    "switching and another mode": (
        chains(mode_of={3: 1.5}),
        ("another functional mode in chain 3", "chains 0, 1 and 2 alone: label switching only"),
    ),
    "two other modes": (
        chains(num_chains=6, mode_of={1: 1.5, 4: -1.7, 5: 1.5}),
        (
            "another functional mode in chains 1 and 5",
            "another functional mode in chain 4",
            "chains 0, 2 and 3 alone: label switching only",
        ),
    ),
    "bad mixing": (chains(memory=0.995, num_draws=300), ("mixing badly",)),
    "switching and bad mixing": (
        chains(memory=0.995, num_draws=300, switch=False),
        ("mixing badly",),
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_planted(case):
    data, expected = PLANTED[case]
    assert verdicts(data) == expected


@pytest.mark.parametrize("seed", range(5))
def test_short_chains_that_mix_well_are_too_short(seed):
    """Whether or not chance brings R-hat above the limit, more draws are asked for, and nothing
    else is blamed.
    """
    lines = verdicts(chains(seed, num_draws=15))
    assert lines[0].startswith("not enough draws: ")
    assert not any("mode" in line or "mixing" in line for line in lines)


def test_few_draws_of_good_chains():
    found = diagnose(chains(num_draws=80), LOCATIONS, invariant="f")
    assert found.verdicts[0].startswith("not enough draws: ")
    assert found.verdicts[0].endswith("below 400")
    assert found.verdicts[1:] == ("label switching only",)
    assert not found.fine


@pytest.mark.filterwarnings("ignore:.*chain:UserWarning")
@pytest.mark.parametrize("num_draws", [1, 3])
def test_no_figures_at_all(num_draws):
    assert verdicts(chains(num_draws=num_draws)) == (
        f"not enough draws: {num_draws} a chain, and no figure can be had",
    )


def test_one_chain_is_never_fine():
    found = diagnose(chains(num_chains=1), LOCATIONS, invariant="f")
    assert found.verdicts == (
        "all well",
        "one chain: a mode that it has not visited cannot be seen",
    )
    assert not found.fine
    drifting = diagnose(chains(num_chains=1, memory=0.999), LOCATIONS, invariant="f")
    assert drifting.verdicts[0] == "mixing badly"


def test_a_symmetry_that_is_not_named():
    """Signs are switched, but only permutations are known: same functions, other weights."""
    data = chains(switch=False)
    mu = data.posterior["mu"].values + 1
    mu[2] *= -1
    squares = (mu**2).sum(-1)
    other = arviz({"posterior": {"mu": mu, "weights": np.abs(mu), "f": squares}})
    sym = mixture(K, {"mu": 0, "weights": 0})
    line = diagnose(other, sym, invariant="f").verdicts[0]
    assert line.startswith("same functions, other weights: aligned chains disagree in mu")


def test_units_that_are_alike_are_ambiguous():
    """Two components nearly on each other: which is which cannot be known."""
    rng = np.random.default_rng(0)
    mu = rng.normal([0.0, 0.0, 4.0], 0.2, (4, 300, K))
    lines = diagnose(
        arviz({"posterior": {"mu": mu, "f": mu.sum(-1)}}), LOCATIONS, invariant="f"
    ).verdicts
    assert any(line.startswith("alignment ambiguous in ") for line in lines)


def test_a_chain_that_never_moves_is_no_mode():
    data = chains(switch=False)
    for name in ("mu", "f"):
        data.posterior[name].values[2] = data.posterior[name].values[2, :1]
    found = diagnose(data, LOCATIONS, invariant="f")
    assert found.verdicts == ("mixing badly in chain 2",)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_functions_that_are_not_finite_are_not_fine(value):
    data = chains()
    data.posterior["f"].values[0, 3, 0] = value
    assert verdicts(data) == (
        "nothing can be told: invariant functions hold NaN or infinite values",
    )


def test_functions_that_never_change_tell_nothing():
    data = chains()
    data.posterior["f"].values[:] = 1.0
    assert verdicts(data) == ("nothing can be told: the invariant functions never change",)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    num_draws=st.sampled_from([20, 100, 400]),
    memory=st.sampled_from([0.0, 0.8, 0.95, 0.99]),
    shift=st.floats(0.0, 1.0),
    switch=st.booleans(),
)
def test_never_fine_where_functions_disagree(seed, num_draws, memory, shift, switch):
    """Modes from none to plain, chains from good to bad: no cell of the table is called fine by
    mistake.
    """
    data = chains(seed, num_draws=num_draws, memory=memory, mode_of={3: shift}, switch=switch)
    found = diagnose(data, LOCATIONS, invariant="f")
    if found.invariant["rhat"].max() > 1.05:
        assert not found.fine
        assert not set(found.verdicts) & {"all well", "label switching only"}
