"""BLAS has one thread while draws are matched, and afterwards what it had."""

import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from numpyro_sym import mixture
from numpyro_sym.alignment import align
from numpyro_sym.alignment.engine import matching
from numpyro_sym.alignment.engine.blas import LARGE, one_thread


def threads():
    """How many each BLAS that is loaded has."""
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


@pytest.fixture
def before():
    found = threads()
    if min(found, default=1) == 1:
        pytest.skip("BLAS has one thread here, or none that can be counted")
    return found


def test_one_inside_and_as_many_as_before_outside(before):
    with one_thread(8):
        assert threads() == {1}
        with one_thread(8):
            assert threads() == {1}
    assert threads() == before


def test_large_products_keep_theirs(before):
    with one_thread(LARGE):
        assert threads() == before


def test_an_error_gives_them_back(before):
    with pytest.raises(ZeroDivisionError), one_thread(8):
        _ = 1 / 0
    assert threads() == before


def test_blocks_of_several_threads_that_overlap():
    """The second begins when the first has one thread, and leaves when the first has ended. In a
    fresh interpreter: the main thread must not have set anything.
    """
    code = """
from threading import Event, Thread
from threadpoolctl import threadpool_info
from numpyro_sym.alignment.engine.blas import one_thread

def threads():
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}

entered, second_entered = Event(), Event()

def first():
    with one_thread(8):
        entered.set()
        second_entered.wait(60)

def second():
    entered.wait(60)
    with one_thread(8):
        second_entered.set()
        of_first.join(60)

before = threads()
of_first, of_second = Thread(target=first), Thread(target=second)
of_first.start()
of_second.start()
of_second.join(60)
print(threads() == before)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"


def test_matching_has_one(before, monkeypatch):
    seen = []
    inner = matching._match

    def watched(*args, **kwargs):
        seen.append(threads())
        return inner(*args, **kwargs)

    monkeypatch.setattr(matching, "_match", watched)
    align({"mu": np.array([[0.0, 5.0], [5.1, 0.1]])}, "first", mixture(2, {"mu": 0}))
    assert {1} in seen
    assert before not in seen
    assert threads() == before
