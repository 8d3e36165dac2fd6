"""A kernel around a kernel, that knows the symmetry of the model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import jax
from numpyro.infer.mcmc import MCMCKernel

from ..discovery import find_symmetry, latent_sites
from ..symmetry import Symmetry, SymmetryError


class SymmetricKernel(MCMCKernel):
    """What the kernels here have in common: a kernel inside, a symmetry that holds, the kernel's own answers.

    :param kernel: a NumPyro kernel built from a model.
    :param sym: the model's symmetry; left out, it is found when the first chain starts.
    :param check: whether to verify the symmetry numerically before the first chain starts.
    :raises SymmetryError: for scaled units or a kernel without a model.
    """

    def __init__(self, kernel: MCMCKernel, sym: Symmetry | None, check: bool) -> None:
        who = type(self).__name__
        if getattr(kernel, "model", None) is None:
            raise SymmetryError(f"{who}: the kernel has no model. Build it from a model, not from potential_fn.")
        if sym is not None:
            sym.refuse_scaled(who)
        self.kernel = kernel
        self._given = sym
        self._check = check
        self._ready = False

    @property
    def sym(self) -> Symmetry:
        """The symmetry: as given, or as found when the first chain starts."""
        if self._given is None:
            raise SymmetryError(f"{type(self).__name__}: no symmetry was given; one is found when a chain starts.")
        return self._given

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: int,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: Any = None,
    ) -> Any:
        model_kwargs = model_kwargs or {}
        if not self._ready:
            # Parallel chains start inside a traced function; what does not depend on them runs now.
            with jax.ensure_compile_time_eval():
                found = self._given is None
                if found:
                    self._given = find_symmetry(
                        self.model, *model_args, include=("permutation", "signed"), **model_kwargs
                    )
                self._prepare(*latent_sites(self.model, model_args, model_kwargs))
                if self._check and not found:
                    self.sym.check(self.model, *model_args, **model_kwargs)
            self._ready = True
        return self.kernel.init(rng_key, num_warmup, init_params, model_args, model_kwargs)

    def _prepare(self, sites: Mapping[str, dict], deterministic: tuple[str, ...]) -> None:
        """Whatever the symmetry and the model's latent and deterministic sites decide, once."""
        raise NotImplementedError

    def sample(self, state: Any, model_args: tuple, model_kwargs: Any) -> Any:
        return self.kernel.sample(state, model_args, model_kwargs)

    def postprocess_fn(self, model_args: tuple, model_kwargs: Any) -> Callable[[Any], Any]:
        return self.kernel.postprocess_fn(model_args, model_kwargs)

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

    def wrap_model(self, wrapper: Callable[..., Any]) -> SymmetricKernel:
        """A copy of this kernel bound to ``wrapper(model)``."""
        other = copy.copy(self)
        other.kernel, other._ready = self.kernel.wrap_model(wrapper), False
        return other

    def __getattr__(self, name: str) -> Any:
        # Not found here: MCMC asks for _sample_fn, ArviZ for _max_tree_depth. Unpickling asks
        # before there is a kernel.
        if name == "kernel" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.kernel, name)
