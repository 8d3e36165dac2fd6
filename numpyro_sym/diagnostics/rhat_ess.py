"""ArviZ's figures for every entry of every variable, and the worst of each variable."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import xarray as xr

#: Fewer draws a chain than this say nothing, and ArviZ refuses fewer than four.
FEWEST_DRAWS = 4
FIGURES = ("rhat", "ess_bulk", "ess_tail", "mcse")


def load_arviz(who: str) -> ModuleType:
    """ArviZ, imported when it is needed.

    :raises ImportError: with the way to install it.
    """
    try:
        import arviz
    except ImportError as error:
        raise ImportError(f"{who} needs ArviZ: pip install 'numpyro_sym[arviz]'.") from error
    return arviz


def figures_of(draws: xr.Dataset) -> dict[str, xr.Dataset]:
    """R-hat, bulk and tail ESS and MCSE of the mean, each a Dataset like a draw.

    Entries that never move are no evidence either way (NaN). Where ArviZ has no R-hat for another
    reason, it is infinite: what is not known is not well. One chain is judged by its two halves.
    """
    az = load_arviz("diagnose")
    if not draws.data_vars:
        return {name: xr.Dataset() for name in FIGURES}
    draws = draws.compute()
    halves = _halves(draws) if draws.sizes["chain"] == 1 else draws
    if halves.sizes["draw"] < FEWEST_DRAWS:
        empty = draws.isel(chain=0, draw=0, drop=True)
        return {name: xr.full_like(empty, np.nan, dtype=float) for name in FIGURES}
    still = draws.max(("chain", "draw")) == draws.min(("chain", "draw"))
    with np.errstate(divide="ignore", invalid="ignore"):
        rhat = az.rhat(halves)
        found = {
            "rhat": rhat.where(rhat.notnull(), np.inf),
            "ess_bulk": az.ess(draws, method="bulk"),
            "ess_tail": az.ess(draws, method="tail"),
            "mcse": az.mcse(draws, method="mean"),
        }
    return {name: figure.where(~still) for name, figure in found.items()}


def worst(figures: dict[str, xr.Dataset], dim: str) -> xr.Dataset:
    """The largest R-hat and MCSE and the smallest ESS of each variable, over ``dim``.

    NaN where no entry has a figure.
    """
    names = [str(name) for name in figures["rhat"].data_vars]
    pick = {"rhat": np.max, "mcse": np.max, "ess_bulk": np.min, "ess_tail": np.min}
    table = {}
    for figure in FIGURES:
        column = np.full(len(names), np.nan)
        for i, name in enumerate(names):
            values = figures[figure][name].values
            known = values[~np.isnan(values)]
            if known.size:
                column[i] = pick[figure](known)
        table[figure] = (dim, column)
    return xr.Dataset(table, coords={dim: np.array(names, dtype=str)})


def _halves(draws: xr.Dataset) -> xr.Dataset:
    """One chain as two, of half its length."""
    half = draws.sizes["draw"] // 2
    sampled = [name for name, c in draws.coords.items() if {"chain", "draw"} & set(c.dims)]
    bare = draws.drop_vars(sampled)
    return xr.concat([bare.isel(draw=slice(half)), bare.isel(draw=slice(half, 2 * half))], "chain")
