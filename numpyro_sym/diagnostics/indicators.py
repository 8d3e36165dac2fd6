"""Labels of units as numbers that R-hat is about.

The number of a label says which unit it names, not how much of anything there is: R-hat of the
numbers would depend on how they were given. What is judged are the share of each label, and of
single entries whether they bear it.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..symmetry import Axis, Symmetry, Units
from ..symmetry.labels import labels_by_set
from .screen import MANY, worst_entries

#: An entry is judged by a label that so many draws give it and so many do not: of fewer, chance
#: decides.
FEWEST = 20


def label_names(dataset: xr.Dataset, sym: Symmetry) -> list[str]:
    """Those of the symmetry's sites of labels that a group holds."""
    return [site for site in sym.label_sites if site in dataset]


def with_indicators(
    before: xr.Dataset, after: xr.Dataset, sym: Symmetry
) -> tuple[xr.Dataset, xr.Dataset]:
    """Datasets with a variable for each site of labels: shares of the labels, and indicators of
    single entries.

    :param before: a posterior as it came, and ``after`` the same, aligned.
    :param sym: the symmetry.
    :returns: two Datasets of floats; the indicators kept are the same in both.

    >>> from numpyro_sym import mixture
    >>> z = xr.Dataset({"z": (("chain", "draw", "row"), np.arange(600).reshape(2, 100, 3) % 2)})
    >>> with_indicators(z, z, mixture(2, {"mu": 0}, assignments="z"))[0]["z"].sizes["z_entry"]
    8
    """
    raw, aligned = {}, {}
    for u in sym:
        for site, axis in u.labeled:
            if site not in before:
                continue
            old = before[site].transpose("chain", "draw", ...).values
            new = after[site].transpose("chain", "draw", ...).values
            kept = _entries(new, u)
            raw[site] = _variable(old, site, u, axis, kept)
            aligned[site] = _variable(new, site, u, axis, kept)
    return xr.Dataset(raw), xr.Dataset(aligned)


def pairs_alike(posterior: xr.Dataset, sym: Symmetry) -> dict[str, xr.DataArray]:
    """Of each site of labels, the share of pairs of entries that bear the same one: no relabeling
    changes it.

    Where a batch has labels of its own, the mean over its sets.
    """
    found = {}
    for u in sym:
        for site, axis in u.labeled:
            if site in posterior:
                labels = posterior[site].transpose("chain", "draw", ...).values
                alike = np.square(_shares(labels, u, axis)).sum(-1)
                alike = alike.reshape(*labels.shape[:2], -1).mean(-1)  # (chain, draw)
                found[f"pairs alike in {site}"] = xr.DataArray(alike, dims=("chain", "draw"))
    return found


def _entries(labels: np.ndarray, u: Units) -> list[np.ndarray]:
    """Of each label, the entries to look at: those that bear it in enough draws, of
    many the worst.
    """
    flat = labels.reshape(*labels.shape[:2], -1)  # (chain, draw, entry)
    draws = flat.shape[0] * flat.shape[1]
    kept = []
    for k in range(u.n):
        bears = flat == k
        hits = bears.sum((0, 1))
        some = np.flatnonzero((hits >= FEWEST) & (draws - hits >= FEWEST))
        if len(some) > MANY:
            some = some[worst_entries(bears[..., some].astype(np.float32))]
        kept.append(some)
    return kept


def _variable(
    labels: np.ndarray, site: str, u: Units, axis: Axis, kept: list[np.ndarray]
) -> xr.DataArray:
    # (chain, draw, entry) and (chain, draw, label of a set)
    flat = labels.reshape(*labels.shape[:2], -1)
    shares = _shares(labels, u, axis).reshape(*labels.shape[:2], -1)
    each = [(flat[..., entries] == k).astype(float) for k, entries in enumerate(kept)]
    values = np.concatenate([shares, *each], -1)
    return xr.DataArray(values, dims=("chain", "draw", f"{site}_entry"))


def _shares(labels: np.ndarray, u: Units, axis: Axis) -> np.ndarray:
    """The share of each label in each set, ``(chain, draw, *batch, n)``."""
    sets = labels_by_set(labels, axis, lead=2)  # (chain, draw, *batch, entry)
    return np.stack([(sets == k).mean(-1) for k in range(u.n)], -1)
