"""What ArviZ's users say to choose what is drawn, and how large: alike for every picture."""

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pytest
from planted import LOCATIONS, MIXTURE, arviz, dataset, planted, switched

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, Units, plots
from numpyro_sym.plots.selection import chosen_entries, chosen_names, chosen_of

DRAWN = [name for name in dir(plots) if name.startswith("plot_")]
#: Pictures of draws, or of figures of each variable.
OF_VARIABLES = ("plot_pairs", "plot_rhat", "plot_traces", "plot_unit_cards")


@pytest.fixture(scope="module")
def data():
    return switched()


@pytest.fixture(scope="module")
def aligned(data):
    return nsym.rebasin(data, MIXTURE)


@pytest.fixture(scope="module")
def found(data):
    return nsym.diagnose(data, MIXTURE)


@pytest.mark.parametrize("name", DRAWN)
def test_one_vocabulary(name):
    arguments = inspect.signature(getattr(plots, name)).parameters
    assert {"ax", "figsize"} <= arguments.keys()
    assert "axes" not in arguments
    assert ("coords" in arguments) == (name in OF_VARIABLES)
    assert ("var_names" in arguments) == (name in (*OF_VARIABLES, "plot_symmetry"))


THERE = ["w1", "b1", "w2", "~odd"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, THERE),
        ("b1", ["b1"]),
        (["w2", "w1"], ["w2", "w1"]),
        (["w2", "w2"], ["w2"]),
        ("~b1", ["w1", "w2", "~odd"]),
        (["~w1", "~w2"], ["b1", "~odd"]),
        ("~odd", ["~odd"]),  # it is there under this name
    ],
)
def test_names(asked, expected):
    assert chosen_names("plot", asked, THERE) == expected


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("w9", r"plot: var_names asks for 'w9'; there are \['w1', 'b1', 'w2', '~odd'\]"),
        (["w1", "w9", "~b9"], "asks for 'w9', 'b9'"),
        (["w1", "~b1"], r"names \['w1'\] to draw and \['b1'\] to leave out"),
        (["~w1", "~w2", "~b1"], None),
    ],
)
def test_names_that_are_not_there(asked, message):
    if message is None:
        with pytest.raises(SymmetryError, match="leaves nothing"):
            chosen_names("plot", asked, THERE[:3])
        return
    with pytest.raises(SymmetryError, match=message):
        chosen_names("plot", asked, THERE)


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        ("b", [1]),
        (["c", "a"], [2, 0]),
        (np.array(["b", "c"]), [1, 2]),
        (slice("a", "b"), [0, 1]),
        (slice("b", None), [1, 2]),
        (slice(None), [0, 1, 2]),
    ],
)
def test_coords_are_those_of_xarray(data, wanted, positions):
    """One coordinate too keeps its dimension; all else is what ``sel`` does."""
    posterior = dataset(data)
    chosen = chosen_of("plot", posterior, ["mu", "shift"], {"component": wanted})
    kept = [wanted] if isinstance(wanted, str) else wanted
    np.testing.assert_array_equal(chosen["mu"], posterior["mu"].sel(component=kept))
    np.testing.assert_array_equal(chosen["mu"], posterior["mu"].values[..., positions])
    np.testing.assert_array_equal(chosen["shift"], posterior["shift"])


REFUSED_COORDS = {
    r"coords names the dimension 'unit'; \['mu'\] have \['chain', 'draw', 'component'\]": {
        "unit": 0
    },
    "coords asks for 'z' along 'component', whose coordinates are a, b, c": {"component": "z"},
    "coords asks for 7 along 'chain', whose coordinates are 0, 1, 2, 3": {"chain": [0, 7]},
    "asks for 'z' along": {"component": slice("a", "z")},
    "asks for an empty list along": {"component": []},
    "leaves nothing along 'component'": {"component": slice("c", "a")},
}


@pytest.mark.parametrize("message", REFUSED_COORDS)
def test_coords_that_are_not_there(data, message):
    with pytest.raises(SymmetryError, match=f"plot: .*{message}"):
        chosen_of("plot", dataset(data), "mu", REFUSED_COORDS[message])


def test_entries_are_named_by_their_coordinates(data):
    chosen = chosen_entries("plot", data, None, ["mu", "shift"], {"chain": [2, 0]})
    assert list(chosen.entries) == ["mu[a]", "mu[b]", "mu[c]", "shift"]
    assert chosen.chains == [2, 0]
    draws = dataset(data)["mu"].values
    np.testing.assert_array_equal(chosen.entries["mu[b]"], draws[[2, 0], :, 1])


def test_traces_of_several(data, aligned):
    axes = plots.plot_traces(data, aligned, var_names=["mu", "shift"], coords={"component": ["b"]})
    assert axes.shape == (2, 2)
    assert [row[0].get_ylabel() for row in axes] == ["mu[b]", "shift"]
    assert [ax.get_title() for ax in axes[0]] == ["as sampled", "aligned"]
    assert [ax.get_xlabel() for ax in axes[1]] == ["draw", "draw"]
    line = axes[0, 1].get_lines()[3]
    np.testing.assert_array_equal(line.get_ydata(), dataset(aligned)["mu"].values[3, :, 1])
    _, given = plt.subplots(2, 2)
    assert (
        plots.plot_traces(data, aligned, var_names="mu", coords={"component": ["a", "b"]}, ax=given)
        is given
    )


def test_traces_of_one_chain_bear_its_name(data, aligned):
    axes = plots.plot_traces(data, aligned, var_names="shift", coords={"chain": [3]})
    assert [t.get_text() for t in axes[1].get_legend().get_texts()] == ["chain 3"]


def test_pairs_of_two(data, aligned):
    axes = plots.plot_pairs(data, aligned, var_names="mu", coords={"component": ["a", "c"]})
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("mu[a]", "mu[c]")
    for ax, shown in zip(axes, (data, aligned), strict=True):
        for line, chain in zip(ax.get_lines(), dataset(shown)["mu"].values, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), chain[:, [0, 2]])


def test_forest_of_some(found):
    ax = plots.plot_rhat(found, var_names=["mu"], coords={"component": "c"})
    assert [t.get_text() for t in ax.get_yticklabels()] == ["mu"]
    points = [line.get_xdata() for line in ax.get_lines() if line.get_marker() == "o"]
    for how, shown in zip(("raw", "aligned"), points, strict=True):
        expected = found.entries["mu"].sel(labels=how, component="c").values
        np.testing.assert_array_equal(shown, np.atleast_1d(expected))
    functions = [str(f) for f in found.invariant["function"].values]
    alone = plots.plot_rhat(found, var_names=functions[0])
    assert [t.get_text() for t in alone.get_yticklabels()] == functions[:1]
    (diamonds,) = [line for line in alone.get_lines() if line.get_marker() == "D"]
    assert diamonds.get_xdata() == found.invariant["rhat"].sel(function=functions[0]).values


@pytest.fixture(scope="module")
def network():
    """Draws ``w1 (input, unit)`` and ``w2 (unit,)`` with names."""
    rng = np.random.default_rng(0)
    draws = {"w1": rng.normal(size=(2, 30, 3, 4)), "w2": rng.normal(size=(2, 30, 4))}
    return arviz(
        {"posterior": draws},
        coords={"input": ["x", "y", "z"], "unit": [10, 11, 12, 13]},
        dims={"w1": ["input", "unit"], "w2": ["unit"]},
    )


HIDDEN = nsym.mlp(["w1", "w2"], [4], kind="signed")


def test_cards_of_some_weights(network):
    cards = plots.unit_cards(network, HIDDEN, "hidden", coords={"input": ["z", "x"]})
    draws = dataset(network)["w1"].values.reshape(60, 3, 4)
    for i, (first, second) in enumerate(cards):
        np.testing.assert_allclose(first.mean, draws[:, [0, 2], i].mean(0))
        np.testing.assert_allclose(first.sd, draws[:, [0, 2], i].std(0, ddof=1))
        assert (first.label, second.label, second.mean.size) == ("w1 (in)", "w2 (out)", 1)
    (only,) = {len(own) for own in plots.unit_cards(network, HIDDEN, "hidden", var_names="~w1")}
    assert only == 1


def test_cards_of_some_units(network):
    axes = plots.plot_unit_cards(network, HIDDEN, "hidden", coords={"unit": [11, 13]})
    assert [ax.get_title() for ax in axes] == ["hidden 1", "hidden 3"]
    assert [len(ax.patches) for ax in axes] == [4, 4]
    assert [ax.get_ylabel() for ax in axes] == ["mean ± sd", ""]


def test_cards_of_stacked_sites():
    rng = np.random.default_rng(0)
    draws = {name: rng.normal(size=(2, 30, 3)) for name in ("mu1", "mu2")}
    data = arviz(
        {"posterior": draws}, coords={"axis": ["x", "y", "z"]}, dims={n: ["axis"] for n in draws}
    )
    sym = nsym.Symmetry([Units("component", 2, stacked={"mu": ("mu1", "mu2")})])
    cards = plots.unit_cards(data, sym, "component", coords={"axis": "y"})
    for (card,), name in zip(cards, draws, strict=True):
        np.testing.assert_allclose(card.mean, draws[name][..., 1].reshape(60, 1).mean(0))


@pytest.mark.parametrize("coords", [{"axis": [0]}, {"axis": slice(None)}])
def test_cards_of_a_dict_have_no_coordinates(coords):
    draws = {"mu": np.zeros((10, 3))}
    with pytest.raises(SymmetryError, match="draws in a dict have no coordinates"):
        plots.unit_cards(draws, LOCATIONS, "component", coords=coords)


REFUSED = {
    r"plot_traces: 'shift' is one entry": lambda d: plots.plot_traces(
        d, d, "shift", var_names="mu"
    ),
    "plot_traces: var_names asks for 'sigma'": lambda d: plots.plot_traces(d, d, var_names="sigma"),
    "x and y are two entries; got one": lambda d: plots.plot_pairs(d, d, "shift"),
    "a pair is two entries; var_names and coords choose 3": lambda d: plots.plot_pairs(
        d, d, var_names="mu"
    ),
    "needs 3 x 2 axes; got 2": lambda d: plots.plot_traces(
        d, d, var_names="mu", ax=plt.subplots(1, 2)[1]
    ),
    "figsize is the size of a new figure": lambda d: plots.plot_traces(
        d, d, "shift", ax=plt.subplots(1, 2)[1], figsize=(3, 3)
    ),
    r"figsize must be a pair \(width, height\) in inches; got 3": lambda d: plots.plot_traces(
        d, d, "shift", figsize=3
    ),
    "before and after do not both have mu": lambda d: plots.plot_traces(
        d, arviz({"posterior": planted()}), var_names="mu"
    ),
    "21 entries are chosen .* room for 20": lambda d: plots.plot_traces(
        wide := arviz({"posterior": {"x": np.zeros((2, 5, 21))}}), wide
    ),
    r"unit_cards: var_names asks for 'shift'; there are \['mu', 'weights'\]": (
        lambda d: plots.plot_unit_cards(d, MIXTURE, "component", var_names="shift")
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message, data):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message](data)


def test_forest_refuses_names(found):
    with pytest.raises(SymmetryError, match="plot_rhat: var_names asks for 'sigma'; there are"):
        plots.plot_rhat(found, var_names="sigma")
    with pytest.raises(SymmetryError, match="plot_rhat: coords names the dimension 'unit'"):
        plots.plot_rhat(found, coords={"unit": 0})


def test_figsize(data, aligned, found):
    assert tuple(plots.plot_rhat(found, figsize=(4, 3)).figure.get_size_inches()) == (4, 3)
    axes = plots.plot_pairs(data, aligned, "shift", ("mu", 0), figsize=(5, 2))
    assert tuple(axes[0].figure.get_size_inches()) == (5, 2)


def test_lines_of_legends_are_seen(data, aligned):
    """However thin and faint what they stand for."""
    axes = plots.plot_traces(data, aligned, "shift")
    assert all(line.get_linewidth() < 1 for line in axes[1].get_lines())
    for handle in axes[1].get_legend().legend_handles:
        assert handle.get_linewidth() >= 2
        assert handle.get_alpha() == 1
