"""The page on the papers is what the committed JSON lines say."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAPERS = ROOT / "benchmarks" / "papers"


@pytest.fixture
def papers(monkeypatch):
    """The package of the experiments, imported as its scripts import it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import papers.frame
    import papers.run
    import papers.write_page

    yield papers
    for name in [n for n in sys.modules if n.split(".")[0] in ("papers", "json_lines")]:
        del sys.modules[name]


def lines():
    for file in sorted((PAPERS / "results").rglob("*.jsonl")):
        for line in file.read_text().splitlines():
            yield file, json.loads(line)


def test_the_page_says_what_was_measured(papers):
    written = papers.write_page.PAGE.read_text()
    assert written == papers.write_page.page(), "Run benchmarks/papers/write_page.py."


def test_every_line_is_of_an_experiment_and_once(papers):
    names = {
        name: {e.name for e in papers.run.paper(name).experiments} for name in papers.run.PAPERS
    }
    cells = []
    for file, line in lines():
        assert line["experiment"] in names[file.stem], file
        assert {"setting", "seed", "figures", "seconds", "numpy", "load"} <= line.keys()
        cells.append((file, line["experiment"], json.dumps(line["setting"]), line["seed"]))
    assert len(cells) == len(set(cells))


def test_every_picture_of_the_page_is_there(papers):
    for line in papers.write_page.PAGE.read_text().splitlines():
        if line.startswith("```{image}"):
            assert (ROOT / "docs" / line.split()[1]).exists()


def test_a_cell_is_computed_once(papers, tmp_path):
    frame, asked = papers.frame, []

    def run(setting, seeds, data):
        asked.append((setting["n"], list(seeds)))
        return [{"figure": setting["n"] + seed, "curve": [1.0, 2.0]} for seed in seeds]

    def experiment(seeds):
        grid = frame.Grid([{"n": 1}, {"n": 2}], seeds)
        return frame.Experiment("e", "", run, grid, grid, says=None)

    file = tmp_path / "p.jsonl"
    for seeds in (2, 2, 3):
        papers.run.run(experiment(seeds), file, small=True, data=None)
    assert asked == [(1, [0, 1]), (2, [0, 1]), (1, [2]), (2, [2])]
    rows = frame.Rows(frame.kept(file))
    assert rows.of(n=2).values("figure").tolist() == [2, 3, 4]
    assert rows.figures() == ["figure"]
    assert rows.of(n=2).mean("curve").tolist() == [1, 2]
    assert rows.of(n=2).error("figure") == pytest.approx(3**-0.5)


def test_what_has_no_data_is_skipped(papers, tmp_path):
    frame = papers.frame

    def run(setting, seeds, data):
        raise frame.NoData("no folder")

    grid = frame.Grid([{}], 1)
    file = tmp_path / "p.jsonl"
    papers.run.run(frame.Experiment("e", "", run, grid, grid, says=None), file, False, None)
    assert not file.exists()


def test_numbers_with_their_errors(papers):
    told = papers.frame.with_error
    assert told(0.12345, 0.0123) == "0.123 ± 0.012"
    assert told(12.345, 0.4) == "12.3 ± 0.4"
    assert told(123.4, 56.0) == "123 ± 56"
    assert told(0.12345, np.nan) == "0.123"
