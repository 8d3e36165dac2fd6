"""Initial values in which no two units are alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
from numpyro.infer.autoguide import AutoContinuous, AutoGuide, AutoGuideList

from ..symmetry import Axis, Symmetry, Units
from ..symmetry.stacks import stacked

#: Standard deviation of the noise that breaks a tie, in unconstrained space: the scale with which
#: NumPyro starts.
TIE_NOISE = 0.1


def break_ties(guide: AutoGuide, sym: Symmetry) -> None:
    """Where two units start alike, add noise to the guide's initial values at the sites of the
    symmetry.

    Units that are alike have the same gradient: they would stay alike for ever, and the
    information that symmetrizing adds is stationary there.

    :param guide: one of NumPyro's guides, set up.
    """
    if isinstance(guide, AutoGuideList):
        for part in guide:
            if isinstance(part, AutoGuide):
                break_ties(part, sym)
        return
    stacks = {}
    for array, sites in sym.stacks.items():
        if all(site in guide._init_locs for site in sites):
            stacks[array] = sites
    locs = stacked(stacks, guide._init_locs)
    tied = {u.name: _tied(u, locs) for u in sym.units}
    names = [name for name in sym.sites if name in guide._init_locs]
    for name, key in zip(names, jax.random.split(_key(), max(len(names), 1)), strict=False):
        here = [tied[u.name] for u in sym.units if name in u.site_names]
        needed = sum(here, start=jnp.asarray(False))
        noise = TIE_NOISE * jax.random.normal(key, jnp.shape(guide._init_locs[name]))
        guide._init_locs[name] = guide._init_locs[name] + jnp.where(needed, noise, 0)
    if isinstance(guide, AutoContinuous):
        guide._init_latent = jnp.concatenate([jnp.ravel(x) for x in guide._init_locs.values()])


def _key() -> jax.Array:
    key = numpyro.prng_key()
    return jax.random.key(0) if key is None else key


def _tied(u: Units, locs: Mapping[str, Any]) -> jax.Array:
    """Whether two units of one set start with the same values at all of their sites."""
    rows = []
    for site, axes in u.placements:
        for axis in axes:
            x = jnp.asarray(locs.get(site, 0.0))
            # A simplex has one coordinate less than entries: other sites must tell the units apart.
            if _fits(u, axis, x.shape):
                rows.append(axis.blocks(x, u.n))
    if not rows:
        return jnp.asarray(False)
    row = jnp.concatenate(rows, axis=-1)
    # Rows that are alike have the same weighted sum; others have it with probability zero.
    sums = jnp.sort((row * jax.random.normal(jax.random.key(0), row.shape[-1:])).sum(-1), axis=-1)
    return (sums[..., 1:] == sums[..., :-1]).any()


def _fits(u: Units, axis: Axis, shape: tuple[int, ...]) -> bool:
    """Whether the units' entries are all there."""
    if len(shape) <= max(axis.axis, *axis.batch_axes, 0):
        return False
    own = axis.resolved(len(shape))
    left = own.left_by_batch(shape, u.batch)
    return left is not None and own.offset + own.length(u.n) <= left[own.axis]
