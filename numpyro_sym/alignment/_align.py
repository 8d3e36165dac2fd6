"""Draws brought to a reference by the elements of a symmetry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..symmetry import Element, Symmetry, SymmetryError, kinds, short_repr
from ..symmetry.arguments import check_arguments
from ..symmetry.bars import progress
from .engine.matching import match
from .engine.moves import act_on_draws
from .engine.objective import to_reference
from .engine.problem import Match
from .engine.starts import GivenStarts
from .in_stacks import on_arrays
from .iterated_mean import match_to_mean
from .metrics import Euclidean, GivenMetric, in_stacks, opened_view
from .packing import Packed, as_host_arrays, pack
from .ranges import in_range, widened

EUCLIDEAN = Euclidean()


def reference_fault(value: Any) -> str | None:
    """What is wrong with a reference, for :class:`~numpyro_sym.symmetry.kinds.Kind`."""
    if isinstance(value, str):
        return None if value in ("first", "mean") else "Of words it knows 'first' and 'mean'."
    if isinstance(value, Mapping):
        return kinds.sites_fault(value)
    index = value if isinstance(value, tuple) else (value,)
    if index and all(kinds.whole(-(10**18)).fault(i) is None for i in index):
        return None
    return (
        "Give a dict of arrays, 'first', 'mean', or the index of one draw "
        "(a tuple where there are several dimensions)."
    )


Reference = Annotated[
    Mapping[str, Any] | str | int | tuple[int, ...],
    kinds.Kind(
        "a point (site name -> array), 'first', 'mean' or the index of a draw", reference_fault
    ),
]


def sample_ndim_of(reference: Reference, given: int | None) -> int | None:
    """How many sample dimensions are asked for: the index of a draw has a number for each."""
    return len(reference) if given is None and isinstance(reference, tuple) else given


class Alignment(NamedTuple):
    """Aligned draws and how they came about; arrays carry the draws' sample dimensions.

    :param sites: the draws, moved; of the types, shapes and dtypes that came in.
    :param elements: units name -> the :class:`~numpyro_sym.Element` that moved them.
    :param distance: distance to the reference after the move.
    :param distance_before: distance to the reference as the draws came.
    :param gap: how much farther away a draw would be after the least harmful exchange of two
        units or change of one sign: near 0 where the match is ambiguous.
    :param exact: whether the distance is the least over the whole group (where no two ``Units``
        share an array), or a local optimum.
    :param starts: how many starts a draw was given.
    :param reference: the reference, site name -> array.
    """

    sites: dict[str, Any]
    elements: dict[str, Element]
    distance: Any
    distance_before: Any
    gap: Any
    exact: Any
    starts: Any
    reference: dict[str, Any]

    def __repr__(self) -> str:
        return short_repr(self)


def align(
    sites: kinds.Sites,
    reference: Reference,
    sym: Symmetry,
    *,
    sample_ndim: kinds.NotNegative | None = None,
    starts: GivenStarts | None = None,
    metric: GivenMetric = EUCLIDEAN,
    num_threads: kinds.Positive | None = None,
    progress_bar: bool = True,
) -> Alignment:
    """Move each draw by the group element that brings it nearest to a reference.

    Coordinate descent over the ``Units`` (weight matching: Ainsworth, Hayase and Srinivasa 2023,
    arXiv 2209.04836, algorithm 1), all draws in lock step; signs and scales are chosen with the
    permutation, in one assignment problem.

    :param sites: site name -> floats of shape ``(*sample, *site)``, NumPy or JAX. Sites that the
        symmetry does not name pass through; labels of units ride along, where they are there, and
        have no part in distances.
    :param reference: a point (site name -> array of shape ``site``); ``"first"`` or the index of
        a draw (a tuple where there are several sample dimensions); or ``"mean"``: align, average,
        and repeat until nothing moves.
    :param sym: the symmetry.
    :param sample_ndim: how many leading sample dimensions the sites have. By default as many as
        they have more than the reference, or as the index of a draw has numbers; 1 where the
        reference is a word.
    :param starts: where the descents of a draw begin, in this order, until its match has settled
        (every unit is the best of all for its slot): ``"forward"`` (layer by layer), ``"annealed"``
        (all ``Units`` jointly by mean-field annealing), ``"identity"``, ``"random"``. The nearest
        result is kept. By default the first three, and 64 random ones where at most 16 units lie on
        two axes of one array (recurrent weights, transitions): the hard case; in wide layers only
        those by which a draw can still come nearer. Others may be added: :func:`register_start`.
    :param metric: in what sense near: :class:`Euclidean`, :class:`Whitened`, :class:`Wasserstein`
        or
        :class:`Activations`. Distances and gaps are the metric's.
    :param num_threads: worker threads; by default one for each processor.
    :param progress_bar: whether to show one where it takes long: the matches of draws, as many as
        are known of so far.
    :returns: an :class:`Alignment`.
    :raises SymmetryError: where a site is missing or does not fit, is not of floats, mixes
        dtypes, or holds NaN or infinity.

    >>> from numpyro_sym import mixture
    >>> draws = {"mu": np.array([[0.0, 5.0], [5.1, 0.1]])}
    >>> align(draws, "first", mixture(2, {"mu": 0})).sites["mu"]
    array([[0. , 5. ],
           [0.1, 5.1]])
    """
    return aligned(
        "align",
        sites,
        reference,
        sym,
        sample_ndim=sample_ndim,
        starts=starts,
        metric=metric,
        num_threads=num_threads,
        progress_bar=progress_bar,
    )


def aligned(
    who: str,
    sites: kinds.Sites,
    reference: Reference,
    sym: Symmetry,
    *,
    sample_ndim: kinds.NotNegative | None = None,
    starts: GivenStarts | None = None,
    metric: GivenMetric = EUCLIDEAN,
    num_threads: kinds.Positive | None = None,
    progress_bar: bool = True,
) -> Alignment:
    """What :func:`align` does, for the public function ``who``, which errors name."""
    check_arguments(aligned, locals(), who)
    sample_ndim = sample_ndim_of(reference, sample_ndim)
    if not len(sym):
        raise SymmetryError(f"{who}: the symmetry has no Units, so there is nothing to align by.")
    if sym.stacks:
        options = {"starts": starts, "num_threads": num_threads, "progress_bar": progress_bar}
        return _in_stacks(who, sites, reference, sym, sample_ndim, metric, options)
    whole, sym = sym, sym.without_values()
    point: dict[str, np.ndarray] | None = None
    at: dict[str, Any] | None = None
    if isinstance(reference, Mapping):
        point = as_host_arrays(who, reference, sym, "the reference")
        at = {**reference, **point}
    packed = pack(who, sites, whole, sample_ndim, point)
    if packed.batch == 0:
        raise SymmetryError(
            f"{who}: there are no draws to align: their sample shape is {packed.sample}."
        )
    if point is not None:
        sym.check_shapes({name: x.shape for name, x in point.items()})
    row = _row(who, reference, packed.sample) if point is None else None

    wide = {name: widened(x) for name, x in packed.with_others.items()}
    view, unit = in_range(who, opened_view(metric.view(wide, at, sym)))
    compared = {name: view.draws[name] for name in view.sym.sites}
    threads = num_threads or os.cpu_count() or 1
    with progress(who, "matches", progress_bar):
        if row == _MEAN:
            target, found = match_to_mean(compared, view.sym, view.weights, starts, threads)
        else:
            target = {
                name: x[row] if view.reference is None else view.reference[name]
                for name, x in compared.items()
            }
            target = {name: np.asarray(r, compared[name].dtype) for name, r in target.items()}
            found = match(compared, to_reference(view.sym, target, view.weights), starts, threads)

    moved = _moved(packed, sym, compared, found)
    if point is None:
        point = {
            name: _mean(x) if row == _MEAN else packed.draws[name][row] for name, x in moved.items()
        }
    return _result(packed, moved, packed.moved_labels(whole, found.elements), found, unit, point)


def _in_stacks(
    who: str,
    sites: kinds.Sites,
    reference: Reference,
    sym: Symmetry,
    sample_ndim: int | None,
    metric: GivenMetric,
    options: Mapping[str, Any],
) -> Alignment:
    """The same of sites that are stacked: aligned as arrays, and given back as they were."""
    point = reference if isinstance(reference, Mapping) else None
    lead = sample_ndim
    if lead is None:
        shared = [name for name in sym.sites if name in sites and name in (point or {})]
        lead = np.ndim(sites[shared[0]]) - np.ndim(point[shared[0]]) if point and shared else 1
    metric = in_stacks(who, metric, sym, lead)

    def on_stacks(arrays: dict[str, Any], arrays_sym: Symmetry) -> Alignment:
        return aligned(
            who,
            arrays,
            reference if point is None else sym.stack(point),
            arrays_sym,
            sample_ndim=lead,
            metric=metric,
            **options,
        )

    found = on_arrays(on_stacks, sites, sym, lead)
    return found._replace(reference=sym.unstack(found.reference, like=list(point or sites)))


def _moved(
    packed: Packed, sym: Symmetry, compared: Mapping[str, np.ndarray], found: Match
) -> dict[str, np.ndarray]:
    """The draws, moved; those that the match has moved already, where they were compared as they
    came.
    """
    if all(compared.get(name) is x for name, x in packed.draws.items()):
        return {name: found.sites[name] for name in packed.draws}
    return act_on_draws(sym, found.elements, packed.draws)


_MEAN = -1  # no row of the draws


def _mean(x: np.ndarray) -> np.ndarray:
    """The mean over draws, summed where sums fit."""
    return x.mean(0, dtype=np.promote_types(x.dtype, np.float64)).astype(x.dtype)


def _row(who: str, reference: Any, sample: tuple[int, ...]) -> int:
    """The row of the flat draws that is the reference, or :data:`_MEAN`."""
    if isinstance(reference, str) and reference in ("first", "mean"):
        return 0 if reference == "first" else _MEAN
    index = reference if isinstance(reference, tuple) else (reference,)
    try:
        row = np.arange(np.prod(sample, dtype=int)).reshape(sample)[index]
        if any(isinstance(i, bool) for i in index) or np.ndim(row) != 0:
            raise IndexError
    except (IndexError, TypeError):
        raise SymmetryError(
            f"{who}: reference {reference!r} is no draw of sample shape {sample}. Give a dict of "
            "arrays, 'first', "
            "'mean', or the index of one draw (a tuple where there are several sample dimensions)."
        ) from None
    return int(row)


def _result(
    packed: Packed,
    moved: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    found: Match,
    unit: float,
    reference: Mapping[str, np.ndarray],
) -> Alignment:
    """The result in the draws' shapes and kind of arrays, distances in the draws' own unit."""
    dtype = widened(next(iter(moved.values()))).dtype
    distance, before, gap = (
        packed.back((x * unit).astype(dtype))
        for x in (found.distance, found.distance_before, found.gap)
    )
    return Alignment(
        packed.unpack({**moved, **labels}),
        packed.unpack_elements(found.elements, dtype),
        distance,
        before,
        gap,
        packed.back(found.exact),
        packed.back(found.starts),
        {
            name: reference[name] if packed.on_host else jnp.asarray(reference[name])
            for name in moved
        },
    )
