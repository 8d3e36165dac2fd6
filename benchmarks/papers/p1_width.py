"""The barrier against width, depth, temperature and data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .convolutions import cnn, resnet
from .data import images
from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .gaussians import fit
from .guides import fit_guide, gaussian_of
from .networks import Network, dense
from .p1_ways import pairs
from .pictures import widths_below

TEMPERATURE = {"Adam": 0.0, "SVI, T = .01": 0.01, "SVI, T = .1": 0.1, "SVI": 1.0}
SYMMETRIZED = "SVI, symmetrized guide"
NEARLY_ZERO = 0.01  # nats an image


def run(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """A pair of networks a seed."""
    split = images(setting["data"], data)
    network = network_of(setting, split.x.shape[1])
    each = [network_seed for seed in seeds for network_seed in (2 * seed, 2 * seed + 1)]
    if setting["trained by"] == SYMMETRIZED:
        params = fit_guide(network, split, each, True, setting["steps"])
        return pairs(network, gaussian_of(network, params), split)
    temperature = TEMPERATURE[setting["trained by"]]
    many = fit(network, split, each, steps=setting["steps"], temperature=temperature)
    return pairs(network, many, split)


def network_of(setting: Setting, inputs: int) -> Network:
    """``layers`` is a number, "CNN" or "ResNet"."""
    width, layers = setting["width"], setting["layers"]
    if layers == "CNN":
        return cnn(width)
    if layers == "ResNet":
        return resnet(width)
    return dense(inputs, width, layers)


def says(rows: Rows) -> Verdict:
    """Each way of training at its best network."""
    told, reached = [], {}
    for how in TEMPERATURE:
        own = rows.of(**{"trained by": how})
        if not len(own):
            continue
        best = min(own.settings(), key=lambda s: own.of(**s).mean("barrier, means"))
        there = own.of(**best)
        reached[how] = float(there.mean("barrier, means")) <= NEARLY_ZERO
        told.append(
            f"{how}: {there.told('barrier, as trained')} falls to {there.told('barrier, means')}"
            f" ({best['data']}, {best['layers']} x {best['width']})"
        )
    cold = [how for how, yes in reached.items() if yes]
    why = "Of the barrier of SVI at temperature 1 about a tenth stays: experiment 2 tells why."
    if cold:
        why += f" At most {NEARLY_ZERO} nat an image: {', '.join(cold)}."
    met = "met" if reached.get("SVI") else "partly" if cold else "not met"
    return Verdict("; ".join(told) + " (nats an image)", met, why)


def say_networks(rows: Rows) -> Verdict:
    """Each network, as trained and aligned."""
    told, nearly = [], []
    for setting in rows.settings():
        own = rows.of(**setting)
        name = f"{setting['layers']} x {setting['width']}, {setting['trained by']}"
        raw, aligned = own.told("barrier, as trained"), own.told("barrier, means")
        told.append(f"{name}: {raw} falls to {aligned}")
        if float(own.mean("barrier, means")) <= NEARLY_ZERO:
            nearly.append(name)
    conv = [s for s in rows.settings() if isinstance(s["layers"], str)]
    widest, longest = (max((s[of] for s in conv), default=0) for of in ("width", "steps"))
    why = (
        f"At most {widest} channels and {longest} steps here; experiment 4 tells what mends it in "
        "the CNN."
    )
    return Verdict("; ".join(told) + " (nats an image)", "partly" if nearly else "not met", why)


def draw(ax: Any, rows: Rows) -> None:
    """One hidden layer on digits: dashed as trained, solid aligned."""
    digits = rows.of(data="digits", layers=1)
    for number, how in enumerate(TEMPERATURE):
        own = digits.of(**{"trained by": how})
        if not len(own):
            continue
        widths = sorted({s["width"] for s in own.settings()})
        for which, style in (("as trained", "--"), ("means", "-")):
            name = f"barrier, {which}"
            mean = [float(own.of(width=w).mean(name)) for w in widths]
            error = [float(own.of(width=w).error(name)) for w in widths]
            label = how if which == "means" else None
            ax.errorbar(
                widths,
                mean,
                error,
                ls=style,
                marker=".",
                color=f"C{number}",
                label=label,
                capsize=2,
            )
    ax.axhline(NEARLY_ZERO, color="gray", lw=0.8)
    widths_below(ax, (s["width"] for s in digits.settings()))
    ax.set_ylabel("barrier, nats an image")
    ax.set_yscale("symlog", linthresh=0.01, linscale=0.5)
    ax.set_ylim(0, None)
    ax.set_title("Digits, one layer: as trained (dashed), aligned", fontsize=10)
    ax.legend(fontsize=8)


def cells(
    data: str, layers: int | str, widths: Sequence[int], ways: Sequence[str], steps: int
) -> Any:
    """Settings, narrow ones first."""
    return [
        {"data": data, "layers": layers, "width": w, "trained by": how, "steps": steps}
        for w in widths
        for how in ways
    ]


BOTH = ("SVI", "SVI, T = .01")
THREE = ("Adam", *BOTH)
FULL = [
    *cells("digits", 1, (32, 128, 512), THREE, 2000),
    *cells("MNIST", 1, (128,), THREE, 2000),
    *cells("digits", 2, (32, 128), THREE, 2000),
    *cells("MNIST", 1, (512,), THREE, 2000),
    *cells("digits", 1, (16, 64, 256, 1024), THREE, 2000),
    *cells("digits", 1, (32, 128, 512), ("SVI, T = .1",), 2000),
    *cells("digits", 2, (256,), THREE, 2000),
    *cells("digits", 3, (32, 128), THREE, 2000),
    *cells("MNIST", 2, (128, 512), THREE, 2000),
    *cells("MNIST", 3, (512,), THREE, 2000),
]
SMALL = [
    *cells("digits", 1, (16, 64, 256), ("Adam", *BOTH), 1000),
    *cells("digits", 2, (64,), ("Adam", *BOTH), 1000),
]

OTHERS_FULL = [
    *cells("digits", "CNN", (16, 64), THREE, 2000),
    *cells("digits", "ResNet", (16, 64), THREE, 2000),
    *cells("digits", 1, (128,), (SYMMETRIZED,), 2000),
]
OTHERS_SMALL = [
    *cells("digits", "CNN", (16,), THREE, 500),
    *cells("digits", "ResNet", (16,), THREE, 500),
    *cells("digits", 1, (64,), (SYMMETRIZED,), 1000),
]

EXPERIMENTS = [
    Experiment(
        "barrier_width",
        "Two independently trained mean-field posteriors are linearly connected with nearly zero "
        "marginalized loss barrier once their units are aligned, in wide MLPs on images.",
        run,
        small=Grid(SMALL, 2),
        full=Grid(FULL, 3),
        says=says,
        draw=draw,
    ),
    Experiment(
        "barrier_networks",
        "It is nearly zero in convolutional networks with residuals, too. (And what does a "
        "symmetrized guide change?)",
        run,
        small=Grid(OTHERS_SMALL, 2),
        full=Grid(OTHERS_FULL, 3),
        says=say_networks,
    ),
]
