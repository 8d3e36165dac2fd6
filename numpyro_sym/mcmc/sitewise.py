"""Reparameterising several sites together, in the order in which a model samples them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpyro.distributions as dist

from ..symmetry import Symmetry, SymmetryError
from .original_names import Question


class SitewiseReparam:
    """A ``config`` for :class:`numpyro.handlers.reparam` that remembers what a run has sampled so far.

    NumPyro shows a reparameterisation one site at a time. What earlier sites of the same run
    settled is kept until the last, and no longer: it may be traced by JAX.

    :param sym: the symmetry whose sites are reparameterised.
    """

    def __init__(self, sym: Symmetry) -> None:
        if not isinstance(sym, Symmetry):
            raise SymmetryError(f"{type(self).__name__}: expected a Symmetry; got {type(sym).__name__}.")
        self.sym = sym
        self._begin()

    def _begin(self) -> None:
        self._seen: set[str] = set()
        self._forget()

    def _forget(self) -> None:
        """Back to before the first site."""
        raise NotImplementedError

    def _value(self, name: str, fn: dist.Distribution) -> jax.Array:
        """Sample a latent for a site and return the site's value."""
        raise NotImplementedError

    def __call__(self, site: dict) -> Callable[..., Any] | None:
        name = site["name"]
        if name not in self.sym.sites or isinstance(site["fn"], Question):
            return None
        if site["is_observed"]:
            raise SymmetryError(
                f"{type(self).__name__}: site {name!r} of the symmetry is observed, so not to be moved."
            )
        if name in self._seen:  # a new run, the last one broken off
            self._begin()
        return self._visit

    def _visit(self, name: str, fn: dist.Distribution, obs: None) -> tuple[None, jax.Array]:
        value = self._value(name, fn)
        self._seen.add(name)
        if self._seen == set(self.sym.sites):
            self._begin()
        return None, value
