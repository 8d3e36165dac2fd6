"""The notebooks as pages, with their outputs where ``notebooks/execute.py`` has run."""

from pathlib import Path

import jupytext

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
#: Where ``notebooks/execute.py`` leaves what it has executed, from the root of the repository.
EXECUTED = HERE.parent / "out"


def bring(folder=HERE / "tutorials"):
    """Write a page for each notebook; one that changed since it was executed shows no outputs."""
    folder.mkdir(exist_ok=True)
    for source in sorted(NOTEBOOKS.glob("*.md")):
        done = EXECUTED / f"{source.stem}.ipynb"
        is_current = done.exists() and done.stat().st_mtime > source.stat().st_mtime
        jupytext.write(jupytext.read(done if is_current else source), folder / done.name)
