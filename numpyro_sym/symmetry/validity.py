"""Whether arrays are elements of a group: permutations, and factors of their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from .arguments import describe
from .element import Element
from .errors import SymmetryError
from .units import Units


def check_element(who: str, u: Units, element: Element) -> None:
    """Raise unless an element is one of these units; traced arrays are held to their shapes alone.

    :param who: the name that the error begins with.
    :raises SymmetryError: naming the units, what came and what was expected.
    """
    permutation, factor = element
    for what, x in (("permutation", permutation), ("factor", factor)):
        if (
            not hasattr(x, "shape")
            or x.shape[-len(u.shape) :] != u.shape
            or x.shape != permutation.shape
        ):
            raise SymmetryError(
                f"{who}: the {what} of Units {u.name!r} is {describe(x)}; expected an array of "
                "shape "
                f"(*sample, {', '.join(map(str, u.shape))})."
            )
    refuse_no_permutation(who, f"the permutation of Units {u.name!r}", permutation)
    if isinstance(factor, jax.core.Tracer):
        return
    f = np.asarray(factor)
    fits = {"permutation": f == 1, "signed": abs(f) == 1, "scaled": (f > 0) & np.isfinite(f)}[
        u.kind
    ]
    if not fits.all():
        expected = {"permutation": "1", "signed": "-1 or 1", "scaled": "positive and finite"}[
            u.kind
        ]
        raise SymmetryError(
            f"{who}: factors of Units {u.name!r} (kind {u.kind!r}) must be {expected}; got "
            f"{f[~fits].flat[0]}."
        )


def check_elements(who: str, units: tuple[Units, ...], elements: Mapping[str, Any]) -> None:
    """:func:`check_element` for all ``Units`` of a symmetry, whose elements share one
    sample shape.
    """
    for u in units:
        check_element(who, u, elements[u.name])


def check_labels(who: str, u: Units, site: str, labels: Any) -> None:
    """Raise unless a site holds labels of units; of a traced array there are no numbers to look at.

    :raises SymmetryError: naming the units, the site, what came and what was expected.
    """
    dtype = getattr(labels, "dtype", None)
    if dtype is None or not (np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.bool_)):
        raise SymmetryError(
            f"{who}: site {site!r} holds labels of Units {u.name!r} and is {describe(labels)}; "
            "expected integers "
            f"0 .. {u.n - 1}. Convert it, as x.astype(int), where its numbers are whole."
        )
    if isinstance(labels, jax.core.Tracer) or not labels.size:
        return
    x = np.asarray(labels)
    least, most = int(x.min()), int(x.max())
    if least < 0 or most >= u.n:
        remedy = " They seem to count from 1: subtract 1." if (least, most) == (1, u.n) else ""
        raise SymmetryError(
            f"{who}: site {site!r} holds labels of Units {u.name!r}, 0 .. {u.n - 1}; its numbers "
            f"run from {least} to "
            f"{most}.{remedy}"
        )


def refuse_no_permutation(who: str, what: str, permutation: Any) -> None:
    """Raise unless every row holds each of ``0 .. n-1`` once; of a traced array there are no
    numbers to look at.
    """
    if not hasattr(permutation, "dtype") or not np.issubdtype(permutation.dtype, np.integer):
        raise SymmetryError(f"{who}: {what} must be of ints; got {describe(permutation)}.")
    if isinstance(permutation, jax.core.Tracer):
        return
    rows = np.asarray(permutation).reshape(-1, permutation.shape[-1])
    n = rows.shape[-1]
    fits = ((rows >= 0) & (rows < n)).all(-1)
    if fits.all():
        seen = np.zeros(rows.shape, bool)
        np.put_along_axis(seen, rows, True, -1)
        fits = seen.all(-1)
    if not fits.all():
        row = rows[np.flatnonzero(~fits)[0]]
        raise SymmetryError(
            f"{who}: {what} is none of 0 .. {n - 1}: {row.tolist()} does not hold each "
            "once. An element is made by sym.sample, sym.elements, align or elements_of."
        )
