"""AutoNormal's unconstrained values in one row, as AutoContinuous guides hold theirs."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.infer.autoguide import AutoNormal


def latent_dim(guide: AutoNormal) -> int:
    """How many values the row has."""
    return sum(np.size(x) for x in guide._init_locs.values())


def transform_of(guide: AutoNormal, params: Mapping[str, Any]) -> dist.transforms.Transform:
    """The transform that makes unconstrained values of standard Normals.

    :param params: parameter name -> array.
    """
    rows = []
    for what in ("loc", "scale"):
        names = [f"{name}_{guide.prefix}_{what}" for name in guide._init_locs]
        rows.append(jnp.concatenate([jnp.ravel(params[name]) for name in names]))
    return dist.transforms.IndependentTransform(dist.transforms.AffineTransform(*rows), 1)


def unpack(guide: AutoNormal, row: jax.Array) -> dict[str, jax.Array]:
    """Rows ``(*sample, size)`` as site name -> unconstrained values ``(*sample, *shape)``."""
    shapes = {name: np.shape(x) for name, x in guide._init_locs.items()}
    ends = np.cumsum([prod(shape) for shape in shapes.values()])
    pieces = jnp.split(row, ends[:-1], axis=-1)
    lead = jnp.shape(row)[:-1]
    sites = {}
    for (name, shape), x in zip(shapes.items(), pieces, strict=True):
        sites[name] = jnp.reshape(x, lead + shape)
    return sites
