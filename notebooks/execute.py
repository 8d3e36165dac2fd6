"""Execute every notebook in this folder; report each that fails. ``CI=true`` makes them small."""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).parent
MINUTES = 10  # for a cell
#: What a notebook needs besides the tests' own packages (extra interop).
NEEDS = {"blackjax": ("blackjax",), "pymc": ("pymc",)}


def execute(path: Path, folder: Path) -> str | None:
    """Run a notebook, write what it shows as far as it came, and say what went wrong, if anything."""
    began = time.monotonic()
    notebook = jupytext.read(path)
    here = {"metadata": {"path": HERE}}
    client = NotebookClient(notebook, timeout=60 * MINUTES, kernel_name="python3", resources=here)
    try:
        client.execute()
        failure = None
    except Exception as error:  # of one notebook: the others are to be executed all the same
        failure = str(error) if isinstance(error, CellExecutionError) else repr(error)
    notebook.metadata["short_run"] = "CI" in os.environ and "CI" in path.read_text()
    jupytext.write(notebook, folder / f"{path.stem}.ipynb")
    word = "failed" if failure else "passed"
    print(f"{word} {path.name} in {time.monotonic() - began:.0f} s", flush=True)
    return failure


def _missing(path: Path) -> str:
    """A package that a notebook needs and that is not there."""
    return next((name for name in NEEDS.get(path.stem, ()) if find_spec(name) is None), "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="out", help="folder for the executed .ipynb files")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time, each a process")
    parser.add_argument("names", nargs="*", help="which, by their names without .md; all")
    given = parser.parse_args()
    folder = Path(given.output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # What one notebook has compiled is not compiled again by the next.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # Pages have no widgets and no progress bars, and need none.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")

    paths = [HERE / f"{name}.md" for name in given.names] or sorted(HERE.glob("*.md"))
    for path in [path for path in paths if _missing(path)]:
        print(f"skipped {path.name}: {_missing(path)} is not installed (extra interop)", flush=True)
        paths.remove(path)
    paths.sort(key=lambda path: -path.stat().st_size)  # the longest first
    versions = f"ArviZ {version('arviz')}, JAX {version('jax')}"
    print(f"Python {sys.version.split()[0]}, {versions}", flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        failures = list(pool.map(lambda path: execute(path, folder), paths))
    failed = {path: failure for path, failure in zip(paths, failures, strict=True) if failure}
    for path, failure in failed.items():
        print(f"\n== {path.name} ==\n{failure}", file=sys.stderr)
    print(f"{len(paths) - len(failed)} of {len(paths)} notebooks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
