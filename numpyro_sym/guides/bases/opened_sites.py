"""A base guide seen on arrays in which every run of a batch is an axis of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax

from ...symmetry import Symmetry
from ...symmetry.opening import Opened
from ..bounds.beliefs import Gaussian, Sites
from ..bounds.sets import MeanField
from .base import Base, StandIn, is_factorized


@dataclass(frozen=True)
class OpenedBase:
    """The same base guide, whose sites come and go opened; its distributions stay as they are.

    :param base: the base guide.
    :param way: how its sites are opened.
    """

    base: Base
    way: Opened

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.way.shapes(self.base.shapes)

    def sample(self, rng_key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        sites, held = self.base.sample(rng_key)
        return self.way.open(sites), held

    def log_prob(self, sites: Sites, intermediates: Any = None) -> jax.Array:
        return self.base.log_prob(self.way.close(sites), intermediates)

    def stand_in(self, sym: Symmetry, sites: Sites, rng_key: jax.Array) -> StandIn:
        found = self.base.stand_in(sym, self.way.close(sites), rng_key)
        return StandIn(self.way.open(found.x), self._opened(found.q), found.exact)

    def _opened(self, q: Gaussian) -> Gaussian:
        return Gaussian(self.way.open(q.loc), self.way.open(q.variance))


class OpenedMeanField(OpenedBase):
    """The same, of independent sites."""

    def mean_field(self, sym: Symmetry, sites: Sites) -> MeanField | None:
        """A draw as one of independent Normals; ``None`` where the sites are made of something
        else.
        """
        assert is_factorized(self.base)
        field = self.base.mean_field(sym, self.way.close(sites))
        # A transform that was kept speaks of the dimensions that the site came with.
        if field is None or self.way.steps.keys() & field.transforms.keys():
            return None
        return field._replace(x=self.way.open(field.x), q=self._opened(field.q))

    def only(self, names: tuple[str, ...]) -> OpenedMeanField:
        """Some of the sites."""
        assert is_factorized(self.base)
        return replace(self, base=self.base.only(names))


def opened_base(base: Base, way: Opened) -> OpenedBase:
    """A base guide on opened arrays."""
    return (OpenedMeanField if is_factorized(base) else OpenedBase)(base, way)
