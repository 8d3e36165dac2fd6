"""Batches of units and wreath products, against loops and brute force over whole groups."""

import itertools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from registry import BATCHED, BY_NAME, X, Y, mixtures_in_subjects, normal, observe, random_point

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units

KNOWN_ORDERS = {
    "attention-flat": 48**2 * 48**2 * 2,
    "grouped-convolution": 48**2 * 2**2 * 2,
    "scanned-attention": 8**4 * 8**4 * 2**2,
    "subjects": 6**4,
    "subjects-hmm": 6**2,
    "scanned": 46080**4,
    "ensemble": 46080**5 * 120,
    "ensemble-small": 8**3 * 6,
    "ensemble-small-fixed": 8**3,
    "attention-inner": 48**2 * 48**2 * 2,
    "two-batch-axes": 2**6 * 2 * 6,
    "signed-groups": 8**3 * 48,
}
SMALL = [case for case in BATCHED if case.sym.order <= 4000]


@pytest.mark.parametrize("case", BATCHED, ids=lambda c: c.name)
def test_known_orders(case):
    assert case.sym.order == KNOWN_ORDERS[case.name]
    assert case.sym.log_order == pytest.approx(float(np.log(float(case.sym.order))), rel=1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("case", SMALL, ids=lambda c: c.name)
def test_the_orbit_of_a_random_point_has_as_many_points_as_the_group(case):
    every, point = case.sym.elements(), random_point(case.name)
    count = case.sym.order
    images = case.sym.act(
        every, {s: np.broadcast_to(x, (count, *np.shape(x))) for s, x in point.items()}
    )
    flat = np.concatenate([np.asarray(x).reshape(count, -1) for x in images.values()], -1)
    assert len(np.unique(flat, axis=0)) == count


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["two-batch-axes", "ensemble-small", "subjects-hmm"])
def test_the_group_is_closed_and_composes_as_it_acts(name, rng_key):
    """Every pair of a sample of the group with the whole group: the composition acts as one after
    the other.
    """
    sym, point = BY_NAME[name].sym, random_point(name)
    every = jax.tree.map(np.asarray, sym.elements())
    count = sym.order

    def acted(g, x):
        return {s: np.asarray(a) for s, a in sym.act(g, x).items()}

    spread = {s: np.broadcast_to(x, (count, *np.shape(x))) for s, x in point.items()}
    for k in jax.random.randint(rng_key, (5,), 0, count).tolist():
        h = jax.tree.map(lambda a, k=k: np.broadcast_to(a[k], a.shape), every)
        for first, second in ((every, h), (h, every)):
            composed = sym.compose(first, second)
            one, two = acted(composed, spread), acted(first, acted(second, spread))
            for site in point:
                np.testing.assert_allclose(one[site], two[site], rtol=1e-13)
            listed = np.concatenate(
                [np.asarray(a).reshape(count, -1) for e in composed.values() for a in e], -1
            )
            assert len(np.unique(listed, axis=0)) == count
    back = acted(sym.inverse(every), acted(every, spread))
    for site in point:
        np.testing.assert_allclose(back[site], spread[site], rtol=1e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("case", BATCHED, ids=lambda c: c.name)
def test_composition_is_associative_and_inverts(case, rng_key):
    sym = case.sym
    f, g, h = (sym.sample(k, (3,)) for k in jax.random.split(rng_key, 3))
    one, two = sym.compose(sym.compose(f, g), h), sym.compose(f, sym.compose(g, h))
    jax.tree.map(np.testing.assert_array_equal, one, two)
    for whole in (sym.compose(g, sym.inverse(g)), sym.compose(sym.inverse(g), g)):
        jax.tree.map(np.testing.assert_array_equal, whole, sym.identity((3,)))
    assert all(e.permutation.shape == (3, *u.shape) for u in sym for e in (g[u.name], one[u.name]))


@pytest.mark.parametrize("kind", ["permutation", "signed", "scaled"])
@pytest.mark.usefixtures("x64")
def test_action_is_its_definition(kind, rng_key):
    """``new[b, i] = factor[b, i]**power * old[b, permutation[b, i]]``, entry by entry: batch axes
    on either side.
    """
    axis = Axis(1, start=1, outer=2, inner=2, power=-1, batch=(2, 0))
    units = Units(
        "u", 3, axes={"x": axis}, incoming={"y": Axis(2, batch=(0, 1))}, kind=kind, batch=(4, 2)
    )
    sym = Symmetry([units])
    x, y = jax.random.normal(rng_key, (5, 2, 14, 4)), jax.random.normal(rng_key, (5, 4, 2, 3))
    g = sym.sample(rng_key, (5,))
    perm, factor = (np.asarray(a) for a in g["u"])
    new_x, new_y = np.array(x), np.array(y)
    for s, b, c, i in itertools.product(range(5), range(4), range(2), range(3)):
        j = perm[s, b, c, i]
        new_y[s, b, c, i] = factor[s, b, c, i] * y[s, b, c, j]
        for o, k in itertools.product(range(2), range(2)):
            new, old = 1 + (o * 3 + i) * 2 + k, 1 + (o * 3 + j) * 2 + k
            new_x[s, c, new, b] = x[s, c, old, b] / factor[s, b, c, i]
    for moved in (
        sym.act(g, {"x": x, "y": y}),
        sym.act(*jax.tree.map(np.asarray, (g, {"x": x, "y": y}))),
    ):
        np.testing.assert_allclose(moved["x"], new_x, rtol=1e-14)
        np.testing.assert_allclose(moved["y"], new_y, rtol=1e-14)


AXES = {
    "whole": (Axis(1), (3, 4)),
    "from behind, a block": (Axis(-1, start=2, outer=2, inner=3), (2, 30)),
    "a batch before": (Axis(1, batch=0), (5, 4, 2)),
    "two, around": (Axis(1, start=1, inner=2, batch=(-1, 0)), (3, 10, 2, 5)),
}


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("xp", [np, jnp])
def test_blocks_of_an_axis(name, xp, rng_key):
    """Each unit's entries, one by one; with them moved, the action; and back."""
    axis, shape = AXES[name]
    x = xp.asarray(jax.random.normal(rng_key, (2, *shape)))
    blocks = axis.blocks(x, 4, 1)
    batch = tuple(shape[b] for b in axis.batch_axes)
    assert isinstance(blocks, type(x))
    assert blocks.shape == (
        2,
        *batch,
        4,
        axis.length(4) * x.size // (8 * int(np.prod(batch)) * shape[axis.axis]),
    )
    in_front = np.moveaxis(
        x, [1 + a % len(shape) for a in (*axis.batch_axes, axis.axis)], range(1, len(batch) + 2)
    )
    for place in np.ndindex(2, *batch):
        for i in range(4):
            expected = in_front[place][axis.positions(4)[:, i, :]].reshape(-1)
            np.testing.assert_array_equal(blocks[(*place, i)], expected)
    np.testing.assert_array_equal(axis.with_blocks(x, blocks, 4, 1), x)
    units = Units("u", 4, axes={"x": axis}, batch=batch)
    g = Symmetry([units]).sample(rng_key, (2,))["u"]
    moved = axis.with_blocks(
        x, np.take_along_axis(np.asarray(blocks), np.asarray(g.permutation)[..., None], -2), 4, 1
    )
    np.testing.assert_array_equal(Symmetry([units]).act({"u": g}, {"x": x})["x"], moved)


def test_values_tables_and_pickles():
    sym = BY_NAME["ensemble"].sym
    hidden = sym["hidden"]
    assert (hidden.shape, hidden.sets, hidden.describe_size()) == ((5, 6), 5, "5 x 6")
    assert (sym["member"].shape, sym["member"].sets, sym["member"].describe_size()) == (
        (5,),
        1,
        "5",
    )
    assert hidden.describe_axes() == "w1[2 over 0] b1[1 over 0] w2[1 over 0]"
    assert str(Axis(2, batch=(0, 1))) == "[2 over 0 and 1]"
    assert "5 x 6" in str(sym)
    assert hidden.with_kind("permutation").batch == hidden.renamed("h").batch == (5,)
    assert Units("u", 2, axes={"x": Axis(1, batch=0)}, batch=3) == Units(
        "u", 2, axes={"x": Axis(1, batch=(0,))}, batch=(3,)
    )
    assert hidden != hidden_with_batch(4)
    again = pickle.loads(pickle.dumps(sym))
    assert again == sym
    assert again.outer_of(again["hidden"]) == ((0, sym["member"]),)


def hidden_with_batch(m):
    return Units("hidden", 6, batch=m, axes={"w1": Axis(2, batch=0)})


def test_inner_units_act_first_and_either_may_go():
    sym = BY_NAME["two-batch-axes"].sym
    assert [u.name for u in sym.in_order_of_action] == ["unit", "column", "row"]
    assert [(k, u.name) for k, u in sym.outer_of(sym["unit"])] == [(0, "row"), (1, "column")]
    assert sym.outer_of(sym["row"]) == ()
    assert sym.without("row").order == 2**6 * 6
    assert sym.without("unit").order == 12
    assert sym.without("row").outer_of(sym["unit"]) == ((1, sym["column"]),)
    renamed = sym.rename({"row": "unit", "unit": "row"})
    assert [(k, u.name) for k, u in renamed.outer_of(renamed["row"])] == [
        (0, "unit"),
        (1, "column"),
    ]
    groups = BY_NAME["signed-groups"].sym.select("permutation")
    assert groups.order == 2**3 * 6
    assert groups.outer_of(groups["hidden"]) == ((0, groups["group"]),)


# What is refused -------------------------------------------------------------------------------

INNER = Units("inner", 3, batch=3, axes={"x": Axis(1, batch=0), "y": Axis(1, batch=0)})


def inner_and(**outer):
    n = outer.pop("n", 3)
    return lambda: Symmetry([Units("outer", n, **outer), INNER])


REFUSED = {
    "batch must be a positive int or a tuple": lambda: Units(
        "u", 2, axes={"x": Axis(1, batch=0)}, batch=0
    ),
    "a run of a batch is Axis.axis, outer=..., inner=.... over all of an axis": lambda: Axis(
        1, batch=Axis(1, start=0, inner=2)
    ),
    "must all differ; got axis 1 and batch .0, 1.": lambda: Axis(1, batch=(0, Axis(1))),
    "on site 'w' they lie on .* whose batches run in different blocks": lambda: Units(
        "unit",
        3,
        batch=2,
        axes={"w": (Axis(1, batch=Axis(1, inner=3)), Axis(2, batch=0))},
    ),
    "lie on axis .0. of site 'w', along which the batch of other units runs in blocks": lambda: (
        Symmetry(
            [
                Units("unit", 3, batch=2, axes={"w": Axis(0, batch=Axis(0, inner=3))}),
                Units("other", 6, axes={"w": 0}),
            ]
        )
    ),
    "batch must be an int or a tuple of ints": lambda: Axis(1, batch="0"),
    "must all differ; got axis 1 and batch \\(1,\\)": lambda: Axis(1, batch=1),
    "must all differ; got axis 2 and batch \\(0, 0\\)": lambda: Axis(2, batch=(0, 0)),
    "needs 1 axes of the array; axis \\[1\\] names 0": lambda: Units(
        "u", 2, axes={"x": 1}, batch=4
    ),
    "needs 2 axes of the array; axis \\[1 over 0\\] names 1": lambda: Units(
        "u", 2, axes={"x": Axis(1, batch=0)}, batch=(4, 2)
    ),
    "names a batch, and the units have none": lambda: Units("u", 2, axes={"x": Axis(1, batch=0)}),
    "cannot be one on which their batch runs": lambda: Units(
        "u", 3, axes={"x": (Axis(1, batch=0), Axis(0, batch=1))}, batch=3
    ),
    "but not on site 'y', where that batch runs over axis 0": inner_and(axes={"x": 0}),
    "does not run over the same dimensions of that batch": inner_and(
        axes={"x": Axis(0, batch=2), "y": Axis(0, batch=2)}, batch=5
    ),
    "permute 2 units \\[0, from 0\\] of it": inner_and(
        n=2, axes={"x": Axis(0, start=0), "y": Axis(0, start=0)}
    ),
    "permute 3 units \\[0, 2 each\\] of it": inner_and(
        axes={"x": Axis(0, inner=2), "y": Axis(0, inner=2)}
    ),
    "both move axis 1 of site 'x' and do not commute": inner_and(axes={"x": 1}),
    "permute 2 dimensions of the batch": lambda: Symmetry(
        [
            Units("inner", 2, batch=(3, 3), axes={"x": Axis(2, batch=(0, 1))}),
            Units("outer", 3, axes={"x": (0, 1)}),
        ]
    ),
    "too large to list": lambda: BY_NAME["scanned"].sym.elements(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def test_what_commutes_is_a_direct_product():
    """Batches over one axis on disjoint blocks; a sign of the whole batch; another axis; each
    other's axis never.
    """
    blocks = [
        Units(name, 2, batch=3, axes={"x": Axis(1, start, batch=0)})
        for name, start in (("a", 0), ("b", 2))
    ]
    sign = Units("sign", 1, kind="signed", incoming={"x": Axis(0, inner=3)})
    other = Units("other", 4, batch=3, axes={"x": Axis(2, batch=0)})
    sym = Symmetry([*blocks, sign, other])
    assert sym.order == 8 * 8 * 2 * 24**3
    assert all(sym.outer_of(u) == () for u in sym)
    with pytest.raises(SymmetryError, match="does not run over the same dimensions of that batch"):
        Symmetry(
            [
                Units("a", 3, batch=3, axes={"x": Axis(1, batch=0)}),
                Units("b", 3, batch=3, axes={"x": Axis(0, batch=1)}),
            ]
        )


SHAPES = {
    r"axis 0 has length 5; the batch of 4 x 3 needs 4": (Axis(1, batch=0), (5, 3)),
    r"axis 0 has length 10; the batch of 4 x 3 needs 12, 4 blocks of 3": (
        Axis(0, batch=Axis(0, inner=3)),
        (10,),
    ),
    r"there is no axis 2 for the batch": (Axis(1, batch=2), (4, 3)),
    r"names one axis of the array twice": (Axis(1, batch=-1), (4, 3)),
    r"axis 1 has length 2; expected 3": (Axis(1, batch=0), (4, 2)),
}


@pytest.mark.parametrize("message", SHAPES)
def test_shapes_that_do_not_fit(message):
    axis, shape = SHAPES[message]
    with pytest.raises(SymmetryError, match=message):
        Symmetry([Units("u", 3, batch=4, axes={"x": axis})]).check_shapes({"x": shape})


def test_axes_counted_from_both_ends_are_seen_once_shapes_are_known():
    inner = Units("inner", 2, batch=3, axes={"x": Axis(1, batch=0)})
    sym = Symmetry([inner, Units("outer", 3, axes={"x": -2})])
    with pytest.raises(SymmetryError, match="Count the axes of each site from one end"):
        sym.check_shapes({"x": (3, 2)})
    Symmetry([inner, Units("outer", 3, axes={"x": 0})]).check_shapes({"x": (3, 2)})


def test_elements_must_have_the_batch():
    sym = BY_NAME["subjects"].sym
    point = {"weights": np.ones((4, 3)), "mu": np.ones((4, 3))}
    for shape in ((3,), (3, 4), (5, 3)):
        element = nsym.Element(np.broadcast_to(np.arange(shape[-1]), shape), np.ones(shape))
        with pytest.raises(SymmetryError, match=r"expected an array of shape \(\*sample, 4, 3\)"):
            sym.act({"component": element}, point)
    broken = jax.tree.map(np.array, sym.identity())
    broken["component"].permutation[2, 1] = 0
    with pytest.raises(SymmetryError, match="does not hold each once"):
        sym.act(broken, point)


def shared_components(x):
    """Four subjects whose components share their weights: one permutation for all of them, none of
    each.
    """
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    mu = normal("mu", 4, 2)
    mixing = dist.Categorical(jnp.broadcast_to(weights, (4, 2)))
    numpyro.sample("x", dist.MixtureSameFamily(mixing, dist.Normal(mu, 1.0)).to_event(1), obs=x)


def test_a_permutation_shared_by_all_sets_is_not_one_of_each():
    batch = Symmetry([Units("component", 2, batch=4, axes={"mu": Axis(1, batch=0)})])
    with pytest.raises(SymmetryError, match=r"\(4 x 2, each set by itself\) are no symmetry"):
        batch.check(shared_components, X[:4, 0])
    nsym.mixture(2, {"weights": 0, "mu": 1}).check(shared_components, X[:4, 0])


def two_share(x):
    """Two pairs of subjects, of which each pair is mixed alike."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)).expand([2]).to_event(1))
    mu = normal("mu", 2, 2, 2)
    mixing = dist.Categorical(jnp.broadcast_to(weights[:, None], (2, 2, 2)))
    numpyro.sample("x", dist.MixtureSameFamily(mixing, dist.Normal(mu, 1.0)).to_event(2), obs=x)


def test_a_batch_is_as_long_as_what_moves_by_itself():
    x = X[:2, :2]
    right = Units(
        "component", 2, batch=2, axes={"weights": Axis(1, batch=0), "mu": Axis(2, batch=0)}
    )
    Symmetry([right]).check(two_share, x)
    with pytest.raises(SymmetryError, match="are no symmetry of this model"):
        Symmetry([Units("component", 2, batch=(2, 2), axes={"mu": Axis(2, batch=(0, 1))})]).check(
            two_share, x
        )


def test_a_shared_prior_is_named_with_its_remedy():
    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 1).expand([3, 2]).to_event(2))
        numpyro.sample("y", dist.Normal(jnp.prod(mu.sum(0)), 1.0), obs=y)

    claim = Symmetry([Units("column", 2, batch=3, axes={"mu": Axis(1, batch=0)})])
    with pytest.raises(
        SymmetryError, match=r"Without batch=\(3,\) it holds: all sets move together"
    ):
        claim.check(model, 1.0)


def test_a_forgotten_site_is_named_with_its_batch():
    forgotten = Symmetry([Units("component", 3, batch=4, axes={"mu": Axis(1, batch=0)})])
    with pytest.raises(
        SymmetryError,
        match=r"Site 'weights', axis 1 over 0 must move too: "
        r"add axes=\{'weights': Axis\(1, batch=\(0,\)\)\}",
    ):
        forgotten.check(mixtures_in_subjects, *BY_NAME["subjects"].args)


def test_members_that_are_told_apart_are_not_exchanged():
    def model(x, y):
        w1, w2 = normal("w1", 2, 3, 2), normal("w2", 2, 2)
        f = jax.vmap(lambda w, v: jnp.tanh(x @ w) @ v)(w1, w2)
        observe(f[0] + 2 * f[1], y)

    hidden = Units(
        "hidden",
        2,
        batch=2,
        kind="signed",
        incoming={"w1": Axis(2, batch=0)},
        outgoing={"w2": Axis(1, batch=0)},
    )
    Symmetry([hidden]).check(model, X, Y)
    with pytest.raises(SymmetryError, match="Units 'member' are no symmetry"):
        Symmetry([hidden, Units("member", 2, axes={"w1": 0, "w2": 0})]).check(model, X, Y)
