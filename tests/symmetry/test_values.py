"""Labels of units: moved with their units, against the definition, brute force and conditional
laws.
"""

import itertools
import pickle
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from registry import BATCHED, BY_NAME, CASES, moving, random_point

import numpyro_sym as nsym
from numpyro_sym import Axis, Element, Symmetry, SymmetryError, Units
from numpyro_sym.symmetry import act_on_axis

pytestmark = pytest.mark.usefixtures("x64")
over_cases = pytest.mark.parametrize("case", [*CASES, *BATCHED], ids=lambda c: c.name)
TIMES = 5


def with_labels(sym):
    """The same symmetry with a site of labels for every Units, the batch behind the labels of one
    set.
    """
    values = {
        u.name: {f"z of {u.name}": Axis(batch=tuple(range(1, 1 + len(u.batch))))} for u in sym
    }
    along = {u.name: {} for u in sym}
    for u in sym:
        for _, outer in sym.outer_of(u):
            sets = sym.axis_of_sets(outer, u)
            batch = tuple(1 + b for b in sets.batch_axes)
            along[outer.name][f"z of {u.name}"] = (Axis(1 + sets.axis, power=0, batch=batch),)
    return Symmetry(
        [u.with_values(values[u.name]).with_axes({**u.axes, **along[u.name]}) for u in sym]
    )


def random_labels(sym, seed, sample=(), dtype=np.int32):
    rng = np.random.default_rng(seed)
    return {
        f"z of {u.name}": rng.integers(u.n, size=(*sample, TIMES, *u.batch)).astype(dtype)
        for u in sym
    }


def alike(a, b):
    for name, x in a.items():
        np.testing.assert_allclose(x, b[name], rtol=1e-12, atol=1e-12, err_msg=name)
        assert x.dtype == b[name].dtype, name


@over_cases
def test_group_laws_hold_of_labels(case, rng_key):
    sym = with_labels(case.sym)
    assert sym.sites == case.sym.sites
    point = {**random_point(case.name), **random_labels(sym, 0)}
    g, h = (moving(sym, k) for k in jax.random.split(rng_key))
    alike(sym.act(sym.compose(g, h), point), sym.act(g, sym.act(h, point)))
    alike(sym.act(sym.inverse(g), sym.act(g, point)), point)
    alike(sym.act(sym.identity(), point), point)
    alike(sym.without_values().act(g, random_point(case.name)), sym.act(g, random_point(case.name)))


@over_cases
def test_what_a_label_picks_is_picked_by_its_image(case, rng_key):
    """A number for each unit, and the labels: old[z] is new[g z], at every place, whatever else
    moves.
    """
    sym = with_labels(case.sym)
    g = moving(sym, rng_key)
    labels = random_labels(sym, 1)
    moved = sym.act(g, {**random_point(case.name), **labels})
    for u in sym:
        x = np.random.default_rng(2).normal(size=u.shape)
        new = np.take_along_axis(x, np.asarray(g[u.name].permutation), -1)
        picked = np.take_along_axis(x, np.moveaxis(labels[f"z of {u.name}"], 0, -1), -1)
        for outer in sym.in_order_of_action:  # a set that moves takes its labels along
            sets = sym.axis_of_sets(outer, u)
            if sets is not None:
                new, picked = (
                    act_on_axis(outer, g[outer.name], a, replace(sets, power=0), 0)
                    for a in (new, picked)
                )
        after = np.take_along_axis(new, np.moveaxis(np.asarray(moved[f"z of {u.name}"]), 0, -1), -1)
        np.testing.assert_array_equal(after, picked)


@pytest.mark.parametrize("name", ["mixture", "subjects-hmm", "ensemble-small", "two-batch-axes"])
def test_jit_vmap_and_numpy_agree_on_labels(name, rng_key):
    case = BY_NAME[name]
    sym = with_labels(case.sym)
    draws = [random_point(case.name, seed) for seed in range(6)]
    points = {site: np.stack([draw[site] for draw in draws]) for site in case.sym.sites}
    points |= random_labels(sym, 3, (6,), np.int8)
    g = sym.sample(rng_key, (6,))
    on_host = sym.act(*jax.tree.map(np.asarray, (g, points)))
    assert all(isinstance(x, np.ndarray) for x in on_host.values())
    points = jax.tree.map(jnp.asarray, points)
    for moved in (sym.act(g, points), jax.jit(sym.act)(g, points), jax.vmap(sym.act)(g, points)):
        alike(moved, on_host)
    twice = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), (g, points))
    alike({s: x.reshape(6, *x.shape[2:]) for s, x in sym.act(*twice).items()}, on_host)


def test_the_action_on_labels_is_its_definition(rng_key):
    """``new[b, t] = the slot i whose permutation[b, i] is old[b, t]``, entry by entry; batch axes
    around the labels.
    """
    sym = Symmetry([Units("u", 4, batch=(2, 3), values={"z": Axis(batch=(-1, 0))})])
    z = (
        np.random.default_rng(0).integers(4, size=(5, 3, 7, 2)).astype(np.int16)
    )  # draw, second, time, first
    g = jax.tree.map(np.asarray, sym.sample(rng_key, (5,)))
    expected = np.empty_like(z)
    for s, b, t, a in itertools.product(*map(range, z.shape)):
        expected[s, b, t, a] = list(g["u"].permutation[s, a, b]).index(z[s, b, t, a])
    moved = sym.act(g, {"z": z})["z"]
    np.testing.assert_array_equal(moved, expected)
    assert moved.dtype == np.int16


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, bool])
@pytest.mark.parametrize("xp", [np, jnp])
def test_dtypes_of_labels_are_kept(dtype, xp):
    sym = Symmetry([Units("u", 2, values=("z",))])
    g = {"u": Element(np.array([1, 0]), np.ones(2))}
    moved = sym.act(g, {"z": xp.asarray([0, 1, 1], dtype)})["z"]
    assert moved.dtype == dtype
    assert isinstance(moved, np.ndarray) is (xp is np)
    assert moved.astype(int).tolist() == [1, 0, 0]


def test_one_label_without_dimensions_and_no_labels_at_all():
    sym = nsym.Symmetry([Units("u", 3, axes={"x": 0}, values=("z",))])
    g = {"u": Element(np.array([2, 0, 1]), np.ones(3))}
    moved = sym.act(g, {"x": np.arange(3.0), "z": np.int32(2)})
    assert (moved["z"], moved["z"].dtype) == (0, np.int32)
    assert sym.act(g, {"x": np.arange(3.0), "z": np.zeros((0,), int)})["z"].shape == (0,)
    assert set(sym.act(g, {"x": np.arange(3.0)})) == {"x"}
    draws = sym.act(g, {"x": np.zeros((4, 3)), "z": np.full((4, 6), 2)}, sample_ndim=1)
    assert (draws["z"] == 0).all()


def test_traced_numbers_that_are_no_labels_stay():
    sym = Symmetry([Units("u", 3, values=("z",))])
    g = {"u": Element(jnp.array([2, 0, 1]), jnp.ones(3))}
    moved = jax.jit(lambda z: sym.act(g, {"z": z})["z"])(jnp.array([-1, 0, 1, 2, 3]))
    assert moved.tolist() == [-1, 1, 2, 0, 3]


# What it is for --------------------------------------------------------------------------------

OBSERVED = np.array([-1.0, 0.3, 2.0])


def joint_of_mixture(theta, z):
    """log p(y, theta, z) of a mixture of three, for labels ``(3,)``."""
    terms = jnp.log(theta["weights"])[z] + norm.logpdf(OBSERVED, theta["mu"][z], theta["sigma"][z])
    return terms.sum() + norm.logpdf(theta["mu"]).sum() - theta["sigma"].sum()


def joint_of_hmm(theta, z):
    """log p(y, theta, z) of a hidden Markov model of three states, for states ``(3,)``."""
    steps = jnp.log(theta["start"])[z[0]] + jnp.log(theta["trans"])[z[:-1], z[1:]].sum()
    return steps + norm.logpdf(OBSERVED, theta["mu"][z], 1.0).sum() + norm.logpdf(theta["mu"]).sum()


def simplex(rng, *shape):
    x = rng.uniform(0.2, 1.0, size=shape)
    return x / x.sum(-1, keepdims=True)


def mixture_point(rng):
    return {
        "weights": simplex(rng, 3),
        "mu": rng.normal(size=3),
        "sigma": rng.uniform(0.5, 2.0, size=3),
    }


def hmm_point(rng):
    return {"start": simplex(rng, 3), "trans": simplex(rng, 3, 3), "mu": rng.normal(size=3)}


LATENT = {
    "mixture": (
        nsym.mixture(3, {"weights": 0, "mu": 0, "sigma": 0}, assignments="z"),
        joint_of_mixture,
        mixture_point,
    ),
    "hmm": (
        nsym.hmm(3, transition="trans", initial="start", emissions={"mu": 0}, states="z"),
        joint_of_hmm,
        hmm_point,
    ),
}


def conditional_law(joint, theta):
    """p(z | theta, y) of every labeling, ``(3, 3, 3)``, by enumeration."""
    every = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    log_joint = jax.vmap(lambda z: joint(theta, z))(every)
    return every, np.exp(log_joint - logsumexp(log_joint))


@pytest.mark.parametrize("name", LATENT)
def test_the_law_of_labels_given_moved_parameters_is_that_of_moved_labels(name):
    """p(z | g theta, y) = g p(z | theta, y), exactly, for every g; with labels that stay it is
    another law.
    """
    sym, joint, draw = LATENT[name]
    theta = jax.tree.map(jnp.asarray, draw(np.random.default_rng(0)))
    every, law = conditional_law(joint, theta)
    elements = jax.tree.map(np.asarray, sym.elements())
    for k in range(1, sym.order):
        g = jax.tree.map(lambda a, k=k: a[k], elements)
        moved = sym.act(g, theta)
        _, law_of_moved = conditional_law(joint, moved)
        images = [sym.act(g, {**theta, "z": z})["z"] for z in every]
        rows = [int(np.flatnonzero((every == image).all(-1))[0]) for image in images]
        np.testing.assert_allclose(law_of_moved[rows], law, rtol=1e-11)
        assert abs(law_of_moved - law).max() > 1e-3, "the labels would not have to move"


# What is refused, and the rest of a value ------------------------------------------------------


def labeled(**given):
    return Units("u", 3, **{"axes": {"x": 0}, **given})


REFUSED = {
    r"Write \('z',\)": lambda: labeled(values="z"),
    "values are names of sites in a tuple, or a dict": lambda: labeled(values=3),
    "a site is named twice in values": lambda: labeled(values=("z", "z")),
    "sites are named by strings; got 3 in values": lambda: labeled(values=(3,)),
    "site 'x' holds labels of these units .values., and they lie along it": lambda: labeled(
        values=("x",)
    ),
    r"expected Axis\(batch=...\), the axes on which the batch runs, and nothing else; "
    r"got Axis\(axis=0": lambda: labeled(values={"z": Axis(0)}),
    r"Axis\(batch=...\), the axes .* got 0": lambda: labeled(values={"z": 0}),
    "names a batch, and the units have none": lambda: labeled(values={"z": Axis(batch=0)}),
    r"needs 1 axes of the array; axis  names 0. Write numpyro_sym.Axis\(batch=": lambda: Units(
        "u", 3, batch=2, axes={"x": Axis(1, batch=0)}, values=("z",)
    ),
    "an axis is an int or a numpyro_sym.Axis": lambda: Units("u", 3, axes={"x": Axis()}),
    "name at least one site in incoming, outgoing, axes or values": lambda: Units("u", 3),
    "Site 'z' holds labels of Units 'u' and of Units 'v'": lambda: Symmetry(
        [labeled(values=("z",)), Units("v", 2, axes={"y": 0}, values=("z",))]
    ),
    "labels have no sign and no scale": lambda: Symmetry(
        [labeled(values=("z",)), Units("v", 2, kind="signed", incoming={"z": 0})]
    ),
    "but not on site 'z', where that batch runs over axis 0": lambda: Symmetry(
        [
            Units("u", 3, batch=2, axes={"x": Axis(1, batch=0)}, values={"z": Axis(batch=0)}),
            Units("subject", 2, axes={"x": 0}),
        ]
    ),
    "lie along no site but labels": lambda: Symmetry(
        [Units("u", 3, values=("z",))]
    ).without_values(),
    "acts on no site 'y'": lambda: Symmetry([labeled()]).rename_sites({"y": "x"}),
    "two sites would be called 'z'": lambda: Symmetry([labeled(values=("z",))]).rename_sites(
        {"x": "z"}
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


NO_LABELS = {
    r"its numbers run from 1 to 3. They seem to count from 1": np.array([1, 2, 3]),
    r"its numbers run from -1 to 2\.$": np.array([2, -1, 0]),
    r"an array \(ndarray of shape \(3,\) and dtype float64\); expected integers 0 .. 2": np.array(
        [0.0, 1.0, 2.0]
    ),
}


@pytest.mark.parametrize("message", NO_LABELS)
@pytest.mark.parametrize("xp", [np, jnp])
def test_labels_are_looked_at(message, xp):
    sym = Symmetry([labeled(values=("z",))])
    message = message if xp is np else message.replace("ndarray", ".*")
    with pytest.raises(SymmetryError, match=message):
        sym.act(
            sym.identity(),
            {"x": np.zeros(3), "z": xp.asarray(NO_LABELS[message if xp is np else _key(message)])},
        )


def _key(message):
    return message.replace(".*", "ndarray")


def test_a_batch_of_labels_must_fit():
    sym = Symmetry(
        [Units("u", 3, batch=4, axes={"x": Axis(1, batch=0)}, values={"z": Axis(batch=1)})]
    )
    sym.check_shapes({"x": (4, 3), "z": (7, 4)})
    sym.check_shapes({"x": (4, 3)})
    with pytest.raises(SymmetryError, match=r"axis 1 has length 7; the batch of 4 x 3 needs 4"):
        sym.check_shapes({"x": (4, 3), "z": (4, 7)})
    with pytest.raises(SymmetryError, match="there is no axis 1 for the batch"):
        sym.check_shapes({"x": (4, 3), "z": (4,)})


def test_tables_values_and_pickles():
    plain = Units("component", 3, axes={"mu": 0})
    units = Units("component", 3, axes={"mu": 0}, values=("z",))
    assert units != plain
    assert units == Units("component", 3, axes={"mu": 0}, values={"z": Axis()})
    assert units.values == {"z": Axis()}
    assert units.sites == plain.sites == ("mu",)
    sym = Symmetry([units])
    again = pickle.loads(pickle.dumps(sym))
    assert (again, hash(again)) == (sym, hash(sym))
    assert sym.label_sites == ("z",)
    assert str(sym).splitlines()[1].endswith("mu[0], labels z")
    assert sym.without_values() == Symmetry([plain])
    kept = [
        sym.select("permutation"),
        sym.rename({"component": "k"}),
        sym.unconditional(),
        sym.without(),
    ]
    assert all(other.label_sites == ("z",) for other in kept)
    renamed = sym.rename_sites({"z": "state", "mu": "loc"})
    assert (renamed.sites, renamed.label_sites) == (("loc",), ("state",))
    batched = Units("u", 3, batch=4, axes={"x": Axis(1, batch=0)}, values={"z": Axis(batch=-1)})
    assert batched.describe_axes() == "x[1 over 0], labels z[over -1]"
    assert batched.with_kind("signed").renamed("v").values == batched.values


def test_subjects_that_are_exchanged_take_their_labels_along():
    inner = Units("u", 2, batch=3, axes={"x": Axis(1, batch=0)}, values={"z": Axis(batch=0)})
    outer = Units("subject", 3, axes={"x": 0, "z": 0})
    sym = Symmetry([outer, inner])
    assert sym.outer_of(inner) == ((0, outer),)
    assert (sym.sites, sym.label_sites) == (("x",), ("z",))
    assert sym.without_values().outer_of(sym.without_values()["u"]) == (
        (0, Units("subject", 3, axes={"x": 0})),
    )
    every = jax.tree.map(np.asarray, sym.elements())
    x, z = np.arange(6.0).reshape(3, 2), np.array([[0, 1], [1, 1], [0, 0]])
    moved = sym.act(
        every, {"x": np.broadcast_to(x, (48, 3, 2)), "z": np.broadcast_to(z, (48, 3, 2))}
    )
    picked = np.take_along_axis(moved["x"], moved["z"], -1)
    rows = {tuple(map(tuple, p)) for p in picked}
    assert rows == set(itertools.permutations(tuple(map(tuple, np.take_along_axis(x, z, -1)))))
