"""Sampling in a symmetry-free reference set."""

from ..alignment import ApproximatelyNearest as ApproximatelyNearest
from ..alignment import Nearest as Nearest
from ..alignment import Removed as Removed
from ..alignment import remove_symmetry as remove_symmetry
from ._good_starts import good_starts as good_starts
from .folded import Folded as Folded
from .folded import FoldedNUTS as FoldedNUTS
from .ordered import OrderedReparam as OrderedReparam
from .permutation_sampler import PermutationSampler as PermutationSampler
from .reference_set import ReferenceSetReparam as ReferenceSetReparam
from .scale import ScaleReparam as ScaleReparam
