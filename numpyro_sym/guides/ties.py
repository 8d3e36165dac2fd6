"""Initial values in which no two units are alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro.infer.autoguide import AutoContinuous, AutoGuide, AutoGuideList

from ..symmetry import Symmetry, Units

#: Standard deviation of the noise that breaks a tie, in unconstrained space: the scale with which NumPyro starts.
TIE_NOISE = 0.1


def break_ties(guide: AutoGuide, sym: Symmetry, args: tuple, kwargs: dict[str, Any]) -> None:
    """Set up a guide's initial values; where two units start alike, add noise to the sites of the symmetry.

    Units that are alike have the same gradient: they would stay alike for ever, and the
    information that symmetrising adds is stationary there.

    :param guide: one of NumPyro's guides, not yet called.
    """
    if guide.prototype_trace is None:
        guide._setup_prototype(*args, **kwargs)
    if isinstance(guide, AutoGuideList):
        for part in guide:
            if isinstance(part, AutoGuide):
                break_ties(part, sym, args, kwargs)
        return
    tied = sorted({site for u in sym.units if _tied(u, guide._init_locs) for site in u.sites})
    for name, key in zip(tied, jax.random.split(_key(), max(len(tied), 1)), strict=False):
        if name in guide._init_locs:
            noise = TIE_NOISE * jax.random.normal(key, jnp.shape(guide._init_locs[name]))
            guide._init_locs[name] = guide._init_locs[name] + noise
    if tied and isinstance(guide, AutoContinuous):
        guide._init_latent = jnp.concatenate([jnp.ravel(x) for x in guide._init_locs.values()])


def _key() -> jax.Array:
    key = numpyro.prng_key()
    return jax.random.key(0) if key is None else key


def _tied(u: Units, locs: Mapping[str, Any]) -> bool:
    """Whether two units start with the same values at all of their sites."""
    rows = []
    for site, axes in u.placements:
        for axis in axes:
            if (
                site in locs
                and np.ndim(locs[site]) > axis.axis
                and axis.positions(u.n).max() < np.shape(locs[site])[axis.axis]
            ):
                block = np.take(np.asarray(locs[site]), axis.positions(u.n), axis=axis.axis)
                rows.append(np.moveaxis(block, axis.axis % np.ndim(locs[site]) + 1, 0).reshape(u.n, -1))
    return bool(rows) and len(np.unique(np.concatenate(rows, axis=1), axis=0)) < u.n
