"""Inline code of the pages that names something public leads to its page of the reference."""

import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is not installed (extra docs)")
sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
import links
from sphinx.application import Sphinx

OBJECTS = (
    "numpyro_sym.align",
    "numpyro_sym.Symmetry",
    "numpyro_sym.Symmetry.check",
    "numpyro_sym.alignment.varimax",
    "numpyro_sym.discovery.inference.Block",
)
FULL_NAMES = links.public_names(OBJECTS)


@pytest.mark.parametrize(
    ("code", "full"),
    [
        ("align", "numpyro_sym.align"),
        ("nsym.align", "numpyro_sym.align"),
        ('numpyro_sym.align(draws, "mean", sym)', "numpyro_sym.align"),
        ("align(draws, sym).sites", "numpyro_sym.align"),
        ("Symmetry.check", "numpyro_sym.Symmetry.check"),
        ("varimax", "numpyro_sym.alignment.varimax"),
        ("alignment.varimax", "numpyro_sym.alignment.varimax"),
        ("alignment", None),
        ("Block", None),
        ("check", None),
        ("align = None", None),
        ("draws", None),
    ],
)
def test_what_is_named(code, full):
    assert links.named_by(code, FULL_NAMES) == full


def test_names_of_python_are_no_links():
    names = links.public_names(["numpyro_sym.diagnostics.sorted"])
    assert links.named_by("sorted", names) is None
    assert links.named_by("diagnostics.sorted", names) == "numpyro_sym.diagnostics.sorted"


PAGE = """
About ``align``
===============

Text on ``align``, `align <other>`__, ``nsym.align(...)`` and ``unknown``, then ``Symmetry.check``.

.. py:function:: numpyro_sym.align(draws)

.. py:method:: numpyro_sym.Symmetry.check()
"""


def test_first_mentions_outside_of_headings_are_links(tmp_path):
    (tmp_path / "index.rst").write_text(PAGE)
    settings = {"project": "test", "extensions": ["links"], "html_theme": "basic"}
    folders = (tmp_path, None, tmp_path / "html", tmp_path / "trees", "html")
    Sphinx(*folders, confoverrides=settings, status=None).build()
    html = (tmp_path / "html/index.html").read_text()
    heading, text = html[html.index("<h1>") : html.index("<dl")].split("</h1>")
    links_to = re.compile(r'<a class="reference internal" href="#([\w.]+)"[^>]*><code').findall
    assert links_to(heading) == []
    assert links_to(text) == ["numpyro_sym.align", "numpyro_sym.Symmetry.check"]
