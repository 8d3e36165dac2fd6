"""Arrays whose entries a file holds as variables of their own."""

import numpy as np
import pytest
import xarray as xr

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import stack_scalars, to_arviz, unstack_scalars

RNG = np.random.default_rng(0)
MU = RNG.normal([-3.0, 0.0, 3.0], 0.1, size=(4, 50, 3))
THETA = RNG.normal(size=(4, 50, 2, 3))
LP = RNG.normal(size=(4, 50))


def written(style, first=1):
    """The draws as a file has them."""
    draws = {"lp__": LP}
    for i in range(3):
        draws[style("mu", i + first)] = MU[..., i]
    for j in range(3):  # Stan writes columns first
        for i in range(2):
            draws[style("theta", i + first, j + first)] = THETA[..., i, j]
    return {**draws, "sigma": LP**2, "b_Intercept": LP, "r_group[1,Intercept]": LP}


def brackets(name, *indices):
    return f"{name}[{','.join(map(str, indices))}]"


def dots(name, *indices):
    return ".".join([name, *map(str, indices)])


STYLES = [(brackets, 1), (brackets, 0), (dots, 1)]


@pytest.mark.parametrize(("style", "first"), STYLES)
def test_dicts_there_and_back(style, first):
    file = written(style, first)
    stacked = stack_scalars(file)
    np.testing.assert_array_equal(stacked["mu"], MU)
    np.testing.assert_array_equal(stacked["theta"], THETA)
    assert set(stacked) == {"lp__", "mu", "theta", "sigma", "b_Intercept", "r_group[1,Intercept]"}
    back = unstack_scalars(stacked, like=file)
    assert list(back) == list(file)
    for name, x in file.items():
        np.testing.assert_array_equal(back[name], x)


@pytest.mark.parametrize(("style", "first"), STYLES)
def test_objects_there_and_back(style, first):
    data = to_arviz(written(style, first))
    data.posterior["sigma"].attrs["unit"] = "m"
    stacked = stack_scalars(data)
    assert stacked.posterior["theta"].dims == ("chain", "draw", "theta_dim_0", "theta_dim_1")
    assert stacked.posterior["mu_dim_0"].values.tolist() == [first + i for i in range(3)]
    np.testing.assert_array_equal(stacked.posterior["mu"], MU)
    back = unstack_scalars(stacked, like=data)
    assert type(back) is type(data)
    assert list(back.posterior.data_vars) == list(data.posterior.data_vars)
    xr.testing.assert_identical(dataset(back), dataset(data))


def dataset(data):
    posterior = data["posterior"]
    return posterior.to_dataset() if isinstance(posterior, xr.DataTree) else posterior


def test_aligned_and_written_back():
    switched = MU.copy()
    switched[2:] = MU[2:, :, [2, 0, 1]]
    draws = {f"mu[{i + 1}]": switched[..., i] for i in range(3)}
    data = to_arviz({**draws, "lp__": LP})
    aligned = nsym.rebasin(stack_scalars(data), nsym.mixture(3, {"mu": 0}), reference="first")
    back = unstack_scalars(aligned, like=data)
    for i in range(3):
        np.testing.assert_array_equal(back.posterior[f"mu[{i + 1}]"], MU[..., i])
    assert "rebasin" in back.posterior.attrs
    np.testing.assert_array_equal(back.posterior["lp__"], LP)


def test_what_is_not_complete_stays():
    triangle = {"L[1,1]": LP, "L[2,1]": LP, "L[2,2]": LP}
    assert stack_scalars(triangle).keys() == triangle.keys()
    beside = {"mu[1]": LP, "mu": LP}
    assert stack_scalars(beside).keys() == beside.keys()
    twice = {"mu[1]": LP, "mu.1": LP}
    assert stack_scalars(twice).keys() == twice.keys()
    uneven = {"a[1]": LP, "a[1,1]": LP}
    assert stack_scalars(uneven).keys() == uneven.keys()


def test_only_those_that_are_named():
    assert "mu" in stack_scalars(written(brackets), "mu")
    assert "theta" not in stack_scalars(written(brackets), ["mu"])


REFUSED = {
    "not complete": (
        lambda: stack_scalars({"L[1,1]": LP, "L[2,2]": LP}, "L"),
        "entries are missing",
    ),
    "not there": (lambda: stack_scalars({"mu[1]": LP}, "nu"), "no entries of an array 'nu'"),
    "a name taken": (lambda: stack_scalars({"mu[1]": LP, "mu": LP}, "mu"), "of this name"),
    "other draws": (lambda: stack_scalars({"mu[1]": LP, "mu[2]": LP[0]}), "have the shapes"),
    "missing": (lambda: unstack_scalars({"nu": MU}, like={"mu[1]": LP}), "neither 'mu"),
    "another shape": (lambda: unstack_scalars({"mu": MU}, like={"mu[1]": LP}), "has shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    call, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        call()
