"""Factor models, whose factors may be rotated: every draw brought to one rotation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..symmetry import SymmetryError, factor_model, kinds, short_repr
from ..symmetry.arguments import check_arguments, refusal
from ..symmetry.arrays import real_array
from ..symmetry.bars import progress
from ..symmetry.deprecated import renamed_arguments
from ._align import aligned
from .ranges import refuse_out_of_range, unit_of
from .varimax_turns import most_varied

_MAX_ITERATIONS = 1000


class Rotated(NamedTuple):
    """Factor models after rotation.

    :param loadings: floats ``(*sample, variables, factors)``: ``old @ rotation``.
    :param rotation: orthogonal matrices ``(*sample, factors, factors)``; scores rotate alike.
    :param distance: Euclidean distance of each draw's loadings from the reference, ``(*sample,)``.
    :param reference: loadings that the draws were brought to, ``(variables, factors)``.
    :param settled: whether what was repeated until it is still (a draw's varimax, the iterated mean
        of Procrustes) came to rest, ``(*sample,)``.
    """

    loadings: np.ndarray
    rotation: np.ndarray
    distance: np.ndarray
    reference: np.ndarray
    settled: np.ndarray

    def __repr__(self) -> str:
        return short_repr(self)


@renamed_arguments(normalise="normalize")
def varimax(
    loadings: ArrayLike,
    *,
    normalize: bool = False,
    tolerance: kinds.PositiveNumber = 1e-7,
    progress_bar: bool = True,
) -> np.ndarray:
    """The rotation of greatest variance of squared loadings within factors: Kaiser 1958.

    :param loadings: floats ``(*sample, variables, factors)``.
    :param normalize: whether each variable's loadings are first brought to length 1 (Kaiser's).
    :param tolerance: largest angle, in radians, by which a pair of factors is still to be turned.
    :param progress_bar: whether to show one where it takes long.
    :returns: orthogonal matrices ``(*sample, factors, factors)``; rotated loadings are ``loadings @
        rotation``.
    :raises SymmetryError: where loadings are not finite or no matrices.

    >>> turned = np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> np.abs(turned @ varimax(turned)).round(6) + 0.0
    array([[1.414214, 0.      ],
           [0.      , 1.414214]])
    """
    check_arguments(varimax, locals())
    given = _loadings("varimax", "loadings", loadings)
    flat = given.reshape(-1, *given.shape[-2:])
    with progress("varimax", "draws", progress_bar):
        rotation, _settled = _varimax(flat, normalize, tolerance)
    return rotation.reshape(*given.shape[:-2], *rotation.shape[1:])


def _varimax(
    given: np.ndarray, normalize: bool, tolerance: float = 1e-7
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations of draws ``(draw, variables, factors)``, and whether each has settled."""
    x = given.astype(float)
    x /= unit_of(x)  # fourth powers stay in range, and angles as they are
    if normalize:
        length = np.linalg.norm(x, axis=-1, keepdims=True)
        x = x / np.where(length > 0, length, 1)
    rotation, settled = most_varied(x, tolerance)
    return rotation.astype(given.dtype), settled


@renamed_arguments(normalise="normalize")
def align_varimax(
    loadings: ArrayLike,
    *,
    reference: ArrayLike | None = None,
    normalize: bool = False,
    progress_bar: bool = True,
) -> Rotated:
    """Varimax for each draw, then the order and signs nearest to the mean, until it is still.

    Rotation-sign-permutation of Papastamoulis and Ntzoufras 2022; its signs are exact here at the
    cost of one assignment for each draw, where theirs enumerate ``2**factors``.

    Draws of an ArviZ object, and their scores: :func:`numpyro_sym.diagnostics.align_rotations`.

    :param loadings: floats ``(*sample, variables, factors)``.
    :param reference: floats ``(variables, factors)``, near to which order and signs are to be; by
        default the mean.
    :param normalize: as in :func:`varimax`.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`Rotated`.
    :raises SymmetryError: where loadings are not finite or no matrices, or do not fit the
        reference.
    """
    check_arguments(align_varimax, locals())
    x = _loadings("align_varimax", "loadings", loadings)
    point: Any = "mean"
    if reference is not None:
        point = {"loadings": _fitting("align_varimax", x, reference)}
    flat = x.reshape(-1, *x.shape[-2:])
    sym = factor_model(x.shape[-1], loadings={"loadings": 1})
    with progress("align_varimax", "draws", progress_bar):
        rotation, settled = _varimax(flat, normalize)
        found = aligned("align_varimax", {"loadings": flat @ rotation}, point, sym, sample_ndim=1)
    rotation = sym.act(found.elements, {"loadings": rotation})["loadings"]
    return _packed(x, rotation, found.sites["loadings"], found.reference["loadings"], settled)


def align_procrustes(loadings: ArrayLike, reference: ArrayLike | None = None) -> Rotated:
    """The rotation (or reflection) of each draw that is nearest to a reference.

    Draws of an ArviZ object, and their scores: :func:`numpyro_sym.diagnostics.align_rotations`.

    Orthogonal Procrustes (Schoenemann 1966); without a reference, to the iterated mean of the
    rotated draws: Assmann, Boysen-Hogrefe and Pape 2016.

    :param loadings: floats ``(*sample, variables, factors)``.
    :param reference: floats ``(variables, factors)``, or ``None``.
    :returns: a :class:`Rotated`.
    :raises SymmetryError: where loadings are not finite or no matrices, or do not fit the
        reference.
    """
    x = _loadings("align_procrustes", "loadings", loadings)
    flat = x.reshape(-1, *x.shape[-2:])
    target, before = flat[0], np.inf
    sizes = {"loadings": flat}
    if reference is not None:
        target = _fitting("align_procrustes", x, reference)
        sizes["reference"] = target
    refuse_out_of_range("align_procrustes", sizes, 40)
    for _ in range(_MAX_ITERATIONS):
        u, _s, vt = np.linalg.svd(flat.swapaxes(-1, -2) @ target)
        rotation = u @ vt
        moved = flat @ rotation
        total = float(np.square(moved - target).sum(dtype=float))
        still = reference is not None or before - total <= 1e-10 * total
        if still:
            break
        before, target = total, moved.mean(0)
    return _packed(x, rotation, moved, target, np.full(len(flat), still))


def _fitting(who: str, x: np.ndarray, reference: Any) -> np.ndarray:
    """A reference of the shape and type of each draw's loadings."""
    target = _loadings(who, "reference", reference).astype(x.dtype)
    if target.shape != x.shape[-2:]:
        raise SymmetryError(
            f"{who}: the reference has shape {target.shape}; expected {x.shape[-2:]}."
        )
    return target


def _loadings(who: str, name: str, given: Any) -> np.ndarray:
    expected = "floats of shape (*sample, variables, factors)"
    if hasattr(given, "posterior") or hasattr(given, "data_vars") or hasattr(given, "children"):
        remedy = "Of an ArviZ object: numpyro_sym.diagnostics.align_rotations."
        raise SymmetryError(refusal(who, name, given, expected, remedy))
    x = real_array(who, name, given, expected, ndim=2)
    if not np.issubdtype(x.dtype, np.floating):
        raise SymmetryError(refusal(who, name, given, expected))
    return x


def _packed(
    given: np.ndarray,
    rotation: np.ndarray,
    moved: np.ndarray,
    reference: np.ndarray,
    settled: np.ndarray,
) -> Rotated:
    sample = given.shape[:-2]
    distance = np.sqrt(np.square(moved - reference).sum((-1, -2)))
    return Rotated(
        moved.reshape(given.shape),
        rotation.reshape((*sample, *rotation.shape[1:])),
        distance.reshape(sample),
        reference,
        settled.reshape(sample),
    )
