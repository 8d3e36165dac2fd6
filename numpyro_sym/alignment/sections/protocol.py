"""What a section is, and what makes one: for sections of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, TypeGuard

from ...symmetry import Element, Symmetry, kinds
from .sorted import SortKey


class Section(Protocol):
    """A choice of one point of every orbit, the same from whichever of its points one begins."""

    def settle(self, sites: Mapping[str, Any]) -> tuple[dict[str, Element], dict[str, Any]]:
        """The element that brings one point to the one chosen, and that point; jit- and vmap-able.

        :param sites: site name -> array of the site's shape, without sample dimensions.
        """
        ...


class MakesSections(Protocol):
    """Anything with a method :meth:`section`, as :class:`Nearest`: what ``Folded(kernel, sym,
    keys=...)`` takes.
    """

    def section(self, sym: Symmetry, shapes: Mapping[str, tuple[int, ...]]) -> Section:
        """The section for one symmetry.

        :param sym: the symmetry, of permutations and signs.
        :param shapes: site name -> shape.
        """
        ...


def makes_sections(keys: Any) -> TypeGuard[MakesSections]:
    """Whether these are no keys to sort by, but make a section themselves."""
    return not isinstance(keys, (type, Mapping)) and callable(getattr(keys, "section", None))


def _keys_fault(value: Any) -> str | None:
    if isinstance(value, Mapping) or makes_sections(value):
        return None
    if isinstance(value, type) and hasattr(value, "section"):
        return f"Write {value.__name__}(...)."
    return ""


#: By what to fold; what a mapping holds is looked at where the units are known.
FoldKeys = Annotated[
    Mapping[str, SortKey] | MakesSections,
    kinds.Kind(
        "a dict, units name -> what to sort by, or an object with a method section, as "
        "Nearest(point)",
        _keys_fault,
    ),
]
