"""What the panels have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def widths_below(ax: Any, widths: Iterable[int], label: str = "width") -> None:
    """A logarithmic axis with a tick at each width."""
    ticks = sorted(set(widths))
    ax.set_xscale("log")
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel(label)
