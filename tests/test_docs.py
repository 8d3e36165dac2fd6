"""Every block of Python in the documentation runs, page by page, on what the page defines."""

import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
BLOCK = re.compile(r"^```(?:python|\{code-cell\} ipython3)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WIDEST = 94  # columns: what the site shows without scrolling
LONG = {
    "alignment",
    "arviz",
    "extending",
    "gallery",
    "guides",
    "index",
    "mcmc",
    "mixtures",
    "samplers",
}  # they sample, or train

#: What a page needs besides the tests' own packages.
NEEDS = {"samplers": ("blackjax", "pymc")}

matplotlib.use("Agg")


def blocks(page):
    """The blocks of a page, each as far down as on the page: errors name its lines."""
    text = page.read_text()
    return ["\n" * text.count("\n", 0, found.start(1)) + found[1] for found in BLOCK.finditer(text)]


RUN = [
    pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem in LONG else [])
    for page in filter(blocks, PAGES)
]


@pytest.mark.parametrize("page", RUN)
def test_blocks_run(page, tmp_path, monkeypatch):
    """In order, in one namespace, in an empty folder."""
    for package in NEEDS.get(page.stem, ()):
        pytest.importorskip(package, reason=f"{package} is not installed (extra interop)")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for block in blocks(page):
        exec(compile(block, page, "exec"), namespace)
    plt.close("all")


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.stem)
def test_blocks_are_not_cut(page):
    wide = [line for block in blocks(page) for line in block.splitlines() if len(line) > WIDEST]
    assert not wide
