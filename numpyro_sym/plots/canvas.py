"""Axes to draw on: the caller's, or new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..symmetry import SymmetryError


def canvas(
    axes: Any, rows: int = 1, columns: int = 1, *, size: tuple[float, float] = (6.0, 3.6), **options: Any
) -> Any:
    """The given axes, or those of a new figure: one Axes, or an array of them where there are several.

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
            raise ImportError("Pictures need matplotlib: pip install 'numpyro_sym[plots]'.") from error
        _, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", **options)
    elif np.size(axes) != rows * columns:
        raise SymmetryError(f"This picture needs {rows} x {columns} axes; got {np.size(axes)}.")
    return axes


def tidy(ax: Any) -> None:
    """No frame where there is no scale."""
    ax.spines[["top", "right"]].set_visible(False)
