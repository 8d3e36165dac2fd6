"""Folds, order statistics and removal where units have a batch, or others permute their sets."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import logsumexp
from numpyro import handlers
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import log_density, potential_energy
from registry import BATCHED, BY_NAME, SERIES_OF, moving, random_point
from scipy.special import logsumexp as host_logsumexp

from numpyro_sym import Axis, Element, Folded, FoldedNUTS, Symmetry, SymmetryError, Units
from numpyro_sym.alignment import sorted_section
from numpyro_sym.alignment.sections.separation import separating_section
from numpyro_sym.mcmc import (
    ApproximatelyNearest,
    Nearest,
    OrderedReparam,
    PermutationSampler,
    ReferenceSetReparam,
    remove_symmetry,
)

NAMES = [case.name for case in BATCHED]


def _shapes(name):
    with jax.enable_x64(True):
        point = random_point(name)
    return {site: np.shape(point[site]) for site in BY_NAME[name].sym.sites}


def _on_orbit(name, seed, count=5):
    """A point, copies of it, and the elements that made them."""
    case = BY_NAME[name]
    point = {site: jnp.asarray(random_point(name, seed)[site]) for site in case.sym.sites}
    elements = [moving(case.sym, jax.random.key(k)) for k in range(count)]
    return point, [case.sym.act(g, point) for g in elements]


def _assert_one_representative(sym, section, point, copies):
    settle = jax.jit(section.settle)
    _, folded = settle(point)
    for copy in (point, *copies):
        element, out = settle(copy)
        for site, x in sym.act(element, copy).items():
            np.testing.assert_allclose(x, out[site], atol=1e-12)
        for site, x in folded.items():
            np.testing.assert_allclose(out[site], x, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_sorted_section_has_one_representative(name):
    with jax.enable_x64(True):
        sym = BY_NAME[name].sym
        _assert_one_representative(sym, sorted_section(sym, _shapes(name)), *_on_orbit(name, 1))


def test_a_section_names_axes_as_they_were_given():
    """Not those of the arrays that it reads, on which each run of a batch is an axis of its own."""
    name = "attention-flat"
    told = str(sorted_section(BY_NAME[name].sym, _shapes(name)))
    assert "value: sorted by v[1 over (1, 3 each)], v[1 over (1, 3 each)] made positive" in told


@pytest.mark.parametrize(
    "name",
    ["subjects", "scanned", "ensemble-small", "attention-inner", "attention-flat", "signed-groups"],
)
def test_the_nearest_point_is_the_same_for_a_whole_orbit(name):
    with jax.enable_x64(True):
        sym = BY_NAME[name].sym
        reference = {site: random_point(name, 7)[site] for site in sym.sites}
        section = Nearest(reference).section(sym, _shapes(name))
        _assert_one_representative(sym, section, *_on_orbit(name, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_towards_a_reference_a_point_stays_on_its_orbit_and_never_moves_away(name):
    with jax.enable_x64(True):
        sym = BY_NAME[name].sym
        reference = {site: jnp.asarray(random_point(name, 7)[site]) for site in sym.sites}
        section = ApproximatelyNearest(reference, sweeps=2).section(sym, _shapes(name))
        for copy in _on_orbit(name, 1, count=2)[1]:
            element, out = jax.jit(section.settle)(copy)
            for site, x in sym.act(element, copy).items():
                np.testing.assert_allclose(x, out[site], atol=1e-12)
            before, after = (
                sum(((x[s] - reference[s]) ** 2).sum() for s in reference) for x in (copy, out)
            )
            assert after < before


@pytest.mark.parametrize(
    "name", ["subjects", "scanned", "ensemble-small", "attention-flat", "signed-groups"]
)
def test_a_separating_section_has_one_representative(name):
    with jax.enable_x64(True):
        sym = BY_NAME[name].sym
        mode = {site: np.asarray(random_point(name, 3)[site], float) for site in sym.sites}
        rng = np.random.default_rng(0)
        draws = {site: x + 0.3 * rng.normal(size=(64, *x.shape)) for site, x in mode.items()}
        _assert_one_representative(sym, separating_section(sym, draws), *_on_orbit(name, 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["subjects", "ensemble-small", "attention-inner", "attention-flat", "signed-groups"]
)
def test_a_reparameterized_model_has_the_same_density_and_sites_in_order(name):
    """The potential of the latents is the model's own, and its gradient that of the
    unfolded model.
    """
    with jax.enable_x64(True):
        case = BY_NAME[name]
        folded = handlers.reparam(case.model, config=ReferenceSetReparam(case.sym))
        point, copies = _on_orbit(name, 1, count=2)
        if name == "subjects":
            return _assert_density_kept(case, folded, point, copies)
        rest = {site: x for site, x in random_point(name, 1).items() if site not in case.sym.sites}
        latents = {f"{site}_base": x for site, x in point.items()} | rest
        seeded = handlers.seed(folded, 0)
        value, slope = jax.value_and_grad(lambda z: potential_energy(seeded, case.args, {}, z))(
            latents
        )
        plain = jax.value_and_grad(lambda z: potential_energy(case.model, case.args, {}, z))
        expected, plain_slope = plain({**point, **rest})
        np.testing.assert_allclose(value, expected, rtol=1e-10)
        for site, x in plain_slope.items():
            key = f"{site}_base" if site in case.sym.sites else site
            np.testing.assert_allclose(slope[key], x, rtol=1e-7, atol=1e-9)
        _assert_density_kept(case, folded, point, copies)


def _assert_density_kept(case, folded, point, copies):
    values = []
    for copy in (point, *copies):
        seeded = handlers.seed(
            handlers.substitute(folded, {f"{s}_base": x for s, x in copy.items()}), 0
        )
        trace = handlers.trace(seeded).get_trace(*case.args)
        values.append({site: trace[site]["value"] for site in case.sym.sites})
    for other in values[1:]:
        for site, x in other.items():
            np.testing.assert_allclose(x, values[0][site], atol=1e-10)


# Two subjects with two components each -----------------------------------------------------------

DATA = np.array([[-1.2, 0.9, 1.4], [0.2, -0.3, 1.1]])
TWO = Symmetry([Units("component", 2, batch=2, axes={"mu": Axis(1, batch=0)})])


def two_subjects(x):
    mu = numpyro.sample("mu", dist.Normal(0, 1.5).expand([2, 2]).to_event(2))
    log_density = logsumexp(dist.Normal(mu[:, None], 0.6).log_prob(x[..., None]), axis=-1)
    numpyro.factor("x", log_density.sum())


def _exact_means():
    """Means of the lower and the upper component of each subject, by quadrature."""
    grid = np.linspace(-7, 7, 561)
    low, high = np.meshgrid(grid, grid, indexing="ij")
    means = []
    for x in DATA:
        log_p = -(low**2 + high**2) / 2 / 1.5**2
        for value in x:
            each = [-((value - mu) ** 2) / 2 / 0.6**2 for mu in (low, high)]
            log_p = log_p + host_logsumexp(each, axis=0)
        p = np.where(low <= high, np.exp(log_p - log_p.max()), 0)
        means.append([(p * mu).sum() / p.sum() for mu in (low, high)])
    return np.array(means)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["FoldedNUTS", "transition", "OrderedReparam", "ReferenceSetReparam"]
)
def test_draws_are_those_of_the_restricted_posterior(how):
    model = two_subjects
    keys = {"component": "mu"}
    if how == "FoldedNUTS":
        kernel = FoldedNUTS(model, TWO, keys=keys)
    elif how == "transition":
        kernel = Folded(NUTS(model), TWO, keys=keys, where="transition")
    else:
        reparam = (
            OrderedReparam(TWO, keys=keys)
            if how == "OrderedReparam"
            else ReferenceSetReparam(TWO, keys=keys)
        )
        kernel = NUTS(handlers.reparam(model, config=reparam))
    mcmc = MCMC(
        kernel,
        num_warmup=500,
        num_samples=10_000,
        num_chains=2,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(1), DATA)
    mu = np.asarray(mcmc.get_samples(group_by_chain=True)["mu"])
    assert (mu[..., 0] <= mu[..., 1]).all()
    error = 4 * mu.std((0, 1)) / np.sqrt(numpyro.diagnostics.effective_sample_size(mu))
    np.testing.assert_array_less(np.abs(mu.mean((0, 1)) - _exact_means()), error)


@pytest.mark.slow
def test_an_ordered_latent_has_the_density_of_the_order_statistics():
    """Against the model's own density: n! a subject more, and the slope of the map from the
    latents.
    """
    with jax.enable_x64(True):
        reparam = handlers.reparam(
            two_subjects, config=OrderedReparam(TWO, keys={"component": "mu"})
        )

        def value(u):
            seeded = handlers.seed(handlers.substitute(reparam, {"mu_ordered": u}), 0)
            return handlers.trace(seeded).get_trace(DATA)["mu"]["value"]

        u = jax.random.normal(jax.random.key(0), (2, 2))
        x = value(u)
        assert (x[:, 0] < x[:, 1]).all()
        slope = jnp.linalg.slogdet(
            jax.jacobian(lambda u: value(u.reshape(2, 2)).ravel())(u.ravel())
        )[1]
        ordered, _ = log_density(handlers.seed(reparam, 0), (DATA,), {}, {"mu_ordered": u})
        plain, _ = log_density(two_subjects, (DATA,), {}, {"mu": x})
        np.testing.assert_allclose(ordered, plain + slope + 2 * np.log(2), rtol=1e-10)


@pytest.mark.slow
def test_the_permutation_sampler_visits_all_copies_of_each_subject():
    mcmc = MCMC(
        PermutationSampler(NUTS(two_subjects), TWO),
        num_warmup=300,
        num_samples=2000,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), DATA)
    mu = mcmc.get_samples()["mu"]
    upper = np.asarray(mu[..., 0] < mu[..., 1])
    # All four ways in which two subjects may be in order, alike.
    shares = np.bincount(upper @ np.array([1, 2]), minlength=4) / len(upper)
    np.testing.assert_allclose(shares, 0.25, atol=0.05)


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_symmetry_is_removed_set_by_set(kind):
    """As it is of each set alone."""
    rng = np.random.default_rng(0)
    batched = Symmetry([Units("unit", 3, batch=2, incoming={"w": Axis(1, batch=0)}, kind=kind)])
    alone = Symmetry([Units("unit", 3, incoming={"w": 0}, kind=kind)])
    draws = rng.normal(size=(40, 2, 3, 2)) + np.array([[-4.0, 1.0], [1.0, 1.0], [4.0, 1.0]])
    elements = {
        n: Element(*map(np.asarray, e)) for n, e in batched.sample(jax.random.key(0), (40,)).items()
    }
    moved = batched.act(elements, {"w": draws})
    removed = remove_symmetry(moved, batched, num_neighbors=16)
    np.testing.assert_allclose(batched.act(removed.elements, moved)["w"], removed.sites["w"])
    for b in range(2):
        one = remove_symmetry({"w": moved["w"][:, b]}, alone, num_neighbors=16).sites["w"]
        np.testing.assert_allclose(removed.sites["w"][:, b], one)


def test_removal_refuses_sets_that_are_permuted():
    sym = BY_NAME["ensemble-small"].sym
    draws = {
        site: np.random.default_rng(0).normal(size=(20, *x))
        for site, x in _shapes("ensemble-small").items()
    }
    with pytest.raises(SymmetryError, match="'member' permute the sets of Units 'hidden'"):
        remove_symmetry(draws, sym)


@pytest.mark.slow
def test_subjects_fold_where_each_switches_by_itself():
    """A short chain on the registry's model: every subject's components come out in order."""
    case = BY_NAME["subjects"]
    kernel = FoldedNUTS(case.model, case.sym, keys={"component": "mu"})
    mcmc = MCMC(kernel, num_warmup=20, num_samples=20, progress_bar=False)
    mcmc.run(jax.random.key(0), SERIES_OF)
    assert (np.diff(mcmc.get_samples()["mu"], axis=-1) >= 0).all()
