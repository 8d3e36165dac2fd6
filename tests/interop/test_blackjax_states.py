"""Gaussians of BlackJAX's variational inference: read, aligned, and written back."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.alignment import align_full_gaussians, align_gaussians
from numpyro_sym.interop import gaussian_of_state, state_with_gaussian


class MFVIState(NamedTuple):
    """As BlackJAX's."""

    mu: Any
    rho: Any
    opt_state: Any = "kept"


class FRVIState(NamedTuple):
    """As BlackJAX's."""

    mu: Any
    chol_params: Any
    opt_state: Any = "kept"


RNG = np.random.default_rng(0)
SYM = nsym.mlp(["layers.0.w", "layers.1"], [2])
MU = {"layers": [{"w": jnp.array([[1.0, -2.0]])}, jnp.array([0.5, 3.0])]}
RHO = jax.tree.map(lambda x: 0.1 * x - 1.0, MU)
ROOT = np.tril(RNG.normal(size=(4, 4)), -1) + np.diag([0.5, 1.0, 2.0, 0.3])
PACKED = jnp.asarray(np.concatenate([np.log(np.diag(ROOT)), ROOT[np.tril_indices(4, -1)]]))
SWAP = [1, 0, 3, 2]


def test_mean_field():
    state = MFVIState(MU, RHO)
    loc, scale = gaussian_of_state(state)
    assert list(loc) == ["layers.0.w", "layers.1"]
    np.testing.assert_allclose(scale["layers.1"], np.exp(RHO["layers"][1]), rtol=1e-6)
    swapped = {"layers.0.w": loc["layers.0.w"][:, ::-1], "layers.1": loc["layers.1"][::-1]}
    spread = {"layers.0.w": scale["layers.0.w"][:, ::-1], "layers.1": scale["layers.1"][::-1]}
    other = state_with_gaussian(state, swapped, spread)
    assert type(other) is MFVIState
    assert other.opt_state == "kept"
    found = align_gaussians(*gaussian_of_state(other), loc, scale, SYM.select("permutation"))
    back = state_with_gaussian(other, found.loc, found.scale)
    for part in ("mu", "rho"):
        for x, y in zip(
            jax.tree.leaves(getattr(back, part)), jax.tree.leaves(getattr(state, part)), strict=True
        ):
            np.testing.assert_allclose(x, y, rtol=1e-5)


def test_full_rank():
    state = FRVIState(MU, PACKED)
    loc, covariance = gaussian_of_state(state)
    np.testing.assert_allclose(covariance, ROOT @ ROOT.T, rtol=1e-5)
    swapped = {"layers.0.w": loc["layers.0.w"][:, ::-1], "layers.1": loc["layers.1"][::-1]}
    other = state_with_gaussian(state, swapped, covariance[np.ix_(SWAP, SWAP)])
    assert other.opt_state == "kept"
    permutations = SYM.select("permutation")
    found = align_full_gaussians(*gaussian_of_state(other), loc, covariance, permutations)
    back = state_with_gaussian(other, found.loc, found.covariance)
    np.testing.assert_allclose(back.chol_params, PACKED, atol=1e-4)
    assert found.distance < 1e-2


@pytest.mark.slow
def test_they_are_blackjaxs_own():
    """Moments of BlackJAX's own draws."""
    blackjax = pytest.importorskip("blackjax", reason="BlackJAX is not installed (extra interop)")
    optax = pytest.importorskip("optax")
    key = jax.random.key(0)
    adam = optax.adam(1e-2)
    mean_field = blackjax.vi.meanfield_vi.init(MU, adam)._replace(mu=MU, rho=RHO)
    full = blackjax.vi.fullrank_vi.init(MU, adam)._replace(mu=MU, chol_params=PACKED)
    for vi, state in ((blackjax.vi.meanfield_vi, mean_field), (blackjax.vi.fullrank_vi, full)):
        loc, spread = gaussian_of_state(state)
        draws = vi.sample(key, state, 20000)
        rows = np.concatenate([np.reshape(x, (20000, -1)) for x in jax.tree.leaves(draws)], 1)
        np.testing.assert_allclose(
            rows.mean(0), np.concatenate([np.ravel(x) for x in loc.values()]), atol=0.1
        )
        if isinstance(spread, dict):
            spread = np.diag(np.concatenate([np.ravel(x) for x in spread.values()]) ** 2)
        np.testing.assert_allclose(np.cov(rows.T), spread, atol=0.15)
        again = state_with_gaussian(state, *gaussian_of_state(state))
        assert jax.tree.structure(again) == jax.tree.structure(state)


STATE = MFVIState(MU, RHO)
MEANS, SPREAD = gaussian_of_state(STATE)


def with_first(value):
    """The standard deviations, but for the first of each site."""
    changed = {name: np.array(x) for name, x in SPREAD.items()}
    for x in changed.values():
        x.flat[0] = value
    return changed


REFUSED = {
    "a dict": (lambda: gaussian_of_state({"mu": MU, "rho": RHO}), "meanfield_vi or"),
    "nothing": (lambda: gaussian_of_state(None), "meanfield_vi or"),
    "the type": (lambda: gaussian_of_state(MFVIState), "meanfield_vi or"),
    "too short": (lambda: gaussian_of_state(FRVIState(MU, PACKED[:-1])), "the 4 values of mu"),
    "a site too few": (lambda: state_with_gaussian(STATE, {}, {}), "has sites|empty"),
    "no dict": (
        lambda: state_with_gaussian(STATE, gaussian_of_state(STATE)[0], np.eye(4)),
        "standard deviations of the sites",
    ),
    "negative": (lambda: state_with_gaussian(STATE, MEANS, with_first(-1.0)), "must be above 0"),
    "zero": (lambda: state_with_gaussian(STATE, MEANS, with_first(0.0)), "must be above 0"),
    "NaN": (lambda: state_with_gaussian(STATE, MEANS, with_first(np.nan)), "finite numbers"),
    "no numbers": (
        lambda: state_with_gaussian(STATE, MEANS, dict.fromkeys(MEANS, "x")),
        "finite numbers",
    ),
    "no covariance": (
        lambda: state_with_gaussian(FRVIState(MU, PACKED), gaussian_of_state(STATE)[0], -np.eye(4)),
        "positive definite",
    ),
    "another size": (
        lambda: state_with_gaussian(FRVIState(MU, PACKED), gaussian_of_state(STATE)[0], np.eye(3)),
        r"shape \(4, 4\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    call, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        call()
