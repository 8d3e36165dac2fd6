"""FoldedNUTS is NUTS, its draws folded: the same law, the same chains, the same tools."""

import logging
import pickle
import re
import warnings
from collections import Counter

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import runs
from numpyro.infer import HMC, MCMC, NUTS, BarkerMH
from numpyro.infer.initialization import init_to_value

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, Units


def rhat(draws, name, method="rank"):
    return float(az.rhat(az.convert_to_dataset({name: draws[name]}), method=method)[name].max())


WEIGHTS = ("w1", "b1", "w2")


@pytest.mark.slow
def test_positive_control(sine_nuts, sine_folded):
    """The chains differ by order and signs only: weights look hopeless, folded ones agree."""
    # Rank-normalized R-hat sees the order of draws, not how far apart they lie: the classic one
    # shows the gulf.
    assert min(rhat(sine_nuts.draws, name, "split") for name in WEIGHTS) > 3
    assert max(rhat(sine_folded.draws, name) for name in WEIGHTS) <= 1.05
    assert rhat(sine_folded.draws, "f") <= 1.02


@pytest.mark.slow
def test_negative_control(two_modes):
    """A chain in another functional mode stays apart: the fold repairs no more than it may."""
    assert min(rhat(two_modes.draws, name) for name in WEIGHTS) > 1.5
    assert rhat(two_modes.draws, "f") > 1.5
    misfit = ((two_modes.draws["f"] - runs.precise_sine()[1]) ** 2).sum(-1).mean(-1)
    # A tenth of the sum of squares is twenty nats here: no chain of the good mode comes near.
    assert misfit[3] > 1.1 * misfit[:3].max()


@pytest.mark.slow
def test_the_chain_is_that_of_nuts(sine_nuts, sine_folded):
    for field in ("num_steps", "adapt_state.step_size"):
        plain, folded = (r.mcmc.get_extra_fields()[field] for r in (sine_nuts, sine_folded))
        np.testing.assert_array_equal(folded, plain)
    np.testing.assert_allclose(sine_folded.draws["f"], sine_nuts.draws["f"], atol=1e-5)


@pytest.mark.slow
def test_draws_are_the_folded_draws(sine_nuts, sine_folded):
    """Each folded draw lies on the orbit of its draw, and in the reference set."""
    before, after = (canonical(r.draws) for r in (sine_nuts, sine_folded))
    for name in WEIGHTS:
        np.testing.assert_array_equal(after[name], before[name])
    drawn = {name: sine_folded.draws[name][:, ::50] for name in WEIGHTS}
    section = sine_folded.mcmc.sampler.section
    settled = jax.vmap(jax.vmap(lambda sites: section.settle(sites)[1]))(drawn)
    for name in WEIGHTS:
        np.testing.assert_array_equal(settled[name], drawn[name])


def canonical(draws):
    """One point of each orbit, whichever was drawn: units in the order of |w1|, w1 positive."""
    order, sign = (
        np.argsort(np.abs(draws["w1"][..., 0, :]), axis=-1),
        np.sign(draws["w1"][..., 0, :]),
    )
    units = {"w1": draws["w1"][..., 0, :], "b1": draws["b1"], "w2": draws["w2"]}
    return {name: np.take_along_axis(sign * x, order, -1) for name, x in units.items()}


@pytest.mark.slow
def test_deterministic_sites_are_computed_at_the_folded_point(sine_folded):
    draws, (x, _) = sine_folded.draws, runs.sine()
    first = np.tanh(x[:, 0] * draws["w1"][..., :1, 0] + draws["b1"][..., :1]).mean(-1)
    np.testing.assert_allclose(draws["first_unit"], first, atol=1e-5)


def exchangeable():
    numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))


EXCHANGEABLE = nsym.Symmetry([Units("unit", 3, axes={"x": 0})])


@pytest.mark.parametrize("kernel", [NUTS, HMC, BarkerMH], ids=lambda k: k.__name__)
def test_law_is_that_of_order_statistics(kernel):
    """Without data the reference set holds sorted prior draws, whose law is known."""
    assert (
        min(runs.order_statistics_p_values(nsym.Folded(kernel(exchangeable), EXCHANGEABLE))) > 1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize("chain_method", ["vectorized", "sequential", "parallel"])
@runs.optimized()  # compiled in haste, two programs of the same steps round differently
def test_chain_methods(chain_method):
    """Each gives the draws of the plain kernel under the same method, sorted."""
    chains = 1 if chain_method == "parallel" else 2
    plain, folded = (
        MCMC(
            k,
            num_warmup=50,
            num_samples=20,
            num_chains=chains,
            chain_method=chain_method,
            progress_bar=False,
        )
        for k in (NUTS(exchangeable), nsym.FoldedNUTS(exchangeable, EXCHANGEABLE))
    )
    for mcmc in (plain, folded):
        mcmc.run(jax.random.key(0))
    expected = np.sort(plain.get_samples(group_by_chain=True)["x"], axis=-1)
    np.testing.assert_array_equal(folded.get_samples(group_by_chain=True)["x"], expected)


@pytest.mark.slow
def test_parallel_chains_on_several_devices():
    """In a process of its own: the number of host devices is fixed when JAX starts."""
    import subprocess
    import sys

    code = """
import numpyro
numpyro.set_host_device_count(2)
import jax, numpyro.distributions as dist, numpyro_sym as nsym
from numpyro.infer import MCMC
def model():
    numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
sym = nsym.Symmetry([nsym.Units("unit", 3, axes={"x": 0})])
kernel = nsym.FoldedNUTS(model, sym)
mcmc = MCMC(kernel, num_warmup=10, num_samples=10, num_chains=2, progress_bar=False)
mcmc.run(jax.random.key(0))
x = mcmc.get_samples(group_by_chain=True)["x"]
assert x.shape == (2, 10, 3) and (x[..., 0] <= x[..., 1]).all() and (x[0] != x[1]).any()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_resume_and_pickle(sine_folded):
    mcmc = MCMC(
        nsym.FoldedNUTS(exchangeable, EXCHANGEABLE),
        num_warmup=50,
        num_samples=20,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0))
    first = mcmc.get_samples()["x"]
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.run(jax.random.key(1))
    second = np.asarray(mcmc.get_samples()["x"])
    assert (np.diff(second) >= 0).all()
    assert not np.array_equal(first, second)
    again = pickle.loads(pickle.dumps(mcmc))
    np.testing.assert_array_equal(again.get_samples()["x"], second)
    again.post_warmup_state = again.last_state
    again.run(jax.random.key(2))
    assert (np.diff(again.get_samples()["x"]) >= 0).all()


@pytest.mark.slow
def test_arviz_and_loo(sine_nuts, sine_folded):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a Pareto k above 0.7 is no error here
        plain, folded = (
            az.loo(az.from_numpyro(r.mcmc, log_likelihood=True)) for r in (sine_nuts, sine_folded)
        )
    elpd = "elpd_loo" if hasattr(plain, "elpd_loo") else "elpd"
    assert getattr(folded, elpd) == pytest.approx(getattr(plain, elpd), rel=1e-3)


@pytest.mark.parametrize("precision", [False, True])
def test_precisions(precision):
    with jax.enable_x64(precision):
        mcmc = MCMC(
            nsym.FoldedNUTS(exchangeable, EXCHANGEABLE),
            num_warmup=20,
            num_samples=10,
            progress_bar=False,
        )
        mcmc.run(jax.random.key(0))
        assert mcmc.get_samples()["x"].dtype == (np.float64 if precision else np.float32)


def test_kernel_options_and_models_arguments_pass_through():
    def model(scale, n=3):
        numpyro.sample("x", dist.Normal(0, scale).expand([n]).to_event(1))

    kernel = nsym.FoldedNUTS(
        model, EXCHANGEABLE, init_strategy=init_to_value(values={"x": jnp.array([9.0, 8.0, 7.0])})
    )
    mcmc = MCMC(kernel, num_warmup=0, num_samples=1, progress_bar=False)
    mcmc.run(jax.random.key(0), 1e-6, n=3)
    assert kernel.model is model


def on_a_sphere():
    x = numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
    numpyro.sample("y", dist.Normal((x**2).sum(), 0.1), obs=2.0)


@pytest.mark.slow
def test_symmetry_left_out_is_found():
    """Deterministic under the same key, and the same draws as with the symmetry by hand."""
    draws = []
    for sym in (None, EXCHANGEABLE):
        mcmc = MCMC(
            nsym.FoldedNUTS(on_a_sphere, sym), num_warmup=20, num_samples=20, progress_bar=False
        )
        mcmc.run(jax.random.key(0))
        draws.append(mcmc.get_samples()["x"])
        assert mcmc.sampler.sym.order == (48 if sym is None else 6)
    np.testing.assert_allclose(np.sort(np.abs(draws[0])), np.sort(np.abs(draws[1])), rtol=1e-6)
    assert (draws[0] > 0).all()


def scaled_away(x=None):
    numpyro.sample("x", dist.Normal(0, jnp.array([1.0, 1.0, 2.0])).to_event(1))


def run(kernel):
    MCMC(kernel, num_warmup=1, num_samples=1, progress_bar=False).run(jax.random.key(0))


SCALED = nsym.Symmetry([Units("unit", 3, incoming={"x": 0}, kind="scaled")])
REFUSED = {
    "Units 'unit' are scaled": lambda: nsym.FoldedNUTS(exchangeable, SCALED),
    "speaks of named sites": lambda: run(
        nsym.Folded(NUTS(potential_fn=lambda x: (x**2).sum()), EXCHANGEABLE)
    ),
    "prior of site 'x' tells its 3 entries apart": lambda: run(
        nsym.FoldedNUTS(scaled_away, EXCHANGEABLE)
    ),
    "'y', which is not there": lambda: run(
        nsym.FoldedNUTS(exchangeable, nsym.mixture(3, {"y": 0}))
    ),
    "length 3; expected 4": lambda: run(nsym.FoldedNUTS(exchangeable, nsym.mixture(4, {"x": 0}))),
    "one is found when a chain starts": lambda: nsym.FoldedNUTS(exchangeable).sym,
    "no chain was started": lambda: nsym.FoldedNUTS(exchangeable, EXCHANGEABLE).section,
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()


def programs(kernel, caplog):
    """What starting a chain and folding its first state compile."""
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        state = kernel.init(jax.random.key(0), 2, None, runs.sine(), {})
        jax.block_until_ready(kernel.postprocess_fn(runs.sine(), {})(state.z))
    found = re.findall(r"Compiling jit\((\w+)\)", caplog.text)
    return Counter(found)


@pytest.mark.slow
def test_a_fold_is_one_program_more(caplog):
    """And for the next kernel of this symmetry none: its first state is folded by the same one."""
    keys = {"hidden": "b1"}

    def folded():
        return nsym.FoldedNUTS(runs.network, runs.TANH_UNITS, keys=keys, check=False)

    jax.clear_caches()
    plain = programs(NUTS(runs.network), caplog)
    more = programs(folded(), caplog)
    assert plain
    assert more.pop("_settled_by") == 1
    # Not the random numbers of a look at the model, which take longer than all else.
    assert not {name for name in more if "uniform" in name or "threefry" in name}, more
    assert sum(more.values()) <= 6, more
    assert not programs(folded(), caplog)
