"""R-hat of every site, raw and aligned."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..diagnostics import Diagnosis
from ..diagnostics.verdict import LIMIT
from ..symmetry.arguments import check_arguments
from ._canvas import canvas, tidy


def plot_rhat(diagnosis: Diagnosis, *, ax: Any = None) -> Any:
    """A forest of R-hat: one row a site, every entry a point, raw above aligned; invariant
    functions below.

    :param diagnosis: what :func:`numpyro_sym.diagnose` found.
    :param ax: a matplotlib axes to draw on; a new one by default.
    :returns: the axes; its title is the verdicts.
    """
    check_arguments(plot_rhat, locals())
    sites = [str(s) for s in diagnosis.sites["site"].values]
    functions = [str(f) for f in diagnosis.invariant["function"].values]
    rows = len(sites) + len(functions)
    ax = canvas(ax, size=(6.5, 1.3 + 0.42 * rows))
    for y, site in enumerate(sites):
        for how, shift, color in (("raw", -0.14, "C1"), ("aligned", 0.14, "C0")):
            values = diagnosis.entries[site].sel(labels=how).values.ravel()
            values = values[np.isfinite(values)]
            at = np.full(values.size, y + shift)
            label = how if y == 0 else None
            if values.size:
                ends = [values.min(), values.max()]
                ax.plot(ends, [y + shift] * 2, color=color, lw=1.2, alpha=0.6, zorder=1)
            ax.plot(values, at, "o", ms=4, mew=0, color=color, alpha=0.6, label=label)
    told = diagnosis.invariant["rhat"].values
    below = len(sites) + np.arange(len(functions))
    ax.plot(told, below, "D", ms=5, color="0.25", label="invariant")
    ax.axvline(LIMIT, color="0.6", lw=1, ls="--", zorder=0)
    ax.set_yticks(range(rows), [*sites, *functions])
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xlabel("R-hat")
    ax.set_title("\n".join(diagnosis.verdicts), fontsize="medium", loc="left")
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    ax.legend(frameon=False, fontsize="small", handletextpad=0.2, **beside)
    tidy(ax)
    return ax
