"""Posteriors larger than memory: dask arrays aligned chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any

import jax
import numpy as np

from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.bars import advance, progress
from ._align import EUCLIDEAN, Alignment, Reference, aligned, sample_ndim_of
from .in_stacks import on_arrays
from .metrics import GivenMetric, Wasserstein, in_stacks
from .packing import is_chunked

#: The mean is still where the sum of squared distances falls by no more than this part of it.
_STILL = 1e-6


def align_chunked(
    sites: kinds.Sites,
    reference: Reference,
    sym: Symmetry,
    *,
    sample_ndim: kinds.Positive | None = None,
    metric: GivenMetric = EUCLIDEAN,
    num_threads: kinds.Positive = 1,
    max_iterations: kinds.Positive = 100,
    progress_bar: bool = True,
    **options: Any,
) -> Alignment:
    """:func:`align` for dask arrays: lazy, a chunk of draws at a time.

    Nothing is aligned before a result is computed, but for ``"mean"``, whose passes over all draws
    are made at once. Memory holds as many chunks as dask's scheduler has workers, however many
    draws there are: threads, processes and clusters are dask's own.

    :param sites: site name -> dask arrays of floats ``(*sample, *site)``, chunked along sample
        dimensions; chunks along the others are joined. Labels of units ride along, where they are
        there.
    :param reference: as in :func:`align`; ``"mean"`` makes one pass over the draws for each
        iteration, and starts each from the draws as they came.
    :param sym: the symmetry.
    :param sample_ndim: as in :func:`align`.
    :param metric: as in :func:`align`, but not :class:`Wasserstein`, which holds an array of all
        draws.
    :param num_threads: worker threads for one chunk; dask works at several chunks at once.
    :param max_iterations: passes of ``"mean"``, at most.
    :param progress_bar: whether to show one, of these passes, where they take long; what is
        computed later shows dask's own.
    :param options: of :func:`align`: ``starts``.
    :returns: an :class:`Alignment` of dask arrays; its reference is of NumPy arrays.
    :raises SymmetryError: without dask; where sites are no dask arrays, are missing or do not fit;
        while computing, where a chunk is refused by :func:`align`.

    >>> import dask.array as da
    >>> from numpyro_sym import mixture
    >>> draws = {"mu": da.from_array(np.array([[0.0, 5.0], [5.1, 0.1]]), chunks=(1, 2))}
    >>> align_chunked(draws, "first", mixture(2, {"mu": 0})).sites["mu"].compute()
    array([[0. , 5. ],
           [0.1, 5.1]])
    """
    check_arguments(align_chunked, locals())
    if not len(sym):
        raise SymmetryError(
            "align_chunked: the symmetry has no Units, so there is nothing to align by."
        )
    if isinstance(metric, Wasserstein):
        raise SymmetryError(
            "align_chunked: Wasserstein holds standard deviations of all draws. Align them in "
            "memory."
        )
    lead = _sample_ndim(sites, reference, sym, sample_ndim_of(reference, sample_ndim))
    if sym.stacks:
        return _in_stacks(
            sites,
            reference,
            sym,
            lead,
            metric=in_stacks("align_chunked", metric, sym, lead),
            num_threads=num_threads,
            max_iterations=max_iterations,
            progress_bar=progress_bar,
            **options,
        )
    labels = [site for site in sym.label_sites if site in sites]
    kept = (*sym.sites, *labels) if metric is EUCLIDEAN else tuple(sites)
    draws = _alike(sites, kept, sym, lead)
    options = {**options, "metric": metric, "num_threads": num_threads}
    lazily = partial(_lazily_aligned, draws, sym, lead, options)
    compared = {name: x for name, x in draws.items() if name not in labels}
    if isinstance(reference, Mapping):
        point = {name: np.asarray(x) for name, x in reference.items() if name in compared}
        found = lazily(point)
    elif isinstance(reference, str) and reference == "mean":
        first = _draw(compared, "first", sym, lead)
        with progress("align_chunked", "passes", progress_bar):
            found = _iterated_mean(lazily, first, lead, max_iterations)
    else:
        found = lazily(_draw(compared, reference, sym, lead))
    return found._replace(sites={name: found.sites.get(name, x) for name, x in sites.items()})


def _in_stacks(
    sites: Mapping[str, Any], reference: Reference, sym: Symmetry, lead: int, **options: Any
) -> Alignment:
    """The same of sites that are stacked, lazily too."""
    point = sym.stack(reference) if isinstance(reference, Mapping) else reference

    def on_stacks(arrays: dict[str, Any], arrays_sym: Symmetry) -> Alignment:
        return align_chunked(arrays, point, arrays_sym, sample_ndim=lead, **options)

    found = on_arrays(on_stacks, sites, sym, lead)
    return found._replace(reference=sym.unstack(found.reference))


def _iterated_mean(
    lazily: Any, point: dict[str, np.ndarray], lead: int, max_iterations: int
) -> Alignment:
    """Align to the mean of the aligned, until that is still."""
    import dask

    sample = tuple(range(lead))
    before = np.inf
    for _ in range(max_iterations):
        found = lazily(point)
        means = {name: x.mean(sample) for name, x in found.sites.items() if name in point}
        means, now = dask.compute(means, (found.distance.astype(float) ** 2).sum())
        advance("passes")
        if now >= (1 - _STILL) * before:
            break
        before, point = now, means
    return found


def _lazily_aligned(
    draws: Mapping[str, Any],
    sym: Symmetry,
    lead: int,
    options: Mapping[str, Any],
    point: Mapping[str, np.ndarray],
) -> Alignment:
    """One row of numbers for each draw, computed once, of which every result is a part."""
    import dask.array as da

    some = draws[sym.sites[0]]
    dtype = np.promote_types(some.dtype, np.float32)  # holds permutations too, exactly
    # One draw of zeros tells what comes out, and of which shapes.
    zeros = [np.zeros((1,) * lead + x.shape[lead:], x.dtype) for x in draws.values()]
    leaves, structure = jax.tree.flatten(_align_block(zeros, draws, sym, point))
    shapes = [np.shape(leaf)[lead:] for leaf in leaves]
    ends = np.cumsum([prod(shape) for shape in shapes]).tolist()
    sample = tuple(range(lead))
    # Every axis has a number: those of the draws in common, each site's own, and one of the rows.
    args: list[Any] = []
    axis = lead + 1
    for x in draws.values():
        args += [x, (*sample, *range(axis, axis + x.ndim - lead))]
        axis += x.ndim - lead
    given: dict[str, Any] = {"names": tuple(draws), "sym": sym, "point": point, "options": options}
    rows = da.blockwise(
        partial(_rows_of_block, dtype=dtype, **given),
        (*sample, lead),
        *args,
        new_axes={lead: ends[-1]},
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * (lead + 1), dtype),
    )
    parts = []
    for leaf, shape, end in zip(leaves, shapes, ends, strict=True):
        own = np.result_type(leaf)
        part = rows.map_blocks(
            partial(_part, start=end - prod(shape), stop=end, shape=shape, dtype=own),
            dtype=own,
            drop_axis=lead,
            new_axis=list(range(lead, lead + len(shape))),
            chunks=(*rows.chunks[:lead], *((n,) for n in shape)),
            meta=np.empty((0,) * (lead + len(shape)), own),
        )
        parts.append(part)
    return jax.tree.unflatten(structure, parts)._replace(reference=dict(point))


def _align_block(
    arrays, names, sym: Symmetry, point: Mapping[str, np.ndarray], **options: Any
) -> Alignment:
    """A chunk aligned; the reference is known, so it is left out."""
    draws = dict(zip(names, arrays, strict=True))
    found = aligned("align_chunked", draws, point, sym, progress_bar=False, **options)
    moved = [name for name in (*sym.sites, *sym.label_sites) if name in found.sites]
    return found._replace(sites={name: found.sites[name] for name in moved}, reference={})


def _rows_of_block(
    *arrays: np.ndarray, names, sym, point, options: Mapping[str, Any], dtype
) -> np.ndarray:
    found = _align_block(arrays, names, sym, point, **options)
    sample = np.shape(found.distance)
    # (*sample, number)
    columns = [np.reshape(leaf, (*sample, -1)) for leaf in jax.tree.leaves(found)]
    return np.concatenate(columns, -1, dtype=dtype)


def _part(rows: np.ndarray, *, start: int, stop: int, shape: tuple[int, ...], dtype) -> np.ndarray:
    return rows[..., start:stop].reshape(*rows.shape[:-1], *shape).astype(dtype)


def _sample_ndim(
    sites: Mapping[str, Any], reference: Reference, sym: Symmetry, given: int | None
) -> int:
    for name in sym.sites:
        if name not in sites:
            raise SymmetryError(
                f"align_chunked: the draws lack site {name!r}; there are {sorted(sites)}."
            )
    labels = [site for site in sym.label_sites if site in sites]
    for name in (*sym.sites, *labels):
        if not is_chunked(sites[name]):
            raise SymmetryError(
                f"align_chunked: site {name!r} is a {type(sites[name]).__name__}; expected a dask "
                "array, such as dask.array.from_array makes. For arrays in memory there is "
                "numpyro_sym.align."
            )
    if given is not None:
        return given
    name = sym.sites[0]
    if isinstance(reference, Mapping) and name in reference:
        return sites[name].ndim - np.ndim(reference[name])
    return 1


def _alike(
    sites: Mapping[str, Any], kept: tuple[str, ...], sym: Symmetry, lead: int
) -> dict[str, Any]:
    """The sites in the same chunks of draws, whole along their own axes."""
    first = sites[sym.sites[0]]
    sample = first.shape[:lead]
    if any(np.isnan(n) for n in first.shape):
        raise SymmetryError(
            "align_chunked: chunk sizes are not known. Call compute_chunk_sizes() first."
        )
    draws = {}
    for name in kept:
        if is_chunked(sites[name]) and sites[name].shape[:lead] == sample:
            draws[name] = sites[name]
    sym.check_shapes({name: x.shape for name, x in draws.items()}, sample)
    for name, x in draws.items():
        draws[name] = x.rechunk((*first.chunks[:lead], *((n,) for n in x.shape[lead:])))
    return draws


def _draw(
    draws: Mapping[str, Any], reference: Any, sym: Symmetry, lead: int
) -> dict[str, np.ndarray]:
    """One draw, computed."""
    import dask

    index = reference if isinstance(reference, tuple) else (reference,)
    if reference == "first":
        index = (0,) * lead
    sample = draws[sym.sites[0]].shape[:lead]
    fits = len(index) == lead and all(isinstance(i, int | np.integer) for i in index)
    if not fits or not all(-n <= i < n for i, n in zip(index, sample, strict=True)):
        raise SymmetryError(
            f"align_chunked: reference {reference!r} is no draw of sample shape {sample}. Give a "
            "dict of arrays, 'first', 'mean', or the index of one draw (a tuple where there are "
            "several sample dimensions)."
        )
    return dask.compute({name: x[index] for name, x in draws.items()})[0]
