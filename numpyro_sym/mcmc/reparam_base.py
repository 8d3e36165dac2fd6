"""Reparameterizing several sites together, in the order in which a model samples them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpyro.distributions as dist

from ..symmetry import Symmetry, SymmetryError
from .original_names import Question


class Attendance:
    """Whether a model samples the sites that a reparameterization is for.

    A handler sees sites and never the end of a model. Whoever runs one (an initialization, SVI, a
    sampler) runs it again and again: where the same sites have come twice over, from the first to
    the last, what is not among them does not exist.

    :param who: the name that the error begins with.
    :param wanted: names of sites.
    """

    def __init__(self, who: str, wanted: Iterable[str]) -> None:
        self.who, self.wanted = who, tuple(wanted)
        self._run: list[str] = []
        self._before: list[str] = []

    def note(self, name: str) -> None:
        """A model samples a site.

        :raises SymmetryError: where two runs alike are over and sites have not come.
        """
        if self._run and name == self._run[0]:
            absent = [site for site in self.wanted if site not in self._run]
            again, self._before, self._run = self._run == self._before, self._run, []
            if again and absent:
                raise SymmetryError(
                    f"{self.who}: the model has no site {absent[0]!r}; it has {self._before}. "
                    "Nothing would be done to it: name the model's own sites."
                )
        self._run.append(name)


class SitewiseReparam:
    """A ``config`` for :class:`numpyro.handlers.reparam` that remembers what a run has sampled so
    far.

    NumPyro shows a reparameterization one site at a time. What earlier sites of the same run
    settled is kept until the last, and no longer: it may be traced by JAX.

    :param sym: the symmetry whose sites are reparameterized.
    """

    def __init__(self, sym: Symmetry) -> None:
        self.sym = sym
        self._attendance = Attendance(type(self).__name__, sym.sites)
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
        if isinstance(site["fn"], Question):
            return None
        self._attendance.note(name)
        if name not in self.sym.sites:
            return None
        if site["is_observed"]:
            raise SymmetryError(
                f"{type(self).__name__}: site {name!r} of the symmetry is observed, so not to be "
                "moved."
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
