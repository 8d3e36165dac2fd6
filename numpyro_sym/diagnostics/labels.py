"""Labels that change within chains, and variables outside a symmetry that follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import xarray as xr

from ..symmetry import Axis, Element, Symmetry, Units

#: Ends of names by which NumPyro calls the latent sites behind a reparametrized one.
AUXILIARY = ("_decentered", "_base")


def share_within(elements: Mapping[str, Element]) -> float:
    """The share of draws that are labeled otherwise than most draws of their chain.

    Each ``Units``, and each set of a batch, has its own labels that most draws of a chain have.

    :param elements: units name -> what aligned each draw, arrays ``(chain, draw, *batch, n)``.
    """
    otherwise: Any = False
    for e in elements.values():
        # Of a factor the sign alone is a label.
        labels = np.concatenate(
            [np.asarray(e.permutation, float), np.sign(np.asarray(e.factor))], -1
        )
        otherwise = otherwise | _unlike_most(labels)
    return float(np.mean(otherwise))


def _unlike_most(labels: np.ndarray) -> np.ndarray:
    """Which draws have, in some set, other labels than most draws of their chain: ``(chain,
    draw)``.
    """
    chains, draws, width = *labels.shape[:2], labels.shape[-1]
    sets = labels.reshape(chains, draws, -1, width)  # (chain, draw, set, label)
    _, code = np.unique(sets.reshape(-1, width), axis=0, return_inverse=True)
    code = code.reshape(sets.shape[:3])
    # One number for the chain and the set, and one for these with the labels.
    place = np.arange(chains)[:, None, None] * sets.shape[2] + np.arange(sets.shape[2])
    place = np.broadcast_to(place, code.shape)
    both = place * (code.max() + 1) + code
    found, first, counts = np.unique(both, return_index=True, return_counts=True)
    usual = np.empty(chains * sets.shape[2], found.dtype)
    # From rare to frequent: what is written last at a place is most frequent there.
    by_count = np.argsort(counts, kind="stable")
    usual[place.ravel()[first[by_count]]] = found[by_count]
    return (both != usual[place]).any(-1)


def runs_over_units(x: xr.DataArray, sym: Symmetry) -> bool:
    """Whether a variable may name single units: integers, auxiliary sites, an axis as long as units
    are many.
    """
    if x.dtype.kind in "iub" or str(x.name).endswith(AUXILIARY):
        return True
    lengths = {u.n for u in sym}
    for u in sym:
        for _, axs in u.placements:
            lengths |= {a.length(u.n) for a in axs}
    return any(x.sizes[dim] in lengths for dim in x.dims if dim not in ("chain", "draw"))


def in_aligned_order(
    x: np.ndarray, units: Units, sym: Symmetry, elements: Mapping[str, Element]
) -> np.ndarray:
    """A number for each unit, moved to where its unit was aligned to.

    :param x: array of shape ``(chain, draw, *batch, n)``.
    :param units: whose numbers these are.
    :param sym: the symmetry, with the units that exchange sets.
    :param elements: what aligned the draws.
    """
    own = len(units.batch)
    placed = units.with_axes({"x": (Axis(own, power=0, batch=tuple(range(own))),)})
    return _act(x, [placed, *_exchanging(units, sym, range(own))], elements)


def relabeled(
    x: xr.DataArray, sym: Symmetry, elements: Mapping[str, Element]
) -> list[tuple[str, xr.DataArray]]:
    """The variable under the labels of each ``Units`` that it may name: by an axis, or as integers.

    :returns: pairs of a units name and the variable, moved.
    """
    out = []
    x = x.transpose("chain", "draw", ...)
    for u in sym:
        for batch_axes in _places_of_batch(x.shape[2:], u):
            moved = _permuted(x.values, u, batch_axes, sym, elements)
            moved += _renamed(x.values, u, batch_axes, sym, elements)
            out += [(u.name, x.copy(data=y)) for y in moved]
    return out


def _places_of_batch(shape: tuple[int, ...], units: Units) -> list[tuple[int, ...]]:
    """Each choice of axes on which the batch may run, as long as its dimensions; one, empty,
    without a batch.
    """
    choices = permutations(range(len(shape)), len(units.batch))
    return [axes for axes in choices if tuple(shape[a] for a in axes) == units.batch]


def follows_within(x: xr.DataArray, sym: Symmetry, elements: Mapping[str, Element]) -> str | None:
    """The name of the ``Units`` whose labels a variable follows where these change within chains;
    ``None`` where it follows none.

    R-hat says nothing there: every chain averages over labels. A variable that has nothing to do
    with them has, about its mean in each chain, the mean 0 under any labels; one that follows them
    has not, and its entries are farther apart once it is relabeled.
    """
    x = x.transpose("chain", "draw", ...)
    values = x.values.astype(float)
    if not np.isfinite(values).all():
        return None
    seen = [x.copy(data=values)]
    is_label = x.dtype.kind in "iu" and values.min() >= 0
    if is_label:
        for n in {u.n for u in sym if u.n > values.max()}:
            # (chain, draw, ..., label): whether an entry bears it
            borne = np.equal(values[..., None], np.arange(n)).astype(float)
            seen.append(xr.DataArray(borne, dims=(*x.dims, "label")))
    for y in seen:
        means = y.values.mean(1, keepdims=True)
        away = y.copy(data=y.values - means)
        for (name, moved), (_, shifted) in zip(
            relabeled(away, sym, elements), relabeled(y, sym, elements), strict=True
        ):
            apart = np.square(shifted.values.mean(1)).sum() > np.square(means).sum()
            if apart and _standard_errors(moved.values) > _SURELY:
                return name
    return None


#: Standard errors that are no chance, in whatever number of entries.
_SURELY = 7.0
#: A chain is cut into so many batches of draws, each of at least so many, to know the error.
_BATCHES, _FEWEST = 20, 10


def _standard_errors(x: np.ndarray) -> float:
    """How many standard errors the mean of draws ``(chain, draw, ...)`` lies from 0, of the entry
    that lies farthest.
    """
    size = max(x.shape[1] // _BATCHES, _FEWEST)
    count = x.shape[1] // size
    if count * x.shape[0] < _BATCHES:
        return 0.0
    batches = x[:, : count * size].reshape(x.shape[0], count, size, -1).mean(2)
    means = batches.reshape(-1, batches.shape[-1])  # (batch of any chain, entry)
    error = means.std(0, ddof=1) / np.sqrt(len(means))
    far = np.abs(means.mean(0))
    return float(np.max(np.where(error > 0, far / np.where(error > 0, error, 1.0), 0.0), initial=0))


def _permuted(
    x: np.ndarray,
    units: Units,
    batch_axes: tuple[int, ...],
    sym: Symmetry,
    elements: Mapping[str, Element],
) -> list[np.ndarray]:
    """The axes as long as units are many permuted, with signs too; each with the sets as they are,
    and exchanged.
    """
    lengths = x.shape[2:]
    along = [a for a in range(len(lengths)) if lengths[a] == units.n and a not in batch_axes]
    if not along:
        return []
    # Without a power of the factor at first.
    powers = (0, 1) if units.has_signs else (0,)
    exchanging = _exchanging(units, sym, batch_axes)
    found = []
    for power in powers:
        axes = tuple(Axis(a, power=power, batch=batch_axes) for a in along)
        placed = units.with_axes({"x": axes})
        found.append(_act(x, [placed], elements))
        if exchanging:
            found.append(_act(x, [placed, *exchanging], elements))
    return found


def _renamed(
    x: np.ndarray,
    units: Units,
    batch_axes: tuple[int, ...],
    sym: Symmetry,
    elements: Mapping[str, Element],
) -> list[np.ndarray]:
    """Integers that are labels of units, renamed; with the sets as they are, and exchanged."""
    if x.dtype.kind not in "iu" or x.min() < 0 or x.max() >= units.n:
        return []
    # Unit j lies in the slot i with permutation[i] = j.
    slot = np.argsort(np.asarray(elements[units.name].permutation), -1)
    front = range(2, 2 + len(batch_axes))
    places = [2 + a for a in batch_axes]
    sets = np.moveaxis(x, places, front)  # (chain, draw, *batch, ...)
    flat = sets.reshape(*slot.shape[:-1], -1).astype(int)
    moved = np.take_along_axis(slot, flat, -1).reshape(sets.shape)
    renamed = np.moveaxis(moved, front, places)
    exchanging = _exchanging(units, sym, batch_axes)
    if not exchanging:
        return [renamed]
    return [renamed, _act(renamed, exchanging, elements)]


def _exchanging(units: Units, sym: Symmetry, batch_axes: Sequence[int]) -> list[Units]:
    """The units that exchange sets, on the axes on which the batch runs."""
    found = []
    for outer in sym.in_order_of_action:
        sets = sym.axis_of_sets(outer, units)
        if sets is not None:
            batch = tuple(batch_axes[d] for d in sets.batch_axes)
            axes = {"x": Axis(batch_axes[sets.axis], batch=batch)}
            found.append(Units(outer.name, outer.n, axes=axes, kind=outer.kind, batch=outer.batch))
    return found


def _act(x: np.ndarray, units: Sequence[Units], elements: Mapping[str, Element]) -> np.ndarray:
    on_host = {u.name: Element(*map(np.asarray, elements[u.name])) for u in units}
    return Symmetry(units).act(on_host, {"x": x})["x"]
