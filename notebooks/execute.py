"""Execute every notebook in this folder; fail where a cell fails. ``CI=true`` makes them small."""

import argparse
import sys
from pathlib import Path

import jupytext
from nbclient import NotebookClient

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--output", default="out", help="folder for the executed .ipynb files")
folder = Path(parser.parse_args().output)
folder.mkdir(parents=True, exist_ok=True)
for path in sorted(Path(__file__).parent.glob("*.md")):
    print(f"executing {path.name}", flush=True)
    notebook = jupytext.read(path)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}).execute()
    jupytext.write(notebook, folder / f"{path.stem}.ipynb")
sys.exit(0)
