"""Tutorials show what notebooks printed, and say where that was a short run."""

import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("jupytext")
sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
import jupytext
import tutorials
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def test_what_was_printed_in_pieces_is_one_text():
    shown = new_output("display_data", data={"text/plain": "a picture"})
    pieces = [printed("a\n\n"), printed("  b\n"), shown, printed("c\n"), printed("d\n", "stderr")]
    merged = tutorials.merged(pieces)
    assert [each.get("text") for each in merged] == ["a\n\n  b\n", None, "c\n", "d\n"]


@pytest.mark.parametrize("is_short", [True, False])
def test_a_short_run_is_called_one(tmp_path, monkeypatch, is_short):
    source = tmp_path / "source/one.md"
    source.parent.mkdir()
    code = new_code_cell("print(1)", outputs=[printed("1\n")])
    notebook = new_notebook(cells=[new_markdown_cell("# One"), code])
    jupytext.write(notebook, source, fmt="md:myst")
    os.utime(source, (0, 0))
    notebook.metadata["short_run"] = is_short
    jupytext.write(notebook, tmp_path / "one.ipynb")
    monkeypatch.setattr(tutorials, "NOTEBOOKS", source.parent)
    monkeypatch.setattr(tutorials, "EXECUTED", tmp_path)

    tutorials.bring(tmp_path / "pages")
    title, *rest = jupytext.read(tmp_path / "pages/one.ipynb").cells
    assert title.source == "# One"
    assert any(tutorials.SHORT in cell.source for cell in rest) == is_short
    assert rest[-1].outputs[0].text == "1\n"
