"""The kernel inside a kernel, as an argument."""

from __future__ import annotations

from typing import Annotated, Any

from numpyro.infer import MCMC
from numpyro.infer.mcmc import MCMCKernel

from ..symmetry import kinds


def _fault(value: Any) -> str | None:
    if isinstance(value, MCMCKernel):
        return None
    if isinstance(value, MCMC):
        return "It goes inside: MCMC(Folded(kernel, sym), ...)."
    if callable(value) and not isinstance(value, type):
        return "Write NUTS(model)."
    return "Build one: NUTS(model)."


Kernel = Annotated[MCMCKernel, kinds.Kind("a NumPyro kernel", _fault)]
