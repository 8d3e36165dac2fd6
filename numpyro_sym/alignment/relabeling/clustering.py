"""Which observations go together, whatever their labels: similarity, and the best partition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...symmetry import short_repr
from ...symmetry.arguments import check_arguments
from ...symmetry.arrays import real_array
from .result import as_labels

Loss = Literal["binder", "vi"]
_CHUNK = 2**22  # entries of indicators at a time


class BestClustering(NamedTuple):
    """A partition of the observations, one of the draws'.

    :param labels: ints ``(observations,)``: each observation's, as this draw has them.
    :param draw: the draw's index.
    :param loss: its expected loss.
    """

    labels: np.ndarray
    draw: tuple[int, ...]
    loss: float

    def __repr__(self) -> str:
        return short_repr(self)


def similarity_matrix(allocations: ArrayLike) -> np.ndarray:
    """The share of draws in which two observations have one label, for every two.

    No relabeling changes it. Memory grows with the square of the observations.

    :param allocations: ints ``(*sample, observations)``, not negative: each draw's component of
        each observation.
    :returns: float64 of shape ``(observations, observations)``.
    :raises SymmetryError: where labels are not ints, or negative.

    >>> similarity_matrix([[0, 0, 1], [1, 1, 1]])
    array([[1. , 1. , 0.5],
           [1. , 1. , 0.5],
           [0.5, 0.5, 1. ]])
    """
    check_arguments(similarity_matrix, locals())
    labels = _flat("similarity_matrix", allocations)[0]
    return _similarity(labels)


def best_clustering(allocations: ArrayLike, *, loss: Loss = "binder") -> BestClustering:
    """The draw whose partition of the observations is nearest to all draws' in the mean.

    :param allocations: ints ``(*sample, observations)``, not negative.
    :param loss: ``"binder"``: in how many pairs of observations two partitions differ (Binder 1978;
        of all draws the one of least squares in Dahl 2006); ``"vi"``: the variation of information,
        in bits, by the lower bound of Wade and Ghahramani 2018, which splits off fewer small
        clusters.
    :returns: a :class:`BestClustering`; of equals the first draw.
    :raises SymmetryError: where labels are not ints, or negative, or the loss is another.

    >>> best_clustering([[0, 0, 1], [1, 1, 0], [0, 1, 1]]).labels.tolist()
    [0, 0, 1]
    """
    check_arguments(best_clustering, locals())
    labels, sample = _flat("best_clustering", allocations)
    return clustering_of(labels, _similarity(labels), sample, loss)


def clustering_of(
    labels: np.ndarray, similarity: np.ndarray, sample: tuple[int, ...], loss: Loss
) -> BestClustering:
    """:func:`best_clustering` of draws ``(draw, observation)``, given their similarity."""
    of_draws = {"binder": _pairs_apart, "vi": _information_apart}[loss]
    expected = of_draws(_dense(labels), similarity)
    row = int(np.argmin(expected))
    draw = tuple(int(i) for i in np.unravel_index(row, sample))
    return BestClustering(labels[row], draw, float(expected[row]))


def _flat(who: str, allocations: ArrayLike) -> tuple[np.ndarray, tuple[int, ...]]:
    """Labels as ``(draw, observation)``, and the sample dimensions."""
    given = real_array(who, "allocations", allocations, "ints (*sample, observations)", ndim=1)
    n = int(given.max()) + 1 if np.issubdtype(given.dtype, np.integer) else 1
    labels = as_labels(given, max(n, 1), who)
    return labels.reshape(-1, labels.shape[-1]), labels.shape[:-1]


def _dense(labels: np.ndarray) -> np.ndarray:
    """The same partitions, in numbers 0, 1, ... without gaps."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def _indicators(labels: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Chunks of draws, as float32 ``(observation, draw, label)``: 1 where it is the label."""
    n = int(labels.max()) + 1
    size = max(1, _CHUNK // (labels.shape[-1] * n))
    for start in range(0, len(labels), size):
        chunk = slice(start, start + size)
        yield chunk, (labels[chunk].T[..., None] == np.arange(n)).astype(np.float32)


def _similarity(labels: np.ndarray) -> np.ndarray:
    observations = labels.shape[-1]
    together = np.zeros((observations, observations))
    for _, indicator in _indicators(_dense(labels)):
        flat = indicator.reshape(observations, -1)
        together += flat @ flat.T
    return together / len(labels)


def _pairs_apart(labels: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """In how many pairs of observations each draw differs from all draws in the mean."""
    # A pair that a draw puts together costs 1 - s instead of s.
    cost = (1 - 2 * similarity).astype(np.float32)
    np.fill_diagonal(cost, 0)
    observations = len(similarity)
    apart = np.empty(len(labels))
    for chunk, indicator in _indicators(labels):
        summed = (cost @ indicator.reshape(observations, -1)).reshape(indicator.shape)
        apart[chunk] = np.einsum("idk,idk->d", summed, indicator, dtype=float)
    # Each pair was met twice, and each observation with itself in the similarity.
    return (apart + similarity.sum() - observations) / 2


def _information_apart(labels: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """Wade and Ghahramani 2018: a mean of logarithms is no more than the logarithm of the mean."""
    observations = len(similarity)
    s = similarity.astype(np.float32)
    own, shared = np.empty(len(labels)), np.empty(len(labels))
    for chunk, indicator in _indicators(labels):
        member = indicator > 0
        # (draw, observation): how many share the label, and how many in the mean over draws do
        sizes = indicator.sum(0)[None] * indicator
        expected = (s @ indicator.reshape(observations, -1)).reshape(indicator.shape)
        own[chunk] = np.log2(sizes, where=member, out=np.zeros_like(sizes)).sum((0, 2))
        shared[chunk] = np.log2(expected, where=member, out=np.zeros_like(sizes)).sum((0, 2))
    return (own + own.mean() - 2 * shared) / observations
