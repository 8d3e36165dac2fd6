"""Figures in plain words, one finding a line."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .chains._functional_modes import FunctionalModes
from .parts import Parts
from .rhat_ess import FEWEST_DRAWS

#: Chains disagree above this R-hat: no noise explains it.
LIMIT = 1.05
#: Chains agree for certain up to this one; between the two it is not sure (Vehtari et al. 2021).
SURE = 1.01
#: Draws that are worth fewer independent ones than this a chain are not enough (Vehtari et al.
#: 2021).
ENOUGH = 100
#: Chains that are worth at least this share of their draws mix well, and were only stopped early.
EFFICIENT = 0.1
#: An element is doubtful where the runner-up has this chance, an alignment where so many draws are.
DOUBTFUL = 0.05

SWITCHING = "label switching only"
#: What stands in its place where something else is wrong too.
ALSO_SWITCHING = "label switching"
WELL = "all well"
#: The beginning of a line that tells how to read the draws, and blames nothing.
WITHIN = "labels change within chains"


def harmless(line: str) -> bool:
    """Whether a finding says that nothing is wrong but labels."""
    return line in (SWITCHING, WELL) or line.startswith(WITHIN)


def verdicts(
    tables: Parts, modes: FunctionalModes | None, names: np.ndarray, draws: int, finite: bool
) -> tuple[str, ...]:
    """What tables of worst figures mean.

    :param tables: worst figures of each variable, as :func:`figures.worst` gives.
    :param modes: chains grouped by function; ``None`` where they cannot be.
    :param names: of the chains.
    :param draws: in each chain.
    :param finite: whether all values of the invariant functions are.
    """
    if too_short(draws, len(names)):
        return (f"not enough draws: {draws} a chain, and no figure can be had",)
    raw, aligned, others, invariant = tables
    told = largest(invariant)
    unsure = _unsure(aligned, others, invariant)
    apart = _apart(others)
    first: tuple[str, ...]
    if not finite:
        first = ("nothing can be told: invariant functions hold NaN or infinite values",)
    elif not invariant.sizes["function"]:
        first = ("nothing can be told: there are no invariant functions",)
    elif np.isnan(told):
        first = ("nothing can be told: the invariant functions never change",)
    elif told <= LIMIT:
        few = _too_few(aligned, others, invariant, len(names))
        agreed = _agreed(raw, aligned)
        if few:
            # More draws are asked for already.
            unsure = ()
            agreed = tuple(line for line in agreed if line != WELL)
        first = (*few, *agreed)
    else:
        first = _disagreeing(invariant, modes, names, draws)
        unsure = ()
    return with_troubles(first, (*apart, *unsure))


def too_short(draws: int, chains: int) -> bool:
    """Whether there are too few draws for any figure."""
    return draws < FEWEST_DRAWS or (chains == 1 and draws < 2 * FEWEST_DRAWS)


def largest(table: xr.Dataset) -> float:
    """The largest R-hat; NaN where there is none."""
    known = table["rhat"].values
    known = known[~np.isnan(known)]
    return float(known.max()) if known.size else float("nan")


def with_troubles(lines: tuple[str, ...], troubles: tuple[str, ...]) -> tuple[str, ...]:
    """Further findings after the first ones, which then no longer say that this is all."""
    if not troubles:
        return lines
    also = {SWITCHING: ALSO_SWITCHING}
    kept = [also.get(line, line) for line in lines if line != WELL]
    return (*kept, *troubles)


def with_labels(lines: tuple[str, ...], share: float) -> tuple[str, ...]:
    """How to read single units where a share of draws is labeled otherwise than its chain."""
    if not share:
        return lines
    instead = {WELL: SWITCHING}
    lines = tuple(instead.get(line, line) for line in lines)
    averaged = "means of single units are averages over labels: rebasin"
    return (*lines, f"{WITHIN} (in {100 * share:.2g}% of draws): {averaged}")


def _disagreeing(
    invariant: xr.Dataset, modes: FunctionalModes | None, names: np.ndarray, draws: int
) -> tuple[str, ...]:
    """Chains disagree on functions: in modes of their own, from slow mixing, or from haste?"""
    told = largest(invariant)
    if modes is not None and modes.num_modes > 1:
        others = [chains_of(names, modes.label == mode) for mode in range(1, modes.num_modes)]
        return tuple(f"another functional mode in {who}" for who in others)
    worth = float(invariant["ess_bulk"].min()) / (len(names) * draws)
    if worth >= EFFICIENT or modes is None:
        return (
            f"not enough draws: R-hat of {_worst_of(invariant)} is {told:.2f} after {draws} a "
            "chain",
        )
    unsettled = ~modes.settled
    if 0 < unsettled.sum() < len(names):
        return (f"mixing badly in {chains_of(names, unsettled)}",)
    return ("mixing badly",)


def _apart(others: xr.Dataset) -> tuple[str, ...]:
    """Variables outside the symmetry in which chains disagree."""
    found = _listed(others, LIMIT, np.inf)
    if not found:
        return ()
    return (f"outside the symmetry, chains disagree: R-hat of {found}",)


def _unsure(*tables: xr.Dataset) -> tuple[str, ...]:
    """Figures between what is surely well and what surely is not."""
    found = [_listed(table, SURE, LIMIT) for table in tables]
    told = ", ".join(part for part in found if part)
    if not told:
        return ()
    return (f"not sure: between {SURE} and {LIMIT} is R-hat of {told}",)


def _listed(table: xr.Dataset, above: float, upto: float) -> str:
    """``theta 1.73, tau 1.20``: those with R-hat in the range, the worst first."""
    (dim,) = table["rhat"].dims
    pairs = zip(table["rhat"].values, table[dim].values, strict=True)
    some = [(r, str(name)) for r, name in pairs if above < r <= upto]
    return ", ".join(f"{name} {r:.4g}" for r, name in sorted(some, reverse=True))


def doubts(chance: np.ndarray) -> tuple[str, ...]:
    """A line where the alignment is ambiguous."""
    share = float(np.mean(chance > DOUBTFUL))
    if not share > DOUBTFUL:
        return ()
    return (f"alignment ambiguous in {share:.0%} of draws",)


def chains_of(names: np.ndarray, chosen: np.ndarray) -> str:
    """``chain 3``, ``chains 1 and 2``, ``chains 0, 1 and 2``."""
    some = [str(name) for name in names[chosen]]
    if len(some) == 1:
        return f"chain {some[0]}"
    return f"chains {', '.join(some[:-1])} and {some[-1]}"


def _agreed(raw: xr.Dataset, aligned: xr.Dataset) -> tuple[str, ...]:
    """The chains agree on the functions: do they on single weights?"""
    apart = [str(name) for name in aligned["site"].values if aligned["rhat"].sel(site=name) > LIMIT]
    if apart:
        return (f"same functions, other weights: aligned chains disagree in {', '.join(apart)}",)
    return (SWITCHING,) if float(raw["rhat"].max()) > LIMIT else (WELL,)


def _too_few(
    aligned: xr.Dataset, others: xr.Dataset, invariant: xr.Dataset, chains: int
) -> tuple[str, ...]:
    """Whether what agrees rests on enough draws; what disagrees has few for another reason."""
    aligned = aligned.isel(site=~(aligned["rhat"].values > LIMIT))
    others = others.isel(site=~(others["rhat"].values > LIMIT))
    found = []
    for table in (invariant, aligned, others):
        (dim,) = table["rhat"].dims
        for part in ("bulk", "tail"):
            values = np.nan_to_num(table[f"ess_{part}"].values, nan=np.inf)
            for name, value in zip(table[dim].values, values, strict=True):
                found.append((float(value), f"{part} ESS of {name}"))
    least, what = min(found)
    need = ENOUGH * chains
    if least >= need:
        return ()
    return (f"not enough draws: {what} is {int(least)}, below {need}",)


def _worst_of(invariant: xr.Dataset) -> str:
    return str(invariant["function"].values[np.nanargmax(invariant["rhat"].values)])
