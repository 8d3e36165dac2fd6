"""Random programs against the claims made of them: how many claims, and how many are false.

    python benchmarks/discovery_fuzz.py [programs=10000] [first seed=0]

Prints every false claim with the seed of its program, and a table by kind.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import jax

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "discovery"))

from fuzzing import claims

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    made: Counter[str] = Counter()
    false: Counter[str] = Counter()
    start = time.perf_counter()
    with jax.enable_x64(True):
        for seed in range(first, first + count):
            for units, good in claims(seed):
                kind = units.kind if units.n > 1 else "one sign"
                made[kind] += 1
                if not good:
                    false[kind] += 1
                    print(f"FALSE: seed {seed}, {units}", flush=True)
            if seed % 100 == 99:
                jax.clear_caches()
                print(f"{seed + 1 - first} programs, {made.total()} claims, {false.total()} false", flush=True)
    print(f"{'kind':12s} {'claims':>8s} {'false':>6s}")
    for kind in sorted(made):
        print(f"{kind:12s} {made[kind]:8d} {false[kind]:6d}")
    print(f"{count} programs in {time.perf_counter() - start:.0f} s")
