"""Order statistics of an exchangeable prior as a reparameterization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import biject_to, constraints

from ..alignment import SortKey
from ..symmetry import Element, Symmetry, SymmetryError, Units
from ..symmetry.arguments import check_arguments
from .original_names import Question, sample_latent
from .reparam_base import Attendance


class OrderedReparam:
    """Confine units to the order of a key: the prior becomes that of its order statistics.

    A ``config`` for :class:`numpyro.handlers.reparam`. The key's site gets the density ``n!`` times
    its own on the cone where the key increases from unit to unit, with the normalizer that makes
    it exact; the latent ``<site>_ordered`` is unconstrained and starts evenly spread over the
    prior. All other sites stay as they are.

    Right where the key tells the units apart: mixtures with separated components, where no
    starts by hand and no fold are needed. The cone is a wall where it does not: in networks, whose
    units pass through one another, chains stick to it. Fold instead (:class:`ReferenceSetReparam`,
    :class:`FoldedNUTS`), which is exact without a wall.

    The key's distribution must be exchangeable in the units as it stands, so it may not depend on
    another of their sites.

    :param sym: the model's :class:`~numpyro_sym.Symmetry`, of permutations.
    :param keys: units name -> the site to order by, or ``(site, row)``, the number of the entry of
        each unit to order by, counted through the other axes.
    :raises SymmetryError: for signed or scaled units; where a key does not name one axis of a site
        of its units, or, when the model runs, a distribution that has no such order.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import Predictive
    >>> import numpyro_sym as nsym
    >>> from numpyro_sym.mcmc import OrderedReparam
    >>> def model():
    ...     with numpyro.plate("component", 3):
    ...         numpyro.sample("mu", dist.Normal(0, 5))
    >>> config = OrderedReparam(nsym.mixture(3, {"mu": 0}), keys={"component": "mu"})
    >>> ordered = numpyro.handlers.reparam(model, config=config)
    >>> mu = Predictive(ordered, num_samples=5)(jax.random.key(0))["mu"]
    >>> bool((mu[:, 0] <= mu[:, 1]).all() and (mu[:, 1] <= mu[:, 2]).all())
    True
    """

    def __init__(self, sym: Symmetry, *, keys: Mapping[str, SortKey]) -> None:
        check_arguments(OrderedReparam.__init__, locals())
        if not keys:
            raise SymmetryError(
                "OrderedReparam: keys is empty, so nothing would be ordered. Name a site of some "
                "Units."
            )
        sym.refuse_stacks(
            "OrderedReparam", "Write them as one site in the model, or fold by numpyro_sym.Folded."
        )
        self.sym = sym
        self.keys: dict[str, tuple[Units, int]] = {}
        for name, key in keys.items():
            u = sym[name]
            site, row = _site_and_row(name, key)
            if u.has_factors:
                raise SymmetryError(
                    f"OrderedReparam: Units {name!r} are {u.kind}; an order leaves their factors "
                    "free. Use sym.select('permutation'), or fold."
                )
            if len(u.axes.get(site, ())) != 1 or isinstance(row, bool) or not isinstance(row, int):
                raise SymmetryError(
                    f"OrderedReparam: Units {name!r} are ordered by a site on which they lie once, "
                    f"or (site, row); got {key!r}. They act on {u.describe_axes()}."
                )
            if site in self.keys:
                raise SymmetryError(f"OrderedReparam: site {site!r} is the key of two Units.")
            self.keys[site] = (u.with_axes({site: u.axes[site]}), row)
        self._attendance = Attendance("OrderedReparam", self.keys)

    def __call__(self, site: dict) -> Callable[..., Any] | None:
        if isinstance(site["fn"], Question):
            return None
        self._attendance.note(site["name"])
        if site["name"] not in self.keys:
            return None
        if site["is_observed"]:
            raise SymmetryError(
                f"OrderedReparam: the key {site['name']!r} is observed, so not to be ordered."
            )
        if site.get("scale") is not None:
            raise SymmetryError(
                f"OrderedReparam: the density of the key {site['name']!r} is scaled (a subsampled "
                "plate, or handlers.scale), so it is no prior whose order statistics could be "
                "taken. Sample the key outside."
            )
        # The entries hang together, so the plates around the site do not run over the latent.
        plates = {frame.name for frame in site["cond_indep_stack"]}

        def order(name: str, fn: dist.Distribution, obs: None) -> tuple[None, jax.Array]:
            statistics = _OrderStatistics(fn, *self.keys[name])
            latent, infer = f"{name}_ordered", {"block_plates": plates}
            u = sample_latent(name, latent, fn, statistics, statistics.inverse, infer)
            return None, statistics.forward(u)

        return order


def _site_and_row(name: str, key: SortKey) -> tuple[str, Any]:
    """A key as its user gave it: the site, and which entry of each unit."""
    if isinstance(key, str):
        return key, 0
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str):
        return key
    raise SymmetryError(
        f"OrderedReparam: the key of Units {name!r} must be a site or (site, row); got {key!r}."
    )


#: NumPyro starts latents anywhere between -2 and 2. Scaled by this, the key starts near an even
#: grid over the prior and all other entries near its center: so each unit finds what is nearest,
#: and not two of them the same.
_NEAR = 0.25


class _OrderStatistics(dist.Distribution):
    """The unconstrained latent of a site confined to the order of its key.

    Entries other than the key's are standardized by the prior's mean and standard deviation. The
    key begins at its lower end; its increments are softplus numbers that span it.

    :param fn: the site's distribution; of single numbers, by whatever monotone map they are free.
    :param units: what is ordered, on this site alone.
    :param row: which entry of each unit is the key.
    """

    support = constraints.real
    has_rsample = False
    pytree_data_fields = ("fn",)
    pytree_aux_fields = ("units", "row")

    def __init__(self, fn: dist.Distribution, units: Units, row: int) -> None:
        (self.name,) = units.sites
        self.fn, self.units, self.row = fn, units, row
        shape = fn.shape()
        Symmetry([units]).check_shapes({self.name: shape})
        support = fn.support
        while isinstance(support, constraints.independent):
            support = support.base_constraint
        if support.event_dim or support.is_discrete:
            raise SymmetryError(
                f"OrderedReparam: site {self.name!r} is no array of single numbers, so not to be "
                "ordered."
            )
        self.free = biject_to(support)
        (axis,) = units.axes[self.name]
        # Of each unit, the flat numbers of its entries: (*batch, n, outer * inner * rows).
        entries = axis.blocks(np.arange(np.prod(shape, dtype=int)).reshape(shape), units.n)
        if not 0 <= row < entries.shape[-1] // (axis.outer * axis.inner):
            raise SymmetryError(
                f"OrderedReparam: site {self.name!r} of shape {shape} has no row {row} to order by."
            )
        self.key = entries[..., row].reshape(-1, units.n)  # a row for each set
        super().__init__((), shape, validate_args=False)

    def _prior(self) -> tuple[jax.Array, jax.Array]:
        """Center and spread of each entry, on the free scale. They steer the starts,
        not the law.
        """
        center, spread = jnp.zeros(self.event_shape), jnp.ones(self.event_shape)
        if isinstance(self.free, dist.transforms.IdentityTransform):
            try:
                mean, deviation = self.fn.mean, jnp.sqrt(self.fn.variance)
            except NotImplementedError:
                return center.ravel(), spread.ravel()
            known = jnp.isfinite(mean) & jnp.isfinite(deviation) & (deviation > 0)
            center, spread = jnp.where(known, mean, center), jnp.where(known, deviation, spread)
        return center.ravel(), spread.ravel()

    @property
    def _span(self) -> float:
        """Increments of the key, at latents of zero, add up to three standard deviations."""
        return 3 / max(self.units.n - 1, 1) / log(2)

    @property
    def _log_spans(self) -> float:
        return self.key[:, 1:].size * log(self._span)

    def _to_free(self, u: jax.Array) -> jax.Array:
        center, spread = self._prior()
        u = _NEAR * u.ravel()
        y = center + spread * u
        # (set, unit): where the keys of the first unit and of the others stand
        first, rest = self.key[:, :1], self.key[:, 1:]
        start = center[first] + spread[first] * (u[first] - 1.5)
        steps = spread[first] * self._span * jax.nn.softplus(u[rest])
        key = jnp.concatenate([start, start + jnp.cumsum(steps, -1)], -1)  # (set, unit), increasing
        return y.at[self.key].set(key).reshape(self.event_shape)

    def forward(self, u: jax.Array) -> jax.Array:
        """The site's value."""
        return self.free(self._to_free(u))

    def inverse(self, x: jax.Array) -> jax.Array:
        """The latent of a value in order."""
        is_known = not isinstance(x, jax.core.Tracer)
        if is_known and (np.diff(np.ravel(x)[self.key], axis=-1) < 0).any():
            raise SymmetryError(
                f"OrderedReparam: the value given for site {self.name!r} is not in the order of "
                "its key. Put the units of all sites in that order."
            )
        center, spread = self._prior()
        y = self.free.inv(jnp.asarray(x)).ravel()
        first = self.key[:, :1]
        start = (y[first] - center[first]) / spread[first] + 1.5
        steps = jnp.diff(y[self.key]) / (spread[first] * self._span)
        key = jnp.concatenate([start, steps + jnp.log(-jnp.expm1(-steps))], -1)
        return (((y - center) / spread).at[self.key].set(key) / _NEAR).reshape(self.event_shape)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        x = self.fn.sample(key, sample_shape).reshape(-1, *self.event_shape)  # (sample, *site)
        keys = x.reshape(len(x), -1)[:, self.key]  # (sample, set, unit)
        order = jnp.argsort(keys, -1).reshape(len(x), *self.units.shape)
        elements = {self.units.name: Element(order, jnp.ones(order.shape))}
        x = Symmetry([self.units]).act(elements, {self.name: x})[self.name]
        return jax.vmap(self.inverse)(x).reshape(*sample_shape, *self.event_shape)

    def log_prob(self, value: jax.Array) -> jax.Array:
        # (*sample, *site) to a row of points, and back
        lead = jnp.shape(value)[: jnp.ndim(value) - len(self.event_shape)]
        return jax.vmap(self._log_prob)(value.reshape(-1, *self.event_shape)).reshape(lead)

    def _log_prob(self, u: jax.Array) -> jax.Array:
        _, spread = self._prior()
        y = self._to_free(u)
        x = self.free(y)
        rest = self.key[:, 1:]
        slopes = jnp.log(_NEAR * spread).sum() + self._log_spans
        slopes += jax.nn.log_sigmoid(_NEAR * u.ravel()[rest]).sum()
        density = self.fn.log_prob(x).sum() + self.free.log_abs_det_jacobian(y, x).sum()
        return density + slopes + self.units.log_order
