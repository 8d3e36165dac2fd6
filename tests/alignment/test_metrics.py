"""Metrics against brute force over the group, and two Gaussians aligned."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alignment_cases import CASES, draws, elements

from numpyro_sym import Element, SymmetryError, mlp
from numpyro_sym.alignment import (
    Activations,
    Wasserstein,
    Whitened,
    align,
    align_gaussians,
    wasserstein_geodesic,
)
from numpyro_sym.alignment.metrics import View

CHECKED = ["layer", "signed layer", "mixture", "factors"]


def _every(sym, point):
    """A point under every element, and the elements."""
    g = {n: Element(*map(np.asarray, e)) for n, e in sym.elements().items()}
    return g, sym.act(g, {s: np.broadcast_to(x, (sym.order, *x.shape)) for s, x in point.items()})


def _positive(name, sample=(), seed=0):
    return {s: np.exp(x) for s, x in draws(name, sample, seed).items()}


def _squares(moved, reference, weights=None):
    return sum(
        (np.square(moved[s] - r) * (1 if weights is None else weights[s]))
        .reshape(len(moved[s]), -1)
        .sum(-1)
        for s, r in reference.items()
    )


@pytest.mark.parametrize("name", CHECKED)
def test_whitened_is_the_least_weighted_distance(name):
    sym, _ = CASES[name]
    sites, reference, scale = draws(name, (6,)), draws(name, seed=1), _positive(name, seed=2)
    r = align(sites, reference, sym, metric=Whitened(scale))
    for b in range(6):
        _, moved = _every(sym, {s: x[b] for s, x in sites.items()})
        best = _squares(moved, reference, {s: x**-2 for s, x in scale.items()}).min()
        np.testing.assert_allclose(r.distance[b] ** 2, best, rtol=1e-10)
    assert r.exact.all()


@pytest.mark.parametrize("name", CHECKED)
def test_wasserstein_is_the_least_over_means_and_scales(name):
    sym, _ = CASES[name]
    loc, scale = draws(name, (6,)), _positive(name, (6,), seed=2)
    loc0, scale0 = draws(name, seed=1), _positive(name, seed=3)
    r = align_gaussians(loc, scale, loc0, scale0, sym)
    for b in range(6):
        g, moved = _every(sym, {s: x[b] for s, x in loc.items()})
        unsigned = {n: Element(e.permutation, np.abs(e.factor)) for n, e in g.items()}
        spread = sym.act(
            unsigned,
            {s: np.broadcast_to(x[b], (sym.order, *x.shape[1:])) for s, x in scale.items()},
        )
        best = (_squares(moved, loc0) + _squares(spread, scale0)).min()
        np.testing.assert_allclose(r.distance[b] ** 2, best, rtol=1e-10)
    again = _squares(r.loc, loc0) + _squares(r.scale, scale0)
    np.testing.assert_allclose(r.distance**2, again, rtol=1e-10)
    assert all((s > 0).all() for s in r.scale.values())


def test_only_wasserstein_sees_permuted_standard_deviations():
    sym, _ = CASES["layer"]
    loc = {s: np.zeros_like(x) for s, x in draws("layer").items()}
    scale = _positive("layer", seed=3)
    g = elements(sym, seed=1)
    permuted = sym.act(g, scale)
    assert any((permuted[s] != scale[s]).any() for s in scale)
    found = align_gaussians(loc, permuted, loc, scale, sym)
    np.testing.assert_allclose(found.distance, 0, atol=1e-12)
    # The negative control: by the means alone nothing tells the units apart.
    by_means = align(loc, loc, sym)
    assert any((sym.act(by_means.elements, permuted)[s] != scale[s]).any() for s in scale)


@pytest.mark.parametrize("kind", ["permutation", "signed", "scaled"])
def test_activations_recover_a_moved_network(kind):
    activation = {
        "permutation": lambda x: jnp.log1p(jnp.exp(x)),
        "signed": jnp.tanh,
        "scaled": lambda x: jnp.maximum(x, 0.1 * x),
    }[kind]
    sym = mlp(["w1", "w2", "w3"], [4, 3], biases=["b1", "b2"], kind=kind)

    def apply(p, x):
        one = activation(x @ p["w1"] + p["b1"])
        two = activation(one @ p["w2"] + p["b2"])
        return {"hidden1": one, "hidden2": two}

    with jax.enable_x64(True):
        reference = draws("deep", seed=1)
        inputs = np.random.default_rng(0).normal(size=(30, 2))
        copies = {s: np.repeat(x[None], 20, 0) for s, x in reference.items()}
        moved = sym.act(elements(sym, (20,)), copies)
        r = align(moved, reference, sym, metric=Activations(apply, inputs))
        for site, x in reference.items():
            np.testing.assert_allclose(
                r.sites[site], np.broadcast_to(x, (20, *x.shape)), rtol=1e-6, atol=1e-9
            )
        assert r.exact.all()
        np.testing.assert_allclose(r.distance, 0, atol=1e-7)


def test_other_references_than_points():
    sym, _ = CASES["deep"]
    loc, scale = draws("deep", (7,)), _positive("deep", (7,), seed=2)
    first = align(loc, "first", sym, metric=Wasserstein(scale))
    assert first.distance[0] == 0
    mean = align(loc, "mean", sym, metric=Wasserstein(scale))
    for site, x in mean.reference.items():
        np.testing.assert_allclose(x, mean.sites[site].mean(0))


def test_geodesic_ends_where_it_should_and_has_constant_speed():
    loc0, scale0, loc1, scale1 = (
        draws("deep"),
        _positive("deep", seed=1),
        draws("deep", seed=2),
        _positive("deep", seed=3),
    )
    t = np.linspace(0, 1, 5)
    loc, scale = wasserstein_geodesic(loc0, scale0, loc1, scale1, t)
    for site in loc0:
        np.testing.assert_allclose(loc[site][0], loc0[site])
        np.testing.assert_allclose(loc[site][-1], loc1[site])
        np.testing.assert_allclose(scale[site][-1], scale1[site])
        assert loc[site].shape == (5, *loc0[site].shape)
    steps = [
        _squares({s: x[i : i + 1] for s, x in loc.items()}, {s: x[i + 1] for s, x in loc.items()})
        + _squares(
            {s: x[i : i + 1] for s, x in scale.items()}, {s: x[i + 1] for s, x in scale.items()}
        )
        for i in range(4)
    ]
    whole = sum(
        np.square(loc0[s] - loc1[s]).sum() + np.square(scale0[s] - scale1[s]).sum() for s in loc0
    )
    np.testing.assert_allclose(np.sqrt(steps).sum(), np.sqrt(whole))


def test_what_does_not_fit_is_refused():
    sym, _ = CASES["layer"]
    sites, reference = draws("layer", (2,)), draws("layer", seed=1)
    scale = _positive("layer")
    with pytest.raises(SymmetryError, match="scale lacks site 'b1'"):
        align(sites, reference, sym, metric=Whitened({s: x for s, x in scale.items() if s != "b1"}))
    with pytest.raises(SymmetryError, match="scale of site 'w1' must be positive"):
        align(sites, reference, sym, metric=Whitened({**scale, "w1": -scale["w1"]}))
    with pytest.raises(
        SymmetryError, match=r"scale of site 'w1' has shape \(4,\); expected \(3, 4\)"
    ):
        align(sites, reference, sym, metric=Whitened({**scale, "w1": scale["b1"]}))
    with pytest.raises(SymmetryError, match="give its reference_scale"):
        align(sites, reference, sym, metric=Wasserstein(_positive("layer", (2,))))
    with pytest.raises(SymmetryError, match="apply returned nothing for Units 'hidden'"):
        align(sites, reference, sym, metric=Activations(lambda p, x: {}, None))
    with pytest.raises(SymmetryError, match="starts must be"):
        align(sites, reference, sym, starts=("clever",))


class Doubled:
    """A metric of one's own, which compares other values under the sites' names."""

    def view(self, draws, reference, sym):
        return View(
            {s: 2 * x for s, x in draws.items()}, {s: 2 * x for s, x in reference.items()}, sym
        )


def test_a_metric_of_ones_own_does_not_change_the_draws():
    sym, _ = CASES["layer"]
    sites, reference = draws("layer", (3,)), draws("layer", seed=1)
    r, plain = align(sites, reference, sym, metric=Doubled()), align(sites, reference, sym)
    np.testing.assert_allclose(r.distance, 2 * plain.distance)
    for site in sites:
        np.testing.assert_array_equal(r.sites[site], plain.sites[site])
