"""The norm of incoming weights taken out of a ReLU network's likelihood."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions import constraints

from ..symmetry import Element, Symmetry, SymmetryError, Units
from ..symmetry.arguments import check_arguments
from .original_names import sample_latent
from .reparam_base import SitewiseReparam


class ScaleReparam(SitewiseReparam):
    """Sample a unit's outgoing weights times the norm of its incoming ones.

    A ``config`` for :class:`numpyro.handlers.reparam`. A ReLU unit's function depends on its
    incoming weights' direction and on ``v = w_out * |w_in|`` alone (the scaling symmetry of
    Laurent, Aldea and Franchi 2024, arXiv 2310.08287). Sites that go out of scaled units get a
    latent ``<site>_scaled``, which is ``v``, with the exact density of the change of variables,
    ``-log |w_in|`` for each entry; sites that only come in get a latent ``<site>_base``. Hyperbolic
    ridges of the posterior in ``(w_in, w_out)`` become straight.

    It helps where the data determine ``v``. A unit that they do not determine has a funnel instead:
    ``v`` then follows the prior's ``N(0, |w_in|^2)``.

    :param sym: a :class:`~numpyro_sym.Symmetry`; only its scaled ``Units`` matter. The model must
        sample what comes into a unit before what goes out.
    :raises SymmetryError: where no ``Units`` are scaled, or one has powers other than 1 and -1 or
        both on one site; when the model runs, where an outgoing site comes too early, is not real,
        or is observed.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import Predictive
    >>> import numpyro_sym as nsym
    >>> from numpyro_sym.mcmc import ScaleReparam
    >>> def model():
    ...     w1 = numpyro.sample("w1", dist.Normal(0, 1).expand([2, 3]).to_event(2))
    ...     w2 = numpyro.sample("w2", dist.Normal(0, 1).expand([3]).to_event(1))
    >>> relu = nsym.mlp(["w1", "w2"], [3], kind="scaled")
    >>> split = numpyro.handlers.reparam(model, config=ScaleReparam(relu))
    >>> sorted(Predictive(split, num_samples=5)(jax.random.key(0)))
    ['w1', 'w1_base', 'w2', 'w2_scaled']
    """

    def __init__(self, sym: Symmetry) -> None:
        check_arguments(ScaleReparam.__init__, locals())
        if not len(sym.select("scaled")):
            raise SymmetryError("ScaleReparam: expected a Symmetry with Units of kind 'scaled'.")
        sym.select("scaled").refuse_stacks("ScaleReparam", "Write them as one site in the model.")
        for u in sym.select("scaled"):
            for _, axs in u.placements:
                powers = {a.power or 0 for a in axs} - {0}
                if len(powers) > 1 or not powers <= {-1, 1}:
                    raise SymmetryError(
                        f"ScaleReparam: Units {u.name!r} act on {u.describe_axes()}: scaled units "
                        "come into a site (power 1) or go out of it (power -1), each site on one "
                        "side."
                    )
        super().__init__(sym.select("scaled"))

    def _forget(self) -> None:
        self._squares: dict[str, Any] = {u.name: 0.0 for u in self.sym}
        self._left: set[str] = set()

    def _value(self, name: str, fn: dist.Distribution) -> jax.Array:
        sources = [u for u in self.sym if _power(u, name) == -1]
        if not sources:
            value = latent = sample_latent(name, f"{name}_base", fn, fn, lambda w: w)
        else:
            for u in sources:
                # The norm must be known by now.
                late = [s for s in u.sites if _power(u, s) == 1 and s not in self._seen]
                if late:
                    raise SymmetryError(
                        f"ScaleReparam: the model samples site {name!r}, which goes out of Units "
                        f"{u.name!r}, before {late}, which come into them. Sample what comes in "
                        "first."
                    )
            part = Symmetry(u.with_axes({name: u.axes[name]}) for u in sources)
            norms = {}
            for units, straight in part.identity().items():
                norms[units] = Element(straight.permutation, jnp.sqrt(self._squares[units]))
            scaled = _Scaled(fn, part, norms)
            latent = sample_latent(name, f"{name}_scaled", fn, scaled, scaled.scaled)
            value = scaled.unscaled(latent)
        for u in self.sym:
            for axis in u.axes.get(name, ()):
                if axis.power == 1:
                    # Of a deeper layer, the weights as the layer before would have them at norm 1:
                    # so its norm leaves the likelihood too. (*batch, unit)
                    self._squares[u.name] += (axis.blocks(latent, u.n) ** 2).sum(-1)
        return value


class _Scaled(dist.Distribution):
    """The law of ``v = w |w_in|`` where ``w`` has ``fn``.

    :param fn: the distribution of a site that goes out of scaled units.
    :param sym: the scaled units, on this site alone.
    :param norms: units name -> element of the identity permutation whose factors are the norms.
    """

    pytree_data_fields = ("fn", "norms")
    pytree_aux_fields = ("sym",)

    def __init__(self, fn: dist.Distribution, sym: Symmetry, norms: dict[str, Element]) -> None:
        support = fn.support
        while isinstance(support, constraints.independent):
            support = support.base_constraint
        (self.name,) = sym.sites
        if support is not constraints.real:
            raise SymmetryError(
                f"ScaleReparam: site {self.name!r} has support {support}; expected real weights."
            )
        self.fn, self.sym, self.norms = fn, sym, norms
        super().__init__(fn.batch_shape, fn.event_shape, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        return self.fn.support

    @property
    def has_rsample(self) -> bool:
        return self.fn.has_rsample

    def unscaled(self, v: jax.Array) -> jax.Array:
        """The weights of a latent."""
        return self._act(self.norms, v)

    def scaled(self, w: jax.Array) -> jax.Array:
        """The latent of weights."""
        return self._act(self.sym.inverse(self.norms), w)

    def _act(self, elements: dict[str, Element], x: jax.Array) -> jax.Array:
        lead = jnp.ndim(x) - len(self.shape())
        return self.sym.act(elements, {self.name: x}, sample_ndim=lead)[self.name]

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        return self.scaled(self.fn.sample(key, sample_shape))

    def log_prob(self, value: jax.Array) -> jax.Array:
        # What an entry is multiplied by to become a weight: its own part of the Jacobian.
        slopes = jnp.log(self.unscaled(jnp.ones(self.shape(), jnp.result_type(value))))
        events = tuple(range(-len(self.event_shape), 0))
        return self.fn.log_prob(self.unscaled(value)) + slopes.sum(events)


def _power(u: Units, site: str) -> int:
    """1 where a site comes into the units, -1 where it goes out, 0 where neither."""
    return next((a.power for a in u.axes.get(site, ()) if a.power), 0)
