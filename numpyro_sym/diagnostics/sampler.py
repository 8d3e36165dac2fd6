"""What the sampler itself reports: divergences, trees cut short, energies, numbers that
are none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .arviz.groups import get_group, group_names

#: Functions of the draws that no relabeling changes, under ArviZ's names and NumPyro's.
ENERGIES = ("lp", "potential_energy", "energy", "log_joint")
#: What PyMC's files have a place for, and NaN where another kind of mass matrix is adapted.
UNFILLED = ("smallest_eigval", "largest_eigval")
#: Below this the sampler explores energies too slowly (Betancourt 2016).
LEAST_BFMI = 0.3
#: Groups that must be of the posterior's own chains and draws.
COMPANIONS = ("log_likelihood", "sample_stats")


def companion(data: Any, group: str, posterior: xr.Dataset) -> xr.Dataset | None:
    """A group of the same chains and draws as the posterior; ``None`` where it is not there or of
    others.
    """
    if group not in group_names(data):
        return None
    dataset = get_group(data, group)
    return None if _other(dataset, posterior) else dataset


def of_other_runs(data: Any, posterior: xr.Dataset) -> tuple[str, ...]:
    """A line for each group whose chains or draws are not the posterior's."""
    lines = []
    for group in COMPANIONS:
        if group not in group_names(data):
            continue
        told = _other(get_group(data, group), posterior)
        if told:
            lines.append(f"another run: {group} {told}")
    return tuple(lines)


def _other(dataset: xr.Dataset, posterior: xr.Dataset) -> str:
    """How a group's chains or draws differ from the posterior's; empty where they do not."""
    for dim in ("chain", "draw"):
        if dim not in dataset.sizes:
            return f"has no dimension {dim!r}" if dataset.data_vars else ""
        if dataset.sizes[dim] != posterior.sizes[dim]:
            return f"has {dataset.sizes[dim]} {dim}s, the posterior {posterior.sizes[dim]}"
        if not np.array_equal(dataset[dim].values, posterior[dim].values):
            return f"has other {dim}s than the posterior"
    return ""


def sampler_troubles(stats: xr.Dataset, max_tree_depth: int) -> tuple[str, ...]:
    """A line for each thing that the sampler says of itself.

    :param stats: the group ``sample_stats``.
    :param max_tree_depth: the depth at which NUTS stops a trajectory.
    """
    lines = []
    if "diverging" in stats:
        count = int(np.count_nonzero(stats["diverging"].values))
        if count:
            lines.append(f"divergences: {count} of {stats['diverging'].size} transitions diverged")
    cut = _cut_short(stats, max_tree_depth)
    if cut:
        lines.append(
            f"trajectories cut short at the largest tree depth in {100 * cut:.2g}% of transitions"
        )
    if "energy" in stats:
        least = _bfmi(stats["energy"].transpose("chain", "draw", ...).values)
        if least < LEAST_BFMI:
            lines.append(f"energies explored too slowly: E-BFMI is {least:.2f}, below {LEAST_BFMI}")
    for name, x in stats.items():
        if (
            name not in (*ENERGIES, *UNFILLED)
            and x.dtype.kind == "f"
            and not np.isfinite(x.values).all()
        ):
            lines.append(f"NaN or infinite values in {name} of sample_stats")
    return tuple(lines)


def _cut_short(stats: xr.Dataset, depth: int) -> float:
    """The share of trajectories that ended because they may not be longer."""
    full = {
        "reached_max_treedepth": 1,
        "reached_max_tree_depth": 1,
        "tree_depth": depth,
        "treedepth": depth,
        "n_steps": 2**depth - 1,
        "num_steps": 2**depth - 1,
    }
    shares = [np.mean(stats[name].values >= least) for name, least in full.items() if name in stats]
    return float(max(shares, default=0.0))


def _bfmi(energy: np.ndarray) -> float:
    """The least over chains of the mean square step over the variance."""
    energy = energy.reshape(*energy.shape[:2])
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.square(np.diff(energy, axis=1)).mean(1) / energy.var(1)
    return float(np.nanmin(each)) if np.isfinite(each).any() else np.inf
