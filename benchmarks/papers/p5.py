"""Xiao, Liu and Bamler 2023, *A compact representation for Bayesian neural networks by removing
permutation symmetry*, arXiv 2401.00611.
"""

from collections.abc import Sequence

from . import p5_compact, p5_exchanges, p5_pruning
from .frame import Grid, Paper
from .p5_posterior import SMALLER, UNIT


def grid(draws: int, seeds: int, **widths: Sequence[int]) -> Grid:
    """Settings of both priors."""
    settings = []
    for prior, some in ((UNIT, widths["unit"]), (SMALLER, widths["smaller"])):
        settings += [{"prior": prior, "width": w, "draws": draws} for w in some]
    return Grid(settings, seeds)


SMALL = grid(100, 2, unit=(4, 16), smaller=(4, 16))
#: Pruning asks for wider networks, too.
WIDER = grid(100, 2, unit=(4, 16, 32), smaller=(4, 16, 32))
FULL = grid(400, 3, unit=(4, 8, 16, 32), smaller=(4, 8, 16, 32, 64))

PAPER = Paper(
    "P5. Xiao, Liu and Bamler 2023: a compact representation",
    [
        p5_exchanges.RANDOM,
        p5_exchanges.experiment(SMALL, FULL),
        *p5_compact.experiments(SMALL, FULL),
        p5_pruning.experiment(WIDER, FULL),
    ],
    notes="Experiments 2 to 5 share their draws: NUTS, four chains from independent fits, on 600 "
    "digits averaged to 4 x 4 pixels, one hidden layer of tanh units.",
)
