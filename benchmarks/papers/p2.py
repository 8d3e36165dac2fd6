"""Gelberg, van der Ouderaa, van der Wilk and Gal 2024, *Variational inference failures under model
symmetries: permutation invariant posteriors for Bayesian neural networks*, arXiv 2408.05496.
"""

from . import p2_tractable, p2_where
from .frame import Paper

PAPER = Paper(
    "P2. Gelberg, van der Ouderaa, van der Wilk and Gal 2024: symmetrized guides",
    [*p2_tractable.EXPERIMENTS, p2_where.EXPERIMENT],
)
