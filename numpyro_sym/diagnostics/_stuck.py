"""Variables that never move: R-hat of what is constant is NaN, and says nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

#: What constant entries hold by construction: a triangle's zeros, the ones of a diagonal, masks.
_BY_CONSTRUCTION = (0.0, 1.0)


def stuck(draws: xr.Dataset) -> dict[str, np.ndarray]:
    """Variables that do not move where they should, with the chains in which they do not.

    All of a variable, whatever it holds; of floats single entries too, but for zeros and ones.

    :param draws: over ``chain`` and ``draw``.
    :returns: name -> mask over the chains.
    """
    found: dict[str, np.ndarray] = {}
    for name, x in draws.items():
        values = x.transpose("chain", "draw", ...).values
        values = values.reshape(*values.shape[:2], -1)  # (chain, draw, entry)
        if not values.shape[-1]:
            continue
        first = values[:, :1]
        # (chain, entry)
        still = (values == first).all(1)
        all_still = still.all() and bool((first == first[:1]).all())
        if values.dtype.kind == "f":
            chains = (still & ~np.isin(first[:, 0], _BY_CONSTRUCTION)).any(-1)
            chains |= all_still
        else:
            chains = np.full(len(values), all_still)
        if chains.any():
            found[str(name)] = chains
    return found


def stuck_lines(found: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """A line for those that are stuck in every chain, and one for the others."""
    always = [name for name, chains in found.items() if chains.all()]
    some = [name for name, chains in found.items() if not chains.all()]
    lines = []
    if always:
        lines.append(
            f"never moves: {', '.join(always)}, wholly or in an entry; leave it out if it is a "
            "constant"
        )
    if some:
        lines.append(f"stuck in single chains: {', '.join(some)}")
    return tuple(lines)
