"""A posterior larger than memory aligned into a zarr store, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..alignment import Euclidean
from ..symmetry import Symmetry, SymmetryError
from .groups import get_group, group_names, posterior_of, with_sites
from .rebasin import ALIGNED_GROUPS, Reference, align_dataset, point_of
from .record import summary_of

#: Groups of the store that are no data: the point aligned to, and which blocks are written.
_REFERENCE, _WRITTEN = "rebasin_reference", "rebasin_written"
_STATE = "numpyro_sym_rebasin"
#: Draws in one block where the data are not chunked.
_DRAWS = 1000
_SAMPLE = ("chain", "draw")
#: Version 2, as version 3 has no names for coordinates that are strings.
_FORMAT: dict[str, Any] = {"zarr_format": 2, "consolidated": False}


def rebasin_to_zarr(
    data: Any, store: str | Path, sym: Symmetry, *, reference: Reference = "mean", progress_bar: bool = True
) -> xr.DataTree:
    """:func:`rebasin` into a zarr store: memory for a block of draws at a time, and nothing lost on the way.

    Blocks are the chunks of the draws. dask's scheduler reads, aligns and writes several at once: set it
    as always, ``dask.config.set(scheduler="threads")`` or a ``distributed.Client``. Call it again with the
    same store after an interruption: the reference is read back, blocks that are written are left alone.

    :param data: an ArviZ object whose draws are dask arrays, as ``xarray.open_datatree(file, chunks={})``
        makes of netCDF or zarr; those of others go in blocks of 1000.
    :param store: a directory: a new one, or that of an interrupted run with the same data.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`.
    :param reference: as in :func:`rebasin`; ``"mean"`` passes over all draws several times first.
    :param progress_bar: whether to show one; a ``distributed.Client`` has its own dashboard.
    :returns: the store, opened lazily.
    :raises SymmetryError: as :func:`rebasin`; and where the store holds draws of another shape.
    :raises ImportError: without dask and zarr.

    >>> import tempfile, numpy as np, xarray as xr, numpyro_sym as nsym
    >>> mu = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(4, 100, 2))
    >>> mu[2:] = mu[2:, :, ::-1]
    >>> data = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw", "component"), mu)})})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     aligned = rebasin_to_zarr(data, folder, nsym.mixture(2, {"mu": 0}), progress_bar=False)
    ...     bool(np.ptp(aligned["posterior/mu"].mean(("chain", "draw")).values) > 5.9)
    True
    """
    try:
        import dask
        import zarr
        from dask.diagnostics.progress import ProgressBar
    except ImportError as error:
        raise ImportError("rebasin_to_zarr needs dask and zarr: pip install 'numpyro_sym[big]'.") from error
    posterior_of(data)
    groups = {name: _chunked(get_group(data, name)) for name in ALIGNED_GROUPS if name in group_names(data)}
    blocks = {name: list(_blocks(dataset)) for name, dataset in groups.items()}
    if not _is_prepared(store):
        zarr.open_group(store, zarr_format=2).attrs[_STATE] = "begun"
        _prepare(data, groups, blocks, store, sym, reference)
        zarr.open_group(store, zarr_format=2).attrs[_STATE] = "prepared"
    point = {name: x.values for name, x in _open(store, _REFERENCE).items()}
    tasks = []
    for name, dataset in groups.items():
        written = _open(store, _WRITTEN).get(name, xr.DataArray([])).values
        if len(written) != len(blocks[name]) or _sizes(_open(store, name)) != _sizes(dataset):
            raise SymmetryError(
                f"rebasin_to_zarr: {str(store)!r} holds draws of other sizes or chunks in group {name!r}. Give a new "
                "directory, or the data of the run that was interrupted."
            )
        for i in np.flatnonzero(~written):
            block = dataset.isel(blocks[name][i])
            tasks.append(dask.delayed(_write)(block, point, sym, str(store), name, blocks[name][i], int(i)))
    with ProgressBar() if progress_bar else nullcontext():
        dask.compute(*tasks)
    return xr.open_datatree(store, engine="zarr", chunks={}, consolidated=False)


def _write(
    block: xr.Dataset,
    point: Mapping[str, Any],
    sym: Symmetry,
    store: str,
    group: str,
    where: Mapping[str, slice],
    i: int,
) -> None:
    """Align one block, write it, and then only say that it is written."""
    import zarr

    aligned = with_sites(block, align_dataset(block, point, sym).sites)
    draws = aligned[[name for name, x in aligned.data_vars.items() if set(_SAMPLE) <= set(x.dims)]]
    draws.drop_vars(list(draws.coords)).to_zarr(store, group=group, region=dict(where), **_FORMAT)
    zarr.open_array(store, path=f"{_WRITTEN}/{group}", zarr_format=2)[i] = True


def _prepare(
    data: Any,
    groups: Mapping[str, xr.Dataset],
    blocks: Mapping[str, list],
    store: str | Path,
    sym: Symmetry,
    reference: Reference,
) -> None:
    """All that is no aligned draw: other groups, coordinates, the point aligned to, and that no block is written."""
    point, told = point_of(reference, sym)
    found = align_dataset(groups["posterior"], point, sym)
    done = summary_of(found, sym, told, Euclidean.__name__)
    for name in group_names(data):
        if name in (_REFERENCE, _WRITTEN):
            continue
        if name in groups:
            groups[name].assign_attrs(rebasin=done).to_zarr(store, group=name, mode="w", compute=False, **_FORMAT)
        else:
            _rechunked(get_group(data, name)).to_zarr(store, group=name, mode="w", **_FORMAT)
    at = {name: (tuple(f"{name}_{i}" for i in range(np.ndim(x))), x) for name, x in found.reference.items()}
    xr.Dataset(at).to_zarr(store, group=_REFERENCE, mode="w", **_FORMAT)
    # One chunk for each block: two of them may be written at once.
    written = {name: (f"{name}_block", np.zeros(len(some), bool)) for name, some in blocks.items()}
    one = {name: {"chunks": (1,)} for name in written}
    xr.Dataset(written).to_zarr(store, group=_WRITTEN, mode="w", encoding=one, **_FORMAT)


def _is_prepared(store: str | Path) -> bool:
    import zarr

    if not Path(store).exists() or not any(Path(store).iterdir()):
        return False
    state = zarr.open_group(store, zarr_format=2).attrs.get(_STATE)
    if state is None:
        raise SymmetryError(f"rebasin_to_zarr: {str(store)!r} holds something else. Give a new directory.")
    return state == "prepared"


def _open(store: str | Path, group: str) -> xr.Dataset:
    return xr.open_zarr(store, group=group, consolidated=False)


def _chunked(dataset: xr.Dataset) -> xr.Dataset:
    """Chunks along chains and draws alone, the same for all that have these, and of one size as zarr's are."""
    draws = dataset[[name for name, x in dataset.data_vars.items() if set(_SAMPLE) <= set(x.dims)]]
    given = draws.unify_chunks().chunks
    by = {dim: max(given.get(dim, ({"chain": 1, "draw": _DRAWS}[dim],))) for dim in _SAMPLE}
    whole = {dim: -1 for dim in draws.dims if dim not in _SAMPLE}
    return dataset.assign(draws.chunk({**by, **whole}).data_vars).drop_encoding()


def _rechunked(dataset: xr.Dataset) -> xr.Dataset:
    """Chunks of one size, as zarr's are; how a file held them is forgotten."""
    return dataset.chunk({dim: max(sizes) for dim, sizes in dataset.chunks.items()}).drop_encoding()


def _blocks(dataset: xr.Dataset) -> Iterator[dict[str, slice]]:
    ends = {dim: np.cumsum((0, *dataset.chunks[dim])).tolist() for dim in _SAMPLE}
    spans = [[slice(a, b) for a, b in zip(ends[dim], ends[dim][1:], strict=False)] for dim in _SAMPLE]
    for chain, draw in product(*spans):
        yield {"chain": chain, "draw": draw}


def _sizes(dataset: xr.Dataset) -> dict[str, tuple[int, ...]]:
    return {str(name): x.shape for name, x in dataset.data_vars.items()}
