"""Which chains sit in which functional mode, and how many modes the chains have left unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components
from scipy.special import gammaln

from ...symmetry import SymmetryError, Table, short_repr
from ...symmetry.arrays import real_array

#: Two bells of one width have two tops where they are farther apart than this many widths.
APART = 2.0
#: A chain whose quarters differ by more than this factor of spread has not settled.
SETTLED = 1.2
#: A quarter of a chain has at least two draws.
FEWEST = 8


class ChainModes(NamedTuple):
    """Chains grouped by what they predict; ``print`` it for a table.

    :param label: for each chain its mode; 0 is the mode of most chains, ties go to the first.
    :param separation: ``(chain, chain)``: how many standard deviations apart two chains are in the
        function that tells them apart best, among those in which both have settled.
    :param settled: for each chain, whether its quarters agree on every function.
    """

    label: np.ndarray
    separation: np.ndarray
    settled: np.ndarray

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def num_modes(self) -> int:
        """How many modes the chains are in."""
        return int(self.label.max()) + 1

    def __str__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table().to_html()

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame``, a row for each mode: its chains, and how many they are."""
        return self._table().to_dataframe()

    def _table(self) -> Table:
        rows: list[list[object]] = []
        for mode in range(self.num_modes):
            chains = np.flatnonzero(self.label == mode)
            rows.append([mode, ", ".join(map(str, chains)), len(chains)])
        return Table(("mode", "chains", "how many"), rows)


def chain_modes(functions: Any) -> ChainModes:
    """Group chains that predict the same.

    Two chains are in different modes where some function of each has settled (the quarters of the
    chain agree) and their means lie more than two standard deviations apart, so that the two
    together have two tops. A mode is a connected component of chains that are not apart.

    :param functions: invariant functions, such as predictions or log likelihoods: a Dataset, a
        mapping of arrays, or one array, of shape ``(chain, draw, ...)``. Weights will not do: align
        them first.
    :returns: a :class:`ChainModes`.
    :raises SymmetryError: where there are fewer than 8 draws a chain, or values that are not
        finite.

    >>> rng = np.random.default_rng(0)
    >>> f = rng.normal(size=(4, 100, 3))
    >>> f[3] += 10
    >>> chain_modes(f).label.tolist()
    [0, 0, 0, 1]
    """
    x = _flat(functions)
    chains, draws, _ = x.shape
    if draws < FEWEST:
        raise SymmetryError(
            f"chain_modes: {draws} draws a chain are too few; expected at least {FEWEST}."
        )
    if not np.isfinite(x).all():
        raise SymmetryError(
            "chain_modes: the functions hold NaN or infinite values. Leave them out."
        )
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
    _, first, sizes = np.unique(component, return_index=True, return_counts=True)
    ranked = np.lexsort((first, -sizes))
    # The mode of most chains has number 0.
    return ChainModes(np.argsort(ranked)[component], distance, np.asarray(settled.all(-1)))


class ModesSeen(NamedTuple):
    """How many functional modes so many chains see.

    :param expected: ``expected[r - 1]``: different modes among ``r`` of the chains, drawn at
        random.
    :param unseen: estimated probability that the next chain finds a mode that none has seen.
    """

    expected: np.ndarray
    unseen: float

    def __repr__(self) -> str:
        return short_repr(self)


def modes_seen(label: ArrayLike) -> ModesSeen:
    """Did more chains find more modes, and would the next one?

    Rarefaction (Hurlbert 1971), exact over the choice of chains; and the estimate of Good and
    Turing: the share of modes that one chain alone has seen.

    :param label: each chain's mode, as :func:`chain_modes` gives.
    :returns: a :class:`ModesSeen`.

    >>> seen = modes_seen([0, 0, 0, 1])
    >>> seen.expected.tolist(), seen.unseen
    ([1.0, 1.5, 1.75, 2.0], 0.25)
    """
    given = real_array("modes_seen", "label", label, "ints (chain,)", ndim=(1,))
    _, counts = np.unique(given, return_counts=True)
    total = counts.sum()
    r = np.arange(1, total + 1)[:, None]  # (number of chains, mode)
    rest = total - counts
    possible = rest >= r
    log_missed = gammaln(rest + 1) - gammaln(np.where(possible, rest - r, 0) + 1)
    log_missed = log_missed - gammaln(total + 1) + gammaln(total - r + 1)
    missed = np.where(possible, np.exp(log_missed), 0.0)
    return ModesSeen((1 - missed).sum(-1).round(12), float((counts == 1).sum() / total))


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


def _flat(functions: Any) -> np.ndarray:
    """All functions side by side, ``(chain, draw, function)``."""
    if isinstance(functions, xr.Dataset):
        functions = {str(n): x.transpose("chain", "draw", ...).values for n, x in functions.items()}
    given = list(functions.values()) if isinstance(functions, Mapping) else [functions]
    arrays = []
    for x in given:
        a = real_array("chain_modes", "functions", x, _EXPECTED, ndim=2, infinite=True)
        arrays.append(a.astype(float))
    shapes = [a.shape for a in arrays]
    if len({shape[:2] for shape in shapes}) != 1:
        raise SymmetryError(f"chain_modes: functions must be {_EXPECTED}; got shapes {shapes}.")
    return np.concatenate([a.reshape(*a.shape[:2], -1) for a in arrays], -1)


_EXPECTED = "a Dataset, a dict of arrays or one array, of shape (chain, draw, ...)"
