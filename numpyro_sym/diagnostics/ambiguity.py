"""How sure an alignment is of the element that it chose."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit


def doubt(distance: Any, gap: Any, size: int) -> np.ndarray:
    """The chance that each draw belongs to the runner-up: the least harmful other exchange or sign.

    If draws lie around the reference with one variance ``v`` in every coordinate, the two elements'
    log likelihoods differ by ``((distance + gap)**2 - distance**2) / (2 v)``, with ``v`` estimated
    from all draws. Near 0: no doubt; 1/2: units are exchanged freely, and single units mean
    nothing.

    :param distance: of aligned draws to the reference, any shape.
    :param gap: how much farther the runner-up is, likewise.
    :param size: how many coordinates were compared.
    :returns: numbers between 0 and 1/2 of that shape.

    >>> doubt(np.array([1.0, 1.0]), np.array([0.0, 9.0]), 1).round(3).tolist()
    [0.5, 0.0]
    """
    distance, gap = np.asarray(distance, float), np.asarray(gap, float)
    variance = np.mean(distance**2) / size
    excess = gap * (2 * distance + gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(excess == 0, 0.0, excess / (2 * variance))
    return expit(-ratio)
