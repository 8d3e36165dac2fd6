"""The symmetry of every model in the zoo: its classes, their kinds, and the axes they lie on."""

from __future__ import annotations

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.interpreters import ad, mlir
from jax.scipy.special import logsumexp
from zoo import ZOO, X, Y, normal, observe

from numpyro_sym import Symmetry, SymmetryError
from numpyro_sym.discovery import find_symmetry, register_rule
from numpyro_sym.discovery.find import read_program, symmetry_of
from numpyro_sym.discovery.inference import rules
from numpyro_sym.models import Trial
from numpyro_sym.models.numpyro_model import read_numpyro_model
from numpyro_sym.symmetry.units import KINDS


def written(axis):
    return (axis, None, 1, 1) if isinstance(axis, int) else axis


def expected(classes):
    return sorted(
        (
            n,
            kind,
            sorted(
                (s, sorted(map(written, a if isinstance(a, list) else [a]), key=str))
                for s, a in where.items()
            ),
        )
        for n, kind, where in classes
    )


def found(sym):
    def of(a):
        return a.axis, a.start, a.outer, a.inner

    return sorted(
        (u.n, u.kind, sorted((s, sorted(map(of, axes), key=str)) for s, axes in u.placements))
        for u in sym
        if u.n > 1
    )


class Studied:
    """One model of the zoo with its symmetry and what the tests look at besides."""

    def __init__(self, case):
        with jax.enable_x64(True):
            self.view = read_numpyro_model(case.model, case.args, case.kwargs)
            self.trial = Trial(self.view, 2, np.random.default_rng(0))
            self.sym = symmetry_of(self.view, lambda: self.trial, KINDS)
            self.unknown = read_program(self.view).walk.unknown


@pytest.fixture(scope="session")
def studied():
    seen = {}

    def get(name):
        if name not in seen:
            seen[name] = Studied(ZOO[name])
        return seen[name]

    return get


@pytest.mark.parametrize("name", ZOO)
def test_zoo(studied, name):
    sym, case = studied(name).sym, ZOO[name]
    assert found(sym) == expected(case.classes)
    assert sum(u.n == 1 for u in sym) == case.signs


@pytest.mark.parametrize("name", ZOO)
def test_every_primitive_has_a_rule(studied, name):
    assert studied(name).unknown == set()


@pytest.mark.parametrize("name", [n for n, c in ZOO.items() if c.classes])
def test_one_site_alone_breaks_it(studied, name):
    """Negative control: the numerical check sees it when a class is not moved as a whole."""
    s = studied(name)
    with jax.enable_x64(True):
        for u in s.sym:
            assert s.trial.holds([u])
            for site, axes in u.placements if len(u.sites) > 1 else ():
                alone = u.with_axes({site: axes})
                assert not s.trial.holds([alone]) or not any(a.power for a in axes)


@pytest.mark.parametrize("name", ["mlp tanh", "mixture 1-D", "hmm scan"])
def test_found_symmetry_passes_the_check(name):
    case = ZOO[name]
    sym = find_symmetry(case.model, *case.args)
    assert sym.check(case.model, *case.args)
    assert not jax.config.jax_enable_x64


def test_twice_the_same():
    case = ZOO["attention"]
    first, second = (find_symmetry(case.model, *case.args, rng_key=seed) for seed in (0, 1))
    assert first == second
    assert first.explain() == second.explain()


# Kinds and names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "kind"),
    [("permutation", "permutation"), (("permutation", "signed"), "permutation"), (KINDS, "scaled")],
)
def test_include(include, kind):
    (units,) = find_symmetry(ZOO["mlp relu"].model, X, Y, include=include)
    assert units.kind == kind


def test_scales_in_place_of_signs():
    sym = find_symmetry(ZOO["mlp abs"].model, X, Y, include=("permutation", "scaled"))
    assert sym["w1"].kind == "scaled"
    assert {s: [a.power for a in axs] for s, axs in sym["w1"].placements} == {
        "w1": [1],
        "b1": [1],
        "w2": [-1],
    }


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("mixture 1-D", ["component"]),
        ("nnx mlp", ["l1"]),
        ("linen mlp", ["Dense_1"]),
        ("eqx mlp", ["layers[0]", "layers[1]"]),
        ("mlp scale per unit", [f"w1.sign[{i}]" for i in range(4)]),
    ],
)
def test_names(studied, name, names):
    assert [u.name for u in studied(name).sym] == names


# Explanations -------------------------------------------------------------------------------------


def test_the_prior_forbids_what_the_likelihood_allows(studied):
    text = studied("mlp scale per unit").sym.explain()
    assert (
        "w1[1] b1[0] w2[0]: the likelihood lets its 4 positions be permuted, but the prior of 'w1'"
        in text
    )
    assert "a constant of shape (1, 4) varies along its axis 1" in text


def test_the_data_tell_inputs_apart(studied):
    text = studied("mlp tanh").sym.explain()
    assert (
        "w1[0]: not exchangeable: a constant of shape (7, 5) varies along its axis 1 (dot_general "
        "at zoo.py:" in text
    )


def test_could_not_prove_is_not_forbidden(studied):
    assert "mu[0]: the likelihood lets" in studied("mixture ordered support").sym.explain()
    assert (
        "that the prior of 'mu' does too could not be proved"
        in studied("mixture ordered support").sym.explain()
    )


def test_found_by_evaluation_is_marked(studied):
    assert "mu: found by evaluation, not proved" in studied("mixture unrolled").sym.explain()


def test_notes_survive_adjusting():
    sym = find_symmetry(ZOO["mlp relu"].model, X, Y)
    for other in (sym.select("permutation"), sym.rename({"w1": "hidden"}), sym.without("w1")):
        assert other.explain() == sym.explain()
    assert Symmetry(sym.units) == sym
    assert hash(Symmetry(sym.units)) == hash(sym)
    assert Symmetry(sym.units).explain() == "declared by hand"


# Evaluation ---------------------------------------------------------------------------------------


def test_what_a_cholesky_factor_hides():
    """Exchangeable entries under a multivariate normal prior: no rule shows it, evaluation does."""

    def model(y):
        rho = numpyro.sample("rho", dist.Uniform(0.1, 0.8))
        cov = rho * jnp.ones((4, 4)) + (1 - rho) * jnp.eye(4)
        theta = numpyro.sample("theta", dist.MultivariateNormal(jnp.zeros(4), cov))
        numpyro.factor("y", logsumexp(-0.5 * (y[:, None] - theta) ** 2, -1).sum())

    sym = find_symmetry(model, Y)
    assert found(sym) == expected([(4, "permutation", {"theta": 0})])
    assert "by evaluation" in sym.explain()


def test_unrolled_components_over_several_sites():
    def model(y):
        mu, tau = normal("mu", 4), numpyro.sample("tau", dist.HalfNormal(1).expand([4]).to_event(1))
        other = normal("other", 4)
        parts = jnp.stack(
            [dist.Normal(mu[k], tau[k]).log_prob(y) + other[k] * 0.0 for k in range(4)]
        )
        numpyro.factor("y", logsumexp(parts, 0).sum() + sum(other[k] * (k + 1.0) for k in range(4)))

    assert found(find_symmetry(model, Y)) == expected([(4, "permutation", {"mu": 0, "tau": 0})])


def test_unrolled_components_told_apart_in_part():
    def model(y):
        mu = normal("mu", 4)
        parts = jnp.stack(
            [(1.0 if k < 3 else 2.0) * dist.Normal(mu[k], 1).log_prob(y) for k in range(4)]
        )
        numpyro.factor("y", logsumexp(parts, 0).sum())

    assert found(find_symmetry(model, Y)) == expected([(3, "permutation", {"mu": (0, 0, 1, 1)})])


def test_an_order_told_by_a_step_is_seen():
    """Almost nowhere does the density see the order: evaluation must not be fooled by where it
    looks.
    """

    def model(y):
        mu = normal("mu", 7)
        numpyro.factor("order", jnp.where(jnp.all(mu[1:] > mu[:-1]), 0.0, -10.0))
        numpyro.factor("y", logsumexp(-0.5 * (y[:, None] - mu) ** 2, -1).sum())

    assert len(find_symmetry(model, Y)) == 0


# Primitives that nobody knows ---------------------------------------------------------------------


def primitive(name, f, differentiable=True, shape=lambda x: x.shape):
    p = jax.extend.core.Primitive(name)
    p.def_impl(jax.jit(f))
    p.def_abstract_eval(lambda x: jax.core.ShapedArray(shape(x), x.dtype))
    mlir.register_lowering(p, mlir.lower_fun(f, multiple_results=False))
    if differentiable:
        ad.primitive_jvps[p] = lambda primals, tangents: jax.jvp(f, primals, tangents)
    return p.bind


def through(bind):
    def model(x, y):
        observe(bind(x @ normal("w1", 5, 4)) @ normal("w2", 4), y)

    return model


@pytest.mark.parametrize("differentiable", [True, False])
def test_unknown_primitive_claims_nothing_false(differentiable):
    ranked = primitive("ranked", lambda x: x * jnp.arange(1.0, 5.0), differentiable)
    sym = find_symmetry(through(ranked), X, Y)
    assert len(sym) == 0
    assert "could not prove" in sym.explain()
    assert "no rule says what 'ranked' does with its axes (ranked at test_find.py:" in sym.explain()


@pytest.mark.parametrize(
    ("f", "kind"), [(lambda x: x / (1 + jnp.abs(x)), "signed"), (jax.nn.softplus, "permutation")]
)
def test_evaluation_finds_what_an_unknown_primitive_hides(f, kind):
    sym = find_symmetry(through(primitive(f"hidden_{kind}", f)), X, Y)
    assert found(sym) == expected([(4, kind, {"w1": 1, "w2": 0})])
    assert "by evaluation" in sym.explain()
    without_signs = find_symmetry(
        through(primitive(f"hidden_{kind}", f)), X, Y, include="permutation"
    )
    assert found(without_signs) == expected([(4, "permutation", {"w1": 1, "w2": 0})])


def test_own_rule():
    bind = primitive("own_softsign", lambda x: x / (1 + jnp.abs(x)))
    register_rule("own_softsign")(rules["tanh"])
    sym = find_symmetry(through(bind), X, Y)
    assert found(sym) == expected([(4, "signed", {"w1": 1, "w2": 0})])
    assert "by evaluation" not in sym.explain()


def test_own_rule_for_a_sum():
    def total(x):
        return x.sum(-1)

    bind = primitive("own_sum", total, shape=lambda x: x.shape[:-1])

    @register_rule("own_sum")
    def rule(walk, eqn, x):
        walk.vanish(x, [len(x.shape) - 1])
        return walk.value(x.shape[:-1], x.axes[:-1], x.exponents)

    def model(x, y):
        observe(bind(jnp.tanh(x @ normal("w1", 5, 4)) * normal("w2", 4)), y)

    assert found(find_symmetry(model, X, Y)) == expected([(4, "signed", {"w1": 1, "w2": 0})])


def test_a_wrong_rule_is_caught_by_the_numerical_check():
    bind = primitive("wrongly_ruled", lambda x: x * jnp.arange(1.0, 5.0))
    register_rule("wrongly_ruled")(rules["tanh"])
    sym = find_symmetry(through(bind), X, Y)
    assert all(u.n == 1 for u in sym)
    assert "did not pass the numerical check" in sym.explain()


# Errors -------------------------------------------------------------------------------------------


def raising():
    raise KeyError("boom")


@pytest.mark.parametrize(
    ("model", "args", "options", "message"),
    [
        (
            lambda: numpyro.sample("k", dist.Bernoulli(0.5)),
            (),
            {},
            r"latent sites are all discrete \(k\)",
        ),
        (raising, (), {}, "The model 'raising' raised KeyError"),
        (lambda: numpyro.sample("y", dist.Normal(), obs=0.0), (), {}, "no latent sample sites"),
        (ZOO["mlp tanh"].model, (), {}, "missing 1 required positional argument: 'x'"),
        ("model", (), {}, "find_symmetry: model must be a NumPyro model"),
        (
            ZOO["mlp tanh"].model,
            (X, Y),
            {"include": "rotation"},
            "include must be one or several of",
        ),
        (
            lambda: numpyro.factor("f", numpyro.sample("x", dist.Normal()) * jnp.nan),
            (),
            {},
            "not finite at 2 of 20 random points",
        ),
    ],
)
def test_errors(model, args, options, message):
    with pytest.raises(SymmetryError, match=message):
        find_symmetry(model, *args, **options)


def test_traced_arguments_are_refused():
    with pytest.raises(SymmetryError, match="concrete"):
        jax.jit(lambda x: find_symmetry(ZOO["mlp tanh"].model, x, Y).log_order)(X)


def test_inside_a_trace_with_concrete_arguments():
    def inside(scale):
        return scale * find_symmetry(ZOO["mlp tanh"].model, X, Y).log_order

    assert jax.jit(inside)(1.0) == pytest.approx(np.log(384))
