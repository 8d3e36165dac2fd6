"""Draws that are copies of other draws: of another chain, relabeled or not, or of the
same chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

#: Draws that hold the same numbers are chance where fewer of them do.
SHARED = 0.05
#: With fewer different states than this, coming back to one is no wonder: numbers on a grid.
_STATES = 50
#: Of so many bits two draws may agree by chance.
_BITS = 40
#: Numbers that are worked on at once, and entries that are compared between chains.
_BLOCK, _ENTRIES = 2**21, 64
#: Chains whose draws correlate more than this, one by one, are not independent.
TOGETHER = 0.5


def fingerprints(draws: xr.Dataset, groups: Iterable[Sequence[str]]) -> np.ndarray | None:
    """One number a draw, the same where its numbers are, in whatever order and with whatever signs.

    :param draws: over ``chain`` and ``draw``.
    :param groups: names of variables of floats; those of one group may be exchanged.
    :returns: integers ``(chain, draw)``; ``None`` where there are too few bits to tell draws apart.
    """
    shape = draws.sizes["chain"], draws.sizes["draw"]
    total, bits = np.zeros(shape[0] * shape[1], np.uint64), 0
    salts = [(salt, name) for salt, names in enumerate(groups) for name in names]
    for salt, name in salts:
        x = draws[name].transpose("chain", "draw", ...).values
        x = x.reshape(len(total), -1)  # (sample, entry)
        bits += x.shape[1] * (np.finfo(x.dtype).nmant if x.dtype.kind == "f" else 7)
        step = max(1, _BLOCK // x.shape[1])
        for i in range(0, len(total), step):
            each = np.abs(np.asarray(x[i : i + step], np.float64)).view(np.uint64)
            # A sum of mixed bits does not see the order, which relabeling changes.
            total[i : i + step] += _mixed(each + np.uint64(salt + 1)).sum(-1, dtype=np.uint64)
    return total.reshape(shape) if bits >= _BITS else None


def copied_chains(prints: np.ndarray) -> list[np.ndarray]:
    """Groups of chains that share draws, each as a mask over the chains."""
    chains = len(prints)
    states, number = np.unique(prints, return_inverse=True)
    number = number.reshape(prints.shape)  # (chain, draw): which state
    if len(states) < _STATES:
        shared = (number[:, None] == number[None]).all(-1)  # (chain, chain)
    else:
        # (chain, state): 1 where the chain was there
        at = np.repeat(np.arange(chains), prints.shape[1])
        seen = coo_array((np.ones(at.size), (at, number.ravel())), (chains, len(states))).tocsr()
        seen.data[:] = 1.0
        counts = seen.sum(1)
        common = (seen @ seen.T).toarray()
        shared = common > SHARED * np.minimum(counts[:, None], counts)
    return _groups(shared)


def tiled_chains(prints: np.ndarray) -> np.ndarray:
    """Which chains come back to draws that they had left; a rejected move stays, and is no copy."""
    if len(np.unique(prints)) < _STATES:
        return np.array([_period(chain) for chain in prints])
    return np.array([_returns(chain) > SHARED for chain in prints])


def coupled_chains(
    draws: xr.Dataset, figures: Mapping[str, xr.Dataset], least_ess: float
) -> list[np.ndarray]:
    """Groups of chains that move together, draw by draw: copies with a little noise, or mirrored.

    :param draws: over ``chain`` and ``draw``, aligned or invariant.
    :param figures: of these draws, as :func:`figures.figures_of` gives.
    :param least_ess: entries with fewer effective draws are left out: slow ones look alike by
        chance.
    :returns: masks over the chains.
    """
    chains = draws.sizes["chain"]
    joined = np.zeros((chains, chains), bool)
    for name, x in draws.items():
        ess = figures["ess_bulk"][name].values.ravel()
        values = x.transpose("chain", "draw", ...).values
        flat = values.reshape(*values.shape[:2], -1)  # (chain, draw, entry)
        some = np.flatnonzero(ess >= least_ess)
        if len(some):
            evenly = np.linspace(0, len(some) - 1, _ENTRIES).astype(int)
            some = some[np.unique(evenly)]
        some = some[np.isfinite(flat[..., some]).all((0, 1))]
        if not len(some):
            continue
        away = flat[..., some] - flat[..., some].mean(1, keepdims=True)
        size = np.sqrt(np.square(away).sum(1, keepdims=True))
        away = away / np.where(size > 0, size, 1.0)
        # (chain, chain): the mean over entries of correlations over draws
        joined |= np.abs(np.einsum("ide,jde->ij", away, away)) / len(some) > TOGETHER
    return _groups(joined)


def _groups(joined: np.ndarray) -> list[np.ndarray]:
    """Connected components of two chains or more, as masks."""
    _, group = connected_components(joined, directed=False)
    return [group == g for g in np.flatnonzero(np.bincount(group) > 1)]


def _returns(chain: np.ndarray) -> float:
    """The share of visits to a state that was left before."""
    # Draws that differ from the one before; the first always does.
    visits = chain[np.flatnonzero(np.diff(chain, prepend=chain[:1] + np.uint64(1)))]
    return 1 - len(np.unique(visits)) / len(visits)


def _period(chain: np.ndarray) -> bool:
    """Whether a chain that moves is one stretch of draws over and over."""
    moves = bool((chain != chain[0]).any())
    return moves and any((chain[p:] == chain[:-p]).all() for p in range(2, len(chain) // 2 + 1))


def _mixed(x: np.ndarray) -> np.ndarray:
    """Bits stirred so that sums of them tell (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
