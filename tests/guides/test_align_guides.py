"""Two guides of one model: a permuted copy comes back, whichever guide holds it."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import autoguide

import numpyro_sym as nsym
from numpyro_sym import Element, Symmetry, SymmetryError, Units
from numpyro_sym.guides import AutoSymmetrizedNormal, align_guides

N = 4
SYM = Symmetry(
    [
        Units("hidden", N, incoming={"w1": 1}, outgoing={"w2": 0}, kind="signed"),
        Units("part", 3, axes={"rate": 0}),
    ]
)


def model():
    numpyro.sample("w2", dist.Normal(0, 1).expand([N, 1]).to_event(2))
    numpyro.sample("rate", dist.Gamma(2, 1).expand([3]).to_event(1))
    numpyro.sample("w1", dist.Normal(0, 1).expand([2, N]).to_event(2))
    numpyro.sample("other", dist.Normal(0, 1))


def _ready(guide):
    with numpyro.handlers.seed(rng_seed=0):
        guide()
    return guide


GUIDES = {
    "normal": lambda: autoguide.AutoNormal(model, prefix="q"),
    "diagonal": lambda: autoguide.AutoDiagonalNormal(model),
    "symmetrized": lambda: AutoSymmetrizedNormal(model, SYM),
}


def _moments(seed):
    rng = np.random.default_rng(seed)
    shapes = {"w2": (N, 1), "rate": (3,), "w1": (2, N), "other": ()}
    loc = {s: jnp.asarray(rng.normal(size=shape), jnp.float32) for s, shape in shapes.items()}
    return loc, {
        s: jnp.asarray(np.exp(rng.normal(size=shape)), jnp.float32) for s, shape in shapes.items()
    }


def _params(guide, loc, scale):
    """What SVI would hand over, written down by each guide's own naming."""
    if isinstance(guide, autoguide.AutoDiagonalNormal):
        # NumPyro flattens sites in the model's order.
        rows = (
            jnp.concatenate([jnp.ravel(m[s]) for s in ("w2", "rate", "w1", "other")])
            for m in (loc, scale)
        )
        return dict(zip(("auto_loc", "auto_scale"), rows, strict=True))
    prefix = guide.prefix
    return {f"{s}_{prefix}_{what}": m[s] for what, m in (("loc", loc), ("scale", scale)) for s in m}


@pytest.mark.parametrize("first", GUIDES)
@pytest.mark.parametrize("second", GUIDES)
def test_a_permuted_copy_comes_back(first, second):
    loc, scale = _moments(0)
    g = {
        "hidden": Element(jnp.array([2, 0, 3, 1]), jnp.array([1.0, -1.0, -1.0, 1.0])),
        "part": Element(jnp.array([1, 2, 0]), jnp.ones(3)),
    }
    moved_loc = SYM.act(g, loc)
    moved_scale = SYM.act({n: Element(e.permutation, abs(e.factor)) for n, e in g.items()}, scale)
    one, two = _ready(GUIDES[first]()), _ready(GUIDES[second]())
    params = _params(two, moved_loc, moved_scale)
    given = dict(params)
    found = align_guides(one, _params(one, loc, scale), two, params, SYM)
    assert found.gaussian.distance < 1e-3 < found.gaussian.distance_before
    expected = _params(two, loc, scale)
    assert found.params.keys() == expected.keys()
    assert all(params[name] is x for name, x in given.items())  # what was passed in is as it was
    for name, x in expected.items():
        np.testing.assert_allclose(found.params[name], x, rtol=1e-6)
    # The first guide says what the moved second one says.
    key = jax.random.key(1)
    if first == second != "symmetrized":
        ours, theirs = (two.sample_posterior(key, p) for p in (found.params, expected))
        for site in ours:
            np.testing.assert_allclose(ours[site], theirs[site], rtol=1e-5)


def test_geodesic_leads_from_the_first_to_the_moved_second():
    guide = _ready(GUIDES["normal"]())
    first, second = _moments(0), _moments(1)
    found = align_guides(guide, _params(guide, *first), guide, _params(guide, *second), SYM)
    loc, scale = found.geodesic(jnp.array([0.0, 0.5, 1.0]))
    for site in first[0]:
        np.testing.assert_allclose(loc[site][0], first[0][site], rtol=1e-6)
        np.testing.assert_allclose(scale[site][2], found.gaussian.scale[site], rtol=1e-6)
        np.testing.assert_allclose(
            loc[site][1], (first[0][site] + found.gaussian.loc[site]) / 2, atol=1e-6
        )
    squares = sum(
        np.square(m[s] - r[s]).sum()
        for m, r in ((found.gaussian.loc, first[0]), (found.gaussian.scale, first[1]))
        for s in SYM.sites
    )
    np.testing.assert_allclose(found.gaussian.distance, np.sqrt(squares), rtol=1e-5)


def test_only_the_standard_deviations_tell_the_units_apart():
    """Equal means, permuted standard deviations: the metric sees both."""
    guide = _ready(GUIDES["normal"]())
    _, scale = _moments(0)
    loc = {s: jnp.zeros_like(x) for s, x in scale.items()}
    order = jnp.array([2, 0, 3, 1])
    shuffled = {**scale, "w1": scale["w1"][:, order], "w2": scale["w2"][order]}
    found = align_guides(
        guide, _params(guide, loc, scale), guide, _params(guide, loc, shuffled), SYM
    )
    np.testing.assert_allclose(found.params["w1_q_scale"], scale["w1"], rtol=1e-6)


def test_what_cannot_be_aligned_is_refused():
    guide = _ready(GUIDES["normal"]())
    params = _params(guide, *_moments(0))
    with pytest.raises(SymmetryError, match="AutoDelta is a point and no Gaussian"):
        align_guides(guide, params, autoguide.AutoDelta(model), params, SYM)
    with pytest.raises(SymmetryError, match="this AutoMultivariateNormal was never run"):
        align_guides(guide, params, autoguide.AutoMultivariateNormal(model), params, SYM)
    full = _ready(autoguide.AutoMultivariateNormal(model))
    with pytest.raises(SymmetryError, match="aligned with each other"):
        align_guides(guide, params, full, params, SYM)
    with pytest.raises(SymmetryError, match="this AutoNormal was never run"):
        align_guides(guide, params, autoguide.AutoNormal(model), params, SYM)
    with pytest.raises(SymmetryError, match="no site 'w9'"):
        align_guides(guide, params, guide, params, nsym.mixture(4, {"w9": 0}))
    with pytest.raises(SymmetryError, match="no parameter 'w2_q_loc'"):
        align_guides(guide, params, guide, {}, SYM)
    signed = Symmetry([Units("part", 3, incoming={"rate": 0}, kind="signed")])
    with pytest.raises(SymmetryError, match="the constraint of site 'rate'"):
        align_guides(guide, params, guide, params, signed)

    def simplex():
        numpyro.sample("p", dist.Dirichlet(jnp.ones(3)))

    tied = _ready(autoguide.AutoNormal(simplex))
    with pytest.raises(SymmetryError, match="the constraint of site 'p'"):
        align_guides(tied, {}, tied, {}, nsym.mixture(3, {"p": 0}))


PAIR = Symmetry([Units("k", 2, axes={"mu": 0, "log_sd": 0})])
DATA = np.random.default_rng(0).normal([-2.0, 2.0], [0.5, 1.0], size=(20, 2)).ravel()


def pair():
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    log_sd = numpyro.sample("log_sd", dist.Normal(0, 1).expand([2]).to_event(1))
    each = dist.Normal(mu, jnp.exp(log_sd)).log_prob(DATA[:, None])
    numpyro.factor("y", jax.scipy.special.logsumexp(each, 1).sum())


@pytest.mark.slow
def test_laplace_approximations_come_back_with_their_curvature(x64):
    guide = _ready(autoguide.AutoLaplaceApproximation(pair))
    at = {"mu": jnp.array([-2.0, 2.1]), "log_sd": jnp.array([-0.6, 0.1])}
    sites = guide._unpack_latent(jnp.arange(4.0))
    flat = np.zeros(4)
    for name, places in sites.items():
        flat[np.asarray(places, int)] = at[name]
    params = {"auto_loc": jnp.asarray(flat)}
    swapped = {"auto_loc": jnp.asarray(flat[[1, 0, 3, 2]])}
    found = align_guides(guide, params, guide, swapped, PAIR)
    np.testing.assert_allclose(found.params["auto_loc"], params["auto_loc"])
    assert found.gaussian.distance < 1e-5 < found.gaussian.distance_before
    # What was moved is the curvature that the guide itself finds at the moved point.
    own = guide.get_posterior(found.params).covariance_matrix
    np.testing.assert_allclose(found.gaussian.covariance, own, rtol=1e-6, atol=1e-9)


OTHERS = {
    "AutoDelta": (autoguide.AutoDelta, "AutoDelta is a point .*guide.median"),
    "AutoIAFNormal": (autoguide.AutoIAFNormal, "AutoIAFNormal is no Gaussian .*Draws of any"),
    "AutoBNAFNormal": (autoguide.AutoBNAFNormal, "AutoBNAFNormal is no Gaussian .*Draws of any"),
    "AutoDAIS": (autoguide.AutoDAIS, "AutoDAIS is no Gaussian .*Draws of any"),
    "AutoGuideList": (autoguide.AutoGuideList, "AutoGuideList is no Gaussian .*Draws of any"),
    "a kernel": (numpyro.infer.NUTS, "NUTS is no Gaussian"),
    "a class": (lambda model: autoguide.AutoNormal, "no Gaussian|never run|is no"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_guides_are_refused_with_what_to_do(kind):
    make, told = OTHERS[kind]
    normal = GUIDES["normal"]()
    with pytest.raises(SymmetryError, match=told):
        align_guides(make(model), {}, normal, {}, SYM)
