"""Kernels that draw labels: parameters and labels are folded together."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import HMC, MCMC, NUTS, DiscreteGibbs, DiscreteHMCGibbs, Gibbs, MixedHMC
from numpyro.infer.gibbs import discrete_latent_sites
from numpyro.infer.util import log_density

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.discovery.labels import with_labels
from numpyro_sym.mcmc import PermutationSampler

Y = jnp.array([-1.4, -0.7, 0.2, 1.1, 1.3])


def two_groups(y):
    """A mixture of two, its weights known to be equal; what a unit adds up to is a deterministic
    site.
    """
    mu = numpyro.sample("mu", dist.Normal(0, 2).expand([2]).to_event(1))
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(logits=jnp.zeros(2)))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)
    numpyro.deterministic("in_first", (z == 0).sum())
    numpyro.deterministic("fitted", mu[z])


MEANS = nsym.mixture(2, {"mu": 0}, assignments="z")


def run(kernel, draws=400, warmup=20):
    """A chain in which the means come in either order."""
    mcmc = MCMC(kernel, num_warmup=warmup, num_samples=draws, progress_bar=False)
    mcmc.run(jax.random.key(1), Y)
    return mcmc


KERNELS = {
    "DiscreteHMCGibbs": lambda: DiscreteHMCGibbs(NUTS(two_groups)),
    "MixedHMC": lambda: MixedHMC(HMC(two_groups, trajectory_length=1.0), num_discrete_updates=5),
    "Gibbs": lambda: Gibbs(
        [(DiscreteGibbs(two_groups), discrete_latent_sites), (NUTS(two_groups), None)]
    ),
}


@jax.jit
@jax.vmap
def joint(mu, z):
    """log p(y, mu, z) of every draw."""
    return log_density(two_groups, (Y,), {}, {"mu": mu, "z": z})[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sym"),
    [
        pytest.param("MixedHMC", MEANS, id="MixedHMC, given"),
        pytest.param("DiscreteHMCGibbs", None, id="DiscreteHMCGibbs, found"),
        pytest.param(
            "DiscreteHMCGibbs", MEANS, id="DiscreteHMCGibbs, given", marks=pytest.mark.slow
        ),
        pytest.param("MixedHMC", None, id="MixedHMC, found", marks=pytest.mark.slow),
        pytest.param("Gibbs", None, id="Gibbs, found", marks=pytest.mark.slow),
    ],
)
def test_every_draw_keeps_its_complete_data_joint(name, sym):
    if sym is None:
        pytest.importorskip("funsor")
    plain = run(KERNELS[name]()).get_samples()
    mcmc = run(nsym.Folded(KERNELS[name](), sym))
    folded = mcmc.get_samples()
    assert mcmc.sampler.sym.label_sites == ("z",)
    moved = np.asarray(folded["mu"][:, 0] != plain["mu"][:, 0])
    assert moved.any()
    assert (folded["mu"][:, 0] <= folded["mu"][:, 1]).all()
    np.testing.assert_array_equal(np.sort(folded["mu"], -1), np.sort(plain["mu"], -1))
    np.testing.assert_array_equal(folded["z"], np.where(moved[:, None], 1 - plain["z"], plain["z"]))
    assert folded["z"].dtype == plain["z"].dtype
    np.testing.assert_array_equal(folded["fitted"], plain["fitted"])
    np.testing.assert_array_equal(folded["in_first"], (folded["z"] == 0).sum(-1))
    with jax.enable_x64(True):
        mu, moved_mu = np.asarray(plain["mu"], float), np.asarray(folded["mu"], float)
        before, after, left = (
            joint(mu, plain["z"]),
            joint(moved_mu, folded["z"]),
            joint(moved_mu, plain["z"]),
        )
    np.testing.assert_allclose(after, before, atol=1e-6)
    # Negative control: with labels that stay, the joint is another one.
    assert np.median(np.abs(left - before)[moved]) > 0.1


@pytest.mark.parametrize(
    "name", [pytest.param("DiscreteHMCGibbs", marks=pytest.mark.slow), "MixedHMC"]
)
def test_the_permutation_sampler_takes_labels_along(name):
    mcmc = run(PermutationSampler(KERNELS[name](), MEANS), 60)
    draws = mcmc.get_samples()
    plain = run(KERNELS[name](), 60).get_samples()
    share = np.mean(draws["mu"][:, 0] < draws["mu"][:, 1])
    assert 0.2 < share < 0.8
    if name == "DiscreteHMCGibbs":  # the chain inside is the same
        np.testing.assert_array_equal(np.sort(draws["mu"], -1), np.sort(plain["mu"], -1))
        np.testing.assert_array_equal(draws["fitted"], plain["fitted"])
    # What is moved whole fits as well as it did: labels that stay behind would not.
    at, left, before = (
        joint(draws["mu"], draws["z"]),
        joint(draws["mu"], 1 - draws["z"]),
        joint(plain["mu"], plain["z"]),
    )
    assert np.median(at) > np.median(left) + 1
    assert np.median(at) > np.median(before) - 2


def test_labels_are_found_for_a_symmetry_that_does_not_name_them():
    mcmc = run(nsym.Folded(KERNELS["MixedHMC"](), MEANS.without_values()), 20)
    draws = mcmc.get_samples()
    assert mcmc.sampler.section is not None
    np.testing.assert_allclose(
        np.take_along_axis(np.asarray(draws["mu"]), np.asarray(draws["z"]), 1), draws["fitted"]
    )
    assert (draws["mu"][:, 0] <= draws["mu"][:, 1]).all()


def told_apart(y):
    """The labels are told apart by the data that they make: no move of z alone mends it."""
    mu = numpyro.sample("mu", dist.Normal(0, 2).expand([2]).to_event(1))
    z = numpyro.sample("z", dist.Bernoulli(0.3))
    numpyro.sample("y", dist.Normal(mu.sum() + 0.5 * z, 1.0).expand([len(y)]).to_event(1), obs=y)


def begins_at_zero(y):
    """Two of three means are exchangeable, and labels of a block of units cannot be named."""
    known, free = jnp.array([3.0]), dist.Normal(0, 2).expand([2]).to_event(1)
    mu = jnp.concatenate([known, numpyro.sample("mu", free)])
    with numpyro.plate("data", len(y)):
        z = numpyro.sample("z", dist.Categorical(logits=jnp.zeros(3)))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


BLOCK = nsym.Symmetry([nsym.Units("mean", 2, axes={"mu": 0})])


@pytest.mark.slow
def test_of_units_that_labels_cannot_follow_it_is_told_why_they_are_not_used():
    kernel = nsym.Folded(MixedHMC(HMC(begins_at_zero), num_discrete_updates=1))
    run(kernel, 5)
    assert not kernel.sym.units
    told = kernel.sym.explain()
    assert "not used, for the discrete sites ['z'] stay as they are drawn. Of the 2 units" in told


def test_units_that_labels_cannot_follow_are_refused():
    with pytest.raises(SymmetryError, match="labels of a block of units cannot be named in values"):
        run(nsym.Folded(MixedHMC(HMC(begins_at_zero), num_discrete_updates=1), BLOCK), 5)


def test_a_site_with_as_many_values_need_not_hold_labels():
    found, lost = with_labels(MEANS.without_values(), told_apart, (Y,), {})
    assert not lost
    assert found.label_sites == ()
    with pytest.raises(SymmetryError, match="Without labels z it holds: leave them out of values"):
        run(nsym.Folded(MixedHMC(HMC(told_apart), num_discrete_updates=1), MEANS), 5)


REFUSED = {
    r"'z'. are discrete and stay as they are drawn, .* Name those that hold labels": lambda: (
        nsym.Folded(KERNELS["DiscreteHMCGibbs"](), MEANS.without_values(), check=False)
    ),
    r"which the kernel around this one samples": lambda: DiscreteHMCGibbs(
        nsym.FoldedNUTS(two_groups, MEANS)
    ),
    r"'z'. are discrete and stay as they are drawn, .* Fold outside": lambda: DiscreteHMCGibbs(
        nsym.FoldedNUTS(two_groups, MEANS.without_values(), check=False)
    ),
    r"no discrete site 'zz' that could hold their labels": lambda: nsym.Folded(
        KERNELS["DiscreteHMCGibbs"](), nsym.mixture(2, {"mu": 0}, assignments="zz")
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        run(REFUSED[message](), 5)


def exact_shares():
    """P(z_i = 1 | y, mu_0 < mu_1) and E[mu | y, mu_0 < mu_1] by quadrature over the means."""
    grid = np.linspace(-7, 7, 561)
    a, b = np.meshgrid(grid, grid, indexing="ij")

    def logpdf(x, at, sd):
        return -0.5 * ((x - at) / sd) ** 2 - np.log(sd)

    first, second = (np.exp(logpdf(np.asarray(Y)[:, None, None], m, 1.0)) for m in (a, b))
    density = (
        np.exp(logpdf(a, 0.0, 2.0) + logpdf(b, 0.0, 2.0)) * np.prod(first + second, 0) * (a < b)
    )
    density /= density.sum()
    return (density * second / (first + second)).sum((1, 2)), [(density * m).sum() for m in (a, b)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel", [KERNELS["DiscreteHMCGibbs"], KERNELS["MixedHMC"]], ids=["Gibbs", "mixed"]
)
def test_shares_of_labels_are_those_of_the_restricted_posterior(kernel):
    """The posterior restricted to ordered means, exactly; draws with labels that stayed fail."""
    draws = run(nsym.Folded(kernel(), MEANS), 8000, warmup=500).get_samples()
    share, means = exact_shares()
    plain = run(kernel(), 8000, warmup=500).get_samples()
    # Monte Carlo error by batches of 100 draws.
    batches = np.asarray(draws["z"]).reshape(80, 100, 5).mean(1)
    error = batches.std(0) / np.sqrt(80)
    away = np.abs(batches.mean(0) - share) / error
    assert away.max() < 4, away
    np.testing.assert_allclose(np.asarray(draws["mu"]).mean(0), means, atol=0.1)
    behind = np.asarray(plain["z"]).reshape(80, 100, 5).mean(1)
    assert (np.abs(behind.mean(0) - share) / error).max() > 8, "labels that stay would pass, too"
