"""What to draw of a posterior, said as ArviZ's users say it: ``var_names`` and ``coords``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
import xarray as xr

from ..diagnostics.arviz.groups import posterior_of, sample_dims
from ..diagnostics.arviz.samples import chosen_names
from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import describe

MOST_ENTRIES = 20  # rows of one picture


def _coords_fault(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return "Write {'dimension': coordinate}."
    return None if all(isinstance(dim, str) for dim in value) else ""


Coords = Annotated[
    Mapping[str, Any],
    kinds.Kind("a dict, dimension -> a coordinate, a list of them or a slice", _coords_fault),
]


def _entry_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return None
    fits = isinstance(value, tuple) and len(value) and isinstance(value[0], str)
    if fits and all(kinds.whole(-(10**9)).fault(i) is None for i in value[1:]):
        return None
    return ""


Entry = Annotated[
    str | tuple, kinds.Kind("a name, or a name and an index: ('w1', 0, 3)", _entry_fault)
]


def chosen_of(
    who: str,
    dataset: xr.Dataset,
    var_names: str | Sequence[str] | None,
    coords: Mapping[str, Any] | None,
) -> xr.Dataset:
    """Variables of a Dataset, cut to coordinates; dimensions stay, with what is left of them.

    :param who: the name that an error begins with.
    :param var_names: as for :func:`chosen_names`.
    :param coords: dimension -> coordinate, several in a list, or a slice of them.
    :raises SymmetryError: where a variable, a dimension or a coordinate is not there.
    """
    names = chosen_names(who, var_names, [str(name) for name in dataset.data_vars])
    chosen = dataset[names]
    for dim, wanted in (coords or {}).items():
        if dim not in chosen.sizes:
            raise SymmetryError(
                f"{who}: coords names the dimension {dim!r}; {names} have "
                f"{[str(other) for other in chosen.sizes]}."
            )
        chosen = chosen.isel({dim: _positions(who, dim, chosen[dim].values, wanted)})
    return chosen


def _positions(who: str, dim: str, values: np.ndarray, wanted: Any) -> np.ndarray:
    """Where coordinates stand along a dimension; of a slice, which has both its ends, all from the
    one to the other.
    """
    listed = list(values)
    if isinstance(wanted, slice):
        ends = [end for end in (wanted.start, wanted.stop) if end is not None]
    else:
        ends = [wanted] if isinstance(wanted, str) else list(np.ravel(np.asarray(wanted)))
    missing = [end for end in ends if end not in listed]
    if missing or (not ends and not isinstance(wanted, slice)):
        asked = repr(np.asarray(missing[0]).item()) if missing else describe(wanted)
        raise SymmetryError(
            f"{who}: coords asks for {asked} along {dim!r}, whose coordinates are "
            f"{_few([str(value) for value in listed])}."
        )
    if not isinstance(wanted, slice):
        return np.array([listed.index(end) for end in ends])
    first = 0 if wanted.start is None else listed.index(wanted.start)
    last = len(listed) - 1 if wanted.stop is None else listed.index(wanted.stop)
    found = np.arange(first, last + 1, wanted.step or 1)
    if not found.size:
        raise SymmetryError(f"{who}: coords leaves nothing along {dim!r}; got {wanted}.")
    return found


class Chosen(NamedTuple):
    """Single numbers of a posterior.

    :param entries: label, such as ``w1[0, 3]`` -> draws ``(chain, draw)``.
    :param chains: names of the chains; of a guide's draws, which are one, ``[0]``.
    """

    entries: dict[str, np.ndarray]
    chains: list[Any]


def chosen_entries(
    who: str,
    data: Any,
    entry: str | tuple | None,
    var_names: str | Sequence[str] | None,
    coords: Mapping[str, Any] | None,
) -> Chosen:
    """Draws of one entry, or of all that ``var_names`` and ``coords`` choose.

    :param who: the name that an error begins with.
    :param entry: ``"noise"``, or a name and an index: ``("w1", 0, 3)``; ``None``: see the others.
    :raises SymmetryError: where there is no such entry, or both ways are used at once.
    """
    posterior = posterior_of(data)
    lead = sample_dims(posterior)
    if entry is not None:
        if var_names is not None or coords is not None:
            raise SymmetryError(
                f"{who}: {entry!r} is one entry, and var_names and coords choose others. Say one "
                "of the two."
            )
        one = _one_entry(posterior, entry)
        return Chosen({entry_label(entry): one}, _chain_names(posterior, lead))
    chosen = chosen_of(who, posterior, var_names, coords)
    entries = {}
    for name, x in chosen.items():
        values = _by_chain(x, lead)
        dims = [dim for dim in x.dims if dim not in lead]
        for index in np.ndindex(values.shape[2:]):
            at = [x[dim].values[i] for dim, i in zip(dims, index, strict=True)]
            entries[entry_label((str(name), *at))] = values[(slice(None), slice(None), *index)]
    return Chosen(entries, _chain_names(chosen, lead))


def _one_entry(posterior: xr.Dataset, entry: str | tuple) -> np.ndarray:
    name, *index = (entry,) if isinstance(entry, str) else entry
    if name not in posterior:
        raise SymmetryError(
            f"The posterior has no variable {name!r}; it has {list(posterior.data_vars)}."
        )
    values = _by_chain(posterior[name], sample_dims(posterior))
    try:
        found = values[(slice(None), slice(None), *index)]
    except IndexError:
        found = values
    if found.ndim != 2:
        shape = values.shape[2:]
        first = (name, *[0] * len(shape))
        raise SymmetryError(
            f"{entry!r} is no single number: {name!r} has shape {shape}; give a name and an index, "
            f"such as {first!r}."
        )
    return found


def _by_chain(x: xr.DataArray, lead: tuple[str, ...]) -> np.ndarray:
    """Draws ``(chain, draw, *site)``; those of a guide are one chain."""
    values = x.transpose(*lead, ...).values
    return values[None] if len(lead) == 1 else values


def _chain_names(dataset: xr.Dataset, lead: tuple[str, ...]) -> list[Any]:
    return list(dataset["chain"].values) if "chain" in lead else [0]


def entry_label(entry: str | tuple) -> str:
    """``w1[0, 3]``."""
    name, *index = (entry,) if isinstance(entry, str) else entry
    if not index:
        return str(name)
    return f"{name}[{', '.join(map(str, index))}]"


def before_and_after(
    who: str,
    before: Any,
    after: Any,
    entry: str | tuple | None,
    var_names: str | Sequence[str] | None,
    coords: Mapping[str, Any] | None,
) -> tuple[Chosen, Chosen]:
    """The same entries of two posteriors.

    :raises SymmetryError: as :func:`chosen_entries`, or where the two have other entries.
    """
    one, other = (chosen_entries(who, data, entry, var_names, coords) for data in (before, after))
    if one.entries.keys() != other.entries.keys():
        odd = sorted(one.entries.keys() ^ other.entries.keys())
        raise SymmetryError(f"{who}: before and after do not both have {_few(odd)}.")
    return one, other


def refuse_many(who: str, entries: Mapping[str, Any]) -> None:
    """Raise where more entries were chosen than a picture has room for."""
    if len(entries) > MOST_ENTRIES:
        raise SymmetryError(
            f"{who}: {len(entries)} entries are chosen ({_few(list(entries))}); a picture has room "
            f"for {MOST_ENTRIES}. Choose by entry, var_names or coords."
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
