"""Pages show figures with a ± that is not parted from them, and say what cells of tables hold."""

import re
import struct
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is not installed (extra docs)")
sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
import typeset
from sphinx.application import Sphinx


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("of 1.2 +- .3 nats", "of 1.2 ±\u00a0.3 nats"),
        ("of 1.2 ± 0.3 nats", "of 1.2 ±\u00a00.3 nats"),
        ("in 5 % of", "in 5\u00a0% of"),
        ("+-", "±"),
        ("a +- b, any % and 5%", "a +- b, any % and 5%"),
    ],
)
def test_figures_are_kept_together(text, shown):
    assert typeset.typeset(text) == shown


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-1.249 ±\u00a0.004", "number"),
        ("1e-4", "number"),
        (".953, .956, .956", "number"),
        ("10-1024-1", "network"),
        ("", None),
        ("-", None),
        ("noise .1", None),
        ("a " * 30, "prose"),
    ],
)
def test_what_a_cell_holds(text, kind):
    assert typeset.holds(text) == kind


def test_names_break_between_their_words():
    assert typeset.breakable("guides.FullGuide_of") == "guides.|Full|Guide_|of".replace(
        "|", "\u200b"
    )
    assert typeset.breakable("align") == "align"


def picture(width):
    """As much of a PNG as tells its width."""
    return b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", width, 9)


PAGE = """
Page
====

===== ======== ==
what  how much so
===== ======== ==
ours  5 +- 2   ``5 +- 2``
===== ======== ==

.. image:: wide.png

.. image:: wide.png
   :target: elsewhere

.. image:: small.png
"""


def test_a_page_is_set(tmp_path):
    (tmp_path / "index.rst").write_text(PAGE)
    (tmp_path / "wide.png").write_bytes(picture(900))
    (tmp_path / "small.png").write_bytes(picture(300))
    settings = {"project": "test", "extensions": ["typeset"], "html_theme": "basic"}
    folders = (tmp_path, None, tmp_path / "html", tmp_path / "trees", "html")
    Sphinx(*folders, confoverrides=settings, status=None).build()
    html = (tmp_path / "html/index.html").read_text()
    assert re.search(r'<td class="number"><p>5 ±\u00a02</p></td>', html)
    assert "+-" in html  # code is left as it is
    boxes = re.findall(r'<div class="picture docutils container">\s*<(img|a)', html)
    assert boxes == ["img", "a"]
    assert html.count("<img") == 3
