"""AutoNormal, averaged over the model's symmetry."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer.autoguide import AutoNormal
from numpyro.primitives import Messenger

from ..symmetry import Symmetry, SymmetryError
from .exact import LARGEST_LISTED, exact
from .infonce import infonce
from .marginals import entry_orbits, mixture_quantiles, pooled_quantiles
from .orbit import Bound, Orbit

BoundName = Literal["auto", "exact", "infonce"]

#: Draws behind the marginal quantiles of sites whose constraint mixes entries (simplexes).
QUANTILE_DRAWS = 10_000


class AutoSymmetrizedNormal(AutoNormal):
    """:class:`~numpyro.infer.autoguide.AutoNormal`, averaged over a symmetry of the model.

    It stands where ``AutoNormal(model)`` stood; parameters keep their names. Its density is
    ``q_sym(w) = 1/|G| sum_g q(g^-1 w)`` on the sites of the symmetry, with the sites' constrained
    values acted on; other sites are as in ``AutoNormal``. So the ELBO gains the information
    ``I(g; w)`` that one component holds about which of its copies it is, and the optimum is no
    longer pulled between copies (Gelberg et al. 2024, *VI failures under model symmetries*).

    ``sample_posterior`` draws from ``q_sym``: units come in random order. ``median`` and
    ``quantiles`` are the marginals of ``q_sym``, which are alike for all units of a kind; bring
    draws to one labelling with :func:`numpyro_sym.rebasin` before reading single weights.

    :param model: a NumPyro model.
    :param sym: its :class:`~numpyro_sym.Symmetry`, of permutations and signs.
    :param bound: ``"exact"`` lists the whole group, ``"infonce"`` is the paper's lower bound,
        ``"auto"`` is exact for groups of up to 720 elements.
    :param num_importance: number of elements in ``"infonce"``, the draw itself counted.
    :param check: whether to verify the symmetry numerically on the first call.
    :param prefix: as in ``AutoNormal``, like all that follow in ``kwargs``.
    :raises SymmetryError: on construction for ``kind="scaled"`` units; on the first call where the
        symmetry does not fit the model or does not hold.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import SVI, Trace_ELBO
    >>> import numpyro_sym as nsym
    >>> def model():
    ...     x = numpyro.sample("x", dist.Normal(0, 1).expand([2]).to_event(1))
    ...     numpyro.sample("obs", dist.Normal(x[0] * x[1], 0.1), obs=1.0)
    >>> sym = nsym.Symmetry([nsym.Units("factor", 2, axes={"x": 0})])
    >>> guide = nsym.AutoSymmetrizedNormal(model, sym)
    >>> svi = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    >>> result = svi.run(jax.random.key(0), 10, progress_bar=False)
    >>> sorted(result.params)
    ['x_auto_loc', 'x_auto_scale']
    """

    def __init__(
        self,
        model: Any,
        sym: Symmetry,
        *,
        bound: BoundName = "auto",
        num_importance: int = 16,
        check: bool = True,
        prefix: str = "auto",
        **kwargs: Any,
    ) -> None:
        refuse_scaled(sym, "AutoSymmetrizedNormal")
        self.sym = sym
        self._check = check
        self._bound = _bound(sym, bound, num_importance)
        super().__init__(model, prefix=prefix, **kwargs)

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        latent = {n: s for n, s in self.prototype_trace.items() if s["type"] == "sample" and not s["is_observed"]}
        self.sym.check_shapes({name: np.shape(site["value"]) for name, site in latent.items()})
        for name in self.sym.sites:
            for frame in latent[name]["cond_indep_stack"]:
                if self._prototype_frame_full_sizes[frame.name] != frame.size:
                    raise SymmetryError(
                        f"Site {name!r} stands in the subsampled plate {frame.name!r}; a symmetry can act only on "
                        "whole sites. Take its Units out of the symmetry (Symmetry.without), or do not subsample."
                    )
        if self._check and not _traced((args, kwargs)):
            with handlers.block():
                self.sym.check(self.model, *args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        if self.prototype_trace is None:
            self._setup_prototype(*args, **kwargs)
        if not self.sym.sites:
            return super().__call__(*args, **kwargs)
        # AutoNormal runs twice: once unseen, for the distributions of the symmetry's sites; then
        # in place, with those sites at their moved values, so that order and plates are its own.
        with handlers.block(hide_fn=_no_param), handlers.trace() as unseen, _seeded():
            super().__call__(*args, **kwargs)
        orbit = Orbit({name: unseen[name]["fn"] for name in self.sym.sites}, self.sym, self._bound)
        value = numpyro.sample(f"_{self.prefix}_orbit", orbit, infer={"is_auxiliary": True})
        with _Moved(orbit.unravel(value), self.prototype_trace):
            return super().__call__(*args, **kwargs)

    def sample_posterior(
        self,
        rng_key: jax.Array,
        params: Mapping[str, Any],
        *args: Any,
        sample_shape: tuple[int, ...] = (),
        **kwargs: Any,
    ) -> dict[str, jax.Array]:
        """Draws of ``q_sym``: a draw of the Normals, then a uniform element of the group.

        :param rng_key: a JAX random key.
        :param params: parameters, as ``SVI.get_params`` gives them.
        :param sample_shape: leading dimensions of the draws.
        :returns: site name -> array, deterministic sites among them.
        """
        key_base, key_element = jax.random.split(rng_key)
        keys = jax.random.split(key_base, len(self._init_locs))
        free = {}
        for (name, (loc, scale)), key in zip(self._normals(params).items(), keys, strict=True):
            free[name] = dist.Normal(loc, scale).sample(key, sample_shape)
        moved = self.sym.act(
            self.sym.sample(key_element, sample_shape),
            {name: self._transform(name)(free[name]) for name in self.sym.sites},
        )
        free |= {name: self._transform(name)._inverse(x) for name, x in moved.items()}
        return self._constrain(free)

    def median(self, params: Mapping[str, Any]) -> dict[str, jax.Array]:
        """Marginal medians of ``q_sym``, in the form of :meth:`quantiles`."""
        return jax.tree.map(lambda x: x[0], self.quantiles(params, [0.5]))

    def quantiles(self, params: Mapping[str, Any], quantiles: Any) -> dict[str, jax.Array]:
        """Marginal quantiles of ``q_sym``: of the equal mixture over each entry's orbit.

        :param params: parameters, as ``SVI.get_params`` gives them.
        :param quantiles: one or several numbers in (0, 1).
        :returns: site name -> array with a leading dimension over the quantiles.
        """
        levels = jnp.ravel(jnp.asarray(quantiles, float))
        normals = self._normals(params)
        free = {
            name: dist.Normal(loc, scale).icdf(levels.reshape((-1,) + (1,) * jnp.ndim(loc)))
            for name, (loc, scale) in normals.items()
        }
        shapes = {name: np.shape(self.prototype_trace[name]["value"]) for name in self.sym.sites}
        orbits = entry_orbits(self.sym, shapes)
        mixing = {name: labels for name, labels in orbits.items() if not _elementwise(self._transform(name))}
        for name in orbits.keys() - mixing.keys():
            loc, scale = normals[name]
            free[name] = mixture_quantiles(orbits[name], loc.ravel(), scale.ravel(), levels).reshape(free[name].shape)
        result = dict(self._constrain(free))
        for name, labels in mixing.items():
            loc, scale = normals[name]
            draws = dist.Normal(loc, scale).sample(jax.random.key(0), (QUANTILE_DRAWS,))
            pooled = pooled_quantiles(labels, self._transform(name)(draws).reshape(QUANTILE_DRAWS, -1), levels)
            result[name] = pooled.reshape(len(levels), *shapes[name])
        return result

    def _normals(self, params: Mapping[str, Any]) -> dict[str, tuple[jax.Array, jax.Array]]:
        return {
            name: (params[f"{name}_{self.prefix}_loc"], params[f"{name}_{self.prefix}_scale"])
            for name in self._init_locs
        }

    def _transform(self, name: str) -> Any:
        return biject_to(self.prototype_trace[name]["fn"].support)


class _Moved(Messenger):
    """Puts given values in the place of a guide's draws, without a density of their own."""

    def __init__(self, values: Mapping[str, jax.Array], prototype: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = values
        self.prototype = prototype

    def process_message(self, msg: dict[str, Any]) -> None:
        name = msg["name"]
        if msg["type"] == "sample" and name in self.values:
            msg["fn"] = dist.Delta(self.values[name], event_dim=self.prototype[name]["fn"].event_dim)
            msg["value"] = self.values[name]


def _no_param(site: dict[str, Any]) -> bool:
    return site["type"] != "param"


def _seeded() -> Any:
    """A seed for what runs unseen, where there is one around."""
    key = numpyro.prng_key()
    return nullcontext() if key is None else handlers.seed(rng_seed=key)


def refuse_scaled(sym: Symmetry, who: str) -> None:
    """Raise where a symmetry that moves the posterior is asked for and scales are given."""
    for u in sym.units:
        if u.kind == "scaled":
            raise SymmetryError(
                f"{who}: Units {u.name!r} are scaled: a symmetry of the likelihood that the prior breaks, so not one "
                "of the posterior. Use sym.select(kind=('permutation', 'signed')) to keep their permutations."
            )


def _bound(sym: Symmetry, name: str, num_importance: int) -> Bound:
    if name not in ("auto", "exact", "infonce"):
        raise SymmetryError(f"bound must be 'auto', 'exact' or 'infonce'; got {name!r}.")
    if not isinstance(num_importance, int) or num_importance < 1:
        raise SymmetryError(f"num_importance must be a positive int; got {num_importance!r}.")
    if name == "exact" or (name == "auto" and sym.order <= LARGEST_LISTED):
        return exact
    return partial(infonce, num_elements=num_importance)


def _elementwise(transform: Any) -> bool:
    """Whether a transform acts on each entry alone, so that quantiles pass through it."""
    while isinstance(transform, dist.transforms.IndependentTransform):
        transform = transform.base_transform
    return transform.domain.event_dim == 0


def _traced(tree: Any) -> bool:
    """Whether any array is a tracer, so that there are no numbers to check."""
    return any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(tree))
