"""Laurent, Aldea and Franchi 2024, *A symmetry-aware exploration of Bayesian neural network
posteriors*, arXiv 2310.08287: checkpoints. Their comparison of posteriors is in ``p4_posteriors``.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.stats import kurtosis, spearmanr

from numpyro_sym import Element
from numpyro_sym.alignment import align, minimum_mass
from numpyro_sym.diagnostics import mutual_information

from .checkpoints import NETWORKS, Network, Recipe, begin, mlp, probabilities, trained
from .data import digits
from .frame import Experiment, Figures, Grid, Paper, Rows, Setting, Verdict
from .p4_posteriors import POSTERIORS

RECIPES = {"MLP 64-32-16-10": Recipe(), "CNN 4-8": Recipe(steps=400, rate=0.1, batch=32)}
STAGES = ("raw", "permutations", "scales too")
#: Seed of the network to which all others are aligned.
REFERENCE = 10**6


@lru_cache(maxsize=8)
def checkpoints(name: str, number: int, seed: int) -> dict[str, np.ndarray]:
    return trained(NETWORKS[name], seed, number, RECIPES[name])


@lru_cache(maxsize=8)
def shuffled(name: str, number: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Networks of the reference's start, before and after a random order and random scales."""
    network = NETWORKS[name]
    near = trained(network, seed, number, RECIPES[name], start=start(name))
    plain, scaled = network.symmetry("permutation"), network.symmetry("scaled")
    moved = plain.act(plain.sample(jax.random.key(seed), (number,)), near)
    rng = np.random.default_rng(seed)
    scales = {
        u.name: Element(np.tile(np.arange(u.n), (number, 1)), rng.lognormal(0, 0.5, (number, u.n)))
        for u in scaled
    }
    return near, {site: np.asarray(w) for site, w in scaled.act(scales, moved).items()}


def start(name: str) -> dict[str, np.ndarray]:
    one = begin(NETWORKS[name], np.random.default_rng(REFERENCE), 1)
    return {site: w[0] for site, w in one.items()}


@lru_cache(maxsize=4)
def reference(name: str) -> dict[str, np.ndarray]:
    one = trained(NETWORKS[name], REFERENCE, 1, RECIPES[name], start=start(name))
    return {site: w[0] for site, w in one.items()}


def aligned(network: Network, weights: Any, to: Any) -> dict[str, Any]:
    return align(weights, to, network.symmetry("permutation")).sites


def lightest(network: Network, weights: Any, lead: int = 1) -> dict[str, Any]:
    """All scales at least mass."""
    return minimum_mass(weights, network.symmetry("scaled"), sample_ndim=lead).sites


def spread(weights: np.ndarray) -> float:
    """The share of the second moment that is variance: 1 where the mean says nothing."""
    return float(weights.var(0).sum() / np.square(weights).mean(0).sum())


def marginals(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """What each weight's distribution over networks is, before and after.

    Networks of one start, shuffled, are the control: what alignment has to find is known.
    """
    network, to = NETWORKS[setting["network"]], reference(setting["network"])
    test = digits()
    for seed in seeds:
        which = setting["network"], setting["networks"], seed
        if setting["starts"] == "own":
            raw = checkpoints(*which)
        else:
            unshuffled, raw = shuffled(*which)
        moved = aligned(network, raw, to)
        stages = dict(zip(STAGES, (raw, moved, lightest(network, moved)), strict=True))
        best = probabilities(network, raw, test.x_test).argmax(-1)
        figures: Figures = {"accuracy": (best == test.y_test).mean()}
        for site in ("w1", "w2", "w3"):
            figures |= {f"{site} {stage}": spread(w[site]) for stage, w in stages.items()}
        for stage, w in stages.items():
            figures[f"kurtosis {stage}"] = kurtosis(w["w2"], 0).mean()
        # By permutations in the gauge of least mass, where scales have no part in what is near.
        first = aligned(network, lightest(network, raw), lightest(network, to, 0))
        figures["w2 scales first"] = spread(first["w2"])
        if setting["starts"] != "own":
            figures["w2 before shuffling"] = spread(lightest(network, unshuffled)["w2"])
        yield figures | histograms(stages)


def histograms(stages: dict[str, Any]) -> Figures:
    """Of the weight of layer 2 that alignment tells most of."""
    moved = stages["permutations"]["w2"]
    told = np.abs(moved.mean(0)) / moved.std(0)
    at = np.unravel_index(told.argmax(), told.shape)
    edges = np.linspace(-2, 2, 41)
    out = {"edges": list(edges)}
    for stage, w in stages.items():
        out[f"density {stage}"] = list(np.histogram(w["w2"][:, *at], edges, density=True)[0])
    return out


def say_marginals(rows: Rows) -> Verdict:
    got = []
    for setting in rows.of(starts="own").settings():
        own = rows.of(**setting)
        number = setting["networks"] * len(own)
        raw, permuted, scaled = (own.told(f"w2 {stage}") for stage in STAGES)
        got.append(
            f"{number} of {setting['network']}: of layer 2's second moment {raw} is variance as "
            f"they come, {permuted} without permutations, {scaled} without scales too"
        )
    control = rows.of(starts="one, shuffled")
    why = (
        "What is left is no symmetry that was not found: of networks of one start, shuffled and "
        f"rescaled, {control.told('w2 scales first')} is left, and "
        f"{control.told('w2 before shuffling')} before they were shuffled"
    )
    return Verdict("; ".join(got), "met", why)


def draw_marginals(ax: Any, rows: Rows) -> None:
    own = rows.of(**rows.settings()[0])
    edges = own.mean("edges")
    middle = (edges[1:] + edges[:-1]) / 2
    for stage in STAGES:
        ax.step(middle, own.mean(f"density {stage}"), where="mid", label=stage)
    ax.set(xlabel="one weight of layer 2", ylabel="density", title="Marginals of checkpoints")
    ax.legend(frameon=False)


def diversity(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Mutual information of every two networks' predictions, and how far apart they are."""
    name = "MLP 64-32-16-10"
    network, test = NETWORKS[name], digits()
    rng = np.random.default_rng(0)
    inputs = {
        "digits": test.x_test,
        "pixels in another order": test.x_test[:, rng.permutation(64)],
        "noise": rng.normal(size=test.x_test.shape).astype(np.float32),
    }
    number = setting["networks"]
    pairs = np.triu_indices(number, 1)
    for seed in seeds:
        raw = checkpoints(name, number, seed)
        shared = mutual_information(probabilities(network, raw, inputs[setting["inputs"]]))[pairs]
        figures = {"nats": shared.mean(), "least of all pairs": shared.min()}
        moved = aligned(network, raw, reference(name))
        for stage, w in (("raw", raw), ("aligned", moved)):
            flat = np.concatenate([w[site].reshape(number, -1) for site in network.shapes], 1)
            square = np.square(flat).sum(1)
            far = (square[:, None] + square - 2 * flat @ flat.T)[pairs]
            figures[f"rank correlation with distance, {stage}"] = spearmanr(far, shared)[0]
        yield figures


def say_diversity(rows: Rows) -> Verdict:
    known, noise = rows.of(inputs="digits"), rows.of(inputs="noise")
    least = known.mean("least of all pairs") / known.mean("nats")
    got = (
        f"{known.told('nats')} nats on digits, {noise.told('nats')} on noise; the two nearest "
        f"networks still have {least:.2f} of the mean"
    )
    return Verdict(got, "met" if least > 0.1 else "not met")


def masses(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Sums of squares along training, and the least that scales could make of them."""
    network = mlp(32, 16)
    recipe = Recipe(steps=setting["steps"], decay=setting["weight decay"], rate=setting["rate"])
    kept = 20
    along = trained(network, 2 * REFERENCE, max(seeds) + 1, recipe, kept=kept)
    mass, least = (
        sum(np.square(w[site]).reshape(*w[site].shape[:2], -1).sum(-1) for site in network.shapes)
        for w in (along, lightest(network, along, 2))
    )
    apart = imbalance(along)
    for seed in seeds:
        # Gradient flow takes off what differs at this rate: gradients leave it as it is.
        flow = (kept - 1) / kept * recipe.steps * recipe.rate / (1 - recipe.momentum)
        yield {
            "mass": mass[seed, -1],
            "least mass": least[seed, -1],
            "above the least": mass[seed, -1] / least[seed, -1] - 1,
            "imbalance left": apart[seed, -1] / apart[seed, 0],
            "by gradient flow": np.exp(-2 * recipe.decay * flow),
            "ratios": list(mass[seed] / least[seed] - 1),
        }


def imbalance(along: dict[str, np.ndarray]) -> np.ndarray:
    """Squares that come into a unit less those that leave it, absolute, summed over units."""
    total = np.zeros(along["w1"].shape[:2])
    for layer in (1, 2):
        coming = np.square(along[f"w{layer}"]).sum(-2) + np.square(along[f"b{layer}"])
        leaving = np.square(along[f"w{layer + 1}"]).sum(-1)
        total += np.abs(coming - leaving).sum(-1)
    return total


def say_masses(rows: Rows) -> Verdict:
    got = []
    for setting in rows.settings():
        own = rows.of(**setting)
        got.append(
            f"weight decay {setting['weight decay']:g} at rate {setting['rate']:g}: "
            f"{own.told('above the least')}"
        )
    usual, strong = (rows.of(**{"weight decay": d, "rate": 0.05}) for d in (5e-4, 5e-3))
    slow = rows.of(**{"weight decay": 5e-3, "rate": 0.01})
    why = (
        "Gradient flow leaves what comes into a unit less what leaves it as it is, and weight "
        "decay takes it off at twice its own rate: at 5e-4 to "
        f"{float(usual.mean('by gradient flow')):.2g} of the start, found "
        f"{usual.told('imbalance left')}. So it depends on how long training is, and where "
        "it is long, on the noise of steps, which makes imbalance anew: "
        f"{strong.told('imbalance left')} are left at rate .05, {slow.told('imbalance left')} in "
        "steps a fifth as long"
    )
    told = "; ".join(got)
    return Verdict(f"mass above the least, relative to it: {told}", "partly", why)


def draw_masses(ax: Any, rows: Rows) -> None:
    for setting in rows.settings():
        own = rows.of(**setting)
        ratios = own.mean("ratios")
        steps = setting["steps"] * np.arange(1, len(ratios) + 1) / len(ratios)
        ax.plot(steps, ratios, label=f"{setting['weight decay']:g}, {setting['rate']:g}")
    ax.set(yscale="log", xlabel="step", ylabel="mass above the least, relative", title="Mass")
    ax.legend(frameon=False, title="weight decay, rate", fontsize=8)


def cost(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Of aligning unrelated networks to one: processor time, and memory at its peak."""
    width, number = setting["width"], setting["networks"]
    network = mlp(width, width)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        draws = {
            site: rng.normal(size=(number + 1, *shape)).astype(np.float32) / np.sqrt(shape[0])
            for site, shape in network.shapes.items()
        }
        tracemalloc.start()
        start = time.process_time()
        aligned(network, {s: w[1:] for s, w in draws.items()}, {s: w[0] for s, w in draws.items()})
        seconds = time.process_time() - start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = sum(w.nbytes for w in draws.values())
        yield {"seconds": seconds, "MB": peak / 1e6, "times the draws": peak / size}


def growth(rows: Rows, by: str, **held: Any) -> tuple[float, float]:
    """Exponents of time and memory."""
    own = rows.of(**held)
    sizes = [s[by] for s in own.settings()]
    slopes = []
    for figure in ("seconds", "MB"):
        means = [float(own.of(**{by: size}).mean(figure)) for size in sizes]
        slopes.append(float(np.polyfit(np.log(sizes), np.log(means), 1)[0]))
    return slopes[0], slopes[1]


def say_cost(rows: Rows) -> Verdict:
    most = max(s["networks"] for s in rows.settings())
    widest = max(s["width"] for s in rows.settings())
    few = rows.of(width=widest).settings()[0]["networks"]
    number, width = growth(rows, "networks", width=32), growth(rows, "width", networks=few)
    large, wide = rows.of(networks=most), rows.of(width=widest)
    got = (
        f"{most} of width 32 in {large.told('seconds')} s and {large.told('MB')} MB; time and "
        f"memory grow as the number to the {number[0]:.2f} and {number[1]:.2f}, as the width to "
        f"the {width[0]:.2f} and {width[1]:.2f}; {few} of width {widest} take "
        f"{wide.told('seconds')} s"
    )
    return Verdict(got, "met")


def sizes(numbers: Sequence[int], widths: Sequence[int], few: int) -> list[Setting]:
    several = [{"width": 32, "networks": n} for n in numbers]
    return several + [
        {"width": w, "networks": few} for w in widths if w != 32 or few not in numbers
    ]


def of_starts(*networks: tuple[str, int]) -> list[Setting]:
    own = [{"network": name, "networks": n, "starts": "own"} for name, n in networks]
    return [*own, {**own[0], "networks": 100, "starts": "one, shuffled"}]


def by_decay(decays: Sequence[float], steps: int) -> list[Setting]:
    """And the strongest in steps a fifth as long, as many more of them."""
    several = [{"weight decay": d, "rate": 0.05, "steps": steps} for d in decays]
    return [*several, {**several[-1], "rate": 0.01, "steps": 5 * steps}]


MLP, CNN = NETWORKS
INPUTS = ("digits", "pixels in another order", "noise")

PAPER = Paper(
    "P4. Laurent, Aldea and Franchi 2024: checkpoints without their symmetries",
    [
        Experiment(
            "marginals",
            "Thousands of checkpoints, permutations and scales removed: marginals of weights that "
            "symmetries had blurred come apart.",
            marginals,
            small=Grid(of_starts((MLP, 100)), 4),
            full=Grid(of_starts((MLP, 500), (CNN, 250)), 4),
            says=say_marginals,
            draw=draw_marginals,
        ),
        *POSTERIORS,
        Experiment(
            "diversity",
            "Independent trainings do not collapse to one function, by pairwise mutual "
            "information; farther from the data they differ more.",
            diversity,
            small=Grid([{"inputs": i, "networks": 100} for i in INPUTS], 4),
            full=Grid([{"inputs": i, "networks": 500} for i in INPUTS], 4),
            says=say_diversity,
        ),
        Experiment(
            "mass",
            "Training with weight decay does not bring networks to their least mass over scales.",
            masses,
            small=Grid(by_decay((0.0, 5e-4, 5e-3), 800), 10),
            full=Grid(by_decay((0.0, 1e-4, 5e-4, 5e-3), 4000), 10),
            says=say_masses,
            draw=draw_masses,
        ),
        Experiment(
            "cost",
            "(asked by their reviewers) Thousands of networks are aligned in reasonable time.",
            cost,
            small=Grid(sizes((50, 100, 200), (16, 64), 50), 2),
            full=Grid(sizes((50, 200, 500, 1000, 2000), (16, 32, 64, 128), 50), 3),
            says=say_cost,
        ),
    ],
)
