"""Draws as plain arrays, from an ArviZ object or a dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...symmetry import SymmetryError, kinds
from ...symmetry.arguments import check_arguments, describe, refusal
from .groups import get_group, group_names, posterior_of, sample_dims


def listed(var_names: str | Iterable[str] | None) -> list[str] | None:
    """Names of variables as a list, however they were given; ``None`` stays so."""
    if var_names is None:
        return None
    return [var_names] if isinstance(var_names, str) else list(var_names)


def chosen_names(
    who: str, var_names: str | Iterable[str] | None, there: Sequence[str]
) -> list[str]:
    """Names out of those that are there, in the order in which they are asked for.

    :param who: the name that an error begins with.
    :param var_names: a name or several; each with ``~`` before it: all but these. ``None``: all.
    :param there: what may be asked for.
    :raises SymmetryError: naming those that are not there, or where none is left.

    >>> chosen_names("plot", "~b1", ["w1", "b1", "w2"])
    ['w1', 'w2']
    """
    asked = listed(var_names)
    if asked is None:
        return list(there)
    left_out = [name[1:] for name in asked if name.startswith("~") and name not in there]
    kept = [name for name in asked if name in there or not name.startswith("~")]
    missing = [name for name in (*kept, *left_out) if name not in there]
    if missing:
        raise SymmetryError(
            f"{who}: var_names asks for {', '.join(map(repr, missing))}; there are {list(there)}."
        )
    if kept and left_out:
        raise SymmetryError(
            f"{who}: var_names names {kept} to draw and {left_out} to leave out. Say one of the "
            "two."
        )
    chosen = list(dict.fromkeys(kept))
    if left_out:
        chosen = [name for name in there if name not in left_out]
    if not chosen:
        raise SymmetryError(f"{who}: var_names leaves nothing of {list(there)}.")
    return chosen


def flat_draws(data: Any, var_names: kinds.VarNames | None = None) -> dict[str, np.ndarray]:
    """Draws with one sample dimension.

    :param data: an ArviZ object, whose chains are put one after another, or a mapping of arrays
        ``(draw, *site)``.
    :param var_names: which; by default all that hold floats. With ``~`` before each name: all of
        these but those.
    :returns: site name -> array of shape ``(draw, *site)``.
    :raises SymmetryError: where a site is missing, or numbers of draws differ.
    """
    check_arguments(flat_draws, locals())
    if "posterior" in group_names(data):
        dataset = posterior_of(data)
        lead = sample_dims(dataset)
        arrays = {}
        for name, draws in dataset.items():
            x = draws.transpose(*lead, ...).values
            arrays[str(name)] = x.reshape(-1, *x.shape[len(lead) :])  # (draw, *site)
    elif isinstance(data, Mapping) and "chain" not in getattr(data, "sizes", ()):
        arrays = {name: _numbers(name, x) for name, x in data.items()}
    else:
        raise SymmetryError(refusal("flat_draws", "data", data, _EXPECTED))
    floats = [n for n, x in arrays.items() if np.issubdtype(x.dtype, np.floating)]
    asked = listed(var_names)
    chosen = floats
    if asked is not None and arrays:
        chosen = chosen_names("flat_draws", asked, list(arrays))
        if not set(asked) & set(chosen):  # all but those asked for: of the ones that hold floats
            chosen = [name for name in chosen if name in floats]
    if not chosen:
        raise SymmetryError(f"The draws hold no site of floats; they hold {sorted(arrays)}.")
    lengths = {name: len(arrays[name]) if arrays[name].ndim else None for name in chosen}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        raise SymmetryError(
            f"Every site must have the same number of draws, along its first axis; got {lengths}."
        )
    if 0 in lengths.values():
        shapes = {name: arrays[name].shape for name in chosen}
        raise SymmetryError(f"There are no draws; the sites have shapes {shapes}.")
    return {name: arrays[name] for name in chosen}


_EXPECTED = "an ArviZ object with a posterior, or a dict of draws, site name -> array (draw, *site)"


LOG_LIKELIHOODS = (
    "log densities (chain, draw, observation), or an ArviZ object with a log_likelihood group"
)


def log_likelihoods(who: str, data: Any) -> list[np.ndarray] | None:
    """Log densities ``(chain, draw, ...)`` of every observed site of an ArviZ object; ``None``
    where ``data`` is none.

    :param who: the name that an error begins with.
    :raises SymmetryError: where it has no such group, or is one group by itself.
    """
    names = group_names(data)
    if "log_likelihood" in names:
        group = get_group(data, "log_likelihood")
        return [x.transpose("chain", "draw", ...).values for x in group.values()]
    if names:
        raise SymmetryError(
            f"{who}: there is no group log_likelihood; there are {names}. "
            "Use arviz.from_numpyro(mcmc, log_likelihood=True)."
        )
    if isinstance(data, xr.Dataset | xr.DataTree):
        # A posterior and a group of log likelihoods look alike, and only one of them is meant.
        remedy = (
            "One group does not tell whether it holds log likelihoods: "
            "pass the whole object, or {site: array}."
        )
        raise SymmetryError(refusal(who, "data", data, LOG_LIKELIHOODS, remedy))
    return None


def _numbers(name: str, x: Any) -> np.ndarray:
    if not isinstance(name, str) or not kinds.is_real(x):
        raise SymmetryError(
            f"The draws of site {name!r} are {describe(x)}; expected an array (draw, *site)."
        )
    return np.asarray(x)
