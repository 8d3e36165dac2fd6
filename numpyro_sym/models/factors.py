"""Factors of a model that are a part of its prior."""

from __future__ import annotations

from typing import Any

import numpyro
from numpyro.distributions import Unit

#: What a site's ``infer`` holds where it is such a factor.
MARK = "is_prior"


def prior_factor(name: str, log_factor: Any) -> None:
    """A factor that counts as a part of the prior, where ``numpyro.factor`` counts as likelihood.

    The joint density is the same. Scales are symmetries of the likelihood alone, and what
    :meth:`~numpyro_sym.Symmetry.explain` says of priors is said of this one, too.

    :param name: of the factor, a site of its own.
    :param log_factor: log density, of any shape.

    >>> import jax.numpy as jnp, numpyro, numpyro.distributions as dist
    >>> from numpyro_sym import find_symmetry
    >>> from numpyro_sym.models import prior_factor
    >>> def model():
    ...     w = numpyro.sample("w", dist.ImproperUniform(dist.constraints.real_vector, (), (2,)))
    ...     prior_factor("shrinkage", -(w**2).sum())
    ...     numpyro.factor("fit", -((w.sum() - 1) ** 2))
    >>> find_symmetry(model).order
    2
    """
    unit = Unit(log_factor)
    infer = {"is_auxiliary": True, MARK: True}
    numpyro.sample(name, unit, obs=unit.sample(None), infer=infer)


def is_prior_factor(site: dict) -> bool:
    """Whether a site of a trace is such a factor."""
    return site["type"] == "sample" and bool(site["is_observed"] and site["infer"].get(MARK))
