"""Guides that average over a model's symmetry."""

from .auto_symmetrized_normal import AutoSymmetrizedNormal as AutoSymmetrizedNormal
