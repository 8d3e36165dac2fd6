"""A kernel around a kernel, that knows the symmetry of the model."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
from numpyro.infer.gibbs import GIBBS_SITES_KWARG
from numpyro.infer.mcmc import MCMCKernel
from numpyro.util import is_prng_key

from ..discovery import SymmetryInUse
from ..discovery.find import at_compile_time
from ..discovery.in_use import LOGGER, described, fingerprint, is_traced
from ..discovery.labels import Labeled, with_labels
from ..symmetry import Symmetry, SymmetryError
from .fit import latent_shapes
from .potential import check_potential, shapes_of

#: What kernels that hold other kernels add to the model's keyword arguments.
_RESERVED = (GIBBS_SITES_KWARG, "_gibbs_state")


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a kernel uses with one set of the model's arguments.

    :param sym: the symmetry; empty where there is none to use.
    :param tools: whatever the kernel made of it.
    """

    sym: Symmetry = field(default_factory=Symmetry)
    tools: Any = None


class SymmetricKernel(MCMCKernel):
    """What the kernels here have in common: a kernel inside, a symmetry that holds, the kernel's
    own answers.

    Where there is no symmetry it is the kernel inside and nothing else.

    :param kernel: a NumPyro kernel.
    :param sym: the model's symmetry; left out, it is found when the first chain starts.
    :param check: whether to verify a given symmetry before the first chain starts.
    :param evaluated: whether to use what was found by evaluating the model, and not proved.
    :raises SymmetryError: for scaled units.
    """

    def __init__(
        self, kernel: MCMCKernel, sym: Symmetry | None, check: bool, evaluated: bool
    ) -> None:
        if sym is not None:
            sym.refuse_scaled(self._who)
        self.kernel = kernel
        self._in_use = self._used(sym, check, evaluated)
        self._whole = self._in_use  # of the model before another kernel wrapped it
        self._begin()

    def _used(self, sym: Symmetry | None, check: bool, evaluated: bool) -> SymmetryInUse:
        return SymmetryInUse(self._who, self.model, sym, check=check, evaluated=evaluated)

    def _begin(self) -> None:
        self._known: dict[bytes, Prepared] = {}
        self._last: Prepared | None = None
        self._compiled: Prepared | None = None
        self._arguments: tuple[tuple, dict[str, Any]] | None = None  # of the chain started last
        self._start: dict[str, tuple[int, ...]] = {}  # shapes, where there is no model to ask

    @property
    def _who(self) -> str:
        """The public class, for messages."""
        return next(cls.__name__ for cls in type(self).__mro__ if not cls.__name__.startswith("_"))

    @property
    def sym(self) -> Symmetry:
        """The symmetry: as given, or as found when a chain was started last, with the sites that
        hold labels.
        """
        if self._in_use.sym is not None:
            return self._in_use.sym
        if self._last is None:
            raise SymmetryError(
                f"{self._who}: no symmetry was given; one is found when a chain starts."
            )
        found = self._last.sym
        if self._arguments is None or not found.units or found.label_sites:
            return found
        return self._in_use.with_labels(found, *self._arguments)

    def __repr__(self) -> str:
        sym = self._in_use.sym
        if sym is None and self._last is not None:
            sym = self._last.sym
        if sym is None:
            return f"<{self._who}: the symmetry is found when a chain starts>"
        return f"<{self._who}: {described(sym)}>"

    # With each set of arguments ------------------------------------------------------------------

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: int,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: Any = None,
    ) -> Any:
        # Parallel chains start inside a traced function; what does not depend on them runs now.
        with at_compile_time():
            if self.model is None and self._in_use.sym is not None:
                lead = 0 if is_prng_key(rng_key) else 1
                self._start = shapes_of(self._who, init_params, lead)
                if self._in_use.check:
                    check_potential(self._who, self.kernel, self._in_use.sym, self._start)
            self._last = self._prepared_anew(model_args, model_kwargs, starts=True)
        # Inside another kernel the model is another one in every step.
        is_whole = self._whole is self._in_use and not is_traced((model_args, model_kwargs))
        self._arguments = (model_args, dict(model_kwargs or {})) if is_whole else None
        return self.kernel.init(rng_key, num_warmup, init_params, model_args, model_kwargs)

    def _prepared_anew(
        self, args: tuple, kwargs: Mapping[str, Any] | None, starts: bool = False
    ) -> Prepared:
        """What to use with these arguments, made where they are new.

        :param starts: whether a chain starts, so that the model may have become another one.
        """
        outside = dict((kwargs or {}).get(GIBBS_SITES_KWARG, {}))
        plain = {name: x for name, x in (kwargs or {}).items() if name not in _RESERVED}
        if is_traced((args, plain)):
            return self._prepared(args, plain, outside)
        # By what the arguments hold: chains are started again and again.
        key = fingerprint((args, plain))
        in_use = self._whole if outside else self._in_use
        if starts and key in self._known and in_use.forgets(args, plain):
            del self._known[key]
        if key not in self._known:
            self._known[key] = self._prepared(args, plain, outside)
        found = self._known[key]
        if self._compiled is None:
            return found
        if found.sym != self._compiled.sym:
            raise SymmetryError(
                f"{self._who}: with jit_model_args=True the fold was compiled for "
                f"{described(self._compiled.sym)}; these arguments have {described(found.sym)}. "
                "Run them with a kernel and an MCMC of their own."
            )
        return self._compiled

    def _prepared(self, args: tuple, kwargs: dict[str, Any], outside: dict[str, Any]) -> Prepared:
        in_use = self._whole if outside else self._in_use
        given = in_use.sym is not None
        sym = self._asked(in_use, args, kwargs)
        # Units whose sites another kernel samples cannot be moved from here.
        theirs = [u.name for u in sym if not outside.keys().isdisjoint((*u.site_names, *u.values))]
        if theirs and given:
            raise SymmetryError(
                f"{self._who}: Units {theirs} act on sites {sorted(outside)} too, which the kernel "
                "around this one samples. Fold outside: Folded(HMCGibbs(NUTS(model), ...), sym)."
            )
        sym = sym.without(*theirs)
        if not sym.units:
            return Prepared(sym)
        if drawn := self._labels_drawn(in_use.model, args, kwargs, outside):
            sym = self._with_labels(in_use.model, sym, drawn, args, kwargs, outside)
        if not sym.units:
            return Prepared(sym)
        prepared = self._prepare(in_use.model, sym, given, args, kwargs)
        if not given and prepared.sym.units:
            LOGGER.warning(
                "%s: found in the model and used: %s.", self._who, described(prepared.sym)
            )
        return prepared

    def _labels_drawn(
        self, model: Any, args: tuple, kwargs: dict[str, Any], outside: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """Names of discrete sites that a kernel draws. A kernel around others does; HMC itself sums
        them out.
        """
        holds_others = hasattr(self.kernel, "inner_kernel") or hasattr(self.kernel, "_kernels")
        if model is None or not (outside or holds_others):
            return ()
        return latent_shapes(model, args, kwargs)[1]

    def _with_labels(
        self,
        model: Any,
        sym: Symmetry,
        drawn: tuple[str, ...],
        args: tuple,
        kwargs: dict[str, Any],
        outside: Mapping[str, Any],
    ) -> Symmetry:
        """The symmetry with the labels that are drawn here, as far as it leaves the complete-data
        joint as it is.

        A symmetry that was given must do so as a whole. Where it is not verified, it must name all
        that is drawn.
        """
        given = self._in_use.sym is not None
        told = is_traced((args, kwargs)) or (given and not self._in_use.check)
        names = [u.name for u in sym]
        labeled = Labeled(sym.without(*names), dict.fromkeys(names, "They were not looked at."))
        if not outside and not told:
            try:
                labeled = with_labels(sym, model, args, kwargs)
            except SymmetryError:
                if given:
                    raise
        elif not outside and set(drawn) <= set(sym.label_sites):
            labeled = Labeled(sym, {})
        if not labeled.lost or not given:
            why = f"not used, for the discrete sites {list(drawn)} stay as they are drawn."
            reasons = (f"{name}: {why} {reason}" for name, reason in labeled.lost.items())
            notes = [*sym.notes, *reasons]
            return Symmetry(labeled.sym.units, notes=notes, caveats=labeled.sym.caveats)
        remedy = "Name those that hold labels in values=, or marginalize them in the model."
        if not outside and not told:
            remedy = " ".join([*dict.fromkeys(labeled.lost.values()), remedy])
        if outside:
            remedy = "Fold outside: Folded(DiscreteHMCGibbs(NUTS(model)), sym)."
        raise SymmetryError(
            f"{self._who}: sites {list(drawn)} are discrete and stay as they are drawn, so the "
            f"parameters of Units {list(labeled.lost)} that are moved would no longer go with "
            f"them. {remedy}"
        )

    def _asked(self, in_use: SymmetryInUse, args: tuple, kwargs: dict[str, Any]) -> Symmetry:
        """The symmetry to use. Reading the model warns of nothing that NumPyro does not say when
        the chain starts.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return in_use.of(args, kwargs)

    def _prepare(
        self, model: Any, sym: Symmetry, given: bool, args: tuple, kwargs: dict[str, Any]
    ) -> Prepared:
        """Whatever the symmetry and the model with these arguments decide, once.

        :param model: the model, not wrapped by a kernel around this one; ``None`` where there is
            none.
        :param sym: the symmetry, not empty.
        :param given: whether the user gave it; else a part of it may be used.
        """
        raise NotImplementedError

    def _now(self, args: tuple, kwargs: Mapping[str, Any] | None) -> Prepared:
        """What was prepared for these arguments; where they are traced, for the last ones."""
        plain = {name: x for name, x in (kwargs or {}).items() if name not in _RESERVED}
        if self._last is None:
            return Prepared()
        if is_traced((args, plain)):
            if self._last in self._known.values():
                # NumPyro compiles this once for all arguments of these shapes.
                self._compiled = self._last
            return self._last
        # A chain that goes on with other arguments is not started by init.
        with at_compile_time():
            return self._prepared_anew(args, kwargs)

    def sample(self, state: Any, model_args: tuple, model_kwargs: Any) -> Any:
        return self.kernel.sample(state, model_args, model_kwargs)

    def postprocess_fn(self, model_args: tuple, model_kwargs: Any) -> Callable[[Any], Any]:
        return self.kernel.postprocess_fn(model_args, model_kwargs)

    # The kernel's own answers, so that MCMC and ArviZ meet the kernel they know -----------------

    @property
    def model(self) -> Any:
        return getattr(self.kernel, "model", None)

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

    def get_constrain_fn(self, model_args: tuple, model_kwargs: Any) -> Callable[[Any], Any]:
        return self.kernel.get_constrain_fn(model_args, model_kwargs)

    def wrap_model(self, wrapper: Callable[..., Any]) -> SymmetricKernel:
        """A copy of this kernel bound to ``wrapper(model)``."""
        other = copy.copy(self)
        other.kernel = self.kernel.wrap_model(wrapper)
        given = self._in_use
        other._in_use = other._used(given.sym, given.check, given.evaluated)
        other._begin()
        return other

    def __getattr__(self, name: str) -> Any:
        # Not found here: MCMC asks for _sample_fn, ArviZ for _max_tree_depth. Unpickling asks
        # before there is a kernel.
        if name == "kernel" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.kernel, name)
