"""Rossi, Singh and Hannagan 2023, *On permutation symmetries in Bayesian neural network posteriors:
a variational perspective*, arXiv 2310.10171.
"""

from . import p1_channels, p1_reasons, p1_width
from .frame import Paper

PAPER = Paper(
    "P1. Rossi, Singh and Hannagan 2023: barriers between posteriors",
    [
        p1_width.EXPERIMENTS[0],
        p1_reasons.EXPERIMENT,
        p1_width.EXPERIMENTS[1],
        p1_channels.EXPERIMENT,
    ],
)
