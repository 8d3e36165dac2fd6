"""Symmetrized guides of models with a batch of units: what a user calls, from training to
quantiles.
"""

import batch_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal, AutoNormal

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.guides import AutoSymmetrized
from numpyro_sym.guides.bases.marginals import entry_orbits

SUBJECTS, COMPONENTS, ROWS = 4, 3, 12
SYM = Symmetry([Units("component", COMPONENTS, batch=SUBJECTS, axes={"mu": Axis(1, batch=0)})])
DATA = np.random.default_rng(0).normal(size=(SUBJECTS, ROWS))


def in_subjects(data, subsample_size=None):
    """A mixture in each subject, whose plate is the batch; components that overlap, so that labels
    are costly.
    """
    with numpyro.plate("subjects", SUBJECTS, subsample_size=subsample_size) as subject:
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([COMPONENTS]).to_event(1))
        mixing = dist.Categorical(jnp.ones((len(subject), ROWS, COMPONENTS)) / COMPONENTS)
        rows = dist.MixtureSameFamily(mixing, dist.Normal(mu[:, None], 1.0))
        numpyro.sample("y", rows.to_event(1), obs=jnp.asarray(data)[subject])


def trained(guide, steps=1500):
    svi = SVI(in_subjects, guide, numpyro.optim.Adam(0.03), Trace_ELBO(num_particles=4))
    return svi.run(jax.random.key(0), steps, DATA, progress_bar=False).params


def elbo(guide, params):
    return -Trace_ELBO(num_particles=4000).loss(jax.random.key(1), params, in_subjects, guide, DATA)


@pytest.mark.slow
def test_in_a_plate_the_elbo_gains_what_the_guide_says_it_does():
    """Trained from the same start; the plain guide's ELBO plus the information is the symmetrized
    one.
    """
    guide = nsym.AutoSymmetrizedNormal(in_subjects, SYM)
    params, plain = trained(guide), trained(AutoNormal(in_subjects))
    base = AutoNormal(in_subjects)
    trained(base, 1)
    assert elbo(guide, params) > elbo(base, plain) + 0.5
    told = guide.symmetry_information(jax.random.key(2), params, DATA, num_samples=4000)
    gained = elbo(guide, params) - elbo(base, params)
    np.testing.assert_allclose(gained, told.lower, atol=5 * told.lower_error + 0.1)
    assert told.log_order == pytest.approx(SUBJECTS * np.log(6))


@pytest.mark.slow
def test_draws_permute_within_subjects_each_by_its_own():
    guide = nsym.AutoSymmetrizedNormal(in_subjects, SYM)
    params = cases.params_of(guide, (DATA,), jax.random.key(0)) | {
        "mu_auto_scale": jnp.full((4, 3), 1e-3)
    }
    draws = guide.sample_posterior(jax.random.key(1), params, sample_shape=(200,))["mu"]
    order = jnp.argsort(jnp.argsort(params["mu_auto_loc"], axis=1), axis=1)
    seen = np.asarray(jnp.argsort(jnp.argsort(draws, axis=-1), axis=-1))
    np.testing.assert_allclose(
        jnp.sort(draws, axis=-1)[0], jnp.sort(params["mu_auto_loc"], axis=-1), atol=0.01
    )
    assert (seen == np.asarray(order)).all(-1).mean() < 0.3  # one in six keeps its order
    assert (
        len(np.unique(seen.reshape(200, -1), axis=0)) > 100
    )  # of 6**4 = 1296; a permutation that is shared has 6
    one_labeling = guide.sample_component(jax.random.key(1), params, sample_shape=(50,))["mu"]
    np.testing.assert_allclose(
        one_labeling, jnp.broadcast_to(params["mu_auto_loc"], (50, 4, 3)), atol=0.01
    )
    np.testing.assert_allclose(
        guide.component(params).dists["mu"].mean, params["mu_auto_loc"], rtol=1e-6
    )


@pytest.mark.slow
def test_quantiles_are_those_of_draws():
    guide = nsym.AutoSymmetrizedNormal(in_subjects, SYM)
    params = cases.params_of(guide, (DATA,), jax.random.key(0))
    draws = guide.sample_posterior(jax.random.key(1), params, sample_shape=(40_000,))["mu"]
    levels = [0.1, 0.5, 0.9]
    ours = guide.quantiles(params, levels)["mu"]
    np.testing.assert_allclose(ours, jnp.quantile(draws, jnp.array(levels), axis=0), atol=0.05)
    assert (jnp.ptp(ours, axis=-1) < 1e-4).all()  # alike for the units of a subject
    assert jnp.ptp(ours[1], axis=0).min() > 0.02  # and not from subject to subject
    np.testing.assert_allclose(guide.median(params)["mu"], ours[1], rtol=1e-5)


def test_orbits_of_entries_stay_within_a_set():
    assert len(np.unique(entry_orbits(SYM, {"mu": (4, 3)})["mu"][0])) == SUBJECTS
    for name, orbits in {"members": 2, "subjects": 3, "rows and columns": 2}.items():
        sym, shapes = cases.CASES[name]
        site = "mu" if name == "subjects" else "w"
        labels = entry_orbits(sym, shapes)[site][0].reshape(shapes[site])
        assert len(np.unique(labels)) == orbits, name


def test_orbits_where_one_entry_belongs_to_two_sets():
    """Signs of rows in one set and of columns in another: an entry meets its negative by either."""
    axes = (Axis(2, batch=0, power=1), Axis(3, batch=1, power=1))
    sym = Symmetry([Units("unit", 1, batch=2, kind="signed", axes={"x": axes})])
    labels = entry_orbits(sym, {"x": (2, 2, 1, 1)})["x"]
    assert (labels[0] == labels[1]).reshape(2, 2).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("base", [AutoMultivariateNormal, AutoDiagonalNormal])
@pytest.mark.parametrize("bound", ["auto", "infonce"])
@pytest.mark.slow
def test_other_bases_have_a_valid_bound(base, bound):
    """6**4 elements are too many to list here: a guess, whose ELBO lies below that of the group
    listed.
    """
    guide = AutoSymmetrized(base(in_subjects, init_scale=0.3), SYM, bound=bound)
    params = cases.params_of(guide, (DATA,), jax.random.key(0), spread=0.2)
    orbit = guide._orbit_of(guide._base(jax.random.key(0), params, (DATA,), {}))

    @jax.jit
    @jax.vmap
    def both(key):
        value, held = orbit.sample_with_intermediates(key)
        listed = jax.vmap(lambda g: orbit.base_log_prob(SYM.act(g, held[0])))(SYM.elements())
        return (
            orbit.log_prob(value, held),
            jax.nn.logsumexp(listed) - SYM.log_order,
            orbit.base_log_prob(held[0]),
        )

    bounded, exact, plain = both(jax.random.split(jax.random.key(1), 400))
    slack = bounded - exact
    assert slack.mean() > -3 * slack.std() / 20
    assert bounded.mean() < plain.mean() - 0.5  # something is gained
    if bound == "auto":
        assert slack.mean() < 0.3


@pytest.mark.slow
def test_ties_within_a_set_are_broken():
    start = np.arange(12.0).reshape(4, 3)
    start[2, 1] = start[2, 0]
    init = numpyro.infer.init_to_value(values={"mu": jnp.asarray(start)})
    guide = nsym.AutoSymmetrizedNormal(in_subjects, SYM, init_loc_fn=init)
    with numpyro.handlers.seed(rng_seed=0):
        guide(DATA)
    assert guide._init_locs["mu"][2, 1] != guide._init_locs["mu"][2, 0]


def test_equal_values_in_two_sets_are_no_tie():
    start = jnp.tile(jnp.arange(3.0), (4, 1))
    init = numpyro.infer.init_to_value(values={"mu": start})
    guide = nsym.AutoSymmetrizedNormal(in_subjects, SYM, init_loc_fn=init)
    with numpyro.handlers.seed(rng_seed=0):
        guide(DATA)
    np.testing.assert_array_equal(guide._init_locs["mu"], start)


def test_guides_are_aligned_set_by_set():
    """A guide and the same one moved: each subject by an element of its own is found and undone."""
    guide = nsym.AutoSymmetrizedNormal(in_subjects, SYM)
    params = cases.params_of(guide, (DATA,), jax.random.key(0))
    names = {"mu_auto_loc", "mu_auto_scale"}
    g = SYM.sample(jax.random.key(1))
    moved = {name: SYM.act(g, {"mu": params[name]})["mu"] for name in names}
    assert (g["component"].permutation[0] != g["component"].permutation[1:]).any()
    found = nsym.align_guides(guide, params, guide, moved, SYM)
    for name in names:
        np.testing.assert_allclose(found.params[name], params[name], rtol=1e-6)
    np.testing.assert_allclose(found.gaussian.distance, 0, atol=1e-3)


@pytest.mark.slow
def test_a_batch_in_a_subsampled_plate_is_refused():
    guide = nsym.AutoSymmetrizedNormal(lambda data: in_subjects(data, 2), SYM, check=False)
    with (
        pytest.raises(SymmetryError, match="'mu' stands in the subsampled plate 'subjects'"),
        numpyro.handlers.seed(rng_seed=0),
    ):
        guide(DATA)
