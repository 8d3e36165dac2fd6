"""Exchanges of units between draws, within chains and between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numpyro_sym import align
from numpyro_sym.diagnostics import num_transpositions, transpositions

from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .p5_posterior import CHAINS, SMALLER, UNIT, named, posterior
from .pictures import widths_below


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
    told, apart = [], []
    for setting in rows.settings():
        own = rows.of(**setting)
        figures = [
            own.told(f"{where} chain{s}") for where, s in (("within a", ""), ("between", "s"))
        ]
        random = float(own.mean("of random orders"))
        told.append(f"{named(setting)}: {figures[0]}, {figures[1]}, {random:.1f}")
        apart.append(float(own.mean("within a chain")) < 0.5 * random)
    got = "within a chain, between chains, random: " + "; ".join(told)
    why = (
        "Between chains they are random orders. Within one they are few where units are told apart "
        "(few units, wide prior); where not, draws of a single chain need as many as draws of "
        "two, and the number says so."
    )
    return Verdict(got, "met" if all(apart) else "partly" if any(apart) else "not met", why)


def draw_chains(ax: Any, rows: Rows) -> None:
    """As shares of random orders' number."""
    for number, prior in enumerate((UNIT, SMALLER)):
        own = rows.of(prior=prior)
        widths = [s["width"] for s in own.settings()]
        for figure, style in (("within a chain", "-"), ("between chains", "--")):
            share = []
            for w in widths:
                there = own.of(width=w)
                share.append(float(there.mean(figure)) / float(there.mean("of random orders")))
            ax.plot(
                widths, share, style, marker=".", color=f"C{number}", label=f"{figure}, {prior}"
            )
    ax.axhline(1, color="gray", lw=0.8)
    widths_below(ax, (s["width"] for s in rows.settings()))
    ax.set(ylabel="exchanges / random ones", title="HMC draws")
    ax.set_ylim(top=2.3)  # room for the legend
    ax.legend(fontsize=8, handlelength=3, loc="upper right")


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
