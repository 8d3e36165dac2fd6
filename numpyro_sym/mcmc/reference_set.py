"""The fold as a reparameterization: latents in the full space, sites in the reference set."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints

from ..alignment import SortKey
from ..alignment.engine._steps import after
from ..alignment.sections.sorted import SortedSection, check_keys, section_of_arrays
from ..models.held import bounds_of
from ..symmetry import Element, Symmetry, SymmetryError
from ..symmetry.arguments import check_arguments
from .original_names import sample_latent
from .reparam_base import SitewiseReparam

Elements = dict[str, Element]


class ReferenceSetReparam(SitewiseReparam):
    """Give a model's sites values in a reference set, one representative of each orbit.

    A ``config`` for :class:`numpyro.handlers.reparam`. Each site ``w`` of the symmetry becomes a
    deterministic function of a latent ``w_base`` in the full space: its fold. The joint density
    being invariant, the potential of the latents is the model's own, unchanged and smooth: no
    wall, no Jacobian, the same efficiency (Wiese et al. 2023, section 3, as a reparameterization).
    Sites are folded in the order in which the model samples them, so each ``Units`` is settled by
    the first of its sites; the latent of a later one has its site's distribution, carried back by
    the elements that are settled.

    Works with any kernel, SVI, ``Predictive`` and ``log_likelihood``; ``init_to_value``,
    ``Predictive`` and ``log_likelihood`` take the sites by their own names. The symmetry is taken
    at your word: a handler does not know the model's arguments, so verify it by ``sym.check(model,
    ...)``, unless ``find_symmetry`` found it.

    :param sym: the model's :class:`~numpyro_sym.Symmetry`, of permutations and signs.
    :param keys: units name -> what to sort these units by, as for
        :func:`~numpyro_sym.alignment.sorted_section`, on the first of their sites.
    :raises SymmetryError: for scaled units; when the model runs, where a site of the symmetry is
        observed or conditioned on, or its first site does not tell the units' order and signs.

    >>> import jax, numpyro, numpyro.distributions as dist
    >>> from numpyro.infer import Predictive
    >>> import numpyro_sym as nsym
    >>> from numpyro_sym.mcmc import ReferenceSetReparam
    >>> def model():
    ...     numpyro.sample("x", dist.Normal(0, 1).expand([3]).to_event(1))
    >>> config = ReferenceSetReparam(nsym.mixture(3, {"x": 0}))
    >>> folded = numpyro.handlers.reparam(model, config=config)
    >>> x = Predictive(folded, num_samples=5)(jax.random.key(0))["x"]
    >>> bool((x[:, 0] <= x[:, 1]).all() and (x[:, 1] <= x[:, 2]).all())
    True
    """

    def __init__(self, sym: Symmetry, *, keys: Mapping[str, SortKey] | None = None) -> None:
        check_arguments(ReferenceSetReparam.__init__, locals())
        if not len(sym):
            raise SymmetryError(
                "ReferenceSetReparam: the symmetry has no Units, so nothing would be folded."
            )
        sym.refuse_stacks(
            "ReferenceSetReparam",
            "Write them as one site in the model, or fold by numpyro_sym.Folded.",
        )
        super().__init__(sym)
        sym.refuse_scaled("ReferenceSetReparam")
        check_keys(sym, keys or {})
        self.keys = dict(keys or {})

    def _forget(self) -> None:
        self._settled: Elements = {}
        self._unsigned = frozenset(u.name for u in self.sym if u.has_signs)

    def _value(self, name: str, fn: dist.Distribution) -> jax.Array:
        here = [u for u in self.sym if name in u.sites and u.name in self._settled]
        known = Symmetry(u.with_axes({name: u.axes[name]}) for u in here)
        elements = {u.name: self._settled[u.name] for u in here}
        # The latent is that of a site whose units are not moved yet.
        carried = _Carried(fn, known, elements) if here else fn
        z = sample_latent(name, f"{name}_base", fn, carried, lambda value: value)
        if here:
            z = _moved(known, elements, z, 0)
        return self._settle(name, z)

    def _settle(self, name: str, value: jax.Array) -> jax.Array:
        """Settle what this site is the first to tell: the order of units, the signs of units."""
        here = [u for u in self.sym if name in u.sites]
        # What no earlier site has told.
        unordered = [u for u in here if u.name not in self._settled]
        turned = []
        for u in here:
            has_sign = any((a.power or 0) % 2 for a in u.axes[name])
            if has_sign and u.name in self._unsigned:
                turned.append(u)
        new = list(dict.fromkeys((*unordered, *turned)))
        if not new:
            return value
        units = []
        for u in new:
            on_site = u.with_axes({name: u.axes[name]})
            units.append(on_site.with_kind("signed" if u in turned else "permutation"))
        part = Symmetry(units)
        keys = {u.name: self.keys[u.name] for u in unordered if u.name in self.keys}
        try:
            part.check_shapes({name: np.shape(value)})
            steps = section_of_arrays(part, {name: np.shape(value)}, keys).steps
        except SymmetryError as error:
            raise SymmetryError(
                f"ReferenceSetReparam: {name!r} is the first site of Units {[u.name for u in new]} "
                f"that the model samples, so it must settle them, and it cannot: {error} Let the "
                "model sample another site of theirs first, or use numpyro_sym.Folded."
            ) from error
        # What is ordered already keeps its order.
        names = {u.name for u in unordered}
        kept = [(u, sign, sort if u in names else None) for u, sign, sort in steps]
        section = SortedSection(part, tuple(kept))
        found, out = section.settle({name: value})
        self._settled = after(self.sym, found, self._settled)
        self._unsigned -= {u.name for u in turned}
        return out[name]


class _Carried(dist.Distribution):
    """A site's distribution carried back to the full space: of ``z`` where ``act(elements, z)`` has
    ``fn``.

    :param fn: the site's distribution, its parameters functions of folded sites.
    :param elements: what is settled of the symmetry on this site.
    :param sym: the symmetry, of this site alone.
    """

    pytree_data_fields = ("fn", "elements")
    pytree_aux_fields = ("sym",)

    def __init__(self, fn: dist.Distribution, sym: Symmetry, elements: Elements) -> None:
        self.fn, self.sym, self.elements = fn, sym, elements
        super().__init__(fn.batch_shape, fn.event_shape, validate_args=False)

    @property
    def has_rsample(self) -> bool:
        return self.fn.has_rsample

    @property
    def support(self) -> constraints.Constraint:
        # Bounds of each unit's own, made from folded sites, are carried back as its values are.
        # NumPyro tells the real line by identity, so a support without them stays the object it is.
        support = self.fn.support
        bounds = bounds_of(support)
        if bounds is None:
            raise SymmetryError(
                f"Site {self.sym.sites[0]!r}: its support, {type(support).__name__}, holds what "
                "JAX cannot take apart, so its bounds cannot be moved with the units."
            )
        if all(np.size(bound) == 1 for bound in bounds):
            return support
        plain = self.sym.select("permutation")
        back = plain.inverse(self.elements)

        def carried(bound: jax.Array) -> jax.Array:
            return _moved(plain, back, jnp.broadcast_to(bound, self.shape()), 0)

        return jax.tree.map(carried, support)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        back = self.sym.inverse(self.elements)
        return _moved(self.sym, back, self.fn.sample(key, sample_shape), len(sample_shape))

    def log_prob(self, value: jax.Array) -> jax.Array:
        lead = jnp.ndim(value) - len(self.shape())
        return self.fn.log_prob(_moved(self.sym, self.elements, value, lead))


def _moved(sym: Symmetry, elements: Elements, value: jax.Array, lead: int) -> jax.Array:
    """``value`` of shape ``(*sample, *site)`` with ``lead`` sample dimensions, moved by one
    element.
    """
    (name,) = sym.sites
    return sym.act(elements, {name: value}, sample_ndim=lead)[name]
