"""A posterior larger than memory aligned into a zarr store, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...alignment import Euclidean
from ...symmetry import Symmetry, SymmetryError
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import DELAY, is_shown
from . import fingerprint
from ._rebasin import ALIGNED_GROUPS, Reference, align_dataset, point_of
from .groups import ArvizData, get_group, group_names, posterior_of, with_sites
from .record import summary_of

#: Groups of the store that are no data: the point aligned to, and which blocks are written.
_REFERENCE, _WRITTEN = "rebasin_reference", "rebasin_written"
_STATE = "numpyro_sym_rebasin"
#: Its state until all but draws is written; then the fingerprints of what it was begun with.
_BEGUN = "begun"
_OTHERS = {"draws": "other draws", "symmetry": "another symmetry", "reference": "another reference"}
#: Draws in one block where the data are not chunked.
_DRAWS = 1000
_SAMPLE = ("chain", "draw")
#: Version 2, as version 3 has no names for coordinates that are strings.
_FORMAT: dict[str, Any] = {"zarr_format": 2, "consolidated": False}


def rebasin_to_zarr(
    data: ArvizData,
    store: str | Path,
    sym: Symmetry,
    *,
    reference: Reference = "mean",
    progress_bar: bool = True,
) -> xr.DataTree:
    """:func:`rebasin` into a zarr store: memory for a block of draws at a time, and nothing lost on
    the way.

    Blocks are the chunks of the draws. dask's scheduler reads, aligns and writes several at once:
    set it as always, ``dask.config.set(scheduler="threads")`` or a ``distributed.Client``. Call it
    again with the same store after an interruption: the reference is read back, blocks that are
    written are held against what was read and written, and left alone.

    :param data: an ArviZ object whose draws are dask arrays, as ``xarray.open_datatree(file,
        chunks={})`` makes of netCDF or zarr; those of others go in blocks of 1000.
    :param store: a directory: a new one, or that of an interrupted run with the same data.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`.
    :param reference: as in :func:`rebasin`; ``"mean"`` passes over all draws several times first.
    :param progress_bar: whether to show one where it takes long; a ``distributed.Client`` has its
        own dashboard.
    :returns: the store, opened lazily.
    :raises SymmetryError: as :func:`rebasin`; where the store was begun with other draws, another
        symmetry or another reference; and where a part of it is damaged, naming the block, which
        the next call makes again.
    :raises ImportError: without dask and zarr.

    >>> import tempfile, numpy as np, xarray as xr, numpyro_sym as nsym
    >>> mu = np.random.default_rng(0).normal([-3.0, 3.0], 0.1, size=(4, 100, 2))
    >>> mu[2:] = mu[2:, :, ::-1]
    >>> posterior = xr.Dataset({"mu": (("chain", "draw", "component"), mu)})
    >>> data = xr.DataTree.from_dict({"posterior": posterior})
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
        raise ImportError(
            "rebasin_to_zarr needs dask and zarr: pip install 'numpyro_sym[big]'."
        ) from error
    check_arguments(rebasin_to_zarr, locals())
    posterior_of(data)
    there = [name for name in ALIGNED_GROUPS if name in group_names(data)]
    groups = {name: _chunked(get_group(data, name)) for name in there}
    blocks = {name: list(_blocks(dataset)) for name, dataset in groups.items()}
    asked = _fingerprints(groups, blocks, sym, reference)
    if not _is_prepared(store, asked):
        zarr.open_group(store, zarr_format=2).attrs[_STATE] = _BEGUN
        found = _prepare(data, groups, blocks, store, sym, reference, progress_bar)
        state = asked | {"point": found}
        state["all"] = fingerprint.of_text(state)
        zarr.open_group(store, zarr_format=2).attrs[_STATE] = state
    point = _point(store)
    for name, dataset in groups.items():
        if _sizes(_open(store, name)) != _sizes(dataset):
            raise SymmetryError(
                f"rebasin_to_zarr: {str(store)!r} holds draws of other sizes or chunks in group "
                f"{name!r}. Give a new directory, or the data of the run that was interrupted."
            )
    marks = {name: _marks(store, name, len(blocks[name])) for name in groups}
    _refuse_damaged(groups, blocks, marks, store)
    tasks = []
    for name, dataset in groups.items():
        for i in np.flatnonzero(~marks[name].any(1)):
            where = blocks[name][i]
            block = dataset.isel(where)
            task = dask.delayed(_write)(block, point, sym, str(store), name, where, int(i))
            tasks.append(task)
    with ProgressBar(minimum=DELAY) if is_shown(progress_bar) else nullcontext():
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
    """Align one block, write it, and then only mark it: by what was read and by what
    was written.
    """
    import zarr

    block = block.load()
    found = align_dataset(block, point, sym, progress_bar=False)
    aligned = _draws_of(with_sites(block, found.sites))
    bare = aligned.drop_vars(list(aligned.coords))
    bare.to_zarr(store, group=group, region=dict(where), **_FORMAT)
    marks = fingerprint.of_dataset(_draws_of(block)), fingerprint.of_dataset(aligned)
    written = zarr.open_array(store, path=f"{_WRITTEN}/{group}", zarr_format=2)
    written[i] = np.concatenate(marks)


def _draws_of(dataset: xr.Dataset) -> xr.Dataset:
    """The variables that run over draws: those that are written block by block."""
    return dataset[[name for name, x in dataset.data_vars.items() if set(_SAMPLE) <= set(x.dims)]]


def _prepare(
    data: Any,
    groups: Mapping[str, xr.Dataset],
    blocks: Mapping[str, list],
    store: str | Path,
    sym: Symmetry,
    reference: Reference,
    progress_bar: bool,
) -> str:
    """All that is no aligned draw: other groups, coordinates, the point aligned to, and that no
    block is written.

    :returns: the point's fingerprint.
    """
    point, told = point_of(reference, sym)
    found = align_dataset(groups["posterior"], point, sym, progress_bar=progress_bar)
    done = summary_of(found, sym, told, Euclidean.__name__)
    for name in group_names(data):
        if name in (_REFERENCE, _WRITTEN):
            continue
        if name in groups:
            dataset = groups[name].assign_attrs(rebasin=done)
            dataset.to_zarr(store, group=name, mode="w", compute=False, **_FORMAT)
        else:
            _rechunked(get_group(data, name)).to_zarr(store, group=name, mode="w", **_FORMAT)
    at = {}
    for name, x in found.reference.items():
        at[name] = (tuple(f"{name}_{i}" for i in range(np.ndim(x))), x)
    xr.Dataset(at).to_zarr(store, group=_REFERENCE, mode="w", **_FORMAT)
    words = 2 * fingerprint.WORDS
    marks = {}
    for name, some in blocks.items():
        marks[name] = ((f"{name}_block", "word"), np.zeros((len(some), words), np.uint64))
    # One chunk for each block: two of them may be written at once.
    one = {name: {"chunks": (1, words)} for name in blocks}
    xr.Dataset(marks).to_zarr(store, group=_WRITTEN, mode="w", encoding=one, **_FORMAT)
    return fingerprint.of_arrays(found.reference)


# Is it this run's, and is it whole? ---------------------------------------------------------------


def _fingerprints(
    groups: Mapping[str, xr.Dataset],
    blocks: Mapping[str, list],
    sym: Symmetry,
    reference: Reference,
) -> dict[str, str]:
    """What this call is about. Of the draws, the first and the last block of each group; blocks
    mark the rest.
    """
    ends = []
    for name, some in blocks.items():
        for where in (some[0], some[-1]):
            ends.append(fingerprint.of_dataset(_draws_of(groups[name].isel(where))).tolist())
    point, _ = point_of(reference, sym)
    of_point = fingerprint.of_arrays if isinstance(point, Mapping) else fingerprint.of_text
    return {
        "draws": fingerprint.of_text(ends),
        "symmetry": fingerprint.of_symmetry(sym),
        "reference": of_point(point),
    }


def _is_prepared(store: str | Path, asked: Mapping[str, str]) -> bool:
    """Whether the store was begun by a call like this one and only draws are left to write.

    :raises SymmetryError: where it is another's, or its attributes are damaged.
    """
    import zarr

    if not Path(store).exists() or not any(Path(store).iterdir()):
        return False
    try:
        state: Any = zarr.open_group(store, zarr_format=2).attrs.get(_STATE)
    except Exception as error:
        raise _unreadable(store, "its attributes", error) from error
    if state is None:
        raise SymmetryError(
            f"rebasin_to_zarr: {str(store)!r} holds something else. Give a new directory."
        )
    if state == _BEGUN:
        return False
    told = dict(state) if isinstance(state, Mapping) else {}
    mark_of_all = told.pop("all", None)
    if not {*asked, "point"} <= set(told) or mark_of_all != fingerprint.of_text(told):
        raise SymmetryError(
            f"rebasin_to_zarr: attributes of {str(store)!r} are damaged. Give a new directory."
        )
    for what, mark in asked.items():
        if told[what] != mark:
            raise SymmetryError(
                f"rebasin_to_zarr: {str(store)!r} was begun with {_OTHERS[what]}. Give a new "
                "directory, or what the run that was interrupted was given."
            )
    return True


def _point(store: str | Path) -> dict[str, np.ndarray]:
    """The point aligned to, read back and held against its fingerprint."""
    import zarr

    state: Any = zarr.open_group(store, zarr_format=2).attrs[_STATE]
    point = {str(name): x.values for name, x in _open(store, _REFERENCE).items()}
    if fingerprint.of_arrays(point) != state["point"]:
        raise SymmetryError(
            f"rebasin_to_zarr: the reference in {str(store)!r} is damaged, so blocks would be "
            "aligned to another point. Give a new directory."
        )
    return point


def _marks(store: str | Path, group: str, number: int) -> np.ndarray:
    """The mark of every block, ``(blocks, words)``; zeros where it is not written, ones where it
    cannot be read.
    """
    import zarr

    try:
        array = zarr.open_array(store, path=f"{_WRITTEN}/{group}", zarr_format=2)
    except Exception as error:
        raise _unreadable(store, f"the marks of group {group!r}", error) from error
    if array.shape != (number, 2 * fingerprint.WORDS):
        raise SymmetryError(
            f"rebasin_to_zarr: {str(store)!r} holds draws of other sizes or chunks in group "
            f"{group!r}. Give a new directory, or the data of the run that was interrupted."
        )
    marks = np.ones(array.shape, np.uint64)
    for i in range(number):
        with suppress(Exception):  # what a damaged chunk raises is its codec's
            marks[i] = array[i]
    return marks


def _refuse_damaged(
    groups: Mapping[str, xr.Dataset],
    blocks: Mapping[str, list],
    marks: Mapping[str, np.ndarray],
    store: str | Path,
) -> None:
    """Hold every block that is marked against its mark; take back the marks of those that do not
    agree.
    """
    import dask
    import zarr

    marked, tasks = [], []
    for name, dataset in groups.items():
        for i in np.flatnonzero(marks[name].any(1)).tolist():
            where = blocks[name][i]
            block = dataset.isel(where)
            tasks.append(dask.delayed(_faults)(block, str(store), name, where, marks[name][i]))
            marked.append((name, i))
    damaged = []
    for (name, i), fault in zip(marked, dask.compute(*tasks), strict=True):
        if fault == "draws":
            raise SymmetryError(
                f"rebasin_to_zarr: {str(store)!r} was begun with other draws: "
                f"{_where(name, blocks[name][i])} was written from others than these. Give a new "
                "directory."
            )
        if fault:
            damaged.append(_where(name, blocks[name][i]))
            zarr.open_array(store, path=f"{_WRITTEN}/{name}", zarr_format=2)[i] = np.uint64(0)
    if damaged:
        raise SymmetryError(
            f"rebasin_to_zarr: {str(store)!r} is damaged: {'; '.join(damaged)}. The marks of these "
            "blocks are taken back: call again, and they are made again."
        )


def _faults(
    block: xr.Dataset, store: str, group: str, where: Mapping[str, slice], mark: np.ndarray
) -> str:
    """``"draws"`` where a block was written from other draws, ``"block"`` where it is not what was
    written.
    """
    try:
        written = _open(store, group)[list(_draws_of(block).data_vars)].isel(where).load()
    except Exception:  # what a damaged chunk raises is its codec's
        return "block"
    if not np.array_equal(fingerprint.of_dataset(written), mark[fingerprint.WORDS :]):
        return "block"
    same = np.array_equal(fingerprint.of_dataset(_draws_of(block)), mark[: fingerprint.WORDS])
    return "" if same else "draws"


def _where(group: str, block: Mapping[str, slice]) -> str:
    spans = ", ".join(f"{dim} {span.start} to {span.stop - 1}" for dim, span in block.items())
    return f"the block {spans} of group {group!r}"


def _unreadable(store: str | Path, what: str, error: Exception) -> SymmetryError:
    return SymmetryError(
        f"rebasin_to_zarr: {what} in {str(store)!r} cannot be read ({type(error).__name__}: "
        f"{error}). Give a new directory."
    )


def _open(store: str | Path, group: str) -> xr.Dataset:
    try:
        return xr.open_zarr(store, group=group, consolidated=False)
    except Exception as error:
        raise _unreadable(store, f"group {group!r}", error) from error


def _chunked(dataset: xr.Dataset) -> xr.Dataset:
    """Chunks along chains and draws alone, the same for all that have these, and of one size as
    zarr's are.
    """
    draws = _draws_of(dataset)
    given = draws.unify_chunks().chunks
    sizes = dict.fromkeys(draws.dims, -1)
    sizes["chain"] = max(given.get("chain", (1,)))
    sizes["draw"] = max(given.get("draw", (_DRAWS,)))
    return dataset.assign(draws.chunk(sizes).data_vars).drop_encoding()


def _rechunked(dataset: xr.Dataset) -> xr.Dataset:
    """Chunks of one size, as zarr's are; how a file held them is forgotten."""
    return dataset.chunk({dim: max(sizes) for dim, sizes in dataset.chunks.items()}).drop_encoding()


def _blocks(dataset: xr.Dataset) -> Iterator[dict[str, slice]]:
    spans = []
    for dim in _SAMPLE:
        ends = np.cumsum((0, *dataset.chunks[dim])).tolist()
        spans.append([slice(a, b) for a, b in pairwise(ends)])
    for chain, draw in product(*spans):
        yield {"chain": chain, "draw": draw}


def _sizes(dataset: xr.Dataset) -> dict[str, tuple[int, ...]]:
    return {str(name): x.shape for name, x in dataset.data_vars.items()}
