"""Classification probabilities, laid out so that a draw's labels are rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CHUNK = 2**22  # entries of a chunk of probabilities


def smallest(dtype: np.dtype) -> float:
    """What is smaller is taken for zero: its products with logarithms would be subnormal numbers,
    which processors are slow with, and add nothing to any sum.
    """
    return float(np.sqrt(np.finfo(dtype).tiny))


def by_label(p: np.ndarray) -> np.ndarray:
    """Probabilities ``(draw, observation, label)`` as ``(draw, label, observation)``, copied."""
    out = np.empty((p.shape[0], p.shape[2], p.shape[1]), p.dtype)
    least = smallest(p.dtype)
    for chunk in chunks(p):
        out[chunk] = np.where(p[chunk] < least, 0, p[chunk]).swapaxes(-1, -2)
    return out


def chunks(p: np.ndarray) -> Iterator[slice]:
    """Slices of draws whose probabilities stay small in memory."""
    size = max(1, _CHUNK // max(p[:1].size, 1))
    return (slice(i, i + size) for i in range(0, len(p), size))


def mean_relabeled(p: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """The mean over draws, of ``(draw, label, observation)`` in the new labels, as
    ``(observation, label)``.
    """
    draws, n, observations = p.shape
    rows = p.reshape(-1, observations)
    # Which row each draw's new label is.
    of = permutation + n * np.arange(draws)[:, None]
    total = np.zeros((n, observations))
    for chunk in chunks(p):
        total += rows[of[chunk]].sum(0)
    return np.ascontiguousarray(total.T) / draws
