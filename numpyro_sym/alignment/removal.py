"""Symmetry removal after the fact: signs by a linear classifier, labels by nearest neighbors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..symmetry import Element, Symmetry, SymmetryError, Units, kinds, short_repr
from ..symmetry.arguments import check_arguments
from ..symmetry.bars import advance, progress
from ..symmetry.deprecated import renamed_arguments
from .engine.assignment import assign
from .engine.moves import act_on_draws
from .in_stacks import on_arrays
from .packing import pack
from .ranges import refuse_out_of_range, widened

# So many votes are counted at once, or those of one draw.
_VOTES = 2**22


class Removed(NamedTuple):
    """Draws after symmetry removal.

    :param sites: the draws, moved along their orbits; of the shapes and kind that came in.
    :param elements: units name -> the element of each draw that moved it.
    """

    sites: dict[str, Any]
    elements: dict[str, Element]

    def __repr__(self) -> str:
        return short_repr(self)


@renamed_arguments(num_neighbours="num_neighbors")
def remove_symmetry(
    sites: kinds.Sites,
    sym: Symmetry,
    *,
    sample_ndim: kinds.Positive = 1,
    num_neighbors: kinds.Positive = 32,
    penalty: kinds.PositiveNumber = 1.0,
    max_sweeps: kinds.Positive = 50,
    progress_bar: bool = True,
) -> Removed:
    """The symmetry removal of Wiese et al. 2023 (arXiv 2304.02902, section 4.2), as a fold after
    the fact.

    Layer by layer, the last first. Each unit of each draw is a point: all of its incoming and
    outgoing entries. Signs: a hyperplane through the origin, ``min 1/2 |b|^2 + C sum max(0, 1 - |b
    . x|)``, and points on its negative side are turned. Labels: each draw's units take the labels
    that most of their nearest neighbors in all draws bear, one label a unit, again and again until
    they rest.

    It needs no reference, and it has no optimum that it could be held to: where units overlap,
    :func:`numpyro_sym.align` is nearer and faster. All draws are used at once, so it is no fold of
    a chain.

    :param sites: site name -> floats ``(*sample, *site)``; labels of units ride along, where they
        are there.
    :param sym: permutations and signs, first layer first.
    :param sample_ndim: how many leading sample dimensions there are.
    :param num_neighbors: how many neighbors vote.
    :param penalty: ``C``.
    :param max_sweeps: the most rounds of either step, for each ``Units``.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`Removed`.
    :raises SymmetryError: for scaled units, units whose sets others permute, too few draws, or
        sites that do not fit.

    >>> import numpy as np
    >>> from numpyro_sym import mixture
    >>> from numpyro_sym.alignment import remove_symmetry
    >>> draws = {"mu": np.array([[0.0, 5.0], [5.1, 0.1], [0.2, 5.2]])}
    >>> mu = remove_symmetry(draws, mixture(2, {"mu": 0}), num_neighbors=2).sites["mu"]
    >>> bool((mu[:, 0] < 1).all() or (mu[:, 1] < 1).all())
    True
    """
    check_arguments(remove_symmetry, locals())
    sym.refuse_scaled("remove_symmetry")
    if not len(sym):
        raise SymmetryError(
            "remove_symmetry: the symmetry has no Units, so there is nothing to remove."
        )
    for u in sym:
        for _, outer in sym.outer_of(u):
            raise SymmetryError(
                f"remove_symmetry: Units {outer.name!r} permute the sets of Units {u.name!r}, "
                "which are removed one by one. Use numpyro_sym.align, or "
                f"sym.without({outer.name!r})."
            )
    work = partial(_removed, num_neighbors, penalty, max_sweeps, sample_ndim)
    with progress("remove_symmetry", "rounds", progress_bar):
        if sym.stacks:
            return on_arrays(work, sites, sym, sample_ndim)
        return work(sites, sym)


def _removed(
    num_neighbors: int,
    penalty: float,
    max_sweeps: int,
    sample_ndim: int,
    sites: Mapping[str, Any],
    sym: Symmetry,
) -> Removed:
    packed = pack("remove_symmetry", sites, sym, sample_ndim)
    num_draws = packed.batch
    if num_draws < 2:
        raise SymmetryError(
            f"remove_symmetry: labels are told from one another by many draws; got {num_draws}."
        )
    refuse_out_of_range("remove_symmetry", packed.draws, 40)
    whole, sym = sym, sym.without_values()
    draws = {name: widened(x) for name, x in packed.draws.items()}
    elements = {}
    for u in reversed(sym.units):
        sign = np.ones((num_draws, *u.shape))
        if u.has_signs:
            sign = _signs(u, draws, penalty, max_sweeps)
        straight = np.broadcast_to(np.arange(u.n), sign.shape)
        turned = _acted(u, Element(straight, sign), draws)
        # Signs no longer matter: all entries of a unit are one point.
        points = _by_set(np.concatenate(_parts(u, turned)[0] + _parts(u, turned)[1], -1))
        slots = [_labels(x, num_neighbors, max_sweeps) for x in points]
        order = np.stack(slots, 1).reshape(sign.shape)  # (draw, *batch, n)
        draws = {**draws, **_acted(u, Element(order, np.ones(sign.shape)), turned)}
        # Signs were turned first: each goes along with its unit.
        elements[u.name] = Element(order, np.take_along_axis(sign, order, -1))

    in_order = {u.name: elements[u.name] for u in sym}
    labels = packed.moved_labels(whole, in_order)
    elements = packed.unpack_elements(in_order, np.dtype(float))
    return Removed(packed.unpack({**draws, **labels}), elements)


def _acted(u: Units, element: Element, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    own = {site: draws[site] for site in u.sites}
    return {**draws, **act_on_draws(Symmetry([u]), {u.name: element}, own)}


def _parts(u: Units, draws: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Entries ``(draws, *batch, n, entries)`` of each unit, by site: those that a sign turns, and
    the others.
    """
    turned: list[np.ndarray] = []
    still: list[np.ndarray] = []
    for site, axs in u.placements:
        for axis in axs:
            part = turned if u.turns(axis) else still
            part.append(axis.blocks(draws[site], u.n, lead=1))
    return turned, still


def _signs(
    u: Units, draws: Mapping[str, np.ndarray], penalty: float, max_sweeps: int
) -> np.ndarray:
    """Of each unit of each draw, ``(draws, *batch, n)``: a hyperplane for each set."""
    turned, _ = _parts(u, draws)
    if not turned:
        raise SymmetryError(f"remove_symmetry: no site tells the signs of Units {u.name!r}.")
    sides = [_sides(x, penalty, max_sweeps) for x in _by_set(np.concatenate(turned, -1))]
    return np.stack(sides, 1).reshape(-1, *u.shape)


def _by_set(points: np.ndarray) -> np.ndarray:
    """Points ``(draws, *batch, n, entries)`` as ``(sets, draws, n, entries)``."""
    return points.reshape(len(points), -1, *points.shape[-2:]).swapaxes(0, 1)


def _sides(points: np.ndarray, penalty: float, max_sweeps: int) -> np.ndarray:
    """Of points ``(draws, n, entries)``: concave-convex steps, the side of each point
    held in each.
    """
    from scipy.optimize import minimize

    flat = points.reshape(-1, points.shape[-1])
    beta = np.linalg.svd(flat, full_matrices=False)[2][0]
    side = np.where(flat @ beta < 0, -1.0, 1.0)
    for _ in range(max_sweeps):
        given = (flat * side[:, None], penalty)
        beta = minimize(_hinge, beta, given, jac=True, method="L-BFGS-B").x
        advance("rounds")
        new = np.where(flat @ beta < 0, -1.0, 1.0)
        if (new == side).all():
            break
        side = new
    return side.reshape(points.shape[:2])


def _hinge(
    beta: np.ndarray, points: np.ndarray, penalty: float, corner: float = 0.1
) -> tuple[float, np.ndarray]:
    """1/2 |b|^2 + C sum of hinges, rounded off over ``corner`` at the kink, and its gradient."""
    gap = 1 - points @ beta
    slope = np.clip(gap / corner, 0, 1)
    loss = np.where(gap > corner, gap - corner / 2, slope * gap / 2)
    return beta @ beta / 2 + penalty * loss.sum(), beta - penalty * slope @ points


def _labels(points: np.ndarray, num_neighbors: int, max_sweeps: int) -> np.ndarray:
    """Which unit of each draw stands in which slot, ``(draws, n)``, by votes of nearest
    neighbors.
    """
    from scipy.spatial import cKDTree

    num_draws, n, _ = points.shape
    flat = points.reshape(num_draws * n, -1)
    count = min(num_neighbors, len(flat) - 1)
    near = cKDTree(flat).query(flat, k=count + 1)[1][:, 1:]  # the first is the point itself
    label = np.tile(np.arange(n), num_draws)
    for _ in range(max_sweeps):
        slots = _elected(label, near, n)
        advance("rounds")
        if (slots == label).all():
            break
        label = slots
    # The label of each unit to the unit of each label.
    return np.argsort(label.reshape(num_draws, n), -1)


def _elected(label: np.ndarray, near: np.ndarray, n: int) -> np.ndarray:
    """Each draw's assignment of labels to its units by their neighbors' votes; of equals, as they
    are.

    :param label: ints ``(draws * n,)``.
    :param near: each unit's neighbors, ``(draws * n, neighbors)``.
    """
    out = np.empty_like(label)
    # Votes of whole draws at a time: one draw's are (unit, label).
    size = n * max(1, _VOTES // n**2)
    for begin in range(0, len(label), size):
        rows = slice(begin, begin + size)
        count = len(label[rows])
        # Where each unit's votes begin in the flat array.
        start = n * np.arange(count)
        votes = np.bincount((start[:, None] + label[near[rows]]).ravel(), minlength=count * n)
        votes = votes.astype(float)
        votes[start + label[rows]] += 0.5
        out[rows] = assign(votes.reshape(-1, n, n)).ravel()
    return out
