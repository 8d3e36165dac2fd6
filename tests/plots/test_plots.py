"""Every picture shows the numbers that it was given: what the artists hold, not pixels."""

import builtins

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from planted import LOCATIONS, MIXTURE, TWO_LAYERS, chains, dataset, gaussian_network, switched

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units, plots
from numpyro_sym.alignment import relabel
from numpyro_sym.diagnostics import LossBarrier, PruningCurve, elements_of, num_transpositions


@pytest.fixture(scope="module")
def data():
    return switched()


@pytest.fixture(scope="module")
def aligned(data):
    return nsym.rebasin(data, MIXTURE, keep_elements=True)


@pytest.fixture(scope="module")
def network():
    return gaussian_network(num_draws=40)[1]


def texts(legend):
    return [t.get_text() for t in legend.get_texts()]


def test_traces(data, aligned):
    axes = plots.plot_traces(data, aligned, ("mu", 1))
    for ax, shown in zip(axes, (data, aligned), strict=True):
        lines = ax.get_lines()
        for line, chain in zip(lines, dataset(shown)["mu"].values[..., 1], strict=True):
            np.testing.assert_array_equal(line.get_ydata(), chain)
    assert axes[0].get_ylabel() == "mu[1]"
    assert texts(axes[1].get_legend()) == [f"chain {i}" for i in range(4)]
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_one_number_a_draw_needs_no_index(data, aligned):
    axes = plots.plot_traces(data, aligned, "shift")
    np.testing.assert_array_equal(
        axes[0].get_lines()[2].get_ydata(), dataset(data)["shift"].values[2]
    )
    assert axes[0].get_ylabel() == "shift"


def test_draws_of_a_guide_are_one_chain():
    draws = xr.Dataset(
        {"mu": (("sample", "component"), np.random.default_rng(0).normal(size=(30, 2)))}
    )
    guide = xr.DataTree.from_dict({"posterior": draws})
    axes = plots.plot_traces(guide, guide, ("mu", 1))
    (line,) = axes[0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), draws["mu"].values[:, 1])


def test_pairs(data, aligned):
    axes = plots.plot_pairs(data, aligned, ("mu", 0), ("weights", 2))
    for ax, shown in zip(axes, (data, aligned), strict=True):
        for i, line in enumerate(ax.get_lines()):
            np.testing.assert_array_equal(line.get_xdata(), dataset(shown)["mu"].values[i, :, 0])
            np.testing.assert_array_equal(
                line.get_ydata(), dataset(shown)["weights"].values[i, :, 2]
            )
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("mu[0]", "weights[2]")


def test_forest(data):
    found = nsym.diagnose(data, MIXTURE)
    ax = plots.plot_rhat(found)
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    sites = [str(s) for s in found.sites["site"].values]
    for line, (y, site, how) in zip(
        points, [(y, s, h) for y, s in enumerate(sites) for h in ("raw", "aligned")], strict=True
    ):
        values = found.entries[site].sel(labels=how).values.ravel()
        np.testing.assert_array_equal(line.get_xdata(), values[np.isfinite(values)])
        assert np.abs(line.get_ydata() - y).max(initial=0.0) < 0.3
    (diamonds,) = [line for line in ax.get_lines() if line.get_marker() == "D"]
    np.testing.assert_array_equal(diamonds.get_xdata(), found.invariant["rhat"].values)
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        *sites,
        *map(str, found.invariant["function"].values),
    ]
    assert ax.get_title(loc="left") == "\n".join(found.verdicts)
    assert ax.get_title(loc="left").startswith("label switching only\n")
    assert texts(ax.get_legend()) == ["raw", "aligned", "invariant"]


def test_forest_of_figures_that_are_not_finite():
    stuck = chains(switch=False)
    for name in ("mu", "f"):
        dataset(stuck)[name].values[:] = dataset(stuck)[name].values[:, :1]
    ax = plots.plot_rhat(nsym.diagnose(stuck, LOCATIONS, invariant="f"))
    assert "mixing badly" in ax.get_title(loc="left")


T = np.linspace(0, 1, 5)
BARRIERS = {
    "as trained": LossBarrier(1.0, T, np.array([1.0, 2, 3, 2, 1.5]), T),
    "aligned": LossBarrier(0.0, T, np.array([1.0, 1, 1, 1, 1]), T),
}


def test_barrier():
    ax = plots.plot_barrier(BARRIERS)
    curves = [line for line in ax.get_lines() if line.get_marker() == "o"]
    for line, found in zip(curves, BARRIERS.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), T)
        np.testing.assert_array_equal(line.get_ydata(), found.loss)
    assert texts(ax.get_legend()) == ["as trained: barrier 1", "aligned: barrier 0"]
    assert texts(plots.plot_barrier(BARRIERS["aligned"]).get_legend()) == ["barrier 0"]


@pytest.mark.parametrize("n", [3, 512])
def test_transpositions(n):
    rng = np.random.default_rng(0)
    counts = num_transpositions(rng.permuted(np.tile(np.arange(n), (300, 1)), axis=1))
    ax = plots.plot_transpositions(counts, n)
    bars = {round(p.get_x() + p.get_width() / 2): p.get_height() for p in ax.patches}
    assert sum(bars.values()) == 300
    for value in np.unique(counts):
        assert bars[value] == (counts == value).sum()
    (dashed,) = ax.get_lines()
    assert dashed.get_xdata()[0] == pytest.approx(n - sum(1 / i for i in range(1, n + 1)))


def test_pruning():
    curve = PruningCurve(np.array([0.0, 0.5, 1.0]), np.array([0.9, 0.8, 0.1]), "sd")
    ax = plots.plot_pruning(
        {"by sd": curve, "by size": curve._replace(score=curve.score / 2)}, ylabel="accuracy"
    )
    first, second = ax.get_lines()
    np.testing.assert_array_equal(first.get_xdata(), [0, 50, 100])
    np.testing.assert_array_equal(first.get_ydata(), curve.score)
    np.testing.assert_array_equal(second.get_ydata(), curve.score / 2)
    assert (texts(ax.get_legend()), ax.get_ylabel()) == (["by sd", "by size"], "accuracy")
    assert texts(plots.plot_pruning(curve).get_legend()) == ["by sd"]


def test_assignment(aligned):
    """Unit j of the second chain is the first's unit [2, 0, 1][j]; elsewhere one changes its own
    half-way.
    """
    mu = np.random.default_rng(0).normal([-4.0, 0.0, 4.0], 0.1, (2, 30, 3))
    mu[1] = mu[1][:, [2, 0, 1]]
    found = nsym.align({"mu": mu}, {"mu": np.array([0.0, 4.0, -4.0])}, LOCATIONS, sample_ndim=2)
    ax = plots.plot_assignment(found.elements, "component")
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    g = elements_of(aligned, MIXTURE)
    half = plots.assignment_matrix(g, "component", 0, 1)
    np.testing.assert_allclose(half.sum(0), 1)
    assert set(np.unique(half)) == {0.0, 0.5}
    np.testing.assert_array_equal(plots.assignment_matrix(g, "component", 3, 3), np.eye(3))
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("component, chain 0", "component, chain 1")


def test_unit_cards(network):
    axes = plots.plot_unit_cards(network, TWO_LAYERS, "hidden1", columns=3)
    assert len(axes) == 6
    for i, ax in enumerate(axes):
        weights = [network["w1"][:, :, i], network["b1"][:, i, None], network["w2"][:, i, :]]
        expected = np.concatenate([w.mean(0) for w in weights])
        heights = [patch.get_height() for patch in ax.patches]
        np.testing.assert_allclose(heights, expected)
        spread = np.concatenate([w.std(0, ddof=1) for w in weights])
        ends = np.concatenate([np.array(c.get_segments())[:, :, 1] for c in ax.collections])
        np.testing.assert_allclose(ends, np.stack([expected - spread, expected + spread], 1))
        assert ax.get_title() == f"hidden1 {i}"
    assert texts(axes[0].figure.legends[0]) == ["w1 (in)", "b1 (in)", "w2 (out)"]


FOUND = Units("unit", 3, axes={"w1": Axis(1, power=1), "w2": Axis(0, power=1)}, kind="signed")
SCALES = Units("unit", 3, axes={"w1": Axis(1, power=-1), "w2": Axis(0, power=1)}, kind="scaled")
WRITTEN = Units("unit", 3, incoming={"w1": 1}, outgoing={"w2": 0}, kind="signed")


@pytest.mark.parametrize(
    ("units", "labels"),
    [
        (FOUND, ["w1", "w2"]),
        (FOUND.renamed("unit").with_kind("permutation"), ["w1", "w2"]),
        (SCALES, ["w1", "w2"]),
        (SCALES.with_kind("permutation"), ["w1", "w2"]),
        (WRITTEN, ["w1 (in)", "w2 (out)"]),
        (WRITTEN.with_kind("permutation").renamed("unit"), ["w1 (in)", "w2 (out)"]),
    ],
)
def test_cards_claim_no_direction_that_was_not_said(units, labels):
    """Powers found in a program are parities, or exponents up to a common sign."""
    draws = {"w1": np.ones((10, 2, 3)), "w2": np.ones((10, 3))}
    axes = plots.plot_unit_cards(draws, Symmetry([units]), "unit")
    assert texts(axes[0].figure.legends[0]) == labels


def test_cards_of_units_inside_an_axis_and_on_two_axes():
    """Heads of two numbers each in a fused kernel; states of a hidden Markov model on both axes."""
    rng = np.random.default_rng(0)
    fused = {"qkv": rng.normal(size=(10, 4, 18))}
    heads = Symmetry([Units("head", 3, axes={"qkv": Axis(1, outer=3, inner=2)})])
    for h, (card,) in enumerate(plots.unit_cards(fused, heads, "head")):
        own = fused["qkv"].reshape(10, 4, 3, 3, 2)[:, :, :, h]
        np.testing.assert_allclose(np.sort(card.mean), np.sort(own.mean(0).ravel()))
    hmm = {"A": rng.normal(size=(10, 3, 3))}
    for s, (rows, columns) in enumerate(
        plots.unit_cards(hmm, nsym.hmm(3, transition="A"), "state")
    ):
        np.testing.assert_allclose(rows.mean, hmm["A"][:, s].mean(0))
        np.testing.assert_allclose(columns.mean, hmm["A"][:, :, s].mean(0))


def test_axes_of_the_caller_are_used(data, aligned, network):
    _, given = plt.subplots(1, 2)
    assert plots.plot_traces(data, aligned, "shift", ax=given) is given
    _, one = plt.subplots()
    assert plots.plot_barrier(BARRIERS, ax=one) is one
    _, six = plt.subplots(2, 3)
    assert list(plots.plot_unit_cards(network, TWO_LAYERS, "hidden1", ax=six)) == list(six.ravel())


def test_nothing_is_drawn_on_other_figures(data, aligned):
    """Two pictures are two figures."""
    first = plots.plot_pairs(data, aligned, ("mu", 0), ("mu", 1))[0].figure
    assert plots.plot_pairs(data, aligned, ("mu", 0), ("mu", 1))[0].figure is not first


def test_without_matplotlib(monkeypatch):
    plain = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'numpyro_sym\[plots\]'"):
        plots.plot_barrier(BARRIERS)


REFUSED = {
    "no variable 'sigma'": lambda d: plots.plot_traces(d, d, "sigma"),
    r"'mu' is no single number: 'mu' has shape \(3,\)": lambda d: plots.plot_traces(d, d, "mu"),
    r"\('mu', 7\) is no single number": lambda d: plots.plot_pairs(d, d, ("mu", 7), ("mu", 0)),
    "needs 1 x 2 axes; got 1": lambda d: plots.plot_traces(d, d, "shift", ax=plt.subplots()[1]),
    "no units 'unit'": lambda d: plots.plot_assignment({}, "unit"),
    "with chains 0 and 4": lambda d: plots.assignment_matrix(
        {"u": nsym.Element(np.zeros((4, 5, 1), int), np.ones((4, 5, 1)))}, "u", 0, 4
    ),
    "has 0 to 2 transpositions": lambda d: plots.plot_transpositions([3], 3),
    "no Units called 'unit'": lambda d: plots.plot_unit_cards(d, MIXTURE, "unit"),
    "columns must be an int of at least 1": lambda d: plots.plot_unit_cards(
        d, MIXTURE, "component", columns=0
    ),
    "has length 3; expected 4": lambda d: plots.plot_unit_cards(
        d, nsym.mixture(4, {"mu": 0}), "component"
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message, data):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message](data)


def test_relabelings():
    z = np.array([[0, 1, 0, 2, 1], [1, 0, 1, 2, 0], [0, 1, 1, 2, 1]])
    mu = np.array([[0.0, 1.0, 2.0]] * 3)  # as if no draw were switched
    sym = nsym.mixture(3, {"mu": 0}, assignments="z")
    found = relabel({"mu": mu, "z": z}, sym, methods=["ecr", "mean"])
    assert found.agreement[0, 1] < 1
    left, right = plots.plot_relabelings(found)
    order = np.argsort(found.clustering.labels, kind="stable")
    np.testing.assert_allclose(left.images[0].get_array(), found.similarity[order][:, order])
    edges = sorted({float(line.get_xdata()[0]) for line in left.get_lines()} - {0.0})
    assert edges == [1.5, 3.5]  # between three clusters; a horizontal line begins at 0
    np.testing.assert_allclose(right.images[0].get_array(), found.agreement)
    shown = {tuple(t.get_position()): t.get_text() for t in right.texts}
    assert shown[1, 0] == f"{found.agreement[0, 1]:.2f}"
    assert len(shown) == 4
    unsettled = found._replace(settled={"ecr": False, "mean": True})
    ticks = plots.plot_relabelings(unsettled)[1].get_yticklabels()
    assert [t.get_text() for t in ticks] == ["ecr (not settled)", "mean"]
