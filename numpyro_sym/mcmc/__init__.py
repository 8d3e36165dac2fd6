"""Sampling in a symmetry-free reference set."""

from .folded import Folded as Folded
from .folded import FoldedNUTS as FoldedNUTS
