"""Bad values for every argument of everything public: refused at once, in the library's own words."""

import time

import pytest
from public_calls import FAMILIES, NOT_REACHED, exported

from numpyro_sym import SymmetryError

#: No call may take longer, in seconds.
LIMIT = 20.0


def _every_call():
    return {name: call for family in FAMILIES for name, call in family()}


CALLS = _every_call()


def _bad(call):
    """Every (argument, what is bad about it, value) of one callable."""
    return [(name, what, value) for name, argument in call.arguments.items() for what, value in argument.bad.items()]


def _verdict(call, name, value):
    """``None`` where a call was refused as it should be, else what it did."""
    start = time.perf_counter()
    try:
        call(**{name: value})
    except SymmetryError as error:
        verdict = None if str(error) else "an empty error"
    except BaseException as error:
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
def test_one_bad_value_for_each_argument(name):
    """Of each argument one, another from argument to argument; all of them in the slow test."""
    call = CALLS[name]
    cases = []
    for i, (argument, (_, bad)) in enumerate(call.arguments.items()):
        what = list(bad)[(7 * i + len(name)) % len(bad)] if bad else None
        cases += [(argument, what, bad[what])] if bad else []
    assert not _faults(call, cases)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_every_bad_value(name):
    assert not _faults(CALLS[name], _bad(CALLS[name]))


def test_nothing_public_is_left_out():
    reached = {name.split(".")[0].split(":")[0].split(",")[0].split("(")[0].split("[")[0] for name in CALLS}
    assert exported() <= reached | NOT_REACHED.keys(), exported() - reached - NOT_REACHED.keys()
    assert NOT_REACHED.keys() <= exported()


def test_there_are_enough():
    assert sum(len(_bad(call)) for call in CALLS.values()) >= 2000
