"""Old names: they do what the new ones do, and say so."""

import warnings

import jax
import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym import SymmetryError, alignment, diagnostics, plots
from numpyro_sym.symmetry.randomness import seed_of

RNG = np.random.default_rng(0)
DRAWS = {"mu": RNG.normal(size=(40, 3)), "nu": RNG.normal(size=(40, 2))}
CHAINS = {"mu": RNG.normal(size=(2, 20, 3))}
MIXTURE = nsym.mixture(3, {"mu": 0})
LOADINGS = RNG.normal(size=(4, 6, 2))
FUNCTIONS = RNG.normal(size=(4, 30, 2)) + 9 * np.arange(4)[:, None, None]
UNIT = ({"w": np.zeros(2)}, {"w": np.ones(2)})


def density(at):
    return -(at["mu"] ** 2).sum()


#: Public function, what it takes anyhow, and the old and the new name of an argument with a value.
ARGUMENTS = [
    (diagnostics.mmd, (DRAWS, DRAWS), "sites", "var_names", ["mu"]),
    (diagnostics.mmd, (DRAWS, DRAWS), "seed", "rng_key", 3),
    (nsym.compact_posterior, (DRAWS,), "sites", "var_names", ["nu"]),
    (
        diagnostics.predict_draws,
        (DRAWS, lambda p: sum(p.values()).sum()),
        "sites",
        "var_names",
        ["nu"],
    ),
    (diagnostics.check_draws, (CHAINS, MIXTURE, density), "rng_seed", "rng_key", 3),
    (diagnostics.functional_modes, (FUNCTIONS,), "rng_seed", "rng_key", 3),
    (diagnostics.functional_modes, (FUNCTIONS,), "num_neighbours", "num_neighbors", 11),
    (alignment.remove_symmetry, (DRAWS, MIXTURE), "num_neighbours", "num_neighbors", 3),
    (alignment.varimax, (LOADINGS,), "normalise", "normalize", True),
    (alignment.align_varimax, (LOADINGS,), "normalise", "normalize", True),
]


def leaves(result):
    return jax.tree.leaves(vars(result) if hasattr(result, "__dict__") else result)


def assert_alike(first, second):
    for a, b in zip(leaves(first), leaves(second), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("function", "given", "old", "new", "value"), ARGUMENTS)
def test_old_arguments_do_what_the_new_ones_do(function, given, old, new, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = function(*given, **{new: value})
    with pytest.warns(DeprecationWarning, match=f"{old} is now called {new}") as caught:
        found = function(*given, **{old: value})
    assert caught[0].filename == __file__
    assert_alike(found, expected)
    with pytest.raises(SymmetryError, match=f"{old} is the old name of {new}; got both"):
        function(*given, **{old: value, new: value})


def test_seeds_of_models():
    def model():
        import numpyro
        import numpyro.distributions as dist

        numpyro.sample("mu", dist.Normal().expand([3]).to_event(1))

    with pytest.warns(DeprecationWarning, match="rng_seed is now called rng_key"):
        found = nsym.find_symmetry(model, rng_seed=1)
    assert found == nsym.find_symmetry(model, rng_key=1)
    with pytest.warns(DeprecationWarning, match="rng_seed is now called rng_key"):
        found.check(model, rng_seed=1)
    found.check(model, rng_key=jax.random.key(1))


def test_old_names_are_the_new_ones():
    with pytest.warns(DeprecationWarning, match="marginalised_barrier is now called marginalized"):
        assert diagnostics.marginalised_barrier is diagnostics.marginalized_barrier
    for name in ("ChainModes", "Modes"):
        with pytest.warns(DeprecationWarning, match=f"{name} is now called FunctionalModes"):
            assert getattr(diagnostics, name) is diagnostics.FunctionalModes
    for layer, name, new in (
        (alignment, "Relabelling", "Relabeling"),
        (alignment, "Relabellings", "Relabelings"),
        (plots, "plot_relabellings", "plot_relabelings"),
    ):
        with pytest.warns(DeprecationWarning, match=f"{name} is now called {new}"):
            assert getattr(layer, name) is getattr(layer, new)
    with pytest.warns(DeprecationWarning, match="now called functional_modes") as caught:
        found = diagnostics.chain_modes(FUNCTIONS)
    assert caught[0].filename == __file__
    assert_alike(found, diagnostics.functional_modes(FUNCTIONS, by="chain"))
    with pytest.raises(AttributeError, match="no attribute 'chain_mode'"):
        _ = diagnostics.chain_mode
    with pytest.raises(ImportError):
        from numpyro_sym.diagnostics import nothing_of_the_kind  # noqa: F401


def test_modes_of_chains_and_of_draws_are_one_result():
    """Chains far apart: both ways of grouping say the same of everything that both can tell."""
    by_draw, by_chain = (diagnostics.functional_modes(FUNCTIONS, by=by) for by in ("draw", "chain"))
    assert_alike(by_draw[:5], by_chain[:5])
    assert str(by_draw) == str(by_chain)
    assert by_draw.num_modes == by_chain.num_modes == 4


def test_keys_and_seeds():
    assert seed_of(3) == 3
    assert seed_of(np.int64(3)) == 3
    new, raw = jax.random.key(3), jax.random.PRNGKey(3)
    assert seed_of(new) == seed_of(raw) != seed_of(jax.random.key(4))
    first, again, other = (
        diagnostics.mmd(DRAWS["mu"][:20], DRAWS["mu"][20:], num_permutations=99, rng_key=key)
        for key in (new, raw, jax.random.key(4))
    )
    assert first == again
    assert first != other


def test_one_name_of_a_variable_is_enough():
    assert_alike(
        nsym.compact_posterior(DRAWS, var_names="mu"),
        nsym.compact_posterior(DRAWS, var_names=["mu"]),
    )
    assert_alike(
        nsym.compact_posterior(DRAWS, var_names="~nu"),
        nsym.compact_posterior(DRAWS, var_names="mu"),
    )
    with pytest.raises(SymmetryError, match="var_names asks for 'xi'"):
        nsym.compact_posterior(DRAWS, var_names=["~xi"])
    names = (name for name in ("mu",))  # gone through once
    assert_alike(
        diagnostics.mmd(DRAWS, DRAWS, var_names=names, num_permutations=9),
        diagnostics.mmd(DRAWS, DRAWS, var_names="mu", num_permutations=9),
    )
