"""How far apart two permutations are: the least number of exchanges that turn one into
the other.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import numpy as np

from ..symmetry import Element, SymmetryError, kinds
from ..symmetry.algebra import compose, inverse
from ..symmetry.arguments import check_arguments
from ..symmetry.arrays import real_array
from ..symmetry.validity import refuse_no_permutation


def num_transpositions(permutation: Any) -> np.ndarray:
    """The least number of exchanges of two that make up a permutation: ``n`` less its cycles.

    Xiao, Liu and Bamler 2023, arXiv 2401.00611. Each slot learns the least slot of its cycle by
    doubling steps, so that a whole batch takes ``log n`` of them.

    :param permutation: ints of shape ``(..., n)``.
    :returns: ints of shape ``(...)``.
    :raises SymmetryError: where a row is no permutation.

    >>> num_transpositions([[0, 1, 2], [1, 2, 0]]).tolist()
    [0, 2]
    """
    expected = "ints (..., n), every row a permutation of 0 .. n-1"
    jump = real_array("num_transpositions", "permutation", permutation, expected, ndim=1)
    refuse_no_permutation("num_transpositions", "a row", jump)
    n = jump.shape[-1]
    slots = np.arange(n)
    least = np.broadcast_to(slots, jump.shape)
    for _ in range(ceil(log2(n)) if n > 1 else 0):
        # A jump of 1, 2, 4, ... steps along the cycle.
        least = np.minimum(least, np.take_along_axis(least, jump, -1))
        jump = np.take_along_axis(jump, jump, -1)
    return n - (least == slots).sum(-1)


def transpositions(
    elements: kinds.Elements, other: kinds.Elements | None = None
) -> dict[str, np.ndarray]:
    """How many exchanges of units lie between elements; signs and scales do not count.

    For two draws, the elements that align them tell how many of their units must be exchanged to
    bring one to the other: 0 where a chain never switched labels.

    Each set of a batch is counted by itself, in the place where it came to lie. Where other units
    exchange the sets, give ``sym.compose(elements, sym.inverse(other))`` alone.

    :param elements: units name -> :class:`~numpyro_sym.Element`, as :func:`numpyro_sym.align` gives
        or :func:`elements_of` reads.
    :param other: what to compare with, of shapes that broadcast; by default the identity.
    :returns: units name -> ints of shape ``(*sample, *batch)``.
    :raises SymmetryError: where ``other`` lacks units.

    >>> import numpy as np
    >>> from numpyro_sym import Element
    >>> g = {"hidden": Element(np.array([[1, 0, 2], [1, 0, 2]]), np.ones((2, 3)))}
    >>> transpositions(g)["hidden"].tolist(), transpositions(g, g)["hidden"].tolist()
    ([1, 1], [0, 0])
    """
    check_arguments(transpositions, locals())
    out = {}
    for name, g in elements.items():
        moved = _on_host(name, g)
        if other is not None:
            if name not in other:
                raise SymmetryError(
                    f"transpositions: the other elements lack Units {name!r}; they have "
                    f"{sorted(other)}."
                )
            back = inverse(_on_host(name, other[name]))
            shape = _common_shape(name, moved, back)
            moved = Element(*(np.broadcast_to(a, shape) for a in moved))
            back = Element(*(np.broadcast_to(a, shape) for a in back))
            moved = compose(moved, back)
        out[name] = num_transpositions(moved.permutation)
    return out


def _on_host(name: str, g: Element) -> Element:
    """An element as NumPy arrays; signs and scales do not count, so they are left out."""
    permutation = real_array(
        "transpositions", f"permutation of {name!r}", g.permutation, "ints (..., n)", ndim=1
    )
    refuse_no_permutation("transpositions", f"the permutation of {name!r}", permutation)
    return Element(permutation, np.ones(permutation.shape))


def _common_shape(name: str, one: Element, other: Element) -> tuple[int, ...]:
    shapes = one.permutation.shape, other.permutation.shape
    if shapes[0][-1] == shapes[1][-1]:
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            pass
    raise SymmetryError(
        f"transpositions: elements of Units {name!r} have shapes {shapes[0]} and {shapes[1]}."
    )
