"""Axes to draw on: the caller's, or new ones; and what all pictures have alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from ..symmetry import SymmetryError, kinds
from ..symmetry.arguments import describe

_inches = kinds.number(0, without_ends=True)


def _figsize_fault(value: Any) -> str | None:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return ""
    return None if all(_inches.fault(length) is None for length in value) else ""


FigSize = Annotated[
    tuple[float, float], kinds.Kind("a pair (width, height) in inches", _figsize_fault)
]


def canvas(
    who: str,
    ax: Any,
    rows: int = 1,
    columns: int = 1,
    *,
    figsize: tuple[float, float] | None = None,
    size: tuple[float, float] = (6.0, 3.6),
    **options: Any,
) -> Any:
    """The given axes, or those of a new figure: one Axes, or an array of them where there are
    several.

    :param who: the name that an error begins with.
    :param ax: what the caller gave, or ``None``.
    :param figsize: what the caller gave, or ``None``.
    :param size: width and height of a new figure in inches where the caller gave none.
    :param options: of ``matplotlib.pyplot.subplots``.
    :raises ImportError: where matplotlib is not installed.
    :raises SymmetryError: where the number of axes given is another, or a size comes with them.
    """
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                "Pictures need matplotlib: pip install 'numpyro_sym[plots]'."
            ) from error
        size = size if figsize is None else figsize
        return plt.subplots(rows, columns, figsize=size, layout="constrained", **options)[1]
    flat = np.ravel(np.asarray(ax, object))
    if flat.size != rows * columns:
        raise SymmetryError(f"{who}: this picture needs {rows} x {columns} axes; got {flat.size}.")
    for one in flat:
        if not hasattr(one, "plot") or not hasattr(one, "figure"):
            raise SymmetryError(
                f"{who}: ax must be matplotlib axes to draw on; got {describe(one)}. Write "
                "ax=plt.subplots()[1]."
            )
    if figsize is not None:
        raise SymmetryError(
            f"{who}: figsize is the size of a new figure, and ax has one. Give one of the two."
        )
    return ax


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


def legend_beside(ax: Any, **options: Any) -> Any:
    """A legend to the right of what it explains, in lines that show their color.

    :param options: of ``Axes.legend``.
    """
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    legend = ax.legend(frameon=False, fontsize="small", **(beside | options))
    for handle in legend.legend_handles:
        handle.set_alpha(1)
        if hasattr(handle, "set_markersize"):  # a line, however thin or faint it is drawn
            handle.set_linewidth(2.5)
    return legend
