"""Sampling in a symmetry-free reference set."""

from .chains import chains_needed as chains_needed
from .folded import Folded as Folded
from .folded import FoldedNUTS as FoldedNUTS
from .nearest import ApproximatelyNearest as ApproximatelyNearest
from .nearest import Nearest as Nearest
from .ordered import OrderedReparam as OrderedReparam
from .permutation_sampler import PermutationSampler as PermutationSampler
from .reference_set import ReferenceSetReparam as ReferenceSetReparam
from .scale import ScaleReparam as ScaleReparam
