"""Sections of units that have a site each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...symmetry import Element, Symmetry


@dataclass(frozen=True)
class SectionInStacks:
    """A section of arrays, for the sites that are stacked into them.

    :param sym: the symmetry, of stacked sites.
    :param section: of ``sym.on_arrays()``.
    """

    sym: Symmetry
    section: Any

    def fold(self, sites: Mapping[str, Any]) -> dict[str, Any]:
        """The representative of the orbit of one point; jit- and vmap-able.

        :param sites: site name -> array without sample dimensions.
        """
        return self.settle(sites)[1]

    def settle(self, sites: Mapping[str, Any]) -> tuple[dict[str, Element], dict[str, Any]]:
        """The element that folds one point, and the folded point.

        :param sites: site name -> array without sample dimensions.
        """
        elements, moved = self.section.settle(self.sym.stack(sites))
        return elements, dict(self.sym.unstack(moved, like=sites))

    def __str__(self) -> str:
        return str(self.section)
