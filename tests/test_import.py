"""What ``import numpyro_sym`` loads, and what only comes when it is first asked for."""

import subprocess
import sys

import pytest

import numpyro_sym as nsym

LATER = (
    "Diagnosis", "chains_needed", "compact_posterior", "diagnose", "diagnostics", "loss_barrier",
    "rebasin",
)  # fmt: skip


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_import_loads_nothing_that_numpyro_does_not():
    """But for the assignment solver: xarray, pandas, scipy.stats and such come when first used."""
    code = """
import sys, numpyro
before = set(sys.modules)
import numpyro_sym
print(*(set(sys.modules) - before))
"""
    loaded = run(code)
    assert "numpyro_sym" in loaded
    others = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name.split(".")[0] for name in others} <= {"numpyro_sym", "lap"}, sorted(others)
    assert not [name for name in loaded if name.startswith("numpyro_sym.diagnostics")]


def test_names_that_come_later_are_there():
    assert set(LATER) <= set(dir(nsym))
    for name in LATER:
        assert getattr(nsym, name) is not None
    assert nsym.rebasin is nsym.diagnostics.rebasin
    with pytest.raises(AttributeError, match=r"numpyro_sym.*no attribute 'rebasing'"):
        nsym.rebasing  # noqa: B018


def test_trees_have_their_methods_in_either_order_of_imports():
    for first, second in (("xarray", "numpyro_sym"), ("numpyro_sym", "xarray")):
        code = f"import {first}, {second}, xarray; print(hasattr(xarray.DataTree, 'nsym'))"
        assert run(code) == ["True"]


def test_a_package_that_is_not_there_stays_away():
    code = """
import sys
from numpyro_sym._when_imported import when_imported
when_imported("no_such_package", lambda: print("work"))
try:
    import no_such_package
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(code) == ["no_such_package"]
