"""The page on the papers is what the committed JSON lines say."""

import json
import sys
from pathlib import Path

import jax
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


def test_a_setting_is_not_one_that_says_more(papers):
    lines = [
        {"setting": {"n": 1}, "figures": {"figure": 1.0}},
        {"setting": {"n": 1, "longer": 2}, "figures": {"figure": 9.0}},
    ]
    rows = papers.frame.Rows(lines)
    assert rows.of(n=1).values("figure").tolist() == [1, 9]
    assert [rows.at(s).values("figure").tolist() for s in rows.settings()] == [[1], [9]]


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


NETWORKS = ("dense", "cnn", "resnet")


@pytest.fixture
def networks(papers):
    import papers.convolutions
    import papers.networks

    return {
        "dense": papers.networks.dense(64, 5, 2),
        "cnn": papers.convolutions.cnn(5),
        "resnet": papers.convolutions.resnet(5),
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_symmetry_that_they_name(networks, name):
    network, rng = networks[name], np.random.default_rng(0)
    point = {n: w + 0.1 for n, w in network.start(rng).items()}
    x = rng.normal(size=(4, 64))
    sym = network.symmetry
    moved = sym.act(sym.sample(jax.random.key(1)), {n: point[n] for n in sym.sites})
    there = network.logits({**point, **moved}, x)
    np.testing.assert_allclose(there, network.logits(point, x), atol=1e-5)
    some = min(sym.sites)
    assert np.abs(moved[some] - point[some]).max() > 0.1
    # One site alone: no symmetry, so the network must change.
    one = {**point, some: moved[some]}
    assert np.abs(network.logits(one, x) - network.logits(point, x)).max() > 1e-3


@pytest.mark.slow
def test_the_way_is_that_of_the_library(networks):
    from papers.gaussians import along, barrier

    from numpyro_sym.diagnostics import marginalized_barrier

    network, rng = networks["dense"], np.random.default_rng(0)
    loc, x, sym = network.start(rng), rng.normal(size=(20, 64)), network.symmetry
    y = np.asarray(network.logits(loc, x)).argmax(1)
    ends = []
    for there in (loc, {**loc, **sym.act(sym.sample(jax.random.key(1)), loc)}):
        ends.append((there, {n: np.full(np.shape(w), 1e-6) for n, w in loc.items()}))

    def log_likelihood(point):
        found = jax.nn.log_softmax(network.logits(point, x))
        return jax.numpy.take_along_axis(found, y[:, None], 1)[:, 0]

    key = jax.random.key(0)
    ours = along(network.logits, *ends, x, y, key, 2)
    theirs = marginalized_barrier(log_likelihood, *ends, key, num_draws=2, num_points=11)
    np.testing.assert_allclose(ours["nll"], theirs.loss / 20, rtol=1e-4)
    assert barrier(ours["nll"]) == pytest.approx(theirs.height / 20, rel=1e-3)
    assert theirs.height > 0


def test_calibration_error_of_known_predictions(papers):
    from papers.gaussians import calibration_error

    p = np.array([[0.75, 0.25]] * 4)
    # Three of four are right where three quarters are promised; then none.
    assert calibration_error(p, np.array([0, 0, 0, 1])) == pytest.approx(0, abs=1e-6)
    assert calibration_error(p, np.array([1, 1, 1, 1])) == pytest.approx(0.75)
