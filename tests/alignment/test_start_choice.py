"""Which starts are made where none are named, and that fewer of them lose nothing."""

import numpy as np
import pytest

from numpyro_sym import mlp
from numpyro_sym.alignment import align
from numpyro_sym.alignment.engine.descent import descend
from numpyro_sym.alignment.engine.objective import to_reference
from numpyro_sym.alignment.engine.scores import Scores
from numpyro_sym.alignment.engine.start_choice import (
    FORWARD_OR_ANNEALED,
    chosen_starts,
    is_told_apart,
)
from numpyro_sym.alignment.engine.starts import unmoved


def network(inputs, *widths, kind="permutation"):
    """A multilayer perceptron of one output, and the shapes of its arrays."""
    dims = [inputs, *widths, 1]
    names = [f"w{i}" for i in range(len(widths) + 1)]
    shapes = {name: (dims[i], dims[i + 1]) for i, name in enumerate(names)}
    return mlp(names, list(widths), kind=kind), shapes


def unrelated(shapes, batch, seed=0):
    rng = np.random.default_rng(seed)
    reference = {s: rng.normal(size=shape) for s, shape in shapes.items()}
    return reference, {s: rng.normal(size=(batch, *shape)) for s, shape in shapes.items()}


@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        ((13, 16, 16), ()),
        ((1, 64, 64), ()),
        ((13, 50, 50), (FORWARD_OR_ANNEALED, "identity")),
        ((300, 50, 50), (FORWARD_OR_ANNEALED, "identity")),
        ((13, 256, 256), (FORWARD_OR_ANNEALED, "identity")),
        ((300, 256, 256), ("forward",)),
        ((300, 256), ()),  # one assignment is the optimum
    ],
)
def test_starts_go_by_width_and_by_the_numbers_of_ones_own(dims, expected):
    sym, shapes = network(*dims)
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    assert chosen_starts(to_reference(sym, zeros)) == expected


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_never_farther_than_the_usual_weight_matching(kind):
    sym, shapes = network(13, 40, 40, kind=kind)
    reference, points = unrelated(shapes, 40)
    chosen = align(points, reference, sym)
    plain = align(points, reference, sym, starts=("identity",))
    assert (chosen.distance <= plain.distance * (1 + 1e-12)).all()
    assert chosen.distance.mean() < 0.99 * plain.distance.mean()
    assert (chosen.starts == 2).all()


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_copies_are_found_among_unrelated_draws(kind):
    """Both in one batch: those told apart go layer by layer, once, and no draw minds the others."""
    sym, shapes = network(13, 40, 40, kind=kind)
    reference, points = unrelated(shapes, 6)
    rng = np.random.default_rng(1)
    order, sign = rng.permutation(40), np.where(rng.random(40) < 0.5, 1.0, -1.0)
    sign = sign if kind == "signed" else np.ones(40)
    copy = dict(reference)
    copy["w0"], copy["w1"] = (copy["w0"] * sign)[:, order], (copy["w1"].T * sign)[:, order].T
    for site, x in points.items():
        x[::2] = copy[site] + 0.05 * rng.normal(size=(3, *copy[site].shape))
    told = is_told_apart(Scores(to_reference(sym, reference), points))
    assert told.tolist() == [True, False] * 3
    found = align(points, reference, sym)
    assert (found.starts[::2] == 1).all()
    np.testing.assert_allclose(
        found.distance[::2],
        [
            np.sqrt(sum(np.square(points[s][i] - copy[s]).sum() for s in shapes))
            for i in range(0, 6, 2)
        ],
    )
    alone = align({s: x[1:2] for s, x in points.items()}, reference, sym)
    assert found.distance[1] == pytest.approx(alone.distance[0], rel=1e-12)


def test_a_race_is_given_up_by_those_who_cannot_win_it():
    sym, shapes = network(13, 40, 40)
    reference, points = unrelated(shapes, 30)
    objective = to_reference(sym, reference)
    scores, start = Scores(objective, points), unmoved(sym, 30, np.dtype(float))
    whole = descend(scores, start)

    def gains(found):
        moved = sym.act(found.elements, points)
        return objective.squared_distance(points) - objective.squared_distance(moved)

    # A little less than what it comes to: nobody gives up. Far more: everybody, after one sweep.
    to_win = descend(scores, start, behind=0.99 * gains(whole))
    np.testing.assert_allclose(gains(to_win), gains(whole), rtol=1e-12)
    hopeless = descend(scores, start, behind=2 * gains(whole))
    one = descend(scores, start, max_sweeps=1)
    np.testing.assert_allclose(gains(hopeless), gains(one), rtol=1e-12)
    assert (gains(hopeless) < gains(whole)).any()
