"""Mixtures of three components in 10, 100 and 1000 subjects: is planted switching undone, in time
linear in subjects?

One JSON line a number of subjects: medians of processor time of 1,000 draws on one thread, and the
distances and R-hats before and after; with the negative control, one permutation for all subjects.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import json
import sys
import time

import numpy as np
from numpyro.diagnostics import gelman_rubin

from numpyro_sym import Axis, Symmetry, Units
from numpyro_sym.alignment import align

CHAINS, DRAWS, COMPONENTS = 4, 250, 3


def switched(subjects, rng):
    """Draws of each subject's components, in another order in each chain and subject, and the true
    ones.
    """
    center = np.array([-4.0, 0.0, 4.0]) + rng.normal(size=(subjects, COMPONENTS))
    true = center + 0.3 * rng.normal(size=(CHAINS, DRAWS, subjects, COMPONENTS))
    order = rng.permuted(
        np.broadcast_to(np.arange(COMPONENTS), (CHAINS, 1, subjects, COMPONENTS)), axis=-1
    )
    return np.take_along_axis(true, order, -1)


def worst_rhat(mu):
    """The largest R-hat of all numbers."""
    return float(np.max(gelman_rubin(mu)))


def measured(subjects, repeats):
    """Figures of one number of subjects."""
    own = Symmetry([Units("component", COMPONENTS, batch=subjects, axes={"mu": Axis(1, batch=0)})])
    shared = Symmetry([Units("component", COMPONENTS, axes={"mu": 1})])
    draws = {"mu": switched(subjects, np.random.default_rng(0))}
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        r = align(draws, "first", own, sample_ndim=2, num_threads=1)
        seconds.append(time.process_time() - start)
    control = align(draws, "first", shared, sample_ndim=2, num_threads=1)
    return {
        "subjects": subjects,
        "seconds": round(float(np.median(seconds)), 4),
        "microseconds_per_draw_and_subject": round(
            1e6 * float(np.median(seconds)) / (CHAINS * DRAWS * subjects), 2
        ),
        "exact": bool(r.exact.all()),
        "rhat_raw": round(worst_rhat(draws["mu"]), 3),
        "rhat_aligned": round(worst_rhat(r.sites["mu"]), 4),
        "rhat_one_permutation_for_all": round(worst_rhat(control.sites["mu"]), 3),
    }


if __name__ == "__main__":
    for subjects in (10, 100) if "--quick" in sys.argv else (10, 100, 1000):
        print(json.dumps(measured(subjects, 5)), flush=True)
