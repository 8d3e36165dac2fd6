"""Draws brought to one labeling by the labels that they hold: which observations go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...symmetry import Element, Symmetry, SymmetryError, Units, kinds, short_repr
from ...symmetry.arguments import check_arguments
from ...symmetry.bars import progress, tracked
from ...symmetry.labels import labels_by_set
from ...symmetry.validity import check_labels
from ._ecr import ecr, ecr_iterative


class ByLabels(NamedTuple):
    """Draws after relabeling.

    :param sites: the draws, moved: parameters and labels together.
    :param elements: units name -> the element of each draw that moved it.
    :param disagreements: in how many entries the moved labels differ from the pivot's, summed over
        draws.
    """

    sites: dict[str, Any]
    elements: dict[str, Element]
    disagreements: float

    def __repr__(self) -> str:
        return short_repr(self)


def align_by_labels(
    sites: kinds.Sites,
    sym: Symmetry,
    *,
    pivot: kinds.Sites | None = None,
    sample_ndim: kinds.Positive = 1,
    progress_bar: bool = True,
) -> ByLabels:
    """Relabel draws so that their labels agree as often as may be, and move everything with them.

    :func:`ecr_iterative` over all sites that hold labels of a ``Units`` (``values``), taken
    together, each set of a batch by itself: Papastamoulis and Iliopoulos 2010, Papastamoulis 2014.
    Parameters have no part in it: where these are flat or overlap and the labels do not, it is the
    better match, and :func:`numpyro_sym.align` else.

    :param sites: site name -> array ``(*sample, *site)``, NumPy or JAX: labels, and whatever moves
        with them.
    :param sym: permutations, each of whose ``Units`` names a site of labels that is there.
    :param pivot: site name -> labels of one draw to agree with, of every site of labels; left out,
        the commonest label of each entry, until it is still.
    :param sample_ndim: how many leading sample dimensions there are.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`ByLabels`.
    :raises SymmetryError: where units have factors or no labels, others permute their sets, or
        numbers are no labels.

    >>> from numpyro_sym import mixture
    >>> draws = {"mu": np.array([[0.0, 5.0], [5.0, 0.0]]), "z": np.array([[0, 0, 1], [1, 1, 0]])}
    >>> found = align_by_labels(draws, mixture(2, {"mu": 0}, assignments="z"))
    >>> found.sites["mu"].tolist(), found.sites["z"].tolist()
    ([[0.0, 5.0], [0.0, 5.0]], [[0, 0, 1], [0, 0, 1]])
    """
    check_arguments(align_by_labels, locals())
    if not len(sym):
        raise SymmetryError(
            "align_by_labels: the symmetry has no Units, so there is nothing to align by."
        )
    _refuse_exchanged(sym)
    for u in sym:
        _refuse(u, sites)
    first = next(site for site in sym.label_sites if site in sites)
    shapes = {site: np.shape(x) for site, x in sites.items()}
    sym.check_shapes(shapes, shapes[first][:sample_ndim])
    elements, disagreements = {}, 0.0
    for u in sym:
        labels = _labels_of(u, sites, sample_ndim)
        sample = labels.shape[:sample_ndim]
        # (draw, set, entry)
        by_set = labels.reshape(int(np.prod(sample)), u.sets, labels.shape[-1])
        at = None
        if pivot is not None:
            at = _labels_of(u, _pivot_of(u, sites, pivot), 0).reshape(u.sets, -1)
        permutations = []
        with progress("align_by_labels", "sets", progress_bar):
            for k in tracked("sets", range(u.sets), u.sets):
                one = by_set[:, k]
                found = ecr_iterative(one, u.n) if at is None else ecr(one, at[k], u.n)
                permutations.append(found.permutation)
                disagreements += found.objective
        # (draw, set, n) to (*sample, *batch, n)
        permutation = np.stack(permutations, 1).reshape(*sample, *u.shape)
        elements[u.name] = Element(permutation, np.ones(permutation.shape))
    return ByLabels(sym.act(elements, sites), elements, disagreements)


def _refuse_exchanged(sym: Symmetry) -> None:
    for u in sym:
        for _, outer in sym.outer_of(u):
            raise SymmetryError(
                f"align_by_labels: Units {outer.name!r} permute the sets of Units {u.name!r}, "
                "which are matched one by one. Use numpyro_sym.align, or "
                f"sym.without({outer.name!r})."
            )


def _refuse(u: Units, sites: Mapping[str, Any]) -> None:
    if u.has_factors:
        raise SymmetryError(
            f"align_by_labels: Units {u.name!r} are {u.kind}, and labels tell no factors. Use "
            "numpyro_sym.align, or sym.select('permutation')."
        )
    if not any(site in sites for site in u.values):
        raise SymmetryError(
            f"align_by_labels: no site holds labels of Units {u.name!r}; they name "
            f"{list(u.values)} in values, and there are {sorted(sites)}. Use numpyro_sym.align, or "
            f"sym.without({u.name!r})."
        )


def _pivot_of(u: Units, sites: Mapping[str, Any], pivot: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pivot's labels, of the sites that the draws have too, and of their shapes."""
    there = [site for site in u.values if site in sites]
    for site in there:
        shape = np.shape(sites[site])
        if site not in pivot or shape[len(shape) - np.ndim(pivot[site]) :] != np.shape(pivot[site]):
            there_is = {name: np.shape(x) for name, x in pivot.items()}
            raise SymmetryError(
                f"align_by_labels: the pivot must have labels of site {site!r}, of its shape "
                f"{shape} without sample dimensions; it has {there_is}."
            )
    return {site: pivot[site] for site in there}


def _labels_of(u: Units, sites: Mapping[str, Any], lead: int) -> np.ndarray:
    """All labels of the units, ``(*sample, *batch, entries)``."""
    parts = []
    for site, axis in u.labeled:
        if site not in sites:
            continue
        check_labels("align_by_labels", u, site, sites[site])
        # (*sample, *batch, entry)
        parts.append(labels_by_set(np.asarray(sites[site]), axis, lead).astype(int))
    return np.concatenate(parts, -1)
