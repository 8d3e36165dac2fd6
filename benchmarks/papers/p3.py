"""Wiese et al. 2023, *Towards efficient MCMC sampling in Bayesian neural networks by exploiting
symmetry*, arXiv 2304.02902. Networks and samplers are in ``p3_chains``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import numpyro_sym as nsym
from numpyro_sym.alignment import remove_symmetry
from numpyro_sym.diagnostics import chains_needed, functional_modes, modes_seen

from .data import uci
from .frame import Experiment, Figures, Grid, NoData, Paper, Rows, Setting, Verdict
from .p3_chains import begin, best_ends, langevin, log_densities, nuts
from .pictures import widths_below

#: Test LPPD that they report, of all chains and of one, with one layer of 3 (f1) and three of 16.
THEIRS = {
    "sinusoidal": {"f1": (-0.53, -0.56), "f2": (-0.59, -0.59)},
    "izmailov": {"f1": (0.79, 0.65), "f2": (0.91, 0.91)},
    "regression2d": {"f1": (0.64, 0.75), "f2": (0.95, 0.95)},
    "diabetes": {"f1": (-1.20, -1.20), "f2": (-1.18, -1.22)},
    "yacht": {"f1": (1.90, 1.29), "f2": (3.31, 0.15)},
    "forest_fire": {"f1": (-1.37, -1.37), "f2": (-1.43, -1.69)},
    "energy": {"f1": (0.92, 0.69), "f2": (2.07, 2.38)},
    "concrete": {"f1": (-0.41, -0.44), "f2": (0.26, 0.25)},
    "airfoil": {"f1": (-0.74, -0.80), "f2": (0.92, 0.72)},
}
UNSEEN = "chance that one more chain finds another"
#: What counts as theirs.
WITHIN = 0.02


@lru_cache(maxsize=1)
def of_one_layer(name: str, data: Path | None, seed: int, chains: int) -> Any:
    split = uci(name, data)
    return nuts([3], split, seed, begin([3], split, seed, chains, 1.0))


def f1(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Short chains of NUTS from draws of the prior, as theirs."""
    split = uci(setting["set"], data)
    for seed in seeds:
        draws = of_one_layer(setting["set"], data, seed, setting["chains"])
        yield compared([3], draws, split, THEIRS[setting["set"]]["f1"][0])


def f1_longer(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """The same chains with trajectories four times as long and twice the warm-up."""
    split = uci(setting["set"], data)
    for seed in seeds:
        start = begin([3], split, seed, setting["chains"], 1.0)
        draws = nuts([3], split, seed, start, setting["warm-up"], setting["tree depth"])
        yield compared([3], draws, split, THEIRS[setting["set"]]["f1"][0])


def f1_best(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """The same chains in modes of high density alone."""
    split = uci(setting["set"], data)
    for seed in seeds:
        start = best_ends([3], split, seed, setting["chains"])
        longer = setting.get("warm-up", 300), setting.get("tree depth", 6)
        draws = nuts([3], split, seed, start, *longer)
        yield compared([3], draws, split, THEIRS[setting["set"]]["f1"][0])


def f2(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Chains of microcanonical Langevin steps from ends of Adam."""
    try:
        import blackjax  # noqa: F401
    except ImportError:
        raise NoData("it needs BlackJAX") from None
    split = uci(setting["set"], data)
    widths = [16, 16, 16]
    for seed in seeds:
        draws, start = langevin(widths, split, seed, setting["chains"], setting["steps"])
        figures = compared(widths, draws, split, THEIRS[setting["set"]]["f2"][0])
        ends = log_densities(widths, {name: w[:, None] for name, w in start.items()}, split, "test")
        noise = np.exp(np.asarray(draws["log noise"]))
        yield figures | {
            "starts alone": lppd(ends) + unit(split),
            "noise": np.median(noise),
            "noise, first fifth of the draws": np.median(noise[:, :4]),
        }


def compared(widths: Sequence[int], draws: Any, split: Any, theirs: float) -> Figures:
    """LPPD of so many chains, in the unit of theirs, and the functional modes that they show."""
    test = log_densities(widths, draws, split, "test")
    chains = len(test)
    known = log_densities(widths, draws, split, "train")
    modes = functional_modes(known, by="chain")
    share = np.bincount(modes.label) / chains
    rng = np.random.default_rng(0)
    figures: Figures = {}
    for count in (n for n in (1, 4, 16, 64, 256) if n < chains):
        some = [rng.choice(chains, count, replace=False) for _ in range(64)]
        figures[chains_of(count)] = np.mean([lppd(test[s]) for s in some]) + unit(split)
    whole = lppd(test)
    without = [lppd(np.delete(test, i, 0)) for i in range(chains)]
    return figures | {
        chains_of(chains): whole + unit(split),
        "its error over chains": np.std(without) * (chains - 1) ** 0.5,
        "theirs": theirs,
        "spread of single chains": np.std([lppd(one[None]) for one in test]),
        "settled chains": modes.settled.mean(),
        "modes": modes.num_modes,
        UNSEEN: modes_seen(modes.label).unseen,
        "chains needed for the modes seen": chains_needed(probabilities=share),
        "less theirs": whole + unit(split) - theirs,
    }


def chains_of(count: int) -> str:
    return f"LPPD, {count} chains" if count > 1 else "LPPD, 1 chain"


def lppd(log_density: np.ndarray) -> float:
    """Of log densities ``(chain, draw, row)``, every draw of equal weight."""
    flat = log_density.reshape(-1, log_density.shape[-1])
    return float((np.logaddexp.reduce(flat, 0) - np.log(len(flat))).mean())


def unit(split: Any) -> float:
    """Their targets are standardized by all rows, ours by the training rows."""
    return float(np.log(np.concatenate([split.y, split.y_test]).std()))


def spectral(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """Clusters of the draws of all chains: as they come, without symmetries, and by predictions."""
    sym = nsym.mlp(["w1", "w2"], [3], biases=["b1", None], kind="signed")
    sites = ("w1", "b1", "w2")
    for seed in seeds:
        draws = of_one_layer(setting["set"], data, seed, setting["chains"])
        draws = {name: np.asarray(w) for name, w in draws.items()}
        removed = remove_symmetry({n: draws[n] for n in sites}, sym, sample_ndim=2).sites
        known = log_densities([3], draws, uci(setting["set"], data), "train")
        features = {
            "as they come": flat([draws[n] for n in sites]),
            "symmetries removed": flat([removed[n] for n in sites]),
            "by predictions": known,
        }
        found = {name: functional_modes(x) for name, x in features.items()}
        figures: Figures = {f"modes {n}": len(m.weights) for n, m in found.items()}
        figures |= {f"largest {n}": m.weights.max() for n, m in found.items()}
        # One draw in five for the picture: bias and outgoing weight of every unit.
        some = slice(None, None, 5)
        labels = found["by predictions"].labels.ravel()[some]
        for name, w in (("raw", draws), ("removed", removed)):
            figures[f"b1 {name}"] = list(w["b1"].reshape(-1, 3)[some].ravel())
            figures[f"w2 {name}"] = list(w["w2"].reshape(-1, 3)[some].ravel())
        yield figures | {"labels": list(np.repeat(labels, 3))}


def flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """``(chain, draw, all entries)``."""
    return np.concatenate([np.reshape(w, (*w.shape[:2], -1)) for w in arrays], -1)


def say_spectral(rows: Rows) -> Verdict:
    told = []
    for name in ("as they come", "symmetries removed", "by predictions"):
        told.append(f"{name} {float(rows.mean(f'modes {name}')):.0f}")
    got = f"modes by spectral clustering: {', '.join(told)}"
    if rows.mean("modes symmetries removed") == rows.mean("modes by predictions"):
        return Verdict(got, "met")
    why = "Removal without a reference leaves copies of a mode apart that predict the same"
    return Verdict(got, "partly", why)


def draw_spectral(ax: Any, rows: Rows) -> None:
    labels = rows.mean("labels")
    ax.scatter(rows.mean("b1 raw"), rows.mean("w2 raw"), s=2, color="0.85", label="as they come")
    x, y = rows.mean("b1 removed"), rows.mean("w2 removed")
    for label in np.unique(labels)[:6]:
        own = labels == label
        ax.scatter(x[own], y[own], s=3, label=f"mode {label:.0f}")
    ax.set(xlabel="bias of a unit", ylabel="outgoing weight", title="izmailov: spectral modes")
    ax.legend(frameon=False, fontsize=8, markerscale=3)


def say(rows: Rows) -> Verdict:
    reached, missed, why = [], [], []
    for setting in rows.settings():
        own = rows.at(setting)
        short = float(own.mean("less theirs"))
        error = float(own.mean("its error over chains"))
        told = f"{named(setting)} {short:+.3f} ± {error:.3f}"
        if short >= -WITHIN:
            reached.append(told)
        else:
            missed.append(told)
            why.append(reason(setting, own))
    chains = sorted({setting["chains"] for setting in rows.settings()})
    got = f"ours less theirs, {' or '.join(map(str, chains))} chains: "
    got += f"{', '.join([*reached, *missed])}; at theirs or above, within {WITHIN}, "
    got += f"on {len(reached)} of {len(reached) + len(missed)}"
    met = "partly" if missed and reached else "not met" if missed else "met"
    return Verdict(got, met, "; ".join(why))


def say_best(rows: Rows) -> Verdict:
    """What is reached here and was not from the prior was a matter of the modes' weights."""
    found = say(rows)
    there = [s for s in rows.settings() if float(rows.at(s).mean("less theirs")) >= -WITHIN]
    if not there:
        return found
    names = ", ".join(named(setting) for setting in there)
    told = f"{names}: theirs once chains in poor modes, which count like any other, are left out"
    return found._replace(why="; ".join([told, found.why]) if found.why else told)


def named(setting: Setting) -> str:
    """As the page says it."""
    return f"{setting['set']}, longer" if "warm-up" in setting else setting["set"]


def reason(setting: Setting, own: Rows) -> str:
    """What the chains themselves say of a miss."""
    name, modes = named(setting), float(own.mean("modes"))
    unseen, spread = float(own.mean(UNSEEN)), float(own.mean("spread of single chains"))
    if "noise" in own.figures():
        first, whole = (float(own.mean(n)) for n in ("noise, first fifth of the draws", "noise"))
        if abs(np.log(whole / first)) > 0.08:
            return (
                f"{name}: chains are too short, their noise still goes from {first:.3g} "
                f"to {whole:.3g}"
            )
    if modes == 1 and spread > 0.1:
        return (
            f"{name}: no two chains are told apart, yet single ones spread by "
            f"{spread:.2f} on test rows: they are too short to be told apart"
        )
    if modes == 1:
        return (
            f"{name}: not for want of chains, all are in one mode and single ones spread by "
            f"{spread:.3f}; not explained"
        )
    if unseen > 0.2:
        return (
            f"{name}: modes are missing, {modes:.0f} are counted and one more chain finds "
            f"another with a chance of {unseen:.2f} (or chains that have not settled: with longer "
            "chains it counts fewer)"
        )
    return (
        f"{name}: {modes:.0f} modes, all seen (one more chain finds another with a chance of "
        f"{unseen:.2f}), single chains spread by {spread:.2f}: it is the weights of modes, or the "
        "length of chains"
    )


def draw(ax: Any, rows: Rows) -> None:
    shown: set[int] = set()
    for setting in rows.settings():
        own = rows.at(setting)
        counts = [n for n in (1, 4, 16, 64, 256) if n <= setting["chains"]]
        shown.update(counts)
        means = np.array([float(own.mean(chains_of(n))) for n in counts])
        ax.plot(counts, means - own.mean("theirs"), "o-", label=named(setting))
    ax.axhline(0, color="gray", lw=0.8)
    widths_below(ax, shown, "chains")
    ax.set(ylabel="LPPD less theirs")
    ax.legend(frameon=False, fontsize=8, ncols=2, columnspacing=1, loc="lower right")


def draw_f1(ax: Any, rows: Rows) -> None:
    draw(ax, rows)
    ax.set(title="One layer of 3", ylim=(-0.6, 0.2))


def draw_f2(ax: Any, rows: Rows) -> None:
    draw(ax, rows)
    ax.set(title="Three layers of 16")


SETS = tuple(THEIRS)
#: Below theirs with chains from the prior, in several modes.
MISSED = ("izmailov", "yacht")
#: Those of few enough rows for three layers on two cores.
DEEP = ("izmailov", "regression2d", "yacht", "diabetes", "forest_fire", "sinusoidal")

PAPER = Paper(
    "P3. Wiese et al. 2023: many short chains, symmetries removed",
    [
        Experiment(
            "f1",
            "Test LPPD of one tanh layer of 3 on nine sets; more short chains see more modes.",
            f1,
            small=Grid([{"set": "sinusoidal", "chains": 16}], 1),
            full=Grid([{"set": s, "chains": 64} for s in SETS], 1),
            says=say,
            draw=draw_f1,
        ),
        Experiment(
            "f1_longer",
            "The same with longer chains: is it the number of chains that is missing, or their "
            "length?",
            f1_longer,
            small=Grid([{"set": "sinusoidal", "chains": 4, "warm-up": 100, "tree depth": 7}], 1),
            full=Grid(
                [{"set": s, "chains": 64, "warm-up": 600, "tree depth": 8} for s in MISSED], 1
            ),
            says=say,
        ),
        Experiment(
            "f1_best",
            "The same where chains start at the best quarter of Adam's ends: what equal weights "
            "of all chains, good modes and bad, cost.",
            f1_best,
            small=Grid([{"set": "sinusoidal", "chains": 16}], 1),
            full=Grid(
                [
                    *({"set": s, "chains": 64} for s in (*MISSED, "energy")),
                    {"set": "yacht", "chains": 64, "warm-up": 600, "tree depth": 8},
                ],
                1,
            ),
            says=say_best,
        ),
        Experiment(
            "spectral",
            "Without symmetries, draws of izmailov show their functional modes: spectral clusters.",
            spectral,
            small=Grid([{"set": "izmailov", "chains": 16}], 1),
            full=Grid([{"set": "izmailov", "chains": 64}], 1),
            says=say_spectral,
            draw=draw_spectral,
        ),
        Experiment(
            "f2",
            "The same of three tanh layers of 16, where theirs needs many chains: yacht 3.31, "
            "one chain .15.",
            f2,
            small=Grid([{"set": s, "chains": 8, "steps": 1500} for s in DEEP], 1),
            full=Grid([{"set": s, "chains": 8, "steps": 3000} for s in DEEP], 1),
            says=say,
            draw=draw_f2,
        ),
    ],
    notes="""
Their split, prior and noise; LPPD in the unit of theirs, whose targets were standardized by all
rows. One layer: NUTS from draws of the prior, 300 of warm-up and 16 draws a chain, where theirs are
longer and 1,274. Three layers: microcanonical Langevin steps (BlackJAX) from ends of Adam with the
noise held at .2. With the noise free, Adam ends where the network goes through every row and the
noise is gone, and chains that begin there stay there.
""",
)
