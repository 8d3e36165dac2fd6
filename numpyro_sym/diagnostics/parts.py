"""What is judged, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Parts(NamedTuple):
    """Four of a kind: draws, figures or tables.

    :param before: of the symmetry's sites as they came.
    :param after: of the same, aligned.
    :param others: of variables outside the symmetry.
    :param functions: of invariant functions.
    """

    before: Any
    after: Any
    others: Any
    functions: Any

    def map(self, function: Callable[[Any], Any]) -> Parts:
        """The function of each."""
        return Parts(*(function(part) for part in self))
