"""Units on two axes of one array: against every permutation, and every single change."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from alignment_cases import CASES, brute_force, distance, draws

from numpyro_sym import Element, Symmetry, Units, hmm
from numpyro_sym.alignment import align

HMM = (
    hmm(5, transition="A", initial="pi", emissions={"mu": 0}),
    {"A": (5, 5), "pi": (5,), "mu": (5,)},
)
RNN = (
    Symmetry([Units("state", 8, incoming={"u": 1, "r": 1, "b": 0}, outgoing={"r": 0, "v": 0})]),
    {"u": (1, 8), "r": (8, 8), "b": (8,), "v": (8, 1)},
)


def _draws(case, batch, noise, seed):
    rng = np.random.default_rng(seed)
    reference = {s: rng.normal(size=shape) for s, shape in case[1].items()}
    away = {s: rng.normal(size=(batch, *shape)) for s, shape in case[1].items()}
    return {s: x if noise is None else reference[s] + noise * x for s, x in away.items()}, reference


def _best_rnn(point, reference):
    """The least distance over all 8! permutations, by their inner products with the reference."""
    every = np.array(list(permutations(range(8))))
    linear = sum(
        np.moveaxis(reference[s], a, 0).reshape(8, -1)
        @ np.moveaxis(point[s], a, 0).reshape(8, -1).T
        for s, a in (("u", 1), ("b", 0), ("v", 0))
    )
    gain = linear[np.arange(8), every].sum(1)
    for i in range(8):
        for k in range(8):
            gain += reference["r"][i, k] * point["r"][every[:, i], every[:, k]]
    squares = sum(np.square(x).sum() for d in (point, reference) for x in d.values())
    return np.sqrt(squares - 2 * gain.max())


@pytest.mark.parametrize("noise", [None, 0.5])
def test_hidden_markov_models_reach_the_optimum(noise):
    sites, reference = _draws(HMM, 100, noise, 0)
    r = align(sites, reference, HMM[0])
    best = np.array(
        [brute_force(HMM[0], {s: x[b] for s, x in sites.items()}, reference) for b in range(100)]
    )
    assert (r.distance <= best * (1 + 1e-9)).mean() >= 0.99
    assert (r.distance <= r.distance_before).all()


@pytest.mark.slow
@pytest.mark.parametrize("noise", [None, 0.5])
def test_recurrent_networks_reach_the_optimum(noise):
    sites, reference = _draws(RNN, 50, noise, 1)
    r = align(sites, reference, RNN[0])
    best = np.array([_best_rnn({s: x[b] for s, x in sites.items()}, reference) for b in range(50)])
    assert (r.distance <= best * (1 + 1e-9)).mean() >= 0.99
    assert (r.distance <= r.distance_before).all()


@pytest.mark.parametrize("name", ["hmm", "rnn", "lstm"])
@pytest.mark.parametrize("starts", [("forward",), ("annealed",), ("random",), ("identity",)])
def test_no_start_ends_farther_away_than_the_draw_was(name, starts):
    sym, _ = CASES[name]
    sites, reference = draws(name, (200,)), draws(name, seed=1)
    r = align(sites, reference, sym, starts=starts)
    assert (r.distance <= r.distance_before).all()


@pytest.mark.parametrize("name", ["hmm", "rnn", "lstm"])
def test_gap_is_the_cheapest_exchange_or_sign(name):
    sym, _ = CASES[name]
    (units,) = sym.units
    sites, reference = draws(name, (5,)), draws(name, seed=1)
    r = align(sites, reference, sym)
    here = np.arange(units.n)
    changes = [
        (np.where(here == i, k, np.where(here == k, i, here)), np.ones(units.n))
        for i in here
        for k in here[:i]
    ]
    if units.kind == "signed":
        changes += [(here, np.where(here == i, -1.0, 1.0)) for i in here]
    for b in range(5):
        at = {s: x[b] for s, x in r.sites.items()}
        others = [
            distance(sym.act({units.name: Element(*c)}, at), reference, sym.sites) for c in changes
        ]
        np.testing.assert_allclose(r.distance[b] + r.gap[b], min(others), rtol=1e-9)
