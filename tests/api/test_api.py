"""Bad values for every argument of everything public: refused at once, in the library's
own words.
"""

import time

import calls_alignment
import calls_diagnostics
import calls_inference
import calls_interop
import calls_plots
import calls_symmetry
import pytest
from public_names import exported

from numpyro_sym import SymmetryError

FAMILIES = (
    calls_symmetry,
    calls_alignment,
    calls_diagnostics,
    calls_inference,
    calls_interop,
    calls_plots,
)
CALLS = {name: call for family in FAMILIES for name, call in family.CALLS.items()}
#: No call may take longer, in seconds.
LIMIT = 20.0

_RESULT = "a result that the library makes"
_INSIDE = "for those who extend the library"
_WORD = "takes no arguments, or is a type"
_STATES = "needs a state of BlackJAX: tests/interop/test_blackjax_states.py"
_PYMC = "needs PyMC: tests/interop/test_pymc.py"
#: Public names that no call reaches, and why.
NOT_REACHED = {
    **dict.fromkeys(
        ("Alignment", "Card", "FunctionalModes", "Changes", "CheckReport", "CompactPosterior"),
        _RESULT,
    ),
    **dict.fromkeys(
        ("Diagnosis", "Element", "GaussianAlignment", "GuideAlignment", "JitAlignment"), _RESULT
    ),
    **dict.fromkeys(
        (
            "DrawsReport",
            "LossBarrier",
            "MMD",
            "ModesSeen",
            "PruningCurve",
            "Relabeling",
            "ByLabels",
        ),
        _RESULT,
    ),
    **dict.fromkeys(("BestClustering", "Relabelings"), _RESULT),
    **dict.fromkeys(
        ("Removed", "Rescaled", "Rotated", "SortedSection", "SymmetryInformation"), _RESULT
    ),
    **dict.fromkeys(("Metric", "ModelView", "Trial", "Value", "Walk", "SymmetryInUse"), _INSIDE),
    **dict.fromkeys(("Drawn", "MakesSections", "Section", "Start", "View"), _INSIDE),
    **dict.fromkeys(
        (
            "cut_plates",
            "register_rule",
            "rules",
            "read_numpyro_model",
            "latent_sites",
            "prior_factor",
        ),
        _INSIDE,
    ),
    **dict.fromkeys(("FullGaussianAlignment", "FullGuideAlignment"), _RESULT),
    "pymc_log_density": _PYMC,
    **dict.fromkeys(("gaussian_of_state", "state_with_gaussian"), _STATES),
    **dict.fromkeys(
        ("act_on_axis", "namespace", "short_repr", "text_table", "Table", "Tabular"), _INSIDE
    ),
    **dict.fromkeys(("Euclidean", "SymmetryError", "register_accessor", "Point", "SortKey"), _WORD),
}


def _verdict(call, name, value):
    """``None`` where a call was refused as it should be, else what it did."""
    start = time.perf_counter()
    try:
        call(**{name: value})
    except SymmetryError as error:
        verdict = None if str(error) else "an empty error"
    except Exception as error:
        verdict = f"{type(error).__name__}: {str(error)[:160]}"
    else:
        verdict = "accepted in silence"
    seconds = time.perf_counter() - start
    return verdict if seconds < LIMIT else f"{seconds:.0f} s; {verdict or 'refused'}"


def _faults(call, cases):
    found = ((name, what, _verdict(call, name, value)) for name, what, value in cases)
    return [f"{name}, {what}: {verdict}" for name, what, verdict in found if verdict]


@pytest.mark.parametrize("name", CALLS)
def test_healthy_arguments_pass(name):
    CALLS[name]()


@pytest.mark.parametrize("name", CALLS)
def test_some_bad_values(name):
    """Every eleventh; all of them in the slow test."""
    cases = CALLS[name].cases()
    assert not _faults(CALLS[name], cases[:: min(11, len(cases))])


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_every_bad_value(name):
    assert not _faults(CALLS[name], CALLS[name].cases())


def test_there_are_enough():
    assert sum(len(call.cases()) for call in CALLS.values()) >= 2000


def test_nothing_public_is_left_out():
    public = {name.rpartition(".")[2] for name in exported()}
    reached = {
        public_name for public_name in public for name in CALLS if name.startswith(public_name)
    }
    assert public - reached <= NOT_REACHED.keys(), sorted(public - reached - NOT_REACHED.keys())
    assert NOT_REACHED.keys() <= public, sorted(NOT_REACHED.keys() - public)
