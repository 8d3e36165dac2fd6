"""Guides that average over a model's symmetry."""

from .auto_symmetrized import AutoSymmetrized as AutoSymmetrized
from .auto_symmetrized_normal import AutoSymmetrizedNormal as AutoSymmetrizedNormal
from .information import SymmetryInformation as SymmetryInformation
