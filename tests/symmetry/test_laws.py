"""The laws of the action, on every registered symmetry, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from registry import BATCHED, CASES, moving, random_point, view

import numpyro_sym as nsym

pytestmark = pytest.mark.usefixtures("x64")
over_cases = pytest.mark.parametrize("case", [*CASES, *BATCHED], ids=lambda c: c.name)


def close(a, b):
    for name, x in a.items():
        np.testing.assert_allclose(x, b[name], rtol=1e-12, atol=1e-12, err_msg=name)


def predictions(case, sites):
    seeded = handlers.seed(handlers.substitute(case.model, data=sites), 0)
    return handlers.trace(seeded).get_trace(*case.args)["f"]["value"]


@over_cases
def test_group_laws(case, rng_key):
    sym, point = case.sym, random_point(case.name)
    g, h = (moving(sym, k) for k in jax.random.split(rng_key))
    close(sym.act(sym.compose(g, h), point), sym.act(g, sym.act(h, point)))
    close(sym.act(sym.inverse(g), sym.act(g, point)), point)
    close(sym.act(sym.identity(), point), point)
    moved = sym.act(g, point)
    assert all(not np.allclose(moved[s], point[s]) for s in sym.sites)


@over_cases
def test_density_and_predictions_are_invariant(case, rng_key):
    model, scaled = view(case.name), any(u.kind == "scaled" for u in case.sym)
    point = random_point(case.name)
    moved = case.sym.act(moving(case.sym, rng_key), point)
    (latent, observed), (latent_moved, observed_moved) = (
        model.evaluate(point)[:2],
        model.evaluate(moved)[:2],
    )
    np.testing.assert_allclose(sum(observed_moved.values()), sum(observed.values()), rtol=1e-11)
    joint, joint_moved = sum(latent.values()), sum(latent_moved.values())
    if scaled:
        assert abs(joint - joint_moved) > 1e-3, "a Gaussian prior is not invariant under scales"
    else:
        np.testing.assert_allclose(joint_moved, joint, rtol=1e-11)
    np.testing.assert_allclose(
        predictions(case, moved), predictions(case, point), rtol=1e-10, atol=1e-12
    )


@over_cases
def test_acting_on_one_site_alone_is_no_symmetry(case, rng_key):
    """Negative control: a class that loses a site changes the density, so the law above
    can fail.
    """
    model = view(case.name)
    point = random_point(case.name)
    moved = case.sym.act(moving(case.sym, rng_key), point)
    site = case.sym.sites[0]
    if case.sym.sites == (site,):
        pytest.skip("there is only one site")
    before, after = (
        sum(model.evaluate(p)[1].values()) for p in (point, {**point, site: moved[site]})
    )
    assert abs(before - after) > 1e-6


@over_cases
def test_jit_vmap_and_numpy_agree(case, rng_key):
    sym, model = case.sym, view(case.name)
    draws = [random_point(case.name, seed) for seed in range(6)]
    points = {site: jnp.stack([draw[site] for draw in draws]) for site in model.shapes}
    g = sym.sample(rng_key, (6,))
    batched = sym.act(g, points)
    close(batched, jax.vmap(sym.act)(g, points))
    close(batched, jax.jit(sym.act)(g, points))
    on_host = sym.act(*jax.tree.map(np.asarray, (g, dict(points))))
    assert all(isinstance(x, np.ndarray) for x in on_host.values())
    close(batched, on_host)
    twice = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), (g, dict(points)))
    close({s: x.reshape(6, *x.shape[2:]) for s, x in sym.act(*twice).items()}, batched)
    one = sym.act(jax.tree.map(lambda x: x[4], g), {s: x[4] for s, x in points.items()})
    close({s: x[4] for s, x in batched.items()}, one)


@pytest.mark.parametrize("kind", ["permutation", "signed", "scaled"])
def test_action_is_its_definition(kind, rng_key):
    """``new[i] = factor[i]**power * old[permutation[i]]``, entry by entry, blocks and all."""
    axis = nsym.Axis(1, start=2, outer=2, inner=3, power=-1)
    units = nsym.Units("u", 4, axes={"x": axis}, incoming={"y": 0}, kind=kind)
    sym = nsym.Symmetry([units])
    x = jax.random.normal(rng_key, (5, 2 + 2 * 4 * 3 + 1))
    y = jax.random.normal(rng_key, (4,))
    g = sym.sample(rng_key)
    perm, factor = (np.asarray(a) for a in g["u"])
    expected = np.array(x)
    for o in range(2):
        for i in range(4):
            for k in range(3):
                new, old = 2 + (o * 4 + i) * 3 + k, 2 + (o * 4 + perm[i]) * 3 + k
                expected[:, new] = np.asarray(x)[:, old] / factor[i]
    moved = sym.act(g, {"x": x, "y": y, "other": y})
    np.testing.assert_allclose(moved["x"], expected, rtol=1e-14)
    np.testing.assert_allclose(moved["y"], factor * np.asarray(y)[perm], rtol=1e-14)
    assert moved["other"] is y


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_dtype_is_kept(dtype, rng_key):
    sym = nsym.mixture(3, {"x": 0})
    assert sym.act(sym.sample(rng_key), {"x": np.arange(3, dtype=dtype)})["x"].dtype == dtype
    assert sym.act(sym.sample(rng_key), {"x": jnp.arange(3, dtype=dtype)})["x"].dtype == dtype


def test_uniform_elements(rng_key):
    """Every one of the 3! 2^3 elements is drawn equally often (chi-square)."""
    from scipy.stats import chisquare

    sym = nsym.Symmetry([nsym.Units("u", 3, incoming={"x": 0}, kind="signed")])
    g = sym.sample(rng_key, (48_000,))["u"]
    code = (np.asarray(g.permutation) @ [9, 3, 1]) * 8 + (np.asarray(g.factor) > 0) @ [4, 2, 1]
    _, counts = np.unique(code, return_counts=True)
    assert len(counts) == 48
    assert chisquare(counts).pvalue > 1e-4


@over_cases
def test_listed_elements_are_the_group(case):
    if not case.sym.order <= 5000:
        pytest.skip("not a small finite group")
    every = case.sym.elements()
    arrays = [a.reshape(len(a), -1) for e in every.values() for a in e]
    flat = np.concatenate(arrays, -1)
    assert len(np.unique(flat, axis=0)) == len(flat) == case.sym.order
    identity = jax.tree.map(lambda a: a[0], every)
    assert all(
        (e.permutation == np.arange(e.permutation.shape[-1])).all() for e in identity.values()
    )
    assert all((e.factor == 1).all() for e in identity.values())
