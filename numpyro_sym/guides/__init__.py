"""Guides that average over a model's symmetry."""

from .align_guides import GuideAlignment as GuideAlignment
from .align_guides import align_guides as align_guides
from .auto_symmetrized import AutoSymmetrized as AutoSymmetrized
from .auto_symmetrized_normal import AutoSymmetrizedNormal as AutoSymmetrizedNormal
from .information import SymmetryInformation as SymmetryInformation
