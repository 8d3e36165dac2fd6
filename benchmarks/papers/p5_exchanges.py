"""Exchanges of units between draws, within chains and between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numpyro_sym import align
from numpyro_sym.diagnostics import num_transpositions, transpositions

from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .p5_posterior import CHAINS, posterior


def random_orders(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Exchanges that undo a uniformly random order: ``n`` less its cycles."""
    n = setting["units"]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        found = num_transpositions(np.stack([rng.permutation(n) for _ in range(200)]))
        yield {
            "exchanges": found.mean(),
            "their standard deviation": found.std(ddof=1),
            "n less the n-th harmonic number": of_random_orders(n),
        }


def of_random_orders(n: int) -> float:
    return float(n - (1 / np.arange(1, n + 1)).sum())


def say_random(rows: Rows) -> Verdict:
    got = rows.of(units=512)
    told = f"{got.mean('exchanges'):.2f} ± {got.mean('their standard deviation'):.2f}"
    theirs = abs(float(got.mean("exchanges")) - 505.18) < 0.5
    return Verdict(f"{told} (over orders)", "met" if theirs else "not met")


def chains(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Every fourth draw, aligned to the middle draw of its own chain, and of the next."""
    for seed in seeds:
        p = posterior(setting, seed)
        sym = p.network.symmetry
        draws = {n: p.draws[n][:, ::4] for n in sym.sites}
        figures: Figures = {}
        for where, shift in (("within a chain", 0), ("between chains", 1)):
            found = []
            for chain in range(CHAINS):
                other = (chain + shift) % CHAINS
                middle = {n: v[chain, v.shape[1] // 2] for n, v in draws.items()}
                own = {n: v[other] for n, v in draws.items()}
                found.append(transpositions(align(own, middle, sym).elements)["hidden"])
            figures[where] = float(np.mean(found))
        yield {**figures, "of random orders": of_random_orders(setting["width"])}


def say_chains(rows: Rows) -> Verdict:
    widths = [s["width"] for s in rows.settings()]
    told = [
        f"width {w}: {rows.of(width=w).told('within a chain')} within, "
        f"{rows.of(width=w).told('between chains')} between, "
        f"{rows.of(width=w).mean('of random orders'):.1f} at random"
        for w in widths
    ]
    last = rows.of(width=widths[-1])
    apart = float(last.mean("within a chain")) < 0.5 * float(last.mean("between chains"))
    why = (
        "Chains that start apart are as far as random orders; within a chain fewer are needed, "
        "and more the wider the network: its units are then less identified."
    )
    return Verdict("; ".join(told), "met" if apart else "partly", why)


def draw_chains(ax: Any, rows: Rows) -> None:
    widths = [s["width"] for s in rows.settings()]
    for figure in ("within a chain", "between chains", "of random orders"):
        share = [float(rows.of(width=w).mean(figure)) / w for w in widths]
        ax.plot(widths, share, "--" if figure.startswith("of") else ".-", label=figure)
    ax.set(xscale="log", xlabel="width", ylabel="exchanges / width", title="HMC draws")
    ax.legend(fontsize=7)


ORDERS = Grid([{"units": n} for n in (8, 64, 512)], 5)

RANDOM = Experiment(
    "random_orders",
    "The number of transpositions of random orders of 512 units is 505.18 ± 2.27.",
    random_orders,
    small=ORDERS,
    full=ORDERS,
    says=say_random,
)


def experiment(small: Grid, full: Grid) -> Experiment:
    """On the draws that the other experiments use too."""
    return Experiment(
        "exchanges",
        "The number of transpositions tells how far draws are permuted: within an HMC chain and "
        "between chains, against random orders.",
        chains,
        small=small,
        full=full,
        says=say_chains,
        draw=draw_chains,
    )
