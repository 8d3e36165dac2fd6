"""Any NumPyro kernel, its draws folded into the reference set."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from numpyro import handlers
from numpyro.infer import NUTS
from numpyro.infer.mcmc import MCMCKernel

from ..alignment import Section, sorted_section
from ..discovery import find_symmetry, latent_sites
from ..symmetry import Symmetry, SymmetryError


class Folded(MCMCKernel):
    """A kernel whose draws are brought into a reference set, one representative of each orbit.

    The chain itself runs in the full space: no wall, no Jacobian, the kernel's own adaptation.
    Only the draws that come out are folded. Where the posterior is invariant, draws folded are
    draws of the posterior restricted to the reference set, exactly (Wiese et al. 2023, section 3),
    and every invariant function of them (predictions, likelihoods) is what it was. Deterministic
    sites are computed again at the folded point.

    :param kernel: a NumPyro kernel built from a model.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it
        is found from the model when the first chain starts.
    :param check: whether to verify the symmetry numerically before the first chain starts.
    :raises SymmetryError: for scaled units or a kernel without a model; before sampling where the
        symmetry does not fit the model or does not hold.

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

    def __init__(self, kernel: MCMCKernel, sym: Symmetry | None = None, *, check: bool = True) -> None:
        who = type(self).__name__
        if getattr(kernel, "model", None) is None:
            raise SymmetryError(f"{who}: the kernel has no model. Build it from a model, not from potential_fn.")
        if sym is not None:
            sym.refuse_scaled(who)
        self.kernel = kernel
        self._given = sym
        self._check = check
        self._section: Section | None = None
        self._deterministic: tuple[str, ...] = ()

    @property
    def sym(self) -> Symmetry:
        """The symmetry folded by: as given, or as found when the first chain starts."""
        if self._given is None:
            raise SymmetryError(f"{type(self).__name__}: no symmetry was given; one is found when a chain starts.")
        return self._given

    @property
    def section(self) -> Section:
        """The keys by which draws are folded; ``print`` it. There once a chain was started."""
        if self._section is None:
            raise SymmetryError(f"{type(self).__name__}: no chain was started yet, so no section was chosen.")
        return self._section

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: int,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: Any = None,
    ) -> Any:
        model_kwargs = model_kwargs or {}
        if self._section is None:
            self._prepare(model_args, model_kwargs)
        return self.kernel.init(rng_key, num_warmup, init_params, model_args, model_kwargs)

    def _prepare(self, args: tuple, kwargs: dict) -> None:
        # Parallel chains start inside a traced function; what does not depend on them runs now.
        with jax.ensure_compile_time_eval():
            found = self._given is None
            if found:
                self._given = find_symmetry(self.kernel.model, *args, include=("permutation", "signed"), **kwargs)
            sites, deterministic = latent_sites(self.kernel.model, args, kwargs)
            section = sorted_section(self.sym, {name: np.shape(site["value"]) for name, site in sites.items()})
            if self._check and not found:
                self.sym.check(self.kernel.model, *args, **kwargs)
        self._section, self._deterministic = section, deterministic

    def sample(self, state: Any, model_args: tuple, model_kwargs: Any) -> Any:
        return self.kernel.sample(state, model_args, model_kwargs)

    def postprocess_fn(self, model_args: tuple, model_kwargs: Any) -> Callable[[Any], Any]:
        constrain = self.kernel.postprocess_fn(model_args, model_kwargs)
        section = self.section

        def fold(state: Any) -> dict[str, Any]:
            out = dict(constrain(state))
            out |= section.fold({name: out[name] for name in self.sym.sites})
            if self._deterministic:
                # Left in, the old values would be substituted for the new ones.
                latent = {name: x for name, x in out.items() if name not in self._deterministic}
                trace = handlers.trace(handlers.substitute(handlers.seed(self.kernel.model, 0), data=latent)).get_trace(
                    *model_args, **(model_kwargs or {})
                )
                out |= {name: trace[name]["value"] for name in self._deterministic}
            return out

        return fold

    # The kernel's own answers, so that MCMC and ArviZ meet the kernel they know -----------------

    @property
    def model(self) -> Any:
        return self.kernel.model

    @property
    def sample_field(self) -> str:
        return self.kernel.sample_field

    @property
    def default_fields(self) -> tuple[str, ...]:
        return self.kernel.default_fields

    @property
    def is_ensemble_kernel(self) -> bool:
        return self.kernel.is_ensemble_kernel

    def get_diagnostics_str(self, state: Any) -> str:
        return self.kernel.get_diagnostics_str(state)

    def wrap_model(self, wrapper: Callable[..., Any]) -> Folded:
        """A copy of this kernel bound to ``wrapper(model)``."""
        other = copy.copy(self)
        other.kernel, other._section = self.kernel.wrap_model(wrapper), None
        return other

    def __getattr__(self, name: str) -> Any:
        # Not found here: MCMC asks for _sample_fn, ArviZ for _max_tree_depth. Unpickling asks
        # before there is a kernel.
        if name == "kernel" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.kernel, name)


class FoldedNUTS(Folded):
    """:class:`~numpyro.infer.NUTS` whose draws are folded into the reference set.

    It stands where ``NUTS(model)`` stood: the same chains, step size and leapfrogs, the same site
    names; see :class:`Folded` for what is exact about it.

    :param model: a NumPyro model.
    :param sym: its :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it is
        found from the model when the first chain starts.
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
        self, model: Callable[..., Any], sym: Symmetry | None = None, *, check: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(NUTS(model, **kwargs), sym, check=check)
