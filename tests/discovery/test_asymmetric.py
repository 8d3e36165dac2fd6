"""No symmetry that is not there is claimed, checked true, or used."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from asymmetric import ASYMMETRIC

from numpyro_sym import Symmetry, SymmetryError, find_symmetry
from numpyro_sym.discovery.in_use import SymmetryInUse

#: Smaller than this a change cannot matter to anyone, and larger it must be seen.
SIZE = 0.01
SIZED = [name for name, case in ASYMMETRIC.items() if case.sized]


def moves(sym, claim):
    """Whether any of the units moves entries of one axis that the claim moves, by more
    than signs.
    """
    mine = {
        (s, a.axis, int(p))
        for s, axes in claim.placements
        for a in axes
        for p in a.positions(claim.n).ravel()
    }
    for u in sym:
        for site, axes in (
            u.placements
            if (u.n > 1 and claim.kind == "permutation") or u.kind == claim.kind
            else ()
        ):
            for a in axes:
                if len({(site, a.axis, int(p)) for p in a.positions(u.n).ravel()} & mine) > 1:
                    return True
    return False


def used(case):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "AutoSymmetrizedNormal: the model shows no observations")
        return SymmetryInUse("AutoSymmetrizedNormal", case.model, None).of(case.args, {})


@pytest.mark.parametrize("name", SIZED)
def test_it_is_false(name):
    assert ASYMMETRIC[name].nats() >= SIZE


@pytest.mark.parametrize("name", [n for n, c in ASYMMETRIC.items() if not c.here])
def test_the_check_refuses_it(name):
    case = ASYMMETRIC[name]
    with pytest.raises(SymmetryError):
        Symmetry([case.claim]).check(case.model, *case.args)


@pytest.mark.parametrize("name", ASYMMETRIC)
def test_it_is_not_claimed(name):
    case = ASYMMETRIC[name]
    try:
        sym = find_symmetry(case.model, *case.args)
    except SymmetryError:
        assert name.startswith("impure")
        return
    sure = sym.unconditional()
    _none_false(case, sure if case.here else sym)
    for u in sym:
        if u not in sure.units:
            assert any(line.startswith(f"{u.name}: ") for line in sym.explain().splitlines())


@pytest.mark.parametrize("name", ASYMMETRIC)
def test_it_is_not_used(name):
    case = ASYMMETRIC[name]
    _none_false(case, used(case))


def _none_false(case, sym):
    """Whatever is left is so, by NumPyro's own density of the whole."""
    if not case.sized:
        assert not moves(sym, case.claim), str(sym)
    for u in sym if case.sized else ():
        if u.kind != "scaled":
            assert case.nats(u) < SIZE / 2, str(u)


def test_there_are_many_of_them():
    kinds = {name.split(":")[0] for name in ASYMMETRIC}
    assert len(SIZED) >= 60
    assert len(kinds) >= 10
    assert np.all([c.claim.n >= 2 for c in ASYMMETRIC.values()])
