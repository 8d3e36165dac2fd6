"""What alignment refuses, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..symmetry import Symmetry, SymmetryError


def as_host_arrays(sites: Mapping[str, Any], sym: Symmetry, what: str) -> dict[str, np.ndarray]:
    """The sites that a symmetry names, as finite NumPy arrays of one floating dtype."""
    arrays: dict[str, np.ndarray] = {}
    for name in sym.sites:
        if name not in sites:
            raise SymmetryError(
                f"align: {what} lack site {name!r}, on which the symmetry acts; there are {sorted(sites)}."
            )
        if isinstance(sites[name], jax.core.Tracer):
            raise SymmetryError(
                f"align: site {name!r} of {what} is traced. Alignment runs on the host: call it outside jit."
            )
        if is_chunked(sites[name]):
            raise SymmetryError(
                f"align: site {name!r} of {what} is a dask array, which may not fit into memory. Use align_chunked, or "
                "compute it first."
            )
        arrays[name] = np.asarray(sites[name])
        if not jnp.issubdtype(arrays[name].dtype, jnp.floating):
            raise SymmetryError(f"align: site {name!r} of {what} has dtype {arrays[name].dtype}; expected floats.")
    if len({a.dtype for a in arrays.values()}) > 1:
        kinds = {name: str(a.dtype) for name, a in arrays.items()}
        raise SymmetryError(f"align: {what} mix dtypes, {kinds}. Convert them to one.")
    for name, a in arrays.items():
        refuse_not_finite(name, a, what)
    return arrays


def is_chunked(x: Any) -> bool:
    """Whether an array is dask's."""
    return hasattr(x, "__dask_graph__")


def refuse_not_finite(name: str, array: np.ndarray, what: str) -> None:
    """Raise where an array holds NaN or infinity, which no distance can be measured to."""
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise SymmetryError(
            f"align: site {name!r} of {what} holds {int((~finite).sum())} NaN or infinite values, the first at index "
            f"{first}. Remove those draws, or find out why they diverged."
        )


def sample_shape(sites: Mapping[str, np.ndarray], sample_ndim: int, what: str) -> tuple[int, ...]:
    """The leading sample dimensions, which all sites must share."""
    shapes = {name: a.shape[:sample_ndim] for name, a in sites.items()}
    if any(a.ndim < sample_ndim for a in sites.values()) or len(set(shapes.values())) > 1:
        full = {name: a.shape for name, a in sites.items()}
        raise SymmetryError(f"align: {what} must share {sample_ndim} leading sample dimensions; got shapes {full}.")
    return next(iter(shapes.values()), ())
