"""One gate: each kind of argument is refused in one form, before any work."""

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import MCMC, NUTS
from numpyro.infer.autoguide import AutoNormal

import numpyro_sym as nsym
from numpyro_sym import Element, SymmetryError
from numpyro_sym.symmetry import kinds
from numpyro_sym.symmetry.arguments import check_arguments
from numpyro_sym.symmetry.arrays import real_array

PAIR = nsym.mixture(2, {"mu": 0})
DRAWS = {"mu": np.array([[0.0, 5.0], [5.1, 0.1]])}


def model():
    numpyro.sample("mu", dist.Normal(0, 1).expand([2]).to_event(1))


INSTEAD = {
    "sym must be a Symmetry; got None. Make one by mlp": lambda: nsym.align(DRAWS, "first", None),
    "sym must be a Symmetry; got 'mlp'": lambda: nsym.align(DRAWS, "first", "mlp"),
    r"Wrap it: Symmetry\(\[units\]\)": lambda: nsym.align(DRAWS, "first", PAIR["component"]),
    r"Find it first: find_symmetry\(model": lambda: nsym.FoldedNUTS(model, model),
    r"reference and sym have changed places.* Write align\(sites, reference, sym\)": lambda: (
        nsym.align(DRAWS, PAIR, "mean")
    ),
    r"That is a kernel: pass the model itself, model": lambda: nsym.FoldedNUTS(NUTS(model)),
    r"That is a guide: pass the model itself, model": lambda: nsym.AutoSymmetrizedNormal(
        AutoNormal(model)
    ),
    r"kernel must be a NumPyro kernel; got the function model. Write NUTS\(model\)": lambda: (
        nsym.Folded(model)
    ),
    r"It goes inside: MCMC": lambda: nsym.Folded(MCMC(NUTS(model), num_warmup=1, num_samples=1)),
    r"model must be .* got 3": lambda: nsym.find_symmetry(3),
    r"weights must be a list of names of sites; got 'w'. Write \['w'\]": lambda: nsym.mlp("w", []),
    "n and axes have changed places": lambda: nsym.mixture({"mu": 0}, 2),
    r"rng_key must be one JAX random key; got 0. Write jax.random.key\(0\)": lambda: PAIR.sample(0),
    r"sample_shape must be .* got 3. Write \(3,\)": lambda: PAIR.sample(jax.random.key(0), 3),
    r"metric must be a metric.* Write Euclidean\(\)": lambda: nsym.align(
        DRAWS, "first", PAIR, metric=nsym.alignment.Euclidean
    ),
    r"num_threads must be an int of at least 1; got True": lambda: nsym.align(
        DRAWS, "first", PAIR, num_threads=True
    ),
}


@pytest.mark.parametrize("message", INSTEAD)
def test_it_says_what_to_write_instead(message):
    with pytest.raises(SymmetryError, match=message):
        INSTEAD[message]()


def example(
    n: kinds.Positive,
    x: Annotated[float, kinds.number(0, 1)] = 0.5,
    flag: bool = False,
    how: Literal["a", "b"] = "a",
    anything: Any = None,
    names: kinds.Names | None = None,
) -> None:
    check_arguments(example, locals())


FITS = [
    (1, {}),
    (np.int64(3), {"x": np.float32(0.5), "flag": np.bool_(True), "how": "b"}),
    (5, {"x": 1, "anything": object(), "names": ["a"]}),
    (5, {"x": np.array(0.5), "names": iter(["a", "b"])}),
]
WRONG = [
    ("n", 0, {}),
    ("n", 1.0, {}),
    ("n", True, {}),
    ("n", "1", {}),
    ("n", None, {}),
    ("x", 1, {"x": 1.5}),
    ("x", 1, {"x": np.nan}),
    ("x", 1, {"x": True}),
    ("x", 1, {"x": 1j}),
    ("x", 1, {"x": np.array([0.5])}),
    ("flag", 1, {"flag": 1}),
    ("how", 1, {"how": "c"}),
    ("how", 1, {"how": ["a"]}),
    ("names", 1, {"names": "a"}),
    ("names", 1, {"names": [1]}),
]


@pytest.mark.parametrize(("n", "rest"), FITS)
def test_what_fits_passes(n, rest):
    example(n, **rest)


@pytest.mark.parametrize(("name", "n", "rest"), WRONG)
def test_what_does_not_fit_is_named(name, n, rest):
    with pytest.raises(SymmetryError, match=f"example: {name} must be"):
        example(n, **rest)


def _element(permutation, factor=None):
    permutation = np.asarray(permutation)
    return {
        "component": Element(
            permutation, np.ones(permutation.shape) if factor is None else np.asarray(factor)
        )
    }


NO_ELEMENTS = {
    "each once": _element([0, 0]),
    "is none of 0 .. 1": _element([1, 2]),
    "each once. An": _element([[0, 1], [1, 1]]),
    "must be of ints": _element([0.0, 1.0]),
    "must be 1; got 2": _element([0, 1], [1.0, 2.0]),
    "must be 1; got nan": _element([0, 1], [1.0, np.nan]),
    r"expected an array of shape \(\*sample, 2\)": _element([0, 1, 2]),
    r"the factor of Units 'component' is .*expected an array": _element([0, 1], [1.0]),
    r"expected a numpyro_sym.Element": {"component": [1, 0]},
    "lacks Units 'component'": {},
}
USES = {
    "act": lambda g: PAIR.act(g, {"mu": np.zeros(2)}),
    "inverse": PAIR.inverse,
    "compose": lambda g: PAIR.compose(PAIR.identity(), g),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("message", NO_ELEMENTS)
def test_arrays_that_are_no_elements(message, use):
    with pytest.raises(SymmetryError, match=message):
        USES[use](NO_ELEMENTS[message])


def test_signs_and_scales_have_factors_of_their_own():
    signed, scaled = (nsym.mlp(["a", "b"], [2], kind=kind) for kind in ("signed", "scaled"))
    element = {"hidden": Element(np.array([1, 0]), np.array([-1.0, 2.0]))}
    with pytest.raises(SymmetryError, match="must be -1 or 1; got 2"):
        signed.inverse(element)
    with pytest.raises(SymmetryError, match="must be positive and finite; got -1"):
        scaled.inverse(element)
    scaled.inverse({"hidden": Element(np.array([1, 0]), np.array([0.5, 2.0]))})


def test_traced_arrays_pass():
    """Inside jit there are shapes and no numbers."""

    @jax.jit
    def moved(g, mu):
        return PAIR.act(PAIR.compose(g, PAIR.inverse(g)), {"mu": mu})["mu"]

    g = {"component": Element(jnp.array([1, 0]), jnp.ones(2))}
    assert moved(g, jnp.array([3.0, 4.0])).tolist() == [3.0, 4.0]
    jax.jit(lambda key: PAIR.sample(key))(jax.random.key(0))


TWICE = {
    "hmm": lambda: nsym.hmm(2, transition="A", initial="A"),
    "hmm: an emission": lambda: nsym.hmm(2, transition="A", emissions={"A": 0}),
    "mlp: a bias": lambda: nsym.mlp(["a", "b"], [5], biases=["a"]),
    "mlp: a weight": lambda: nsym.mlp(["a", "a"], [5]),
}


@pytest.mark.parametrize("who", TWICE)
def test_a_site_named_twice_would_lose_an_axis(who):
    with pytest.raises(SymmetryError, match=f"{who.split(':')[0]}: site '[aA]' is named twice"):
        TWICE[who]()


def test_orders_beyond_text_are_told():
    assert "10**9130" in str(nsym.mixture(3000, {"mu": 0}))


NO_ARRAYS = {
    "ragged": [[1.0], [1.0, 2.0]],
    "object": np.array([None, 1.0]),
    "string": "abc",
    "complex": np.array([1j]),
    "bool": np.array([True]),
    "empty": np.zeros(0),
    "NaN": np.array([np.nan]),
    "infinity": np.array([np.inf]),
    "scalar": 3.0,
}


@pytest.mark.parametrize("what", NO_ARRAYS)
def test_no_array_of_numbers(what):
    with pytest.raises(SymmetryError, match="who: x must be numbers"):
        real_array("who", "x", NO_ARRAYS[what], "numbers", ndim=1)


def test_half_precision_becomes_single():
    for dtype in (jnp.bfloat16, jnp.float16):
        assert real_array("who", "x", jnp.ones(2, dtype), "numbers").dtype == np.float32
