"""Whatever takes a symmetry takes one of sites that are stacked, and gives them back as they were;
or says what to do.
"""

import inspect
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import HMC, MCMC, NUTS, SVI, Trace_ELBO, init_to_median, log_likelihood
from numpyro.infer.autoguide import (
    AutoGuideList,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
)
from scipy import stats
from scipy.special import logsumexp

import numpyro_sym as nsym
from numpyro_sym import Symmetry, SymmetryError, Units, alignment, diagnostics, guides, mcmc, plots
from numpyro_sym.alignment import Activations, Nearest, Wasserstein, Whitened

STACKED = {"mu": ("mu.a", "mu/b", "mu[c]"), "sd": ("sd1", "sd2", "sd3")}
APART = Symmetry([Units("k", 3, axes={"w": 0}, stacked=STACKED, values=("z",))])
WHOLE = nsym.mixture(3, {"w": 0, "mu": 0, "sd": 0}, assignments="z").rename({"component": "k"})
RNG = np.random.default_rng(0)
Y = RNG.normal(size=6)


def whole(*sample, dtype=float):
    """Draws as arrays: rows for ``mu``, numbers for ``sd``."""
    draws = {"w": RNG.dirichlet([1] * 3, sample), "mu": RNG.normal(size=(*sample, 3, 2))}
    draws["sd"] = np.exp(RNG.normal(size=(*sample, 3)))
    return {name: x.astype(dtype) for name, x in draws.items()}


def apart(sites, lead):
    """The same, a site for each component, in an order of their own."""
    out = {}
    for array in ("sd", "mu"):
        for i in (2, 0, 1):
            out[STACKED[array][i]] = np.take(np.asarray(sites[array]), i, lead)
    return {**out, **{name: x for name, x in sites.items() if name not in STACKED}}


def assert_apart(found, expected, lead, given):
    """Sites as they came: names in their order, numbers those of the arrays."""
    assert list(found) == list(given)
    for name, x in apart(expected, lead).items():
        np.testing.assert_allclose(found[name], x, rtol=1e-5, err_msg=name)


DRAWS, POINT = whole(12), whole()
LABELED = {**DRAWS, "z": RNG.integers(3, size=(12, 6))}


def both(work, arrays=DRAWS, lead=1, sym=WHOLE, stacked=APART):
    """What a function of sites and a symmetry does with both: the same elements and sites."""
    given = apart(arrays, lead)
    found, expected = work(given, stacked), work(arrays, sym)
    for name, element in expected.elements.items():
        np.testing.assert_array_equal(found.elements[name].permutation, element.permutation)
        np.testing.assert_allclose(found.elements[name].factor, element.factor, rtol=1e-6)
    assert_apart(found.sites, expected.sites, lead, given)
    return found


def at(sym, point=None):
    """A point for one of the two symmetries."""
    point = POINT if point is None else point
    return point if sym is WHOLE else apart(point, 0)


def apply(point, inputs):
    """Activations of the arrays, or of the sites."""
    mu = point["mu"] if "mu" in point else jnp.stack([point[name] for name in STACKED["mu"]])
    return {"k": jnp.tanh(inputs @ jnp.asarray(mu).T)}


METRICS = {
    "Whitened": lambda sym: Whitened(at(sym, SCALES)),
    "Wasserstein": lambda sym: Wasserstein(
        OF_DRAWS if sym is WHOLE else apart(OF_DRAWS, 1), at(sym, SCALES)
    ),
    "Activations": lambda sym: Activations(apply, np.linspace(-1, 1, 8).reshape(4, 2)),
}
SCALES = {name: np.abs(x) + 0.1 for name, x in whole().items()}
OF_DRAWS = {name: np.abs(x) + 0.1 for name, x in whole(12).items()}


@pytest.mark.parametrize("metric", METRICS)
def test_metrics(metric):
    both(lambda sites, sym: nsym.align(sites, at(sym), sym, metric=METRICS[metric](sym)))


def test_a_metric_of_ones_own_is_refused():
    class Mine:
        def view(self, draws, reference, sym):
            raise AssertionError

    with pytest.raises(SymmetryError, match=r"how Mine sees these stacked.*on_arrays"):
        nsym.align(apart(DRAWS, 1), "first", APART, metric=Mine())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_aligned(dtype):
    arrays = {name: x.astype(dtype) for name, x in DRAWS.items()}
    found = both(lambda sites, sym: nsym.align(sites, "mean", sym), arrays)
    assert {x.dtype for x in found.sites.values()} == {np.dtype(dtype)}
    both(lambda sites, sym: nsym.align(sites, "mean", sym), LABELED)


def test_removed():
    both(lambda sites, sym: alignment.remove_symmetry(sites, sym, num_neighbors=3), LABELED)


def test_by_labels():
    both(alignment.align_by_labels, LABELED)


def test_under_jit():
    one = {name: x[0] for name, x in DRAWS.items()}

    def work(sites, sym):
        return jax.jit(lambda sites: alignment.align_in_jit(sites, at(sym), sym))(sites)

    given = apart(one, 0)
    found, expected = work(given, APART), work(one, WHOLE)
    np.testing.assert_array_equal(
        found.elements["k"].permutation, expected.elements["k"].permutation
    )
    # jit sorts the names of a dict
    assert_apart(found.sites, expected.sites, 0, dict(sorted(given.items())))


def test_in_chunks():
    da = pytest.importorskip("dask.array")
    for reference in ("mean", "point", 3):

        def work(sites, sym, reference=reference):
            lazy = {name: da.from_array(x, chunks=(5, *x.shape[1:])) for name, x in sites.items()}
            to = at(sym) if reference == "point" else reference
            found = alignment.align_chunked(lazy, to, sym)
            assert all(isinstance(x, da.Array) for x in found.sites.values())
            import dask

            return dask.compute(found)[0]

        both(work, LABELED)


def test_gauges():
    relu = Symmetry([Units("u", 3, incoming={"mu": 0}, outgoing={"w": 0}, kind="scaled")])
    stacked = Symmetry(
        [
            Units(
                "u",
                3,
                incoming={"mu": 0},
                outgoing={"w": 0},
                kind="scaled",
                stacked={"mu": STACKED["mu"]},
            )
        ]
    )
    arrays = {"mu": DRAWS["mu"], "w": DRAWS["w"]}
    for gauge in (alignment.minimum_mass, alignment.unit_norm, alignment.unit_variance):
        given = {f: DRAWS["mu"][:, i] for i, f in enumerate(STACKED["mu"])} | {"w": DRAWS["w"]}
        found = gauge(given, stacked, sample_ndim=1)
        expected = gauge(arrays, relu, sample_ndim=1)
        assert list(found.sites) == list(given)
        for i, name in enumerate(STACKED["mu"]):
            np.testing.assert_allclose(found.sites[name], expected.sites["mu"][:, i], rtol=1e-12)
        np.testing.assert_allclose(found.sites["w"], expected.sites["w"], rtol=1e-12)


def test_gaussians():
    one, other = (whole(), {n: np.abs(x) for n, x in whole().items()}), (POINT, SCALES)
    found = alignment.align_gaussians(
        *(apart(x, 0) for x in one), *(apart(x, 0) for x in other), APART.without_values()
    )
    expected = alignment.align_gaussians(*one, *other, WHOLE.without_values())
    assert_apart(found.loc, expected.loc, 0, apart(one[0], 0))
    assert_apart(found.scale, expected.scale, 0, apart(one[1], 0))
    table = diagnostics.compare_gaussians(
        tuple(apart(x, 0) for x in one), tuple(apart(x, 0) for x in other), APART.without_values()
    )
    assert set(table["site"].values) == {"w", *STACKED["mu"], *STACKED["sd"]}
    assert (table["distance"] >= 0).all()


def test_full_gaussians():
    """Against every element of the group, acting on numbered values."""
    names = ["mu.a", "mu/b", "mu[c]"]
    sym = Symmetry([Units("k", 3, stacked={"mu": tuple(names)})])
    loc = {name: RNG.normal(size=2) for name in names}
    to = {name: RNG.normal(size=2) for name in names}
    root, other = RNG.normal(size=(2, 6, 6))
    found = alignment.align_full_gaussians(loc, root @ root.T, to, other @ other.T, sym)
    from scipy.linalg import sqrtm

    best = np.inf
    for order in permutations(range(3)):
        rows = np.concatenate([[2 * i, 2 * i + 1] for i in order])
        m, s, t = np.concatenate(list(loc.values()))[rows], root[rows] @ root[rows].T, other
        cross = sqrtm(sqrtm(s) @ (t @ t.T) @ sqrtm(s)).real
        spread = np.trace(s) + np.trace(t @ t.T) - 2 * np.trace(cross)
        best = min(best, ((m - np.concatenate(list(to.values()))) ** 2).sum() + spread)
    np.testing.assert_allclose(found.distance**2, best, rtol=1e-6)
    assert list(found.loc) == names


def test_relabeled():
    p = RNG.dirichlet([1] * 3, (12, 6))
    given = {"probabilities": p, "order_by": "sd", "data": Y}
    found = alignment.relabel(apart(LABELED, 1), APART, **given)
    expected = alignment.relabel(LABELED, WHOLE, **given)
    assert set(found.elements) == set(expected.elements)
    for method, elements in expected.elements.items():
        np.testing.assert_array_equal(
            found.elements[method]["k"].permutation, elements["k"].permutation
        )


@pytest.mark.parametrize("make", ["sorted", "nearest"])
def test_sections_fold_every_copy_to_one_point(make):
    sym = APART.without_values()
    one = {name: x[0] for name, x in DRAWS.items()}
    given = apart(one, 0)
    shapes = {name: np.shape(x) for name, x in given.items()}
    if make == "sorted":
        section = alignment.sorted_section(sym, shapes, {"k": "sd"})
        assert "sorted by sd" in str(section)
    else:
        section = Nearest(apart(POINT, 0)).section(sym, shapes)
    copies = sym.act(sym.elements(), {name: np.stack([x] * 6) for name, x in given.items()})
    folded = jax.vmap(section.settle)(copies)[1]
    for x in folded.values():
        np.testing.assert_allclose(x, np.stack([x[0]] * 6), rtol=1e-6)
    if make == "sorted":
        assert (folded["sd1"] <= folded["sd2"]).all()
        assert (folded["sd2"] <= folded["sd3"]).all()
    once = section.fold(given)
    assert set(once) == set(given)


# Guides -----------------------------------------------------------------------------------------


def mixture(y):
    """Components that have a site each, two of each kind."""
    mu = [numpyro.sample(name, dist.Normal(0, 5)) for name in ("mu1", "mu2")]
    sd = [numpyro.sample(name, dist.LogNormal(0, 1)) for name in ("sd1", "sd2")]
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(2)))
    each = dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(jnp.stack(mu), jnp.stack(sd)))
    numpyro.sample("y", each.expand([len(y)]).to_event(1), obs=y)


COMPONENT = Symmetry(
    [Units("k", 2, axes={"w": 0}, stacked={"mu": ("mu1", "mu2"), "sd": ("sd1", "sd2")})]
)


def by_hand(y):
    scale = numpyro.param("scale", 0.3, constraint=dist.constraints.positive)
    for i, at in enumerate((-1.0, 2.0)):
        numpyro.sample(f"mu{i + 1}", dist.Normal(numpyro.param(f"m{i}", at), scale))
        numpyro.sample(f"sd{i + 1}", dist.LogNormal(numpyro.param(f"s{i}", 0.5 * at), scale))
    numpyro.sample("w", dist.Dirichlet(numpyro.param("a", jnp.array([2.0, 5.0]))))


BASES = {
    "AutoNormal": lambda: AutoNormal(mixture),
    "AutoMultivariateNormal": lambda: AutoMultivariateNormal(mixture),
    "AutoLowRank": lambda: AutoLowRankMultivariateNormal(mixture, rank=2),
    "by hand": lambda: by_hand,
}


def started(guide):
    """Parameters as a guide starts with them, but for what makes the components differ."""
    svi = SVI(mixture, guide, numpyro.optim.Adam(0.1), Trace_ELBO())
    params = svi.get_params(svi.init(jax.random.key(1), Y))
    rng = np.random.default_rng(4)
    return {
        name: x if "tril" in name or "factor" in name else x + rng.uniform(0, 0.5, np.shape(x))
        for name, x in params.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "bound"), [*((base, "exact") for base in BASES), ("AutoNormal", "guess")]
)
def test_the_density_is_the_average_over_the_group(base, bound, x64):
    """Both elements by brute force, through the base guide's own density."""
    given = {"bound": bound, "model": mixture, "check": False}
    guide = nsym.guides.AutoSymmetrized(BASES[base](), COMPONENT, **given)
    params = started(guide)
    plain = guide._base(jax.random.key(0), params, (Y,), {})
    orbit = guide._orbit_of(plain)
    value, held = orbit.sample_with_intermediates(jax.random.key(2))
    found = orbit.log_prob(value, held)
    sites = {name: np.asarray(x) for name, x in COMPONENT.unstack(orbit.unravel(value)).items()}
    each = []
    for swap in (False, True):
        turned = dict(sites)
        if swap:
            turned |= {"mu1": sites["mu2"], "mu2": sites["mu1"], "w": sites["w"][::-1]}
            turned |= {"sd1": sites["sd2"], "sd2": sites["sd1"]}
        each.append(float(plain.log_prob(turned)))
    expected = logsumexp(each) - np.log(2)
    if bound == "exact":
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    else:
        assert float(found) >= min(each) - np.log(2) - 1e-9


@pytest.mark.slow
def test_auto_normals_marginals(x64):
    """Medians and quantiles of both components alike: SciPy's, of equal mixtures."""
    guide = nsym.AutoSymmetrizedNormal(mixture, COMPONENT, check=False)
    params = started(guide)
    found = guide.quantiles(params, [0.2, 0.7])
    assert {"mu1", "mu2", "sd1", "sd2", "w"} == set(found)
    loc = [float(params[f"sd{i}_auto_loc"]) for i in (1, 2)]
    scale = [float(params[f"sd{i}_auto_scale"]) for i in (1, 2)]
    for q, x in zip((0.2, 0.7), found["sd1"], strict=True):
        cdf = np.mean([stats.norm.cdf(np.log(x), m, s) for m, s in zip(loc, scale, strict=True)])
        np.testing.assert_allclose(cdf, q, atol=1e-8)
    np.testing.assert_allclose(found["sd1"], found["sd2"])
    np.testing.assert_allclose(found["mu1"], found["mu2"])
    assert guide.median(params)["mu1"].shape == ()
    assert set(guide.component(params).shapes) == {"mu1", "mu2", "sd1", "sd2", "w"}
    draws = guide.sample_posterior(jax.random.key(0), params, sample_shape=(400,))
    assert {name: x.shape for name, x in draws.items()}["mu1"] == (400,)
    # Units come in random order: means over draws are alike.
    assert abs(draws["mu1"].mean() - draws["mu2"].mean()) < 0.4
    information = guide.symmetry_information(jax.random.key(3), params, Y, num_samples=16)
    assert 0 <= information.lower <= np.log(2) + 1e-9


@pytest.mark.slow
def test_ties_are_broken_between_sites():
    guide = nsym.AutoSymmetrizedNormal(mixture, COMPONENT, check=False, init_loc_fn=init_to_median)
    with numpyro.handlers.seed(rng_seed=0):
        guide(Y)
    assert guide._init_locs["mu1"] != guide._init_locs["mu2"]


@pytest.mark.slow
def test_a_guide_of_parts():
    guide = AutoGuideList(mixture)
    first, second = ["mu1", "sd1"], ["mu2", "sd2", "w"]
    guide.append(AutoNormal(numpyro.handlers.block(mixture, hide=second)))
    guide.append(AutoMultivariateNormal(numpyro.handlers.block(mixture, hide=first)))
    guide = nsym.guides.AutoSymmetrized(guide, COMPONENT, check=False)
    params = started(guide)
    assert np.isfinite(Trace_ELBO().loss(jax.random.key(0), params, mixture, guide, Y))
    assert guide.quantiles(params, 0.5)["mu2"].shape in ((), (1,))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AutoNormal, AutoMultivariateNormal])
def test_guides_are_aligned(kind):
    guide = kind(mixture)
    sym = Symmetry([Units("k", 2, stacked=dict(COMPONENT["k"].stacked))])
    params = started(guide)
    # The other guide is this one with the components exchanged, and a little further away.
    if kind is AutoNormal:
        swapped = dict(params)
        for what in ("loc", "scale"):
            for a, b in (("mu1", "mu2"), ("sd1", "sd2")):
                swapped[f"{a}_auto_{what}"] = params[f"{b}_auto_{what}"]
                swapped[f"{b}_auto_{what}"] = params[f"{a}_auto_{what}"]
        found = nsym.guides.align_guides(guide, params, guide, swapped, sym)
        for name, x in params.items():
            np.testing.assert_allclose(found.params[name], x, rtol=1e-6)
        np.testing.assert_allclose(found.gaussian.distance, 0, atol=1e-5)
        return
    place = {
        name: int(x) for name, x in guide._unpack_latent(jnp.arange(6.0)[:5]).items() if name != "w"
    }
    order = np.arange(5)
    for a, b in (("mu1", "mu2"), ("sd1", "sd2")):
        order[[place[a], place[b]]] = place[b], place[a]
    root = params["auto_scale_tril"][order]
    swapped = {"auto_loc": params["auto_loc"][order]}
    swapped["auto_scale_tril"] = jnp.linalg.cholesky(root @ root.T)
    found = nsym.guides.align_guides(guide, params, guide, swapped, sym)
    assert found.gaussian.elements["k"].permutation.tolist() == [1, 0]
    for name, x in params.items():
        np.testing.assert_allclose(found.params[name], x, atol=1e-5)


def test_guides_of_other_supports_are_refused():
    def model():
        numpyro.sample("a", dist.Uniform(0, 1))
        numpyro.sample("b", dist.Uniform(0, 2))

    guide = AutoNormal(model)
    with numpyro.handlers.seed(rng_seed=0):
        guide()
    params = {f"{n}_auto_{w}": jnp.ones(()) for n in "ab" for w in ("loc", "scale")}
    sym = Symmetry([Units("k", 2, stacked={"x": ("a", "b")})])
    with pytest.raises(SymmetryError, match="supports that differ"):
        nsym.guides.align_guides(guide, params, guide, params, sym)


# Kernels ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_chains_visit_both_orders():
    kernel = mcmc.PermutationSampler(NUTS(mixture), COMPONENT)
    run = MCMC(kernel, num_warmup=100, num_samples=200, progress_bar=False)
    run.run(jax.random.key(0), Y)
    draws = run.get_samples()
    share = (draws["mu1"] < draws["mu2"]).mean()
    assert 0.3 < share < 0.7
    assert list(draws) == list(dict.fromkeys(draws))
    assert log_likelihood(mixture, draws, Y)["y"].shape[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{"k": "mu"}, "nearest"])
def test_states_are_folded_in_transitions(keys):
    reference = {"mu1": -1.0, "mu2": 1.0, "sd1": 1.0, "sd2": 1.0}
    reference = {name: np.asarray(x) for name, x in reference.items()} | {"w": np.full(2, 0.5)}
    if keys == "nearest":
        keys = Nearest(reference)
    kernel = nsym.Folded(HMC(mixture), COMPONENT, keys=keys, where="transition")
    run = MCMC(kernel, num_warmup=50, num_samples=50, progress_bar=False)
    run.run(jax.random.key(0), Y)
    draws = run.get_samples()
    section = kernel.section
    sites = {name: draws[name] for name in COMPONENT.sites}
    again = jax.vmap(section.settle)(sites)[1]
    for name, x in sites.items():
        np.testing.assert_allclose(again[name], x, rtol=1e-5)


def test_whoever_meets_sites_one_by_one_says_so():
    told = "have a site each .* one after another"
    with pytest.raises(SymmetryError, match=rf"ReferenceSetReparam: .*{told}.*Folded"):
        mcmc.ReferenceSetReparam(COMPONENT)
    with pytest.raises(SymmetryError, match=rf"OrderedReparam: .*{told}.*Folded"):
        mcmc.OrderedReparam(COMPONENT, keys={"k": "mu"})
    relu = Units("u", 2, incoming={"a": 0}, outgoing={"b": 0}, kind="scaled")
    relu = Units("u", 2, axes=relu.axes, kind="scaled", stacked={"a": ("a1", "a2")})
    with pytest.raises(SymmetryError, match=rf"ScaleReparam: .*{told}"):
        mcmc.ScaleReparam(Symmetry([relu]))


# Diagnostics and pictures -----------------------------------------------------------------------

CHAINS = {name: x.reshape(2, 6, *x.shape[1:]) for name, x in DRAWS.items()}
DOTTED = {"mu": ("mu1", "mu2", "mu3"), "sd": STACKED["sd"]}
NAMED = Symmetry([Units("k", 3, axes={"w": 0}, stacked=DOTTED)])


def chains_apart():
    out = {"w": CHAINS["w"]}
    for array, names in DOTTED.items():
        out |= {name: CHAINS[array][:, :, i] for i, name in enumerate(names)}
    return out


def test_a_store(tmp_path):
    pytest.importorskip("zarr")
    import xarray as xr

    variables = {}
    for name, x in chains_apart().items():
        own = [f"{name}_{i}" for i in range(x.ndim - 2)]
        variables[name] = (("chain", "draw", *own), x)
    data = xr.DataTree.from_dict({"posterior": xr.Dataset(variables)})
    for _ in range(2):  # the second time there is nothing left to do
        done = diagnostics.rebasin_to_zarr(data, tmp_path / "store", NAMED, progress_bar=False)
    expected = nsym.rebasin(data, NAMED)
    assert set(done["posterior"].data_vars) == set(variables)
    for name in variables:
        np.testing.assert_allclose(
            done["posterior"][name].values, expected["posterior"][name].values, rtol=1e-6
        )


def test_compact():
    arrays = {name: x.reshape(12, *x.shape[2:]) for name, x in chains_apart().items()}
    found = diagnostics.compact_posterior(arrays, NAMED)
    expected = diagnostics.compact_posterior(DRAWS, WHOLE.without_values())
    for i in range(3):
        np.testing.assert_allclose(found.loc[f"mu{i + 1}"], expected.loc["mu"][i], rtol=1e-6)


def test_cards():
    arrays = {name: x.reshape(12, *x.shape[2:]) for name, x in chains_apart().items()}
    found = plots.unit_cards(arrays, NAMED, "k")
    expected = plots.unit_cards(DRAWS, WHOLE.without_values(), "k")
    for cards, others in zip(found, expected, strict=True):
        assert [c.label for c in cards] == [c.label for c in others]
        for card, other in zip(cards, others, strict=True):
            np.testing.assert_allclose(card.mean, other.mean)


def test_relabeled_copies_of_chains_are_told():
    """A chain that is another with its components exchanged, site by site."""
    long = {"mu1": RNG.normal(size=(1, 100)), "mu2": RNG.normal(size=(1, 100))}
    copied = {
        "mu1": np.concatenate([long["mu1"], long["mu2"]]),
        "mu2": np.concatenate([long["mu2"], long["mu1"]]),
    }
    copied["total"] = copied["mu1"] + copied["mu2"]
    sym = Symmetry([Units("k", 2, stacked={"mu": ("mu1", "mu2")})])
    found = nsym.diagnose(copied, sym, invariant="total")
    assert any("share draws" in line for line in found.verdicts)


#: Public callables that take a symmetry: each meets stacked sites here, in test_stacks.py, in
#: test_check_draws.py or in test_plot_symmetry.py.
SERVED = {
    "align",
    "align_chunked",
    "align_full_gaussians",
    "align_gaussians",
    "align_in_jit",
    "align_by_labels",
    "relabel",
    "remove_symmetry",
    "minimum_mass",
    "unit_norm",
    "unit_variance",
    "sorted_section",
    "align_guides",
    "AutoSymmetrized",
    "AutoSymmetrizedNormal",
    "FoldedNUTS",
    "PermutationSampler",
    "diagnose",
    "check_draws",
    "rebasin",
    "act_on_group",
    "elements_of",
    "rebasin_to_zarr",
    "compact_posterior",
    "compare_gaussians",
    "plot_symmetry",
    "plot_unit_cards",
    "unit_cards",
}
REFUSED = {"OrderedReparam", "ReferenceSetReparam", "ScaleReparam"}
#: Made by the library.
RESULTS = {"SortedSection", "View"}


def test_nothing_that_takes_a_symmetry_is_left_out():
    there = set()
    for module in (alignment, guides, mcmc, diagnostics, plots):
        for name, value in vars(module).items():
            if callable(value) and not name.startswith("_") and name[0] != "M":
                try:
                    there |= {name} if "sym" in inspect.signature(value).parameters else set()
                except (TypeError, ValueError):
                    continue
    assert there == SERVED | REFUSED | RESULTS
