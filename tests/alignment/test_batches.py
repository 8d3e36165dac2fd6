"""Batches of units and wreath products: every law against the whole group where it is small."""

from __future__ import annotations

from itertools import product

import jax
import numpy as np
import pytest
from alignment_cases import distance
from numpyro.diagnostics import gelman_rubin
from registry import BATCHED, BY_NAME, CASES, Case, random_point

from numpyro_sym import Axis, Element, Symmetry, Units
from numpyro_sym.alignment import (
    Activations,
    Whitened,
    align,
    align_chunked,
    align_gaussians,
    align_in_jit,
    minimum_mass,
)
from numpyro_sym.alignment.metrics import act_on_scales

#: Batches without a model: what else may lie on an axis.
_BATCH_OF_TWO = {
    "axes": {"w": (Axis(1, batch=0), Axis(2, batch=0)), "v": Axis(1, batch=0)},
    "batch": 2,
}
EXTRA = {
    # Units that all members share, beside each member's own.
    "shared": (
        Symmetry(
            [
                Units("stream", 3, axes={"w": 1, "b": 0}),
                Units(
                    "hidden",
                    2,
                    batch=2,
                    kind="signed",
                    incoming={"w": Axis(2, batch=0), "c": Axis(1, batch=0)},
                ),
            ]
        ),
        {"w": (2, 3, 2), "b": (3,), "c": (2, 2)},
    ),
    "shared and exchanged": (
        Symmetry(
            [
                Units("stream", 2, axes={"w": 1, "b": 0}),
                Units(
                    "hidden",
                    2,
                    batch=3,
                    kind="signed",
                    incoming={"w": Axis(2, batch=0), "c": Axis(1, batch=0)},
                ),
                Units("member", 3, axes={"w": 0, "c": 0}),
            ]
        ),
        {"w": (3, 2, 2), "b": (2,), "c": (3, 2)},
    ),
    "recurrent members": (
        Symmetry([Units("state", 3, **_BATCH_OF_TWO), Units("member", 2, axes={"w": 0, "v": 0})]),
        {"w": (2, 3, 3), "v": (2, 3)},
    ),
    "recurrent and shared": (
        Symmetry([Units("state", 3, **_BATCH_OF_TWO), Units("input", 2, axes={"v": 2})]),
        {"w": (2, 3, 3), "v": (2, 3, 2)},
    ),
    "deep members": (
        Symmetry(
            [
                Units(
                    "one",
                    2,
                    batch=2,
                    incoming={"w1": Axis(1, batch=0)},
                    outgoing={"w2": Axis(1, batch=0)},
                ),
                Units(
                    "two",
                    2,
                    batch=2,
                    incoming={"w2": Axis(2, batch=0)},
                    outgoing={"w3": Axis(1, batch=0)},
                ),
                Units("member", 2, axes={"w1": 0, "w2": 0, "w3": 0}),
            ]
        ),
        {"w1": (2, 2), "w2": (2, 2, 2), "w3": (2, 2)},
    ),
    "heads of layers": (
        Symmetry(
            [
                Units("head", 2, batch=2, axes={"w": Axis(1, batch=0), "bias": Axis(0, batch=1)}),
                Units(
                    "unit", 2, batch=(2, 2), incoming={"w": Axis(2, batch=(0, 1))}, kind="signed"
                ),
            ]
        ),
        {"w": (2, 2, 2, 2), "bias": (2, 2)},
    ),
    "heads of layers of members": (
        Symmetry(
            [
                Units("member", 2, axes={"w": 0, "bias": 1}),
                Units("head", 2, batch=2, axes={"w": Axis(1, batch=0), "bias": Axis(0, batch=1)}),
                Units("unit", 2, batch=(2, 2), axes={"w": Axis(2, batch=(0, 1))}),
            ]
        ),
        {"w": (2, 2, 2, 2), "bias": (2, 2)},
    ),
    "batch last, blocks": (
        Symmetry(
            [Units("unit", 2, batch=3, axes={"x": Axis(0, start=1, outer=2, inner=2, batch=-1)})]
        ),
        {"x": (10, 2, 3)},
    ),
    "two on one array": (
        Symmetry([Units("row", 2, axes={"x": 0}), Units("column", 3, axes={"x": 1})]),
        {"x": (2, 3)},
    ),
    "two on one array, signed": (
        Symmetry(
            [
                Units(n, k, incoming={"x": a}, kind="signed")
                for n, k, a in (("row", 2, 0), ("column", 3, 1))
            ]
        ),
        {"x": (2, 3)},
    ),
}


def _shapes(case: Case) -> dict[str, tuple[int, ...]]:
    with jax.enable_x64(True):
        return {
            name: np.shape(x)
            for name, x in random_point(case.name).items()
            if name in case.sym.sites
        }


def _problem(name: str) -> tuple[Symmetry, dict[str, tuple[int, ...]]]:
    return EXTRA[name] if name in EXTRA else (BY_NAME[name].sym, _shapes(BY_NAME[name]))


EVERY = [*EXTRA, *(case.name for case in BATCHED)]
#: Groups of which every element is tried.
SMALL = [
    name
    for name in EVERY
    if (EXTRA[name][0] if name in EXTRA else BY_NAME[name].sym).order <= 20_000
]
SMALL += [case.name for case in CASES if case.sym.order <= 3_000]


def _normal(shapes, sample=(), seed=0):
    rng = np.random.default_rng(seed)
    return {site: rng.normal(size=(*sample, *shape)) for site, shape in shapes.items()}


def _elements(sym, sample, seed=0):
    with jax.enable_x64(True):
        return {
            n: Element(*map(np.asarray, e))
            for n, e in sym.sample(jax.random.key(seed), sample).items()
        }


def _least(sym, draws, reference, sites=None):
    """The least distance of each draw over every element of the group."""
    every = {n: Element(*map(np.asarray, e)) for n, e in sym.elements().items()}
    best = []
    for b in range(len(next(iter(draws.values())))):
        copies = {
            site: np.broadcast_to(x[b], (sym.order, *x.shape[1:])) for site, x in draws.items()
        }
        best.append(distance(sym.act(every, copies), reference, sites or sym.sites).min())
    return np.array(best)


@pytest.mark.parametrize("name", EVERY)
def test_planted_copies_come_back_exactly(name):
    sym, shapes = _problem(name)
    reference = _normal(shapes)
    copies = {site: np.broadcast_to(x, (20, *x.shape)) for site, x in reference.items()}
    r = align(sym.act(_elements(sym, (20,)), copies), reference, sym)
    np.testing.assert_array_equal(r.distance, 0)
    for site, x in r.sites.items():
        np.testing.assert_array_equal(x, copies[site])


@pytest.mark.parametrize("name", SMALL)
def test_no_element_of_the_group_is_nearer(name):
    sym, shapes = _problem(name)
    draws, reference = _normal(shapes, (4,), 1), _normal(shapes)
    r = align(draws, reference, sym)
    np.testing.assert_allclose(r.distance, _least(sym, draws, reference), rtol=1e-10)


@pytest.mark.parametrize("name", EVERY)
def test_elements_bring_draws_where_sites_are(name):
    sym, shapes = _problem(name)
    draws, reference = _normal(shapes, (2, 3), 1), _normal(shapes)
    r = align(draws, reference, sym)
    assert r.distance.shape == r.gap.shape == r.exact.shape == (2, 3)
    for site, x in sym.act(r.elements, draws).items():
        np.testing.assert_allclose(x, r.sites[site], atol=1e-12)
    np.testing.assert_allclose(r.distance, distance(r.sites, reference, sym.sites), rtol=1e-10)
    assert (r.distance <= r.distance_before).all()
    assert (r.gap >= 0).all()


def test_what_shares_no_array_is_called_exact():
    exact = {
        name: align(_normal(s, (3,), 1), _normal(s), sym).exact.all()
        for name in EVERY
        for sym, s in [_problem(name)]
    }
    assert all(
        exact[name]
        for name in ("subjects", "scanned", "ensemble", "attention-inner", "signed-groups")
    )


@pytest.mark.parametrize(
    "name", ["subjects", "ensemble-small", "ensemble-small-fixed", "signed-groups"]
)
def test_gap_is_the_cheapest_change(name):
    """Of single exchanges and signs of inner units, and of outer ones with the inner
    settled again.
    """
    sym, shapes = _problem(name)
    draws, reference = _normal(shapes, (3,), 1), _normal(shapes)
    r = align(draws, reference, sym)
    outer = [u for u in sym if any(u in [t for _, t in sym.outer_of(v)] for v in sym)]
    for b in range(3):
        here = {site: x[b] for site, x in r.sites.items()}
        found = []
        for u in sym:
            inner = Symmetry(v for v in sym if v not in outer) if u in outer else None
            for change in _single_changes(u):
                g = {
                    **{n: Element(*map(np.asarray, e)) for n, e in sym.identity().items()},
                    u.name: change,
                }
                moved = {site: x[None] for site, x in sym.act(g, here).items()}
                every = (
                    _least(inner, moved, reference, sym.sites)
                    if inner
                    else distance(moved, reference, sym.sites)
                )
                found.append(every[0])
        assert r.gap[b] == pytest.approx(min(found) - r.distance[b], abs=1e-9)


def _single_changes(u):
    straight, ones = np.broadcast_to(np.arange(u.n), u.shape), np.ones(u.shape)
    for where in np.ndindex(u.batch):
        for i in range(u.n):
            for k in range(i):
                permutation = straight.copy()
                permutation[where][[i, k]] = k, i
                for signs in product((1.0, -1.0), repeat=2 if u.kind == "signed" else 0):
                    factor = ones.copy()
                    factor[where][[i, k]] = signs or 1.0
                    yield Element(permutation, factor)
            if u.kind == "signed":
                factor = ones.copy()
                factor[(*where, i)] = -1
                yield Element(straight, factor)


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_two_units_on_one_array_miss_no_copy(kind):
    rng = np.random.default_rng(0)
    units = [
        Units(n, k, incoming={"x": a}, kind=kind) for n, k, a in (("row", 2, 0), ("column", 3, 1))
    ]
    sym = Symmetry(units)
    missed = 0
    for _ in range(60):
        reference = {"x": rng.normal(size=(2, 3))}
        sample = (12,)
        copies = {"x": np.broadcast_to(reference["x"], (*sample, 2, 3))}
        moved = sym.act(_elements(sym, sample, int(rng.integers(2**31))), copies)
        missed += int((align(moved, reference, sym).distance > 0).sum())
    assert missed == 0


@pytest.mark.parametrize("subjects", [10, 100])
def test_switching_within_subjects_is_undone(subjects):
    sym = Symmetry([Units("component", 3, batch=subjects, axes={"mu": Axis(1, batch=0)})])
    rng = np.random.default_rng(0)
    true = np.array([-4.0, 0.0, 4.0]) + 0.3 * rng.normal(size=(2, 200, subjects, 3))
    draws = sym.act(_elements(sym, (2, 200)), {"mu": true})
    r = align(draws, "mean", sym, sample_ndim=2)
    order = np.argsort(r.sites["mu"].mean((0, 1)), -1)
    np.testing.assert_array_equal(
        np.take_along_axis(r.sites["mu"], np.broadcast_to(order, true.shape), -1), true
    )
    assert r.exact.all()


def test_one_permutation_for_all_subjects_is_not_enough():
    """The negative control: where each chain's subjects switch by themselves, R-hat stays high."""
    own = Symmetry([Units("component", 3, batch=100, axes={"mu": Axis(1, batch=0)})])
    shared = Symmetry([Units("component", 3, axes={"mu": 1})])
    rng = np.random.default_rng(0)
    true = np.array([-4.0, 0.0, 4.0]) + 0.3 * rng.normal(size=(4, 250, 100, 3))
    order = rng.permuted(np.broadcast_to(np.arange(3), (4, 1, 100, 3)), axis=-1)
    draws = {"mu": np.take_along_axis(true, order, -1)}
    aligned, control = (
        align(draws, "first", sym, sample_ndim=2).sites["mu"] for sym in (own, shared)
    )
    assert gelman_rubin(aligned).max() < 1.01
    assert gelman_rubin(control).max() > 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["subjects", "ensemble-small", "signed-groups", "attention-inner", "shared"]
)
def test_in_jit_it_is_as_near(name):
    sym, shapes = _problem(name)
    with jax.enable_x64(True):
        draws, reference = _normal(shapes, (4,), 1), _normal(shapes)
        r = jax.jit(jax.vmap(lambda x: align_in_jit(x, reference, sym)))(draws)
        host = align(draws, reference, sym)
        np.testing.assert_allclose(r.distance, distance(r.sites, reference, sym.sites), rtol=1e-9)
        for site, x in sym.act(r.elements, draws).items():
            np.testing.assert_allclose(x, r.sites[site], atol=1e-12)
        if name != "shared":
            np.testing.assert_allclose(r.distance, host.distance, rtol=1e-9)
        assert (r.distance <= r.distance_before).all()


def test_single_precision_finds_what_double_does():
    sym, shapes = _problem("ensemble-small")
    draws, reference = (
        {n: x.astype(np.float32) for n, x in s.items()}
        for s in (_normal(shapes, (5,), 1), _normal(shapes))
    )
    single = align(draws, reference, sym)
    double = align(
        {n: x.astype(float) for n, x in draws.items()},
        {n: x.astype(float) for n, x in reference.items()},
        sym,
    )
    assert single.distance.dtype == np.float32
    np.testing.assert_allclose(single.distance, double.distance, rtol=1e-5)


# What stands on alignment ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["subjects", "ensemble-small"])
def test_gaussians_that_were_moved_come_back(name):
    sym, shapes = _problem(name)
    loc, scale = _normal(shapes), {site: np.exp(x) for site, x in _normal(shapes, seed=1).items()}
    g = {n: Element(*(a[0] for a in e)) for n, e in _elements(sym, (1,), 3).items()}
    r = align_gaussians(sym.act(g, loc), act_on_scales(sym, g, scale), loc, scale, sym)
    assert r.distance == 0
    for site in shapes:
        np.testing.assert_array_equal(r.loc[site], loc[site])
        np.testing.assert_array_equal(r.scale[site], scale[site])


def test_weighted_distances_are_the_least_over_the_group():
    sym, shapes = _problem("ensemble-small")
    draws, reference = _normal(shapes, (3,), 1), _normal(shapes)
    scale = {site: np.exp(x) for site, x in _normal(shapes, seed=2).items()}
    r = align(draws, reference, sym, metric=Whitened(scale))
    every = {n: Element(*map(np.asarray, e)) for n, e in sym.elements().items()}
    for b in range(3):
        copies = {
            site: np.broadcast_to(x[b], (sym.order, *x.shape[1:])) for site, x in draws.items()
        }
        moved = {site: x / scale[site] for site, x in sym.act(every, copies).items()}
        least = distance(
            moved, {site: x / scale[site] for site, x in reference.items()}, sym.sites
        ).min()
        assert r.distance[b] == pytest.approx(least, rel=1e-10)


def test_activations_have_the_batch_first():
    case = BY_NAME["ensemble-small"]
    x = np.random.default_rng(0).normal(size=(20, 3))

    def apply(point, x):
        hidden = jax.numpy.tanh(jax.numpy.einsum("bd,mdu->bmu", x, point["w1"]) + point["b1"])
        return {
            "hidden": hidden.transpose(1, 0, 2),
            "member": jax.numpy.einsum("bmu,mu->bm", hidden, point["w2"]),
        }

    with jax.enable_x64(True):
        reference = _normal(_shapes(case))
        copies = {site: np.broadcast_to(v, (10, *v.shape)) for site, v in reference.items()}
        moved = case.sym.act(_elements(case.sym, (10,)), copies)
        r = align(moved, reference, case.sym, metric=Activations(apply, x))
    for site, v in r.sites.items():
        np.testing.assert_allclose(v, copies[site], atol=1e-12)


def test_chunks_of_dask_are_aligned_as_in_memory():
    da = pytest.importorskip("dask.array")
    sym, shapes = _problem("ensemble-small")
    draws, reference = _normal(shapes, (12,), 1), _normal(shapes)
    lazy = {site: da.from_array(x, chunks=(5, *x.shape[1:])) for site, x in draws.items()}
    found, expected = align_chunked(lazy, reference, sym), align(draws, reference, sym)
    np.testing.assert_allclose(found.distance.compute(), expected.distance)
    np.testing.assert_array_equal(
        found.elements["hidden"].permutation.compute(), expected.elements["hidden"].permutation
    )


def test_scales_of_each_set_are_at_rest():
    sets = Units(
        "hidden",
        3,
        batch=2,
        incoming={"w": Axis(2, batch=0)},
        outgoing={"v": Axis(1, batch=0)},
        kind="scaled",
    )
    alone = Units("hidden", 3, incoming={"w": 1}, outgoing={"v": 0}, kind="scaled")
    draws = _normal({"w": (2, 4, 3), "v": (2, 3)}, (5,))
    found = minimum_mass(draws, Symmetry([sets]), sample_ndim=1).sites
    for b in range(2):
        one = minimum_mass(
            {site: x[:, b] for site, x in draws.items()}, Symmetry([alone]), sample_ndim=1
        ).sites
        for site, x in one.items():
            np.testing.assert_allclose(found[site][:, b], x)
