"""Symmetries that are there are found, pass the check, and are used by guides and kernels."""

from __future__ import annotations

import warnings

import pytest
from asymmetric import ASYMMETRIC
from numpyro import handlers
from symmetric import SYMMETRIC
from test_find import expected, found
from zoo import ZOO

import numpyro_sym as nsym
from numpyro_sym import find_symmetry
from numpyro_sym.discovery.in_use import SymmetryInUse

MODELS = {**{name: case for name, case in ZOO.items() if case.classes or case.signs}, **SYMMETRIC}
#: A guide and a kernel are made of one twin, and of the rest in the slow tests.
FIRST = "size: a large constant"


def kwargs_of(name):
    return getattr(MODELS[name], "kwargs", {})


@pytest.mark.parametrize("name", SYMMETRIC)
def test_it_is_found(name):
    case = SYMMETRIC[name]
    sym = find_symmetry(case.model, *case.args)
    own = sym.unconditional("evaluated")
    assert found(own) == expected(case.classes)
    assert sum(u.n == 1 for u in own) == case.signs
    if not case.evaluated:
        assert sym.unconditional() == own
    assert sym.check(case.model, *case.args)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_it_is_used(name):
    case = SYMMETRIC[name]
    used = SymmetryInUse("FoldedNUTS", case.model, None, evaluated=case.evaluated).of(case.args, {})
    assert found(used) == expected(case.classes)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in MODELS if n not in SYMMETRIC])
def test_it_passes_the_check(name):
    """What the zoo's tests find, here against the check."""
    case = MODELS[name]
    sym = find_symmetry(case.model, *case.args, **case.kwargs)
    assert len(sym) > 0
    assert sym.check(case.model, *case.args, **case.kwargs)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == FIRST else pytest.mark.slow) for name in MODELS]
)
def test_guides_and_kernels_take_it(name):
    """Given, and verified anew: a guide is set up and a kernel prepared, and neither refuses."""
    case, kwargs = MODELS[name], kwargs_of(name)
    sym = find_symmetry(case.model, *case.args, include=("permutation", "signed"), **kwargs)
    sym = sym.unconditional("evaluated")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guide = nsym.AutoSymmetrizedNormal(case.model, sym)
        with handlers.seed(rng_seed=0):
            guide(*case.args, **kwargs)
        kernel = nsym.FoldedNUTS(case.model, sym)
        assert kernel._prepared_anew(case.args, kwargs).sym == sym


def test_there_are_many_of_them():
    kinds = {name.split(":")[0] for name in SYMMETRIC}
    assert len(MODELS) >= 100
    assert len(SYMMETRIC) >= 60
    assert {name.split(":")[0] for name in ASYMMETRIC} - kinds <= {"impure", "coincidence"}
