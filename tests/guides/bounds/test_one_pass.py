"""One pass where units lie well apart: a probability over the group as any guess, used where the
parameters say that it tells nearly all.
"""

import guess_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from numpyro_sym import Axis, Symmetry, Units, mlp
from numpyro_sym.guides.bounds import _guess as guess_module
from numpyro_sym.guides.bounds import one_pass
from numpyro_sym.guides.bounds._guess import log_tau, sample_tau
from numpyro_sym.guides.bounds.beliefs import Gaussian, fit_of, signed
from numpyro_sym.guides.bounds.one_pass import is_enough, log_one_pass, one_pass_order
from numpyro_sym.guides.bounds.permanent import log_permanent

pytestmark = pytest.mark.usefixtures("x64")


def log_one(sym, x, q):
    return log_one_pass(sym, one_pass_order(sym, x), x, q)


def enough(sym, q):
    return bool(is_enough(sym, one_pass_order(sym, q.loc), q))


def told(sym, x, q, log_probability=log_one):
    every = cases.every_element(sym)
    return jax.jit(jax.vmap(lambda g: log_probability(sym, sym.act(g, x), q)))(every)


@pytest.mark.parametrize("entries", [1, 32])
@pytest.mark.parametrize("name", cases.CASES)
def test_sums_to_one_over_the_group(name, entries, monkeypatch):
    """Whatever the separation, at a draw and elsewhere, from some of the entries or all."""
    monkeypatch.setattr(one_pass, "ENTRIES", entries)
    sym, shapes = cases.CASES[name]
    q = cases.normals(shapes, separation=1.5)
    for x in (cases.draw(jax.random.key(1), q), cases.normals(shapes, 5.0, seed=9).loc):
        np.testing.assert_allclose(jnp.exp(logsumexp(told(sym, x, q))), 1.0, atol=1e-10)


def test_negative_control_entries_chosen_by_the_draw_do_not_sum_to_one(monkeypatch):
    """The entry in which the unit of the first slot differs most: another after every element."""

    def by_the_draw(rows, turns):
        most = jnp.argmax(jnp.abs(rows.x - rows.loc)[..., 0], -1)[None]
        return jax.tree.map(lambda a: jnp.take(a, most, axis=-2), rows)

    monkeypatch.setattr(one_pass, "_most_telling", by_the_draw)
    sym, shapes = cases.layers([4], "permutation", inputs=3)
    q = cases.normals(shapes, separation=1.5)
    x = cases.draw(jax.random.key(1), q)
    assert abs(jnp.exp(logsumexp(told(sym, x, q))) - 1) > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one layer, signs", "two layers, signs"])
def test_draws_have_the_probability_that_is_told(name, monkeypatch):
    monkeypatch.setattr(one_pass, "ENOUGH", jnp.inf)
    sym, shapes = cases.CASES[name]
    q = cases.normals(shapes, separation=0.7)
    x = cases.draw(jax.random.key(3), q)
    every, probability = cases.every_element(sym), jnp.exp(told(sym, x, q))
    keys = jax.random.split(jax.random.key(0), 8000)
    drawn = jax.jit(jax.vmap(lambda key: sample_tau(key, sym, x, q)))(keys)
    same = cases.which_elements(sym, drawn, every)
    often = same.mean(0)
    error = jnp.sqrt(probability * (1 - probability) / len(keys))
    assert (same.sum(1) == 1).all()
    np.testing.assert_array_less(abs(often - probability), 5 * error + 1e-3)


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_where_it_is_enough_it_loses_no_more_than_it_may(kind):
    """Against permanents, on both sides of the border: mean over draws of what is not told."""
    sym, shapes = cases.layers([10], kind, inputs=6)
    (u,) = sym.units

    def loss(q, key):
        x = cases.draw(key, q)
        fit = fit_of(sym, u, {}, x, q)
        of_any = log_permanent(fit.either if signed(u) else fit.even)
        return jnp.trace(fit.even + fit.odd) - of_any - log_one(sym, x, q)

    mean_loss = jax.jit(
        lambda q: jax.vmap(lambda key: loss(q, key))(
            jax.random.split(jax.random.key(1), 400)
        ).mean()
    )
    seen = set()
    for separation in (0.5, 1, 2, 3, 4, 5, 6, 8):
        q = cases.normals(shapes, separation)
        seen.add(enough(sym, q))
        if enough(sym, q):
            assert mean_loss(q) < one_pass.ENOUGH
    assert seen == {True, False}
    # Where it is not enough it does lose more: the border is there for a reason.
    assert mean_loss(cases.normals(shapes, 1.0)) > one_pass.ENOUGH


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one layer, signs", "two layers", "both axes of a matrix"])
def test_log_tau_is_the_one_or_the_other_as_the_parameters_say(name):
    sym, shapes = cases.CASES[name]
    near, far = cases.normals(shapes, 0.5), cases.normals(shapes, 300.0)
    assert not enough(sym, near)
    assert enough(sym, far)
    effort = guess_module.TRAINING
    for q, other in ((near, guess_module._log_slot_by_slot), (far, None)):
        x = cases.draw(jax.random.key(0), q)
        expected = log_one(sym, x, q) if other is None else other(sym, x, q, effort)
        np.testing.assert_allclose(jax.jit(lambda x, q: log_tau(sym, x, q))(x, q), expected)
    # A draw of the far Normals that looks like another element's is still told by them.
    g = jax.tree.map(lambda a: a, sym.sample(jax.random.key(5)))
    moved = sym.act(g, cases.draw(jax.random.key(0), far))
    np.testing.assert_allclose(log_tau(sym, moved, far), log_one(sym, moved, far))


@pytest.mark.slow
def test_entries_that_tell_are_found_among_many(monkeypatch):
    """Of 200 inputs the last three keep the units apart: images have many that are always 0."""
    sym, shapes = cases.layers([8], "signed", inputs=200)
    q = cases.normals(shapes, 0.0)
    apart = 30 * jax.random.normal(jax.random.key(2), (3, 8))
    q = Gaussian({**q.loc, "w0": q.loc["w0"].at[-3:].set(apart)}, q.variance)
    assert enough(sym, q)
    monkeypatch.setattr(
        one_pass,
        "_most_telling",
        lambda rows, turns: jax.tree.map(lambda a: a[..., : one_pass.ENTRIES, :], rows),
    )
    assert not enough(sym, q)


def test_units_are_told_in_an_order_in_which_each_can_be():
    def names(sym, shapes):
        order = one_pass_order(sym, {name: jnp.zeros(shape) for name, shape in shapes.items()})
        return order and [(u.name, sorted(u.sites)) for u in order]

    sizes = [1, 5, 6, 7, 10]
    weights, biases = [f"w{i}" for i in range(4)], [f"b{i}" for i in range(3)]
    sym = mlp(weights, sizes[1:4], biases=biases)
    shapes = {w: (sizes[i], sizes[i + 1]) for i, w in enumerate(weights)}
    shapes |= {b: (sizes[i + 1],) for i, b in enumerate(biases)}
    # One input tells little of the first layer, ten outputs much of the last.
    last, middle, first = (u.name for u in sym.units[::-1])
    assert names(sym, shapes) == [
        (last, ["b2", "w3"]),
        (middle, ["b1", "w2"]),
        (first, ["b0", "w0", "w1"]),
    ]
    # A matrix with the units on both axes tells nothing by itself.
    assert names(*cases.CASES["both axes of a matrix"])[0][1] == ["mu"]
    assert names(Symmetry([Units("u", 4, axes={"a": (0, 1)})]), {"a": (4, 4)}) is None
    # Members of an ensemble permute whole networks.
    inner = Units("unit", 3, batch=2, axes={"w": Axis(2, batch=(0,))})
    ensemble = Symmetry([Units("member", 2, axes={"w": 0}), inner])
    assert names(ensemble, {"w": (2, 4, 3)}) is None
