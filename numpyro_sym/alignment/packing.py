"""Draws as one flat batch on the host, and the way back; what cannot be packed is refused before
any work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..symmetry import Element, Symmetry, SymmetryError
from ..symmetry.validity import check_labels

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Packed:
    """Draws with one sample dimension, as NumPy arrays.

    :param given: the sites as they came.
    :param sample: their leading sample dimensions.
    :param draws: site name -> array ``(batch, *site)``, of the sites along which a symmetry's units
        lie.
    :param labels: the same, of the sites that hold labels of units, as far as they are there.
    """

    given: Mapping[str, Any]
    sample: tuple[int, ...]
    draws: Arrays
    labels: Arrays

    @property
    def batch(self) -> int:
        """How many draws there are."""
        return int(np.prod(self.sample))

    @property
    def with_others(self) -> Arrays:
        """All sites of these draws, those too that the symmetry does not name."""
        lead = len(self.sample)
        others = {
            name: np.asarray(x)
            for name, x in self.given.items()
            if name not in self.draws | self.labels and np.shape(x)[:lead] == self.sample
        }
        return {
            name: x.reshape((self.batch, *x.shape[lead:])) for name, x in others.items()
        } | self.draws

    @property
    def on_host(self) -> bool:
        """Whether NumPy arrays came, so that NumPy arrays go back; else JAX's."""
        return all(isinstance(self.given[name], (np.ndarray, np.generic)) for name in self.draws)

    def back(self, x: np.ndarray) -> Any:
        """An array ``(batch, ...)`` with the draws' sample dimensions, of their kind of arrays."""
        shaped = x.reshape((*self.sample, *x.shape[1:]))
        return shaped if self.on_host else jnp.asarray(shaped)

    def unpack(self, moved: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """All sites as they came, but for those that were moved; these of the dtypes that came."""
        sites = dict(self.given)
        for name, x in moved.items():
            sites[name] = self.back(x.astype((self.draws | self.labels)[name].dtype, copy=False))
        return sites

    def moved_labels(self, sym: Symmetry, elements: Mapping[str, Element]) -> Arrays:
        """The labels, moved by the draws' elements."""
        return dict(sym.moved_labels(elements, self.labels, sample_ndim=1))

    def unpack_elements(
        self, elements: Mapping[str, Element], dtype: np.dtype
    ) -> dict[str, Element]:
        """Elements of the draws, their factors of one dtype."""
        return {
            name: Element(self.back(permutation), self.back(factor.astype(dtype)))
            for name, (permutation, factor) in elements.items()
        }


def pack(
    who: str,
    sites: Mapping[str, Any],
    sym: Symmetry,
    sample_ndim: int | None,
    point: Mapping[str, np.ndarray] | None = None,
) -> Packed:
    """Draws as one flat batch.

    :param who: the public function that was called, for errors.
    :param sites: site name -> floats ``(*sample, *site)``, NumPy or JAX.
    :param sample_ndim: how many leading sample dimensions there are; ``None``: as many as the sites
        have more than the point, 1 where there is none.
    :param point: site name -> array of shape ``site``, as :func:`as_host_arrays` gives it.
    :raises SymmetryError: where a site is missing, is not of finite floats, or does not fit.
    """
    arrays = as_host_arrays(who, sites, sym, "the draws")
    labels = labels_on_host(who, sites, sym)
    lead = _sample_ndim(who, arrays, point, sample_ndim)
    sample = _sample_shape(who, arrays, lead)
    sym.check_shapes({name: x.shape for name, x in (arrays | labels).items()}, sample)
    batch = int(np.prod(sample))
    draws, labels = (
        {name: x.reshape((batch, *x.shape[lead:])) for name, x in some.items()}
        for some in (arrays, labels)
    )
    return Packed(sites, sample, draws, labels)


def as_host_arrays(who: str, sites: Mapping[str, Any], sym: Symmetry, what: str) -> Arrays:
    """The sites that a symmetry names, as finite NumPy arrays of one floating dtype.

    :param who: the public function that was called, for errors.
    :param what: what the sites are, for errors.
    """
    arrays: Arrays = {}
    for name in sym.sites:
        if name not in sites:
            raise SymmetryError(
                f"{who}: {what} lack site {name!r}, on which the symmetry acts; there are "
                f"{sorted(sites)}."
            )
        if isinstance(sites[name], jax.core.Tracer):
            raise SymmetryError(
                f"{who}: site {name!r} of {what} is traced. It runs on the host: call it outside "
                "jit."
            )
        if is_chunked(sites[name]):
            raise SymmetryError(
                f"{who}: site {name!r} of {what} is a dask array, which may not fit into memory. "
                "Use align_chunked, or "
                "compute it first."
            )
        arrays[name] = np.asarray(sites[name])
        if not jnp.issubdtype(arrays[name].dtype, jnp.floating):
            raise SymmetryError(
                f"{who}: site {name!r} of {what} has dtype {arrays[name].dtype}; expected floats."
            )
    if len({x.dtype for x in arrays.values()}) > 1:
        dtypes = {name: str(x.dtype) for name, x in arrays.items()}
        raise SymmetryError(f"{who}: {what} mix dtypes, {dtypes}. Convert them to one.")
    for name, x in arrays.items():
        refuse_not_finite(who, name, x, what)
    return arrays


def labels_on_host(who: str, sites: Mapping[str, Any], sym: Symmetry) -> Arrays:
    """The sites that hold labels of a symmetry's units, as far as they are there, as
    NumPy arrays.
    """
    labels: Arrays = {}
    for u in sym:
        for name in u.values:
            if name not in sites:
                continue
            if isinstance(sites[name], jax.core.Tracer):
                raise SymmetryError(
                    f"{who}: site {name!r} is traced. It runs on the host: call it outside jit."
                )
            labels[name] = np.asarray(sites[name])
            check_labels(who, u, name, labels[name])
    return labels


def is_chunked(x: Any) -> bool:
    """Whether an array is dask's."""
    return hasattr(x, "__dask_graph__")


def refuse_not_finite(who: str, name: str, array: np.ndarray, what: str) -> None:
    """Raise where an array holds NaN or infinity, which no distance can be measured to."""
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise SymmetryError(
            f"{who}: site {name!r} of {what} holds {int((~finite).sum())} NaN or infinite values, "
            "the first at index "
            f"{first}. Remove those draws, or find out why they diverged."
        )


def _sample_ndim(
    who: str, arrays: Arrays, point: Mapping[str, np.ndarray] | None, given: int | None
) -> int:
    if point is None:
        return 1 if given is None else given
    name = next(iter(arrays))
    lead = arrays[name].ndim - point[name].ndim if given is None else given
    for name, x in arrays.items():
        if lead < 0 or x.shape[lead:] != point[name].shape:
            raise SymmetryError(
                f"{who}: site {name!r} has shape {point[name].shape} in the reference and "
                f"{x.shape} in the draws; "
                "expected the draws' shape without its leading sample dimensions."
            )
    return lead


def _sample_shape(who: str, arrays: Arrays, sample_ndim: int) -> tuple[int, ...]:
    """The leading sample dimensions, which all sites must share."""
    shapes = {x.shape[:sample_ndim] for x in arrays.values()}
    if any(x.ndim < sample_ndim for x in arrays.values()) or len(shapes) > 1:
        full = {name: x.shape for name, x in arrays.items()}
        raise SymmetryError(
            f"{who}: the draws must share {sample_ndim} leading sample dimensions; got shapes "
            f"{full}."
        )
    return next(iter(shapes), ())
