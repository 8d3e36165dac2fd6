"""A symmetry held against draws, where there is no model."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.diagnostics import check_draws

RNG = np.random.default_rng(0)
Y = RNG.normal(size=12)
MU, W = RNG.normal(size=(2, 40, 3)), RNG.dirichlet([1] * 3, (2, 40))
DRAWS = {"mu": MU, "w": W, "beside": MU[..., 0]}
COMPONENT = nsym.mixture(3, {"mu": 0, "w": 0})


def in_numpy(at):
    each = -0.5 * (Y[:, None] - at["mu"]) ** 2 + np.log(at["w"])
    return np.logaddexp.reduce(each, 1).sum() - 0.1 * (at["mu"] ** 2).sum()


def in_jax(at):
    each = -0.5 * (Y[:, None] - at["mu"]) ** 2 + jnp.log(at["w"])
    return jax.scipy.special.logsumexp(each, 1).sum() - 0.1 * jnp.sum(at["mu"] ** 2)


@pytest.mark.parametrize("density", [in_numpy, in_jax])
def test_what_holds_passes_and_what_does_not_is_refused(density):
    found = check_draws(DRAWS, COMPONENT, density)
    assert found.report.num_points == 20
    assert found.spreads == {}
    with pytest.raises(SymmetryError, match=r"'component'.*no symmetry of log_density"):
        check_draws(DRAWS, nsym.mixture(3, {"mu": 0}), density)
    signs = Symmetry([Units("unit", 3, incoming={"mu": 0}, axes={"w": 0}, kind="signed")])
    with pytest.raises(SymmetryError, match="'unit'"):
        check_draws(DRAWS, signs, density)


def test_a_small_difference_is_seen():
    with pytest.raises(SymmetryError, match="nats"):
        check_draws(DRAWS, COMPONENT, lambda at: in_numpy(at) + 1e-5 * at["mu"][0])


MANY = RNG.normal([-2.0, 0.0, 2.0], 1.0, (2000, 3)).ravel().astype(np.float32)


def in_single(at):
    """A density of about -1e4, in single precision whatever comes."""
    mu, w = (jnp.asarray(at[name], jnp.float32) for name in ("mu", "w"))
    each = -0.5 * (MANY[:, None] - mu) ** 2 + jnp.log(w)
    return jax.scipy.special.logsumexp(each, 1).sum() - 0.1 * jnp.sum(mu**2)


def test_rounding_in_single_precision_is_told_from_a_change():
    size = abs(float(in_single({"mu": MU[0, 0], "w": W[0, 0]})))
    assert 5e3 < size < 5e4
    assert in_single({"mu": MU[0, 0], "w": W[0, 0]}).dtype == np.float32
    found = check_draws(DRAWS, COMPONENT, in_single, num_draws=40, num_elements=5)
    assert all(allowed < 0.3 for *_, allowed in found.report.rows)
    for nats in (0.3, 0.1):  # 1e-4 of the density would be a nat

        def wrong(at, nats=nats):
            return in_single(at) + jnp.float32(nats) * (at["mu"][0] > at["mu"][1])

        with pytest.raises(SymmetryError, match="no symmetry of log_density"):
            check_draws(DRAWS, COMPONENT, wrong)


def test_ill_conditioned_densities_pass_in_double_precision():
    """A Gaussian process whose covariance is all but singular: a change of 1e-7 of its density is
    rounding, and more is none.
    """
    draws = {"mu": RNG.normal(size=(2, 40, 6))}
    sym = nsym.mixture(6, {"mu": 0})

    def density(at):
        x = at["mu"]
        covariance = np.exp(-((x[:, None] - x) ** 2) / 18) + 1e-10 * np.eye(6)
        return -50.0 * x @ np.linalg.solve(covariance, x)

    found = check_draws(draws, sym, density)
    (row,) = found.report.rows
    assert row[-1] > 1e-6  # measured: more than is rounding in any case
    with pytest.raises(SymmetryError, match="no symmetry"):
        check_draws(draws, sym, lambda at: density(at) * (1 + 1e-4 * at["mu"][0]))


def test_the_file_tells_whether_it_is_its_density():
    lp = np.array(
        [
            [in_numpy({"mu": m, "w": w}) for m, w in zip(*c, strict=True)]
            for c in zip(MU, W, strict=True)
        ]
    )
    dims = ("chain", "draw")
    posterior = xr.Dataset({"mu": ((*dims, "k"), MU), "w": ((*dims, "k"), W)})
    stats = xr.Dataset({"lp": (dims, lp + 7.0)})
    likelihood = xr.Dataset({"y": ((*dims, "row"), RNG.normal(size=(2, 40, 3)))})
    groups = {"posterior": posterior, "sample_stats": stats, "log_likelihood": likelihood}
    data = xr.DataTree.from_dict(groups)
    found = check_draws(data, COMPONENT, in_numpy)
    assert found.spreads["lp"] < 1e-9
    assert found.spreads["log_likelihood"] > 0.1
    assert "differs from lp of the file by a constant +-" in str(found)


def test_rebasin_says_whether_it_was_checked():
    told = json.loads(nsym.rebasin(DRAWS, COMPONENT).posterior.attrs["rebasin"])
    assert told["symmetry"] == "declared by hand, not checked"
    done = nsym.rebasin(DRAWS, COMPONENT, log_density=in_numpy)
    told = json.loads(done.posterior.attrs["rebasin"])
    assert told["symmetry"] == "declared by hand, checked by a log density at 20 draws"
    with pytest.raises(SymmetryError, match="no symmetry of log_density"):
        nsym.rebasin(DRAWS, nsym.mixture(3, {"mu": 0}), log_density=in_numpy)


def test_labels_and_stacks():
    labeled = {**DRAWS, "z": RNG.integers(3, size=(2, 40, 12))}

    def complete(at):
        return in_numpy(at) - 0.5 * ((Y - at["mu"][at["z"]]) ** 2).sum()

    check_draws(labeled, nsym.mixture(3, {"mu": 0, "w": 0}, assignments="z"), complete)
    with pytest.raises(SymmetryError, match="no symmetry"):
        check_draws(labeled, COMPONENT, complete)
    apart = {"mu1": MU[..., 0], "mu2": MU[..., 1]}
    sym = Symmetry([Units("k", 2, stacked={"mu": ("mu1", "mu2")})])
    check_draws(apart, sym, lambda at: at["mu1"] + at["mu2"])
    with pytest.raises(SymmetryError, match="no symmetry"):
        check_draws(apart, sym, lambda at: at["mu1"] - at["mu2"])


REFUSED = {
    "fails": (lambda at: at["nu"], "raised KeyError"),
    "a vector": (lambda at: at["mu"], "raised TypeError|expected a finite number"),
    "NaN": (lambda at: np.nan, "finite number"),
    "nothing": (lambda at: None, "raised TypeError"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    function, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        check_draws(DRAWS, COMPONENT, function)


def test_a_missing_site():
    with pytest.raises(SymmetryError, match="'nu'"):
        check_draws(DRAWS, nsym.mixture(3, {"nu": 0}), in_numpy)
