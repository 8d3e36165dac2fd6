"""How heavy the tails of a function of the draws are."""

from __future__ import annotations

import numpy as np

#: With a tail index of 1/2 a variance, with 1 a mean does not exist (limit: Vehtari et al. 2024).
HEAVY = 0.7
#: So large a share of the draws is a tail: the smaller one sees tails that few draws are in.
_SHARES = (0.05, 0.01)
#: A tail of fewer effective draws says nothing.
_FEWEST = 20


def tail_index(x: np.ndarray, effective: float | None = None) -> float:
    """Hill's estimate (1975) from the outermost distances to the median, the larger of two.

    About .3 for Gaussian and exponential tails, 1/2 for a Student t of 2, 1 for a Cauchy.

    :param x: numbers, of any shape.
    :param effective: how many independent ones they are worth; by default all.
    :returns: the index; 0 where there are too few numbers to tell.

    >>> bool(tail_index(np.random.default_rng(0).normal(size=4000)) < 0.4)
    True
    >>> bool(tail_index(np.random.default_rng(0).standard_cauchy(size=4000)) > 0.8)
    True
    """
    away = np.sort(np.abs(np.ravel(x) - np.median(x)))
    worth = min(1.0, (effective or away.size) / away.size)
    found = [0.0]
    for share in _SHARES:
        count = int(share * away.size)
        if count * worth >= _FEWEST and away[-count - 1] > 0:
            found.append(float(np.mean(np.log(away[-count:] / away[-count - 1]))))
    return max(found)
