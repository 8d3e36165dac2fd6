"""A kernel's potential function as a model, so that a symmetry of it can be verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.infer.mcmc import MCMCKernel

from ..symmetry import Symmetry, SymmetryError


def shapes_of(who: str, start: Any, lead: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the values that a potential function takes, by name.

    :param who: the class that the error begins with.
    :param start: where chains start.
    :param lead: how many leading dimensions of chains there are.
    :raises SymmetryError: where they have no names.
    """
    if not isinstance(start, Mapping):
        raise SymmetryError(
            f"{who}: the kernel has no model, and a symmetry speaks of named sites: start it with "
            f"init_params={{name: array}}; got {type(start).__name__}."
        )
    return {name: np.shape(x)[lead:] for name, x in start.items()}


def refuse_without_density(who: str, kernel: MCMCKernel) -> None:
    """Raise where a kernel shows neither a model nor a potential function.

    :param who: the class that the error begins with.
    :raises SymmetryError: where there is nothing in which a symmetry could be found, or by which
        verified.
    """
    if getattr(kernel, "model", None) is None and _potential_of(kernel) is None:
        raise SymmetryError(
            f"{who}: {type(kernel).__name__} has neither model nor potential_fn to find a symmetry "
            "in or verify sym by. Build it from either, or pass sym= with check=False."
        )


def _potential_of(kernel: MCMCKernel) -> Any:
    return getattr(kernel, "_potential_fn", None)


def check_potential(
    who: str, kernel: MCMCKernel, sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise unless a potential function is unchanged under a symmetry.

    :param who: the class that the error begins with.
    :param kernel: a kernel built from ``potential_fn``.
    :param sym: permutations and signs of the unconstrained values.
    :param shapes: name -> shape of the values.
    :raises SymmetryError: where the symmetry does not hold.
    """
    refuse_without_density(who, kernel)
    potential = _potential_of(kernel)

    def model() -> None:
        z = {}
        for name, shape in shapes.items():
            z[name] = numpyro.sample(name, dist.ImproperUniform(constraints.real, (), shape))
        numpyro.factor("potential", -potential(z))

    sym.check(model, progress_bar=False)
