"""Models whose discrete sites are summed out: what is found is true, and what is true is found.

The oracle knows nothing of funsor: it adds up the joint density over every value of every discrete
site, one by one.
"""

from __future__ import annotations

import functools
from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from enumerated_zoo import ENUMERATED, Y3, Case
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.infer import init_to_uniform
from numpyro.infer.util import log_density
from test_find import expected, found

import numpyro_sym as nsym
from numpyro_sym.discovery import find_symmetry
from numpyro_sym.models.numpyro_model import read_numpyro_model

#: What every run asks; the others are asked in the slow ones.
QUICK = {
    "mixture",
    "hidden Markov model in a loop",
    "Dawid and Skene",
    "Dawid and Skene, informative",
}
TWINS = {n for n in ENUMERATED if n.startswith("twin")}


def names(*without):
    """All but some, those marked that are asked in the slow tests only."""
    kept = (n for n in ENUMERATED if n not in without)
    return [n if n in QUICK | TWINS else pytest.param(n, marks=pytest.mark.slow) for n in kept]


@functools.cache
def sym_of(name):
    case = ENUMERATED[name]
    return find_symmetry(case.model, *case.args, include=("permutation", "signed"))


def placed(case):
    """Site -> the axes on which its labels lie, each with the position of the first label."""
    every = {
        site: axes if isinstance(axes, list) else [axes] for site, axes in case.labels[1].items()
    }
    return {
        site: [a if isinstance(a, tuple) else (a, 0) for a in axes] for site, axes in every.items()
    }


def summed_joint(case):
    """The oracle: point -> log of the sum over all values of all discrete sites; and the shapes of
    the others.
    """
    start = handlers.substitute(handlers.seed(case.model, 0), substitute_fn=init_to_uniform)
    trace = handlers.trace(start).get_trace(*case.args)
    latent = {n: s for n, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}
    discrete = {n: s for n, s in latent.items() if s["fn"].support.is_discrete}
    sizes = [
        len(s["fn"].enumerate_support(expand=False))
        for s in discrete.values()
        for _ in range(s["value"].size)
    ]
    every = np.array(list(product(*map(range, sizes)))).T
    values, taken = {}, 0
    for name, site in discrete.items():
        rows = every[taken : taken + site["value"].size].T
        values[name], taken = (
            jnp.asarray(rows.reshape(-1, *site["value"].shape)),
            taken + site["value"].size,
        )
    model = handlers.seed(case.model, 0)

    @jax.jit
    def joint(point):
        return logsumexp(
            jax.vmap(lambda z: log_density(model, case.args, {}, {**point, **z})[0])(values)
        )

    return joint, [n for n in latent if n not in discrete]


def moved(case, point, permutation):
    """The labels permuted, by hand."""
    out = dict(point)
    for site, axes in placed(case).items():
        for axis, start in axes:
            order = np.arange(np.shape(out[site])[axis])
            order[start : start + len(permutation)] = start + np.array(permutation)
            out[site] = np.take(out[site], order, axis)
    return out


@pytest.mark.parametrize("name", names())
def test_the_symmetry_is_what_the_sum_over_all_values_says(name):
    """For every permutation of the labels: found if and only if true."""
    case = ENUMERATED[name]
    start, stop = case.run
    with jax.enable_x64(True):
        shapes = read_numpyro_model(case.model, case.args, {}).shapes
    where = {}
    for site, axes in placed(case).items():
        is_whole = {axis: stop - start == shapes[site][axis] for axis, _ in axes}
        where[site] = [
            (axis, None if is_whole[axis] else start + first, 1, 1) for axis, first in axes
        ]
    assert found(sym_of(name)) == expected([(stop - start, "permutation", where)] if stop else [])
    with jax.enable_x64(True):
        joint, sites = summed_joint(case)
        point = read_numpyro_model(case.model, case.args, {}).near(np.random.default_rng(0))
        assert sorted(point) == sorted(sites)
        here = joint(point)
        for permutation in permutations(range(case.labels[0])):
            is_found = all(k == i or start <= i < stop for i, k in enumerate(permutation))
            is_true = abs(joint(moved(case, point, permutation)) - here) < 1e-8
            assert is_true or not is_found, permutation
            assert is_found or not is_true or not case.all_said, permutation


@pytest.mark.parametrize("name", names("mixture of a minibatch", *TWINS))
def test_the_densities_that_are_read_are_the_sum_over_all_values(name):
    case = ENUMERATED[name]
    with jax.enable_x64(True):
        view = read_numpyro_model(case.model, case.args, {})
        joint, _ = summed_joint(case)
        for seed in range(3):
            point = view.draw(np.random.default_rng(seed))
            latent, observed, _ = view.evaluate(point)
            total = sum(latent.values()) + sum(observed.values())
            np.testing.assert_allclose(total, joint(point), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, c in ENUMERATED.items() if c.run[1] and n not in TWINS])
def test_it_is_proved_and_passes_the_check(name):
    case, sym = ENUMERATED[name], sym_of(name)
    assert (sym.unconditional() == sym) == case.sure
    assert sym.check(case.model, *case.args)


@pytest.mark.parametrize("name", [n for n, c in ENUMERATED.items() if c.by_hand])
def test_it_is_that_of_the_model_with_the_sum_written_out(name):
    case = ENUMERATED[name]
    assert sym_of(name).without_values() == find_symmetry(case.by_hand, *case.args)
    assert sym_of(name).label_sites


def test_what_was_summed_out_is_told():
    assert (
        "the discrete sites first (3 values), z (3 values)"
        in sym_of("hidden Markov model").explain()
    )


def test_units_that_leave_a_labeled_site_out_are_refused():
    sym = nsym.Symmetry([nsym.Units("component", 3, axes={"mu": 0, "sigma": 0})])
    case = ENUMERATED["mixture"]
    with pytest.raises(nsym.SymmetryError, match="add axes="):
        sym.check(case.model, *case.args)


# Labels that ``values`` cannot say ----------------------------------------------------------------


def concatenated(y, scale=1.0, factor=1.0):
    """Two means of one site and two of another, put together before they are looked up."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(4)))
    first = numpyro.sample("first", dist.Normal(0, 1).expand([2]).to_event(1))
    second = numpyro.sample("second", dist.Normal(0, scale).expand([2]).to_event(1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Normal(jnp.concatenate([first, factor * second])[z], 1.0), obs=y)


@pytest.mark.parametrize("options", [{}, {"scale": 2.0}, {"factor": 2.0}], ids=str)
def test_components_that_are_concatenated_are_exchanged_within_their_sites(options):
    """Where all are alike the group is smaller than the true one, and that is said; where they are
    not, their twins, it is the true one.
    """
    sym = find_symmetry(concatenated, Y3, **options)
    assert found(sym) == expected(
        [
            (2, "permutation", {"first": [(0, None, 1, 1)], "weights": [(0, 0, 1, 1)]}),
            (2, "permutation", {"second": [(0, None, 1, 1)], "weights": [(0, 2, 1, 1)]}),
        ]
    )
    assert not sym.label_sites
    told = sym.explain()
    names = ", ".join(u.name for u in sym)
    assert f"{names}: draws of the discrete sites do not move along" in told
    assert "Of the 2 units and of others are the labels in 'z'" in told
    assert "exchanged only within each array" in told
    with jax.enable_x64(True):
        model = functools.partial(concatenated, **options)
        joint, _ = summed_joint(Case(model, (Y3,), (4, {})))
        point = read_numpyro_model(model, (Y3,), {}).near(np.random.default_rng(0))
        means = np.concatenate([point["first"], point["second"]])
        here = joint(point)
        for p in map(list, permutations(range(4))):
            there = {"weights": point["weights"][p], "first": means[p][:2], "second": means[p][2:]}
            is_true = abs(joint(there) - here) < 1e-8
            assert is_true == (not options or set(p[:2]) == {0, 1}), p


def known_first_state(y):
    """States 1 and 2 are exchangeable, 0 is where a chain begins: labels of a block of states."""
    with numpyro.plate("state", 3):
        trans = numpyro.sample("trans", dist.Dirichlet(jnp.ones(3)))
        mu = numpyro.sample("mu", dist.Normal(0, 3))
    state = 0
    for t in range(len(y)):
        state = numpyro.sample(f"z{t}", dist.Categorical(trans[state]))
        numpyro.sample(f"y{t}", dist.Normal(mu[state], 1.0), obs=y[t])


def ragged_subjects(y):
    """Each of two subjects has components of its own, and labels in a site of its own."""
    with numpyro.plate("subject", 2, dim=-2), numpyro.plate("component", 2, dim=-1):
        mu = numpyro.sample("mu", dist.Normal(0, 3))
    for i, rows in enumerate((y[:2], y)):
        with numpyro.plate(f"rows{i}", len(rows)):
            z = numpyro.sample(f"z{i}", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample(f"y{i}", dist.Normal(mu[i][z], 1.0), obs=rows)


def test_labels_of_a_block_of_states_are_said_not_to_move():
    sym = find_symmetry(known_first_state, Y3)
    assert [(u.name, u.n) for u in sym] == [("state", 2)]
    assert not sym.label_sites
    told = sym.explain()
    assert "Of the 2 units and of others are the labels in 'z0', 'z1', 'z2'" in told
    assert "Predictive(model, draws, infer_discrete=True)" in told


def test_labels_of_ragged_subjects_are_said_not_to_move():
    sym = find_symmetry(ragged_subjects, Y3)
    assert [(u.name, u.n, u.batch) for u in sym] == [("component", 2, (2,))]
    assert not sym.label_sites
    assert "labels of some of them (in 'z0', 'z1') cannot be named in values" in sym.explain()
