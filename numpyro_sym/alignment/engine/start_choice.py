"""Which starts draws get where none are named: those by which they can still come nearer.

Measured over the networks of benchmarks/alignment_quality.py: layer by layer finds whatever is
planted where a layer's own arrays tell its units apart. Where they do not, annealing comes nearest
of all; but not where a wide layer has more numbers of its own than it shares, and there it takes
ten times as long.
"""

from __future__ import annotations

import numpy as np

from ...symmetry import Units
from .factors import best_factors
from .objective import Objective
from .scores import Scores

#: A start for each draw: layer by layer where its own arrays tell its units apart, else annealed.
FORWARD_OR_ANNEALED = "forward or annealed"
# Below this every start is cheap, and by fewer of them some draws would be farther; so they would
# where a unit has fewer numbers of its own than this.
_NARROW, _WIDE = 32, 200
_FEW_NUMBERS = 8
# Of so many slots the nearest units must differ.
_DISTINCT = 0.75


def chosen_starts(objective: Objective) -> tuple[str, ...]:
    """The starts of wide layers; none where the usual ones are right: in narrow layers, of scales,
    for units on two axes of one array, or where no array tells much of any units by itself.
    """
    sym = objective.sym
    if objective.is_linear or not objective.has_array_of_its_own:
        return ()
    if any(objective.is_quadratic(u) or u.has_scales or u.batch for u in sym):
        return ()
    first = _told_best(objective)
    widest = max(u.n for u in sym)
    own, shared = _own_and_shared(objective, first)
    if widest > _WIDE and own > shared:
        return ("forward",)
    if widest > _NARROW and own >= _FEW_NUMBERS:
        return (FORWARD_OR_ANNEALED, "identity")
    return ()


def is_told_apart(scores: Scores) -> np.ndarray:
    """Whether the arrays that nothing else moves tell some units apart, for each draw: the nearest
    units of most slots differ.
    """
    objective = scores.objective
    units = _told_best(objective)
    best = best_factors(units.kind, scores.own_parts(units))[0]
    # What is nearest: of unweighted squares the scores hold the products alone.
    nearest = (best - scores.own_squares(units)[:, None, :]).argmax(-1)  # (draw, slot)
    taken = np.zeros((len(nearest), units.n), bool)
    np.put_along_axis(taken, nearest, True, -1)
    return taken.mean(-1) >= _DISTINCT


def _told_best(objective: Objective) -> Units:
    """The units with the most numbers that nothing else moves."""
    return max(objective.sym, key=lambda u: _own_and_shared(objective, u)[0])


def _own_and_shared(objective: Objective, units: Units) -> tuple[int, int]:
    """How many numbers of one unit nothing else moves, and how many others move too."""
    own = shared = 0
    for pairing in objective.pairings[units.name]:
        if pairing.term.moment == 1:
            numbers = pairing.axis.blocks(pairing.term.coefficient, units.n, lead=1).shape[-1]
            own += 0 if pairing.others else numbers
            shared += numbers if pairing.others else 0
    return own, shared
