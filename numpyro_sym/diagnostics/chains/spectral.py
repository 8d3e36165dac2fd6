"""Functional modes of draws: clusters of the graph of nearest neighbors."""

from __future__ import annotations

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.sparse import coo_array, identity
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh
from scipy.spatial import cKDTree

#: Groups of draws are apart where eigenvalues of the normalized Laplacian are below this.
_HARDLY_JOINED = 5e-4


def clusters(
    points: np.ndarray, num_modes: int | None, neighbors: int, max_modes: int, seed: int
) -> np.ndarray:
    """Labels of the points, by the lowest eigenvectors of the graph of nearest neighbors."""
    size = len(points)
    # (draw, neighbor), without the draw itself, which is its own nearest
    near = cKDTree(points).query(points, k=neighbors + 1)[1][:, 1:]
    rows = np.repeat(np.arange(size), neighbors)
    graph = coo_array((np.ones(rows.size), (rows, near.ravel())), shape=(size, size)).tocsr()
    graph = (graph + graph.T) / 2
    apart, parts = connected_components(graph, directed=False)
    if num_modes is None and apart >= max_modes:
        return parts
    root = 1 / np.sqrt(graph.sum(1))
    # The normalized graph: 1 minus its eigenvalues are those of the Laplacian.
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
