"""Folding inside the transition, and the random-permutation sampler: exact, and seen to be wrong
where it is.
"""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import HMC, MCMC, NUTS, BarkerMH
from registry import moving
from scipy import stats

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units
from numpyro_sym.alignment import sorted_section
from numpyro_sym.mcmc import ApproximatelyNearest, Nearest, PermutationSampler, ReferenceSetReparam

PAIR = nsym.mixture(2, {"x": 0})


# Noise-free: transition matrices on a grid ------------------------------------------------------

SIDE = 7
POINTS = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)


def index(points):
    return np.asarray(points).astype(int) @ np.array([SIDE, 1])


def metropolis(target, scale):
    """The transition matrix of Metropolis whose two coordinates take steps of their own lengths."""
    step = np.abs(POINTS[:, None] - POINTS[None])
    propose = np.exp(-(step**2 / (2 * np.asarray(scale) ** 2)).sum(-1))
    propose /= propose.sum(1).max()  # symmetric; what is left over stays
    np.fill_diagonal(propose, 0)
    matrix = propose * np.minimum(1, target[None] / target[:, None])
    return matrix + np.diag(1 - matrix.sum(1))


def maps():
    """The fold and the group on the grid's points, by the package's own section and action."""
    points = {"x": jnp.asarray(POINTS, float)}
    fold = index(jax.vmap(sorted_section(PAIR, {"x": (2,)}).fold)(points)["x"])
    elements = PAIR.elements()
    group = [
        index(jax.vmap(lambda x, g=g: PAIR.act(g, {"x": x})["x"])(points["x"]))
        for g in (jax.tree.map(lambda a, i=i: a[i], elements) for i in range(2))
    ]
    return np.eye(SIDE**2)[fold], [np.eye(SIDE**2)[g] for g in group]


def distance(scale, random_element):
    """Total variation between one folded step's image of the restricted target and that target."""
    density = np.exp(-((POINTS - [1, 5]) ** 2).sum(-1) / 3) + np.exp(
        -((POINTS - [5, 1]) ** 2).sum(-1) / 3
    )
    target = density / density.sum()
    fold, group = maps()
    restricted = target @ fold
    before = sum(group) / len(group) if random_element else np.eye(SIDE**2)
    step = before @ metropolis(target, scale) @ fold
    stationary = np.linalg.matrix_power(step, 2**14)[index([1, 5])]
    np.testing.assert_allclose(stationary @ step, stationary, atol=1e-12)
    return np.abs(restricted @ step - restricted).sum() / 2, np.abs(
        stationary - restricted
    ).sum() / 2


@pytest.mark.usefixtures("x64")
def test_noise_free_transitions():
    assert max(distance((1.0, 1.0), random_element=False)) < 1e-12
    assert max(distance((0.3, 3.0), random_element=True)) < 1e-12
    # The control: steps of another length for either unit, and no random element.
    assert distance((0.3, 3.0), random_element=False)[1] > 0.1


# The kernels ------------------------------------------------------------------------------------


def pair():
    """Two interchangeable numbers."""
    x = numpyro.sample("x", dist.Normal(0, 1).expand([2]).to_event(1))
    numpyro.deterministic("gap", x[1] - x[0])


def law(mcmc):
    """P-values of the sorted pair's two marginals, thinned draws."""
    mcmc.run(jax.random.key(0))
    x = np.sort(np.asarray(mcmc.get_samples()["x"]), axis=1)
    uniform = [stats.beta(i + 1, 2 - i).cdf(stats.norm.cdf(x[:, i])) for i in range(2)]
    return [stats.kstest(u, "uniform").pvalue for u in uniform]


def chain(kernel, **options):
    return MCMC(
        kernel,
        **{"num_warmup": 200, "num_samples": 6000, "thinning": 3, "progress_bar": False, **options},
    )


#: One unit takes long steps, the other short ones: what an adapted mass matrix may come to.
UNEVEN = {
    "inverse_mass_matrix": np.array([0.01, 2.0]),
    "adapt_mass_matrix": False,
    "step_size": 0.7,
}
UNEVEN |= {"adapt_step_size": False, "num_steps": 2, "trajectory_length": None}


def test_fold_in_the_transition_keeps_the_law():
    kernel = nsym.Folded(HMC(pair, **UNEVEN), PAIR, where="transition")
    mcmc = chain(kernel)
    assert min(law(mcmc)) > 1e-3
    x = np.asarray(mcmc.get_samples()["x"])
    assert (x[:, 0] <= x[:, 1]).all()
    np.testing.assert_allclose(mcmc.get_samples()["gap"], x[:, 1] - x[:, 0], rtol=1e-6)


def test_without_the_random_element_it_does_not():
    """Negative control: the guard is taken away."""
    kernel = nsym.Folded(HMC(pair, **UNEVEN), PAIR, where="transition")
    kernel._random_element = False
    assert min(law(chain(kernel))) < 1e-6


def test_an_even_mass_matrix_needs_no_random_element():
    even = {**UNEVEN, "inverse_mass_matrix": np.array([0.5, 0.5]), "step_size": 1.0}
    assert (
        min(
            law(
                chain(
                    nsym.Folded(HMC(pair, **even), PAIR, where="transition", random_element=False)
                )
            )
        )
        > 1e-3
    )


Y = np.repeat([-3.0, 3.0], [12, 6]) + np.random.default_rng(0).normal(size=18)
SIMPLEX = nsym.mixture(2, {"mu": 0, "weights": 0})


def two_components(y):
    """Separated by six standard deviations: no chain changes labels of itself."""
    mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    numpyro.sample(
        "y", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(mu, 1)), obs=y
    )


def chains(kernel):
    mcmc = MCMC(
        kernel,
        num_warmup=200,
        num_samples=400,
        num_chains=2,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), Y)
    return mcmc


@pytest.fixture(scope="module")
def permuted():
    return chains(PermutationSampler(NUTS(two_components), SIMPLEX))


@pytest.fixture(scope="module")
def nearest():
    reference = {"mu": jnp.array([3.0, -3.0]), "weights": jnp.array([0.3, 0.7])}
    return chains(nsym.FoldedNUTS(two_components, SIMPLEX, keys=Nearest(reference)))


@pytest.fixture(scope="module")
def plain():
    return chains(NUTS(two_components))


@pytest.fixture(scope="module")
def reparameterized():
    return chains(NUTS(handlers.reparam(two_components, config=ReferenceSetReparam(SIMPLEX))))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["permuted", "nearest", "reparameterized"])
def test_invariant_moments_are_those_of_unrestricted_nuts(way, plain, request):
    """Means and second moments of functions that labels do not move, within three Monte Carlo
    errors.
    """
    moments = []
    for mcmc in (plain, request.getfixturevalue(way)):
        mu, weights = (
            np.asarray(mcmc.get_samples(group_by_chain=True)[name]) for name in ("mu", "weights")
        )
        f = np.stack(
            [mu.sum(-1), (mu * weights).sum(-1), np.prod(mu, -1), np.prod(weights, -1)], -1
        )
        f = np.concatenate([f, f**2], -1)
        moments.append((f.mean((0, 1)), f.var((0, 1)) / effective_sample_size(f)))
    (a, var_a), (b, var_b) = moments
    assert (np.abs(a - b) < 3 * np.sqrt(var_a + var_b)).all()


@pytest.mark.slow
def test_permutation_sampler_visits_every_copy(permuted):
    """Half the draws in either labeling, in every chain; sites move together; folded, one
    component each.
    """
    mu, weights = (
        np.asarray(permuted.get_samples(group_by_chain=True)[name]) for name in ("mu", "weights")
    )
    first = (mu[..., 0] < mu[..., 1]).mean(1)
    assert np.abs(first - 0.5).max() < 4 * np.sqrt(0.25 / mu.shape[1])
    assert (mu[0] != mu[1]).any()
    order = np.argsort(mu, -1)
    expected = [
        Y[:12].sum() / (12 + 1 / 9),
        Y[12:].sum() / (6 + 1 / 9),
    ]  # conjugate, the labels of the data known
    np.testing.assert_allclose(np.take_along_axis(mu, order, -1).mean((0, 1)), expected, atol=0.15)
    # Twelve of eighteen are the lower component's; a Dirichlet posterior's mean is 13 of 20.
    np.testing.assert_allclose(
        np.take_along_axis(weights, order, -1).mean((0, 1)), [0.65, 0.35], atol=0.03
    )


@pytest.mark.slow
def test_permutation_sampler_is_pickled_and_resumes(permuted):
    again = pickle.loads(pickle.dumps(permuted))
    again.post_warmup_state = again.last_state
    again.run(jax.random.key(1), Y)
    mu = np.asarray(again.get_samples()["mu"])
    assert not np.array_equal(mu, permuted.get_samples()["mu"])
    assert 0.3 < (mu[:, 0] < mu[:, 1]).mean() < 0.7


# Keys -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_nearest_is_the_nearest_of_the_whole_orbit(kind):
    """Against all elements; idempotent and constant on orbits, so an exact section."""
    sym = Symmetry([Units("u", 3, incoming={"w": 1}, outgoing={"v": 0}, axes={"s": -1}, kind=kind)])
    shapes = {"w": (2, 3), "v": (3, 2), "s": (3,)}
    at = {
        name: jax.random.normal(jax.random.key(i), shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    x = {
        name: jax.random.normal(jax.random.key(9 + i), shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    section = Nearest(at).section(sym, shapes)
    orbit = jax.vmap(lambda g: sym.act(g, x))(sym.elements())
    images = jax.jit(jax.vmap(section.settle))(orbit)[1]
    squares = sum(((orbit[n] - at[n]) ** 2).reshape(sym.order, -1).sum(1) for n in shapes)
    best = int(jnp.argmin(squares))
    for name in shapes:
        expected = np.broadcast_to(orbit[name][best], orbit[name].shape)
        np.testing.assert_allclose(images[name], expected, rtol=1e-12, err_msg=name)


@pytest.mark.slow
def test_nearest_folds_draws(nearest):
    draws = nearest.get_samples()
    assert (draws["mu"][:, 0] > draws["mu"][:, 1]).all()
    assert "nearest to a reference" in str(nearest.sampler.section)


def test_approximately_nearest_stays_on_the_orbit_and_comes_nearer():
    sym = nsym.mlp(["w1", "w2", "w3"], [3, 4], kind="signed")
    shapes = {"w1": (2, 3), "w2": (3, 4), "w3": (4, 2)}
    at = {
        name: jax.random.normal(jax.random.key(i), shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    x = sym.act(sym.sample(jax.random.key(5)), at)
    elements, moved = jax.jit(ApproximatelyNearest(at).section(sym, shapes).settle)(x)
    for name, y in sym.act(elements, x).items():
        np.testing.assert_allclose(moved[name], y, rtol=1e-6)
    assert sum(((moved[n] - at[n]) ** 2).sum() for n in at) < sum(
        ((x[n] - at[n]) ** 2).sum() for n in at
    )


def test_keys_that_the_user_chose():
    kernel = nsym.FoldedNUTS(two_components, SIMPLEX, keys={"component": "weights"}, check=False)
    start(kernel)
    assert str(kernel.section) == "component: sorted by weights[0]"
    mu, weights = jnp.array([5.0, 6.0]), jnp.array([0.7, 0.3])
    folded = kernel.section.fold({"mu": mu, "weights": weights})
    assert folded["mu"].tolist() == [6.0, 5.0]


@pytest.mark.usefixtures("x64")
def test_statistics_of_the_users_choice_are_exact_keys():
    """Sums and norms, of a site that another layer stirs too: constant on orbits, sorted as was
    said.
    """
    sym = nsym.mlp(["w1", "w2", "w3"], [3, 4], kind="signed")
    shapes = {"w1": (2, 3), "w2": (3, 4), "w3": (4, 2)}
    x = {
        name: jax.random.normal(jax.random.key(i), shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    for first, second in ((("w1", "norm"), ("w2", "sum")), (("w1", 1), ("w3", "norm"))):
        fold = jax.jit(sorted_section(sym, shapes, {"hidden1": first, "hidden2": second}).fold)
        out, again = fold(x), fold(sym.act(moving(sym, jax.random.key(3)), x))
        for name, y in out.items():
            np.testing.assert_allclose(again[name], y, rtol=1e-12)
        keys = (out["w1"] ** 2).sum(0) if first[1] == "norm" else out["w1"][1]
        assert (np.diff(keys) >= 0).all()


def start(kernel):
    kernel.init(jax.random.key(0), 1, None, (Y,), {})


TWO = nsym.mlp(["w1", "w2", "w3"], [2, 2])
TWO_SHAPES = {"w1": (1, 2), "w2": (2, 2), "w3": (2, 1)}
REFUSED = {
    "where must be": lambda: nsym.Folded(NUTS(pair), PAIR, where="warmup"),
    "BarkerMH cannot take up": lambda: nsym.Folded(BarkerMH(pair), PAIR, where="transition"),
    "BarkerMH cannot take": lambda: PermutationSampler(BarkerMH(pair), PAIR),
    "that is adapted is not constant": lambda: nsym.Folded(
        NUTS(pair), PAIR, where="transition", random_element=False
    ),
    "not one number": lambda: nsym.Folded(
        HMC(pair, **UNEVEN), PAIR, where="transition", random_element=False
    ),
    "coordinates that units do not permute": lambda: start(
        nsym.Folded(
            HMC(two_components, adapt_mass_matrix=False),
            SIMPLEX,
            where="transition",
            random_element=False,
        )
    ),
    "2 Units .* settled together by no single": lambda: Nearest(
        {n: np.ones(s) for n, s in TWO_SHAPES.items()}
    ).section(TWO, TWO_SHAPES),
    "several axes of site 'A'": lambda: Nearest({"A": np.eye(2)}).section(
        nsym.hmm(2, transition="A"), {"A": (2, 2)}
    ),
    "reference must be a dict.*names no site": lambda: Nearest({}).section(
        nsym.mixture(2, {"mu": 0}), {"mu": (2,)}
    ),
    "has shape .3,. in the reference": lambda: Nearest({"x": np.ones(3)}).section(
        PAIR, {"x": (2,)}
    ),
    "NaN or infinity": lambda: Nearest({"x": np.full(2, np.nan)}).section(PAIR, {"x": (2,)}),
    "cannot be sorted by site 'y'": lambda: start(
        nsym.Folded(NUTS(two_components), SIMPLEX, keys={"component": "y"})
    ),
    "one of .* or the number of a row; got 'median'": lambda: sorted_section(
        PAIR, {"x": (2,)}, {"component": ("x", "median")}
    ),
    "has no row 1": lambda: sorted_section(PAIR, {"x": (2,)}, {"component": ("x", 1)}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(SymmetryError, match=message):
        REFUSED[message]()
