"""The gallery's pictures are those that its page draws."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
SPEC = importlib.util.spec_from_file_location("draw_plots", DOCS / "draw_plots.py")
draw_plots = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(draw_plots)
PICTURES = list(draw_plots.pictures())


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.path.stem)
def test_each_is_drawn_by_the_code_before_it(picture):
    """Else draw it anew: ``python docs/draw_plots.py``."""
    image = pytest.importorskip("PIL.Image")
    with image.open(picture.path) as kept:
        assert kept.text["Comment"] == picture.digest
        assert kept.width <= 1300
    assert picture.path.stat().st_size <= draw_plots.LARGEST


def test_none_is_left_over():
    assert {p.path for p in PICTURES} == set((DOCS / "gallery").iterdir())


def test_every_plot_is_on_the_page():
    from numpyro_sym import plots

    page = (DOCS / "gallery.md").read_text()
    assert all(f"plots.{name}(" in page for name in dir(plots) if name.startswith("plot_"))


def test_the_digest_tells_another_code(tmp_path, monkeypatch):
    page = tmp_path / "gallery.md"
    page.write_text((DOCS / "gallery.md").read_text().replace('"mu": (3, 2)', '"mu": (4, 2)'))
    monkeypatch.setattr(draw_plots, "PAGE", page)
    before = {p.path.name: p.digest for p in PICTURES}
    after = {p.path.name: p.digest for p in draw_plots.pictures()}
    assert after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} == {"symmetry_mixture.png"}
