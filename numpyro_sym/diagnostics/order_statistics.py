"""Order statistics of more numbers than are kept at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

# Bits that one pass settles.
_DIGIT = 16


def ranked(passes: Callable[[], Iterable[np.ndarray]], ranks: Sequence[int]) -> list[float]:
    """The numbers of some ranks, from 0 on, among many that are made anew in every pass.

    Radix selection: numbers that are not negative have the order of their bits, so four passes that
    count digits of 16 bits find each exactly, however many there are.

    :param passes: yields all the numbers: floats of any shapes, none negative.
    :returns: one number for each rank.

    >>> ranked(lambda: [np.array([3.0, 1.0]), np.array([0.5])], [0, 1])
    [0.5, 1.0]
    """
    ranks = list(ranks)
    # The leading digits of each.
    leading = [0] * len(ranks)
    for shift in range(64 - _DIGIT, -1, -_DIGIT):
        counts = {digits: np.zeros(1 << _DIGIT, int) for digits in leading}
        for some in passes():
            bits = np.ravel(np.asarray(some, np.float64)).view(np.uint64) >> np.uint64(shift)
            for digits, count in counts.items():
                own = bits[bits >> np.uint64(_DIGIT) == digits] & np.uint64((1 << _DIGIT) - 1)
                count += np.bincount(own.astype(int), minlength=1 << _DIGIT)
        for i, digits in enumerate(leading):
            upto = np.cumsum(counts[digits])
            digit = int(np.searchsorted(upto, ranks[i], "right"))
            # The rank among those with the same leading digits.
            ranks[i] -= int(upto[digit] - counts[digits][digit])
            leading[i] = digits << _DIGIT | digit
    return np.array(leading, np.uint64).view(np.float64).tolist()
