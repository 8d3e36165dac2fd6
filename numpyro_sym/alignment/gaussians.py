"""Two Gaussian approximations brought into one basin, and the straight way between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from ..symmetry import Element, Symmetry, SymmetryError, kinds, namespace, short_repr
from ..symmetry.arguments import check_arguments
from ..symmetry.arrays import real_array
from ._align import aligned
from .metrics import Wasserstein, act_on_scales

Sites = Mapping[str, Any]


class GaussianAlignment(NamedTuple):
    """A Gaussian moved to where another is.

    :param loc: site name -> means, moved.
    :param scale: site name -> standard deviations, moved.
    :param elements: units name -> the element that moved them.
    :param distance: 2-Wasserstein distance after the move.
    :param distance_before: 2-Wasserstein distance before it.
    :param gap: by how much the distance grows with the least harmful single change.
    :param exact: whether no element of the group brings them nearer.
    """

    loc: dict[str, Any]
    scale: dict[str, Any]
    elements: dict[str, Element]
    distance: Any
    distance_before: Any
    gap: Any
    exact: Any

    def __repr__(self) -> str:
        return short_repr(self)


def align_gaussians(
    loc: kinds.Sites,
    scale: kinds.Scales,
    reference_loc: kinds.Point,
    reference_scale: kinds.Scales,
    sym: Symmetry,
    **options: Any,
) -> GaussianAlignment:
    """Move one diagonal Gaussian by the element that brings it nearest to another.

    Nearest in 2-Wasserstein distance, of which the best permutation and signs are an assignment
    on means and standard deviations together: Rossi, Singh and Hannagan 2023, arXiv 2310.10171.

    :param loc: site name -> means, ``(*sample, *site)``: many may be moved at once.
    :param scale: site name -> standard deviations, likewise.
    :param reference_loc: site name -> means of the other, of shape ``site``.
    :param reference_scale: site name -> its standard deviations.
    :param sym: the symmetry.
    :param options: of :func:`align`.
    :returns: a :class:`GaussianAlignment`.
    :raises SymmetryError: where a site is missing or does not fit, or a standard deviation is not
        positive.

    >>> import numpy as np
    >>> from numpyro_sym import mixture
    >>> loc, swapped = {"mu": np.zeros(2)}, {"mu": np.array([2.0, 1.0])}
    >>> reference = {"mu": np.array([1.0, 2.0])}
    >>> align_gaussians(loc, swapped, loc, reference, mixture(2, {"mu": 0})).scale["mu"]
    array([1., 2.])
    """
    check_arguments(align_gaussians, locals())
    metric = Wasserstein(scale, reference_scale)
    found = aligned("align_gaussians", loc, reference_loc, sym, metric=metric, **options)
    # The sites are the means: standard deviations go along, without signs.
    moved = act_on_scales(sym, found.elements, {name: scale[name] for name in sym.sites})
    return GaussianAlignment(
        found.sites,
        {**scale, **moved},
        found.elements,
        found.distance,
        found.distance_before,
        found.gap,
        found.exact,
    )


def wasserstein_geodesic(
    loc0: kinds.Point, scale0: kinds.Scales, loc1: kinds.Point, scale1: kinds.Scales, t: ArrayLike
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The shortest way from one diagonal Gaussian to another in 2-Wasserstein distance.

    Means and standard deviations go straight: ``(1 - t) m0 + t m1`` and ``(1 - t) s0 + t s1``.

    :param loc0: site name -> means at ``t = 0``.
    :param scale0: site name -> standard deviations there.
    :param loc1: site name -> means at ``t = 1``.
    :param scale1: site name -> standard deviations there.
    :param t: where on the way; its dimensions come first in what is returned.
    :returns: means and standard deviations, site name -> array of shape ``(*t, *site)``.
    :raises SymmetryError: where sites or shapes differ, or a number is not finite.

    >>> import numpy as np
    >>> start, end = {"w": np.zeros(1)}, {"w": np.ones(1)}
    >>> wasserstein_geodesic(start, end, end, end, np.array([0.0, 0.5]))[0]["w"].tolist()
    [[0.0], [0.5]]
    """

    check_arguments(wasserstein_geodesic, locals())
    shapes = []
    for sites in (loc0, scale0, loc1, scale1):
        shapes.append({name: np.shape(x) for name, x in sites.items()})
    if any(other != shapes[0] for other in shapes):
        raise SymmetryError(
            "wasserstein_geodesic: the four dicts must have sites and shapes in common; got "
            f"{shapes}."
        )
    if not isinstance(t, jax.Array):
        t = real_array("wasserstein_geodesic", "t", t, "finite numbers")

    def between(a: Any, b: Any) -> Any:
        xp = namespace(a, b)
        a, b = xp.asarray(a), xp.asarray(b)
        if not xp.issubdtype(a.dtype, xp.floating):  # between two ints lie numbers that are none
            a = a.astype(float)
        where = xp.asarray(t, a.dtype)
        where = where.reshape(where.shape + (1,) * a.ndim)  # (*t, *site)
        return (1 - where) * a + where * b

    loc = {name: between(a, loc1[name]) for name, a in loc0.items()}
    scale = {name: between(a, scale1[name]) for name, a in scale0.items()}
    return loc, scale
