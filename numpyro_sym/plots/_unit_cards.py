"""What each unit reads and writes, with its spread."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from ..diagnostics.arviz.groups import group_names, posterior_of, sample_dims
from ..diagnostics.arviz.samples import chosen_names, flat_draws
from ..symmetry import Axis, Symmetry, SymmetryError, Units, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.arrays import real_array
from ..symmetry.deprecated import renamed_arguments
from ._canvas import FigSize, canvas, tidy
from .selection import Coords, chosen_of

ROLES = {1: " (in)", -1: " (out)"}


class Card(NamedTuple):
    """One unit's weights on one axis of one site.

    :param label: the site, and whether the weights come in or go out where that was said or found
        in a program (:attr:`numpyro_sym.Units.roles`).
    :param mean: over draws, ``(weight,)``.
    :param sd: over draws, likewise.
    """

    label: str
    mean: np.ndarray
    sd: np.ndarray


def unit_cards(
    data: Any,
    sym: Symmetry,
    units: str,
    *,
    var_names: kinds.NameOrNames | None = None,
    coords: Coords | None = None,
) -> list[list[Card]]:
    """Mean and standard deviation of each unit's weights, site by site.

    :param data: aligned draws: an ArviZ object, or a mapping of arrays ``(draw, *site)``.
    :param sym: the symmetry.
    :param units: name of the units.
    :param var_names: a site or several of those along which the units lie; ``"~w1"``: all but this
        one. All of them by default.
    :param coords: dimension -> coordinates of the weights to take, of an ArviZ object: some inputs,
        say, or some units.
    :returns: for each unit its cards, set by set where there is a batch; without weights where
        ``coords`` leave none.
    :raises SymmetryError: where there are no such units, or a site is missing.
    """
    check_arguments(unit_cards, locals())
    u = sym[units]
    draws = sym.stack(flat_draws(data, u.site_names), sample_ndim=1)
    sites = chosen_names("unit_cards", var_names, u.sites)
    kept = _kept(data, u, sites, draws, coords)
    u = u.on_arrays()
    for name, x in draws.items():
        real_array("unit_cards", f"site {name!r}", x, "finite draws (draw, *site)", ndim=1)
        if len(x) < 2:
            raise SymmetryError(f"unit_cards: one draw of site {name!r} has no standard deviation.")
    shapes = {name: x.shape for name, x in draws.items()}
    sample = next(iter(draws.values())).shape[:1]
    Symmetry([u]).check_shapes(shapes, sample)
    cards: list[list[Card]] = [[] for _ in range(u.sets * u.n)]
    for site in sites:
        for axis, role in zip(u.axes[site], u.roles[site], strict=True):
            each = _of_each_unit(draws[site], axis, u)
            taken = _of_each_unit(kept[site][None], axis, u)[:, 0]  # (unit, weight)
            for own, x, some in zip(cards, each, taken, strict=True):
                label = site + ROLES.get(role, "")
                own.append(Card(label, x[:, some].mean(0), x[:, some].std(0, ddof=1)))
    return cards


@renamed_arguments(axes="ax")
def plot_unit_cards(
    data: Any,
    sym: Symmetry,
    units: str,
    *,
    var_names: kinds.NameOrNames | None = None,
    coords: Coords | None = None,
    columns: kinds.Positive = 4,
    ax: Any = None,
    figsize: FigSize | None = None,
) -> Any:
    """One small picture a unit: its incoming and outgoing weights as bars, with a standard
    deviation each way.

    :param data: as for :func:`unit_cards`.
    :param sym: the symmetry.
    :param units: name of the units.
    :param var_names: as for :func:`unit_cards`.
    :param coords: as for :func:`unit_cards`; units of which they leave nothing are not drawn.
    :param columns: pictures in a row.
    :param ax: as many matplotlib axes as units are drawn; new ones by default.
    :param figsize: width and height of a new figure, in inches.
    :returns: an array of axes, one a unit.
    :raises SymmetryError: as :func:`unit_cards`.
    """
    check_arguments(plot_unit_cards, locals())
    cards = unit_cards(data, sym, units, var_names=var_names, coords=coords)
    drawn = [i for i, own in enumerate(cards) if any(card.mean.size for card in own)]
    axes = _grid(ax, len(drawn), min(columns, len(drawn)), figsize)
    for one, i in zip(axes, drawn, strict=True):
        _draw(one, cards[i])
        place = np.unravel_index(i, sym[units].shape)  # of the set, then of the unit in it
        one.set_title(f"{units} {', '.join(map(str, place))}", fontsize="small")
        spec = one.get_subplotspec()
        if spec is None or spec.is_first_col():
            one.set_ylabel("mean ± sd", fontsize="small")
    _legend(axes)
    return axes


def _grid(ax: Any, number: int, columns: int, figsize: tuple[float, float] | None) -> np.ndarray:
    """One axes for each unit: the caller's, or those of a new figure."""
    if ax is not None:
        return np.ravel(canvas("plot_unit_cards", ax, 1, number, figsize=figsize))
    rows = ceil(number / columns)
    size = (2.4 * columns + 0.9, 1.7 * rows + 0.5)
    alike = {"sharex": True, "sharey": True}
    grid = canvas("plot_unit_cards", None, rows, columns, figsize=figsize, size=size, **alike)
    grid = np.ravel(np.asarray(grid, object))
    for spare in grid[number:]:
        spare.set_visible(False)
    return grid[:number]


def _draw(ax: Any, cards: list[Card]) -> None:
    """Bars of one unit, a color a card, with room between two."""
    start = 0
    for number, card in enumerate(cards):
        at = start + np.arange(card.mean.size)
        look = {"width": 0.8, "error_kw": {"lw": 0.8}, "color": f"C{number % 10}"}
        ax.bar(at, card.mean, yerr=card.sd, label=card.label, **look)
        start += card.mean.size + 1
    ax.axhline(0, color="0.4", lw=0.6)
    ax.set_xticks([])
    tidy(ax)


def _legend(axes: np.ndarray) -> None:
    """One for all, beside the first row."""
    handles, labels = axes[0].get_legend_handles_labels()
    beside = {"loc": "outside right upper", "frameon": False, "fontsize": "small"}
    axes[0].figure.legend(handles, labels, **beside)


def _kept(
    data: Any,
    units: Units,
    sites: list[str],
    draws: Mapping[str, np.ndarray],
    coords: Mapping[str, Any] | None,
) -> dict[str, np.ndarray]:
    """Which weights of the chosen sites coordinates choose, ``(*site)`` by array; all where there
    are none.
    """
    if not coords:
        return {site: np.ones(draws[site].shape[1:], bool) for site in sites}
    if "posterior" not in group_names(data):
        raise SymmetryError(
            "unit_cards: coords are of an ArviZ object; draws in a dict have no coordinates. "
            "Index the arrays, or make an object by arviz.from_dict."
        )
    stacks = dict(units.stacked)
    names = {site: stacks.get(site, (site,)) for site in sites}
    posterior = posterior_of(data)
    first = dict.fromkeys(sample_dims(posterior), 0)
    one = posterior[[name for each in names.values() for name in each]].isel(first, drop=True)
    numbers = {name: np.arange(x.size).reshape(x.shape) for name, x in one.items()}
    chosen = chosen_of("unit_cards", one.copy(data=numbers), None, coords)
    is_kept = {name: np.isin(every, chosen[name].values) for name, every in numbers.items()}
    kept = {}
    for site, each in names.items():
        parts = [is_kept[name] for name in each]
        kept[site] = np.stack(parts) if site in stacks else parts[0]
    return kept


def _of_each_unit(x: np.ndarray, axis: Axis, units: Units) -> np.ndarray:
    """Draws of every unit's own entries, ``(unit, draw, weight)``, the units of the first set
    first.
    """
    entries = axis.blocks(x, units.n, lead=1)  # (draw, *batch, n, weight)
    flat = entries.reshape(len(x), units.sets * units.n, -1)
    return np.moveaxis(flat, 1, 0)
