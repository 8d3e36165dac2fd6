"""What packs draws: its errors name the public function that was called, and what is packed comes
back.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import numpyro_sym as nsym
from numpyro_sym import SymmetryError
from numpyro_sym.alignment import (
    align,
    align_gaussians,
    minimum_mass,
    remove_symmetry,
    unit_norm,
    unit_variance,
)
from numpyro_sym.alignment.packing import pack

PAIRS = nsym.mixture(2, {"a": 0, "b": 0})
RELU = nsym.mlp(["a", "b"], [2], kind="scaled")
POINT = {"a": np.ones((2, 2)), "b": np.ones((2, 2))}
#: Public function -> a call of it with these draws, ``(3, 2, 2)`` at both sites.
CALLS = {
    "align": lambda draws: align(draws, "first", PAIRS),
    "align_gaussians": lambda draws: align_gaussians(draws, draws, POINT, POINT, PAIRS),
    "remove_symmetry": lambda draws: remove_symmetry(draws, PAIRS),
    "minimum_mass": lambda draws: minimum_mass(draws, RELU, sample_ndim=1),
    "unit_norm": lambda draws: unit_norm(draws, RELU, sample_ndim=1),
    "unit_variance": lambda draws: unit_variance(draws, RELU, sample_ndim=1),
}
FAULTS = {
    "missing": (lambda draws: {"b": draws["b"]}, "lack site 'a'"),
    "ints": (
        lambda draws: {name: x.astype(int) for name, x in draws.items()},
        "has dtype int64; expected floats",
    ),
    "two dtypes": (
        lambda draws: draws | {"a": draws["a"].astype(np.float32)},
        "the draws mix dtypes",
    ),
    "not finite": (
        lambda draws: draws | {"a": draws["a"] * np.nan},
        "site 'a' of the draws holds 12 NaN",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CALLS)
def test_errors_name_the_function_that_was_called(name, fault):
    spoil, told = FAULTS[fault]
    draws = spoil({"a": np.ones((3, 2, 2)), "b": np.ones((3, 2, 2))})
    if name == "align_gaussians" and fault == "not finite":
        told = "Site 'a' holds NaN"  # its standard deviations are refused before
    with pytest.raises(SymmetryError, match=f"^{name}: ") as raised:
        CALLS[name](draws)
    assert told in str(raised.value)


@pytest.mark.parametrize("xp", [np, jnp])
@pytest.mark.parametrize("lead", [0, 1, 2])
def test_what_is_packed_comes_back(xp, lead):
    """Of the kind, dtype and order that came in, with any number of sample dimensions."""
    x = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2)[(0,) * (2 - lead)]
    sites = {"mu": xp.asarray(x), "other": "kept"}
    packed = pack("here", sites, nsym.mixture(2, {"mu": 0}), lead)
    assert packed.draws["mu"].shape == (packed.batch, 2)
    back = packed.unpack({"mu": packed.draws["mu"].astype(float)})
    assert list(back) == list(sites)
    assert back["other"] == "kept"
    assert isinstance(back["mu"], np.ndarray) == (xp is np)
    assert back["mu"].dtype == np.float32
    np.testing.assert_array_equal(back["mu"], x)
