"""Random programs against the claims made of them: how many claims, and how many are false.

    python benchmarks/discovery_fuzz.py [programs=10000] [first seed=0] [--check]

Prints every false claim with the seed of its program, and a table of kinds and verdicts. With
``--check`` every claim, and some axes at random, goes through ``Symmetry.check`` of the program as
a model: it must pass what holds and refuse what does not.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jax

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "discovery"))

from fuzzing import check_faults, claims, claims_of_batches


def claimed(seed: int) -> Iterator[tuple[str, str, bool]]:
    """For each claim: what it is, the verdict, and whether that is a fault."""
    for units, verdict in claims(seed):
        yield units.kind if units.n > 1 else "one sign", verdict, verdict == "false"
    for units, verdict in claims_of_batches(seed):
        yield f"{units.kind}, batch", verdict, verdict == "false"


def checked(seed: int) -> Iterator[tuple[str, str, bool]]:
    """For each claim and guess: what the check says, the verdict, and whether the two disagree."""
    for _, said, verdict in check_faults(seed):
        yield said, verdict, (said, verdict) in {("refused", "holds"), ("passed", "false")}


if __name__ == "__main__":
    if "--help" in sys.argv:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    numbers = [int(x) for x in sys.argv[1:] if x.isdigit()]
    count, first = (*numbers, *(10_000, 0)[len(numbers) :])
    look = checked if "--check" in sys.argv else claimed
    seen: Counter[tuple[str, str]] = Counter()
    faults = 0
    start = time.perf_counter()
    with jax.enable_x64(True):
        for seed in range(first, first + count):
            for what, verdict, fault in look(seed):
                seen[what, verdict] += 1
                if fault:
                    faults += 1
                    print(f"FAULT: seed {seed}, {what}, {verdict}", flush=True)
            if seed % 100 == 99:
                jax.clear_caches()
                print(
                    f"{seed + 1 - first} programs, {seen.total()} claims, {faults} faults",
                    flush=True,
                )
    print(f"{'':20s} {'':18s} {'claims':>8s}")
    for (what, verdict), number in sorted(seen.items()):
        print(f"{what:20s} {verdict:18s} {number:8d}")
    print(
        f"{count} programs in {time.perf_counter() - start:.0f} s, {time.process_time():.0f} s of "
        "the processor"
    )
