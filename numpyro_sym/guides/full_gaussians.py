"""Trained guides with covariances brought into one basin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpyro.infer.autoguide import (
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
)

from ..alignment import (
    FullGaussianAlignment,
    align_full_gaussians,
    bures_wasserstein_geodesic,
)
from ..symmetry import Element, Symmetry, SymmetryError, short_repr

#: Guides that are Gaussian over all unconstrained values together.
FULL = (AutoMultivariateNormal, AutoLowRankMultivariateNormal, AutoLaplaceApproximation)


class FullGuideAlignment(NamedTuple):
    """The second of two guides where the first one is.

    :param params: the second guide's parameters, moved: its guide takes them as any others.
    :param gaussian: the moved means and covariance of unconstrained values, the element that moved
        them, and 2-Wasserstein distances before and after.
    :param reference_loc: site name -> means of the first guide.
    :param reference_covariance: its covariance.
    """

    params: dict[str, Any]
    gaussian: FullGaussianAlignment
    reference_loc: dict[str, np.ndarray]
    reference_covariance: np.ndarray

    def __repr__(self) -> str:
        return short_repr(self)

    def geodesic(self, t: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Means and covariances on the shortest way from the first guide to the moved second.

        :param t: where on the way, from 0 to 1; its dimensions come first in what is returned.
        :returns: as :func:`~numpyro_sym.alignment.bures_wasserstein_geodesic`.
        """
        moved = self.gaussian
        return bures_wasserstein_geodesic(
            self.reference_loc, self.reference_covariance, moved.loc, moved.covariance, t
        )


def aligned_in_full(
    guide0: Any,
    params0: Mapping[str, Any],
    guide1: Any,
    params1: Mapping[str, Any],
    sym: Symmetry,
) -> FullGuideAlignment:
    """What :func:`align_guides` does with guides of :data:`FULL`, that were run."""
    reference_loc, reference_covariance = _moments(guide0, params0)
    loc, covariance = _moments(guide1, params1)
    gaussian = align_full_gaussians(loc, covariance, reference_loc, reference_covariance, sym)
    params = {**params1, **_moved(guide1, params1, sym, gaussian.elements)}
    return FullGuideAlignment(params, gaussian, reference_loc, reference_covariance)


def _param(guide: Any, params: Mapping[str, Any], what: str) -> np.ndarray:
    name = f"{guide.prefix}_{what}"
    if name not in params:
        raise SymmetryError(
            f"align_guides: there is no parameter {name!r}; there are {sorted(params)}."
        )
    x = np.asarray(params[name], float)
    if x.shape[:1] != (guide.latent_dim,):
        raise SymmetryError(
            f"align_guides: parameter {name!r} has shape {x.shape}; expected {guide.latent_dim} "
            "rows."
        )
    return x


def _moments(guide: Any, params: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Means by site, in the order of the guide's own flat values, and the covariance of these."""
    loc = _param(guide, params, "loc")
    if isinstance(guide, AutoMultivariateNormal):
        root = _param(guide, params, "scale_tril")
        covariance = root @ root.T
    elif isinstance(guide, AutoLaplaceApproximation):
        # Of the model's own curvature there.
        covariance = np.asarray(guide.get_posterior(dict(params)).covariance_matrix, float)
    else:
        scale = _param(guide, params, "scale")
        root = scale[:, None] * _param(guide, params, "cov_factor")
        covariance = root @ root.T + np.diag(scale**2)
    places = _by_site(guide, np.arange(guide.latent_dim))
    in_order = sorted(places, key=lambda name: places[name].min(initial=guide.latent_dim))
    means = _by_site(guide, loc)
    return {name: means[name] for name in in_order}, covariance


def _by_site(guide: Any, flat: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(x) for name, x in guide._unpack_latent(jnp.asarray(flat)).items()}


def _moved(
    guide: Any, params: Mapping[str, Any], sym: Symmetry, g: Mapping[str, Element]
) -> dict[str, Any]:
    """The guide's own parameters, moved by an element."""
    # Numbers that tell where each flat value was; from 1, for each bears its sign.
    numbers = _by_site(guide, np.arange(1, guide.latent_dim + 1).astype(np.float32))
    came_from = np.zeros(guide.latent_dim)
    for name, x in sym.act(g, numbers).items():
        came_from[np.ravel(numbers[name]).astype(int) - 1] = np.ravel(x)
    order, sign = np.abs(came_from).astype(int) - 1, np.sign(came_from)
    out = {"loc": sign * _param(guide, params, "loc")[order]}
    if isinstance(guide, AutoLaplaceApproximation):
        # The curvature goes along: the model has the symmetry.
        return {f"{guide.prefix}_loc": jnp.asarray(out["loc"], jnp.result_type(float))}
    if isinstance(guide, AutoMultivariateNormal):
        root = sign[:, None] * _param(guide, params, "scale_tril")[order]
        # Triangular again, with a positive diagonal.
        upper = np.linalg.qr(root.T, mode="r")
        out["scale_tril"] = (upper * np.sign(np.diag(upper))[:, None]).T
    else:
        out["scale"] = _param(guide, params, "scale")[order]
        out["cov_factor"] = sign[:, None] * _param(guide, params, "cov_factor")[order]
    moved = {}
    for what, x in out.items():
        name = f"{guide.prefix}_{what}"
        moved[name] = jnp.asarray(x, jnp.result_type(params[name]))
    return moved
