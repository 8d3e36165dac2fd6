"""What a benchmark says: one JSON line a row, with versions and the machine's load.

    python benchmarks/alignment_speed.py > benchmarks/results/alignment_speed.jsonl
    python benchmarks/write_performance.py

puts the rows into docs/performance.md, where rows of the same columns make one table.
"""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version

#: Where a row was measured; the page says it below the table.
WHERE = ("python", "numpyro_sym", "numpyro", "jax", "numpy", "cores", "load")


def say(**figures):
    """Print one row: column -> text or number, in the columns' order."""
    print(json.dumps({**figures, **measured_where()}), flush=True)


def told_where(rows):
    """Versions, and the least and largest load of the machine, as a page says them."""
    told = []
    for name in WHERE:
        found = sorted({row[name] for row in rows if name in row})
        if found:
            ends = dict.fromkeys((found[0], found[-1]))
            told.append(f"{name} {' to '.join(map(str, ends))}")
    return ", ".join(told) + ".\n"


def measured_where():
    """The columns of ``WHERE``."""
    where = {"python": platform.python_version()}
    where |= {name: version(name) for name in ("numpyro_sym", "numpyro", "jax", "numpy")}
    return where | {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
