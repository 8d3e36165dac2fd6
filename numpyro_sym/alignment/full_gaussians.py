"""Gaussians with covariances of all their values brought into one basin, and the way between
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..symmetry import Element, Symmetry, SymmetryError, kinds, short_repr
from ..symmetry.arguments import check_arguments, refusal
from ..symmetry.arrays import real_array
from .gaussians import align_gaussians

#: Groups of up to so many elements are listed.
LISTED = 1000


def _covariance_fault(value: Any) -> str | None:
    x = np.asarray(value) if kinds.is_real(value) else None
    if x is None or x.ndim != 2 or x.shape[0] != x.shape[1] or not np.isfinite(x).all():
        return ""
    if not np.allclose(x, x.T, rtol=1e-4, atol=1e-6 * (1 + abs(x).max(initial=0.0))):
        return "It is not symmetric."
    if np.linalg.eigvalsh(x.astype(float)).min(initial=0.0) < -1e-5 * abs(x).max(initial=0.0):
        return "It has negative eigenvalues."
    return None


#: The covariance of all values of a point.
Covariance = Annotated[
    Any, kinds.Kind("a covariance, an array (values, values)", _covariance_fault)
]


class FullGaussianAlignment(NamedTuple):
    """A Gaussian moved to where another is.

    :param loc: site name -> means, moved.
    :param covariance: of all values, moved, float64: ``(values, values)``.
    :param elements: units name -> the element that moved them.
    :param distance: 2-Wasserstein distance after the move.
    :param distance_before: 2-Wasserstein distance before it.
    :param exact: whether no element of the group brings them nearer; else it is the one that is
        nearest by means and standard deviations.
    """

    loc: dict[str, Any]
    covariance: np.ndarray
    elements: dict[str, Element]
    distance: float
    distance_before: float
    exact: bool

    def __repr__(self) -> str:
        return short_repr(self)


def align_full_gaussians(
    loc: kinds.Point,
    covariance: Covariance,
    reference_loc: kinds.Point,
    reference_covariance: Covariance,
    sym: Symmetry,
) -> FullGaussianAlignment:
    """Move a Gaussian with a full covariance by the element that brings it nearest to another.

    Nearest in 2-Wasserstein distance, whose part in the covariances is that of Bures: groups of up
    to a thousand elements are listed; in larger ones means and standard deviations are matched, as
    by :func:`align_gaussians`, where that is nearer than the Gaussian was.

    :param loc: site name -> means, of all sites that the covariance is of.
    :param covariance: floats ``(values, values)``: the values of the sites of ``loc``, in their
        order there, each flat.
    :param reference_loc: the same of the other Gaussian: the same sites, in the same order.
    :param reference_covariance: its covariance.
    :param sym: the symmetry, of permutations and signs.
    :returns: a :class:`FullGaussianAlignment`.
    :raises SymmetryError: where sites, order or sizes differ, or a matrix is no covariance.

    >>> from numpyro_sym import mixture
    >>> one, two = np.array([[1.0, 0.5], [0.5, 4.0]]), np.array([[4.0, 0.5], [0.5, 1.0]])
    >>> at = {"mu": np.zeros(2)}
    >>> aligned = align_full_gaussians(at, two, at, one, mixture(2, {"mu": 0}))
    >>> aligned.covariance.tolist(), round(aligned.distance, 6)
    ([[1.0, 0.5], [0.5, 4.0]], 0.0)
    """
    check_arguments(align_full_gaussians, locals())
    who = "align_full_gaussians"
    sym.refuse_scaled(who)
    if not len(sym):
        raise SymmetryError(f"{who}: the symmetry has no Units to align by.")
    shapes = _shared_shapes(who, loc, reference_loc)
    sym.check_shapes(shapes)
    size = sum(map(prod, shapes.values()))
    given = _sized(who, "covariance", covariance, size)
    target = _sized(who, "reference_covariance", reference_covariance, size)
    at = {name: np.asarray(x) for name, x in loc.items()}
    to = _flat(reference_loc)

    def distance(g: Mapping[str, Element]) -> float:
        moved = _flat(sym.act(g, at)), moved_covariance(sym, g, given, shapes)
        return bures_wasserstein(*moved, to, target)

    identity = _on_host(sym.identity())
    before = distance(identity)
    is_listed = sym.order <= LISTED
    if is_listed:
        every = sym.elements()
        count = int(sym.order)
        candidates = [
            {name: Element(e.permutation[i], e.factor[i]) for name, e in every.items()}
            for i in range(count)
        ]
    else:
        deviations = _by_site(np.sqrt(np.diag(given)), shapes)
        others = _by_site(np.sqrt(np.diag(target)), shapes)
        means, there = _as_floats(loc), _as_floats(reference_loc)
        candidates = [
            identity,
            _on_host(align_gaussians(means, deviations, there, others, sym).elements),
        ]
    least, best = min(((distance(g), i) for i, g in enumerate(candidates)))
    g = candidates[best]
    return FullGaussianAlignment(
        sym.act(g, dict(loc)),
        moved_covariance(sym, g, given, shapes),
        g,
        least,
        before,
        is_listed,
    )


def moved_covariance(
    sym: Symmetry,
    g: Mapping[str, Element],
    covariance: np.ndarray,
    shapes: Mapping[str, tuple[int, ...]],
) -> np.ndarray:
    """The covariance of values that an element has moved.

    :param covariance: ``(values, values)``, of the sites of ``shapes`` in their order.
    """

    def rows_moved(x: np.ndarray) -> np.ndarray:
        sites = _by_site(x, shapes)  # (row, *site)
        moved = sym.act(g, sites, sample_ndim=1)
        return np.concatenate([np.reshape(moved[name], (len(x), -1)) for name in shapes], 1)

    return rows_moved(rows_moved(covariance).T).T


def bures_wasserstein(
    loc0: np.ndarray, covariance0: np.ndarray, loc1: np.ndarray, covariance1: np.ndarray
) -> float:
    """The 2-Wasserstein distance of two Gaussians.

    :param loc0: ``(values,)``, and ``covariance0`` ``(values, values)``; ``loc1`` and
        ``covariance1`` those of the other.
    """
    root = _root(covariance0)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance1 @ root), 0.0)).sum()
    spread = np.trace(covariance0) + np.trace(covariance1) - 2 * cross
    return float(np.sqrt(np.maximum(((loc0 - loc1) ** 2).sum() + spread, 0.0)))


def bures_wasserstein_geodesic(
    loc0: kinds.Point,
    covariance0: Covariance,
    loc1: kinds.Point,
    covariance1: Covariance,
    t: ArrayLike,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The shortest way from one Gaussian to another in 2-Wasserstein distance.

    The optimal map between them is linear, ``T``: at ``t`` the covariance is that of ``(1 - t) x +
    t T x``. The first one must be regular.

    :param loc0: site name -> means at ``t = 0``, and ``covariance0`` as in
        :func:`align_full_gaussians`.
    :param loc1: site name -> means at ``t = 1``, and ``covariance1``.
    :param t: where on the way; its dimensions come first in what is returned.
    :returns: means, site name -> array ``(*t, *site)``, and covariances ``(*t, values, values)``.
    :raises SymmetryError: where sites, order or sizes differ, or the first covariance is singular.

    >>> start, end = {"w": np.zeros(1)}, {"w": np.ones(1)}
    >>> way = bures_wasserstein_geodesic(start, np.eye(1), end, 9 * np.eye(1), np.array([0.5, 1.0]))
    >>> way[1].ravel().tolist()
    [4.0, 9.0]
    """
    check_arguments(bures_wasserstein_geodesic, locals())
    who = "bures_wasserstein_geodesic"
    shapes = _shared_shapes(who, loc0, loc1)
    size = sum(map(prod, shapes.values()))
    first = _sized(who, "covariance0", covariance0, size)
    last = _sized(who, "covariance1", covariance1, size)
    if np.linalg.eigvalsh(first)[0] <= 1e-12 * abs(first).max():
        raise SymmetryError(
            f"{who}: covariance0 is singular, so no linear map leads from it. Exchange the two, or "
            "add a little to its diagonal."
        )
    where = real_array(who, "t", t, "finite numbers").astype(float)
    root = _root(first)
    back = np.linalg.inv(root)
    linear = back @ _root(root @ last @ root) @ back
    along = where[..., None, None]
    step = (1 - along) * np.eye(size) + along * linear
    flat = (1 - where[..., None]) * _flat(loc0) + where[..., None] * _flat(loc1)
    return _by_site(flat, shapes), step @ first @ np.swapaxes(step, -1, -2)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _flat(sites: Mapping[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(x, float)) for x in sites.values()])


def _by_site(flat: np.ndarray, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Values ``(*sample, values)`` as arrays ``(*sample, *site)``."""
    ends = np.cumsum([prod(shape) for shape in shapes.values()])[:-1]
    parts = np.split(flat, ends, -1)
    out = {}
    for (name, shape), part in zip(shapes.items(), parts, strict=True):
        out[name] = part.reshape((*flat.shape[:-1], *shape))
    return out


def _shared_shapes(
    who: str, one: Mapping[str, Any], other: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Shapes of the sites of two Gaussians, which must have the same."""
    shapes = {name: np.shape(x) for name, x in one.items()}
    others = {name: np.shape(x) for name, x in other.items()}
    if list(shapes.items()) != list(others.items()):
        raise SymmetryError(
            f"{who}: the two Gaussians must have the same sites in the same order; got {shapes} "
            f"and {others}."
        )
    return shapes


def _sized(who: str, name: str, covariance: Any, size: int) -> np.ndarray:
    x = np.asarray(covariance, float)
    if x.shape != (size, size):
        expected = f"of the {size} values of the sites, an array ({size}, {size})"
        raise SymmetryError(refusal(who, name, covariance, expected))
    return (x + x.T) / 2


def _as_floats(sites: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(x, float) for name, x in sites.items()}


def _on_host(elements: Mapping[str, Element]) -> dict[str, Element]:
    return {name: Element(*(np.asarray(x) for x in e)) for name, e in elements.items()}
