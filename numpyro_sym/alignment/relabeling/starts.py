"""Where relabeling by turns begins: pivots of many kinds, compared with a few of the draws."""

from __future__ import annotations

import numpy as np

from .probabilities import by_label, mean_relabeled
from .result import cheapest
from .rounds import Turns, descend

#: Entries ``(draw, observation, label)`` and assignments' entries ``(draw, label, label)`` with
#: which starts are compared, at most; how many draws these are at least; and how many are starts.
_ENTRIES, _ASSIGNED, _LEAST, _DRAWS = 2**23, 2**19, 16, 4


def few_of(draws: int, observations: int, n: int) -> np.ndarray:
    """Evenly spread draws with which starts are compared: their rows, the first among them. All of
    them, where that is soon done.
    """
    few = max(min(_ENTRIES // (observations * n), _ASSIGNED // n**2), _LEAST)
    return np.linspace(0, draws - 1, min(few, draws)).astype(int)


def spread_starts(few: np.ndarray, means: list[np.ndarray]) -> list[np.ndarray]:
    """The first draw, the means, and other evenly spread draws."""
    rows = np.unique(np.linspace(0, len(few) - 1, min(_DRAWS, len(few))).astype(int))
    first, *others = few[rows]
    return [first, *means, *others]


def mean_starts(p: np.ndarray) -> list[np.ndarray]:
    """Means of probabilities ``(draw, observation, label)``: as they came, and of aligned draws.

    As they came is where the algorithms of Papastamoulis 2016 (R's label.switching) begin.
    """
    own = by_label(p)  # (draw, label, observation)

    def match(mean: np.ndarray) -> tuple[np.ndarray, float]:
        return cheapest(-(own @ mean).swapaxes(-1, -2))

    def renew(permutation: np.ndarray, _mean: np.ndarray) -> np.ndarray:
        return mean_relabeled(own, permutation)

    aligned = descend(Turns(match, renew, least_fall=1e-4), p[0].astype(float))
    return [p.mean(0, dtype=float), aligned.pivot]


def one_hot(labels: np.ndarray, n: int) -> np.ndarray:
    """Labels ``(draw, observation)`` as probabilities."""
    return (labels[..., None] == np.arange(n)).astype(np.float32)
