"""One entry of one variable of an ArviZ object."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from ..diagnostics.arviz.groups import posterior_of, sample_dims
from ..symmetry import SymmetryError, kinds


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


def entry_values(data: Any, entry: Entry) -> np.ndarray:
    """Draws of one number, ``(chain, draw)``; those of a guide are one chain.

    :param entry: ``"noise"``, or a name and an index: ``("w1", 0, 3)``.
    :raises SymmetryError: where there is no such entry.
    """
    name, *index = (entry,) if isinstance(entry, str) else entry
    posterior = posterior_of(data)
    if name not in posterior:
        raise SymmetryError(
            f"The posterior has no variable {name!r}; it has {list(posterior.data_vars)}."
        )
    lead = sample_dims(posterior)
    values = posterior[name].transpose(*lead, ...).values
    if len(lead) == 1:
        values = values[None]
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


def entry_label(entry: Entry) -> str:
    """``w1[0, 3]``."""
    name, *index = (entry,) if isinstance(entry, str) else entry
    if not index:
        return str(name)
    return f"{name}[{', '.join(map(str, index))}]"
