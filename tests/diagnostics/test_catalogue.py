"""Of every broken posterior of the catalogue none is called fine, of every healthy one each."""

import pytest
from broken_posteriors import BROKEN
from healthy_posteriors import HEALTHY
from planted import arviz

from numpyro_sym import diagnose


def found(case):
    groups, sym, options = case()
    return diagnose(arviz(groups), sym, **options)


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_is_fine(name):
    seen = found(HEALTHY[name])
    assert seen.fine, str(seen)


@pytest.mark.filterwarnings("ignore:.*chain:UserWarning")
@pytest.mark.parametrize("name", BROKEN)
def test_broken_is_not_fine_and_said_why(name):
    case, told = BROKEN[name]
    seen = found(case)
    assert not seen.fine, str(seen)
    assert any(told in line for line in seen.verdicts), str(seen)
    assert "all well" not in seen.verdicts or told == "one chain"


def test_the_catalogue_is_large():
    assert len(HEALTHY) >= 60
    assert len(BROKEN) >= 60
