"""Alignment against brute force, its laws, and what it refuses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alignment_cases import CASES, FINITE, LINEAR, brute_force, distance, draws, elements

from numpyro_sym import Axis, Element, Symmetry, SymmetryError, Units, mixture, mlp
from numpyro_sym.alignment import align


@pytest.mark.parametrize("name", CASES)
def test_result_is_what_it_says(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (3, 5)), draws(name, seed=1)
    r = align(sites, reference, sym)
    again = sym.act(r.elements, sites)
    for site in sites:
        np.testing.assert_array_equal(r.sites[site], again[site])
    np.testing.assert_allclose(r.distance, distance(r.sites, reference, sym.sites), rtol=1e-12)
    np.testing.assert_allclose(r.distance_before, distance(sites, reference, sym.sites), rtol=1e-12)
    assert (r.distance <= r.distance_before).all()
    assert (r.gap >= 0).all()
    assert r.gap.shape == r.exact.shape == r.distance.shape == (3, 5)


@pytest.mark.parametrize("name", LINEAR)
def test_one_units_is_the_optimum_over_the_group(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (20,)), draws(name, seed=1)
    r = align(sites, reference, sym)
    assert r.exact.all()
    for i in range(20):
        best = brute_force(sym, {s: x[i] for s, x in sites.items()}, reference)
        np.testing.assert_allclose(r.distance[i], best, rtol=1e-12)


@pytest.mark.parametrize("name", FINITE)
def test_what_is_called_exact_is_the_optimum(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (4,)), draws(name, seed=1)
    r = align(sites, reference, sym)
    assert r.exact.all() or name not in LINEAR
    for i in np.flatnonzero(r.exact) if sym.order < 10_000 else ():
        best = brute_force(sym, {s: x[i] for s, x in sites.items()}, reference)
        np.testing.assert_allclose(r.distance[i], best, rtol=1e-12)


def test_local_optima_are_called_local():
    sym, shapes = WIDE
    rng = np.random.default_rng(0)
    sites, reference = (
        {s: rng.normal(size=(*n, *shape)) for s, shape in shapes.items()} for n in ((3,), ())
    )
    assert not align(sites, reference, sym).exact.any()


@pytest.mark.parametrize("name", LINEAR)
def test_gap_is_the_cheapest_change(name):
    sym, _ = CASES[name]
    (units,) = sym.units
    sites, reference = draws(name, (4,)), draws(name, seed=1)
    r = align(sites, reference, sym)
    n = units.n
    changes = [np.r_[:n]] if units.kind == "signed" else []
    for i in range(n):
        for k in range(i):
            swap = np.r_[:n]
            swap[[i, k]] = k, i
            changes.append(swap)
    for b in range(4):
        others = []
        for permutation in changes:
            for signs in (
                np.array(np.meshgrid(*[[1.0, -1.0]] * n)).T.reshape(-1, n)
                if units.kind == "signed"
                else [np.ones(n)]
            ):
                if np.count_nonzero(permutation != np.r_[:n]) or np.count_nonzero(signs < 0) == 1:
                    g = {units.name: Element(permutation, signs)}
                    others.append(
                        distance(
                            sym.act(g, {s: x[b] for s, x in r.sites.items()}), reference, sym.sites
                        )
                    )
        np.testing.assert_allclose(r.gap[b], min(others) - r.distance[b], rtol=1e-8, atol=1e-12)


WIDE = (
    mlp(["w1", "w2", "w3", "w4"], [8, 8, 8], biases=["b1", "b2", "b3"]),
    {"w1": (2, 8), "b1": (8,), "w2": (8, 8), "b2": (8,), "w3": (8, 8), "b3": (8,), "w4": (8, 2)},
)


@pytest.mark.parametrize("start", ["forward", "identity"])
@pytest.mark.parametrize("name", ["deep", "residual", "conv", "wide"])
def test_gap_is_the_cheapest_exchange_of_several_units(name, start):
    """Scores are kept from visit to visit: at the end they must be those of the match that was
    found.
    """
    sym, shapes = WIDE if name == "wide" else CASES[name]
    rng = np.random.default_rng(0)
    sites, reference = (
        {s: rng.normal(size=(*lead, *x)) for s, x in shapes.items()} for lead in ((8,), ())
    )
    r = align(sites, reference, sym, starts=(start,))
    least = np.full(8, np.inf)
    for u in sym:
        for i in range(u.n):
            for k in range(i):
                swap = np.r_[: u.n]
                swap[[i, k]] = k, i
                g = {
                    **sym.identity((8,)),
                    u.name: Element(np.tile(swap, (8, 1)), np.ones((8, u.n))),
                }
                g = {n: Element(*map(np.asarray, e)) for n, e in g.items()}
                least = np.minimum(least, distance(sym.act(g, r.sites), reference, sym.sites))
    np.testing.assert_allclose(r.distance + r.gap, least, rtol=1e-9)
    # No exchange brings a draw nearer.
    assert (least >= r.distance).all()


@pytest.mark.parametrize("name", CASES)
def test_one_draw_is_aligned_as_among_others(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (5,)), draws(name, seed=1)
    starts = ("forward", "identity")
    together = align(sites, reference, sym, starts=starts)
    for i in range(5):
        alone = align({s: x[i] for s, x in sites.items()}, reference, sym, starts=starts)
        for s in sites:
            np.testing.assert_allclose(alone.sites[s], together.sites[s][i], rtol=1e-9)
        np.testing.assert_allclose(alone.gap, together.gap[i], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["deep", "wide", "conv", "deep signed"])
def test_exact_copies_settle_with_the_first_start(name):
    sym, shapes = WIDE if name == "wide" else CASES[name]
    rng = np.random.default_rng(1)
    reference = {s: rng.normal(size=shape) for s, shape in shapes.items()}
    copies = {s: np.repeat(x[None], 40, 0) for s, x in reference.items()}
    r = align(sym.act(elements(sym, (40,)), copies), reference, sym)
    np.testing.assert_allclose(r.distance, 0, atol=1e-9)
    assert (r.starts == 1).all()


@pytest.mark.parametrize("name", CASES)
def test_a_second_alignment_moves_nothing(name):
    sym, _ = CASES[name]
    reference = draws(name, seed=1)
    first = align(draws(name, (6,)), reference, sym)
    again = align(first.sites, reference, sym)
    for u in sym:
        np.testing.assert_array_equal(
            again.elements[u.name].permutation, np.tile(np.arange(u.n), (6, 1))
        )
        np.testing.assert_allclose(again.elements[u.name].factor, 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", LINEAR)
def test_distance_is_constant_on_orbits(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (6,)), draws(name, seed=1)
    moved = sym.act(elements(sym, (6,)), sites)
    np.testing.assert_allclose(
        align(moved, reference, sym).distance, align(sites, reference, sym).distance, rtol=1e-12
    )


def test_scales_are_found_with_the_permutation():
    sym, _ = CASES["scaled layer"]
    reference = draws("scaled layer", seed=1)
    copies = {s: np.repeat(x[None], 50, 0) for s, x in reference.items()}
    r = align(sym.act(elements(sym, (50,)), copies), reference, sym)
    np.testing.assert_allclose(r.distance, 0, atol=1e-7)
    assert r.exact.all()


def test_blocks_of_a_flat_vector_are_aligned_like_arrays():
    flat, deep = CASES["flat"][0], CASES["deep signed"][0]
    sites, reference = draws("deep signed", (10,)), draws("deep signed", seed=1)

    def ravel(d, lead):
        order = ["w1", "b1", "w2", "b2", "w3"]
        return {"theta": np.concatenate([d[s].reshape(*lead, -1) for s in order], -1)}

    r = align(sites, reference, deep)
    f = align(ravel(sites, (10,)), ravel(reference, ()), flat)
    np.testing.assert_allclose(f.distance, r.distance, rtol=1e-12)
    np.testing.assert_allclose(f.sites["theta"], ravel(r.sites, (10,))["theta"])


@pytest.mark.parametrize("name", ["deep signed", "conv", "lstm", "scaled layer"])
def test_threads_and_chunks_change_nothing(name, monkeypatch):
    sym, _ = CASES[name]
    sites, reference = draws(name, (23,)), draws(name, seed=1)
    one = align(sites, reference, sym, num_threads=1)
    monkeypatch.setattr("numpyro_sym.alignment.engine.direct._CHUNK_BYTES", 4000)
    many = align(sites, reference, sym, num_threads=2)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(many), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_scipy_alone_finds_the_same(monkeypatch):
    sym, _ = CASES["deep"]
    sites, reference = draws("deep", (23,)), draws("deep", seed=1)
    one = align(sites, reference, sym)
    monkeypatch.setattr("numpyro_sym.alignment.engine.assignment.lap", None)
    np.testing.assert_allclose(align(sites, reference, sym).distance, one.distance)


@pytest.mark.parametrize("name", ["signed layer", "deep", "rnn", "deep scaled"])
def test_single_precision_is_close_and_kept(name):
    sym, _ = CASES[name]
    sites, reference = draws(name, (20,), dtype=np.float32), draws(name, seed=1, dtype=np.float32)
    single = align(sites, reference, sym)
    double = align(
        {s: x.astype(float) for s, x in sites.items()},
        {s: x.astype(float) for s, x in reference.items()},
        sym,
    )
    np.testing.assert_allclose(single.distance, double.distance, rtol=2e-5)
    assert {str(x.dtype) for x in single.sites.values()} == {"float32"}
    assert single.distance.dtype == single.gap.dtype == np.float32


def test_numpy_in_numpy_out_and_jax_in_jax_out():
    sym, _ = CASES["deep"]
    sites, reference = draws("deep", (3,)), draws("deep", seed=1)
    assert all(type(a) is np.ndarray for a in jax.tree.leaves(align(sites, reference, sym)))
    on_device = {s: jnp.asarray(x) for s, x in sites.items()}
    r = align(on_device, reference, sym)
    assert all(isinstance(a, jax.Array) for a in jax.tree.leaves(r))
    assert r.sites["w1"].dtype == on_device["w1"].dtype


def test_sites_of_no_units_pass_through():
    sym, _ = CASES["layer"]
    noise = np.array([np.nan, 1.0])
    r = align({**draws("layer", (2,)), "noise": noise}, draws("layer", seed=1), sym)
    assert r.sites["noise"] is noise
    assert list(r.sites) == [*draws("layer"), "noise"]


def test_one_unit_has_nothing_to_exchange():
    sym = mlp(["w1", "w2"], [1])
    r = align(
        {"w1": np.ones((2, 3, 1)), "w2": np.ones((2, 1, 2))},
        {"w1": np.zeros((3, 1)), "w2": np.zeros((1, 2))},
        sym,
    )
    assert np.isinf(r.gap).all()
    assert r.exact.all()


def test_two_axes_of_one_array_and_blocks_of_one_axis():
    """Units that share an axis without meeting there, and a wiring of three axes."""
    sym = Symmetry(
        [
            Units("a", 3, incoming={"x": Axis(0, 0)}, outgoing={"y": 0}, kind="signed"),
            Units("b", 2, incoming={"x": Axis(0, 3)}, outgoing={"y": 1}, kind="signed"),
            Units("c", 2, axes={"y": 2}),
        ]
    )
    rng = np.random.default_rng(0)
    reference = {"x": rng.normal(size=(5, 2)), "y": rng.normal(size=(3, 2, 2))}
    near = {s: x + 0.01 * rng.normal(size=(30, *x.shape)) for s, x in reference.items()}
    r = align(sym.act(elements(sym, (30,)), near), reference, sym)
    np.testing.assert_allclose(r.distance, distance(near, reference, sym.sites), rtol=1e-9)
    assert not r.exact.any()


def test_no_sample_dimensions():
    sym, _ = CASES["deep"]
    r = align(draws("deep"), draws("deep", seed=1), sym)
    assert np.shape(r.distance) == ()
    assert r.elements["hidden1"].permutation.shape == (4,)


@pytest.mark.parametrize(
    ("reference", "row"), [("first", (0, 0)), (4, (1, 1)), ((1, 2), (1, 2)), (-1, (1, 2))]
)
def test_a_draw_as_reference(reference, row):
    if isinstance(reference, int):
        reference = row if reference == 4 else (-1, -1)
    sym, _ = CASES["deep"]
    sites = draws("deep", (2, 3))
    r = align(sites, reference, sym, sample_ndim=2)
    np.testing.assert_array_equal(r.reference["w1"], sites["w1"][row])
    assert r.distance[row] == 0


@pytest.mark.parametrize("name", ["mixture", "signed layer", "deep", "hmm"])
def test_iterated_mean_is_the_mean_of_what_it_aligned(name):
    sym, _ = CASES[name]
    # Unrelated draws: one round is not enough.
    sites = draws(name, (40,))
    r = align(sites, "mean", sym)
    for site in sym.sites:
        np.testing.assert_allclose(r.reference[site], r.sites[site].mean(0), rtol=1e-12)
    np.testing.assert_allclose(r.distance, distance(r.sites, r.reference, sym.sites), rtol=1e-6)
    by_first = align(sites, "first", sym)
    around = distance(by_first.sites, {s: x.mean(0) for s, x in by_first.sites.items()}, sym.sites)
    assert (r.distance**2).sum() < (around**2).sum()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_is_refused(bad):
    sym, _ = CASES["deep"]
    sites, reference = draws("deep", (3,)), draws("deep", seed=1)
    sites["w2"][1, 2, 0] = bad
    with pytest.raises(
        SymmetryError, match=r"site 'w2' of the draws holds 1 NaN or infinite .* \(1, 2, 0\)"
    ):
        align(sites, reference, sym)
    with pytest.raises(SymmetryError, match="site 'w2' of the reference holds 12"):
        align(draws("deep", (3,)), {**reference, "w2": np.full((4, 3), bad)}, sym)


def test_what_does_not_fit_is_refused():
    sym, _ = CASES["deep"]
    sites, reference = draws("deep", (3,)), draws("deep", seed=1)
    without = {s: x for s, x in sites.items() if s != "b1"}
    with pytest.raises(SymmetryError, match="the draws lack site 'b1'"):
        align(without, reference, sym)
    with pytest.raises(SymmetryError, match="the reference lack site 'b1'"):
        align(sites, {s: x for s, x in reference.items() if s != "b1"}, sym)
    with pytest.raises(SymmetryError, match="site 'w1' has shape"):
        align(sites, {**reference, "w1": np.ones((4, 2))}, sym)
    with pytest.raises(SymmetryError, match="must share 1 leading"):
        align({**sites, "b1": np.ones((4, 4))}, reference, sym)
    with pytest.raises(SymmetryError, match="mix dtypes"):
        align({**sites, "b1": np.ones((3, 4), np.float32)}, reference, sym)
    with pytest.raises(SymmetryError, match="has dtype int64; expected floats"):
        align({**sites, "b1": np.ones((3, 4), int)}, reference, sym)
    with pytest.raises(SymmetryError, match=r"reference must be a point .*got 'median'"):
        align(sites, "median", sym)
    with pytest.raises(SymmetryError, match="reference 3 is no draw of sample shape"):
        align(sites, 3, sym)
    with pytest.raises(SymmetryError, match="site 'w1' of the draws is traced"):
        jax.jit(lambda d: align(d, reference, sym).distance)(sites)
    with pytest.raises(SymmetryError, match="no draws to align"):
        align(draws("deep", (0,)), reference, sym)
    with pytest.raises(SymmetryError, match="no Units"):
        align(sites, reference, Symmetry())
    cubic = Symmetry([Units("u", 4, axes={"b1": Axis(0, power=3)}, kind="scaled")])
    with pytest.raises(SymmetryError, match="powers -1, 0 and 1"):
        align(sites, reference, cubic)


@pytest.mark.parametrize("reference", ["first", "mean"])
def test_a_site_without_entries_comes_back(reference):
    draws = {"none": np.zeros((5, 2, 0)), "mu": np.random.default_rng(0).normal(size=(5, 2))}
    sym = mixture(2, {"none": 0, "mu": 0})
    found = align(draws, reference, sym)
    assert found.sites["none"].shape == (5, 2, 0)
    alone = align({"mu": draws["mu"]}, reference, mixture(2, {"mu": 0}))
    np.testing.assert_array_equal(found.sites["mu"], alone.sites["mu"])
    empty = align({"none": draws["none"]}, reference, mixture(2, {"none": 0}))
    assert not empty.distance.any()


def test_the_index_of_a_draw_tells_how_many_sample_dimensions_there_are():
    rng = np.random.default_rng(0)
    mu = rng.normal([0, 5], size=(2, 40, 2))
    mu[1] = mu[1, :, ::-1]
    found = align({"mu": mu}, (1, 3), mixture(2, {"mu": 0}))
    assert found.distance.shape == (2, 40)
    np.testing.assert_array_equal(found.sites["mu"][1], mu[1])
    np.testing.assert_array_equal(found.sites["mu"][0], mu[0, :, ::-1])
