"""What an experiment of a paper is: a claim, cells that are computed once, and what they say.

A *cell* is one experiment in one setting with one seed, and one JSON line::

    {"experiment": ..., "setting": {...}, "seed": 0, "figures": {...}, "seconds": ..., versions}

A file of a paper holds a ``PAPER``. Settings and figures are named as the page shall show them;
figures that are lists are kept for the picture and not shown in the table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
Setting = dict[str, Any]
Figures = dict[str, Any]


class Verdict(NamedTuple):
    """What the rows say about the claim.

    :param got: what we get, with its figures.
    :param met: "met", "partly" or "not met".
    :param why: where it differs, the reason that an experiment found.
    """

    got: str
    met: str
    why: str = ""


class Grid(NamedTuple):
    """Settings, and how many seeds for each."""

    settings: Sequence[Setting]
    seeds: int


class Experiment(NamedTuple):
    """One claim and what is computed for it.

    :param name: as ``--only`` takes it.
    :param claim: what the paper claims, and on what.
    :param run: (setting, seeds, folder of data or None) -> figures for each seed, in their order.
        Seeds come together, so that one program can train all of them.
    :param small: cells of ``--small``.
    :param full: cells without it.
    :param says: :class:`Rows` -> :class:`Verdict`.
    :param draw: (matplotlib's axes, :class:`Rows`) -> None.
    """

    name: str
    claim: str
    run: Callable[[Setting, Sequence[int], Path | None], Iterable[Figures]]
    small: Grid
    full: Grid
    says: Callable[[Rows], Verdict]
    draw: Callable[[Any, Rows], None] | None = None


class Paper(NamedTuple):
    """A paper's name, and its experiments in the order of the page."""

    title: str
    experiments: Sequence[Experiment]
    notes: str = ""


class NoData(Exception):
    """A cell needs ``--data``, and there is none."""


class Rows:
    """JSON lines of one experiment."""

    def __init__(self, lines: Iterable[dict[str, Any]]) -> None:
        self.lines = list(lines)

    def __len__(self) -> int:
        return len(self.lines)

    def of(self, **setting: Any) -> Rows:
        """Those in this setting, whatever else theirs holds."""
        wanted = setting.items()
        return Rows(line for line in self.lines if wanted <= line["setting"].items())

    def at(self, setting: Setting) -> Rows:
        """Those in this setting and no other, even one that says more."""
        return Rows(line for line in self.lines if line["setting"] == setting)

    def settings(self) -> list[Setting]:
        """Each once, in the order of the file."""
        each: list[Setting] = []
        for line in self.lines:
            if line["setting"] not in each:
                each.append(line["setting"])
        return each

    def figures(self) -> list[str]:
        """Names of numbers that some line holds."""
        names: dict[str, None] = {}
        for line in self.lines:
            names |= {n: None for n, v in line["figures"].items() if not isinstance(v, list)}
        return list(names)

    def values(self, figure: str) -> np.ndarray:
        """One for each seed; lists are stacked."""
        found = [line["figures"][figure] for line in self.lines if figure in line["figures"]]
        return np.asarray(found, float)

    def mean(self, figure: str) -> Any:
        return self.values(figure).mean(0)

    def error(self, figure: str) -> Any:
        """The standard error of the mean; nan for a single seed."""
        values = self.values(figure)
        if len(values) < 2:
            return np.full(values.shape[1:], np.nan)
        return values.std(0, ddof=1) / len(values) ** 0.5

    def told(self, figure: str) -> str:
        """Mean and standard error as the page writes them."""
        if not len(self.values(figure)):
            return ""
        return with_error(float(self.mean(figure)), float(self.error(figure)))


def with_error(mean: float, error: float) -> str:
    """``.0123 ± .0004``: the error to one digit that counts, or two where it begins with 1."""
    if not np.isfinite(error):
        return f"{mean:.3g}"
    if error == 0:
        return f"{mean:.4g} ± 0"
    digits = -int(np.floor(np.log10(error)))
    digits += f"{error:e}"[0] == "1"
    digits = min(max(digits, 0), 6)
    return f"{mean:z.{digits}f} ± {error:.{digits}f}"


def results(paper: str, small: bool) -> Path:
    """Where a paper's lines are kept."""
    folder = HERE / "results"
    return (folder / "small" if small else folder) / f"{paper}.jsonl"


def kept(file: Path) -> list[dict[str, Any]]:
    """The lines of a file, if there is one."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
