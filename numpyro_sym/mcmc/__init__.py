"""Sampling in a symmetry-free reference set."""

from .chains import chains_needed as chains_needed
from .folded import Folded as Folded
from .folded import FoldedNUTS as FoldedNUTS
from .modes import Modes as Modes
from .modes import functional_modes as functional_modes
from .nearest import ApproximatelyNearest as ApproximatelyNearest
from .nearest import Nearest as Nearest
from .ordered import OrderedReparam as OrderedReparam
from .permutation_sampler import PermutationSampler as PermutationSampler
from .reference_set import ReferenceSetReparam as ReferenceSetReparam
from .removal import Removed as Removed
from .removal import remove_symmetry as remove_symmetry
from .scale import ScaleReparam as ScaleReparam
from .starts import good_starts as good_starts
