"""What is shaded belongs to one unit: so says the action, for every symmetry that there is."""

from dataclasses import replace

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from planted import MIXTURE, SHAPES, TWO_LAYERS, switched
from registry import BY_NAME, view

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.plots import plot_symmetry
from numpyro_sym.plots._layout import arrays_of

#: Every third; all of them in the slow tests, as reading a model takes its time.
EVERY = [
    pytest.param(name, marks=[pytest.mark.slow] if i % 3 else []) for i, name in enumerate(BY_NAME)
]


def moved_by_the_first_unit(units, site, axis, shape):
    """Entries that change sign where the first unit of the first set does."""
    plain = replace(axis, power=1)
    alone = Units(units.name, units.n, incoming={site: plain}, batch=units.batch, kind="signed")
    sym = Symmetry([alone])
    g = sym.identity()[units.name]
    factor = np.array(g.factor)
    factor[(0,) * factor.ndim] = -1
    turned = sym.act({units.name: g._replace(factor=factor)}, {site: np.ones(shape)})[site]
    return turned < 0


@pytest.mark.parametrize("name", EVERY)
def test_what_belongs_to_the_first_unit(name):
    sym, shapes = BY_NAME[name].sym, dict(view(name).shapes)
    by_site = {}
    for u in sym.on_arrays():
        for site, axis in u.everywhere:
            by_site.setdefault(site, []).append((u, axis))
    arrays = {array.name: array for array in arrays_of(sym, shapes)}
    assert arrays.keys() == by_site.keys()
    for site, placed in by_site.items():
        for place, (u, axis) in zip(arrays[site].places, placed, strict=True):
            assert place.units.name == u.name
            if axis.is_of_labels:
                assert place.axis is None
                continue
            shape = tuple(shapes[site])
            shaded = np.ones(shape, bool)
            for k, positions in place.first.items():
                inside = np.isin(np.arange(shape[k]), positions)
                shaded &= np.expand_dims(inside, [d for d in range(len(shape)) if d != k])
            np.testing.assert_array_equal(
                shaded, moved_by_the_first_unit(u, site, axis, shape), f"{site}{axis}"
            )


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_two_layers_in_words():
    shapes = SHAPES | {"noise": (), "b3": (2,)}
    told = texts(plot_symmetry(TWO_LAYERS, shapes))
    assert told[:2] == [
        "hidden1: 6 units, in any order, each with a sign",
        "hidden2: 5 units, in any order, each with a sign",
    ]
    assert "Shaded: what belongs to the first unit. Not moved: noise, b3." in told
    at = told.index("w2")
    assert told[at : at + 4] == [
        "w2",
        "6 x 5",
        "hidden1: axis 0, out, ± sign",
        "hidden2: axis 1, in, ± sign",
    ]


def test_one_color_a_kind_of_units_and_one_place():
    """The first layer's edge of w1 and of w2 have its color and one length, and its shade."""
    ax = plot_symmetry(TWO_LAYERS, SHAPES, var_names=["w1", "w2"])
    edges = [p for p in ax.patches if p.get_alpha() == 0.45]
    first, down, right = edges
    assert [to_rgb(p.get_facecolor()) for p in edges] == [to_rgb("C0"), to_rgb("C0"), to_rgb("C1")]
    assert first.get_width() == pytest.approx(down.get_height())
    assert right.get_width() < first.get_width()
    shades = [p for p in ax.patches if p.get_alpha() == 0.4]
    column, row, other = shades
    assert column.get_width() == pytest.approx(first.get_width() / 6)
    assert row.get_height() == pytest.approx(first.get_width() / 6)
    assert row.get_width() == pytest.approx(right.get_width())
    assert other.get_height() == pytest.approx(down.get_height())


SIGNS = Units("unit", 3, axes={"w": Axis(1, power=1), "v": Axis(0, power=-1)}, kind="signed")
WORDS = {
    # Powers that a program has tell nothing of a direction.
    "parity alone": (
        [SIGNS],
        {"w": (2, 3), "v": (3,)},
        ["unit: axis 1, ± sign", "unit: axis 0, ± sign"],
    ),
    "scales": (
        [Units("unit", 3, incoming={"w": 1}, outgoing={"v": Axis(0, power=-2)}, kind="scaled")],
        {"w": (2, 3), "v": (3,)},
        ["unit: axis 1, in, times scale", "unit: axis 0, over scale^2"],
    ),
    "a range and runs": (
        [Units("head", 4, axes={"qkv": Axis(1, start=8, outer=3, inner=2)})],
        {"qkv": (5, 40)},
        ["head: axis 1, entries 8 to 31, 3 runs, 2 entries each"],
    ),
    "counted from the end": (
        [Units("component", 3, axes={"mu": -1})],
        {"mu": (2, 3)},
        ["component: axis 1"],
    ),
    "sets": (
        [Units("unit", 3, axes={"w": Axis(2, batch=0)}, batch=4)],
        {"w": (4, 2, 3)},
        ["unit: axis 2, sets along axis 0"],
    ),
    "sets along a part": (
        [Units("dim", 2, axes={"w": Axis(1, batch=Axis(1, inner=2))}, batch=3)],
        {"w": (2, 6)},
        ["dim: axis 1, sets along axis 1"],
    ),
    "labels": (
        [Units("component", 3, axes={"mu": 0}, values=("z",))],
        {"mu": (3,), "z": (9,)},
        ["component: axis 0", "labels of component"],
    ),
    "sites of their own": (
        [Units("component", 2, stacked={"mu": ("mu1", "mu2")})],
        {"mu1": (3,), "mu2": (3,)},
        ["component: a site each"],
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_in_words(name):
    units, shapes, expected = WORDS[name]
    told = texts(plot_symmetry(Symmetry(units), shapes))
    lines = " ".join(" ".join(told).split())  # long ones are broken
    for words in expected:
        assert words in lines
        lines = lines.replace(words, "", 1)
    assert "axis" not in lines.replace("Dotted: the axis along which there are sets", "")


def test_labels_that_are_not_drawn_are_not_missed():
    sym = nsym.mixture(3, {"mu": 0}, assignments="z")
    assert "z" not in texts(plot_symmetry(sym, {"mu": (3,)}))


DATA = switched()
SOURCES = {
    "shapes": {"mu": (3,), "weights": (3,), "shift": ()},
    "a draw": {"mu": jnp.zeros(3), "weights": np.zeros(3), "shift": np.float32(0)},
    "an ArviZ object": DATA,
}


@pytest.mark.parametrize("source", SOURCES)
def test_shapes_come_from(source):
    told = texts(MIXTURE.plot(SOURCES[source]))
    assert told[0] == "component: 3 units, in any order"
    assert told[1:4] == ["mu", "3", "component: axis 0"]
    assert told[-1].split()[-3:] == ["Not", "moved:", "shift."]


def test_without_shapes_lengths_are_dots():
    told = texts(TWO_LAYERS.plot())
    assert told[told.index("w1") + 1] == "· x 6 x …"
    fused = Symmetry([Units("head", 2, axes={"qkv": Axis(-1, inner=4)})])
    assert "8 x …" in texts(fused.plot())
    sets = Symmetry([Units("dim", 2, axes={"w": Axis(1, batch=Axis(1, inner=2))}, batch=3)])
    assert "· x 6 x …" in texts(sets.plot())


@pytest.mark.parametrize("name", EVERY)
def test_what_is_told_of_lengths_is_true(name):
    sym = BY_NAME[name].sym
    real = {array.name: array.shape for array in arrays_of(sym, dict(view(name).shapes))}
    for array in arrays_of(sym, None):
        if len(array.shape) != len(real.get(array.name, ())):
            continue  # labels that the model sums out, or axes of which nothing is known
        for told, length in zip(array.shape, real[array.name], strict=True):
            assert told is None or told <= length


def test_axes_and_sizes():
    _, axes = plt.subplots(2, 2)
    assert plot_symmetry(TWO_LAYERS, SHAPES, ax=axes[0, 1]) is axes[0, 1]
    small = max(text.get_fontsize() for text in axes[0, 1].texts)
    assert plot_symmetry(TWO_LAYERS, SHAPES).texts[0].get_fontsize() > 1.5 * small
    figure = plot_symmetry(TWO_LAYERS, SHAPES, figsize=(5, 2)).figure
    assert tuple(figure.get_size_inches()) == (5, 2)


def overlaps(ax):
    """Pairs of texts that lie on each other."""
    ax.figure.canvas.draw()
    boxes = [(t.get_text(), t.get_window_extent()) for t in ax.texts if t.get_text()]
    found = []
    for i, (one, box) in enumerate(boxes):
        for other, second in boxes[i + 1 :]:
            if box.shrunk(0.97, 0.8).overlaps(second.shrunk(0.97, 0.8)):
                found.append((one, other))
    return found


@pytest.mark.parametrize("name", list(BY_NAME)[::6])
def test_no_text_lies_on_another(name):
    ax = plot_symmetry(BY_NAME[name].sym, dict(view(name).shapes))
    assert not overlaps(ax)
    inside = ax.figure.bbox
    assert all(
        inside.x0 <= t.get_window_extent().x0 and t.get_window_extent().x1 <= inside.x1
        for t in ax.texts
    )


REFUSED = {
    "there is no symmetry in sym": lambda: plot_symmetry(Symmetry()),
    r"var_names asks for 'w9'; there are \['w1', 'b1', 'w2', 'b2', 'w3'\]": lambda: plot_symmetry(
        TWO_LAYERS, SHAPES, var_names="w9"
    ),
    "act on site 'w3', which is not there": lambda: plot_symmetry(
        TWO_LAYERS, {n: s for n, s in SHAPES.items() if n != "w3"}
    ),
    "axis 1 has length 7; expected 6": lambda: plot_symmetry(TWO_LAYERS, SHAPES | {"w1": (3, 7)}),
    r"expected a shape .* got 'w1'": lambda: plot_symmetry(TWO_LAYERS, "w1"),
    r"expected a shape .* got .* for 'w1'": lambda: plot_symmetry(
        TWO_LAYERS, SHAPES | {"w1": [3, 6]}
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
