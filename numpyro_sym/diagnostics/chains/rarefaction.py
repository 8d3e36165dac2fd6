"""How many functional modes the chains have left unseen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from ...symmetry import short_repr
from ...symmetry.arrays import real_array


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

    :param label: each chain's mode, as :func:`functional_modes` gives.
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
