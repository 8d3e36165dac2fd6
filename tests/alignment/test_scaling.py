"""Gauges of scaled units: the function unchanged, the optimum reached, whatever the scales were."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alignment_cases import CASES, draws, elements

from numpyro_sym import Symmetry, SymmetryError, Units, mlp
from numpyro_sym.alignment import minimum_mass, unit_norm, unit_variance

GAUGES = [minimum_mass, unit_norm, unit_variance]
SYM, SHAPES = CASES["deep scaled"]


def _output(p, x):
    for i in (1, 2):
        x = np.maximum(x @ p[f"w{i}"] + p[f"b{i}"], 0)
    return x @ p["w3"]


def _mass(p):
    return sum(np.square(x).reshape(len(x), -1).sum(-1) for x in p.values())


@pytest.mark.parametrize("gauge", GAUGES)
def test_the_function_stays_and_the_gauge_is_a_fold(gauge):
    sites = draws("deep scaled", (5,))
    r = gauge(sites, SYM, sample_ndim=1)
    x = np.random.default_rng(0).normal(size=(10, 2))
    for b in range(5):
        before, after = ({s: a[b] for s, a in d.items()} for d in (sites, r.sites))
        np.testing.assert_allclose(_output(after, x), _output(before, x), rtol=1e-10, atol=1e-12)
    again = gauge(r.sites, SYM, sample_ndim=1)
    moved = gauge(SYM.act(_scales_only(elements(SYM, (5,))), sites), SYM, sample_ndim=1)
    for site in sites:
        np.testing.assert_allclose(again.sites[site], r.sites[site], rtol=1e-9)
        np.testing.assert_allclose(moved.sites[site], r.sites[site], rtol=1e-6)
        np.testing.assert_array_equal(r.sites[site], SYM.act(r.elements, sites)[site])


def _scales_only(g):
    return {
        n: e._replace(permutation=np.broadcast_to(np.arange(e.factor.shape[-1]), e.factor.shape))
        for n, e in g.items()
    }


def test_minimum_mass_has_no_gradient_left():
    sites = draws("deep scaled", (5,))
    r = minimum_mass(sites, SYM, sample_ndim=1)
    assert (_mass(r.sites) <= _mass(sites)).all()

    def mass(logs, p):
        g = {u.name: (jnp.arange(u.n), jnp.exp(logs[u.name])) for u in SYM}
        from numpyro_sym import Element

        return sum(
            jnp.sum(x**2) for x in SYM.act({n: Element(*e) for n, e in g.items()}, p).values()
        )

    with jax.enable_x64(True):
        for b in range(5):
            p = {s: jnp.asarray(a[b]) for s, a in r.sites.items()}
            gradient = jax.grad(mass)({u.name: jnp.zeros(u.n) for u in SYM}, p)
            assert max(float(jnp.abs(g).max()) for g in gradient.values()) < 1e-6


def test_one_layer_in_closed_form():
    sym = mlp(["w1", "w2"], [4], biases=["b1"], kind="scaled")
    p = draws("scaled layer")
    incoming = np.sqrt((p["w1"] ** 2).sum(0) + p["b1"] ** 2)
    outgoing = np.sqrt((p["w2"] ** 2).sum(1))
    r = minimum_mass(p, sym)
    np.testing.assert_allclose(r.elements["hidden"].factor, np.sqrt(outgoing / incoming))
    total = sum(np.square(x).sum() for x in r.sites.values())
    np.testing.assert_allclose(total, 2 * (incoming * outgoing).sum())


def test_norms_and_deviations_are_one():
    for gauge, size in (
        (unit_norm, lambda a: np.linalg.norm(a, axis=0)),
        (unit_variance, lambda a: a.std(0)),
    ):
        r = gauge(draws("deep scaled"), SYM).sites
        for i in (1, 2):
            np.testing.assert_allclose(size(np.vstack([r[f"w{i}"], r[f"b{i}"]])), 1, atol=1e-6)


def test_recurrent_units_reach_the_minimum():
    sym = Symmetry(
        [Units("s", 4, incoming={"r": 1, "u": 1}, outgoing={"r": 0, "v": 0}, kind="scaled")]
    )
    rng = np.random.default_rng(0)
    p = {"r": rng.normal(size=(4, 4)), "u": rng.normal(size=(2, 4)), "v": rng.normal(size=(4, 1))}
    r = minimum_mass(p, sym)
    best = sum(np.square(x).sum() for x in r.sites.values())
    for seed in range(200):
        near = sym.act(
            _scales_only(
                {n: e._replace(factor=e.factor**0.01) for n, e in elements(sym, seed=seed).items()}
            ),
            r.sites,
        )
        assert sum(np.square(x).sum() for x in near.values()) >= best


def test_recurrent_units_do_not_swing():
    sym = Symmetry(
        [Units("s", 2, incoming={"r": 1, "u": 1}, outgoing={"r": 0, "v": 0}, kind="scaled")]
    )
    p = {
        "r": np.array([[0.0, 4.0], [1.0, 0.0]]),
        "u": np.full((1, 2), 1e-2),
        "v": np.full((2, 1), 1e-2),
    }
    r = minimum_mass(p, sym)
    np.testing.assert_allclose(r.sites["r"], [[0, 2], [2, 0]], atol=1e-3)


def test_dead_units_keep_their_scale_and_dtypes_stay():
    sym = mlp(["w1", "w2"], [4], biases=["b1"], kind="scaled")
    p = draws("scaled layer", dtype=np.float32)
    p["w2"][1] = 0
    for gauge in GAUGES:
        r = gauge(p, sym)
        assert r.sites["w1"].dtype == np.float32
        assert np.isfinite(r.sites["w1"]).all()
    assert minimum_mass(p, sym).elements["hidden"].factor[1] == 1


def test_what_has_no_gauge_is_refused():
    with pytest.raises(SymmetryError, match="no Units of kind 'scaled'"):
        minimum_mass(draws("layer"), CASES["layer"][0])
    with pytest.raises(SymmetryError, match="'u' have no outgoing site"):
        minimum_mass(draws("layer"), Symmetry([Units("u", 4, incoming={"b1": 0}, kind="scaled")]))
