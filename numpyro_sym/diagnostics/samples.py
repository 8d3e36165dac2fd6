"""Draws as plain arrays, from an ArviZ object or a dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..symmetry import SymmetryError
from .groups import group_names, posterior_of, sample_dims


def flat_draws(data: Any, sites: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Draws with one sample dimension.

    :param data: an ArviZ object, whose chains are put one after another, or a mapping of arrays
        ``(draw, *site)``.
    :param sites: which; by default all that hold floats.
    :returns: site name -> array of shape ``(draw, *site)``.
    :raises SymmetryError: where a site is missing, or numbers of draws differ.
    """
    if "posterior" in group_names(data):
        dataset = posterior_of(data)
        lead = sample_dims(dataset)
        arrays = {str(n): x.transpose(*lead, ...).values for n, x in dataset.items()}
        arrays = {n: x.reshape(-1, *x.shape[len(lead) :]) for n, x in arrays.items()}
    elif isinstance(data, Mapping):
        arrays = {name: np.asarray(x) for name, x in data.items()}
    else:
        raise SymmetryError(f"Expected an ArviZ object or a mapping of draws; got a {type(data).__name__}.")
    chosen = list(sites) if sites is not None else [n for n, x in arrays.items() if np.issubdtype(x.dtype, np.floating)]
    for name in chosen:
        if name not in arrays:
            raise SymmetryError(f"The draws do not hold site {name!r}; they hold {sorted(arrays)}.")
    lengths = {name: len(arrays[name]) if arrays[name].ndim else None for name in chosen}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        raise SymmetryError(f"Every site must have the same number of draws, along its first axis; got {lengths}.")
    return {name: arrays[name] for name in chosen}
