"""The kernel's name is the only change: nothing to fold changes nothing, and every kernel of
NumPyro is served.
"""

import logging
import warnings

import drop_in_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import logsumexp
from numpyro.infer import (
    AIES,
    ESS,
    HMC,
    HMCECS,
    MCMC,
    NUTS,
    SA,
    SVI,
    BarkerMH,
    DiscreteHMCGibbs,
    HMCGibbs,
    MixedHMC,
    Trace_ELBO,
)
from numpyro.infer.autoguide import AutoDiagonalNormal
from numpyro.infer.reparam import NeuTraReparam

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.mcmc import PermutationSampler


def run(kernel, *args, chains=1, chain_method="sequential", start=None, fields=(), **options):
    options = {"num_warmup": 15, "num_samples": 15, **options}
    mcmc = MCMC(kernel, num_chains=chains, chain_method=chain_method, progress_bar=False, **options)
    mcmc.run(jax.random.key(0), *args, init_params=start, extra_fields=fields)
    return mcmc


@pytest.mark.parametrize(
    "name",
    [
        n
        if n in ("baseball", "neutra", "observed only")
        else pytest.param(n, marks=pytest.mark.slow)
        for n in cases.PLAIN
    ],
)
def test_without_a_symmetry_it_is_numpyros_kernel_draw_for_draw(name, caplog):
    model, *args = cases.PLAIN[name]
    fields = ("potential_energy", "num_steps", "adapt_state.step_size")
    plain, folded = (run(kernel(model), *args, fields=fields) for kernel in (NUTS, nsym.FoldedNUTS))
    for get in (MCMC.get_samples, MCMC.get_extra_fields):
        before, after = get(plain), get(folded)
        assert before.keys() == after.keys()
        for key in before:
            np.testing.assert_array_equal(after[key], before[key])
    assert str(folded.sampler.sym) == "no symmetry"
    assert repr(folded.sampler) == "<FoldedNUTS: no symmetry>"
    assert "declared by hand" not in folded.sampler.sym.explain()
    assert str(folded.sampler.section) == ""
    assert "used:" not in caplog.text


@pytest.mark.parametrize(
    "name", ["gmm", *(pytest.param(n, marks=pytest.mark.slow) for n in cases.FOLDED if n != "gmm")]
)
def test_with_one_the_chain_is_numpyros_and_it_is_told_what_is_folded(name, caplog):
    model, args, expected = cases.FOLDED[name]
    fields = ("num_steps", "adapt_state.step_size")
    plain, folded = (run(kernel(model), *args, fields=fields) for kernel in (NUTS, nsym.FoldedNUTS))
    # The fold is compiled into the same program, which then may round otherwise in its last bits.
    for key in fields:
        np.testing.assert_allclose(
            folded.get_extra_fields()[key], plain.get_extra_fields()[key], rtol=1e-3
        )
    told = [record for record in caplog.records if record.name == "numpyro_sym"]
    assert len(told) == 1
    assert told[0].levelno == logging.WARNING
    assert told[0].getMessage() == f"FoldedNUTS: found in the model and used: {expected}."
    assert repr(folded.sampler) == f"<FoldedNUTS: {expected}>"


def no_enumeration(y):
    z = numpyro.sample("z", dist.Poisson(3.0))
    numpyro.sample("y", dist.Normal(z, 1).to_event(1), obs=y)


def without_a_plate(y):
    w = numpyro.sample("w", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(w, 1), obs=y)


def needs_more(y, z):
    numpyro.sample("y", dist.Normal(z, 1).to_event(1), obs=y)


def negative_scale(y):
    w = numpyro.sample("w", dist.Normal(0, -1.0))
    numpyro.sample("y", dist.Normal(w, 1).to_event(1), obs=y)


def heard(kernel, model):
    """What NumPyro says of a model: its errors and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            run(kernel(model), cases.Y)
            said = None
        except Exception as error:
            said = type(error), str(error)
    return said, [str(w.message) for w in caught if issubclass(w.category, UserWarning)]


@pytest.mark.parametrize("model", [no_enumeration, without_a_plate, needs_more, negative_scale])
def test_what_numpyro_says_reaches_the_user(model):
    expected = heard(NUTS, model)
    assert any(expected) or model is without_a_plate
    assert heard(nsym.FoldedNUTS, model) == expected


def simplex_parameter(y):
    p = numpyro.param("p", jnp.ones(3) / 3)
    z = numpyro.sample("z", dist.Normal(0, 1))
    numpyro.factor(
        "y", logsumexp(jnp.log(p) - 0.5 * (y[:, None] - z * jnp.arange(3)) ** 2, -1).sum()
    )


def in_a_guides_coordinates():
    guide = AutoDiagonalNormal(cases.gmm)
    svi = SVI(cases.gmm, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    params = svi.get_params(svi.init(jax.random.key(0), cases.Y))
    return NeuTraReparam(guide, params).reparam(cases.gmm)


@pytest.mark.slow
@pytest.mark.parametrize("model", [lambda: simplex_parameter, in_a_guides_coordinates])
def test_parameters_and_other_coordinates_change_nothing(model):
    plain, folded = (
        run(kernel(model()), cases.Y).get_samples() for kernel in (NUTS, nsym.FoldedNUTS)
    )
    assert plain.keys() == folded.keys()
    for name in plain:
        np.testing.assert_array_equal(folded[name], plain[name])


# Every kernel -------------------------------------------------------------------------------------


def two_means(y):
    s = numpyro.sample("s", dist.HalfNormal(1))
    mu = cases.normal("mu", 2, scale=5.0)
    numpyro.deterministic("first", mu[0])
    both = dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), dist.Normal(mu, s + 0.1))
    numpyro.sample("y", both.expand([len(y)]).to_event(1), obs=y)


def subsampled(y):
    mu = cases.normal("mu", 2, scale=5.0)
    with numpyro.plate("n", len(y), subsample_size=4):
        both = dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), dist.Normal(mu, 1.0))
        numpyro.sample("y", both, obs=numpyro.subsample(y, 0))


def labeled(y):
    mu = cases.normal("mu", 2, scale=5.0)
    with numpyro.plate("n", len(y)):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
        numpyro.sample("y", dist.Normal(mu[z], 1.0), obs=y)


def stay(rng_key, gibbs_sites, hmc_sites):
    return {name: x * jnp.ones(()) for name, x in gibbs_sites.items()}


def gibbs(kernel, *sites):
    return HMCGibbs(kernel, gibbs_fn=stay, gibbs_sites=sites)


MEANS = nsym.mixture(2, {"mu": 0})
ENSEMBLE = {"chains": 8, "chain_method": "vectorized"}
SERVED = {
    "HMC": (lambda: nsym.Folded(HMC(two_means)), {}),
    "dense": (
        lambda: nsym.FoldedNUTS(
            two_means, dense_mass=[("mu", "s")], adapt_step_size=False, step_size=0.1
        ),
        {},
    ),
    "SA": (lambda: nsym.Folded(SA(two_means)), {}),
    "BarkerMH": (lambda: nsym.Folded(BarkerMH(two_means)), {}),
    "AIES": (lambda: nsym.Folded(AIES(two_means)), ENSEMBLE),
    "ESS": (lambda: nsym.Folded(ESS(two_means)), ENSEMBLE),
    "HMCGibbs inside": (lambda: nsym.Folded(gibbs(NUTS(two_means), "s")), {}),
    "HMCGibbs around": (lambda: gibbs(nsym.FoldedNUTS(two_means), "s"), {}),
    "HMCGibbs around, given": (lambda: gibbs(nsym.Folded(HMC(two_means), MEANS), "s"), {}),
    "HMCECS inside": (lambda: nsym.Folded(HMCECS(NUTS(subsampled), num_blocks=2)), {}),
    "HMCECS around": (lambda: HMCECS(nsym.FoldedNUTS(subsampled), num_blocks=2), {}),
    "transition": (lambda: nsym.Folded(NUTS(two_means), where="transition"), {}),
}


@pytest.mark.parametrize(
    "name",
    [
        n if n in ("SA", "HMCGibbs around") else pytest.param(n, marks=pytest.mark.slow)
        for n in SERVED
    ],
)
def test_every_kernel_is_served(name):
    kernel, options = SERVED[name]
    draws = run(kernel(), cases.Y, **options).get_samples()
    assert (draws["mu"][:, 0] <= draws["mu"][:, 1]).all()
    if "first" in draws:
        np.testing.assert_array_equal(draws["first"], draws["mu"][:, 0])


def squares(z):
    return ((z["mu"] - 1) ** 2).sum()


def test_potential_functions():
    start = {"mu": jnp.zeros(2)}
    plain, swapped = (
        run(kernel(potential_fn=squares), start=start) for kernel in (NUTS, nsym.FoldedNUTS)
    )
    np.testing.assert_array_equal(swapped.get_samples()["mu"], plain.get_samples()["mu"])
    folded = run(nsym.FoldedNUTS(potential_fn=squares, sym=MEANS), start=start)
    np.testing.assert_allclose(
        folded.get_samples()["mu"], np.sort(plain.get_samples()["mu"]), rtol=1e-4
    )
    with pytest.raises(SymmetryError, match="no symmetry of this model"):
        run(nsym.FoldedNUTS(potential_fn=lambda z: squares(z) + z["mu"][0], sym=MEANS), start=start)


def test_kernels_that_hold_others_meet_what_they_ask_for():
    assert isinstance(nsym.FoldedNUTS(two_means), NUTS)
    assert isinstance(nsym.Folded(NUTS(two_means)), NUTS)
    assert isinstance(nsym.Folded(HMC(two_means)), HMC)
    assert not isinstance(nsym.Folded(HMC(two_means)), NUTS)
    assert not isinstance(nsym.Folded(SA(two_means)), HMC)
    with pytest.raises(ValueError, match="does not support NUTS"):
        MixedHMC(nsym.FoldedNUTS(labeled))


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrap",
    [
        lambda: DiscreteHMCGibbs(nsym.FoldedNUTS(labeled)),
        lambda: MixedHMC(nsym.Folded(HMC(labeled, trajectory_length=1.0)), num_discrete_updates=3),
    ],
)
def test_labels_that_are_drawn_are_left_with_their_parameters(wrap):
    kernel = wrap()
    inside = HMC(labeled, trajectory_length=1.0) if isinstance(kernel, MixedHMC) else NUTS(labeled)
    plain = (
        MixedHMC(inside, num_discrete_updates=3)
        if isinstance(kernel, MixedHMC)
        else DiscreteHMCGibbs(inside)
    )
    before, after = (run(k, cases.Y).get_samples() for k in (plain, kernel))
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])


@pytest.mark.parametrize(
    "kernel",
    [
        lambda: nsym.Folded(DiscreteHMCGibbs(NUTS(labeled)), MEANS, check=False),
        lambda: DiscreteHMCGibbs(nsym.FoldedNUTS(labeled, MEANS, check=False)),
    ],
)
def test_parameters_are_not_folded_away_from_their_labels(kernel):
    with pytest.raises(SymmetryError, match=r"'z'. are discrete and stay as they are drawn"):
        run(kernel(), cases.Y)


def test_units_that_another_kernel_samples_too():
    with pytest.raises(SymmetryError, match="which the kernel around this one samples"):
        run(gibbs(nsym.FoldedNUTS(two_means, MEANS), "mu"), cases.Y)
    mcmc = run(gibbs(nsym.FoldedNUTS(two_means), "mu"), cases.Y)
    assert mcmc.get_samples()["mu"].shape == (15, 2)


# Other arguments, tracing -------------------------------------------------------------------------


def scaled(s):
    x = numpyro.sample("x", dist.Normal(0, s).to_event(1))
    numpyro.sample("y", dist.Normal((x**2).sum(), 1.0), obs=1.0)


@pytest.mark.parametrize("going_on", [False, True])
def test_a_symmetry_is_verified_for_each_set_of_arguments(going_on):
    mcmc = run(nsym.FoldedNUTS(scaled, nsym.mixture(3, {"x": 0})), jnp.ones(3))
    if going_on:
        mcmc.post_warmup_state = mcmc.last_state
    with pytest.raises(SymmetryError, match="prior of site 'x' tells its 3 entries apart"):
        mcmc.run(jax.random.key(1), jnp.array([0.1, 1.0, 10.0]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Some donated buffers:UserWarning")  # NumPyro's own, under vmap
def test_data_that_are_traced():
    def means(key, y):
        mcmc = MCMC(nsym.FoldedNUTS(two_means), num_warmup=10, num_samples=10, progress_bar=False)
        mcmc.run(key, y)
        return mcmc.get_samples()["mu"]

    keys = jax.random.split(jax.random.key(0), 2)
    one, two = (
        jax.jit(means)(keys[0], cases.Y),
        jax.vmap(means)(keys, jnp.stack([cases.Y, -cases.Y])),
    )
    for draws in (one, *two):
        assert (draws[:, 0] <= draws[:, 1]).all()
    again = run(nsym.FoldedNUTS(two_means), cases.Y).get_samples()[
        "mu"
    ]  # no tracer was left behind
    assert again.shape == (15, 2)


@pytest.mark.slow
def test_arguments_of_a_compiled_run():
    kernel = nsym.FoldedNUTS(two_means)
    mcmc = run(kernel, cases.Y, jit_model_args=True)
    before = kernel.section
    mcmc.run(jax.random.key(1), cases.Y[::-1].copy())
    assert kernel.section is before  # the one that was compiled
    with jax.checking_leaks():
        run(nsym.FoldedNUTS(two_means, MEANS, check=False), cases.Y)


def test_before_a_chain_was_started():
    kernel = nsym.FoldedNUTS(two_means)
    assert repr(kernel) == "<FoldedNUTS: the symmetry is found when a chain starts>"
    assert repr(nsym.Folded(HMC(two_means), MEANS)).startswith(
        "<Folded: component (2 exchangeable: mu[0])"
    )
    assert kernel.postprocess_fn((), {})(1) == 1
    assert run(PermutationSampler(NUTS(cases.observed_only)), cases.Y).get_samples() == {}
