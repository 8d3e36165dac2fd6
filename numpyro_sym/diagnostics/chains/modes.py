"""Functional modes: how many there are in the draws, and what each weighs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.cluster.vq import kmeans2
from scipy.sparse import coo_array, identity
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh
from scipy.spatial import cKDTree

from ...alignment.ranges import unit_of
from ...symmetry import SymmetryError, kinds, short_repr
from ...symmetry.arguments import check_arguments
from ...symmetry.arrays import real_array


class Modes(NamedTuple):
    """Functional modes of the draws of several chains.

    :param labels: ints ``(chains, draws)``: the mode of each draw, the most visited first.
    :param weights: the share of draws in each mode.
    :param probabilities: the share of chains that spend most of their draws in each mode, for
        :func:`chains_needed`; modes that are no chain's own are left out.
    :param unseen: an estimate (Good and Turing) of the probability that a further chain settles in
        a mode that no chain has found: the share of chains that are alone in theirs.
    """

    labels: np.ndarray
    weights: np.ndarray
    probabilities: np.ndarray
    unseen: float

    def __repr__(self) -> str:
        return short_repr(self)


def functional_modes(
    draws: ArrayLike,
    *,
    num_modes: kinds.Positive | None = None,
    num_neighbours: kinds.Positive | None = None,
    max_modes: kinds.Positive = 10,
    rng_seed: kinds.Seed = 0,
) -> Modes:
    """Cluster draws into functional modes: spectral clustering, as in Wiese et al. 2023, section
    4.2.

    Give what the symmetry does not move: predictions at some inputs, or aligned draws side by side;
    raw weights would count each copy of a mode as one of its own.

    :param draws: floats ``(chains, draws, features)``.
    :param num_modes: how many modes; by default as many as there are groups of draws between which
        hardly a draw lies: eigenvalues below 5e-4 of the normalised Laplacian of the graph of
        nearest neighbours.
    :param num_neighbours: neighbours of each draw in that graph, a twentieth of the draws by
        default, at least 10; a mode of fewer draws is not told.
    :param max_modes: the most modes to look for.
    :param rng_seed: seed of the clustering.
    :returns: a :class:`Modes`.
    :raises SymmetryError: where the draws are not of three dimensions, not finite, or too few.

    >>> import numpy as np
    >>> from numpyro_sym.diagnostics import functional_modes
    >>> centres = np.array([0.0, 0.0, 9.0, 0.0])[:, None, None]
    >>> draws = centres + np.random.default_rng(0).normal(size=(4, 50, 2))
    >>> functional_modes(draws).probabilities.tolist()
    [0.75, 0.25]
    """
    check_arguments(functional_modes, locals())
    expected = "finite draws of shape (chains, draws, features)"
    x = real_array("functional_modes", "draws", draws, expected, ndim=(3,)).astype(float)
    x = x / unit_of(x)  # only ratios of distances count
    points = x.reshape(-1, x.shape[-1])  # (draw of any chain, feature)
    num_neighbours = max(10, len(points) // 20) if num_neighbours is None else num_neighbours
    if len(points) <= max(num_neighbours, max_modes) + 1 or (num_modes or 1) > max_modes:
        raise SymmetryError(
            f"functional_modes: {len(points)} draws are too few for {num_neighbours} neighbours "
            f"and up to {max_modes} modes, or num_modes = {num_modes} exceeds max_modes."
        )
    labels = _spectral(points, num_modes, num_neighbours, max_modes, rng_seed)
    order = np.argsort(-np.bincount(labels), kind="stable")
    # The most visited mode has number 0.
    labels = np.argsort(order)[labels].reshape(x.shape[:2])
    own = np.array([np.bincount(chain).argmax() for chain in labels])
    chains = np.bincount(own, minlength=len(order))
    return Modes(
        labels,
        np.bincount(labels.ravel()) / labels.size,
        chains[chains > 0] / len(own),
        float((chains == 1).sum() / len(own)),
    )


_HARDLY_JOINED = 5e-4


def _spectral(
    points: np.ndarray, num_modes: int | None, neighbours: int, max_modes: int, seed: int
) -> np.ndarray:
    """Labels of the points, by the lowest eigenvectors of the graph of nearest neighbours."""
    size = len(points)
    # (draw, neighbour), without the draw itself, which is its own nearest
    near = cKDTree(points).query(points, k=neighbours + 1)[1][:, 1:]
    rows = np.repeat(np.arange(size), neighbours)
    graph = coo_array((np.ones(rows.size), (rows, near.ravel())), shape=(size, size)).tocsr()
    graph = (graph + graph.T) / 2
    apart, parts = connected_components(graph, directed=False)
    if num_modes is None and apart >= max_modes:
        return parts
    root = 1 / np.sqrt(graph.sum(1))
    # The normalised graph: 1 minus its eigenvalues are those of the Laplacian.
    inner = graph.multiply(root[:, None]).multiply(root[None]).tocsr()
    # Largest of I + W, so smallest of I - W: quick, and the same start at every call.
    start = np.random.default_rng(seed).normal(size=size)
    value, vector = eigsh(inner + identity(size), k=max_modes, v0=start, tol=1e-8)
    lowest = 2 - value[::-1]
    count = num_modes or max(int((lowest < _HARDLY_JOINED).sum()), apart)
    if count == 1:
        return np.zeros(size, int)
    if count == apart:
        return parts
    # (draw, eigenvector), the lowest of I - W first
    embedded = vector[:, ::-1][:, :count]
    embedded = embedded / np.linalg.norm(embedded, axis=1, keepdims=True).clip(1e-300)
    labels = kmeans2(embedded, count, minit="++", rng=seed)[1]
    return np.unique(labels, return_inverse=True)[1]
