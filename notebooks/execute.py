"""Execute every notebook in this folder; fail where a cell fails. ``CI=true`` makes them small."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
from nbclient import NotebookClient

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--output", default="out", help="folder for the executed .ipynb files")
folder = Path(parser.parse_args().output)
folder.mkdir(parents=True, exist_ok=True)


def execute(path: Path) -> None:
    print(f"executing {path.name}", flush=True)
    notebook = jupytext.read(path)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}).execute()
    jupytext.write(notebook, folder / f"{path.stem}.ipynb")


with ThreadPoolExecutor(2) as pool:  # each notebook is a process of its own
    largest_first = sorted(Path(__file__).parent.glob("*.md"), key=lambda path: -path.stat().st_size)
    list(pool.map(execute, largest_first))
