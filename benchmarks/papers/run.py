"""The experiments of five papers: each cell is computed once and kept as a JSON line.

    python benchmarks/papers/run.py --small --data FOLDER
    python benchmarks/papers/run.py --data FOLDER --papers p1 p2 --only barrier_width
    python benchmarks/papers/write_page.py

``FOLDER`` holds ``mnist/`` (the published test images and labels) and ``uci/`` (tables with
``splits.json``); experiments on scikit-learn's digits and on simulated data need none. What a run
that was stopped has computed is not computed again.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from json_lines import measured_where
from papers.frame import Experiment, NoData, Paper, kept, results

PAPERS = ("p1", "p2", "p3", "p4", "p5")


def paper(name: str) -> Paper:
    """What its file says; a paper without a file has no experiments."""
    if not (Path(__file__).parent / f"{name}.py").exists():
        return Paper(name, [])
    return importlib.import_module(f"papers.{name}").PAPER


def run(experiment: Experiment, file: Path, small: bool, data: Path | None) -> None:
    """Compute the cells that the file does not hold, and write each as soon as it is there."""
    grid = experiment.small if small else experiment.full
    own = [line for line in kept(file) if line["experiment"] == experiment.name]
    for setting in grid.settings:
        done = {line["seed"] for line in own if line["setting"] == setting}
        seeds = [seed for seed in range(grid.seeds) if seed not in done]
        if not seeds:
            continue
        start = time.process_time()
        try:
            rows = list(experiment.run(setting, seeds, data))
        except NoData as missing:
            print(f"{file.stem} {experiment.name} {setting}: skipped, {missing}", flush=True)
            continue
        seconds = (time.process_time() - start) / len(seeds)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as out:
            for seed, figures in zip(seeds, rows, strict=True):
                line = {"experiment": experiment.name, "setting": setting, "seed": seed}
                line |= {"figures": rounded(figures), "seconds": round(seconds, 2)}
                out.write(json.dumps(line | measured_where()) + "\n")
        told = {n: v for n, v in rounded(rows[-1]).items() if not isinstance(v, list)}
        print(
            f"{file.stem} {experiment.name} {setting}: {seconds:.1f} s a seed, {told}", flush=True
        )


def rounded(figures):
    """Six digits that count, lists too: files stay small."""
    out = {}
    for name, value in figures.items():
        if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
            out[name] = [float(f"{float(v):.6g}") for v in value]
        else:
            out[name] = float(f"{float(value):.6g}")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="minutes instead of hours")
    parser.add_argument("--data", type=Path, help="a folder with mnist/ and uci/")
    parser.add_argument("--papers", nargs="+", choices=PAPERS, default=PAPERS)
    parser.add_argument("--only", nargs="+", help="names of experiments")
    options = parser.parse_args()
    for name in options.papers:
        for experiment in paper(name).experiments:
            if options.only is None or experiment.name in options.only:
                run(experiment, results(name, options.small), options.small, options.data)


if __name__ == "__main__":
    main()
