"""Every entry of a large array looked at, the worst of them kept for a closer look.

ArviZ's figures take a millisecond an entry. Tens of thousands of observations are screened by
one sort each, without loss of the kinds of trouble that the figures would show.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import norm

#: Variables with more entries than this are screened.
MANY = 200
#: So many entries are kept of each kind of trouble, and so many evenly spaced ones beside them.
EACH, EVENLY = 10, 50
#: Numbers that are worked on at once.
_BLOCK = 2**21
#: Batches of a chain, by whose means its memory is judged.
_BATCHES = 20
_FEWEST = 4


def judged(draws: xr.Dataset) -> xr.Dataset:
    """The same variables; of those with many entries the worst, and evenly spaced ones.

    :param draws: over ``chain`` and ``draw``.
    :returns: a Dataset; what was screened has the dimensions ``chain``, ``draw``, ``<name>_entry``.
    """
    out = {}
    for name, x in draws.items():
        x = x.transpose("chain", "draw", ...)
        if x[0, 0].size > MANY and x.sizes["draw"] >= _FEWEST:
            flat = np.asarray(x.values).reshape(*x.shape[:2], -1)  # (chain, draw, entry)
            kept = flat[..., worst_entries(flat)]
            x = xr.DataArray(kept, dims=("chain", "draw", f"{name}_entry"))
        out[name] = x
    return xr.Dataset(out, attrs=draws.attrs)


def worst_entries(x: np.ndarray) -> np.ndarray:
    """Which entries to look at.

    :param x: draws ``(chain, draw, entry)``.
    :returns: indices, ascending: those with the largest R-hat in location and in spread, with the
        longest memory in the bulk and in either tail, with the most drift, those in which each
        chain lies farthest from the others, and evenly spaced ones.

    >>> x = np.random.default_rng(0).normal(size=(4, 100, 1000))
    >>> x[2, :, 617] += 1
    >>> 617 in worst_entries(x)
    True
    """
    chains, draws, entries = x.shape
    flat = x.reshape(chains * draws, entries)
    step = max(1, _BLOCK // (chains * draws))
    parts = []
    for i in range(0, entries, step):
        scores = normal_scores(flat[:, i : i + step].T)
        parts.append(_troubles(scores, chains))
    troubles = np.concatenate(parts, -1)  # (trouble, entry)
    evenly = np.linspace(0, entries - 1, min(entries, EVENLY)).astype(int)
    top = np.argsort(-troubles, axis=-1, kind="stable")[:, :EACH]
    return np.unique(np.concatenate([evenly, top.ravel()]))


def normal_scores(x: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks of each row (Blom 1958); ties in random order, constants 0.

    :param x: ``(entry, sample)``.
    """
    samples = x.shape[-1]
    quantiles = norm.ppf((np.arange(samples) + 0.625) / (samples + 0.25))
    # Ties broken by position would set the chains apart.
    shuffled = np.random.default_rng(0).permutation(samples)
    order = shuffled[np.argsort(x[:, shuffled], axis=-1)]  # (entry, rank): which sample has it
    out = np.empty(x.shape)
    np.put_along_axis(out, order, np.broadcast_to(quantiles, x.shape), -1)
    out[x.max(-1) == x.min(-1)] = 0.0
    return out


def _troubles(scores: np.ndarray, chains: int) -> np.ndarray:
    """``(trouble, entry)``: the larger the worse."""
    z = scores.reshape(len(scores), chains, -1)  # (entry, chain, draw)
    draws = z.shape[-1]
    time = np.linspace(-1, 1, draws)
    rows = [_rhat(z), _rhat(np.abs(z))]
    for part in (z, z < norm.ppf(0.05), z > norm.ppf(0.95)):
        rows.append(_memory(np.asarray(part, float)))
    rows.append(np.abs(z @ time).max(-1))
    away = np.abs(z.mean(-1) - z.mean((-2, -1))[:, None])  # (entry, chain)
    return np.stack([*rows, *away.T])


def _rhat(z: np.ndarray) -> np.ndarray:
    """Between halves of chains against within, ``(entry,)``."""
    half = z.shape[-1] // 2
    halves = z[..., : 2 * half].reshape(len(z), -1, half)  # (entry, half of a chain, draw)
    return _ratio(halves.mean(-1).var(-1), halves.var(-1).mean(-1))


def _memory(z: np.ndarray) -> np.ndarray:
    """Variance of batch means against that of independent draws."""
    length = max(1, z.shape[-1] // _BATCHES)
    count = z.shape[-1] // length
    # (entry, chain, batch, draw)
    batches = z[..., : count * length].reshape(*z.shape[:2], count, length)
    return _ratio(length * batches.mean(-1).var(-1).mean(-1), z.var((-2, -1)))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    large = np.where(above > 0, np.inf, 0.0)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), large)
