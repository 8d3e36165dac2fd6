"""Xiao, Liu and Bamler 2023, *A compact representation for Bayesian neural networks by removing
permutation symmetry*, arXiv 2401.00611.
"""

from . import p5_compact, p5_exchanges, p5_pruning
from .frame import Grid, Paper

SMALL = Grid([{"width": w, "draws": 100} for w in (4, 16)], 2)
FULL = Grid([{"width": w, "draws": 400} for w in (4, 8, 16, 32, 64)], 3)

PAPER = Paper(
    "P5. Xiao, Liu and Bamler 2023: a compact representation",
    [
        p5_exchanges.RANDOM,
        p5_exchanges.experiment(SMALL, FULL),
        *p5_compact.experiments(SMALL, FULL),
        p5_pruning.experiment(SMALL, FULL),
    ],
    notes="Experiments 2 to 5 share their draws: NUTS, four chains from independent fits, on 600 "
    "digits averaged to 4 x 4 pixels, one hidden layer of tanh units, weights of variance "
    "1 / inputs.",
)
