"""Varimax of 1,000 draws of noisy loadings, against R's algorithm one draw after the other.

Both sides run in this process on one thread: medians of processor time, and their ratio. R's
``stats::varimax`` is the iteration of singular values below, to its own tolerance of 1e-5, which is
looser than ours; here it is written plainly in NumPy.

python benchmarks/alignment_rotation.py [--quick]
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import sys
import time

import numpy as np
from json_lines import say

from numpyro_sym.alignment import varimax

#: variables, factors, and the noise's standard deviation beside loadings of .5 to 1
CASES = ((20, 3, 0.3), (24, 8, 0.5), (40, 8, 1.0), (30, 10, 0.5), (30, 10, 2.0))


def noisy_loadings(draws, variables, factors, noise):
    """Loadings of simple structure and noise, each draw rotated at random."""
    rng = np.random.default_rng(0)
    simple = np.zeros((variables, factors))
    rows = np.arange(variables)
    simple[rows, rows % factors] = rng.uniform(0.5, 1, variables)
    x = simple + noise * rng.normal(size=(draws, variables, factors))
    return x @ np.linalg.qr(rng.normal(size=(draws, factors, factors)))[0]


def by_singular_values(x, tolerance=1e-5):
    """The rotation to which the polar factor of the criterion's gradient leads, again and again."""
    rotation, before = np.eye(x.shape[1]), 0.0
    for _ in range(1000):
        z = x @ rotation
        gradient = x.T @ (z**3 - z * (z**2).mean(0))
        u, s, vt = np.linalg.svd(gradient)
        rotation = u @ vt
        if s.sum() < before * (1 + tolerance):
            break
        before = s.sum()
    return rotation


def criterion(x):
    return np.square(x).var(-2).sum(-1)


def seconds(work, repeats):
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return float(np.median(taken))


def measured(draws, variables, factors, noise, repeats):
    x = noisy_loadings(draws, variables, factors, noise)
    ours, theirs = varimax(x), np.stack([by_singular_values(one) for one in x])
    ratio = criterion(x @ ours) / criterion(x @ theirs)
    mine = seconds(lambda: varimax(x), repeats)
    plain = seconds(lambda: [by_singular_values(one) for one in x], repeats)
    return {
        "draws": draws,
        "variables": variables,
        "factors": factors,
        "noise": noise,
        "seconds": mine,
        "R's algorithm": plain,
        "ratio": plain / mine,
        "criterion over R's": round(float(ratio.mean()), 5),
    }


if __name__ == "__main__":
    draws, repeats = (100, 1) if "--quick" in sys.argv else (1000, 3)
    for case in CASES:
        say(**measured(draws, *case, repeats))
