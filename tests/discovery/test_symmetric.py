"""Symmetries that are there are found, pass the check, and are used by guides and kernels."""

from __future__ import annotations

import warnings

import pytest
from asymmetric import ASYMMETRIC
from numpyro import handlers
from numpyro.infer.autoguide import AutoNormal
from symmetric import SYMMETRIC
from test_find import expected, found
from zoo import ZOO

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, find_symmetry
from numpyro_sym.discovery.in_use import SymmetryInUse

MODELS = {**{name: case for name, case in ZOO.items() if case.classes or case.signs}, **SYMMETRIC}
#: A guide and a kernel are made of one twin, and in the slow tests of every third model: each
#: compiles much.
FIRST = "size: a large constant"
#: Given whole, they are refused; found, they are reduced to the part that has a section.
NO_SECTION = {"attention fused"}
#: NumPyro itself refuses a guide of it, and so do we.
NO_GRADIENT = {"size: a host callback"}
MANY = sorted({*list(MODELS)[::3], *NO_SECTION, *NO_GRADIENT} - {FIRST})


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
    "name", [FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in MANY)]
)
def test_guides_and_kernels_take_it(name):
    """Given, and verified anew: a guide is set up and a kernel prepared, and neither refuses."""
    case, kwargs = MODELS[name], kwargs_of(name)
    sym = find_symmetry(case.model, *case.args, include=("permutation", "signed"), **kwargs)
    sym = sym.unconditional("evaluated")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert error_of(nsym.AutoSymmetrizedNormal(case.model, sym), name) == error_of(
            AutoNormal(case.model), name
        )
        if name in NO_SECTION:
            with pytest.raises(SymmetryError, match="no exact section"):
                nsym.FoldedNUTS(case.model, sym)._prepared_anew(case.args, kwargs)
        else:
            assert nsym.FoldedNUTS(case.model, sym)._prepared_anew(case.args, kwargs).sym == sym


def error_of(guide, name):
    """What kind of error NumPyro raises where a model has no gradient, or none at its
    own starts.
    """
    try:
        with handlers.seed(rng_seed=0):
            guide(*MODELS[name].args, **kwargs_of(name))
    except ValueError as error:
        return str(error)
    return None


def test_there_are_many_of_them():
    kinds = {name.split(":")[0] for name in SYMMETRIC}
    assert len(MODELS) >= 100
    assert len(SYMMETRIC) >= 60
    assert {name.split(":")[0] for name in ASYMMETRIC} - kinds <= {"impure", "coincidence"}
