"""PyMC's models as log densities of their own variables, as their files hold them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from numpyro.distributions import constraints

from ..symmetry import SymmetryError
from ..symmetry.arguments import describe
from .log_density import LogDensity

#: What PyMC's transforms say of a variable's support: class name -> constraint of its entries, or
#: its rows.
_SUPPORTS = {
    "NoneType": constraints.real,
    "LogTransform": constraints.positive,
    "LogExpM1": constraints.positive,
    "LogOddsTransform": constraints.unit_interval,
    "SimplexTransform": constraints.simplex,
    "Ordered": constraints.ordered_vector,
    "CircularTransform": constraints.circular,
}


def pymc_log_density(model: Any) -> LogDensity:
    """A PyMC model as a :class:`~numpyro_sym.LogDensity` of its free variables.

    Sites have the names and the values that the posterior of PyMC's InferenceData has, on their own
    supports: what is found goes into :func:`~numpyro_sym.rebasin` with it. The densities of
    observed variables, and potentials, are the likelihood.

    PyMC samples transformed variables (``sigma_log__``), and there a symmetry may be another one:
    the last entry of a simplex is none of ``w_simplex__``, so that its labels are no permutation of
    these arrays.

    :param model: a ``pymc.Model`` that JAX can run, with continuous free variables.
    :returns: a :class:`~numpyro_sym.LogDensity`; its position is the model's initial point.
    :raises SymmetryError: where it is no such model, has discrete free variables, or a variable
        whose transform tells no support known here.
    :raises ImportError: where PyMC is not installed.
    """
    try:
        import pymc
        from pymc.model.transform.conditioning import remove_value_transforms

        # As it is imported, PyTensor's JAX sets the precision of the whole process.
        with _precision_kept():
            from pymc.sampling.jax import get_jaxified_graph
    except ImportError as error:
        raise ImportError("pymc_log_density needs PyMC: pip install pymc.") from error
    if not isinstance(model, pymc.Model):
        raise SymmetryError(f"pymc_log_density: model must be a pymc.Model; got {describe(model)}.")
    supports = {rv.name: _support_of(model, rv) for rv in model.free_RVs}
    plain = remove_value_transforms(model)
    of_parts = [*plain.basic_RVs, *plain.potentials]
    densities = plain.logp(vars=of_parts, sum=False)
    inputs = plain.value_vars
    run = get_jaxified_graph(inputs=inputs, outputs=[density.sum() for density in densities])
    names = [value.name for value in inputs]
    free = {rv.name for rv in plain.free_RVs}
    parts = {}
    for part in of_parts:
        # A site's own density goes by another name than the site.
        parts[part.name] = f"prior of {part.name}" if part.name in free else part.name

    def log_density(at: Any) -> dict[str, Any]:
        with warnings.catch_warnings():
            # PyTensor asks for double precision, where JAX runs in single.
            warnings.filterwarnings("ignore", "Explicitly requested dtype float64")
            outcome = run(*(at[name] for name in names))
        return dict(zip(parts.values(), outcome, strict=True))

    position = {name: np.asarray(x, float) for name, x in plain.initial_point().items()}
    likelihood = [told for name, told in parts.items() if name not in free]
    return LogDensity(
        log_density, position, supports=supports, likelihood=likelihood or list(parts.values())
    )


@contextmanager
def _precision_kept() -> Iterator[None]:
    before = jax.config.read("jax_enable_x64")
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _support_of(model: Any, rv: Any) -> Any:
    if np.dtype(rv.dtype).kind != "f":
        raise SymmetryError(
            f"pymc_log_density: variable {rv.name!r} is discrete ({rv.dtype}). Sum it out "
            "(pymc_extras.marginalize, or a Mixture), and pass that model."
        )
    transform = model.rvs_to_transforms[rv]
    kind = type(transform).__name__
    if kind in _SUPPORTS:
        return _SUPPORTS[kind]
    if kind == "Interval":
        return _between(rv, *transform.args_fn(*rv.owner.inputs))
    raise SymmetryError(
        f"pymc_log_density: variable {rv.name!r} has the transform {kind}, which tells no support "
        "known here. Write LogDensity(fn, position, supports={...}) with fn from "
        "pymc.sampling.jax.get_jaxified_logp."
    )


def _between(rv: Any, *bounds: Any) -> Any:
    """The support of a variable between two bounds, of which either may be missing."""
    from pymc.pytensorf import constant_fold

    def number(bound: Any) -> Any:
        return None if bound is None else constant_fold([bound], raise_not_constant=True)[0]

    try:
        low, high = map(number, bounds)
    except Exception as error:
        raise SymmetryError(
            f"pymc_log_density: the bounds of variable {rv.name!r} are no constants, so that its "
            "support is not always the same. Write it as a transform of one that has none."
        ) from error
    if low is None:
        return constraints.less_than(high)
    return constraints.greater_than(low) if high is None else constraints.interval(low, high)
