"""Two Gaussians over weights compared site by site, once they are aligned: VI against HMC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..alignment import align_gaussians
from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments

Sites = Mapping[str, Any]


def compare_gaussians(first: kinds.Gaussian, second: kinds.Gaussian, sym: Symmetry) -> xr.Dataset:
    """How a variational posterior differs from another, in weight space and up to symmetry.

    The first is brought to the second by the element that is nearest in 2-Wasserstein distance.

    :param first: means and standard deviations, each site name -> array: a mean-field guide's, say.
    :param second: likewise: the compact posterior of aligned HMC draws, say.
    :param sym: the symmetry.
    :returns: a Dataset over ``site``: ``distance_before`` and ``distance``, the 2-Wasserstein
        distances before and after alignment; ``correlation`` of the means; ``sd_ratio``, the median
        of the first's standard deviations over the second's.
    :raises SymmetryError: as :func:`numpyro_sym.alignment.align_gaussians`.

    >>> import numpy as np
    >>> from numpyro_sym import mixture
    >>> one = {"mu": np.array([1.0, 5.0])}, {"mu": np.array([0.1, 0.2])}
    >>> two = {"mu": np.array([5.0, 1.0])}, {"mu": np.array([0.4, 0.2])}
    >>> found = compare_gaussians(one, two, mixture(2, {"mu": 0}))
    >>> found["sd_ratio"].round(3).values.tolist(), found["correlation"].round(3).values.tolist()
    ([0.5], [1.0])
    """
    check_arguments(compare_gaussians, locals())
    for name in sym.sites:
        for what, given in (("first", first), ("second", second)):
            if any(name not in part for part in given):
                raise SymmetryError(
                    f"compare_gaussians: {what} lacks site {name!r}; it has {sorted(given[0])}."
                )
    moved = align_gaussians({n: np.asarray(first[0][n]) for n in sym.sites}, first[1], *second, sym)
    before, after, correlation, ratio = [], [], [], []
    for name in sym.sites:
        loc, scale = np.asarray(second[0][name]), np.asarray(second[1][name])
        before.append(_distance(first[0][name], first[1][name], loc, scale))
        after.append(_distance(moved.loc[name], moved.scale[name], loc, scale))
        correlation.append(_correlation(np.asarray(moved.loc[name]), loc))
        ratio.append(float(np.median(np.asarray(moved.scale[name]) / scale)))
    columns = {
        "distance_before": before,
        "distance": after,
        "correlation": correlation,
        "sd_ratio": ratio,
    }
    table = {name: ("site", column) for name, column in columns.items()}
    return xr.Dataset(table, {"site": list(sym.sites)})


def _distance(loc0: Any, scale0: Any, loc1: Any, scale1: Any) -> float:
    return float(np.sqrt(((loc0 - loc1) ** 2).sum() + ((scale0 - scale1) ** 2).sum()))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.size < 2 or not a.std() > 0 or not b.std() > 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
