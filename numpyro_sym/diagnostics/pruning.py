"""Which weights matter: those whose posterior is narrow, or far from zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..symmetry import SymmetryError, kinds, short_repr
from ..symmetry.arguments import check_arguments
from ..symmetry.arrays import real_array
from ..symmetry.bars import progress
from ..symmetry.parts_of_rows import mapped_in_parts
from ..symmetry.programs import of_one_draw, refuse_no_number

Sites = Mapping[str, Any]
Rule = Literal["sd", "snr", "magnitude"]
#: What is pruned first.
RULES: dict[Rule, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "sd": lambda mean, sd: -sd,
    "snr": lambda mean, sd: np.abs(mean) / np.where(sd > 0, sd, np.finfo(float).tiny),
    "magnitude": lambda mean, sd: np.abs(mean),
}


class PruningCurve(NamedTuple):
    """What is left of a score as weights are set to zero.

    :param fraction: share of the weights that are zero.
    :param score: the score there.
    :param by: the rule.
    """

    fraction: np.ndarray
    score: np.ndarray
    by: str

    def __repr__(self) -> str:
        return short_repr(self)


def pruning_masks(
    loc: kinds.Point, scale: kinds.Scales, fractions: Any, *, by: Rule = "sd"
) -> dict[str, np.ndarray]:
    """Which weights are kept when so large a share is pruned, all sites together.

    :param loc: site name -> posterior means of aligned draws.
    :param scale: site name -> posterior standard deviations.
    :param fractions: shares to prune, between 0 and 1.
    :param by: ``"sd"``: the largest standard deviation first (Xiao, Liu and Bamler 2023, arXiv
        2401.00611); ``"snr"``: the smallest ``|mean| / sd`` first; ``"magnitude"``: the smallest
        ``|mean|`` first.
    :returns: site name -> booleans ``(fraction, *site)``, true where a weight is kept.
    :raises SymmetryError: where the rule is unknown, a share is out of range, or shapes differ.

    >>> pruning_masks({"w": np.array([1.0, 2.0])}, {"w": np.array([3.0, 0.1])}, [0.5])["w"].tolist()
    [[False, True]]
    """
    check_arguments(pruning_masks, locals())
    expected = "numbers between 0 and 1"
    share = real_array("pruning_masks", "fractions", fractions, expected, ndim=(1,)).astype(float)
    if not ((share >= 0) & (share <= 1)).all():
        raise SymmetryError(f"pruning: fractions must lie between 0 and 1; got {fractions!r}.")
    for name, mean in loc.items():
        if name not in scale or np.shape(scale[name]) != np.shape(mean):
            raise SymmetryError(
                f"pruning: site {name!r} needs means and standard deviations of one shape."
            )
    each = []
    for name, mean in loc.items():
        each.append(RULES[by](np.asarray(mean, float), np.asarray(scale[name], float)).ravel())
    worth = np.concatenate(each)
    rank = np.empty(worth.size, int)
    # How many weights are worth less: pruned before.
    rank[np.argsort(worth, kind="stable")] = np.arange(worth.size)
    kept = rank >= np.round(share * worth.size)[:, None]  # (fraction, weight)
    ends = np.cumsum([np.size(mean) for mean in loc.values()])[:-1]
    masks = {}
    for (name, mean), part in zip(loc.items(), np.split(kept, ends, axis=1), strict=True):
        masks[name] = part.reshape(-1, *np.shape(mean))
    return masks


def pruning_curve(
    score: kinds.Function,
    loc: kinds.Point,
    scale: kinds.Scales,
    fractions: Any = None,
    *,
    by: Rule = "sd",
    fixed: kinds.Sites | None = None,
    progress_bar: bool = True,
) -> PruningCurve:
    """A score of the posterior mean as more and more weights are set to zero.

    :param score: site name -> array to a number (accuracy, log density); traced by JAX.
    :param loc: as for :func:`pruning_masks`.
    :param scale: as for :func:`pruning_masks`.
    :param fractions: as for :func:`pruning_masks`; 0, .05, ..., 1 by default.
    :param by: as for :func:`pruning_masks`.
    :param fixed: other sites that the score reads, which are not pruned.
    :param progress_bar: whether to show one where it takes long.
    :returns: a :class:`PruningCurve`.
    :raises SymmetryError: as :func:`pruning_masks`.

    >>> mean, sd = {"w": np.array([1.0, 5.0])}, {"w": np.array([0.1, 0.2])}
    >>> pruning_curve(lambda p: p["w"].sum(), mean, sd, [0.0, 0.5, 1.0]).score.tolist()
    [6.0, 1.0, 0.0]
    """
    check_arguments(pruning_curve, locals())
    share = np.linspace(0, 1, 21) if fractions is None else fractions
    masks = pruning_masks(loc, scale, share, by=by)
    points = {name: jnp.asarray(loc[name]) * jnp.asarray(mask) for name, mask in masks.items()}

    def score_at(point: Sites) -> Any:
        return score({**(fixed or {}), **point})

    refuse_no_number("pruning_curve", "score", score_at, of_one_draw(points))
    with progress("pruning_curve", "points", progress_bar):
        scores = mapped_in_parts(score_at, points, "points")
    return PruningCurve(np.asarray(share, float), scores, by)
