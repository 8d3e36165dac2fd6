"""Any NumPyro kernel, its draws folded into the reference set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numpyro import handlers
from numpyro.infer import HMC, NUTS, init_to_uniform

from ..alignment import MakesSections, Nearest, Section, SortKey, sorted_section
from ..alignment.sections.in_stacks import SectionInStacks
from ..alignment.sections.protocol import FoldKeys, makes_sections
from ..alignment.sections.separation import has_choice, separating_section
from ..alignment.sections.sorted import check_keys, exact_part
from ..discovery.in_use import LOGGER, described, is_traced
from ..models import latent_sites
from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.stacks import stacked_shapes
from .equivariance import refuse_unless_equivariant
from .fit import draws_near_a_mode, latent_shapes
from .inner import Kernel
from .kernel import Prepared, SymmetricKernel
from .orbit_move import OrbitMove, refuse_without_refresh
from .potential import refuse_without_density


@dataclass(frozen=True, eq=False)
class _Fold:
    section: Section
    move: OrbitMove | None = None


class Folded(SymmetricKernel):
    """A kernel whose draws are brought into a reference set, one representative of each orbit.

    The chain itself runs in the full space: no wall, no Jacobian, the kernel's own adaptation. Only
    the draws that come out are folded. Where the posterior is invariant, draws folded are draws of
    the posterior restricted to the reference set, exactly (Wiese et al. 2023, section 3), and every
    invariant function of them (predictions, likelihoods) is what it was. Deterministic sites are
    computed again at the folded point. Labels that the kernel draws, as
    ``Folded(DiscreteHMCGibbs(NUTS(model)))`` does, are moved with their units: those that the
    symmetry names in ``values``, and those that are found to leave the joint of data, parameters
    and labels as it is.

    With ``where="transition"`` the state itself is folded after each step. That leaves the
    restricted posterior as it is only where the kernel treats all points of an orbit alike: so a
    uniform random element is applied before each step, or the mass matrix must be constant on
    orbits. It costs two gradients a step and is no faster; it is there for kernels of one's own.

    :param kernel: a NumPyro kernel built from a model, or from ``potential_fn``, in which no
        symmetry is found.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it
        is found from the model when the first chain starts.
    :param keys: what to fold by: units name -> what to sort these units by, as for
        :func:`~numpyro_sym.alignment.sorted_section`, which chooses for the rest; or
        :class:`Nearest`, or :class:`ApproximatelyNearest`, to a reference; or anything else that
        makes sections (:class:`~numpyro_sym.alignment.MakesSections`).
    :param where: fold the ``"draws"`` that come out, or the state in each ``"transition"``.
    :param random_element: in transitions, whether a uniform random element goes before each step.
    :param check: whether to verify a given symmetry numerically before a chain starts.
    :param evaluated: whether to use, where none is given, what evaluating the model suggests and
        nothing proves.
    :raises SymmetryError: for scaled units, or a kernel with neither model nor ``potential_fn`` to
        verify by; in transitions, for a kernel without a model or one that cannot be moved, or one
        that is not equivariant where no random element is applied; before sampling where the
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

    def __new__(cls, kernel: Any = None, *args: Any, **kwargs: Any) -> Folded:
        # Kernels that hold another one ask whether it is HMC, and whether it is NUTS.
        if cls is Folded and isinstance(kernel, HMC):
            cls = _OfNUTS if isinstance(kernel, NUTS) else _OfHMC
        return super().__new__(cls)

    def __init__(
        self,
        kernel: Kernel,
        sym: Symmetry | None = None,
        *,
        keys: FoldKeys | None = None,
        where: Literal["draws", "transition"] = "draws",
        random_element: bool = True,
        check: bool = True,
        evaluated: bool = False,
    ) -> None:
        check_arguments(Folded.__init__, locals())
        super().__init__(kernel, sym, check, evaluated)
        if check:
            refuse_without_density(self._who, kernel)
        if sym is not None and isinstance(keys, Mapping):
            check_keys(sym.on_arrays(), keys)
        if where == "transition":
            if self.model is None:
                raise SymmetryError(
                    f"{self._who}: the kernel has no model, and a state is moved by one. Fold the "
                    "draws."
                )
            refuse_without_refresh(kernel)
            if not random_element:
                refuse_unless_equivariant(kernel)
        self._makes: MakesSections | None = keys if makes_sections(keys) else None
        self._keys: Mapping[str, SortKey] | None = keys if isinstance(keys, Mapping) else None
        self._where = where
        self._random_element = random_element

    @property
    def section(self) -> Any:
        """The keys by which draws are folded; ``print`` it. There once a chain was started."""
        if self._last is None:
            raise SymmetryError(f"{self._who}: no chain was started yet, so no section was chosen.")
        if not self._last.sym.units:
            return sorted_section(self._last.sym, {})
        return self._last.tools.section

    def _prepare(
        self, model: Any, sym: Symmetry, given: bool, args: tuple, kwargs: dict[str, Any]
    ) -> Prepared:
        if model is None:
            return Prepared(sym, _Fold(self._by_keys(sym.without_values(), self._start)))
        shapes, _ = latent_shapes(model, args, kwargs)
        sym.check_shapes(shapes)
        if not given:
            sym = self._exact_part(sym, shapes)
        if not sym.units:
            return Prepared(sym)
        plain = sym.without_values()  # labels have no part in the choice of the representative
        if self._where == "draws":
            return Prepared(sym, _Fold(self._separating(model, plain, shapes, args, kwargs)))
        move = OrbitMove(self.kernel, sym, latent_sites(model, args, kwargs)[0])
        if not self._random_element and move.curved:
            raise SymmetryError(
                f"{self._who}: sites {sorted(move.curved)} are sampled in coordinates that units "
                "do not permute, so no mass matrix is constant on orbits. Leave "
                "random_element=True."
            )
        return Prepared(sym, _Fold(self._by_keys(plain, shapes), move))

    def _exact_part(self, sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]) -> Symmetry:
        plain = sym.without_values()
        part = exact_part(plain, shapes)
        if part == plain:
            return sym
        LOGGER.warning(
            "%s: no exact section reads all signs that were found (%s); folded is what has one.",
            self._who,
            described(sym),
        )
        return Symmetry((sym[u.name].with_kind(u.kind) for u in part), notes=sym.notes)

    def _by_keys(self, sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]) -> Section:
        if self._makes is None:
            return sorted_section(sym, shapes, self._keys)
        if not sym.stacks or isinstance(self._makes, Nearest):
            return self._makes.section(sym, shapes)
        # Someone's own knows arrays.
        arrays = stacked_shapes(sym.stacks, shapes)
        return SectionInStacks(sym, self._makes.section(sym.on_arrays(), arrays))

    def _separating(
        self,
        model: Any,
        sym: Symmetry,
        shapes: Mapping[str, tuple[int, ...]],
        args: tuple,
        kwargs: dict[str, Any],
    ) -> Section:
        plain = self._by_keys(sym, shapes)
        whole, sym = sym, sym.on_arrays()
        shapes = stacked_shapes(whole.stacks, shapes)
        is_settled = self._makes is not None or not has_choice(sym, shapes, self._keys)
        if is_settled or is_traced((args, kwargs)):
            return plain
        strategy = getattr(self.kernel, "_init_strategy", init_to_uniform)
        draws = draws_near_a_mode(model, args, kwargs, whole.sites, strategy)
        if draws is None:
            return plain
        section = separating_section(sym, whole.stack(draws, sample_ndim=1), self._keys)
        return SectionInStacks(whole, section) if whole.stacks else section

    def sample(self, state: Any, model_args: tuple, model_kwargs: Any) -> Any:
        if self._where == "draws" or not (now := self._now(model_args, model_kwargs)).sym.units:
            return self.kernel.sample(state, model_args, model_kwargs)
        move, section = now.tools.move, now.tools.section
        if self._random_element:
            state = move(lambda key, _: now.sym.sample(key), state, model_args, model_kwargs)
        state = self.kernel.sample(state, model_args, model_kwargs)
        return move(
            lambda _, z: section.settle(move.constrain(z))[0], state, model_args, model_kwargs
        )

    def postprocess_fn(self, model_args: tuple, model_kwargs: Any) -> Callable[[Any], Any]:
        constrain = self.kernel.postprocess_fn(model_args, model_kwargs)
        return self._folding(constrain, model_args, model_kwargs)

    def get_constrain_fn(self, model_args: tuple, model_kwargs: Any) -> Callable[[Any], Any]:
        # For a kernel around this one, which samples the other sites: what they are conditioned on
        # is folded, too.
        constrain = self.kernel.get_constrain_fn(model_args, model_kwargs)
        return self._folding(constrain, model_args, model_kwargs)

    def _folding(
        self, constrain: Callable[[Any], Any], model_args: tuple, model_kwargs: Any
    ) -> Callable[[Any], Any]:
        now = self._now(model_args, model_kwargs)
        if not now.sym.units:
            return constrain

        def fold(state: Any) -> dict[str, Any]:
            out = dict(constrain(state))
            elements, moved = now.tools.section.settle({name: out[name] for name in now.sym.sites})
            out |= {**moved, **now.sym.moved_labels(elements, out)}
            computed = [name for name in out if name not in state]
            if computed and self.model is not None:
                # Deterministic sites. Left in, the old values would be substituted for the new
                # ones.
                latent = {name: x for name, x in out.items() if name not in computed}
                # Where each site has its value the seed is not split, which would be compiled.
                model = handlers.seed(handlers.substitute(self.kernel.model, data=latent), 0)
                with handlers.block():
                    trace = handlers.trace(model).get_trace(*model_args, **(model_kwargs or {}))
                out |= {name: trace[name]["value"] for name in computed}
            return out

        return fold


class _OfHMC(Folded):
    """What ``Folded(HMC(...))`` is."""

    def refresh(self, state: Any, model_args: tuple, model_kwargs: Any) -> Any:
        return self.kernel.refresh(state, model_args, model_kwargs)


class _OfNUTS(_OfHMC):
    """What ``Folded(NUTS(...))`` is."""


HMC.register(_OfHMC)
NUTS.register(_OfNUTS)


class FoldedNUTS(_OfNUTS):
    """:class:`~numpyro.infer.NUTS` whose draws are folded into the reference set.

    It stands where ``NUTS(model)`` stood: the same chains, step size and leapfrogs, the same site
    names; see :class:`Folded` for what is exact about it.

    :param model: a NumPyro model.
    :param sym: its :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it is
        found from the model when the first chain starts.
    :param keys: what to fold by, as for :class:`Folded`.
    :param check: whether to verify a given symmetry numerically before a chain starts.
    :param evaluated: whether to use, where none is given, what evaluating the model suggests and
        nothing proves.
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
        model: kinds.Model | None = None,
        sym: Symmetry | None = None,
        *,
        keys: FoldKeys | None = None,
        check: bool = True,
        evaluated: bool = False,
        **kwargs: Any,
    ) -> None:
        check_arguments(FoldedNUTS.__init__, locals())
        if model is None and kwargs.get("potential_fn") is None:
            raise SymmetryError(
                "FoldedNUTS: expected a model or potential_fn; got neither. Pass the model."
            )
        super().__init__(NUTS(model, **kwargs), sym, keys=keys, check=check, evaluated=evaluated)
