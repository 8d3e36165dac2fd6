"""Batches of units through the ArviZ layer: each subject, and each member, has labels
of its own.
"""

import jax
import numpy as np
import pytest
import xarray as xr
from planted import arviz, dataset, rhat

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.diagnostics import (
    act_on_group,
    compact_posterior,
    compare_gaussians,
    elements_of,
    rebasin_to_zarr,
    transpositions,
)
from numpyro_sym.diagnostics.labels import relabeled, share_within
from numpyro_sym.diagnostics.scales import log_scales
from numpyro_sym.plots._unit_cards import unit_cards

CHAINS, DRAWS, SUBJECTS, K = 4, 250, 4, 3
ROWS = nsym.Axis(1, batch=0)
COMPONENTS = nsym.Units("component", K, batch=SUBJECTS, axes={"mu": ROWS, "weights": ROWS})
SYM = nsym.Symmetry([COMPONENTS])
#: What the same labels for all subjects would be: too small a group.
SHARED = nsym.Symmetry([nsym.Units("component", K, axes={"mu": 1, "weights": 1})])
#: Members that may change places, each with hidden units of its own.
WREATH = nsym.Symmetry(
    [
        nsym.Units("member", 2, axes={"w": 0}),
        nsym.Units("hidden", 3, batch=2, incoming={"w": nsym.Axis(1, batch=0)}, kind="signed"),
    ]
)


def settled(rng):
    """Draws of a mixture for each subject under one labeling, and what they predict."""
    centers = np.array([-4.0, 0.0, 4.0]) + np.arange(SUBJECTS)[:, None]
    mu = centers + 0.2 * rng.normal(size=(CHAINS, DRAWS, SUBJECTS, K))
    weights = rng.dirichlet([60.0, 20.0, 20.0], (CHAINS, DRAWS, SUBJECTS))
    return {"mu": mu, "weights": weights}


def invariants(draws):
    """Of each subject: a function that no relabeling changes."""
    return {"total": (draws["mu"] * draws["weights"]).sum(-1), "square": (draws["mu"] ** 2).sum(-1)}


def switched(seed=0, within=False):
    """The same draws with labels of its own for every subject of every chain, or of every draw."""
    rng = np.random.default_rng(seed)
    draws = settled(rng)
    sample = (CHAINS, DRAWS) if within else (CHAINS, 1)
    order = rng.permuted(np.tile(np.arange(K), (*sample, SUBJECTS, 1)), axis=-1)
    order = np.broadcast_to(order, (CHAINS, DRAWS, SUBJECTS, K))
    g = {"component": nsym.Element(order, np.ones(order.shape))}
    return draws, SYM.act(g, draws) | invariants(draws), g


@pytest.fixture(scope="module")
def data():
    _, moved, _ = switched()
    return arviz({"posterior": moved})


# Rebasin ---------------------------------------------------------------------------------------


def test_every_subject_is_relabeled(data):
    raw, aligned = rhat(dataset(data)), rhat(dataset(nsym.rebasin(data, SYM)))
    for site in SYM.sites:
        assert raw[site] > 1.5
        assert aligned[site] < 1.01


def test_subjects_that_lie_in_one_row_are_relabeled_as_those_of_a_table(data, tmp_path):
    """All locations in one vector, subject by subject; there and back through a file."""
    inside = nsym.Axis(0, batch=nsym.Axis(0, inner=K))
    components = nsym.Units("component", K, batch=SUBJECTS, axes={"mu": inside, "weights": inside})
    flat = nsym.Symmetry([components])
    table = dataset(data)
    rows = {site: table[site].values.reshape(CHAINS, DRAWS, -1) for site in SYM.sites}
    done = nsym.rebasin(arviz({"posterior": rows}), flat, keep_elements=True)
    aligned = dataset(done)
    expected = dataset(nsym.rebasin(data, SYM))
    for site in SYM.sites:
        assert rhat(aligned)[site] < 1.01
        found = aligned[site].values
        np.testing.assert_array_equal(found, expected[site].values.reshape(found.shape))
    kept = {name: dataset(done, name) for name in ("posterior", "rebasin")}
    xr.DataTree.from_dict(kept).to_netcdf(tmp_path / "draws.nc")
    tree = xr.open_datatree(tmp_path / "draws.nc")
    back = act_on_group(tree, flat, flat.inverse(elements_of(tree, flat)))
    for site in SYM.sites:
        np.testing.assert_array_equal(back["posterior"][site].values, rows[site])


def test_labels_shared_by_all_subjects_do_not_mend_it(data):
    """Negative control: what is aligned by too small a group keeps its R-hat."""
    assert rhat(dataset(nsym.rebasin(data, SHARED)))["mu"] > 1.5


def test_draws_move_by_elements_of_the_group():
    """Undone up to one relabeling of all draws: what is left is the same for each of them."""
    draws, moved, _ = switched(within=True)
    found = dataset(nsym.rebasin(arviz({"posterior": moved}), SYM))["mu"].values
    order = np.argsort(found.mean((0, 1)), -1)
    np.testing.assert_array_equal(
        np.take_along_axis(found, np.broadcast_to(order, found.shape), -1), draws["mu"]
    )


@pytest.mark.parametrize("stored", ["memory", "netcdf", "zarr"])
def test_elements_survive_a_file(data, stored, tmp_path):
    done = nsym.rebasin(data, SYM, keep_elements=True)
    kept = {name: dataset(done, name) for name in ("posterior", "rebasin")}
    tree = xr.DataTree.from_dict(kept)
    if stored == "netcdf":
        tree.to_netcdf(tmp_path / "draws.nc")
        tree = xr.open_datatree(tmp_path / "draws.nc")
    elif stored == "zarr":
        tree.to_zarr(tmp_path / "draws.zarr", zarr_format=2, consolidated=False)
        tree = xr.open_datatree(tmp_path / "draws.zarr", engine="zarr", consolidated=False)
    g = elements_of(tree, SYM)
    assert g["component"].permutation.shape == (CHAINS, DRAWS, SUBJECTS, K)
    back = act_on_group(tree, SYM, SYM.inverse(g))
    for site in SYM.sites:
        np.testing.assert_array_equal(back["posterior"][site].values, dataset(data)[site].values)
    with pytest.raises(
        SymmetryError, match=r"not of Units 'component' of shape \(3,\); there are .*\(4, 3\)"
    ):
        elements_of(tree, SHARED)


def test_a_store_written_block_by_block(data, tmp_path):
    tree = xr.DataTree.from_dict({"posterior": dataset(data).chunk(draw=100)})
    done = rebasin_to_zarr(tree, tmp_path / "out", SYM, progress_bar=False)
    expected = dataset(nsym.rebasin(data, SYM))
    for site in SYM.sites:
        np.testing.assert_allclose(done[f"posterior/{site}"].values, expected[site].values)
    lazy = elements_of(nsym.rebasin(tree, SYM, keep_elements=True, reference=(0, 0)), SYM)
    eager = elements_of(nsym.rebasin(data, SYM, keep_elements=True, reference=(0, 0)), SYM)
    np.testing.assert_array_equal(lazy["component"].permutation, eager["component"].permutation)
    with pytest.raises(SymmetryError, match="another symmetry"):
        rebasin_to_zarr(tree, tmp_path / "out", SHARED, progress_bar=False)


def test_compact():
    draws, moved, _ = switched(within=True)
    c = compact_posterior(arviz({"posterior": {name: moved[name] for name in SYM.sites}}), SYM)
    spread = draws["mu"].std((0, 1), ddof=1).min()
    assert (
        c.scale["mu"].max()
        < 0.3
        < compact_posterior({"mu": moved["mu"].reshape(-1, SUBJECTS, K)}).scale["mu"].min()
    )
    assert c.scale["mu"].min() > 0.9 * spread


# Diagnose --------------------------------------------------------------------------------------


def test_gaussians_of_each_subject_are_aligned():
    """Two Gaussians whose subjects are ordered differently are the same one; under shared labels
    they are not.
    """
    rng = np.random.default_rng(2)
    loc = {site: rng.normal(size=(SUBJECTS, K)) for site in ("mu", "weights")}
    scale = {site: rng.uniform(0.1, 0.2, (SUBJECTS, K)) for site in ("mu", "weights")}
    order = rng.permuted(np.tile(np.arange(K), (SUBJECTS, 1)), axis=-1)
    g = {"component": nsym.Element(order, np.ones(order.shape))}
    other = SYM.act(g, loc), SYM.act(g, scale)
    assert float(compare_gaussians((loc, scale), other, SYM)["distance"].max()) < 1e-12
    assert float(compare_gaussians((loc, scale), other, SHARED)["distance"].max()) > 0.1


def test_label_switching_of_each_subject_is_no_fault(data):
    found = nsym.diagnose(data, SYM)
    assert found.verdicts == ("label switching only",)
    assert found.fine


def test_one_subject_that_does_not_mix_is_found():
    """Negative control: one subject of one chain in another mode."""
    _, moved, _ = switched()
    moved["mu"][2, :, 1] += 3.0
    found = nsym.diagnose(arviz({"posterior": moved | invariants(moved)}), SYM)
    assert not found.fine


def test_too_small_a_group_is_not_fine(data):
    assert not nsym.diagnose(data, SHARED).fine


def test_switching_within_chains_is_told():
    _, moved, _ = switched(within=True)
    found = nsym.diagnose(arviz({"posterior": moved}), SYM)
    assert any("labels change within chains" in line for line in found.verdicts)


# Labels, scales, pictures ----------------------------------------------------------------------


def test_the_share_counts_each_set_by_itself():
    permutation = np.tile(np.arange(3), (2, 10, 2, 1))
    permutation[1, :, 1] = [2, 0, 1]
    factor = np.ones(permutation.shape)
    assert share_within({"u": nsym.Element(permutation, factor)}) == 0
    permutation[0, :3, 0] = permutation[0, 2:5, 1] = [1, 0, 2]  # draws 0 to 4, draw 2 in both sets
    assert share_within({"u": nsym.Element(permutation, factor)}) == pytest.approx(0.25)


@pytest.mark.parametrize(
    "shape", [(SUBJECTS, K), (K, SUBJECTS), (SUBJECTS, K, K), (SUBJECTS, 5, K)]
)
def test_an_axis_follows_in_each_set(shape):
    x = np.random.default_rng(0).normal(size=(CHAINS, DRAWS, *shape))
    _, _, g = switched(within=True)
    batch = shape.index(SUBJECTS)
    along = tuple(nsym.Axis(i, batch=batch) for i, length in enumerate(shape) if length == K)
    alike = nsym.Symmetry([nsym.Units("component", K, batch=SUBJECTS, axes={"x": along})])
    moved = alike.act(alike.inverse(g), {"x": x})["x"]
    dims = ("chain", "draw", *(f"d{i}" for i in range(len(shape))))
    found = [np.asarray(y) for _, y in relabeled(xr.DataArray(moved, dims=dims), SYM, g)]
    assert any(np.array_equal(y, x) for y in found)


@pytest.mark.parametrize("subjects_last", [False, True])
def test_integers_follow_in_each_set(subjects_last):
    z = np.random.default_rng(0).integers(0, K, (CHAINS, DRAWS, SUBJECTS, 7))
    _, _, g = switched(within=True)
    before = np.take_along_axis(g["component"].permutation, z, -1)
    if subjects_last:
        z, before = np.swapaxes(z, -1, -2), np.swapaxes(before, -1, -2)
    found = relabeled(xr.DataArray(before, dims=("chain", "draw", "a", "b")), SYM, g)
    assert any(np.array_equal(y, z) for _, y in found)


def test_what_members_take_along_follows_both():
    """Units of members that change places: first each member's own units, then the members."""
    g = jax.tree.map(np.asarray, WREATH.sample(jax.random.key(0), (CHAINS, DRAWS)))
    rng = np.random.default_rng(0)
    w, z = rng.normal(size=(CHAINS, DRAWS, 2, 3)), rng.integers(0, 3, (CHAINS, DRAWS, 2, 7))
    moved = WREATH.act(WREATH.inverse(g), {"w": w})["w"]
    dims = ("chain", "draw", "a", "b")
    found = [
        np.asarray(y)
        for name, y in relabeled(xr.DataArray(moved, dims=dims), WREATH, g)
        if name == "hidden"
    ]
    assert any(np.allclose(y, w) for y in found)
    # Labels by hand: before, member t[c] stood where c stands now, and unit p[i] where i does.
    members, units = g["member"].permutation, g["hidden"].permutation
    before = np.empty_like(z)
    for place in np.ndindex(CHAINS, DRAWS):
        for c in range(2):
            old = members[place][c]
            before[place][old] = units[place][old][z[place][c]]
    found = relabeled(xr.DataArray(before, dims=dims), WREATH, g)
    assert any(np.array_equal(y, z) for name, y in found if name == "hidden")


def test_scales_of_each_set():
    relu = nsym.Symmetry(
        [nsym.Units("unit", 3, batch=2, incoming={"w": ROWS}, outgoing={"v": ROWS}, kind="scaled")]
    )
    rng = np.random.default_rng(0)
    draws = {name: rng.normal(size=(CHAINS, DRAWS, 2, 3)) for name in ("w", "v")}
    g = jax.tree.map(
        np.asarray, relu.select("permutation").sample(jax.random.key(0), (CHAINS, DRAWS))
    )
    raw, aligned = log_scales(draws, relu, g)
    expected = np.log(np.abs(draws["w"] / draws["v"])) / 2
    np.testing.assert_allclose(raw["scale of unit"].values, expected)
    moved = np.take_along_axis(expected, g["unit"].permutation, -1)
    np.testing.assert_allclose(aligned["scale of unit"].values, moved)
    assert raw["scale of unit"].dims == ("chain", "draw", "unit_scale_set_0", "unit_scale_unit")


def test_exchanges_are_counted_in_each_set():
    _, _, g = switched(within=True)
    counts = transpositions(g)["component"]
    assert counts.shape == (CHAINS, DRAWS, SUBJECTS)
    assert set(np.unique(counts)) == {0, 1, 2}


def test_a_card_for_each_unit_of_each_set():
    draws, _, _ = switched()
    flat = {name: x.reshape(-1, SUBJECTS, K) for name, x in draws.items()}
    cards = unit_cards(flat, SYM, "component")
    assert len(cards) == SUBJECTS * K
    np.testing.assert_allclose([own[0].mean[0] for own in cards], flat["mu"].mean(0).ravel())
