"""PyMC's models and files."""

import subprocess
import sys

import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.interop import pymc_log_density

pm = pytest.importorskip("pymc", reason="PyMC is not installed (extra interop)")
pytestmark = pytest.mark.slow  # where the continuous integration has it

Y = np.random.default_rng(0).normal([-3.0, 0.0, 4.0], 0.5, size=(20, 3)).ravel()
COMPONENT = nsym.mixture(3, {"mu": 0, "sigma": 0, "w": 0})


def mixture():
    with pm.Model(coords={"component": ["a", "b", "c"]}) as model:
        mu = pm.Normal("mu", 0, 5, dims="component")
        sigma = pm.HalfNormal("sigma", 1, dims="component")
        w = pm.Dirichlet("w", np.ones(3), dims="component")
        pm.Uniform("u", -1, 2)
        pm.Beta("p", 1, 1)
        pm.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=Y)
        pm.Deterministic("first", mu[0])
    return model


def test_the_symmetry_of_its_own_variables():
    density = pymc_log_density(mixture())
    assert set(density.shapes) == {"mu", "sigma", "w", "u", "p"}
    assert density.likelihood == ("y",)
    found = nsym.find_symmetry(density)
    assert found.rename({found.units[0].name: "component"}) == COMPONENT
    COMPONENT.check(density)
    with pytest.raises(SymmetryError, match="'y' by"):
        nsym.mixture(3, {"mu": 0, "sigma": 0}).check(density)


def test_its_density_is_pymcs():
    model = mixture()
    density = pymc_log_density(model)
    rng = np.random.default_rng(1)
    point = {
        "mu": rng.normal(size=3),
        "sigma": np.exp(rng.normal(size=3)),
        "w": rng.dirichlet([1] * 3),
    }
    point |= {"u": np.array(0.3), "p": np.array(0.6)}
    by_hand = 0.0
    named = {rv.name: rv for rv in model.free_RVs}
    for name, rv in named.items():
        by_hand += pm.logp(rv, point[name]).sum().eval()
    each = -0.5 * ((Y[:, None] - point["mu"]) / point["sigma"]) ** 2
    each += np.log(point["w"] / point["sigma"]) - 0.5 * np.log(2 * np.pi)
    by_hand += np.logaddexp.reduce(each, 1).sum()
    np.testing.assert_allclose(density.log_density(point), by_hand, rtol=1e-5)


def test_transformed_variables_have_another_symmetry(x64):
    """Of a simplex PyMC's last entry is no entry of what it samples."""
    from pymc.sampling.jax import get_jaxified_logp

    model = mixture()
    logp, start = get_jaxified_logp(model), model.initial_point()
    names = [value.name for value in model.value_vars]
    position = {name: np.asarray(x, float) for name, x in start.items()}
    density = nsym.LogDensity(lambda at: logp([at[name] for name in names]), position)
    found = nsym.find_symmetry(density)
    assert found["mu"].n == 2
    # Where they are unbounded, u and p are logistic, both: they may be exchanged, and change signs.
    assert found.order == 2 * (2 * 2**2)


def test_its_files_go_through_rebasin():
    model = mixture()
    with model:
        chains = {"chains": 2, "cores": 1, "progressbar": False, "random_seed": 1}
        data = pm.sample(40, tune=40, compute_convergence_checks=False, **chains)
    done = nsym.rebasin(data, COMPONENT)
    assert type(done) is type(data)
    assert set(done.children) == set(data.children)
    posterior = done["posterior"]
    assert posterior["component"].values.tolist() == ["a", "b", "c"]
    assert posterior.attrs["inference_library"] == "pymc"
    for name in ("u", "p", "first"):
        np.testing.assert_array_equal(posterior[name], data["posterior"][name])
    for name in ("mu", "sigma", "w"):
        np.testing.assert_array_equal(np.sort(posterior[name]), np.sort(data["posterior"][name]))


def other_models():
    def discrete():
        pm.Normal("mu", pm.Bernoulli("z", 0.5), 1)

    def bounds():
        pm.Uniform("u", 0, pm.HalfNormal("top", 1))

    def unknown():
        pm.LKJCholeskyCov("L", eta=2, n=2, sd_dist=pm.Exponential.dist(1))

    return {"is discrete": discrete, "no constants": bounds, "tells no support": unknown}


@pytest.mark.parametrize("told", other_models())
def test_refused(told):
    with pm.Model() as model:
        other_models()[told]()
    with pytest.raises(SymmetryError, match=told):
        pymc_log_density(model)


def test_no_model():
    with pytest.raises(SymmetryError, match=r"must be a pymc\.Model; got a dict"):
        pymc_log_density({"mu": 0})


def test_the_precision_of_others_stays_as_it_was():
    """PyTensor's JAX sets it for the whole process as it is imported."""
    program = (
        "import jax, pymc\n"
        "from numpyro_sym.interop import pymc_log_density\n"
        "with pymc.Model() as model: pymc.Normal('mu')\n"
        "density = pymc_log_density(model)\n"
        "print(jax.config.read('jax_enable_x64'), density.log_density({'mu': 0.5}).dtype)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.split() == ["False", "float32"], told.stderr
