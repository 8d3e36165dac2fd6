"""Any NumPyro kernel, its draws folded into the reference set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpyro import handlers
from numpyro.infer import NUTS

from ..alignment import SortKey, sorted_section
from ..alignment.section import check_keys
from ..symmetry import Element, Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from .equivariance import refuse_unless_equivariant
from .inner import Kernel
from .kernel import SymmetricKernel
from .nearest import Nearest
from .orbit_move import OrbitMove, refuse_without_refresh


class _Section(Protocol):
    def settle(self, sites: Mapping[str, Any]) -> tuple[dict[str, Element], dict[str, Any]]: ...


class Folded(SymmetricKernel):
    """A kernel whose draws are brought into a reference set, one representative of each orbit.

    The chain itself runs in the full space: no wall, no Jacobian, the kernel's own adaptation.
    Only the draws that come out are folded. Where the posterior is invariant, draws folded are
    draws of the posterior restricted to the reference set, exactly (Wiese et al. 2023, section 3),
    and every invariant function of them (predictions, likelihoods) is what it was. Deterministic
    sites are computed again at the folded point.

    With ``where="transition"`` the state itself is folded after each step. That leaves the
    restricted posterior as it is only where the kernel treats all points of an orbit alike: so a
    uniform random element is applied before each step, or the mass matrix must be constant on
    orbits. It costs two gradients a step and is no faster; it is there for kernels of one's own.

    :param kernel: a NumPyro kernel built from a model.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it
        is found from the model when the first chain starts.
    :param keys: what to fold by: units name -> what to sort these units by, as for
        :func:`~numpyro_sym.alignment.sorted_section`, which chooses for the rest; or
        :class:`Nearest`, or :class:`ApproximatelyNearest`, to a reference.
    :param where: fold the ``"draws"`` that come out, or the state in each ``"transition"``.
    :param random_element: in transitions, whether a uniform random element goes before each step.
    :param check: whether to verify the symmetry numerically before the first chain starts.
    :raises SymmetryError: for scaled units or a kernel without a model; in transitions, for a
        kernel that cannot be moved, or one that is not equivariant where no random element is
        applied; before sampling where the symmetry does not fit the model or does not hold.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import HMC, MCMC
    >>> import numpyro_sym as nsym
    >>> def model():
    ...     numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
    >>> sym = nsym.Symmetry([nsym.Units("unit", 3, axes={"x": 0})])
    >>> mcmc = MCMC(nsym.Folded(HMC(model), sym), num_warmup=10, num_samples=10, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> bool((mcmc.get_samples()["x"][:, 0] <= mcmc.get_samples()["x"][:, 1]).all())
    True
    """

    def __init__(
        self,
        kernel: Kernel,
        sym: Symmetry | None = None,
        *,
        keys: Mapping[str, SortKey] | Nearest | None = None,
        where: Literal["draws", "transition"] = "draws",
        random_element: bool = True,
        check: bool = True,
    ) -> None:
        check_arguments(Folded.__init__, locals())
        super().__init__(kernel, sym, check)
        if sym is not None and isinstance(keys, Mapping):
            check_keys(sym, keys)
        if where == "transition":
            refuse_without_refresh(kernel)
            if not random_element:
                refuse_unless_equivariant(kernel)
        self._keys = keys
        self._where = where
        self._random_element = random_element
        self._section: _Section | None = None
        self._move: OrbitMove | None = None
        self._deterministic: tuple[str, ...] = ()

    @property
    def section(self) -> Any:
        """The keys by which draws are folded; ``print`` it. There once a chain was started."""
        if self._section is None:
            raise SymmetryError(f"{type(self).__name__}: no chain was started yet, so no section was chosen.")
        return self._section

    def _prepare(self, sites: Mapping[str, dict], deterministic: tuple[str, ...]) -> None:
        shapes = {name: np.shape(site["value"]) for name, site in sites.items()}
        if isinstance(self._keys, Nearest):
            self._section = self._keys.section(self.sym, shapes)
        else:
            self._section = sorted_section(self.sym, shapes, self._keys)
        self._deterministic = deterministic
        if self._where == "transition":
            self._move = OrbitMove(self.kernel, self.sym, sites)
            if not self._random_element and self._move.curved:
                raise SymmetryError(
                    f"Folded: sites {sorted(self._move.curved)} are sampled in coordinates that units do not permute, "
                    "so no mass matrix is constant on orbits. Leave random_element=True."
                )

    def sample(self, state: Any, model_args: tuple, model_kwargs: Any) -> Any:
        move = self._move
        if move is None:
            return self.kernel.sample(state, model_args, model_kwargs)
        if self._random_element:
            state = move(lambda key, _: self.sym.sample(key), state, model_args, model_kwargs)
        state = self.kernel.sample(state, model_args, model_kwargs)
        return move(lambda _, z: self.section.settle(move.constrain(z))[0], state, model_args, model_kwargs)

    def postprocess_fn(self, model_args: tuple, model_kwargs: Any) -> Callable[[Any], Any]:
        constrain = self.kernel.postprocess_fn(model_args, model_kwargs)
        section = self.section

        def fold(state: Any) -> dict[str, Any]:
            out = dict(constrain(state))
            out |= section.settle({name: out[name] for name in self.sym.sites})[1]
            if self._deterministic:
                # Left in, the old values would be substituted for the new ones.
                latent = {name: x for name, x in out.items() if name not in self._deterministic}
                trace = handlers.trace(handlers.substitute(handlers.seed(self.kernel.model, 0), data=latent)).get_trace(
                    *model_args, **(model_kwargs or {})
                )
                out |= {name: trace[name]["value"] for name in self._deterministic}
            return out

        return fold


class FoldedNUTS(Folded):
    """:class:`~numpyro.infer.NUTS` whose draws are folded into the reference set.

    It stands where ``NUTS(model)`` stood: the same chains, step size and leapfrogs, the same site
    names; see :class:`Folded` for what is exact about it.

    :param model: a NumPyro model.
    :param sym: its :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it is
        found from the model when the first chain starts.
    :param keys: what to fold by, as for :class:`Folded`.
    :param check: whether to verify the symmetry numerically before the first chain starts.
    :param kwargs: passed on to ``NUTS``.
    :raises SymmetryError: as :class:`Folded`.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import MCMC
    >>> import numpyro_sym as nsym
    >>> def model():
    ...     numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
    >>> sym = nsym.Symmetry([nsym.Units("unit", 3, axes={"x": 0})])
    >>> mcmc = MCMC(nsym.FoldedNUTS(model, sym), num_warmup=10, num_samples=10, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> mcmc.get_samples()["x"].shape
    (10, 3)
    """

    def __init__(
        self,
        model: kinds.Model,
        sym: Symmetry | None = None,
        *,
        keys: Mapping[str, SortKey] | Nearest | None = None,
        check: bool = True,
        **kwargs: Any,
    ) -> None:
        check_arguments(FoldedNUTS.__init__, locals())
        super().__init__(NUTS(model, **kwargs), sym, keys=keys, check=check)
