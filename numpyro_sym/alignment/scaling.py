"""Gauges of scaled units: one representative of all rescalings of a ReLU network.

Incoming weights times lambda, outgoing over lambda: the function stays as it is, the prior
density does not, so these are for summaries, distances and plots, never moves of a posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..symmetry import Element, Symmetry, SymmetryError, Units, kinds, short_repr
from ..symmetry.arguments import check_arguments
from .engine.moves import act_on_draws
from .engine.starts import unmoved
from .in_stacks import on_arrays
from .packing import Packed, pack
from .ranges import refuse_out_of_range

Sites = Mapping[str, Any]


class Rescaled(NamedTuple):
    """Draws in a gauge.

    :param sites: the draws, rescaled; of the types, shapes and dtypes that came in.
    :param elements: units name -> the element that rescaled them, of permutation identity.
    """

    sites: dict[str, Any]
    elements: dict[str, Element]

    def __repr__(self) -> str:
        return short_repr(self)


def minimum_mass(
    sites: kinds.Sites, sym: Symmetry, *, sample_ndim: kinds.NotNegative = 0
) -> Rescaled:
    """The rescaling of least sum of squares: Laurent, Aldea and Franchi 2024, arXiv 2310.08287.

    For one ``Units`` closed: ``lambda = sqrt(|outgoing| / |incoming|)``. For several, a strictly
    convex function of ``log lambda``: each in turn by the closed form until they rest.

    :param sites: site name -> floats ``(*sample, *site)``.
    :param sym: a symmetry; only its scaled ``Units`` act.
    :param sample_ndim: how many leading sample dimensions there are.
    :returns: a :class:`Rescaled`. A unit that is all zeros on one side keeps its scale.
    :raises SymmetryError: where no ``Units`` are scaled, one has no side, or a site does not fit.

    >>> import numpy as np
    >>> from numpyro_sym import mlp
    >>> relu = mlp(["w1", "w2"], [1], kind="scaled")
    >>> minimum_mass({"w1": np.array([[8.0]]), "w2": np.array([[2.0]])}, relu).sites["w1"]
    array([[4.]])
    """
    check_arguments(minimum_mass, locals())

    def balance(units: Units, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        incoming = np.square(_side(units, draws, 1)).sum(-1)
        outgoing = np.square(_side(units, draws, -1)).sum(-1)
        alive = (incoming > 0) & (outgoing > 0)
        # Recurrent units share weights: half the step lowers a bound of the sum that touches it.
        step = 0.125 if _is_recurrent(units) else 0.25
        return (np.where(alive, outgoing, 1) / np.where(alive, incoming, 1)) ** step

    return _in_gauge("minimum_mass", sites, sym, sample_ndim, balance)


def unit_norm(sites: kinds.Sites, sym: Symmetry, *, sample_ndim: kinds.NotNegative = 0) -> Rescaled:
    """The rescaling that gives each unit incoming weights (and bias) of Euclidean norm 1.

    :param sites: site name -> floats ``(*sample, *site)``.
    :param sym: a symmetry; only its scaled ``Units`` act.
    :param sample_ndim: how many leading sample dimensions there are.
    :returns: a :class:`Rescaled`. A unit without incoming weights keeps its scale.
    :raises SymmetryError: where no ``Units`` are scaled, one has no side, or a site does not fit.
    """
    check_arguments(unit_norm, locals())

    def normalize(units: Units, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        return _inverse(np.linalg.norm(_side(units, draws, 1), axis=-1))

    return _in_gauge("unit_norm", sites, sym, sample_ndim, normalize)


def unit_variance(
    sites: kinds.Sites, sym: Symmetry, *, sample_ndim: kinds.NotNegative = 0
) -> Rescaled:
    """The rescaling that gives each unit incoming weights (and bias) of standard deviation 1.

    :param sites: site name -> floats ``(*sample, *site)``.
    :param sym: a symmetry; only its scaled ``Units`` act.
    :param sample_ndim: how many leading sample dimensions there are.
    :returns: a :class:`Rescaled`. A unit whose incoming weights are all equal keeps its scale.
    :raises SymmetryError: where no ``Units`` are scaled, one has no side, or a site does not fit.
    """
    check_arguments(unit_variance, locals())

    def standardize(units: Units, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        return _inverse(_side(units, draws, 1).std(-1))

    return _in_gauge("unit_variance", sites, sym, sample_ndim, standardize)


def _in_gauge(
    who: str,
    sites: Sites,
    sym: Symmetry,
    sample_ndim: int,
    scale: Callable[[Units, Mapping[str, np.ndarray]], np.ndarray],
    max_sweeps: int = 10000,
) -> Rescaled:
    """Rescale each ``Units`` in turn until nothing is left to do, in double precision."""
    scaled = sym.without_values().select("scaled")  # labels have no scale
    if not len(scaled):
        raise SymmetryError(
            f"{who}: there are no Units of kind 'scaled' to rescale; this symmetry has "
            f"{sorted({u.kind for u in sym})}."
        )
    if scaled.stacks:

        def on_stacks(arrays: Sites, sym: Symmetry) -> Rescaled:
            return _in_gauge(who, arrays, sym, sample_ndim, scale, max_sweeps)

        return on_arrays(on_stacks, sites, scaled, sample_ndim)
    packed = pack(who, sites, scaled, sample_ndim)
    refuse_out_of_range(who, packed.draws)
    double = {name: x.astype(float) for name, x in packed.draws.items()}
    total = unmoved(scaled, packed.batch, np.dtype(float))
    for _ in range(max_sweeps):
        largest = 0.0
        for units in scaled:
            factor = scale(units, double)
            step = Element(total[units.name].permutation, factor)
            # Each step moves the draws, so that the next sees it.
            double = {**double, **_rescaled(units, step, double)}
            total[units.name] = Element(step.permutation, total[units.name].factor * factor)
            largest = max(largest, np.abs(np.log(factor)).max(initial=0.0))
        if largest <= _AT_REST:
            return _in_their_type(packed, scaled, total)
    raise SymmetryError(
        f"{who}: the scales have not come to rest after {max_sweeps} sweeps: this gauge may not "
        "exist here."
    )


_AT_REST = 1e-10


def _rescaled(
    units: Units, element: Element, draws: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    own = {site: draws[site] for site in units.sites}
    return act_on_draws(Symmetry([units]), {units.name: element}, own)


def _in_their_type(packed: Packed, scaled: Symmetry, total: dict[str, Element]) -> Rescaled:
    """The draws as they came, rescaled once, in their own precision."""
    dtype = next(iter(packed.draws.values())).dtype
    elements = {name: Element(e.permutation, e.factor.astype(dtype)) for name, e in total.items()}
    moved = act_on_draws(scaled, elements, packed.draws)
    return Rescaled(packed.unpack(moved), packed.unpack_elements(elements, dtype))


def _side(units: Units, draws: Mapping[str, np.ndarray], power: int) -> np.ndarray:
    """All weights that come into (power 1) or go out of (-1) each unit, ``(draws, *batch, n,
    features)``.
    """
    parts = []
    for site, axs in units.placements:
        for axis in axs:
            if axis.power not in (None, -1, 0, 1):
                raise SymmetryError(
                    f"Units {units.name!r}: scaled units must act with powers -1, 0 and 1."
                )
            if axis.power == power:
                parts.append(axis.blocks(draws[site], units.n, lead=1))
    if not parts:
        side = "incoming" if power == 1 else "outgoing"
        raise SymmetryError(
            f"Units {units.name!r} have no {side} site, so their scales have no gauge."
        )
    return np.concatenate(parts, -1)


def _is_recurrent(units: Units) -> bool:
    return any(len({axis.axis for axis in axs if axis.power}) > 1 for _, axs in units.placements)


def _inverse(size: np.ndarray) -> np.ndarray:
    return 1 / np.where(size > 0, size, 1)
