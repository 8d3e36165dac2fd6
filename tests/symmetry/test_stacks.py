"""Units that have a site each: the same as one array of them."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import MCMC, NUTS

import numpyro_sym as nsym
from numpyro_sym import Axis, Symmetry, SymmetryError, Units
from numpyro_sym.diagnostics import elements_of

STACKED = {"mu": ("mu1", "mu2", "mu3"), "row": ("row1", "row2", "row3")}
SCATTERED = Symmetry([Units("component", 3, axes={"w": 0}, stacked=STACKED)])
WHOLE = nsym.mixture(3, {"w": 0, "mu": 0, "row": 0})
RNG = np.random.default_rng(0)


def whole(*sample):
    """Draws as arrays."""
    mu = RNG.normal(size=(*sample, 3))
    return {"w": RNG.dirichlet([1] * 3, sample), "mu": mu, "row": RNG.normal(size=(*sample, 3, 2))}


def scattered(sites, lead):
    """The same, a site for each component, in an order of their own."""
    out = {}
    for i in (1, 0, 2):
        out[f"row{i + 1}"] = np.take(sites["row"], i, lead)
        out[f"mu{i + 1}"] = np.asarray(np.take(sites["mu"], i, lead))
    return {**out, "w": sites["w"], "beside": sites["w"][..., 0]}


def assert_same(found, expected, lead):
    again = scattered(expected, lead)
    for name, x in found.items():
        if name != "beside":
            np.testing.assert_array_equal(x, again[name], err_msg=name)


def test_what_it_says():
    assert SCATTERED.sites == ("w", "mu1", "mu2", "mu3", "row1", "row2", "row3")
    assert SCATTERED.order == 6
    assert "w[0] (mu1 mu2 mu3) (row1 row2 row3)" in str(SCATTERED)
    assert SCATTERED.on_arrays() == WHOLE
    assert SCATTERED != WHOLE
    assert pickle.loads(pickle.dumps(SCATTERED)) == SCATTERED
    assert hash(SCATTERED) == hash(pickle.loads(pickle.dumps(SCATTERED)))


@pytest.mark.parametrize("sample", [(), (4,), (2, 3)])
def test_the_action_is_that_on_arrays(sample):
    sites, lead = whole(*sample), len(sample)
    g = SCATTERED.sample(jax.random.key(0), sample)
    g = jax.tree.map(np.asarray, g)
    given = scattered(sites, lead)
    moved = SCATTERED.act(g, given)
    assert list(moved) == list(given)
    assert_same(moved, WHOLE.act(g, sites), lead)
    back = SCATTERED.act(SCATTERED.inverse(g), moved)
    for name, x in given.items():
        np.testing.assert_array_equal(back[name], x)


def test_signs_go_along():
    units = {"incoming": {"w1": 0}, "outgoing": {"w2": 0}, "kind": "signed"}
    apart = Symmetry([Units("unit", 2, stacked={"w1": ("a", "b")}, **units)])
    together = Symmetry([Units("unit", 2, **units)])
    g = jax.tree.map(np.asarray, apart.sample(jax.random.key(3)))
    w1, w2 = RNG.normal(size=(2, 3)), RNG.normal(size=2)
    moved = apart.act(g, {"a": w1[0], "b": w1[1], "w2": w2})
    expected = together.act(g, {"w1": w1, "w2": w2})
    np.testing.assert_array_equal(np.stack([moved["a"], moved["b"]]), expected["w1"])
    np.testing.assert_array_equal(moved["w2"], expected["w2"])


BESIDE = {"w1": np.arange(6.0).reshape(2, 3), "w2": np.arange(2.0)}
UNDER_LAW = {
    "permuted": (SCATTERED, scattered(whole(), 0)),
    "signed": (
        Symmetry(
            [
                Units(
                    "unit",
                    3,
                    incoming={"w1": 1, "row": 0},
                    outgoing={"mu": 0},
                    kind="signed",
                    stacked={"mu": STACKED["mu"], "row": STACKED["row"]},
                )
            ]
        ),
        {**scattered(whole(), 0), **BESIDE},
    ),
    "two groups": (
        Symmetry(
            [
                Units("a", 3, axes={"row": 0, "mu": 0}, stacked=STACKED),
                Units("b", 2, axes={"row": 1, "w2": 0}, stacked={"row": STACKED["row"]}),
            ]
        ),
        {**scattered(whole(), 0), **BESIDE},
    ),
}


@pytest.mark.parametrize("case", UNDER_LAW)
def test_the_laws_of_a_group(case):
    """Every pair of elements, by brute force: on the sites, and on the stacks."""
    sym, sites = UNDER_LAW[case]
    every = sym.elements()
    count = int(sym.order)
    elements = [
        {n: nsym.Element(*(x[i] for x in e)) for n, e in every.items()} for i in range(count)
    ]
    moved = [sym.act(g, sites) for g in elements]
    rng = np.random.default_rng(0)
    for i, j in rng.integers(count, size=(60, 2)):
        together = sym.act(sym.compose(elements[i], elements[j]), sites)
        in_turn = sym.act(elements[i], moved[j])
        back = sym.act(sym.inverse(elements[i]), moved[i])
        on_stacks = sym.on_arrays().act(elements[i], sym.stack(sites))
        for name, x in sites.items():
            np.testing.assert_array_equal(together[name], in_turn[name])
            np.testing.assert_array_equal(back[name], x)
        for name, x in sym.stack(moved[i]).items():
            np.testing.assert_array_equal(on_stacks[name], x)
    told_apart = {tuple(np.concatenate([np.ravel(x) for x in m.values()])) for m in moved}
    assert len(told_apart) == count


def test_under_jit():
    sites = scattered(whole(), 0)
    moved = jax.jit(SCATTERED.act)(SCATTERED.identity(), sites)
    np.testing.assert_allclose(moved["row2"], sites["row2"], rtol=1e-6)


def test_adjusted():
    renamed = SCATTERED.rename_sites({"mu1": "nu1", "w": "weights"})
    assert renamed.sites[:2] == ("weights", "nu1")
    assert SCATTERED.rename({"component": "k"})["k"].stacked == SCATTERED["component"].stacked
    assert SCATTERED.select("permutation") == SCATTERED
    assert SCATTERED.without("component").stacks == {}
    labeled = Symmetry([Units("component", 3, stacked=STACKED, values=("z",))])
    moved = labeled.act(
        {"component": nsym.Element(np.array([2, 0, 1]), np.ones(3))},
        {**scattered(whole(), 0), "z": np.array([0, 1, 2])},
    )
    assert moved["z"].tolist() == [1, 2, 0]
    assert labeled.without_values().stacks == labeled.stacks


def test_aligned_as_arrays_are():
    sites = whole(20)
    reference = whole()
    found = nsym.align(scattered(sites, 1), scattered(reference, 0), SCATTERED)
    expected = nsym.align(sites, reference, WHOLE)
    np.testing.assert_array_equal(
        found.elements["component"].permutation, expected.elements["component"].permutation
    )
    assert_same(found.sites, expected.sites, 1)
    assert_same(found.reference, expected.reference, 0)
    mean = nsym.align(scattered(sites, 1), "mean", SCATTERED)
    assert_same(mean.sites, nsym.align(sites, "mean", WHOLE).sites, 1)


@pytest.mark.slow
def test_folded_in_a_chain():
    kernel = nsym.FoldedNUTS(model, COMPONENT, keys={"k": "mu"})
    mcmc = MCMC(kernel, num_warmup=50, num_samples=50, progress_bar=False)
    mcmc.run(jax.random.key(0), Y)
    draws = mcmc.get_samples()
    assert set(draws) == {"mu1", "mu2", "mu3", "w"}
    assert (draws["mu1"] <= draws["mu2"]).all()
    assert (draws["mu2"] <= draws["mu3"]).all()
    nsym.FoldedNUTS(model, COMPONENT)
    nsym.Folded(NUTS(model), COMPONENT, where="transition")


def test_files_come_back_as_they_were():
    mu = RNG.normal([-3.0, 0.0, 3.0], 0.1, size=(4, 150, 3))
    switched = mu.copy()
    switched[2:] = mu[2:, :, [2, 0, 1]]
    draws = {f"mu{i + 1}": switched[..., i] for i in range(3)}
    draws["total"] = mu.sum(-1)
    sym = Symmetry([Units("component", 3, stacked={"mu": ("mu1", "mu2", "mu3")})])
    done = nsym.rebasin(draws, sym, reference="first", keep_elements=True)
    assert list(done.posterior.data_vars) == list(draws)
    for i in range(3):
        np.testing.assert_array_equal(done.posterior[f"mu{i + 1}"], mu[..., i])
    assert elements_of(done, sym)["component"].permutation.shape == (4, 150, 3)
    found = nsym.diagnose(draws, sym, invariant="total")
    assert "label switching only" in found.verdicts
    assert set(found.sites["site"].values) >= {"mu1", "mu2", "mu3"}


def model(y, last=1.0):
    scales = (1.0, 1.0, last)
    mu = [numpyro.sample(f"mu{i + 1}", dist.Normal(0, 5 * s)) for i, s in enumerate(scales)]
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(3)))
    mixture = dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(jnp.stack(mu), 1.0))
    numpyro.sample("y", mixture.expand([len(y)]).to_event(1), obs=y)


Y = RNG.normal(size=8)
COMPONENT = Symmetry([Units("k", 3, axes={"w": 0}, stacked={"mu": ("mu1", "mu2", "mu3")})])


def test_checked():
    COMPONENT.check(model, Y)
    with pytest.raises(SymmetryError, match="no symmetry of this model"):
        COMPONENT.check(model, Y, last=2.0)
    with pytest.raises(SymmetryError, match="no symmetry of this model"):
        Symmetry([Units("k", 3, stacked={"mu": ("mu1", "mu2", "mu3")})]).check(model, Y)


def test_found():
    found = nsym.find_symmetry(model, Y)
    assert found.rename({found.units[0].name: "k"}) == COMPONENT
    assert "have a site each" in found.explain()
    assert not len(nsym.find_symmetry(model, Y, last=2.0))


def test_found_the_same_as_of_one_array():
    def apart(y):
        mu = [numpyro.sample(f"mu_{i}", dist.Normal(0, 5)) for i in range(3)]
        sd = [numpyro.sample(f"sd_{i}", dist.HalfNormal(1)) for i in range(3)]
        each = [dist.Normal(m, s).log_prob(y) for m, s in zip(mu, sd, strict=True)]
        numpyro.factor("y", jax.scipy.special.logsumexp(jnp.stack(each), 0).sum())

    found = nsym.find_symmetry(apart, Y)
    (units,) = found.units
    assert dict(units.stacked) == {
        "mu": ("mu_0", "mu_1", "mu_2"),
        "sd": ("sd_0", "sd_1", "sd_2"),
    }
    found.check(apart, Y)
    draws = {f"mu_{i}": RNG.normal(size=9) for i in range(3)}
    draws |= {f"sd_{i}": np.exp(RNG.normal(size=9)) for i in range(3)}
    arrays = {"mu": np.stack([draws[f"mu_{i}"] for i in range(3)], 1)}
    arrays["sd"] = np.stack([draws[f"sd_{i}"] for i in range(3)], 1)
    aligned = nsym.align(draws, "first", found)
    expected = nsym.align(arrays, "first", nsym.mixture(3, {"mu": 0, "sd": 0}))
    for i in range(3):
        np.testing.assert_array_equal(aligned.sites[f"mu_{i}"], expected.sites["mu"][:, i])
        np.testing.assert_array_equal(aligned.sites[f"sd_{i}"], expected.sites["sd"][:, i])


def test_what_tells_sites_apart_is_not_found():
    def told_apart(y):
        mu = [numpyro.sample(f"mu{i}", dist.Normal(0, 5)) for i in range(3)]
        numpyro.sample("y", dist.Normal(mu[0] + 2 * mu[1] + 3 * mu[2], 1.0), obs=y[0])

    found = nsym.find_symmetry(told_apart, Y)
    assert not len(found)
    assert "mu = (mu0 mu1 mu2): not found to be exchangeable" in found.explain()


def named(means, deviations=None, scales=(5.0, 5.0, 5.0), weights=None, shares=(1.0, 1.0, 1.0)):
    """A mixture with a site for each component, of any names."""

    def model(y):
        mu = [
            numpyro.sample(name, dist.Normal(0, scale))
            for name, scale in zip(means, scales, strict=False)
        ]
        sd = [numpyro.sample(name, dist.HalfNormal(1)) for name in deviations or ()] or [1.0] * 3
        w = jnp.array(shares)[: len(mu)]
        if weights:
            w = numpyro.sample(weights, dist.Dirichlet(jnp.ones(len(mu))))
        each = [
            dist.Normal(m, s).log_prob(y) + jnp.log(w[i])
            for i, (m, s) in enumerate(zip(mu, sd, strict=False))
        ]
        numpyro.factor("y", jax.scipy.special.logsumexp(jnp.stack(each), 0).sum())

    return model


SIDES = ("mu_left", "mu_right")
NAMED = {
    "a word": (named(SIDES, ("sd_left", "sd_right")), {SIDES, ("sd_left", "sd_right")}),
    "words and shares": (
        named(("muLeft", "muRight"), ("left.sd", "right.sd"), weights="w"),
        {("muLeft", "muRight"), ("left.sd", "right.sd")},
    ),
    "nothing in common": (
        named(("alpha", "beta"), ("gamma", "delta")),
        {("alpha", "beta"), ("gamma", "delta")},
    ),
    "three": (named(("low", "mid", "high"), weights="w"), {("low", "mid", "high")}),
    "some of them": (named(("a", "b", "c"), scales=(5.0, 5.0, 1.0)), {("a", "b")}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", NAMED)
def test_found_whatever_their_names(case):
    model, sites = NAMED[case]
    found = nsym.find_symmetry(model, Y)
    (units,) = found.units
    assert set(dict(units.stacked).values()) == sites
    found.check(model, Y)


NOT_ALIKE = {
    "other priors": named(SIDES, ("sd_left", "sd_right"), scales=(5.0, 4.0)),
    "other shares": named(SIDES, ("sd_left", "sd_right"), shares=(0.3, 0.7)),
    "one prior, other shares": named(("alpha", "beta"), shares=(0.3, 0.7)),
}


@pytest.mark.parametrize("case", NOT_ALIKE)
def test_what_is_told_apart_is_not_found_whatever_its_names(case):
    assert not len(nsym.find_symmetry(NOT_ALIKE[case], Y))


def test_a_first_look_compiles_nothing(monkeypatch):
    """Slope and intercept have one shape and one prior, and are never read as an array."""
    read = []
    monkeypatch.setattr(
        "numpyro_sym.discovery.stacks._in_stacks", lambda *given: read.append(given)
    )

    def line(y):
        slope = numpyro.sample("slope", dist.Normal(0, 1))
        intercept = numpyro.sample("intercept", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(slope * jnp.arange(8.0) + intercept, 1.0), obs=y)

    assert not len(nsym.find_symmetry(line, Y))
    assert not read


def test_layers_in_a_loop_are_no_stack():
    """Two hidden layers of one shape: units of each, and no exchange of layers."""

    def layers(x, y):
        h = x
        for i in range(2):
            w = numpyro.sample(f"w{i}", dist.Normal().expand([2, 2]).to_event(2))
            h = jnp.tanh(h @ w)
        numpyro.sample("y", dist.Normal(h @ jnp.array([1.0, 2.0]), 0.1).to_event(1), obs=y)

    x = RNG.normal(size=(5, 2))
    found = nsym.find_symmetry(layers, x, x[:, 0])
    assert not any(u.stacked for u in found)


def test_stacks_there_and_back():
    draws = scattered(whole(5), 1)
    stacks = SCATTERED.stack(draws, sample_ndim=1)
    assert stacks["mu"].shape == (5, 3)
    back = SCATTERED.unstack(stacks, like=draws, sample_ndim=1)
    assert list(back) == list(draws)
    np.testing.assert_array_equal(back["row2"], draws["row2"])


REFUSED = {
    "a word": (lambda: Units("a", 2, stacked="mu"), "stacked is a dict"),
    "one name": (lambda: Units("a", 2, stacked={"mu": "mu1"}), "stacked is a dict"),
    "none": (lambda: Units("a", 2, stacked={"mu": ()}), "stacked is a dict"),
    "a number": (lambda: Units("a", 2, stacked={"mu": (1, 2)}), "stacked is a dict"),
    "twice": (lambda: Units("a", 2, stacked={"mu": ("m", "m")}), "stacked twice"),
    "alone, too": (
        lambda: Units("a", 2, axes={"m": 0}, stacked={"mu": ("m", "n")}),
        "named by itself",
    ),
    "labels, too": (
        lambda: Units("a", 2, values=("m",), stacked={"mu": ("m", "n")}),
        "named by itself",
    ),
    "stacked for one, alone for another": (
        lambda: Symmetry([Units("a", 2, stacked={"mu": ("m", "n")}), Units("b", 2, axes={"m": 0})]),
        "named by itself",
    ),
    "stacked for one only": (
        lambda: Symmetry(
            [Units("a", 2, stacked={"mu": ("m", "n")}), Units("b", 2, axes={"mu": 1})]
        ),
        "alike for all",
    ),
    "stacked otherwise": (
        lambda: Symmetry(
            [
                Units("a", 2, stacked={"mu": ("m", "n")}),
                Units("b", 2, axes={"mu": 1}, stacked={"mu": ("n", "m")}),
            ]
        ),
        "alike for all",
    ),
    "another number": (
        lambda: Symmetry([Units("a", 3, stacked={"mu": ("m", "n")})]).check_shapes(
            {"m": (), "n": ()}
        ),
        "expected 3",
    ),
    "one is missing": (
        lambda: SCATTERED.act(SCATTERED.identity(), {"mu1": np.ones(())}),
        "must all be there",
    ),
    "other shapes": (
        lambda: Symmetry([Units("a", 2, stacked={"mu": ("m", "n")})]).check_shapes(
            {"m": (), "n": (2,)}
        ),
        "one shape",
    ),
    "other types": (
        lambda: SCATTERED.stack(
            {**scattered(whole(), 0), "mu1": np.array(1), "mu2": np.array(2.0)}
        ),
        "must have one type; got .*int",
    ),
    "too few dimensions": (
        lambda: SCATTERED.stack(scattered(whole(), 0), sample_ndim=1),
        "1 leading sample",
    ),
    "the array is there, too": (
        lambda: Symmetry([Units("a", 2, stacked={"mu": ("m", "n")})]).check_shapes(
            {"m": (), "n": (), "mu": (2,)}
        ),
        "beside no site 'mu'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    call, told = REFUSED[case]
    with pytest.raises(SymmetryError, match=told):
        call()


def test_two_groups_on_one_stack():
    first = Units("a", 2, stacked={"mu": ("m", "n")})
    second = Units("b", 3, axes={"mu": Axis(1)}, stacked={"mu": ("m", "n")})
    sym = Symmetry([first, second])
    x = {"m": np.arange(3.0), "n": np.arange(3.0) + 10}
    g = {"a": nsym.Element(np.array([1, 0]), np.ones(2))}
    g["b"] = nsym.Element(np.array([2, 0, 1]), np.ones(3))
    assert sym.act(g, x)["m"].tolist() == [12.0, 10.0, 11.0]
