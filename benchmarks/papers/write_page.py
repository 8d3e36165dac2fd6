"""Writes docs/papers.md and its pictures from the JSON lines in benchmarks/papers/results.

    python benchmarks/papers/write_page.py

An experiment of which nothing is kept at full size is shown at its small one, and the page says so.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from math import fsum
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from json_lines import told_where
from papers.frame import Experiment, Paper, Rows, kept, results
from papers.run import PAPERS, paper

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "papers.md"
#: Columns that fit the page: settings, figures, and how many seeds.
WIDEST = 8
HEAD = """# The papers

What five papers claim, what comes out here at a size that runs on two cores, and why it differs
where it does. `benchmarks/papers/write_page.py` writes this page from the JSON lines in
`benchmarks/papers/results`, one a cell (experiment, setting, seed); no figure is copied by hand.
Figures are means over seeds ± their standard error. `python benchmarks/papers/run.py --data FOLDER`
computes the cells that are missing, and with `--small` a version of minutes. The calls themselves
are in the tutorial [The papers in ten minutes](tutorials/papers.ipynb).
"""


def page() -> str:
    """The whole page."""
    papers = {name: paper(name) for name in PAPERS}
    papers = {name: p for name, p in papers.items() if any(len(of(name, e)) for e in p.experiments)}
    parts = [HEAD, *(section(name, p) for name, p in papers.items())]
    lines = [
        line for name, p in papers.items() for e in p.experiments for line in of(name, e).lines
    ]
    return "\n".join([*parts, told_where(lines)])


def of(name: str, experiment: Experiment) -> Rows:
    """Its rows at full size, or else at the small one."""
    for small in (False, True):
        lines = kept(results(name, small))
        own = [line for line in lines if line["experiment"] == experiment.name]
        if own:
            return Rows(own)
    return Rows([])


def is_small(name: str, experiment: Experiment) -> bool:
    own = [line["experiment"] for line in kept(results(name, False))]
    return experiment.name not in own


def section(name: str, paper: Paper) -> str:
    """A paper: its claims in one table, then a table of figures for each."""
    there = [e for e in paper.experiments if len(of(name, e))]
    claims = [["", "They claim", "We get", "Met", "Where it differs, why"]]
    for number, experiment in enumerate(there, 1):
        verdict = experiment.says(of(name, experiment))
        claims.append([str(number), experiment.claim, verdict.got, verdict.met, verdict.why])
    parts = [f"## {paper.title}\n", table(claims)]
    if any(e.draw for e in there):
        parts.append(f"```{{image}} papers_{name}.png\n:alt: {paper.title}\n```\n")
    if paper.notes:
        parts.append(paper.notes.strip() + "\n")
    for number, experiment in enumerate(there, 1):
        parts.append(figures_of(name, number, experiment))
    return "\n".join(parts)


def figures_of(name: str, number: int, experiment: Experiment) -> str:
    """One experiment's settings and what came out, folded away."""
    rows = of(name, experiment)
    command = f"python benchmarks/papers/run.py --papers {name} --only {experiment.name}"
    command += " --small" if is_small(name, experiment) else ""
    # Exact: versions of Python add up floats in different ways.
    seconds = fsum(line["seconds"] for line in rows.lines)
    settings = rows.settings()
    columns = list(dict.fromkeys(key for setting in settings for key in setting))
    common = {}
    for column in columns:
        values = {str(setting.get(column, "")) for setting in settings}
        if len(values) == 1 and len(settings) > 1:
            common[column] = values.pop()
    columns = [column for column in columns if column not in common]
    # As many tables of the same settings as it takes to fit the page.
    tables = []
    for figures in parts(rows.figures(), max(WIDEST - len(columns), 2)):
        lines = [[*columns, *figures, "seeds"]]
        for setting in settings:
            own = rows.at(setting)
            values = [str(setting.get(column, "")) for column in columns]
            values += [own.told(figure) for figure in figures]
            lines.append([*values, str(len(own))])
        tables.append(table(lines))
    grid = experiment.small if is_small(name, experiment) else experiment.full
    cells = f"{len(rows)} of {len(grid.settings) * grid.seeds} cells"
    cells += " of the small size" if is_small(name, experiment) else ""
    told = f"{number}. `{command}`: {cells}, {seconds:.0f} s of processor time."
    if common:
        told += f" All with {', '.join(f'{key} {value}' for key, value in common.items())}."
    return "\n".join([f"{told}\n", *tables])


def parts(names: list[str], most: int) -> list[list[str]]:
    """Names in order, in as few parts as hold at most so many, all of about one length."""
    count = max(-(-len(names) // most), 1)
    cuts = [len(names) * part // count for part in range(count + 1)]
    return [names[start:end] for start, end in pairwise(cuts)]


def table(lines: list[list[str]]) -> str:
    """Of Markdown, the first line its head."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def draw(name: str, paper: Paper) -> None:
    """The paper's picture, one panel an experiment that draws."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    there = [e for e in paper.experiments if e.draw and len(of(name, e))]
    if not there:
        return
    across = min(len(there), 2)  # more are too small to read on the page
    down = -(-len(there) // across)
    fig, axes = plt.subplots(
        down, across, figsize=(4.2 * across, 3.3 * down), layout="constrained", squeeze=False
    )
    for ax, experiment in zip(axes.ravel(), there, strict=False):
        assert experiment.draw is not None
        experiment.draw(ax, of(name, experiment))
    for ax in axes.ravel()[len(there) :]:
        ax.set_axis_off()
    fig.savefig(DOCS / f"papers_{name}.png", dpi=110)
    plt.close(fig)


if __name__ == "__main__":
    PAGE.write_text(page())
    for each in PAPERS:
        draw(each, paper(each))
