"""The notebooks as pages, with their outputs where ``notebooks/execute.py`` has run.

A page says so where its outputs are those of a short run, as tests make it.
"""

from pathlib import Path

import jupytext
from nbformat.v4 import new_markdown_cell

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
#: Where ``notebooks/execute.py`` leaves what it has executed, from the root of the repository.
EXECUTED = HERE.parent / "out"
SHORT = (
    "The outputs on this page are those of a short run. Figures of more draws are better, and some "
    "pictures have more in them."
)


def bring(folder=HERE / "tutorials"):
    """Write a page for each notebook; one that changed since it was executed shows no outputs."""
    folder.mkdir(exist_ok=True)
    for source in sorted(NOTEBOOKS.glob("*.md")):
        done = EXECUTED / f"{source.stem}.ipynb"
        is_current = done.exists() and done.stat().st_mtime > source.stat().st_mtime
        notebook = jupytext.read(done if is_current else source)
        for cell in notebook.cells:
            if "outputs" in cell:
                cell.outputs = merged(cell.outputs)
        if notebook.metadata.get("short_run"):
            title, *rest = notebook.cells
            note = new_markdown_cell(f":::{{note}}\n{SHORT}\n:::")
            notebook.cells = [title, note, *rest]
        jupytext.write(notebook, folder / done.name)


def merged(outputs):
    """What was printed as one text, blank lines and all, as far as nothing else was shown."""
    together = []
    for output in outputs:
        last = together[-1] if together else {}
        if output.get("name") and output.get("name") == last.get("name"):
            last["text"] += output["text"]
        else:
            together.append(output)
    return together
