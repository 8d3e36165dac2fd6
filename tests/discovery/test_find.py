"""The symmetry of every model in the zoo: its classes, their kinds, and the axes they lie on."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from zoo import ZOO, X, Y, normal, observe

from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.discovery import find_symmetry
from numpyro_sym.discovery.find import read_program
from numpyro_sym.discovery.model import read_numpyro_model


def written(axis):
    return (axis, None, 1, 1) if isinstance(axis, int) else axis


def expected(classes):
    return sorted(
        (n, kind, sorted((s, sorted(map(written, a if isinstance(a, list) else [a]))) for s, a in where.items()))
        for n, kind, where in classes
    )


def found(sym):
    def of(a):
        return a.axis, a.start, a.outer, a.inner

    return sorted(
        (u.n, u.kind, sorted((s, sorted(map(of, axes), key=str)) for s, axes in u.placements)) for u in sym if u.n > 1
    )


@pytest.fixture(scope="session")
def zoo_symmetry():
    seen: dict[str, Symmetry] = {}

    def get(name):
        if name not in seen:
            c = ZOO[name]
            seen[name] = find_symmetry(c.model, *c.args, **c.kwargs)
        return seen[name]

    return get


@pytest.mark.parametrize("name", ZOO)
def test_zoo(zoo_symmetry, name):
    sym, c = zoo_symmetry(name), ZOO[name]
    assert found(sym) == expected(c.classes)
    assert sum(u.n == 1 for u in sym) == c.signs
