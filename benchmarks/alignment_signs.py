"""Ten signed factors: one assignment against the enumeration of all signs."""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import sys
import time
from itertools import product

import numpy as np
from scipy.optimize import linear_sum_assignment

from numpyro_sym import factor_model
from numpyro_sym.alignment import align


def enumerated(x, reference, signs):
    """The least squared distance over signs and permutations: an assignment for each choice of
    signs.
    """
    gain = reference.T @ x
    constant = np.square(x).sum() + np.square(reference).sum()
    best = -np.inf
    for s in signs:
        rows, columns = linear_sum_assignment(gain * s, maximize=True)
        best = max(best, (gain * s)[rows, columns].sum())
    return np.sqrt(constant - 2 * best)


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    q, variables, batch, checked = 10, 20, 400 if quick else 4000, 4 if quick else 40
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(variables, q))
    draws = rng.normal(size=(batch, variables, q))
    sym = factor_model(q, loadings={"L": 1})
    signs = np.array(list(product((-1.0, 1.0), repeat=q)))
    start = time.perf_counter()
    theirs = np.array([enumerated(x, reference, signs) for x in draws[:checked]])
    slow = (time.perf_counter() - start) / checked * batch
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        r = align({"L": draws}, {"L": reference}, sym, num_threads=1)
        taken.append(time.perf_counter() - start)
    fast = float(np.median(taken))
    print(
        f"{batch} draws, {q} signed factors: {fast:.3f} s; enumeration {slow:.1f} s ({checked} "
        "draws timed)"
    )
    print(
        f"ratio {slow / fast:.0f}; largest difference of the distance "
        f"{np.abs(r.distance[:checked] - theirs).max():.1e}"
    )
