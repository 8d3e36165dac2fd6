"""What each unit reads and writes, with its spread."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np

from ..diagnostics.arviz.samples import flat_draws
from ..symmetry import Axis, Symmetry, SymmetryError, Units, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.arrays import real_array
from ._canvas import canvas, tidy

ROLES = {1: " (in)", -1: " (out)"}


class Card(NamedTuple):
    """One unit's weights on one axis of one site.

    :param label: the site, and whether the weights come in or go out where the symmetry was written
        so.
    :param mean: over draws, ``(weight,)``.
    :param sd: over draws, likewise.
    """

    label: str
    mean: np.ndarray
    sd: np.ndarray


def unit_cards(data: Any, sym: Symmetry, units: str) -> list[list[Card]]:
    """Mean and standard deviation of each unit's weights, site by site.

    :param data: aligned draws: an ArviZ object, or a mapping of arrays ``(draw, *site)``.
    :param sym: the symmetry.
    :param units: name of the units.
    :returns: for each unit its cards, set by set where there is a batch.
    :raises SymmetryError: where there are no such units, or a site is missing.
    """
    check_arguments(unit_cards, locals())
    u = sym[units]
    draws = sym.stack(flat_draws(data, u.site_names), sample_ndim=1)
    u = u.on_arrays()
    for name, x in draws.items():
        real_array("unit_cards", f"site {name!r}", x, "finite draws (draw, *site)", ndim=1)
        if len(x) < 2:
            raise SymmetryError(f"unit_cards: one draw of site {name!r} has no standard deviation.")
    shapes = {name: x.shape for name, x in draws.items()}
    sample = next(iter(draws.values())).shape[:1]
    Symmetry([u]).check_shapes(shapes, sample)
    cards: list[list[Card]] = [[] for _ in range(u.sets * u.n)]
    for site, axes in u.placements:
        for axis in axes:
            each = _of_each_unit(draws[site], axis, u)
            role = ROLES.get(axis.power or 0, "") if u.directed else ""
            for own, x in zip(cards, each, strict=True):
                own.append(Card(site + role, x.mean(0), x.std(0, ddof=1)))
    return cards


def plot_unit_cards(
    data: Any, sym: Symmetry, units: str, *, columns: kinds.Positive = 4, axes: Any = None
) -> Any:
    """One small picture a unit: its incoming and outgoing weights as bars, with a standard
    deviation each way.

    :param data: as for :func:`unit_cards`.
    :param sym: the symmetry.
    :param units: name of the units.
    :param columns: pictures in a row.
    :param axes: as many matplotlib axes as there are units to draw on; new ones by default.
    :returns: an array of axes, one a unit.
    :raises SymmetryError: as :func:`unit_cards`.
    """
    check_arguments(plot_unit_cards, locals())
    cards = unit_cards(data, sym, units)
    shape = sym[units].shape
    columns = min(columns, len(cards))
    rows = ceil(len(cards) / columns)
    if axes is None:
        size = (2.4 * columns + 0.6, 1.7 * rows + 0.5)
        axes = canvas(None, rows, columns, size=size, sharex=True, sharey=True)
        axes = np.ravel(axes)
        for spare in axes[len(cards) :]:
            spare.set_visible(False)
        axes = axes[: len(cards)]
    axes = np.ravel(canvas(axes, 1, len(cards)))
    for i, (ax, own) in enumerate(zip(axes, cards, strict=True)):
        start = 0
        for number, card in enumerate(own):
            at = start + np.arange(card.mean.size)
            label = card.label if i == 0 else None
            look = {"width": 0.8, "error_kw": {"lw": 0.8}, "color": f"C{number % 10}"}
            ax.bar(at, card.mean, yerr=card.sd, label=label, **look)
            start = at[-1] + 2
        ax.axhline(0, color="0.4", lw=0.6)
        place = np.unravel_index(i, shape)  # of the set, then of the unit in it
        ax.set_title(f"{units} {', '.join(map(str, place))}", fontsize="small")
        ax.set_xticks([])
        tidy(ax)
    legend = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(*legend, frameon=False, fontsize="small", loc="outside right upper")
    return axes


def _of_each_unit(x: np.ndarray, axis: Axis, units: Units) -> np.ndarray:
    """Draws of every unit's own entries, ``(unit, draw, weight)``, the units of the first set
    first.
    """
    entries = axis.blocks(x, units.n, lead=1)  # (draw, *batch, n, weight)
    flat = entries.reshape(len(x), units.sets * units.n, -1)
    return np.moveaxis(flat, 1, 0)
