"""A pytest plugin: NumPyro's names mean this library's classes. See ``numpyro_suite.py``.

``NUTS`` becomes ``FoldedNUTS``; another kernel becomes ``Folded(kernel(...))``; ``AutoNormal``
becomes ``AutoSymmetrizedNormal``; another guide becomes ``AutoSymmetrized(guide(...))``; no
symmetry is given. Each test's outcome goes to a file as it ends, so that one that kills the process
costs no other.

SWAPPED="NUTS HMC AutoNormal" OUTCOMES=file pytest -p swapped_names ...
"""

import gc
import json
import os
import sys
import types

import jax
import numpyro.infer
import numpyro.infer.autoguide
import pytest


def twin(module):
    """A copy of a module in its place for whoever imports it, while its own code goes on with its
    own names.
    """
    copy = types.ModuleType(module.__name__)
    vars(copy).update(vars(module))
    sys.modules[module.__name__] = copy
    return copy


#: Where NumPyro's users look names up.
numpyro.infer.autoguide = twin(numpyro.infer.autoguide)
PLACES = (numpyro.infer, numpyro.infer.autoguide)
ORIGINAL = {}
#: What so many tests have compiled and drawn is let go together: else they need more memory than a
#: laptop has.
TOGETHER = 20
ENDED = []


def folded(original):
    """Builds NumPyro's kernel with the arguments given, and folds its draws."""
    import numpyro_sym as nsym  # here: tests as they are run without it

    def build(*args, **kwargs):
        return nsym.Folded(original(*args, **kwargs))

    return build


def symmetrized(original):
    """A class that builds NumPyro's guide with the arguments given, and averages it."""
    from numpyro_sym.guides import AutoSymmetrized

    class Wrapped(AutoSymmetrized):
        def __init__(self, *args, **kwargs):
            super().__init__(original(*args, **kwargs))

    Wrapped.__name__ = Wrapped.__qualname__ = f"Symmetrized{original.__name__}"
    Wrapped.__module__ = __name__
    globals()[Wrapped.__name__] = Wrapped  # for pickle
    return Wrapped


def swap(name):
    import numpyro_sym as nsym

    original = next(vars(place)[name] for place in PLACES if name in vars(place))
    if name in ("NUTS", "AutoNormal"):
        new = {"NUTS": nsym.FoldedNUTS, "AutoNormal": nsym.AutoSymmetrizedNormal}[name]
    else:
        new = (symmetrized if name.startswith("Auto") else folded)(original)
    ORIGINAL[id(new)] = original
    if name.startswith("Auto"):  # pickle looks a class up by its name
        original.__module__, original.__qualname__ = __name__, f"_{name}"
        globals()[f"_{name}"] = original
    for place in PLACES:
        if name in vars(place):
            setattr(place, name, new)


for _name in os.environ.get("SWAPPED", "").split():
    swap(_name)


def pytest_make_parametrize_id(val):
    """Tests keep their names, by which the two runs are compared."""
    return ORIGINAL[id(val)].__name__ if id(val) in ORIGINAL else None


def pytest_runtest_teardown(item):
    ENDED.append(item.nodeid)
    if len(ENDED) % TOGETHER == 0:
        jax.clear_caches()
        gc.collect()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if "OUTCOMES" not in os.environ or (report.when != "call" and report.outcome == "passed"):
        return
    said = [line for line in report.caplog.splitlines() if "numpyro_sym" in line]
    crash = getattr(report.longrepr, "reprcrash", None)
    row = {
        "test": report.nodeid,
        "outcome": report.outcome,
        "seconds": round(report.duration, 2),
        "message": crash.message[:1000] if crash else "",
        "said": said,
    }
    with open(os.environ["OUTCOMES"], "a") as file:
        file.write(json.dumps(row) + "\n")
