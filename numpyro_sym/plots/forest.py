"""R-hat of every site, raw and aligned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..diagnostics import Diagnosis
from ..diagnostics.arviz.samples import chosen_names
from ..diagnostics.verdict import LIMIT
from ..symmetry import kinds
from ..symmetry.arguments import check_arguments
from ._canvas import FigSize, canvas, legend_beside, tidy
from .selection import Coords, chosen_of


def plot_rhat(
    diagnosis: Diagnosis,
    *,
    var_names: kinds.NameOrNames | None = None,
    coords: Coords | None = None,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """A forest of R-hat: one row a site, every entry a point, raw above aligned; invariant
    functions below.

    :param diagnosis: what :func:`numpyro_sym.diagnose` found.
    :param var_names: a site or an invariant function, or several, to draw; ``"~w1"``: all but this
        one.
    :param coords: dimension -> coordinates of the entries to draw.
    :param ax: a matplotlib axes to draw on; a new one by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: the axes; its title is the verdicts, which are about all variables.
    :raises SymmetryError: where a name or a coordinate is not there.
    """
    check_arguments(plot_rhat, locals())
    sites = [str(s) for s in diagnosis.sites["site"].values]
    functions = [str(f) for f in diagnosis.invariant["function"].values]
    chosen = chosen_names("plot_rhat", var_names, [*sites, *functions])
    sites = [name for name in sites if name in chosen]
    functions = [name for name in functions if name in chosen]
    entries = _entries(diagnosis.entries, sites, coords)
    rows = len(sites) + len(functions)
    ax = canvas("plot_rhat", ax, figsize=figsize, size=(6.5, 1.3 + 0.42 * rows))
    for y, site in enumerate(sites):
        for how, shift, color in (("raw", -0.14, "C1"), ("aligned", 0.14, "C0")):
            values = entries[site].values[entries["labels"].values == how].ravel()
            values = values[np.isfinite(values)]
            at = np.full(values.size, y + shift)
            label = how if y == 0 else None
            if values.size:
                ends = [values.min(), values.max()]
                ax.plot(ends, [y + shift] * 2, color=color, lw=1.2, alpha=0.6, zorder=1)
            ax.plot(values, at, "o", ms=4, mew=0, color=color, alpha=0.6, label=label)
    told = diagnosis.invariant["rhat"].sel(function=functions).values
    below = len(sites) + np.arange(len(functions))
    if functions:
        ax.plot(told, below, "D", ms=5, color="0.25", label="invariant")
    ax.axvline(LIMIT, color="0.6", lw=1, ls="--", zorder=0)
    ax.set_yticks(range(rows), [*sites, *functions])
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xlabel("R-hat")
    ax.set_title("\n".join(diagnosis.verdicts), fontsize="medium", loc="left")
    legend_beside(ax, handletextpad=0.2)
    tidy(ax)
    return ax


def _entries(entries: xr.Dataset, sites: list[str], coords: Mapping[str, Any] | None) -> xr.Dataset:
    """What is drawn of the sites; where there are none, coordinates choose nothing."""
    return chosen_of("plot_rhat", entries, sites, coords) if sites else entries
