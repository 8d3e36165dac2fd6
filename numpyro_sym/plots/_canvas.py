"""Axes to draw on: the caller's, or new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..symmetry import SymmetryError
from ..symmetry.arguments import describe


def canvas(
    axes: Any,
    rows: int = 1,
    columns: int = 1,
    *,
    size: tuple[float, float] = (6.0, 3.6),
    **options: Any,
) -> Any:
    """The given axes, or those of a new figure: one Axes, or an array of them where there are
    several.

    :param axes: what the caller gave, or ``None``.
    :param size: width and height of the new figure, in inches.
    :param options: of ``matplotlib.pyplot.subplots``.
    :raises ImportError: where matplotlib is not installed.
    :raises SymmetryError: where the number of axes given is another.
    """
    if axes is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                "Pictures need matplotlib: pip install 'numpyro_sym[plots]'."
            ) from error
        _, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", **options)
        return axes
    flat = np.ravel(np.asarray(axes, object))
    if flat.size != rows * columns:
        raise SymmetryError(f"This picture needs {rows} x {columns} axes; got {flat.size}.")
    for ax in flat:
        if not hasattr(ax, "plot") or not hasattr(ax, "figure"):
            raise SymmetryError(
                f"Expected matplotlib axes to draw on; got {describe(ax)}. Write "
                "ax=plt.subplots()[1]."
            )
    return axes


def refuse_others(who: str, name: str, every: Mapping[str, Any], kind: type) -> None:
    """Raise unless there are results, and all of one kind.

    :raises SymmetryError: naming the one that is not.
    """
    if not every:
        raise SymmetryError(f"{who}: {name} is empty: there is nothing to draw.")
    for label, value in every.items():
        if not isinstance(value, kind):
            raise SymmetryError(
                f"{who}: under {label!r}, {name} holds {describe(value)}; expected a "
                f"{kind.__name__}."
            )


def tidy(ax: Any) -> None:
    """No frame where there is no scale."""
    ax.spines[["top", "right"]].set_visible(False)
