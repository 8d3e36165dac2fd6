"""Functional modes of whole chains: those that have settled apart from one another."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import connected_components

#: Two bells of one width have two tops where they are farther apart than this many widths.
APART = 2.0
#: A chain whose quarters differ by more than this factor of spread has not settled.
SETTLED = 1.2
#: A quarter of a chain has at least two draws.
FEWEST = 8


def chains_apart(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Modes of the chains of functions ``(chain, draw, function)``.

    Two chains are in different modes where some function of each has settled (the quarters of the
    chain agree) and their means lie more than two standard deviations apart, so that the two
    together have two tops. A mode is a connected component of chains that are not apart.

    :returns: the mode of each chain; how many standard deviations two chains are apart, ``(chain,
        chain)``; and which chains have settled.
    """
    chains = len(x)
    mean, variance = x.mean(1), x.var(1)
    settled = _settled(x)
    distance = np.zeros((chains, chains))
    for i in range(chains):
        spread = np.sqrt((variance + variance[i]) / 2)
        away = np.abs(mean - mean[i])
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(away > 0, away / spread, 0.0)
        distance[i] = np.where(settled & settled[i], each, 0.0).max(-1)
    _, component = connected_components(distance <= APART, directed=False)
    return component, distance, np.asarray(settled.all(-1))


def _settled(x: np.ndarray) -> np.ndarray:
    """Whether the quarters of a chain agree and it moves at all, for each function: ``(chain,
    function)``.
    """
    length = x.shape[1] // 4
    # (chain, quarter, draw, function)
    quarters = x[:, : 4 * length].reshape(len(x), 4, length, -1)
    within = quarters.var(2, ddof=1).mean(1)
    between = quarters.mean(2).var(1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(between > 0, between / within, 0.0)
    stuck = (x.max(1) == x.min(1)) & (within.max(0) > 0)
    return (1 + ratio <= SETTLED**2) & ~stuck
