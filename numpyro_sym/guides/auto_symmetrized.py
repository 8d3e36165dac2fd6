"""Any guide with a density, averaged over the model's symmetry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpy.typing import ArrayLike
from numpyro import handlers
from numpyro.infer.autoguide import AutoContinuous, AutoGuide, AutoNormal

from ..discovery import SymmetryInUse
from ..discovery.in_use import LOGGER, described
from ..models.enumeration import reopened
from ..symmetry import Symmetry, SymmetryError, kinds
from ..symmetry.arguments import check_arguments
from ..symmetry.bars import progress
from .asking import Asking
from .bases import row
from .bases.base import Base
from .bases.in_stacks import stacked_base
from .bases.marginals import entry_orbits, pooled_quantiles
from .bases.parameters import refuse_others_params
from .bases.read_guide import (
    draws_of,
    hide_discrete,
    parts_of,
    place,
    read_base,
    refuse_model,
    refuse_parts,
    refuse_without_density,
    set_up,
)
from .bounds._information import SymmetryInformation, information
from .bounds.by_name import BoundName, choose_bound
from .bounds.orbit import Orbit
from .first_call import local_sites, refuse_subsampled, with_deterministic
from .ties import break_ties


def _guide_fault(value: Any) -> str | None:
    if isinstance(value, type) or not callable(value):
        return "Write AutoSymmetrized(AutoNormal(model), sym)."
    if hasattr(value, "postprocess_fn"):
        return "That is a kernel: fold its draws by Folded(kernel, sym)."
    return None


Guide = Annotated[Callable[..., Any], kinds.Kind("a NumPyro guide", _guide_fault)]


def _levels_fault(value: Any) -> str | None:
    if isinstance(value, jax.core.Tracer):
        return None
    try:
        levels = np.asarray(value)
    except ValueError:
        return ""
    inside = (
        levels.dtype.kind in "iuf" and levels.size > 0 and bool(((levels > 0) & (levels < 1)).all())
    )
    return None if inside else ""


#: Probabilities of quantiles.
Levels = Annotated[ArrayLike, kinds.Kind("numbers between 0 and 1", _levels_fault)]

#: Draws behind marginal quantiles that have no closed form.
QUANTILE_DRAWS = 10_000


class AutoSymmetrized(AutoContinuous):
    """A guide, averaged over a symmetry of the model.

    It stands where ``base_guide`` stood; parameters keep their names. Its density is
    ``q_sym(w) = 1/|G| sum_g q(g^-1 w)``, with the sites' constrained values acted on. So the ELBO
    gains the information ``I(g; w)`` that one component holds about which of its copies it is,
    and the optimum is no longer pulled between copies (Gelberg et al. 2024, *VI failures under
    model symmetries*).

    ``base_guide`` is any of NumPyro's ``AutoNormal``, ``AutoDiagonalNormal``,
    ``AutoMultivariateNormal``, ``AutoLowRankMultivariateNormal``, their batched forms,
    ``AutoIAFNormal``, ``AutoBNAFNormal``, an ``AutoGuideList`` of these, or a guide written by
    hand whose sample sites are the model's. It may itself be a part of an ``AutoGuideList``.

    A base guide that starts with two units alike would keep them so; on the first call such ties
    are broken by a little noise in the initial locations.

    Where there is no symmetry, all is as the base guide does it: parameters, losses, draws and
    errors. ``guide.base`` is the base guide; its attributes are this one's, too. So
    ``NeuTraReparam`` takes it.

    :param base_guide: the guide to average.
    :param sym: the model's :class:`~numpyro_sym.Symmetry`, of permutations and signs; left out, it
        is found from the model: what is proved to hold for any data that are arguments.
    :param bound: how the density is bounded from above: ``"exact"`` lists the group or computes a
        permanent; ``"guess"`` guesses which element made the draw, tight for one layer;
        ``"infonce"`` is the paper's, which stops at ``log(num_importance)`` nats of gain;
        ``"auto"`` is exact for up to 720 elements or, for ``AutoNormal``, 12 units that share no
        site with others, in each set of a batch, and the guess beyond.
    :param num_importance: elements in the average of ``"guess"`` (1 where not given: nothing is
        random; more are tighter) or ``"infonce"`` (16 where not given), the draw itself counted.
    :param model: the model, where ``base_guide`` does not carry it; without it, nothing is checked.
    :param check: whether to verify the symmetry numerically, for each set of arguments that the
        guide meets.
    :param evaluated: whether to use a found symmetry that evaluating the model suggests, without a
        proof.
    :raises SymmetryError: on construction for ``kind="scaled"`` units and for guides without a
        density; on the first call where the symmetry does not fit the guide or does not hold.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import SVI, Trace_ELBO
    >>> from numpyro.infer.autoguide import AutoMultivariateNormal
    >>> import numpyro_sym as nsym
    >>> from numpyro_sym.guides import AutoSymmetrized
    >>> def model():
    ...     x = numpyro.sample("x", dist.Normal(0, 1).expand([2]).to_event(1))
    ...     numpyro.sample("obs", dist.Normal(x[0] * x[1], 0.1), obs=1.0)
    >>> sym = nsym.Symmetry([nsym.Units("factor", 2, axes={"x": 0})])
    >>> guide = AutoSymmetrized(AutoMultivariateNormal(model), sym)
    >>> svi = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    >>> result = svi.run(jax.random.key(0), 10, progress_bar=False)
    >>> sorted(result.params)
    ['auto_loc', 'auto_scale_tril']
    """

    prototype_trace: Any  # the base guide's, as all that NumPyro's guides hold: see __getattr__
    model: Any

    def __init__(
        self,
        base_guide: Guide,
        sym: Symmetry | None = None,
        *,
        bound: BoundName = "auto",
        num_importance: kinds.Positive | None = None,
        model: kinds.Model | None = None,
        check: bool = True,
        evaluated: bool = False,
    ) -> None:
        check_arguments(AutoSymmetrized.__init__, locals())
        if sym is not None:
            sym.refuse_scaled(type(self).__name__)
        refuse_without_density(base_guide)
        self.base_guide: Any = base_guide
        self._given = sym
        self._sym: Symmetry | None = None
        self._fitted: Symmetry | None = None
        self._bound = choose_bound(bound, num_importance)
        if not isinstance(base_guide, AutoGuide):
            super().__init__(model)  # written by hand, it holds nothing
        elif model is not None:
            self.model = model
        if sym is None and self.model is None:
            raise SymmetryError(f"{type(self).__name__}: give sym, or the model to find it from.")
        in_use = SymmetryInUse(
            type(self).__name__, reopened(self.model), sym, check=check, evaluated=evaluated
        )
        self._asking = Asking(in_use)

    def __getattr__(self, name: str) -> Any:
        """What is not told here is the base guide's."""
        if name == "base_guide" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return getattr(self.base_guide, name)

    @property
    def base(self) -> Any:
        """The guide that is averaged, whose draws are all in one labeling."""
        return self.base_guide

    @property
    def sym(self) -> Symmetry:
        """The symmetry averaged over: as given, or as found for the arguments of the last call."""
        known = self._sym if self._sym is not None else self._given
        if known is None:
            raise SymmetryError(
                f"{type(self).__name__}: no symmetry was given; one is found on the first call."
            )
        return known

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        asked = self._asking.of(args, kwargs)
        if self._sym is None or asked is not self._fitted:
            self._sym = self._fit(asked, args, kwargs) if asked.sites else asked
            self._fitted = asked
            if self._given is None and self._sym.units:
                LOGGER.warning(
                    "%s: found in the model and used: %s.",
                    type(self).__name__,
                    described(self._sym),
                )

    def _fit(self, sym: Symmetry, args: tuple, kwargs: dict) -> Symmetry:
        """The symmetry as far as the guide can act on it, from here on with no two units alike."""
        trace = self._trace_base(args, kwargs)
        latent = {n: s for n, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}
        if self._given is None:
            local = local_sites(latent, self._prototype_frame_full_sizes)
            sym = sym.without(*(u.name for u in sym if local & set(u.site_names)))
        refuse_subsampled(sym, latent, self._prototype_frame_full_sizes)
        sym.check_shapes({name: np.shape(site["value"]) for name, site in latent.items()})
        if sym.sites and isinstance(self.base_guide, AutoGuide):
            refuse_parts(self.base_guide, sym.sites)
            break_ties(self.base_guide, sym)
        return sym

    def _trace_base(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        if isinstance(self.base_guide, AutoGuide):
            hide_discrete(self.base_guide, args, kwargs)
            set_up(self.base_guide, args, kwargs)
        elif self.prototype_trace is None:
            with handlers.block(), handlers.seed(rng_seed=0):
                trace = handlers.trace(self.base_guide).get_trace(*args, **kwargs)
            refuse_model(type(self).__name__, trace)
            self.prototype_trace = trace
            plates = (site for site in trace.values() if site["type"] == "plate")
            self._prototype_frame_full_sizes = {site["name"]: site["args"][0] for site in plates}
        return self.prototype_trace

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        self._setup_prototype(*args, **kwargs)
        if self._plain:
            return self.base_guide(*args, **kwargs)
        orbit = self._orbit_of(read_base(self.base_guide, self.sym.sites, args, kwargs))
        value = numpyro.sample(f"_{self.prefix}_orbit", orbit, infer={"is_auxiliary": True})
        event_dims = {}
        for name, site in self.prototype_trace.items():
            if site["type"] == "sample":
                event_dims[name] = site["fn"].event_dim
        sites = self.sym.unstack(orbit.unravel(value))
        return place(self.base_guide, sites, event_dims, args, kwargs)

    def _orbit_of(self, base: Base) -> Orbit:
        """The average of a base guide, over the symmetry of arrays."""
        if self.sym.stacks:
            base = stacked_base(base, self.sym, self.prototype_trace)
        return Orbit(base, self.sym.on_arrays(), self._bound)

    @property
    def _plain(self) -> bool:
        """Whether there is nothing to average over, as far as is known: then all is as the base
        guide does it.
        """
        known = self._sym if self._sym is not None else self._given
        return known is None or not known.sites

    def sample_posterior(
        self,
        rng_key: kinds.RngKey,
        params: kinds.Params,
        *args: Any,
        sample_shape: kinds.SampleShape = (),
        **kwargs: Any,
    ) -> dict[str, jax.Array]:
        """Draws of ``q_sym``: a draw of the base guide, then a uniform element of the group.

        :param rng_key: a JAX random key.
        :param params: parameters, as ``SVI.get_params`` gives them.
        :param args: the guide's arguments, where it is written by hand.
        :param sample_shape: leading dimensions of the draws.
        :returns: site name -> array, deterministic sites among them.
        """
        check_arguments(AutoSymmetrized.sample_posterior, locals())
        if self._plain:
            return self.sample_component(
                rng_key, params, *args, sample_shape=sample_shape, **kwargs
            )
        key_base, key_element = jax.random.split(rng_key)
        draws = self.sample_component(key_base, params, *args, sample_shape=sample_shape, **kwargs)
        latent = {name: x for name, x in draws.items() if name not in self._deterministic()}
        latent = self.sym.act(self.sym.sample(key_element, sample_shape), latent)
        if not self._deterministic():
            return latent
        return with_deterministic(latent, self.prototype_trace, self._postprocess_fn)

    def sample_component(
        self,
        rng_key: kinds.RngKey,
        params: kinds.Params,
        *args: Any,
        sample_shape: kinds.SampleShape = (),
        **kwargs: Any,
    ) -> dict[str, jax.Array]:
        """Draws of one component, the base guide: all in one labeling, fit for summaries of single
        weights.

        Predictions from these draws are those of ``q_sym``. For ArviZ:
        ``az.from_dict({"posterior": ...})`` with ``sample_shape=(1, draws)``.

        :param rng_key: a JAX random key.
        :param params: parameters, as ``SVI.get_params`` gives them.
        :param args: the guide's arguments, where it is written by hand.
        :param sample_shape: leading dimensions of the draws.
        :returns: site name -> array, deterministic sites among them.
        """
        check_arguments(AutoSymmetrized.sample_component, locals())
        self._refuse_others(params, args, kwargs)
        return draws_of(self.base_guide, rng_key, params, args, kwargs, sample_shape)

    def component(self, params: kinds.Params, *args: Any, **kwargs: Any) -> Any:
        """One representative component, the base guide at these parameters, for summaries.

        :param params: parameters, as ``SVI.get_params`` gives them.
        :param args: the model's arguments, where the guide depends on them.
        :returns: for an ``AutoNormal``, site name -> distribution of the constrained value, sites
            of the symmetry and others; for other guides their posterior, as they hold it.
        """
        check_arguments(AutoSymmetrized.component, locals())
        return self._base(jax.random.key(0), params, args, kwargs)

    def symmetry_information(
        self,
        rng_key: kinds.RngKey,
        params: kinds.Params,
        *args: Any,
        num_samples: kinds.AtLeastTwo = 256,
        num_importance: kinds.AtLeastTwo = 9,
        progress_bar: bool = True,
        **kwargs: Any,
    ) -> SymmetryInformation:
        """What symmetrizing gained: ``I(g; w) = ELBO_sym - ELBO_base``, in nats, from below and
        from above.

        :param rng_key: a JAX random key.
        :param params: parameters of the base guide, trained in any way.
        :param args: the model's arguments, where the guide depends on them.
        :param num_samples: draws of the base.
        :param num_importance: elements in the guess's average, the draw itself counted.
        :param progress_bar: whether to show one where it takes long.
        :returns: a :class:`SymmetryInformation`; where the group is small both sides are exact.
        :raises SymmetryError: where a number is out of range.
        """
        check_arguments(AutoSymmetrized.symmetry_information, locals())
        key_read, key = jax.random.split(rng_key)
        base = self._base(key_read, params, args, kwargs)
        if self._plain:
            return SymmetryInformation(0.0, 0.0, 0.0, 0.0, 0.0)
        orbit = self._orbit_of(base)
        with progress("symmetry_information", "draws", progress_bar):
            return information(key, orbit.sym, orbit.base, num_samples, num_importance)

    def median(self, params: kinds.Params, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        """Marginal medians of ``q_sym``, in the form of :meth:`quantiles`."""
        if self._plain and isinstance(self.base_guide, AutoGuide):
            return self.base_guide.median(params)
        return jax.tree.map(lambda x: x[0], self.quantiles(params, [0.5], *args, **kwargs))

    def quantiles(
        self, params: kinds.Params, quantiles: Levels, *args: Any, **kwargs: Any
    ) -> dict[str, jax.Array]:
        """Marginal quantiles of ``q_sym``, from draws of the base pooled over each entry's orbit.

        :param params: parameters, as ``SVI.get_params`` gives them.
        :param quantiles: one or several numbers in (0, 1).
        :param args: the guide's arguments, where it is written by hand.
        :returns: site name -> array whose leading dimensions are those of ``quantiles``; an
            ``AutoNormal`` has one always, as in NumPyro.
        """
        check_arguments(AutoSymmetrized.quantiles, locals())
        if self._plain and isinstance(self.base_guide, AutoGuide):
            return self.base_guide.quantiles(params, quantiles)
        levels = jnp.asarray(quantiles, float)
        shape = (QUANTILE_DRAWS,)
        key = jax.random.key(0)
        draws = self.sample_component(key, params, *args, sample_shape=shape, **kwargs)
        orbits: dict[str, np.ndarray] = {}
        stacks: dict[str, tuple[str, ...]] = {}
        if not self._plain:
            arrays, stacks = self.sym.on_arrays(), self.sym.stacks
            draws = self.sym.stack(draws, sample_ndim=1)
            orbits = entry_orbits(arrays, {name: draws[name].shape[1:] for name in arrays.sites})
        result: dict[str, jax.Array] = {}
        for name, x in draws.items():
            if name in orbits:
                # (level, entry)
                flat = pooled_quantiles(orbits[name], x.reshape(QUANTILE_DRAWS, -1), levels.ravel())
            else:
                flat = jnp.quantile(x, levels.ravel(), axis=0)
            lead = self._lead(stacks.get(name, (name,))[0], levels)
            found = {name: flat.reshape(*lead, *x.shape[1:])}
            result |= self.sym.unstack(found, sample_ndim=len(lead)) if name in stacks else found
        return result

    def _lead(self, name: str, levels: jax.Array) -> tuple[int, ...]:
        """Leading dimensions of a site's quantiles: AutoNormal has one always, other guides those
        of the levels.
        """
        for part in parts_of(self.base_guide):
            if isinstance(part, AutoNormal) and name in part.prototype_trace:
                return (levels.size,)
        return levels.shape

    def _base(
        self, rng_key: jax.Array, params: Mapping[str, Any], args: tuple, kwargs: dict
    ) -> Base:
        """The base guide at these parameters."""
        self._refuse_others(params, args, kwargs)
        with handlers.block(), handlers.seed(rng_seed=rng_key), handlers.substitute(data=params):
            if self._sym is None:
                self._setup_prototype(*args, **kwargs)
            return read_base(self.base_guide, self.sym.sites, args, kwargs)

    def _refuse_others(self, params: Mapping[str, Any], args: tuple, kwargs: dict) -> None:
        """Raise unless these are the parameters of this guide, which is set up where it was never
        run.
        """
        who = type(self).__name__
        if self.prototype_trace is None:
            try:
                with handlers.block(), handlers.seed(rng_seed=jax.random.key(0)):
                    self._setup_prototype(*args, **kwargs)
            except SymmetryError:
                raise
            except Exception as error:
                raise SymmetryError(
                    f"{who}: the guide was never run, and raised {type(error).__name__} when it "
                    f"was: {error}. Run SVI first, or pass the model's own arguments after params."
                ) from error
        refuse_others_params(who, self.base_guide, params, args, kwargs)

    def _deterministic(self) -> list[str]:
        trace = self.prototype_trace or {}
        return [name for name, site in trace.items() if site["type"] == "deterministic"]

    # What users of AutoContinuous call, NeuTraReparam among them: of the base guide, one labeling.

    def get_base_dist(self) -> Any:
        """What :meth:`get_transform` makes the base guide's unconstrained values of, in a row."""
        if isinstance(self.base_guide, AutoNormal):
            return dist.Normal(jnp.zeros(row.latent_dim(self.base_guide)), 1).to_event(1)
        return self._continuous("get_base_dist").get_base_dist()

    def get_transform(self, params: Mapping[str, Any]) -> Any:
        """The transform that makes the base guide's unconstrained values, in a row.

        :param params: parameters, as ``SVI.get_params`` gives them.
        """
        if isinstance(self.base_guide, AutoNormal):
            return row.transform_of(self.base_guide, params)
        return self._continuous("get_transform").get_transform(params)

    def get_posterior(self, params: Mapping[str, Any]) -> Any:
        """The distribution of the base guide's unconstrained values, in a row: one component of
        ``q_sym``.

        :param params: parameters, as ``SVI.get_params`` gives them.
        """
        if isinstance(self.base_guide, AutoNormal):
            return dist.TransformedDistribution(self.get_base_dist(), self.get_transform(params))
        return self._continuous("get_posterior").get_posterior(params)

    def _get_posterior(self, *args: Any) -> Any:
        return self._continuous("_get_posterior")._get_posterior(*args)

    def _sample_latent(self, *args: Any, **kwargs: Any) -> Any:
        return self._continuous("_sample_latent")._sample_latent(*args, **kwargs)

    def _unpack_latent(self, latent: jax.Array) -> dict[str, jax.Array]:
        if isinstance(self.base_guide, AutoNormal):
            return row.unpack(self.base_guide, latent)
        return self.base_guide._unpack_latent(latent)

    def _unpack_and_constrain(
        self, latent: jax.Array, params: Mapping[str, Any]
    ) -> dict[str, jax.Array]:
        if isinstance(self.base_guide, AutoNormal):
            return self.base_guide._constrain(self._unpack_latent(latent))
        return self.base_guide._unpack_and_constrain(latent, params)

    def _continuous(self, what: str) -> AutoContinuous:
        if not isinstance(self.base_guide, AutoContinuous):
            kind = getattr(self.base_guide, "__name__", type(self.base_guide).__name__)
            raise NotImplementedError(
                f"{type(self).__name__}: {kind} has no {what}; AutoContinuous guides have."
            )
        return self.base_guide
