"""Why the barrier of convolutional networks stays: one thing changed at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from .convolutions import cnn
from .data import digits
from .frame import Experiment, Figures, Grid, Rows, Setting, Verdict
from .gaussians import barrier, fit, of_seed
from .networks import Network
from .p1_ways import by_means, moved, way

#: Random orders from which the match begins anew.
STARTS = 40
#: What is changed -> steps and channels, as multiples of the setting's.
TRAINED = {
    "nothing": {},
    "same start": {},
    "4 times the steps": {"steps": 4},
    "twice the channels": {"channels": 2},
    "temperature 1": {},
}


def run(setting: Setting, seeds: Sequence[int], data: Path | None) -> Iterable[Figures]:
    """A pair of networks a seed; the best of many matches by its distance and by its barrier."""
    split, changed = digits(), setting["changed"]
    times = TRAINED[changed]
    network = cnn(setting["channels"] * times.get("channels", 1))
    each = [network_seed for seed in seeds for network_seed in (2 * seed, 2 * seed + 1)]
    many = fit(
        network,
        split,
        each,
        steps=setting["steps"] * times.get("steps", 1),
        temperature=1.0 if changed == "temperature 1" else 0.0,
        starts=[2 * (seed // 2) for seed in each] if changed == "same start" else None,
    )
    for index, seed in enumerate(seeds):
        start, end = of_seed(many, 2 * index), of_seed(many, 2 * index + 1)
        raw = way(network, start, end, split)
        once = moved(network, end, by_means(network, start, end))
        found = way(network, start, once, split)
        figures: Figures = {
            "NLL at an end": max(raw["nll"][0], raw["nll"][-1]),
            "barrier, as trained": barrier(raw["nll"]),
            "barrier, aligned": barrier(found["nll"]),
        }
        if changed == "nothing":
            figures |= best_of_many(network, start, end, split, seed)
        yield figures


def best_of_many(network: Network, start: Any, end: Any, data: Any, seed: int) -> Figures:
    """Matches that begin at random orders of the channels."""
    sym = network.symmetry
    far, barriers = [], []
    for key in jax.random.split(jax.random.key(seed), STARTS):
        there = moved(network, end, sym.sample(key))
        there = moved(network, there, by_means(network, start, there, starts=("identity",)))
        far.append(sum(np.square(there[0][n] - start[0][n]).sum() for n in sym.sites))
        barriers.append(barrier(way(network, start, there, data)["nll"]))
    once = moved(network, end, by_means(network, start, end))
    own = sum(np.square(once[0][n] - start[0][n]).sum() for n in sym.sites)
    return {
        "distance, best of many / ours": min(far) / own,
        "barrier of the nearest of many": barriers[int(np.argmin(far))],
        "least barrier of many": min(barriers),
    }


def says(rows: Rows) -> Verdict:
    """A reason is one that takes half of the barrier."""
    plain = rows.of(changed="nothing")
    nearest = "barrier of the nearest of many"
    whole = float(plain.mean("barrier, aligned"))
    each = {f"the match (the nearest of {STARTS} random starts)": (plain, nearest)}
    each[f"the match (the lowest barrier of {STARTS})"] = (plain, "least barrier of many")
    for setting in rows.settings():
        if setting["changed"] != "nothing":
            each[setting["changed"]] = (rows.at(setting), "barrier, aligned")
    yes, no = [], []
    for name, (own, figure) in each.items():
        kind = yes if float(own.mean(figure)) < whole / 2 else no
        kind.append(f"{name}: {own.told(figure)}")
    got = f"CNN x 16, Adam: {plain.told('barrier, as trained')} falls to "
    got += f"{plain.told('barrier, aligned')} (nats an image)"
    why = f"Half of it or more goes with {'; '.join(yes) or 'none of these'}."
    why += f" It stays with {'; '.join(no)}." if no else ""
    found = plain.told("distance, best of many / ours")
    why += f" No start comes nearer than the one match: {found} of its distance."
    return Verdict(got, "explained" if yes else "not explained", why)


def grid(steps: int, seeds: int) -> Grid:
    return Grid([{"channels": 16, "steps": steps, "changed": c} for c in TRAINED], seeds)


EXPERIMENT = Experiment(
    "barrier_channels",
    "(Why does the barrier of a CNN stay? Digits.)",
    run,
    small=grid(500, 2),
    full=grid(500, 4),
    says=says,
)
