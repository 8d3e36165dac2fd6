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
from alignment_plain import squared_distance, weight_matching

from numpyro_sym.alignment import align
from numpyro_sym.symmetry import text_table


def seconds(work, repeats, clock=time.process_time):
    """Median and least seconds, of processor time unless told otherwise."""
    taken = []
    for _ in range(repeats):
        start = clock()
        work()
        taken.append(clock() - start)
    return float(np.median(taken)), min(taken)


def as_type(dtype, reference, points):
    return tuple(
        {s: np.ascontiguousarray(x, dtype) for s, x in sites.items()}
        for sites in (reference, points)
    )


def many(batch, repeats, dtype):
    """Many draws of a small network; float32 is what NumPyro draws by default."""
    network = dense(13, [50, 50], 1)
    rows = []
    for label, noise, starts in (
        ("near", 0.7, None),
        ("unrelated, the plain algorithm's descent", None, ("identity",)),
        ("unrelated, layer by layer", None, ("forward",)),
        ("unrelated, default", None, None),
    ):
        reference, points = as_type(dtype, *draws(network, batch, noise, 0)[:2])
        wires, few = wiring(network[0]), max(1, batch // 20)
        pairs = [{s: x[i] for s, x in points.items()} for i in range(few)]

        def plain(pairs=pairs, reference=reference, wires=wires):
            return [weight_matching(point, reference, wires) for point in pairs]

        def ours(threads=1, points=points, reference=reference, starts=starts):
            return align(points, reference, network[0], starts=starts, num_threads=threads)

        per_pair, _ = seconds(plain, 3)
        theirs = per_pair / few * batch
        median, least = seconds(ours, repeats)
        wall = seconds(lambda ours=ours: ours(os.cpu_count()), 3, time.perf_counter)[0]
        plain_wall = seconds(plain, 3, time.perf_counter)[0] / few * batch
        found = [
            squared_distance(*each) ** 0.5
            for each in zip(pairs, [reference] * few, [wires] * few, plain(), strict=True)
        ]
        farther = int(
            (ours().distance[:few] > np.array(found) * (1 + 100 * np.finfo(dtype).eps)).sum()
        )
        mean = float(ours().distance[:few].mean())
        rows.append(
            [
                label,
                median,
                least,
                theirs,
                theirs / median,
                plain_wall / wall,
                mean,
                float(np.mean(found)),
                farther,
            ]
        )
    head = [
        "median s",
        "least s",
        "plain s",
        "ratio",
        f"wall ratio, {os.cpu_count()} threads",
        "mean distance",
        "plain's",
        "farther",
    ]
    print(text_table([f"13-50-50-1, {batch} draws of {dtype}, one thread", *head], rows))
    print(
        f"the plain algorithm was timed on {few} pairs; load of the machine "
        f"{os.getloadavg()[0]:.1f}\n"
    )


def large(repeats, dtype):
    """One near pair of a large network against the matrix products of one visit to every layer."""
    network = dense(784, [512, 512, 512], 10)
    reference, points, planted = draws(network, 1, 0.3, 0)
    reference, points = as_type(dtype, reference, points)
    r = align(points, reference, network[0])
    assert r.distance[0] <= planted[0] * (1 + 1e-5)
    point = {s: x[0] for s, x in points.items()}

    def products():
        for i in range(3):
            reference[f"w{i}"].T @ point[f"w{i}"]
            reference[f"w{i + 1}"] @ point[f"w{i + 1}"].T

    ours, _ = seconds(lambda: align(points, reference, network[0], num_threads=1), repeats)
    theirs, _ = seconds(products, repeats)
    plain, _ = seconds(lambda: weight_matching(point, reference, wiring(network[0])), 3)
    print(
        text_table(
            [f"784-512-512-512-10, {dtype}", "seconds"],
            [["align", ours], ["its products", theirs], ["plain", plain]],
        )
    )
    print(
        f"{ours / theirs:.2f} times its products; the plain algorithm takes {plain / ours:.1f} "
        "times as long"
    )


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for dtype in ("float32", "float64"):
        many(400 if quick else 4000, 3 if quick else 5, dtype)
        large(3 if quick else 9, dtype)
