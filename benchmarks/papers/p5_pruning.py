"""Which weights of a trained network can go: by HMC's deviations, by its own weights' size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from numpyro_sym import align
from numpyro_sym.diagnostics import compact_posterior, pruning_curve

from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .p5_posterior import UNIT, named, posterior

SHARES = np.linspace(0, 0.9, 10)
RULES = ("HMC's sd", "HMC's sd / prior's", "|weight| / HMC's sd", "|weight|", "at random")


def run(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """A network trained with Adam, brought to the compact posterior, with a share of its weights
    set to zero.
    """
    for seed in seeds:
        p = posterior(setting, seed)
        sym = p.network.symmetry
        draws = {n: v.reshape(-1, *v.shape[2:]) for n, v in p.draws.items()}
        compact = compact_posterior(draws, sym)
        reference = {n: compact.loc[n] for n in sym.sites}
        own = {n: p.trained[n] for n in sym.sites}
        found = align(own, reference, sym, sample_ndim=0)
        trained = {**p.trained, **found.sites}
        loc, scale = ({n: part[n] for n in ("w1", "w2")} for part in (trained, compact.scale))
        rest = {n: trained[n] for n in ("b1", "b2")}
        x, y = jnp.asarray(p.data.x_test), jnp.asarray(p.data.y_test)

        def score(point: Any, logits: Any = p.network.logits, x: Any = x, y: Any = y) -> Any:
            return (logits(point, x).argmax(-1) == y).mean()

        rng = np.random.default_rng(seed)
        shrunk = {n: s / p.network.prior_sd(n) for n, s in scale.items()}
        noise = {n: rng.uniform(size=w.shape) for n, w in loc.items()}
        curves = {
            "HMC's sd": pruning_curve(score, loc, scale, SHARES, fixed=rest),
            "HMC's sd / prior's": pruning_curve(score, loc, shrunk, SHARES, fixed=rest),
            "|weight| / HMC's sd": pruning_curve(score, loc, scale, SHARES, by="snr", fixed=rest),
            "|weight|": pruning_curve(score, loc, scale, SHARES, by="magnitude", fixed=rest),
            "at random": pruning_curve(score, loc, noise, SHARES, fixed=rest),
        }
        figures: Figures = {"accuracy": float(curves["|weight|"].score[0])}
        for rule in RULES:
            figures[f"half pruned, {rule}"] = float(curves[rule].score[5])
        for rule in RULES:
            figures[f"curve, {rule}"] = curves[rule].score.tolist()
        yield figures


def measured(rows: Rows) -> list[str]:
    """Rules that the rows hold."""
    return [rule for rule in RULES if len(rows.values(f"curve, {rule}"))]


def says(rows: Rows) -> Verdict:
    told, holds = [], []
    for setting in rows.settings():
        own = rows.of(**setting)
        each = [f"{rule} {own.told('half pruned, ' + rule)}" for rule in measured(own)]
        told.append(f"{named(setting)}: {', '.join(each)}")
        by_sd, by_size = (float(own.mean(f"half pruned, {RULES[i]}")) for i in (0, 3))
        if by_sd >= by_size - 0.02:
            holds.append(named(setting))
    if holds:
        return Verdict("; ".join(told), "partly", f"As good as by size at {'; '.join(holds)}.")
    random = [float(rows.of(**s).mean("half pruned, at random")) for s in rows.settings()]
    by_sd = [float(rows.of(**s).mean("half pruned, HMC's sd")) for s in rows.settings()]
    worse = sum(a < b for a, b in zip(by_sd, random, strict=True))
    why = (
        f"At none of these; in {worse} of {len(by_sd)} it is worse than at random. Deviations "
        "over the prior's do not mend it, so the layers' scales are not the reason; over "
        "the deviation the weight itself is as good a rule as its size."
    )
    return Verdict("; ".join(told), "not met", why)


def draw(ax: Any, rows: Rows) -> None:
    """The widest network of the wide prior."""
    settings = rows.of(prior=UNIT).settings() or rows.settings()
    own = rows.of(**settings[-1])
    for number, rule in enumerate(measured(own)):
        mean, error = own.mean(f"curve, {rule}"), own.error(f"curve, {rule}")
        # The first two agree where all priors are alike: both are seen.
        width = 4 if number == 0 else 1.5
        ax.errorbar(SHARES, mean, error, lw=width, elinewidth=1.2, marker=".", label=rule)
    ax.set(xlabel="share of weights pruned", ylabel="test accuracy")
    ax.set_title(f"A trained network, {named(settings[-1])}")
    ax.legend(fontsize=8)


def experiment(small: Grid, full: Grid) -> Experiment:
    """On the draws that the other experiments use too."""
    return Experiment(
        "pruning",
        "A network trained without Bayes can be pruned by HMC's standard deviations, largest "
        "first: test accuracy with half of the weights gone.",
        run,
        small=small,
        full=full,
        says=says,
        draw=draw,
    )
