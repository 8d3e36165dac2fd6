"""The index of tails that are known, and no alarm where there are too few draws to tell."""

import numpy as np
import pytest

from numpyro_sym.diagnostics.tails import HEAVY, tail_index

RNG = np.random.default_rng(0)
LIGHT = {
    "one parameter": lambda n: -0.5 * RNG.chisquare(1, n),
    "many parameters": lambda n: -0.5 * RNG.chisquare(200, n),
    "exponential": lambda n: RNG.exponential(size=n),
    "Gaussian": lambda n: RNG.normal(size=n),
}


@pytest.mark.parametrize("law", LIGHT)
@pytest.mark.parametrize("count", [400, 4000])
def test_light(law, count):
    assert max(tail_index(LIGHT[law](count)) for _ in range(200)) < HEAVY


def test_heavy():
    assert min(tail_index(RNG.standard_cauchy(4000)) for _ in range(200)) > HEAVY


def test_few_effective_draws_give_no_alarm():
    """Exponential draws, each ten times: the index of a tail of two different ones may
    be anything.
    """
    found = [tail_index(np.repeat(RNG.exponential(size=200), 10), 200) for _ in range(200)]
    assert max(found) < HEAVY
    assert tail_index(np.ones(1000)) == 0
