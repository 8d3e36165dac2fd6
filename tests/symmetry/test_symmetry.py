"""Orders, values, tables, adjusting, and what is refused."""

import pickle
from math import log

import jax
import numpy as np
import pytest
from registry import BATCHED, BY_NAME, CASES

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units


def tanh_layers(*widths):
    names = [f"w{i}" for i in range(len(widths) + 1)]
    return nsym.mlp(names, widths, kind="signed")


def test_known_orders():
    assert tanh_layers(3).order == 48
    assert f"{tanh_layers(16, 16, 16).order:.3e}" == "2.578e+54"
    assert isinstance(tanh_layers(16, 16, 16).order, int)
    assert tanh_layers(128).log_order / log(10) == pytest.approx(254.118, abs=1e-3)
    assert len(str(tanh_layers(128).order)) == 255
    assert nsym.mixture(5, {"mu": 0}).order == 120
    assert BY_NAME["mlp-1-relu"].sym.order == float("inf")
    assert Symmetry([]).order == 1


@pytest.mark.parametrize("case", [*CASES, *BATCHED], ids=lambda c: c.name)
def test_a_symmetry_is_a_static_value(case):
    again = pickle.loads(pickle.dumps(case.sym))
    assert again == case.sym
    assert hash(again) == hash(case.sym)
    assert jax.tree.leaves(case.sym) == []
    traced = jax.jit(
        lambda sym, key: sym.act(sym.sample(key), {}) if not sym.units else sym.sample(key)
    )
    assert set(traced(case.sym, jax.random.key(0))) == {u.name for u in case.sym}
    assert all(u.name in str(case.sym) for u in case.sym)


def test_table_says_where_units_act():
    text = str(BY_NAME["flat-vector"].sym)
    assert "v[0, from 0, 3 x]" in text
    assert "v[0, from 12]" in text


def test_select_without_rename():
    sym = Symmetry(
        [
            Units("a", 2, incoming={"x": 0}, kind="signed"),
            Units("b", 3, incoming={"y": 0}, kind="scaled"),
            Units("c", 4, axes={"z": 0}),
        ]
    )
    assert [u.kind for u in sym.select(("permutation", "signed"))] == [
        "signed",
        "permutation",
        "permutation",
    ]
    assert [u.name for u in sym.select("scaled")] == ["b"]
    assert sym.select("permutation").order == 2 * 6 * 24
    assert [u.name for u in sym.without("a", "c")] == ["b"]
    assert [u.name for u in sym.rename({"a": "unit"})] == ["unit", "b", "c"]
    assert sym["c"].n == 4
    with pytest.raises(SymmetryError, match="no Units called 'd'"):
        sym.without("d")
    with pytest.raises(SymmetryError, match="no Units called 'd'"):
        sym.rename({"d": "e"})
    with pytest.raises(SymmetryError, match="kind must be one or several of"):
        sym.select("sign")


REFUSED = {
    "n must be a positive int": lambda: Units("u", 0, axes={"x": 0}),
    "kind must be one of": lambda: Units("u", 2, axes={"x": 0}, kind="sign"),
    "name must be a non-empty string": lambda: Units("", 2, axes={"x": 0}),
    "name at least one site": lambda: Units("u", 2),
    "an axis is an int or": lambda: Units("u", 2, axes={"x": "0"}),
    "inner must be at least 1": lambda: Axis(0, inner=0),
    "start must be at least 0": lambda: Axis(0, start=-1),
    "axis must be an int": lambda: Axis(0.5),
    "axis 1 of site 'w' is used twice with powers 1 and -1": lambda: Units(
        "u", 2, incoming={"w": 1}, outgoing={"w": 1}, kind="signed"
    ),
    "axis 0 of site 'w' is used twice": lambda: Units("u", 2, axes={"w": (0, Axis(0, start=1))}),
    "two Units are called 'u'": lambda: Symmetry(
        [Units("u", 2, axes={"x": 0}), Units("u", 2, axes={"y": 0})]
    ),
    "do not commute": lambda: Symmetry(
        [Units("u", 3, axes={"x": 0}), Units("v", 2, axes={"x": Axis(0, start=0)})]
    ),
    "units must be Units": lambda: Symmetry(["u"]),
    "3 hidden layers need 4 weight sites": lambda: nsym.mlp(["a", "b"], [2, 2, 2]),
    "need 1 or 2 bias sites": lambda: nsym.mlp(["a", "b"], [2], biases=[]),
    "layout must be": lambda: nsym.mlp(["a", "b"], [2], layout="oi"),
    "too large to list": lambda: tanh_layers(30).elements(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def test_signs_that_a_permutation_tears_apart_do_not_commute():
    flips = Units("flip", 2, incoming={"x": 0}, kind="signed")
    swap = Units("swap", 2, axes={"x": 0})
    with pytest.raises(SymmetryError, match="'flip' and 'swap' both move axis 0 of site 'x'"):
        Symmetry([flips, swap])


SHAPES = {
    "act on site 'w2', which is not there": {"w1": (3, 4)},
    "site 'w1' of shape \\(3, 5\\): axis 1 has length 5; expected 4": {"w1": (3, 5), "w2": (4, 1)},
    "site 'w1' of shape \\(4,\\): there is no axis 1": {"w1": (4,), "w2": (4, 1)},
}


@pytest.mark.parametrize("message", SHAPES)
def test_shapes_that_do_not_fit(message):
    sym = nsym.mlp(["w1", "w2"], [4])
    sites = {name: np.zeros(shape) for name, shape in SHAPES[message].items()}
    with pytest.raises(SymmetryError, match=message):
        sym.act(jax.tree.map(np.asarray, sym.identity()), sites)


def test_one_axis_named_from_both_ends_is_seen_once_shapes_are_known():
    sym = Symmetry([Units("u", 3, axes={"x": (1, -1)})])
    with pytest.raises(SymmetryError, match="axis 1 of site 'x' is used twice"):
        sym.check_shapes({"x": (2, 3)})
    sym.check_shapes({"x": (2, 3, 3)})


def test_samples_must_agree():
    sym = nsym.mixture(3, {"mu": 0})
    with pytest.raises(SymmetryError, match=r"leading dimensions must be \(5,\)"):
        sym.act(sym.identity((5,)), {"mu": np.zeros((4, 3))})
    with pytest.raises(SymmetryError, match="lacks Units 'component'"):
        sym.act({}, {"mu": np.zeros(3)})


@pytest.mark.parametrize(
    "axis", [Axis(1), Axis(1, start=2, outer=2, inner=3), Axis(0, start=0, inner=2, power=-1)]
)
def test_axis_of_its_entries(axis):
    positions, length = axis.positions(4), axis.length(4) + (0 if axis.start is None else 5)
    shuffled = positions[::-1]  # blocks may come in any order
    assert Axis.of_entries(axis.axis, shuffled, length, axis.power) == [axis]


def test_entries_in_runs_that_are_apart():
    positions = Axis(0, start=1, outer=3, inner=2).positions(2)
    assert Axis.of_entries(0, positions[[0, 2]], 20) == [
        Axis(0, start=1, inner=2),
        Axis(0, start=9, inner=2),
    ]
    assert Axis.of_entries(0, positions[:, ::-1], 20) is None


@pytest.mark.parametrize("sample", [(), (3,), (2, 3)])
def test_one_element_moves_every_draw_alike(sample):
    sym = Symmetry([Units("unit", 3, incoming={"w": 1, "b": 0}, kind="signed")])
    g = sym.sample(jax.random.key(0))
    rng = np.random.default_rng(0)
    draws = {
        "w": rng.normal(size=(*sample, 2, 3)),
        "b": rng.normal(size=(*sample, 3)),
        "other": np.arange(5.0),
    }
    moved = sym.act(g, draws, sample_ndim=len(sample))
    assert moved["other"] is draws["other"]
    for index in np.ndindex(*sample):
        alone = sym.act(g, {"w": draws["w"][index], "b": draws["b"][index]})
        np.testing.assert_array_equal(moved["w"][index], alone["w"])
        np.testing.assert_array_equal(moved["b"][index], alone["b"])


def test_an_element_for_each_draw_is_for_as_many_draws():
    sym = nsym.mixture(2, {"mu": 0})
    g = sym.sample(jax.random.key(0), (4,))
    with pytest.raises(
        SymmetryError, match=r"sample_ndim is 2, and the element has sample shape \(4,\)"
    ):
        sym.act(g, {"mu": np.zeros((3, 4, 2))}, sample_ndim=2)
    with pytest.raises(SymmetryError, match="Units 'component'"):
        sym.act(sym.identity(), {"mu": np.zeros((3, 4, 2))})
