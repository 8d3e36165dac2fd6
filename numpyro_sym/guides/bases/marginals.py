"""Marginal quantiles of a symmetrized guide, without sampling where they have a closed form.

The group moves entries of an array among each other. Under a uniform element each entry visits
every place of its orbit equally often, so its marginal law is the equal mixture over that orbit,
with the sign turned where the orbit holds an entry's negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from ...symmetry import Element, Symmetry, Units


def entry_orbits(sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """For each site of the symmetry, which orbit each entry and each entry's negative is in.

    :param shapes: site name -> shape.
    :returns: site name -> ints of shape ``(2, size)``: labels of the entries, of their negatives.
    """
    # Each entry holds its number, from 1 on, so that a turned one is told by its sign.
    sites = {}
    for name in sym.sites:
        size = np.prod(shapes[name], dtype=int)
        sites[name] = np.arange(1.0, size + 1).reshape(shapes[name])
    edges: dict[str, list[np.ndarray]] = {name: [] for name in sites}
    for u in sym.units:
        own = {name: sites[name] for name in u.sites}
        for element in _generators(u, shapes):
            moved = Symmetry([u]).act({u.name: element}, own)
            for name, x in moved.items():
                edges[name].append(x.ravel())
    return {name: _label(sites[name].size, edges[name]) for name in sites}


def mixture_quantiles(
    labels: np.ndarray, loc: jax.Array, scale: jax.Array, quantiles: jax.Array
) -> jax.Array:
    """Quantiles of equal mixtures of Normals over the orbits of their entries, by bisection.

    :param labels: ints of shape ``(2, size)`` as :func:`entry_orbits` gives them.
    :param loc: floats of shape ``(size,)``, and ``scale`` likewise.
    :param quantiles: floats of shape ``(q,)`` in (0, 1).
    :returns: floats of shape ``(q, size)``.
    """
    # How many orbits there are, and how many entries.
    number, size = int(labels.max()) + 1, labels.shape[1]
    # Entries, then their negatives.
    locs, scales = jnp.concatenate([loc, -loc]), jnp.concatenate([scale, scale])
    orbit = labels.ravel()
    count = jnp.bincount(orbit, length=number)

    def cdf(x: jax.Array) -> jax.Array:
        return jax.ops.segment_sum(ndtr((x[orbit] - locs) / scales), orbit, number) / count

    # A bracket for each orbit.
    low = jax.ops.segment_min(locs - 10 * scales, orbit, number)
    high = jax.ops.segment_max(locs + 10 * scales, orbit, number)

    def solve(q: jax.Array) -> jax.Array:
        def halve(_: int, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            below, above = bracket
            middle = (below + above) / 2
            rises = cdf(middle) < q
            return jnp.where(rises, middle, below), jnp.where(rises, above, middle)

        below, above = jax.lax.fori_loop(0, 60, halve, (low, high))
        return ((below + above) / 2)[orbit[:size]]

    return jax.vmap(solve)(quantiles)


def pooled_quantiles(labels: np.ndarray, draws: jax.Array, quantiles: jax.Array) -> jax.Array:
    """Quantiles of the same mixtures from draws ``(m, size)``, where there is no closed form."""
    both = jnp.concatenate([draws, -draws], axis=1)
    size = draws.shape[1]
    # Entries by orbit, one orbit after the other: `first[k]` is where orbit k begins, `count[k]`
    # how many it has.
    members = np.argsort(labels.ravel(), kind="stable")
    count = np.bincount(labels.ravel())
    first = np.cumsum(count) - count
    out = jnp.zeros((len(quantiles), len(count)), draws.dtype)
    for length in np.unique(count):  # orbits of one length all at once
        orbits = np.flatnonzero(count == length)
        # (draw, orbit, member) to (orbit, draw of any member)
        pools = both[:, members[first[orbits][:, None] + np.arange(length)]]
        pools = jnp.moveaxis(pools, 1, 0).reshape(len(orbits), -1)
        out = out.at[:, orbits].set(jnp.quantile(pools, quantiles, axis=1))
    return out[:, labels[0]][:, :size]


def _generators(u: Units, shapes: Mapping[str, tuple[int, ...]]) -> list[Element]:
    """Elements that move entries as far as the whole group does.

    Sets that have no entry in common move at once; others one by one.
    """
    at_once = [np.arange(u.sets)]
    for site, axes in u.placements:
        runs = {a.resolved(len(shapes[site])).batch_axes for a in axes}
        if len(runs) > 1:
            at_once = list(np.arange(u.sets)[:, None])  # one set after the other
    found = []
    for sets in at_once:
        for one_set in u.generators():
            g = Element(np.tile(np.arange(u.n), (u.sets, 1)), np.ones((u.sets, u.n)))
            g.permutation[sets], g.factor[sets] = one_set
            found.append(Element(*(a.reshape(u.shape) for a in g)))
    return found


def _label(size: int, moved: list[np.ndarray]) -> np.ndarray:
    """Connected components of the graph that joins each place to what came there."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    to: list[Any] = []
    came: list[Any] = []
    for x in moved:
        entry, negative = np.abs(x).astype(int) - 1, x < 0
        for turned in (False, True):
            to.append(np.arange(size) + size * turned)
            came.append(entry + size * (negative != turned))
    rows, columns = np.concatenate(to), np.concatenate(came)
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(2 * size, 2 * size))
    # Entries, then their negatives.
    return connected_components(graph, directed=False)[1].reshape(2, size)
