"""What `import numpyro_sym` takes after `import numpyro`.

Processor time in fresh processes that find compiled bytecode; medians.

python benchmarks/import_time.py
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
from json_lines import say

CODE = """
import time
start = time.process_time()
import numpyro
between = time.process_time()
import numpyro_sym
print(between - start, time.process_time() - between)
"""

if __name__ == "__main__":
    taken = []
    with tempfile.TemporaryDirectory() as bytecode:
        own = {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(6):
            done = subprocess.run(
                [sys.executable, "-c", CODE],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, **own},
            )
            taken.append(list(map(float, done.stdout.split())))
    theirs, ours = np.median(taken[1:], 0)  # the first writes the bytecode
    say(**{"numpyro, s": theirs, "numpyro_sym, s more": ours, "ratio": ours / theirs})
