"""Whether a kernel treats all points of an orbit alike."""

from __future__ import annotations

import numpy as np
from numpyro.infer import HMC
from numpyro.infer.hmc_util import euclidean_kinetic_energy
from numpyro.infer.mcmc import MCMCKernel

from ..symmetry import SymmetryError


def refuse_unless_equivariant(kernel: MCMCKernel) -> None:
    """Raise unless a fold in each transition is exact without a random element.

    HMC and NUTS are equivariant where the mass matrix is the same for all units: one number, and
    not adapted. An adapted one differs from unit to unit, and folding by it is biased.

    :raises SymmetryError: naming what makes the kernel tell points of an orbit apart.
    """
    remedy = "Leave random_element=True, which is exact for any kernel, or fold the draws only."
    if not isinstance(kernel, HMC) or kernel._kinetic_fn is not euclidean_kinetic_energy:
        raise SymmetryError(
            f"Folded: {type(kernel).__name__} is not known to treat an orbit's points alike. "
            f"{remedy}"
        )
    if kernel._adapt_mass_matrix:
        raise SymmetryError(
            f"Folded: a mass matrix that is adapted is not constant on orbits. {remedy}"
        )
    given = kernel._inverse_mass_matrix
    values = []
    if isinstance(given, dict):
        values = list(given.values())
    elif given is not None:
        values = [given]
    differ = values and np.ptp(np.concatenate([np.ravel(x) for x in values])) > 0
    if differ or any(np.ndim(x) > 1 for x in values):
        raise SymmetryError(
            f"Folded: the mass matrix given is not one number for all coordinates. {remedy}"
        )
