"""Results in a notebook: tables as text, HTML and data; a ``repr`` that fits on a screen."""

import jax
import numpy as np
import pandas as pd
import pytest

import numpyro_sym as nsym
from numpyro_sym.symmetry import CheckReport, Table

SYM = nsym.mlp(["w1", "w2"], [3], kind="signed")


def test_html_is_escaped_and_numbers_stand_right():
    table = Table(["a<b", "n"], [["x & y", 3], ["z", 12]], above=["first", ""], below=["last"])
    html = table.to_html()
    assert "a&lt;b" in html
    assert "x &amp; y" in html
    assert '<td style="text-align: right">12</td>' in html
    assert '<td style="text-align: left">z</td>' in html
    assert html.index("<p>first</p>") < html.index("<table>") < html.index("<p>last</p>")
    assert html.count("<p>") == 2  # an empty line is none


def test_a_table_of_nothing():
    assert str(Table(["a", "b"], [])) == "a  b"
    assert len(Table(["a", "b"], []).to_dataframe()) == 0


def test_a_symmetry():
    (row,) = SYM.to_dataframe().itertuples()
    assert row.Index == "hidden"
    assert row.n == 3
    assert row.kind == "signed"
    assert "w1[1] w2[0]" in SYM._repr_html_()
    assert len(nsym.Symmetry().to_dataframe()) == 0
    assert str(nsym.Symmetry()) == "no symmetry"
    assert "no symmetry" in nsym.Symmetry()._repr_html_()


def test_a_report():
    report = CheckReport((("hidden", "signed", "log joint", 1e-14, 1e-12),), 8, 4)
    frame = report.to_dataframe()
    assert frame.loc["hidden", "largest change"] == 1e-14
    assert "8 points" in report._repr_html_()


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    draws = {"w1": rng.normal(size=(600, 4, 3)), "w2": rng.normal(size=(600, 3, 2))}
    return nsym.align(draws, "first", SYM)


def test_repr_of_an_alignment_fits_on_a_screen(found):
    text = repr(found)
    assert len(text) < 600
    assert "'w1': float64[600, 4, 3]" in text
    assert repr(found.elements["hidden"]).startswith("Element(permutation=int")


def test_repr_of_one_element_shows_it():
    one = nsym.Element(np.array([2, 0, 1]), np.array([1.0, -1.0, 1.0]))
    assert repr(one) == "Element(permutation=[2 0 1], factor=[ 1. -1.  1.])"


def test_repr_under_jit():
    """Traced arrays have no values."""

    @jax.jit
    def function(g):
        assert "factor" in repr(g)
        return g.factor

    function(nsym.Element(np.arange(3), np.ones(3)))


def test_a_diagnosis_as_data():
    rng = np.random.default_rng(0)
    draws = {"mu": rng.normal([0, 5], size=(2, 200, 2)), "f": rng.normal(size=(2, 200))}
    draws["mu"][1] = draws["mu"][1, :, ::-1]
    found = nsym.diagnose(draws, nsym.mixture(2, {"mu": 0}), invariant="f")
    frame = found.to_dataframe()
    assert isinstance(frame, pd.DataFrame)
    assert frame.loc["mu", "rhat_raw"] == float(found.sites["rhat_raw"].sel(site="mu"))
    assert frame.loc["mu", "rhat_raw"] > 1.5
    assert frame.loc["mu", "rhat_aligned"] < 1.1
    assert frame.loc["f", "invariant"]
    assert frame.loc["f", "rhat_raw"] == frame.loc["f", "rhat_aligned"]
    assert not frame.loc["mu", "invariant"]
    assert found.verdicts[0] in found._repr_html_()
