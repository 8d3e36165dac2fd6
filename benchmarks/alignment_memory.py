"""Posteriors through dask: is memory flat in the number of draws, and do two workers help?

Each measurement is a process of its own: its peak memory, and the wall time of two workers against
one.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import json
import resource
import subprocess
import sys
import time

import dask
import dask.array as da
import numpy as np
from alignment_networks import dense

from numpyro_sym.alignment import align_chunked
from numpyro_sym.symmetry import text_table

CHUNK = 500


def measured(draws, scheduler, workers):
    """Align draws that never exist all at once, and add them up."""
    sym, shapes = dense(5, [30, 30], 1)
    rng = np.random.default_rng(0)
    reference = {site: rng.normal(size=shape) for site, shape in shapes.items()}
    random = da.random.default_rng(0)
    sites = {
        site: r + 0.5 * random.standard_normal((draws, *r.shape), chunks=(CHUNK, *r.shape))
        for site, r in reference.items()
    }
    found = align_chunked(sites, reference, sym)
    with dask.config.set(scheduler=scheduler, num_workers=workers):
        start = time.perf_counter()
        dask.compute({site: x.mean(0) for site, x in found.sites.items()}, found.distance.max())
        taken = time.perf_counter() - start
    gigabytes = sum(x.nbytes for x in sites.values()) / 1e9
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": taken, "peak": peak, "gigabytes": gigabytes}))


def child(*args):
    done = subprocess.run(
        [sys.executable, __file__, *map(str, args)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measured(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
        raise SystemExit
    quick = "--quick" in sys.argv
    few, many = (1_000, 10_000) if quick else (1_000, 100_000)
    small, large = child(few, "threads", 1), child(many, "threads", 1)
    rows = [[n, m["gigabytes"], m["peak"], m["seconds"]] for n, m in ((few, small), (many, large))]
    print(text_table(["draws", "GB of draws", "peak GB of the process", "seconds"], rows))
    print(
        f"peak memory grows {large['peak'] / small['peak']:.2f} times from {few} to {many} draws\n"
    )
    rows = []
    for scheduler in ("threads", "processes"):
        one, two = (
            min(child(many // 5, scheduler, w)["seconds"] for _ in range(3)) for w in (1, 2)
        )
        rows.append([scheduler, one, two, one / two])
    print(text_table([f"{many // 5} draws by", "one worker s", "two workers s", "ratio"], rows))
    print(
        f"load of the machine when this was done: {os.getloadavg()[0]:.1f} on {os.cpu_count()} "
        "processors"
    )
