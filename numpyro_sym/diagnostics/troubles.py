"""All that can be wrong with a posterior beside what its R-hat and ESS say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..symmetry import Element, Symmetry
from ._stuck import stuck, stuck_lines
from .copies import copied_chains, coupled_chains, fingerprints, tiled_chains
from .drift import drifting
from .indicators import label_names
from .invariants import outside
from .labels import follows_within, relabeled, share_within
from .parts import Parts
from .rhat_ess import figures_of, worst
from .sampler import ENERGIES
from .screen import judged
from .tails import HEAVY, tail_index
from .verdict import ENOUGH, LIMIT, SURE, chains_of, largest


def troubles_of(
    posterior: xr.Dataset,
    parts: Parts,
    figures: Parts,
    sym: Symmetry,
    elements: Mapping[str, Element],
) -> tuple[str, ...]:
    """A line for each.

    :param posterior: the draws as they came, with all variables.
    :param parts: what is judged.
    :param figures: ArviZ's figures of it.
    :param sym: the symmetry.
    :param elements: what aligned each draw.
    """
    return (
        *_no_numbers(posterior, sym, parts.functions),
        *_following(posterior, figures.others, sym, elements),
        *_stuck(posterior, parts, figures, sym),
        *_copies(posterior, parts, figures, sym),
        *_drifts(parts, figures),
        *_heavy(parts.functions, figures.functions),
    )


def _no_numbers(posterior: xr.Dataset, sym: Symmetry, functions: xr.Dataset) -> tuple[str, ...]:
    """Variables outside the symmetry that hold NaN, infinite values, or no numbers at all."""
    broken, others = [], []
    told = {*sym.sites, *functions.data_vars}
    for name, x in posterior.data_vars.items():
        if name in told or not x.size or not {"chain", "draw"} <= set(x.dims):
            continue
        if x.dtype.kind in "OSUMmc":
            others.append(str(name))
            continue
        values = x.values
        if x.dtype.kind not in "biuf":  # bfloat16 and its kin
            values = values.astype(float)
        if not np.isfinite(values).all():
            broken.append(str(name))
    lines = []
    if broken:
        lines.append(f"NaN or infinite values in {', '.join(broken)}")
    if others:
        lines.append(f"not sure: {', '.join(others)} hold no real numbers; leave them out")
    return tuple(lines)


def _following(
    posterior: xr.Dataset,
    others: Mapping[str, xr.Dataset],
    sym: Symmetry,
    elements: Mapping[str, Element],
) -> tuple[str, ...]:
    """Variables in which chains disagree, but would not if they were relabeled with the units; and
    those that are averages over labels in every chain.
    """
    lines = []
    rhat = others["rhat"]
    changing = share_within(elements) > 0
    for name in outside(posterior, sym):
        units = None
        if name in rhat.data_vars and (rhat[name] > LIMIT).any():
            units = _agreeing(name, posterior[name], sym, elements)
        elif changing:
            units = follows_within(posterior[name], sym, elements)
        if units is not None:
            lines.append(
                f"{name} follows the labels of {units}: name it in the symmetry, or leave it out"
            )
    return tuple(lines)


def _agreeing(
    name: str, x: xr.DataArray, sym: Symmetry, elements: Mapping[str, Element]
) -> str | None:
    """The units under whose labels chains agree on a variable."""
    for units, moved in relabeled(x, sym, elements):
        seen = judged(xr.Dataset({name: moved.astype(float)}))
        if not largest(worst(figures_of(seen), "site")) > LIMIT:
            return units
    return None


def _stuck(posterior: xr.Dataset, parts: Parts, figures: Parts, sym: Symmetry) -> tuple[str, ...]:
    """What never moves, as it came or once aligned, where no other figure says so already."""
    moving = [*sym.sites, *outside(posterior, sym)]
    single = [n for n in ("log_likelihood", *ENERGIES) if n in parts.functions]
    # Labels may rest where groups are far apart.
    aligned = parts.after.drop_vars(label_names(posterior, sym))
    found = stuck(posterior[moving]) | stuck(aligned) | stuck(parts.functions[single])
    if np.isnan(largest(worst(figures.functions, "function"))):
        found = {name: chains for name, chains in found.items() if name not in parts.functions}
    told: dict[str, float] = {}
    for part in figures[1:]:
        told |= {str(name): float(r.max()) for name, r in part["rhat"].data_vars.items()}
    news = {n: c for n, c in found.items() if c.all() or not told.get(n, 0.0) > LIMIT}
    return stuck_lines(news)


def _copies(posterior: xr.Dataset, parts: Parts, figures: Parts, sym: Symmetry) -> tuple[str, ...]:
    """Chains that share draws or move together, and chains that come back to their own."""
    names = posterior["chain"].values
    lines = []
    stacks = sym.stacks
    alike = [stacks.get(name, (name,)) for name in sym.on_arrays().sites]
    prints = fingerprints(posterior, alike)
    copied = [] if prints is None else copied_chains(prints)
    lines += [f"copies: {chains_of(names, group)} share draws" for group in copied]
    if prints is not None and (tiled := tiled_chains(prints)).any():
        lines.append(f"copies: draws come again in {chains_of(names, tiled)}")
    if not copied:
        least = ENOUGH * len(names)
        early: dict[str, None] = {}
        always: dict[str, None] = {}
        for draws, figure in zip(parts[1:], figures[1:], strict=True):
            if not draws.data_vars:
                continue
            coupled = [chains_of(names, group) for group in coupled_chains(draws, figure, least)]
            if not coupled:
                continue
            later = draws.isel(draw=slice(draws.sizes["draw"] // 4, None))
            still = [chains_of(names, group) for group in coupled_chains(later, figure, least)]
            for who in coupled:
                if who in still:
                    always[who] = None
                else:
                    early[who] = None
        lines += [f"copies: {who} move together" for who in always]
        lines += [
            f"burn-in: {who} move together in their first draws alone; leave these out"
            for who in early
            if who not in always
        ]
    return tuple(lines)


def _drifts(parts: Parts, figures: Parts) -> tuple[str, ...]:
    """Where R-hat is surely below its limit, and still more than chance."""
    least = ENOUGH * parts.after.sizes["chain"]
    judging = list(zip(parts[1:], figures[1:], strict=True))
    tests = 0
    for _, figure in judging:
        tests += sum(int(r.size) for r in figure["rhat"].data_vars.values())
    found: dict[str, float] = {}
    for draws, figure in judging:
        sure = [n for n, r in figure["rhat"].data_vars.items() if float(r.max()) <= SURE]
        found |= drifting(draws[sure], figure, least, tests)
    if not found:
        return ()
    told = ", ".join(f"{name} ({found[name]:.1f} standard errors)" for name in found)
    return (f"not sure: chains drift or lie apart in {told}",)


def _heavy(functions: xr.Dataset, figures: Mapping[str, xr.Dataset]) -> tuple[str, ...]:
    """A density of draws has exponential tails, whatever the tails of the draws."""
    lines: list[str] = []
    for name in ("log_likelihood", *ENERGIES):
        if name not in functions or not np.isfinite(functions[name].values).all():
            continue
        worth = float(np.nan_to_num(figures["ess_bulk"][name].values))
        index = tail_index(functions[name].values, max(worth, 1.0))
        if index > HEAVY:
            lines.append(f"not sure: {name} has tails too heavy for a mean (index {index:.2f})")
    return tuple(lines)
