"""Draws brought to a reference by the elements of a symmetry."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..symmetry import Element, Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from .checks import as_host_arrays, sample_shape
from .engine.matching import match
from .engine.moves import act_on_draws
from .engine.objective import to_reference
from .engine.problem import Match
from .engine.starts import STARTS
from .iterated_mean import match_to_mean
from .metrics import Euclidean, GivenMetric
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
        "Give a dict of arrays, 'first', 'mean', or the index of one draw (a tuple where there are several dimensions)."
    )


Reference = Annotated[
    Mapping[str, Any] | str | int | tuple[int, ...],
    kinds.Kind("a point (site name -> array), 'first', 'mean' or the index of a draw", reference_fault),
]


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


def align(
    sites: kinds.Sites,
    reference: Reference,
    sym: Symmetry,
    *,
    sample_ndim: kinds.NotNegative | None = None,
    starts: Sequence[str] | None = None,
    metric: GivenMetric = EUCLIDEAN,
    num_threads: kinds.Positive | None = None,
) -> Alignment:
    """Move each draw by the group element that brings it nearest to a reference.

    Coordinate descent over the ``Units`` (weight matching: Ainsworth, Hayase and Srinivasa 2023,
    arXiv 2209.04836, algorithm 1), all draws in lock step; signs and scales are chosen with the
    permutation, in one assignment problem.

    :param sites: site name -> floats of shape ``(*sample, *site)``, NumPy or JAX. Sites that the
        symmetry does not name pass through.
    :param reference: a point (site name -> array of shape ``site``); ``"first"`` or the index of
        a draw (a tuple where there are several sample dimensions); or ``"mean"``: align, average,
        and repeat until nothing moves.
    :param sym: the symmetry.
    :param sample_ndim: how many leading sample dimensions the sites have. By default as many as
        they have more than the reference; 1 where the reference is no point.
    :param starts: where the descents of a draw begin, in this order, until its match has settled
        (every unit is the best of all for its slot): ``"forward"`` (layer by layer),
        ``"annealed"`` (all ``Units`` jointly by mean-field annealing), ``"identity"``, ``"random"``. The
        nearest result is kept. By default the first three, and 64 random ones where at most 16 units
        lie on two axes of one array (recurrent weights, transitions): the hard case.
    :param metric: in what sense near: :class:`Euclidean`, :class:`Whitened`, :class:`Wasserstein` or
        :class:`Activations`. Distances and gaps are the metric's.
    :param num_threads: worker threads; by default one for each processor.
    :returns: an :class:`Alignment`.
    :raises SymmetryError: where a site is missing or does not fit, is not of floats, mixes
        dtypes, or holds NaN or infinity.

    >>> from numpyro_sym import mixture
    >>> draws = {"mu": np.array([[0.0, 5.0], [5.1, 0.1]])}
    >>> align(draws, "first", mixture(2, {"mu": 0})).sites["mu"]
    array([[0. , 5. ],
           [0.1, 5.1]])
    """
    check_arguments(align, locals())
    if not len(sym):
        raise SymmetryError("align: the symmetry has no Units, so there is nothing to align by.")
    if starts is not None and (isinstance(starts, str) or not starts or not set(starts) <= set(STARTS)):
        raise SymmetryError(f"align: starts must be a sequence of names among {STARTS}; got {starts!r}.")
    draws = as_host_arrays(sites, sym, "the draws")
    point = as_host_arrays(reference, sym, "the reference") if isinstance(reference, Mapping) else None
    lead = _sample_ndim(draws, point, sample_ndim)
    sample = sample_shape(draws, lead, "the draws")
    if 0 in sample:
        raise SymmetryError(f"align: there are no draws to align: their sample shape is {sample}.")
    sym.check_shapes({name: a.shape for name, a in draws.items()}, sample)
    row = _row(reference, sample) if point is None else None
    threads = num_threads or os.cpu_count() or 1

    at = {**reference, **point} if point is not None and isinstance(reference, Mapping) else None
    if point is not None and isinstance(reference, Mapping):
        sym.check_shapes({name: a.shape for name, a in point.items()})
    all_sites = _flattened(sites, draws, lead)
    wide = {name: widened(x) for name, x in all_sites.items()}
    view, unit = in_range(metric.view(wide, at, sym))
    compared = {name: view.draws[name] for name in view.sym.sites}
    if row == _MEAN:
        target, found = match_to_mean(compared, view.sym, view.weights, starts, threads)
    else:
        target = {name: a[row] if view.reference is None else view.reference[name] for name, a in compared.items()}
        target = {name: np.asarray(r, compared[name].dtype) for name, r in target.items()}
        found = match(compared, to_reference(view.sym, target, view.weights), starts, threads)

    flat = {name: all_sites[name] for name in sym.sites}
    compared_as_they_are = all(compared.get(name) is a for name, a in flat.items())
    moved = (
        {name: found.sites[name] for name in flat} if compared_as_they_are else act_on_draws(sym, found.elements, flat)
    )
    if point is None:
        point = {name: _mean(a) if row == _MEAN else flat[name][row] for name, a in moved.items()}
    return _packed(sites, moved, found, unit, sample, point)


_MEAN = -1  # no row of the draws


def _mean(x: np.ndarray) -> np.ndarray:
    """The mean over draws, summed where sums fit."""
    return x.mean(0, dtype=np.promote_types(x.dtype, np.float64)).astype(x.dtype)


def _flattened(sites: Mapping[str, Any], draws: Mapping[str, np.ndarray], lead: int) -> dict[str, np.ndarray]:
    """All sites with one sample dimension; a metric may need some that the symmetry does not name."""
    sample = next(iter(draws.values())).shape[:lead]
    rest = {name: np.asarray(x) for name, x in sites.items() if name not in draws and np.shape(x)[:lead] == sample}
    return {name: a.reshape(-1, *a.shape[lead:]) for name, a in {**rest, **draws}.items()}


def _sample_ndim(draws: Mapping[str, np.ndarray], point: Mapping[str, np.ndarray] | None, given: int | None) -> int:
    if point is None:
        return 1 if given is None else given
    name = next(iter(draws))
    lead = draws[name].ndim - point[name].ndim if given is None else given
    for name, a in draws.items():
        if lead < 0 or a.shape[lead:] != point[name].shape:
            raise SymmetryError(
                f"align: site {name!r} has shape {point[name].shape} in the reference and {a.shape} in the draws; "
                "expected the draws' shape without its leading sample dimensions."
            )
    return lead


def _row(reference: Any, sample: tuple[int, ...]) -> int:
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
            f"align: reference {reference!r} is no draw of sample shape {sample}. Give a dict of arrays, 'first', "
            "'mean', or the index of one draw (a tuple where there are several sample dimensions)."
        ) from None
    return int(row)


def _packed(
    sites: Mapping[str, Any],
    moved: Mapping[str, np.ndarray],
    found: Match,
    unit: float,
    sample: tuple[int, ...],
    reference: Mapping[str, np.ndarray],
) -> Alignment:
    """The result in the draws' shapes and kind of arrays, distances in the draws' own unit."""
    on_host = all(isinstance(sites[name], (np.ndarray, np.generic)) for name in moved)

    dtype = widened(next(iter(moved.values()))).dtype

    def back(a: np.ndarray) -> Any:
        shaped = a.reshape((*sample, *a.shape[1:]))
        return shaped if on_host else jnp.asarray(shaped)

    return Alignment(
        {name: back(moved[name]) if name in moved else x for name, x in sites.items()},
        {n: Element(back(e.permutation), back(e.factor.astype(dtype))) for n, e in found.elements.items()},
        back((found.distance * unit).astype(dtype)),
        back((found.distance_before * unit).astype(dtype)),
        back((found.gap * unit).astype(dtype)),
        back(found.exact),
        back(found.starts),
        {name: reference[name] if on_host else jnp.asarray(reference[name]) for name in moved},
    )
