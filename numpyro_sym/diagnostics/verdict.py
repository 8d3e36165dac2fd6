"""Figures in plain words, one finding a line."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .chain_modes import ChainModes
from .figures import FEWEST_DRAWS

#: Chains disagree above this R-hat (Vehtari et al. 2021 advise 1.01; this is where no noise explains it).
LIMIT = 1.05
#: Draws that are worth fewer independent ones than this a chain are not enough (Vehtari et al. 2021).
ENOUGH = 100
#: Chains that are worth at least this share of their draws mix well, and were only stopped early.
EFFICIENT = 0.1
#: An element is doubtful where the runner-up has this chance, an alignment where so many draws are.
DOUBTFUL = 0.05

SWITCHING = "label switching only"
WELL = "all well"


def verdicts(
    raw: xr.Dataset,
    aligned: xr.Dataset,
    invariant: xr.Dataset,
    modes: ChainModes | None,
    names: np.ndarray,
    draws: int,
    finite: bool,
) -> tuple[str, ...]:
    """What a table of worst figures means.

    :param raw: worst figures of each site, as :func:`figures.worst` gives.
    :param aligned: the same of aligned draws.
    :param invariant: the same of invariant functions.
    :param modes: chains grouped by function; ``None`` where they cannot be.
    :param names: of the chains.
    :param draws: in each chain.
    :param finite: whether all values of the invariant functions are.
    """
    told = float(invariant["rhat"].max())
    if draws < FEWEST_DRAWS or (len(names) == 1 and draws < 2 * FEWEST_DRAWS):
        return (f"not enough draws: {draws} a chain, and no figure can be had",)
    if not finite:
        return ("nothing can be told: invariant functions hold NaN or infinite values",)
    if np.isnan(told):
        return ("nothing can be told: the invariant functions never change",)
    if told <= LIMIT:
        few, agreed = _too_few(aligned, invariant, len(names)), _agreed(raw, aligned)
        return few if few and agreed == (WELL,) else (*few, *agreed)
    if modes is not None and modes.num_modes > 1:
        return tuple(
            f"another functional mode in {chains_of(names, modes.label == mode)}" for mode in range(1, modes.num_modes)
        )
    worth = float(invariant["ess_bulk"].min()) / (len(names) * draws)
    if worth >= EFFICIENT or modes is None:
        return (f"not enough draws: R-hat of {_worst_of(invariant)} is {told:.2f} after {draws} a chain",)
    unsettled = ~modes.settled
    where = f" in {chains_of(names, unsettled)}" if 0 < unsettled.sum() < len(names) else ""
    return (f"mixing badly{where}",)


def doubts(chance: np.ndarray) -> tuple[str, ...]:
    """A line where the alignment is ambiguous."""
    share = float(np.mean(chance > DOUBTFUL))
    return (f"alignment ambiguous in {share:.0%} of draws",) if share > DOUBTFUL else ()


def chains_of(names: np.ndarray, chosen: np.ndarray) -> str:
    """``chain 3``, ``chains 1 and 2``, ``chains 0, 1 and 2``."""
    some = [str(name) for name, yes in zip(names, chosen, strict=True) if yes]
    if len(some) == 1:
        return f"chain {some[0]}"
    return f"chains {', '.join(some[:-1])} and {some[-1]}"


def _agreed(raw: xr.Dataset, aligned: xr.Dataset) -> tuple[str, ...]:
    """The chains agree on the functions: do they on single weights?"""
    apart = [str(name) for name in aligned["site"].values if aligned["rhat"].sel(site=name) > LIMIT]
    if apart:
        return (f"same functions, other weights: aligned chains disagree in {', '.join(apart)}",)
    return (SWITCHING,) if float(raw["rhat"].max()) > LIMIT else (WELL,)


def _too_few(aligned: xr.Dataset, invariant: xr.Dataset, chains: int) -> tuple[str, ...]:
    """Whether what agrees rests on enough draws; what disagrees has few for another reason."""
    aligned = aligned.isel(site=~(aligned["rhat"].values > LIMIT))
    least, what = min(
        (float(value), f"{figure.split('_')[1]} ESS of {name}")
        for table, dim in ((invariant, "function"), (aligned, "site"))
        for figure in ("ess_bulk", "ess_tail")
        for name, value in zip(table[dim].values, np.nan_to_num(table[figure].values, nan=np.inf), strict=True)
    )
    need = ENOUGH * chains
    return (f"not enough draws: {what} is {least:.0f}, below {need}",) if least < need else ()


def _worst_of(invariant: xr.Dataset) -> str:
    return str(invariant["function"].values[np.nanargmax(invariant["rhat"].values)])
