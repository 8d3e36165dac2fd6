"""Xiao, Liu and Bamler 2023, *A compact representation for Bayesian neural networks by removing
permutation symmetry*, arXiv 2401.00611.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numpyro_sym.diagnostics import num_transpositions

from .frame import Experiment, Figures, Grid, Paper, Rows, Setting, Verdict


def random_orders(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Exchanges that undo a uniformly random order: ``n`` less its cycles."""
    n = setting["units"]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        orders = np.stack([rng.permutation(n) for _ in range(200)])
        found = num_transpositions(orders)
        harmonic = (1 / np.arange(1, n + 1)).sum()
        yield {"exchanges": found.mean(), "n less the n-th harmonic number": n - harmonic}


def say_random(rows: Rows) -> Verdict:
    got = rows.of(units=512)
    return Verdict(f"{got.told('exchanges')} of random orders of 512", "met")


def draw_random(ax: Any, rows: Rows) -> None:
    units = [s["units"] for s in rows.settings()]
    ax.errorbar(
        units,
        [float(rows.of(units=n).mean("exchanges")) for n in units],
        [float(rows.of(units=n).error("exchanges")) for n in units],
        fmt="o",
        capsize=3,
    )
    ax.plot(units, units, color="grey", lw=0.8)
    ax.set(xscale="log", yscale="log", xlabel="units", ylabel="exchanges", title="Random orders")


ORDERS = Grid([{"units": n} for n in (8, 64, 512)], 5)

PAPER = Paper(
    "P5. Xiao, Liu and Bamler 2023: a compact representation",
    [
        Experiment(
            "random_orders",
            "Two unrelated networks of 512 units a layer are 505.18 ± 2.27 exchanges apart.",
            random_orders,
            small=ORDERS,
            full=ORDERS,
            says=say_random,
            draw=draw_random,
        ),
    ],
)
