"""The kinds of arguments that classes do not tell, for annotations: ``sites: Sites``, ``num_points:
Positive``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from .arguments import REMEDIES, describe, is_number
from .arguments import Kind as Kind
from .units import KINDS, Units
from .units import Kind as FactorKind

# Numbers with ranges ---------------------------------------------------------------------------


def whole(least: int, most: int | None = None) -> Kind:
    """An int of at least ``least``, and at most ``most``."""

    def fault(value: Any) -> str | None:
        is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        return None if is_int and least <= value and (most is None or value <= most) else ""

    return Kind(
        f"an int of at least {least}" + (f" and at most {most}" if most is not None else ""), fault
    )


def number(
    least: float = -np.inf,
    most: float = np.inf,
    *,
    without_ends: bool = False,
    expected: str = "a finite number",
) -> Kind:
    """A finite real number in a range, with or without its ends."""

    def fault(value: Any) -> str | None:
        if not is_number(value) or not np.isfinite(float(value)):
            return ""
        inside = least < value < most if without_ends else least <= value <= most
        return None if inside else ""

    return Kind(expected, fault)


Positive = Annotated[int, whole(1)]
NotNegative = Annotated[int, whole(0)]
AtLeastTwo = Annotated[int, whole(2)]
Seed = Annotated[int, whole(0, 2**32 - 1)]
PositiveNumber = Annotated[float, number(0, without_ends=True, expected="a finite number above 0")]
NotNegativeNumber = Annotated[float, number(0, expected="a finite number of at least 0")]
BetweenZeroAndOne = Annotated[
    float, number(0, 1, without_ends=True, expected="a number between 0 and 1")
]


def _shape_fault(value: Any) -> str | None:
    if isinstance(value, tuple) and all(whole(0).fault(n) is None for n in value):
        return None
    return f"Write ({value},)." if whole(0).fault(value) is None else ""


SampleShape = Annotated[tuple[int, ...], Kind("a tuple of ints, none negative", _shape_fault)]


def _key_fault(value: Any) -> str | None:
    dtype = getattr(value, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return (
            None if value.shape == () else "One key is enough: it is split where more are needed."
        )
    if dtype == np.uint32 and value.shape == (2,):
        return None
    seed = value if whole(0).fault(value) is None else 0
    return f"Write jax.random.key({seed})."


RngKey = Annotated[jax.Array, Kind("one JAX random key", _key_fault)]


def _key_or_seed_fault(value: Any) -> str | None:
    if whole(0, 2**32 - 1).fault(value) is None:
        return None
    return _key_fault(value)


#: For random choices on the host, which need no more than a seed.
RngKeyOrSeed = Annotated[jax.Array | int, Kind("one JAX random key, or a seed", _key_or_seed_fault)]

# Names -----------------------------------------------------------------------------------------


def _names_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return f"Write [{value!r}]."
    if isinstance(value, bytes):
        return ""
    if isinstance(value, (Mapping, Iterable)) and not hasattr(value, "dtype"):
        is_one_pass = not isinstance(value, (list, tuple, set, frozenset, Mapping))
        return None if is_one_pass or all(isinstance(name, str) for name in value) else ""
    return ""


#: Several strings, in a list, a tuple or whatever is gone through once.
Names = Annotated[Iterable[str], Kind("several names of sites", _names_fault)]


#: What ArviZ calls so: one variable or several.
VarNames = Annotated[
    str | Iterable[str],
    Kind(
        "a name of a variable or several",
        lambda value: None if _is_name(value) else _names_fault(value),
    ),
]


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], str | None]:
    def fault(value: Any) -> str | None:
        if isinstance(value, str):
            return f"Write [{value!r}]."
        return None if isinstance(value, (list, tuple)) and all(fits(x) for x in value) else ""

    return fault


def _several_names_fault(value: Any) -> str | None:
    return None if isinstance(value, (list, tuple)) and value and all(map(_is_name, value)) else ""


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


NameList = Annotated[Sequence[str], Kind("a list of names of sites", _list_of(_is_name))]
NameOrNames = Annotated[
    str | Sequence[str],
    Kind(
        "a name or a list of names",
        lambda value: None if _is_name(value) else _several_names_fault(value),
    ),
]
NameListWithNone = Annotated[
    Sequence[str | None],
    Kind(
        "a list of names of sites, None where there is none",
        _list_of(lambda x: x is None or _is_name(x)),
    ),
]
Widths = Annotated[
    Sequence[int], Kind("a list of positive ints", _list_of(lambda n: whole(1).fault(n) is None))
]
Name = Annotated[str, Kind("a non-empty string", lambda value: None if _is_name(value) else "")]


def _shapes_fault(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return ""
    fits = all(isinstance(n, str) and _shape_fault(s) is None for n, s in value.items())
    return None if fits else "Each shape is a tuple of ints."


Shapes = Annotated[Mapping[str, tuple[int, ...]], Kind("a dict, site name -> shape", _shapes_fault)]


def _kinds_fault(value: Any) -> str | None:
    kinds = (value,) if isinstance(value, str) else value
    if not isinstance(kinds, (tuple, list, set, frozenset)) or not kinds:
        return ""
    return None if all(isinstance(k, str) and k in KINDS for k in kinds) else ""


FactorKinds = Annotated[
    FactorKind | tuple[FactorKind, ...], Kind(f"one or several of {KINDS}", _kinds_fault)
]

# Arrays by site --------------------------------------------------------------------------------


def is_array(value: Any) -> bool:
    """Whether a value is an array of numbers (or one number), traced or not, of NumPy, JAX, dask or
    xarray.
    """
    dtype = getattr(value, "dtype", None)
    if dtype is None or not hasattr(value, "shape"):
        return is_number(value)
    return jnp.issubdtype(dtype, jnp.number) or np.issubdtype(dtype, np.bool_)


def is_real(value: Any) -> bool:
    """Whether an array (or number) is of real numbers."""
    return is_array(value) and not jnp.issubdtype(
        getattr(value, "dtype", np.float64), jnp.complexfloating
    )


def sites_fault(value: Any) -> str | None:
    """What is wrong with arrays by site."""
    if not isinstance(value, Mapping):
        return ""
    for name, x in value.items():
        if not isinstance(name, str):
            return f"Sites are named by strings; {name!r} is {describe(name)}."
        if not is_real(x):
            return f"Site {name!r} is {describe(x)}: make it an array of real numbers."
    return None


#: Site name -> array of real numbers, with or without sample dimensions.
Sites = Annotated[Mapping[str, Any], Kind("a dict, site name -> array", sites_fault)]


def finite_sites_fault(value: Any) -> str | None:
    fault = sites_fault(value)
    if fault is not None:
        return fault
    if not value:
        return "It names no site."
    for name, x in value.items():
        if not isinstance(x, jax.core.Tracer) and not np.isfinite(np.asarray(x, float)).all():
            return f"Site {name!r} holds NaN or infinity."
    return None


#: The same, where every number must be finite: a point, or the parameters of a Gaussian.
Point = Annotated[Mapping[str, Any], Kind("a dict, site name -> finite array", finite_sites_fault)]


def _scales_fault(value: Any) -> str | None:
    fault = finite_sites_fault(value)
    if fault is not None:
        return fault
    for name, x in value.items():
        if not isinstance(x, jax.core.Tracer) and (np.asarray(x, float) < 0).any():
            return f"Site {name!r} holds negative values, which no standard deviation is."
    return None


#: Standard deviations.
Scales = Annotated[
    Mapping[str, Any], Kind("a dict, site name -> standard deviations", _scales_fault)
]


def _gaussian_fault(value: Any) -> str | None:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return "Write (means, standard deviations)."
    loc, scale = value
    fault = finite_sites_fault(loc)
    if fault is not None:
        return f"Its means are {describe(loc)}. {fault}".rstrip()
    fault = _scales_fault(scale)
    if fault is not None:
        return f"Its standard deviations are {describe(scale)}. {fault}".rstrip()
    return None


Gaussian = Annotated[
    tuple[Mapping[str, Any], Mapping[str, Any]],
    Kind("a pair (means, standard deviations), each site name -> array", _gaussian_fault),
]


def _params_fault(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return "Pass svi.run(...).params, or svi.get_params(state)."
    for name, x in value.items():
        for leaf in jax.tree.leaves(x):
            if not is_array(leaf):
                return f"Parameter {name!r} is {describe(x)}."
            if (
                not isinstance(leaf, jax.core.Tracer)
                and not np.isfinite(np.asarray(leaf, complex)).all()
            ):
                return f"Parameter {name!r} holds NaN or infinity: the training has diverged."
    return None


#: A guide's parameters.
Params = Annotated[
    Mapping[str, Any], Kind("a dict of the guide's parameters, name -> array", _params_fault)
]


def _elements_fault(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        if isinstance(value, tuple) and hasattr(value, "permutation"):
            return "Name its Units: {'units name': element}."
        return "They are what align(...).elements, sym.sample or elements_of give."
    for name, e in value.items():
        if not isinstance(name, str) or not (isinstance(e, tuple) and hasattr(e, "permutation")):
            return f"Under {name!r} there is {describe(e)}; expected a numpyro_sym.Element."
    return None


#: Units name -> Element; whether its arrays are permutations and factors,
#: :func:`.elements.check_elements` tells.
Elements = Annotated[Mapping[str, Any], Kind("a dict, units name -> Element", _elements_fault)]

# Programs --------------------------------------------------------------------------------------


#: What is built from a model, told by what it can do: NumPyro is not known to this layer.
_HOLDERS = {"postprocess_fn": "a kernel", "sample_posterior": "a guide", "get_samples": "an MCMC"}


def _model_fault(value: Any) -> str | None:
    for attribute, what in _HOLDERS.items():
        if hasattr(value, attribute):
            inner = getattr(value, "model", None)
            name = getattr(inner, "__name__", "model")
            return f"That is {what}: pass the model itself, {name}."
    if isinstance(value, type) or not callable(value):
        return "Pass the function that calls numpyro.sample, or a numpyro_sym.LogDensity."
    return None


#: A NumPyro model.
Model = Annotated[Callable[..., Any], Kind("a NumPyro model (a callable)", _model_fault)]


def _function_fault(value: Any) -> str | None:
    return None if callable(value) and not inspect.isclass(value) else ""


Function = Annotated[Callable[..., Any], Kind("a function", _function_fault)]

# What to do instead ----------------------------------------------------------------------------


def _symmetry_remedy(value: Any) -> str:
    if isinstance(value, Units):
        return "Wrap it: Symmetry([units])."
    if callable(value) and not isinstance(value, type):
        return "Find it first: find_symmetry(model, *args)."
    return (
        "Make one by mlp, mixture, hmm, factor_model or Symmetry([...]), "
        "or find it: find_symmetry(model, *args)."
    )


REMEDIES["Symmetry"] = _symmetry_remedy
