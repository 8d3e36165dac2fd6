"""Time and memory of the maximum mean discrepancy and its permutation test.

Each size in a process of its own: seconds of processor time on one thread, and by how much the
process grew.

python benchmarks/diagnostics_mmd.py [--quick]
"""

import os
import subprocess
import sys

from json_lines import say

CODE = """
import resource, sys, time
import numpy as np
from numpyro_sym.diagnostics import mmd

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

n = int(sys.argv[1])
x, y = np.random.default_rng(0).normal(size=(2, n, 10))
mmd(x[:50], y[:50])
before, start = peak(), time.process_time()
mmd(x, y)
print(time.process_time() - start, peak() - before, n)
"""


def measured(draws):
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CODE, str(draws)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread)
    seconds, grown, _ = map(float, done.stdout.split())
    return seconds, grown


if __name__ == "__main__":
    for draws in (500,) if "--quick" in sys.argv else (1000, 2000, 4000):
        seconds, grown = measured(draws)
        say(
            **{
                "draws": f"{draws} + {draws}",
                "seconds": seconds,
                "GB more": grown,
                "GB of one matrix of all pairs": (2 * draws) ** 2 * 8 / 1e9,
            }
        )
