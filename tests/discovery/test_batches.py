"""Batches of units are found, with their orders; where sets are not independent, none is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from batched_zoo import BATCHED, SHARED
from fuzzing import claims_along, claims_of_batches
from jax.scipy.special import logsumexp
from zoo import X, Y, normal, observe

from numpyro_sym import find_symmetry
from numpyro_sym.discovery.batches import GENERAL, VALUES, _axes_beside, _over, proved_for_one_set
from numpyro_sym.discovery.find import symmetry_of
from numpyro_sym.models import Trial
from numpyro_sym.models.numpyro_model import read_numpyro_model


def cases(zoo):
    return [
        pytest.param(name, marks=[pytest.mark.slow] if case.slow else [])
        for name, case in zoo.items()
    ]


def written(sym):
    def of(u):
        where = {site: (a.axis, a.batch_axes) for site, axes in u.placements for a in axes}
        return u.n, u.batch, u.kind, sorted(where.items())

    return sorted(of(u) for u in sym)


@pytest.mark.parametrize("name", cases(BATCHED))
def test_batches_are_found(name):
    case = BATCHED[name]
    sym = find_symmetry(case.model, *case.args)
    if case.units:
        assert written(sym) == sorted(
            (n, batch, kind, sorted(at.items())) for n, batch, kind, at in case.units
        )
    if case.order is not None:
        assert sym.order == case.order
    batched = [u for u in sym if u.batch]
    assert batched
    for u in batched:
        assert ("evaluated" in sym.caveats[u.name]) is case.evaluated


@pytest.mark.parametrize("name", cases(SHARED))
def test_sets_that_are_not_independent_have_no_batch(name):
    """Neither evaluation nor, without it, the proof takes one permutation for many."""
    case = SHARED[name]
    sym = find_symmetry(case.model, *case.args)
    # Entries of what is only averaged over an axis have batches along that axis; the units have
    # none.
    units = [u for u in sym if u.n in {n for n, _ in case.units} or not case.units]
    assert [(u.n, u.kind, u.batch) for u in units] == [(n, kind, ()) for n, kind in case.units]
    with jax.enable_x64(True):
        view = read_numpyro_model(case.model, case.args, {})
        for u in units:
            for axes in _axes_beside(u, view.shapes):
                larger = _over(u, axes, view.shapes)
                assert [proved_for_one_set(view, larger, level) for level in (GENERAL, VALUES)] == [
                    None,
                    None,
                ]


def test_units_that_every_set_has_are_kept_where_the_batch_is_only_evaluated():
    """What is used unasked is the one permutation of all sets, which is proved."""
    case = BATCHED["a prior summed over the layers first"]
    sym = find_symmetry(case.model, *case.args)
    (units,) = sym
    (certain,) = sym.unconditional()
    assert (units.batch, certain.batch, certain.n) == ((2,), (), 3)
    assert (sym.order, sym.unconditional().order) == (48**2, 48)
    assert sym.unconditional("evaluated") == sym
    renamed = sym.rename({units.name: "hidden"})
    assert [u.name for u in renamed.unconditional()] == ["hidden"]
    assert [u.kind for u in sym.select("permutation").unconditional()] == ["permutation"]


def test_a_guide_looks_for_proved_batches_alone():
    case = BATCHED["a prior summed over the layers first"]
    with jax.enable_x64(True):
        trial = Trial(read_numpyro_model(case.model, case.args, {}), 2, np.random.default_rng(0))
        sym = symmetry_of(
            trial.view, lambda: trial, ("permutation", "signed"), any_data=True, evaluate=False
        )
    assert [u.batch for u in sym] == [()]
    assert "each set along a further axis may have units of its own" in sym.explain()


def test_data_that_are_equal_by_chance_are_a_caveat_of_the_batch():
    """Scales of one subject are equal in these data; that others have them too is their caveat."""

    def model(scale, y):
        mu = normal("mu", 4, 3, scale=scale)
        numpyro.factor(
            "y", logsumexp(dist.Normal(mu[:, None], 1.0).log_prob(y[..., None]), -1).sum()
        )

    sym = find_symmetry(model, np.ones((4, 3)), np.random.default_rng(3).normal(size=(4, 9)))
    (units,) = sym
    assert units.batch == (4,)
    assert sym.caveats[units.name] == {"values"}
    assert len(sym.unconditional()) == 0


def layer_after_layer(x, y):
    """What comes out of a layer goes into the next."""
    first, w, b, last = (
        normal("first", 5, 3),
        normal("w", 4, 3, 3),
        normal("b", 4, 3),
        normal("last", 3),
    )
    h = jax.lax.scan(lambda h, s: (jnp.tanh(h @ s[0] + s[1]), None), jnp.tanh(x @ first), (w, b))[0]
    observe(h @ last, y)


def test_a_batch_that_units_cannot_say_is_noted():
    sym = find_symmetry(layer_after_layer, X, Y)
    assert [(u.n, u.batch) for u in sym if u.n == 3] == [(3, ())]
    assert "each of 4 indices of an axis has units of its own" in sym.explain()


def recurrent(x, y):
    """One matrix at every step."""
    w, a, c = normal("w", 3, 3), normal("a", 5, 3), normal("c", 3)
    h = jax.lax.scan(lambda h, _: (jnp.tanh(h @ w + x @ a), None), jnp.zeros((7, 3)), length=4)[0]
    observe(h @ c, y)


def gates(x, y):
    """Four runs of the same units."""
    w, c = normal("w", 5, 12), normal("c", 3)
    i, f, g, o = jnp.split(x @ w, 4, -1)
    observe((jax.nn.sigmoid(i) * jnp.tanh(g) * jax.nn.sigmoid(f) * jax.nn.softplus(o)) @ c, y)


@pytest.mark.parametrize("model", [recurrent, gates])
def test_runs_that_move_together_are_no_unsaid_batch(model):
    sym = find_symmetry(model, X, Y)
    assert [(u.n, u.batch) for u in sym if u.n == 3] == [(3, ())]
    assert "which Units cannot say" not in sym.explain()


def judge(seeds):
    made, false = 0, []
    with jax.enable_x64(True):
        for seed in seeds:
            for claim in claims_of_batches(seed):
                made += 1
                if claim.is_false:
                    false.append((seed, claim.units))
    return made, false


def test_no_false_claim_of_one_set():
    made, false = judge(range(12))
    assert made > 30
    assert false == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 600, 300))
def test_no_false_claim_of_one_set_in_many_programs(first):
    made, false = judge(range(first, first + 300))
    assert made > 750
    assert false == []


#: Programs of an array ``x`` of shape (2, 3, 4), whose batch is its first axis and whose units lie
#: on the second, in which slices of the batch meet: without its care a rule's claim is false.
MEETING = {
    "a product over the batch": lambda x: jnp.sum(
        jnp.tanh(jnp.einsum("bij,bkj->ik", x, x)) * jnp.arange(3.0)
    ),
    "a sum over the batch first": lambda x: jnp.sum(jnp.tanh(x.sum(0)) ** 2),
    "a maximum over the batch": lambda x: jnp.sum(x.max(0)),
    "a softmax over the batch": lambda x: jnp.sum(jax.nn.softmax(x, 0) * x**2),
    "sorted along the batch": lambda x: jnp.sum(jnp.sort(x, 0)[0] * x[1]),
    "a running sum along the batch": lambda x: jnp.sum(jnp.tanh(jnp.cumsum(x, 0))),
    "reversed along the batch": lambda x: jnp.sum(x[::-1] * x**2),
    "one set beside another": lambda x: jnp.sum(x[0] * x[1]),
    "a set looked up": lambda x: jnp.sum(x[jnp.array([1, 0])] * x**2),
    "the batch in one axis with the units": lambda x: jnp.sum(
        jnp.tanh(x.reshape(6, 4).sum(1)) * jnp.arange(6.0)
    ),
    "flat, and cut elsewhere": lambda x: jnp.sum(jnp.tanh(x.reshape(3, 8).sum(1)) ** 2),
    "carried from set to set": lambda x: jnp.sum(
        jax.lax.scan(lambda c, r: (jnp.tanh(c + r), c), x[0] * 0, x)[0] ** 2
    ),
    "carried from a start": lambda x: jnp.sum(
        jax.lax.scan(lambda c, r: (c * r, c), jnp.ones((3, 4)), x)[0]
    ),
    "outputs of a carry": lambda x: jnp.sum(
        jax.lax.scan(lambda c, r: (c + r, c * r), x[0] * 0, x)[1]
    ),
    "in a loop that sees the whole": lambda x: jnp.sum(
        jax.lax.map(lambda r: jnp.tanh(x * r).sum(0), x) ** 2
    ),
    "one set in a scan, all beside": lambda x: jnp.sum(
        jax.lax.scan(lambda c, r: (c, jnp.sum(r * x)), 0.0, x)[1] ** 2
    ),
    "transposed against itself": lambda x: jnp.sum(x[:, :2, :2] * jnp.swapaxes(x[:, :2, :2], 0, 1)),
    "a branch that one set chooses": lambda x: jax.lax.cond(
        x[0, 0, 0] > 0, lambda v: jnp.sum(v**2), lambda v: -jnp.sum(v), x
    ),
}


def claims_of_first_axis(program):
    with jax.enable_x64(True):
        return list(
            claims_along({"x": (2, 3, 4)}, lambda point: program(point["x"]), [{"x": (0,)}])
        )


@pytest.mark.parametrize("name", MEETING)
def test_where_sets_meet_nothing_moves_one_of_them(name):
    for units, verdict in claims_of_first_axis(MEETING[name]):
        assert verdict == "holds", units
        assert ("x", 1) not in [(s, a.axis) for s, axes in units.placements for a in axes]


#: The same without what makes the sets meet: the tests above can fail.
APART = {
    "summed within each": lambda x: jnp.sum(jnp.tanh(jnp.sum(jnp.tanh(x), 1)) * jnp.arange(4.0)),
    "added to a carry": lambda x: jnp.sum(
        jax.lax.scan(lambda c, r: (c + jnp.tanh(r.sum(0)), None), jnp.zeros(4), x)[0] ** 2
    ),
    "flat, and summed": lambda x: jnp.sum(x.reshape(-1) ** 2),
    "sorted within each": lambda x: jnp.sum(jax.lax.map(lambda r: jnp.sort(r, 0)[0], x) ** 3),
}


@pytest.mark.parametrize("name", APART)
def test_sets_that_never_meet_are_claimed(name):
    claims = claims_of_first_axis(APART[name])
    assert ("x", 1) in [
        (s, a.axis) for units, _ in claims for s, axes in units.placements for a in axes
    ]
    assert {claim.verdict for claim in claims} == {"holds"}
