"""Are two sets of draws from one distribution? The maximum mean discrepancy and its permutation
test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..symmetry import SymmetryError, kinds, short_repr
from ..symmetry.arguments import check_arguments, refusal
from ..symmetry.arrays import real_array
from ..symmetry.bars import progress, tracked
from ..symmetry.deprecated import renamed_arguments
from ..symmetry.randomness import seed_of
from .arviz.groups import group_names
from .arviz.samples import flat_draws, listed
from .order_statistics import ranked

#: Bandwidths, as multiples of the median distance: each twice the one before.
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
# Draws along each side of what is held of the matrix of all pairs.
_TILE = 1024


class MMD(NamedTuple):
    """Of two sets of draws.

    :param squared: the unbiased estimate of the squared discrepancy; around 0, and as often below
        it, where the distributions are one.
    :param p_value: how often a random split of all draws is as far apart.
    """

    squared: float
    p_value: float

    def __repr__(self) -> str:
        return short_repr(self)


@renamed_arguments(sites="var_names", seed="rng_key")
def mmd(
    first: Any,
    second: Any,
    *,
    var_names: kinds.VarNames | None = None,
    num_permutations: kinds.Positive = 1000,
    rng_key: kinds.RngKeyOrSeed = 0,
    progress_bar: bool = True,
) -> MMD:
    """The maximum mean discrepancy between two sets of draws, with a permutation test.

    The kernel is a sum of Gaussian and Laplace kernels ``exp(-(r / h)**2 / 2)`` and ``exp(-r / h)``
    whose bandwidths ``h`` are a geometric series around the median distance (Gretton et al. 2012;
    Laurent, Aldea and Franchi 2024, arXiv 2310.08287). The test is exact for independent draws:
    thin chains until they are nearly so. Draws of weights must be aligned first; predictions need
    not be.

    :param first: an ArviZ object, a mapping of arrays ``(draw, ...)``, or one array.
    :param second: likewise.
    :param var_names: which variables of an ArviZ object or a mapping; by default all that hold
        floats.
    :param num_permutations: random splits; the least p value is ``1 / (num_permutations + 1)``.
    :param rng_key: a JAX random key, or a seed, of the splits.
    :param progress_bar: whether to show one where it takes long.
    :returns: an :class:`MMD`.
    :raises SymmetryError: where there are fewer than two draws, values that are not finite, or
        shapes differ.

    >>> rng = np.random.default_rng(0)
    >>> mmd(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 0.5).p_value < 0.01
    True
    """
    check_arguments(mmd, locals())
    names = listed(var_names)
    x, y = _matrix("first", first, names), _matrix("second", second, names)
    if x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise SymmetryError(
            f"mmd: expected at least two draws each of the same size; got {x.shape} and {y.shape}."
        )
    both = _in_range(np.concatenate([x, y]))
    rng = np.random.default_rng(seed_of(rng_key))
    belongs = np.zeros((num_permutations + 1, len(both)), bool)
    belongs[0, : len(x)] = True
    for row in belongs[1:]:
        row[rng.choice(len(both), len(x), replace=False)] = True
    with progress("mmd", "tiles", progress_bar):
        found = _unbiased(both, belongs)
    # A split that is the observed one again, up to rounding, counts as equally far.
    as_far = found[1:] >= found[0] - 1e-6 * np.abs(found[0])
    return MMD(float(found[0]), float((1 + as_far.sum()) / (num_permutations + 1)))


def _in_range(x: np.ndarray) -> np.ndarray:
    """Points whose squares stay in range; distances count as ratios."""
    x = x - x.mean(0)
    return x / (np.abs(x).max() or 1.0)


def _unbiased(x: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    """The estimate for each split ``(splits, draws)``, ``belongs`` being true on the first set's
    draws.
    """
    typical = _median_distance(x) or 1.0
    m = int(belongs[0].sum())
    n = len(x) - m
    within = np.zeros(len(belongs))
    reach = np.zeros(len(x))  # each draw's kernel with all others
    count = -(-len(x) // _TILE)
    for rows, columns, distance in tracked("tiles", _tiles(x), count * (count + 1) // 2):
        kernel = _kernel(distance / typical)
        if rows == columns:
            np.fill_diagonal(kernel, 0.0)
        else:
            # Below the diagonal stands the same.
            reach[columns] += kernel.sum(0)
        reach[rows] += kernel.sum(1)
        times = 1 if rows == columns else 2
        here, there = belongs[:, rows].astype(float), belongs[:, columns].astype(float)
        within += times * np.einsum("si,si->s", here @ kernel, there)
    across = belongs @ reach - within
    other = reach.sum() - within - 2 * across
    return within / (m * (m - 1)) + other / (n * (n - 1)) - 2 * across / (m * n)


def _tiles(x: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Distances of all pairs, a tile at a time, none below the diagonal."""
    squares = (x**2).sum(1)
    parts = [slice(i, i + _TILE) for i in range(0, len(x), _TILE)]
    for number, rows in enumerate(parts):
        for columns in parts[number:]:
            distance = x[rows] @ x[columns].T
            distance *= -2
            distance += squares[rows, None]
            distance += squares[columns]
            yield rows, columns, np.sqrt(np.maximum(distance, 0.0, out=distance), out=distance)


def _median_distance(x: np.ndarray) -> float:
    """The median over all pairs."""

    def distances() -> Iterator[np.ndarray]:
        for rows, columns, distance in _tiles(x):
            if rows == columns:
                yield distance[np.triu_indices(len(distance), 1)]
            else:
                yield distance

    pairs = len(x) * (len(x) - 1) // 2
    return sum(ranked(distances, [(pairs - 1) // 2, pairs // 2])) / 2


def _kernel(ratio: np.ndarray) -> np.ndarray:
    """The summed kernels of distances, in units of the median."""
    ratio = ratio / BANDWIDTHS[-1]
    laplace = np.exp(-ratio)
    gauss = np.exp(-np.square(ratio) / 2)
    kernel = laplace + gauss
    for _ in BANDWIDTHS[1:]:
        # At half the bandwidth.
        laplace, gauss = np.square(laplace), np.square(np.square(gauss))
        kernel += laplace
        kernel += gauss
    return kernel / (2 * len(BANDWIDTHS))


_DRAWS = "draws: an ArviZ object, a dict of arrays (draw, ...), or one array"


def _matrix(name: str, data: Any, var_names: list[str] | None) -> np.ndarray:
    """All numbers of each draw side by side."""
    if hasattr(data, "dtype") or isinstance(data, (list, tuple)):
        draws = {name: data}
    elif isinstance(data, Mapping) or "posterior" in group_names(data):
        draws = flat_draws(data, var_names)
    else:
        raise SymmetryError(refusal("mmd", name, data, _DRAWS))
    columns = []
    for given in draws.values():
        x = real_array("mmd", name, given, _DRAWS, ndim=1).astype(float)
        columns.append(x.reshape(len(x), -1))
    return np.concatenate(columns, -1)
