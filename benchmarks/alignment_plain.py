"""The usual weight matching, one pair at a time, written plainly: what the engine is measured
against.

Ainsworth, Hayase and Srinivasa 2023 (arXiv 2209.04836), algorithm 1, on lists of dense layers or on
any wiring given as {units: [(site, axis), ...]}.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def weight_matching(point, reference, wiring, rng=None, max_sweeps=1000):
    """Permutations {units: perm} that bring ``point`` to ``reference`` by coordinate descent from
    the identity.

    :param wiring: units -> list of (site, axis); each axis runs over these units alone.
    :param rng: visits units in random order where given, else in turn.
    """
    sizes = {u: point[places[0][0]].shape[places[0][1]] for u, places in wiring.items()}
    perms = {u: np.arange(n) for u, n in sizes.items()}
    on_axis = {(site, axis): u for u, places in wiring.items() for site, axis in places}

    def moved(site, but):
        x = point[site]
        for axis in range(x.ndim):
            u = on_axis.get((site, axis))
            if u is not None and u != but:
                x = np.take(x, perms[u], axis)
        return x

    for _ in range(max_sweeps):
        progress = False
        names = list(wiring)
        if rng is not None:
            rng.shuffle(names)
        for u in names:
            gain = np.zeros((sizes[u], sizes[u]))
            for site, axis in wiring[u]:
                a = np.moveaxis(reference[site], axis, 0).reshape(sizes[u], -1)
                b = np.moveaxis(moved(site, u), axis, 0).reshape(sizes[u], -1)
                gain += a @ b.T
            new = linear_sum_assignment(gain, maximize=True)[1]
            slots = np.arange(sizes[u])
            if gain[slots, new].sum() > gain[slots, perms[u]].sum() + 1e-12:
                perms[u], progress = new, True
        if not progress:
            break
    return perms


def squared_distance(point, reference, wiring, perms):
    """The squared distance after the permutations."""
    total = 0.0
    for site, r in reference.items():
        x = point[site]
        for u, places in wiring.items():
            for s, axis in places:
                if s == site:
                    x = np.take(x, perms[u], axis)
        total += np.square(x - r).sum()
    return total
