"""Symmetries of NumPyro models: guides, NUTS and diagnostics that know about them."""

from .alignment import Alignment as Alignment
from .alignment import align as align
from .diagnostics import Diagnosis as Diagnosis
from .diagnostics import diagnose as diagnose
from .diagnostics import rebasin as rebasin
from .discovery import find_symmetry as find_symmetry
from .guides import AutoSymmetrized as AutoSymmetrized
from .guides import AutoSymmetrizedNormal as AutoSymmetrizedNormal
from .mcmc import Folded as Folded
from .mcmc import FoldedNUTS as FoldedNUTS
from .symmetry import Axis as Axis
from .symmetry import CheckReport as CheckReport
from .symmetry import Element as Element
from .symmetry import Symmetry as Symmetry
from .symmetry import SymmetryError as SymmetryError
from .symmetry import Units as Units
from .symmetry import factor_model as factor_model
from .symmetry import hmm as hmm
from .symmetry import mixture as mixture
from .symmetry import mlp as mlp
