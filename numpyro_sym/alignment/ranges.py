"""Numbers whose squares do not fit into their type: compared in another unit, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..symmetry import SymmetryError
from .engine.objective import Arrays
from .metrics import View

#: Powers of two between which the largest number of a site must lie, so that sums of its squares
#: are exact enough.
_SINGLE, _DOUBLE = 40, 200


def widened(x: np.ndarray) -> np.ndarray:
    """Half precision as single: its squares are beyond it."""
    is_half = jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize < 4
    return x.astype(np.float32) if is_half else x


def in_range(who: str, view: View) -> tuple[View, float]:
    """The same arrays where their squares fit, and the unit in which they are told now.

    Single precision becomes double where it must; then all are divided by one power of two, which
    is exact, so that no distance changes but by that unit.

    :raises SymmetryError: where no unit fits all sites.
    """
    sizes = _sizes(view)
    is_single = all(x.dtype == np.float32 for x in view.draws.values())
    if _fit(sizes, _SINGLE if is_single else _DOUBLE):
        return view._replace(weights=_of_the_draws_type(view)), 1.0
    unit = 1.0 if _fit(sizes, _DOUBLE) else 2.0 ** np.frexp(max(sizes.values()))[1]
    if not _fit(sizes, _DOUBLE, unit):
        raise SymmetryError(
            f"{who}: the sites' largest numbers are {_listed(sizes)}: too far apart to be summed "
            "in one distance. Standardize them first, or give metric=Whitened(scale)."
        )
    # Exact: the unit is a power of two.
    draws = {name: x.astype(float) / unit for name, x in view.draws.items()}
    reference = view.reference
    if reference is not None:
        reference = {name: np.asarray(x, float) / unit for name, x in reference.items()}
    weights = view.weights
    if weights is not None:
        weights = {name: np.asarray(w, float) for name, w in weights.items()}
    return view._replace(draws=draws, reference=reference, weights=weights), float(unit)


def _of_the_draws_type(view: View) -> Arrays | None:
    if view.weights is None:
        return None
    return {name: np.asarray(w, view.draws[name].dtype) for name, w in view.weights.items()}


def refuse_out_of_range(who: str, sites: Mapping[str, Any], power: int = _DOUBLE) -> None:
    """Raise where a site's largest number is beyond ``2**power`` or below ``2**-power``, but not
    zero.
    """
    sizes = {name: _largest(x) for name, x in sites.items()}
    if not _fit(sizes, power):
        raise SymmetryError(
            f"{who}: the sites' largest numbers are {_listed(sizes)}; expected numbers between "
            f"2**-{power} and 2**{power}. Rescale them first."
        )


def unit_of(x: np.ndarray) -> float:
    """A power of two near the largest number; 1 where all are zero."""
    size = _largest(x)
    return float(2.0 ** np.clip(np.frexp(size)[1], -1000, 1000)) if size else 1.0


def unit_in_jit(*arrays: Any) -> Any:
    """The exponent of :func:`unit_of` for traced arrays; 0 where all are zero, or one is not
    finite.
    """
    largest = jnp.stack([jnp.abs(x).max() for x in arrays]).max()
    return jnp.where(jnp.isfinite(largest) & (largest > 0), jnp.frexp(largest)[1], 0)


def _sizes(view: View) -> dict[str, float]:
    """Of each site, the largest number of all that are compared, in units of its weights."""
    sizes = {}
    for name in view.sym.sites:
        size = _largest(view.draws[name])
        if view.reference is not None:
            size = max(size, _largest(view.reference[name]))
        if view.weights is not None:
            # Weights are multiplied by one number and by two: both must fit.
            root = np.sqrt(np.asarray(view.weights[name], float)).max()
            size = max(size * root, size, root, key=_away_from_one)
        sizes[name] = size
    return sizes


def _away_from_one(size: float) -> float:
    return abs(np.log(size)) if size else 0.0


def _largest(x: Any) -> float:
    x = np.asarray(x)
    return max(float(x.max(initial=0)), -float(x.min(initial=0)))


def _fit(sizes: Mapping[str, float], power: int, unit: float = 1.0) -> bool:
    return all(abs(np.log2(size) - np.log2(unit)) <= power for size in sizes.values() if size)


def _listed(sizes: Mapping[str, float]) -> str:
    return ", ".join(f"{size:.1e} ({name!r})" for name, size in sizes.items())
