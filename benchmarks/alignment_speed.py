"""4000 draws of a 13-50-50-1 network, and one pair of a large one, against one pair at a time.

Both sides run in this process on one thread; medians of its processor time, and their ratio.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import sys
import time

import numpy as np
from alignment_networks import dense, draws, wiring
from alignment_plain import weight_matching

from numpyro_sym.alignment import align
from numpyro_sym.symmetry import text_table


def seconds(work, repeats):
    """Median and least seconds of processor time."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return float(np.median(taken)), min(taken)


def many(batch, repeats):
    """Many draws of a small network."""
    network = dense(13, [50, 50], 1)
    rows = []
    for label, noise, starts in (
        ("near", 0.7, None),
        ("unrelated, one start", None, ("forward",)),
        ("unrelated, with annealing", None, None),
    ):
        reference, points, _ = draws(network, batch, noise, 0)
        wires, few = wiring(network[0]), max(1, batch // 20)

        def plain(points=points, reference=reference, wires=wires, few=few):
            for i in range(few):
                weight_matching({s: x[i] for s, x in points.items()}, reference, wires)

        per_pair, _ = seconds(plain, 3)
        median, least = seconds(
            lambda p=points, r=reference, s=starts: align(p, r, network[0], starts=s, num_threads=1), repeats
        )
        theirs = per_pair / few * batch
        rows.append([label, batch, median, least, theirs, theirs / median])
    print(text_table(["13-50-50-1", "draws", "median s", "least s", f"plain s ({few} pairs timed)", "ratio"], rows))


def large(repeats):
    """One near pair of a large network against the matrix products of one visit to every layer."""
    network = dense(784, [512, 512, 512], 10)
    reference, points, planted = draws(network, 1, 0.3, 0)
    r = align(points, reference, network[0])
    assert r.distance[0] <= planted[0] * (1 + 1e-9)
    point = {s: x[0] for s, x in points.items()}

    def products():
        for i in range(3):
            reference[f"w{i}"].T @ point[f"w{i}"]
            reference[f"w{i + 1}"] @ point[f"w{i + 1}"].T

    ours, _ = seconds(lambda: align(points, reference, network[0], num_threads=1), repeats)
    theirs, _ = seconds(products, repeats)
    plain, _ = seconds(lambda: weight_matching(point, reference, wiring(network[0])), 3)
    print(text_table(["784-512-512-512-10", "seconds"], [["align", ours], ["its products", theirs], ["plain", plain]]))
    print(f"{ours / theirs:.2f} times its products; the plain algorithm takes {plain / ours:.1f} times as long")


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    many(400 if quick else 4000, 3 if quick else 5)
    large(3 if quick else 9)
