"""A model as functions of plain arrays, whatever language it is written in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from ..symmetry.errors import SymmetryError

T = TypeVar("T")
Point = Mapping[str, Any]
Densities = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class ModelView:
    """A model as functions of a dict of latent values, on their constrained supports.

    :param shapes: latent site name -> shape.
    :param draw: NumPy generator, and how far from the center -> a random point, on the host.
    :param near: NumPy generator -> a random point at the priors' own scales.
    :param improved: NumPy generator -> points on the way to where the log joint is high, where a
        posterior would be; none where the model has no derivatives or is large.
    :param program: closed jaxpr of ``(data, point) -> densities``, as :attr:`evaluate` gives them;
        its inputs are the leaves of ``data``, then those of the point, by name.
    :param data: what the program is told besides the point: the model's array arguments, observed
        values, the rows of a minibatch.
    :param evaluate: point -> log density of each latent site (and factor of the prior), of each
        observed site (and factor), and for each latent site whether its value lies in its support;
        JAX can trace it.
    :param refuse_impure: runs the model once more, and raises where it gives another program:
        before anything is said of the model, that is to be called.
    :param as_run: closed jaxpr of the run by which the model was read, to be held against one of
        another time.
    :param observed: names of the observed sites and factors: the likelihood.
    :param prior_factors: names of factors that are a part of the prior.
    :param local: names of latent sites that stand in a subsampled plate.
    :param plates: site name -> {axis: name of the plate that the axis runs over}.
    :param any_arguments: whether the values of array arguments are data, or were needed to run the
        model at all.
    :param notes: what the reader has to say of how the model was read.
    :param states: discrete sites, which are summed out of all densities, and how many values each
        has.
    """

    shapes: Mapping[str, tuple[int, ...]]
    draw: Callable[..., dict[str, Any]]
    near: Callable[[np.random.Generator], dict[str, Any]]
    improved: Callable[[np.random.Generator], Iterator[Point]]
    program: Any
    data: Mapping[str, Any]
    evaluate: Callable[[Point], Densities]
    refuse_impure: Callable[[], None]
    as_run: Any = None
    observed: tuple[str, ...] = ()
    prior_factors: tuple[str, ...] = ()
    local: frozenset[str] = frozenset()
    plates: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    any_arguments: bool = True
    notes: tuple[str, ...] = ()
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def priors(self) -> list[str]:
        """Names of all densities that are no likelihood, in the order of the program's outputs."""
        return sorted((*self.shapes, *self.prior_factors))


def run_program(program: Any, data: Mapping[str, Any], point: Point) -> list[Any]:
    """What a view's program gives at a point, as its outputs come; JAX can trace it.

    :param program: closed jaxpr of ``(data, point)``; each of its inputs is given the type that it
        has there.
    """
    leaves = jax.tree.leaves((dict(data), dict(point)))
    types = [variable.aval.dtype for variable in program.jaxpr.invars]
    given = [jnp.asarray(x, dtype) for x, dtype in zip(leaves, types, strict=True)]
    return jaxpr_as_fun(program)(*given)


def in_double_precision(work: Callable[[], T]) -> T:
    """What work on a model gives in float64; in float32 where a model fixes its own precision and
    needs that.
    """
    try:
        with jax.enable_x64(True):
            return work()
    except SymmetryError as error:
        if not isinstance(error.__cause__, TypeError):
            raise
        try:
            with jax.enable_x64(False):
                return work()
        except SymmetryError:
            raise error from error.__cause__
