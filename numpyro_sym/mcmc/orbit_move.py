"""Moving the state of a chain along its orbit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
from numpyro.distributions import biject_to, constraints
from numpyro.infer.mcmc import MCMCKernel
from numpyro.util import is_prng_key

from ..models.held import bounds_of
from ..symmetry import Element, Symmetry, SymmetryError

Elements = dict[str, Element]
Point = Mapping[str, Any]


class OrbitMove:
    """How elements of a symmetry move the unconstrained state of a kernel.

    Where a site's support is that of single numbers, units are permuted and turned in the
    unconstrained space as in the constrained one; a simplex is moved as such.

    :param kernel: a kernel that can recompute what its state caches (``refresh``): HMC, NUTS.
    :param sym: permutations and signs.
    :param sites: the model's latent sites.
    :raises SymmetryError: where the kernel cannot, or a site's support depends on other sites.
    """

    def __init__(self, kernel: MCMCKernel, sym: Symmetry, sites: Mapping[str, dict]) -> None:
        refuse_without_refresh(kernel)
        self.kernel = kernel
        self.sym = sym
        self.curved = {}
        for name in sym.sites:
            support = sites[name]["fn"].support
            if _is_of_single_numbers(support):
                continue
            if bounds_of(support) != []:
                raise SymmetryError(
                    f"Site {name!r}: a support that depends on other sites cannot be moved in."
                )
            self.curved[name] = biject_to(support)

    def constrain(self, z: Point) -> dict[str, Any]:
        """The sites of the symmetry on the scale on which its elements act."""
        labels = [name for name in self.sym.label_sites if name in z]
        out = {name: z[name] for name in (*self.sym.sites, *labels)}
        for name, to_site in self.curved.items():
            out[name] = to_site(z[name])
        return out

    def act(self, elements: Elements, z: Point) -> dict[str, Any]:
        """The unconstrained point, moved."""
        moved = dict(self.sym.act(elements, self.constrain(z)))
        for name, to_site in self.curved.items():
            moved[name] = to_site.inv(moved[name])
        return {**z, **moved}

    def __call__(
        self,
        choose: Callable[[jax.Array, Point], Elements],
        state: Any,
        model_args: tuple,
        model_kwargs: Any,
    ) -> Any:
        """The state of one chain, or of several at once, each moved by an element of its own.

        :param choose: key and unconstrained point -> the element.
        """

        def one(state: Any) -> Any:
            rng_key, key = jax.random.split(state.rng_key)
            field = self.kernel.sample_field
            z = getattr(state, field)
            z = self.act(choose(key, z), z)
            moved = state._replace(**{field: z, "rng_key": rng_key})
            if "hmc_state" in moved._fields:
                # Of a kernel around HMC, which keeps a point of its own.
                own = {name: z[name] for name in moved.hmc_state.z}
                moved = moved._replace(hmc_state=moved.hmc_state._replace(z=own))
            # Potential and gradient are those of the new point.
            return self.kernel.refresh(moved, model_args, model_kwargs)

        return one(state) if is_prng_key(state.rng_key) else jax.vmap(one)(state)


def refuse_without_refresh(kernel: MCMCKernel) -> None:
    """Raise for a kernel whose state cannot be moved from outside."""
    if type(kernel).refresh is MCMCKernel.refresh:
        raise SymmetryError(
            f"{type(kernel).__name__} cannot take up a chain that was moved (it has no refresh). "
            "Use HMC or NUTS, or fold the draws only: Folded(kernel, sym)."
        )


def _is_of_single_numbers(support: constraints.Constraint) -> bool:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support.event_dim == 0
