"""Labels ride along: with every way in which draws are brought to one labeling, and with no part
in it.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.alignment import (
    ApproximatelyNearest,
    Nearest,
    align_by_labels,
    align_chunked,
    align_in_jit,
    remove_symmetry,
    sorted_section,
)
from numpyro_sym.alignment.sections.separation import separating_section

MIXTURE = nsym.mixture(3, {"mu": 0, "sigma": 0}, assignments="z")
SUBJECTS = Symmetry(
    [
        Units(
            "component",
            3,
            batch=4,
            axes={"mu": Axis(1, batch=0), "sigma": Axis(1, batch=0)},
            values={"z": Axis(batch=0)},
        )
    ]
)
EXCHANGED = Symmetry([Units("subject", 4, axes={"mu": 0, "sigma": 0, "z": 0}), *SUBJECTS])
SYMMETRIES = {"mixture": MIXTURE, "subjects": SUBJECTS, "subjects that are exchanged": EXCHANGED}
CENTERS = np.arange(12.0).reshape(4, 3)


def planted(name, count=20, dtype=np.int32):
    """Draws near one point, with labels that say which unit is which; and the same, moved by random
    elements.
    """
    sym = SYMMETRIES[name]
    rng = np.random.default_rng(0)
    mu = CENTERS if name != "mixture" else CENTERS[0]
    z = rng.integers(3, size=(count, *mu.shape[:-1], 6)).astype(dtype)
    draws = {
        "mu": mu + 0.05 * rng.normal(size=(count, *mu.shape)),
        "sigma": 1 + 0.05 * rng.normal(size=(count, *mu.shape)),
        "z": z,
    }
    g = jax.tree.map(np.asarray, sym.sample(jax.random.key(1), (count,)))
    return sym, draws, sym.act(g, draws), {"mu": mu, "sigma": np.ones(mu.shape)}


def exactly(found, draws):
    for site, x in draws.items():
        np.testing.assert_array_equal(found[site], x, err_msg=site)
        assert found[site].dtype == x.dtype


@pytest.mark.parametrize("name", SYMMETRIES)
@pytest.mark.parametrize("dtype", [np.int8, np.int32])
def test_switched_draws_come_back_with_their_labels(name, dtype):
    sym, draws, switched, reference = planted(name, dtype=dtype)
    assert not np.array_equal(switched["z"], draws["z"])
    found = nsym.align(switched, reference, sym)
    exactly(found.sites, draws)
    assert set(found.reference) == {"mu", "sigma"}
    again = sym.act(found.elements, switched)
    exactly(again, draws)
    alone = nsym.align({s: x for s, x in switched.items() if s != "z"}, reference, sym)
    np.testing.assert_array_equal(found.distance, alone.distance)
    np.testing.assert_array_equal(found.gap, alone.gap)


@pytest.mark.parametrize("reference", ["first", "mean", 3])
def test_labels_are_those_of_the_reference_draws(reference):
    sym, _, switched, _ = planted("mixture")
    found = nsym.align(switched, reference, sym)
    picked = np.take_along_axis(found.sites["mu"], found.sites["z"], 1)
    before = np.take_along_axis(switched["mu"], switched["z"], 1)
    np.testing.assert_array_equal(picked, before)
    assert np.ptp(found.sites["mu"], axis=0).max() < 0.5


def test_sample_dimensions_and_kinds_of_arrays():
    sym, draws, switched, reference = planted("subjects")
    deep = {s: x.reshape(2, 10, *x.shape[1:]) for s, x in switched.items()}
    found = nsym.align(deep, reference, sym)
    exactly({s: x.reshape(20, *x.shape[2:]) for s, x in found.sites.items()}, draws)
    of_jax = nsym.align(jax.tree.map(jnp.asarray, switched), reference, sym)
    assert all(isinstance(x, jax.Array) for x in of_jax.sites.values())
    np.testing.assert_array_equal(of_jax.sites["z"], draws["z"])


@pytest.mark.parametrize("name", SYMMETRIES)
def test_in_compiled_code(name):
    sym, draws, switched, reference = planted(name)
    found = jax.jit(jax.vmap(lambda x: align_in_jit(x, reference, sym)))(switched)
    np.testing.assert_array_equal(found.sites["z"], draws["z"])
    np.testing.assert_allclose(found.sites["mu"], draws["mu"], rtol=1e-6)
    assert found.sites["z"].dtype == jnp.int32


@pytest.mark.parametrize("reference", ["point", "mean"])
def test_chunk_by_chunk(reference):
    da = pytest.importorskip("dask.array")
    sym, draws, switched, point = planted("subjects", dtype=np.int8)
    lazy = {s: da.from_array(x, chunks=(7, *x.shape[1:])) for s, x in switched.items()}
    found = align_chunked(lazy, point if reference == "point" else "mean", sym)
    computed = {s: x.compute() for s, x in found.sites.items()}
    assert computed["z"].dtype == np.int8
    assert set(found.reference) == {"mu", "sigma"}
    if reference == "point":
        exactly(computed, draws)
    picked, before = (np.take_along_axis(x["mu"], x["z"], 2) for x in (computed, switched))
    np.testing.assert_array_equal(picked, before)
    with pytest.raises(SymmetryError, match="site 'z' is a ndarray; expected a dask array"):
        align_chunked({**lazy, "z": switched["z"]}, point, sym)


def _separating(sym, shapes, draws):
    return separating_section(sym, {s: draws[s] for s in sym.sites})


SECTIONS = {
    "sorted": lambda sym, shapes, draws: sorted_section(sym, shapes),
    "nearest": lambda sym, shapes, draws: Nearest(
        {s: np.broadcast_to(np.arange(3.0), shapes[s]) for s in sym.sites}
    ).section(sym, shapes),
    "approximately nearest": lambda sym, shapes, draws: ApproximatelyNearest(
        {s: np.broadcast_to(np.arange(3.0), shapes[s]) for s in sym.sites}
    ).section(sym, shapes),
    "separating": _separating,
}


@pytest.mark.parametrize("name", SYMMETRIES)
@pytest.mark.parametrize("how", SECTIONS)
def test_sections_settle_labels(name, how):
    """All points of an orbit have one representative, labels and all; the element told does what
    was done.
    """
    if (name, how) == ("subjects that are exchanged", "approximately nearest"):
        pytest.skip("slow to compile, and exact all the same: nearest is the same section")
    sym, draws, switched, _ = planted(name)
    shapes = {s: x.shape[1:] for s, x in draws.items() if s != "z"}
    settle = jax.jit(SECTIONS[how](sym, shapes, draws).settle)
    for k in range(3):
        _, one = settle({s: x[k] for s, x in draws.items()})
        elements, other = settle({s: x[k] for s, x in switched.items()})
        exactly({s: np.asarray(x) for s, x in other.items()}, jax.tree.map(np.asarray, one))
        told = sym.act(elements, {s: jnp.asarray(x[k]) for s, x in switched.items()})
        exactly(jax.tree.map(np.asarray, told), jax.tree.map(np.asarray, other))
    without = settle({s: x[0] for s, x in switched.items() if s != "z"})[1]
    assert set(without) == {"mu", "sigma"}


def test_symmetry_removal_takes_labels_along():
    sym, _, switched, _ = planted("subjects")
    found = remove_symmetry(switched, sym, num_neighbors=5)
    exactly({"z": sym.act(found.elements, switched)["z"]}, {"z": found.sites["z"]})
    picked, before = (np.take_along_axis(x["mu"], x["z"], 2) for x in (found.sites, switched))
    np.testing.assert_array_equal(picked, before)
    assert not np.array_equal(found.sites["z"], switched["z"])


def test_a_fold_that_forgets_the_labels_is_seen():
    """Negative control: with labels as they came, observations change their components."""
    sym, draws, switched, reference = planted("mixture")
    found = nsym.align({s: x for s, x in switched.items() if s != "z"}, reference, sym)
    picked, before = (
        np.take_along_axis(x["mu"], switched["z"], 1) for x in (found.sites, switched)
    )
    assert not np.array_equal(picked, before)
    assert not np.array_equal(switched["z"], draws["z"])


BAD = {
    "site 'z' holds labels of Units 'component' and is an array .* float64": lambda z: z.astype(
        float
    ),
    r"0 .. 2; its numbers run from 0 to 3": lambda z: np.where(z == 2, 3, z),
    "leading dimensions must be": lambda z: z[:5],
}


@pytest.mark.parametrize("message", BAD)
def test_labels_that_are_none_are_refused(message):
    sym, _, switched, reference = planted("mixture")
    bad = {**switched, "z": BAD[message](switched["z"])}
    for work in (lambda: nsym.align(bad, reference, sym), lambda: remove_symmetry(bad, sym)):
        with pytest.raises(SymmetryError, match=message):
            work()


def test_units_of_labels_alone_have_nothing_to_align_by():
    sym = Symmetry([Units("component", 3, values=("z",))])
    with pytest.raises(SymmetryError, match="lie along no site but labels"):
        nsym.align({"z": np.zeros((5, 4), int)}, "first", sym)
    with pytest.raises(SymmetryError, match="lie along no site but labels"):
        sorted_section(sym, {"z": (4,)})


def test_every_permutation_once():
    """Brute force: of the six labelings of a draw, each comes back to the same draw."""
    sym, draws, _, reference = planted("mixture", count=1)
    for permutation in itertools.permutations(range(3)):
        g = {"component": nsym.Element(np.array([permutation]), np.ones((1, 3)))}
        exactly(nsym.align(sym.act(g, draws), reference, sym).sites, draws)


# By the labels themselves ----------------------------------------------------------------------


def alike_allocations(count=25, dtype=np.int32):
    """Draws whose locations say nothing, and labels that nearly agree; and the same under random
    orders.
    """
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=30)
    z = np.where(
        rng.uniform(size=(count, 30)) < 0.1, rng.integers(3, size=(count, 30)), truth
    ).astype(dtype)
    draws = {"mu": rng.normal(size=(count, 3)), "sigma": rng.uniform(size=(count, 3)), "z": z}
    g = jax.tree.map(np.asarray, MIXTURE.sample(jax.random.key(2), (count,)))
    return truth, draws, MIXTURE.act(g, draws)


def test_labels_are_matched_with_a_pivot():
    """Brute force over all orders: no draw could agree in more places."""
    truth, draws, switched = alike_allocations(dtype=np.int8)
    found = align_by_labels(switched, MIXTURE, pivot={"z": truth})
    exactly(found.sites, draws)
    orders = np.array(list(itertools.permutations(range(3))))
    least = [min((order[z] != truth).sum() for order in orders) for z in switched["z"]]
    assert found.disagreements == sum(least)


def test_without_a_pivot_draws_come_to_one_labeling():
    _, _, switched = alike_allocations()
    found = align_by_labels(switched, MIXTURE)
    assert (found.sites["z"] == found.sites["z"][0]).mean() > 0.8
    assert (switched["z"] == switched["z"][0]).mean() < 0.6
    exactly(
        found.sites, {s: np.asarray(x) for s, x in MIXTURE.act(found.elements, switched).items()}
    )


def test_every_set_of_a_batch_is_matched_by_itself():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=(4, 20))
    z = np.broadcast_to(truth, (15, 4, 20)).astype(np.int16)
    draws = {
        "mu": rng.normal(size=(3, 5, 4, 3)),
        "sigma": rng.normal(size=(3, 5, 4, 3)),
        "z": z.reshape(3, 5, 4, 20),
    }
    g = jax.tree.map(np.asarray, SUBJECTS.sample(jax.random.key(3), (3, 5)))
    switched = SUBJECTS.act(g, draws)
    found = align_by_labels(switched, SUBJECTS, pivot={"z": truth}, sample_ndim=2)
    exactly(found.sites, draws)
    assert found.disagreements == 0
    of_jax = align_by_labels(
        jax.tree.map(jnp.asarray, switched), SUBJECTS, pivot={"z": truth}, sample_ndim=2
    )
    np.testing.assert_array_equal(of_jax.sites["z"], draws["z"])


NO_MATCH = {
    "no site holds labels of Units 'component'": (MIXTURE.without_values(), {}),
    "the symmetry has no Units": (Symmetry(), {}),
    "permute the sets of Units 'component'": (EXCHANGED, {}),
    "the pivot must have labels of site 'z', of its shape": (
        MIXTURE,
        {"pivot": {"z": np.zeros(7, int)}},
    ),
    "labels tell no factors": (
        Symmetry([Units("component", 3, kind="signed", incoming={"mu": 0}, values=("z",))]),
        {},
    ),
}


@pytest.mark.parametrize("message", NO_MATCH)
def test_what_labels_cannot_tell(message):
    sym, options = NO_MATCH[message]
    draws = planted("mixture" if sym is not EXCHANGED else "subjects")[2]
    with pytest.raises(SymmetryError, match=message):
        align_by_labels(draws, sym, **options)
