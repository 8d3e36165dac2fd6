"""``data.nsym`` on the object of either generation gives what the functions give."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from planted import MIXTURE, dataset, switched

import numpyro_sym as nsym
from numpyro_sym import diagnostics


@pytest.fixture(scope="module")
def data():
    diagnostics.register_accessor()  # ArviZ 0.x may have been imported after this package
    return switched()


def test_methods_are_the_functions(data):
    aligned = data.nsym.rebasin(MIXTURE, keep_elements=True)
    assert type(aligned) is type(data)
    xr.testing.assert_identical(dataset(aligned), dataset(nsym.rebasin(data, MIXTURE)))
    back = aligned.nsym.act(MIXTURE, MIXTURE.inverse(aligned.nsym.elements(MIXTURE)))
    np.testing.assert_array_equal(dataset(back)["mu"].values, dataset(data)["mu"].values)
    assert data.nsym.diagnose(MIXTURE).verdicts == nsym.diagnose(data, MIXTURE).verdicts
    assert data.nsym.lppd() == diagnostics.lppd(data)
    assert data.nsym.lppd(by_chain=True).shape == (4,)
    assert data.nsym.functional_modes(MIXTURE).num_modes == 1
    compact = data.nsym.compact(MIXTURE, var_names=["mu", "weights"])
    np.testing.assert_array_equal(
        compact.loc["mu"],
        diagnostics.compact_posterior(data, MIXTURE, var_names=MIXTURE.sites).loc["mu"],
    )


def test_xarrays_own_tree_has_it():
    tree = xr.DataTree.from_dict({"posterior": dataset(switched())})
    assert isinstance(tree.nsym.rebasin(MIXTURE), xr.DataTree)


def test_registering_twice_changes_nothing(data):
    before = type(data).nsym
    diagnostics.register_accessor()
    assert type(data).nsym is before


@pytest.mark.parametrize("first", ["arviz", "numpyro_sym"])
def test_in_either_order_of_imports(first):
    """Whichever package comes first; after this one ArviZ 0.x needs one call."""
    second = {"arviz": "numpyro_sym", "numpyro_sym": "arviz"}[first]
    code = f"""
import warnings; warnings.filterwarnings("ignore", category=FutureWarning)
import {first}, {second}
import arviz as az, numpy as np, numpyro_sym as nsym
draws = {{"mu": np.zeros((2, 9, 2))}}
data = az.from_dict({{"posterior": draws}}) if az.__version__ >= "1" else az.from_dict(draws)
if {first!r} == "numpyro_sym":
    nsym.diagnostics.register_accessor()
assert type(data.nsym.rebasin(nsym.mixture(2, {{"mu": 0}}))) is type(data)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
