"""Functional diversity: how much members of an ensemble differ in what they predict."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..symmetry.arrays import probabilities as as_probabilities


def mutual_information(probabilities: Any) -> np.ndarray:
    """Of every two members, the mutual information between which one predicts and the class.

    ``H((p + q) / 2) - (H(p) + H(q)) / 2`` in nats, on average over points: 0 where two members
    predict the same, ``log 2`` where they never share a class (Laurent, Aldea and Franchi 2024,
    arXiv 2310.08287). It does not depend on how members label their units.

    :param probabilities: class probabilities ``(member, point, class)``: draws, modes or chains.
    :returns: floats ``(member, member)``, zero on the diagonal.
    :raises SymmetryError: where they are no probabilities.

    >>> mutual_information([[[1.0, 0.0]], [[0.0, 1.0]]]).round(4).tolist()
    [[0.0, 0.6931], [0.6931, 0.0]]
    """
    p = as_probabilities(
        "mutual_information",
        "probabilities",
        probabilities,
        "class probabilities (member, point, class)",
        ndim=(3,),
    )
    own = _entropy(p)
    out = np.zeros((len(p), len(p)))
    # One member against all after it: memory stays that of the draws.
    for i in range(len(p) - 1):
        shared = _entropy((p[i] + p[i + 1 :]) / 2) - (own[i] + own[i + 1 :]) / 2
        out[i, i + 1 :] = shared.mean(-1)
    return np.maximum(out + out.T, 0.0)


def _entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(-1)
