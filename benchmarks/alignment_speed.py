"""4000 draws of a 13-50-50-1 network, and one pair of a large one, against one pair at a time.

Both sides run in this process on one thread; medians of its processor time, and their ratio. The
plain algorithm is weight matching for one pair after the other in NumPy and SciPy, written without
detours; it is timed on some of the pairs.

python benchmarks/alignment_speed.py [--quick]
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
from json_lines import say

from numpyro_sym.alignment import align


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
        median, _ = seconds(ours, repeats)
        wall = seconds(lambda ours=ours: ours(os.cpu_count()), 3, time.perf_counter)[0]
        plain_wall = seconds(plain, 3, time.perf_counter)[0] / few * batch
        plain_distance = np.array(
            [
                squared_distance(*each) ** 0.5
                for each in zip(pairs, [reference] * few, [wires] * few, plain(), strict=True)
            ]
        )
        distance = ours().distance[:few]
        farther = distance > plain_distance * (1 + 100 * np.finfo(dtype).eps)
        say(
            **{
                f"13-50-50-1, {batch} draws": label,
                "dtype": dtype,
                "seconds": median,
                "the plain algorithm's": theirs,
                "ratio": theirs / median,
                f"ratio by the clock, {os.cpu_count()} threads": plain_wall / wall,
                "mean distance": float(distance.mean()),
                "the plain algorithm's mean": float(plain_distance.mean()),
                f"farther, of {few}": int(farther.sum()),
            }
        )


def large(repeats, dtype):
    """One pair of a large network, and the matrix products of one visit to every layer."""
    network = dense(784, [512, 512, 512], 10)
    for label, noise, starts in (
        ("near", 0.3, None),
        ("unrelated, default", None, None),
        ("unrelated, annealed", None, ("annealed",)),
    ):
        reference, points, planted = draws(network, 1, noise, 0)
        reference, points = as_type(dtype, reference, points)
        point = {s: x[0] for s, x in points.items()}
        wires = wiring(network[0])
        found = align(points, reference, network[0], starts=starts)
        assert noise is None or found.distance[0] <= planted[0] * (1 + 1e-5)

        def ours(points=points, reference=reference, starts=starts):
            return align(points, reference, network[0], starts=starts, num_threads=1)

        def products(point=point, reference=reference):
            for i in range(3):
                reference[f"w{i}"].T @ point[f"w{i}"]
                reference[f"w{i + 1}"] @ point[f"w{i + 1}"].T

        def plain(point=point, reference=reference, wires=wires):
            return weight_matching(point, reference, wires)

        median = seconds(ours, repeats)[0]
        theirs = seconds(plain, 3)[0]
        say(
            **{
                "784-512-512-512-10, one pair": label,
                "dtype": dtype,
                "seconds": median,
                "times its matrix products": median / seconds(products, repeats)[0],
                "the plain algorithm's": theirs,
                "ratio": theirs / median,
                "distance": float(found.distance[0]),
                "the plain algorithm's distance": float(
                    squared_distance(point, reference, wires, plain()) ** 0.5
                ),
            }
        )


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for dtype in ("float32", "float64"):
        many(400 if quick else 4000, 3, dtype)
    for dtype in ("float32", "float64"):
        large(3 if quick else 5, dtype)
