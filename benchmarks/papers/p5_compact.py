"""Is the Gaussian of aligned draws worth more than that of the draws as they are, and than VI?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from numpyro_sym.diagnostics import (
    agreement,
    compact_posterior,
    compare_gaussians,
    total_variation,
)

from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .models import probabilities
from .p5_posterior import UNIT, named, posterior
from .pictures import widths_below

RANKS = (0, 20, 100)
GAUSSIANS = ("not aligned", "diagonal", "rank 20", "rank 100", "VI")


def run(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Predictions of 200 draws of each Gaussian against those of HMC's draws."""
    for seed in seeds:
        p = posterior(setting, seed)
        sym = p.network.symmetry
        draws = {n: v.reshape(-1, *v.shape[2:]) for n, v in p.draws.items()}
        key = jax.random.key(seed)
        made = {"not aligned": compact_posterior(draws)}
        compact = compact_posterior(draws, sym)
        made["diagonal"] = compact
        made |= {f"rank {r}": compact_posterior(draws, sym, rank=r) for r in RANKS[1:]}
        samples = {name: g.sample(key, (200,)) for name, g in made.items()}
        rng = np.random.default_rng(seed)
        loc, scale = p.vi
        samples["VI"] = {
            n: (loc[n] + scale[n] * rng.normal(size=(200, *loc[n].shape))).astype(np.float32)
            for n in loc
        }
        truth = probabilities(p.network, draws, p.data.x_test)
        figures: Figures = {"NLL, HMC": nll(truth, p.data.y_test)}
        for name in GAUSSIANS:
            found = probabilities(p.network, samples[name], p.data.x_test)
            figures[f"agreement, {name}"] = agreement(found, truth)
            figures[f"total variation, {name}"] = total_variation(found, truth)
            figures[f"NLL, {name}"] = nll(found, p.data.y_test)
        yield figures


def nll(p: np.ndarray, y: np.ndarray) -> float:
    right = np.take_along_axis(p.mean(0), np.asarray(y)[:, None], 1)
    return float(-np.log(right).mean())


def says(rows: Rows) -> Verdict:
    settings = rows.settings()
    gained = []
    for setting in settings:
        own = rows.of(**setting)
        aligned, raw = (own.mean(f"agreement, {name}") for name in ("diagonal", "not aligned"))
        gained.append((float(aligned - raw), setting))
    best = max(gained, key=lambda pair: pair[0])[1]
    worst = min(gained, key=lambda pair: pair[0])[1]
    parts = []
    for setting in (best, worst):
        own = rows.of(**setting)
        each = []
        for name in GAUSSIANS:
            each.append(
                f"{name} {own.told('agreement, ' + name)} ({own.told('total variation, ' + name)})"
            )
        parts.append(f"{named(setting)}: {', '.join(each)}")
    why = (
        "Alignment is what makes it usable where units are told apart. The diagonal drops their "
        "correlations; a rank of 20 or 100 brings back what the diagonal lacks."
    )
    met = "met" if min(gained, key=lambda pair: pair[0])[0] > 0.1 else "partly"
    return Verdict("; ".join(parts), met, why)


def draw(ax: Any, rows: Rows) -> None:
    """One prior: total variation from HMC's predictions."""
    own = rows.of(prior=UNIT)
    widths = [s["width"] for s in own.settings()]
    for name in GAUSSIANS:
        figure = f"total variation, {name}"
        mean = [float(own.of(width=w).mean(figure)) for w in widths]
        error = [float(own.of(width=w).error(figure)) for w in widths]
        ax.errorbar(widths, mean, error, marker=".", capsize=2, label=name)
    widths_below(ax, widths)
    ax.set_ylabel("total variation from HMC")
    ax.set_title(f"Predictions, weights {UNIT}")
    ax.set_ylim(0, 1.1)  # room for the legend
    ax.legend(fontsize=8, ncols=2, loc="upper left")


def weight_space(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Mean-field VI brought to the compact posterior of HMC's draws."""
    for seed in seeds:
        p = posterior(setting, seed)
        sym = p.network.symmetry
        compact = compact_posterior(
            {n: v.reshape(-1, *v.shape[2:]) for n, v in p.draws.items()}, sym
        )
        found = compare_gaussians(p.vi, (compact.loc, compact.scale), sym)
        figures: Figures = {}
        for site in ("w1", "w2"):
            own = found.sel(site=site)
            figures[f"distance before, {site}"] = float(own["distance_before"])
            figures[f"distance, {site}"] = float(own["distance"])
            figures[f"correlation of means, {site}"] = float(own["correlation"])
            figures[f"sd of VI / HMC, {site}"] = float(own["sd_ratio"])
        yield figures


def say_weights(rows: Rows) -> Verdict:
    told = []
    for setting in rows.settings():
        own = rows.of(**setting)
        told.append(
            f"{named(setting)}: means correlate {own.told('correlation of means, w1')}, "
            f"VI's deviations are {own.told('sd of VI / HMC, w1')} of HMC's"
        )
    parts, narrower = [], True
    for setting in rows.settings():
        own = rows.of(**setting)
        before, after = (own.mean(f"{name}, w1") for name in ("distance before", "distance"))
        parts.append(f"{before:.1f} to {after:.1f}")
        narrower &= float(own.mean("sd of VI / HMC, w1")) < 1
    why = f"Alignment takes the distance of the first layers from {', '.join(parts)}."
    why += " VI is narrower everywhere." if narrower else ""
    return Verdict("; ".join(told), "met", why)


def experiments(small: Grid, full: Grid) -> list[Experiment]:
    """On the draws that the other experiments use too."""
    return [
        Experiment(
            "compact",
            "The Gaussian of aligned draws is close to the posterior, and that of the draws as "
            "they are is not: agreement with HMC's predictions (and total variation).",
            run,
            small=small,
            full=full,
            says=says,
            draw=draw,
        ),
        Experiment(
            "weight_space",
            "Aligned, VI and HMC can be compared in weight space.",
            weight_space,
            small=small,
            full=full,
            says=say_weights,
        ),
    ]
