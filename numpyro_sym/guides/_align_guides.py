"""Two trained Gaussian guides brought into one basin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to
from numpyro.infer.autoguide import AutoDelta, AutoDiagonalNormal, AutoNormal

from ..alignment import GaussianAlignment, align_gaussians, wasserstein_geodesic
from ..symmetry import Symmetry, SymmetryError, kinds, short_repr
from ..symmetry.arguments import check_arguments
from .auto_symmetrized import AutoSymmetrized
from .bases.coordinates import keeps
from .bases.in_stacks import are_alike
from .full_gaussians import FULL, FullGuideAlignment, aligned_in_full

Sites = dict[str, jax.Array]


class GuideAlignment(NamedTuple):
    """The second of two guides where the first one is.

    :param params: the second guide's parameters, moved: its guide takes them as any others.
    :param gaussian: the moved means and standard deviations of unconstrained values, the element
        that moved them, and 2-Wasserstein distances before and after.
    :param reference_loc: site name -> means of the first guide.
    :param reference_scale: site name -> its standard deviations.
    """

    params: dict[str, Any]
    gaussian: GaussianAlignment
    reference_loc: Sites
    reference_scale: Sites

    def __repr__(self) -> str:
        return short_repr(self)

    def geodesic(self, t: Any) -> tuple[Sites, Sites]:
        """Means and standard deviations on the straight way from the first guide to the moved
        second.

        :param t: where on the way, from 0 to 1; its dimensions come first in what is returned.
        :returns: as :func:`~numpyro_sym.alignment.wasserstein_geodesic`.
        """
        moved = self.gaussian
        return wasserstein_geodesic(
            self.reference_loc, self.reference_scale, moved.loc, moved.scale, t
        )


def align_guides(
    guide0: Any,
    params0: kinds.Params,
    guide1: Any,
    params1: kinds.Params,
    sym: Symmetry,
    **options: Any,
) -> GuideAlignment | FullGuideAlignment:
    """Move the second of two Gaussian guides by the element that brings it nearest to the first.

    Nearest in 2-Wasserstein distance of the Gaussians over *unconstrained* values (Rossi, Singh and
    Hannagan 2023, arXiv 2310.10171). A permutation of constrained values is the same permutation of
    unconstrained ones where a site's transform acts on each entry alone; where it does not (a
    simplex), or where signs turn values that are constrained, there is no Gaussian to move and the
    site is refused.

    :param guide0: ``AutoNormal``, ``AutoDiagonalNormal``, ``AutoMultivariateNormal``,
        ``AutoLowRankMultivariateNormal``, ``AutoLaplaceApproximation``, or one of these
        symmetrized: its component.
    :param params0: its parameters, as ``SVI.get_params`` gives them.
    :param guide1: another of the same model; it may be the same guide.
    :param params1: its parameters.
    :param sym: the model's symmetry.
    :param options: of :func:`numpyro_sym.align`; guides with covariances take none.
    :returns: a :class:`GuideAlignment`; of guides with covariances, which both must have then, a
        :class:`FullGuideAlignment`, matched as by
        :func:`numpyro_sym.alignment.align_full_gaussians`.
    :raises SymmetryError: for other guides, a guide that was never run, missing parameters, or a
        site whose constraint ties its entries together.

    >>> import numpyro, numpyro.distributions as dist, numpyro_sym as nsym
    >>> from numpyro.infer.autoguide import AutoNormal
    >>> def model():
    ...     numpyro.sample("x", dist.Normal(0, 1).expand([2]).to_event(1))
    >>> guide = AutoNormal(model)
    >>> with numpyro.handlers.seed(rng_seed=0):
    ...     _ = guide()
    >>> one = {"x_auto_loc": jnp.array([0.0, 5.0]), "x_auto_scale": jnp.array([1.0, 2.0])}
    >>> two = {"x_auto_loc": jnp.array([5.0, 0.0]), "x_auto_scale": jnp.array([2.0, 1.0])}
    >>> aligned = align_guides(guide, one, guide, two, nsym.mixture(2, {"x": 0}))
    >>> aligned.params["x_auto_scale"].tolist()
    [1.0, 2.0]
    """
    check_arguments(align_guides, locals())
    first, second = _Reading(guide0, sym), _Reading(guide1, sym)
    if first.is_full or second.is_full:
        if not (first.is_full and second.is_full) or options:
            raise SymmetryError(
                "align_guides: guides with covariances are aligned with each other, without "
                f"options; got {type(first.guide).__name__}, {type(second.guide).__name__} and "
                f"options {sorted(options)}. Pairs (means, covariance) of any kind go to "
                "numpyro_sym.alignment.align_full_gaussians."
            )
        return aligned_in_full(first.guide, params0, second.guide, params1, sym)
    reference = first.moments(params0)
    gaussian = align_gaussians(*second.moments(params1), *reference, sym, **options)
    return GuideAlignment(
        second.with_moments(params1, gaussian.loc, gaussian.scale), gaussian, *reference
    )


class _Reading:
    """Where a guide keeps the means and standard deviations of its unconstrained values."""

    def __init__(self, guide: Any, sym: Symmetry) -> None:
        self.guide = guide.base_guide if isinstance(guide, AutoSymmetrized) else guide
        kind = type(self.guide).__name__
        self.is_full = isinstance(self.guide, FULL)
        if isinstance(self.guide, AutoDelta):
            raise SymmetryError(
                "align_guides: AutoDelta is a point and no Gaussian. Align the points: "
                "numpyro_sym.align(guide.median(params1), guide.median(params0), sym)."
            )
        if not self.is_full and not isinstance(self.guide, AutoNormal | AutoDiagonalNormal):
            raise SymmetryError(
                f"align_guides: {kind} is no Gaussian whose parameters can be moved; expected "
                "AutoNormal, AutoDiagonalNormal, AutoMultivariateNormal, "
                "AutoLowRankMultivariateNormal, AutoLaplaceApproximation, or one of these "
                "symmetrized. Draws of any guide can be aligned by numpyro_sym.align."
            )
        if self.guide.prototype_trace is None:
            raise SymmetryError(
                f"align_guides: this {kind} was never run, so its sites are not known. Run SVI "
                "first."
            )
        trace = self.guide.prototype_trace
        for name in sym.sites:
            if name not in self.guide._init_locs:
                raise SymmetryError(
                    f"align_guides: the guide has no site {name!r}, on which the symmetry acts; it "
                    f"has {sorted(self.guide._init_locs)}."
                )
            support = trace[name]["fn"].support
            if not keeps(sym, name, biject_to(support)):
                raise SymmetryError(
                    f"align_guides: the constraint of site {name!r} ({support}) ties its entries "
                    "together, or signs act on it, so that an element does not move the "
                    "unconstrained Gaussian. Align draws with numpyro_sym.align instead."
                )

        for array, sites in sym.stacks.items():
            first, *others = (biject_to(trace[site]["fn"].support) for site in sites)
            if not all(are_alike(first, other) for other in others):
                raise SymmetryError(
                    f"align_guides: the sites of {array!r} ({', '.join(sites)}) have supports that "
                    "differ, so that an element does not move the unconstrained Gaussian. Align "
                    "draws with numpyro_sym.align instead."
                )

    def moments(self, params: Mapping[str, Any]) -> tuple[Sites, Sites]:
        """Means and standard deviations, site name -> array."""
        loc = {name: self._param(params, name) for name in self._names("loc")}
        scale = {name: self._param(params, name) for name in self._names("scale")}
        shapes = [np.shape(x) for x in self.guide._init_locs.values()]
        if isinstance(self.guide, AutoDiagonalNormal):
            shapes = [(self.guide.latent_dim,)]
        for part in (loc, scale):
            for (name, x), shape in zip(part.items(), shapes, strict=True):
                if x.shape != shape:
                    raise SymmetryError(
                        f"align_guides: parameter {name!r} has shape {x.shape}; expected {shape}."
                    )
        if isinstance(self.guide, AutoDiagonalNormal):
            (row_loc,), (row_scale,) = loc.values(), scale.values()
            return self.guide._unpack_latent(row_loc), self.guide._unpack_latent(row_scale)
        sites = list(self.guide._init_locs)
        by_site = dict(zip(sites, loc.values(), strict=True))
        return by_site, dict(zip(sites, scale.values(), strict=True))

    def with_moments(self, params: Mapping[str, Any], loc: Sites, scale: Sites) -> dict[str, Any]:
        """The parameters with other means and standard deviations; whatever else they
        hold stays.
        """
        new = dict(params)
        for what, sites in (("loc", loc), ("scale", scale)):
            names = self._names(what)
            own = [sites[site] for site in self.guide._init_locs]
            if isinstance(self.guide, AutoDiagonalNormal):
                new[names[0]] = jnp.concatenate([jnp.ravel(x) for x in own])
            else:
                new |= dict(zip(names, own, strict=True))
        return new

    def _names(self, what: str) -> list[str]:
        prefix = self.guide.prefix
        if isinstance(self.guide, AutoDiagonalNormal):
            return [f"{prefix}_{what}"]
        return [f"{site}_{prefix}_{what}" for site in self.guide._init_locs]

    @staticmethod
    def _param(params: Mapping[str, Any], name: str) -> jax.Array:
        if name not in params:
            raise SymmetryError(
                f"align_guides: there is no parameter {name!r}; there are {sorted(params)}."
            )
        return jnp.asarray(params[name])
