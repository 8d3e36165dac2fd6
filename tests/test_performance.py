"""The page of measured figures is what the committed results say."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location(
        "write_performance", BENCHMARKS / "write_performance.py"
    )
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    yield made
    sys.modules.pop("json_lines", None)


def test_the_page_says_what_was_measured(module):
    assert module.PAGE.read_text() == module.page(), "Run benchmarks/write_performance.py."


def test_every_result_is_of_a_script_and_says_where(module):
    files = list((BENCHMARKS / "results").glob("*.jsonl"))
    assert files
    for file in files:
        assert (BENCHMARKS / f"{file.stem}.py").exists(), file.name
        for line in file.read_text().splitlines():
            assert {"load", "numpy"} <= json.loads(line).keys(), file.name


def test_rows_of_the_same_columns_make_a_table(module):
    rows = [{"what": "a", "seconds": 0.123456}, {"what": "b", "seconds": 2}]
    assert module.table(["what", "seconds"], rows) == (
        "| what | seconds |\n| --- | --- |\n| a | 0.1235 |\n| b | 2 |\n"
    )
    assert module.told_where([{"load": 0.5, "numpy": "2.3"}, {"load": 1.5}]) == (
        "numpy 2.3, load 0.5 to 1.5.\n"
    )
