"""How alike two sets of class probabilities are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..symmetry import SymmetryError
from ..symmetry.arrays import probabilities


def agreement(first: Any, second: Any) -> float:
    """The share of points to which two predictions give the same most probable class.

    :param first: class probabilities ``(point, class)``, or of draws ``(draw, point, class)``,
        which are averaged.
    :param second: likewise.
    :returns: a number between 0 and 1.
    :raises SymmetryError: where they are no probabilities, or of other points or classes.

    >>> agreement([[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.7, 0.3]])
    0.5
    """
    p, q = _averaged("agreement", first, second)
    return float((p.argmax(-1) == q.argmax(-1)).mean())


def total_variation(first: Any, second: Any) -> float:
    """Half the sum of absolute differences of class probabilities, on average over points.

    :param first: as for :func:`agreement`.
    :param second: likewise.
    :returns: 0 for the same predictions, 1 where none shares a class.
    :raises SymmetryError: as :func:`agreement`.

    >>> total_variation([[1.0, 0.0]], [[0.25, 0.75]])
    0.75
    """
    p, q = _averaged("total_variation", first, second)
    return float(np.abs(p - q).sum(-1).mean() / 2)


def _averaged(who: str, *predictions: Any) -> tuple[np.ndarray, ...]:
    """Probabilities ``(point, class)`` of each, averaged over draws."""
    expected = "class probabilities (point, class) or (draw, point, class)"
    out = []
    for name, given in zip(("first", "second"), predictions, strict=True):
        p = probabilities(who, name, given, expected, ndim=(2, 3))
        out.append(p.mean(0) if p.ndim == 3 else p)
    if out[0].shape != out[1].shape:
        raise SymmetryError(
            f"{who}: predictions of shapes {out[0].shape} and {out[1].shape} cannot be compared."
        )
    return tuple(out)
