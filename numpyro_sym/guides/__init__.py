"""Guides that average over a model's symmetry."""

from ._align_guides import GuideAlignment as GuideAlignment
from ._align_guides import align_guides as align_guides
from .auto_symmetrized import AutoSymmetrized as AutoSymmetrized
from .auto_symmetrized_normal import AutoSymmetrizedNormal as AutoSymmetrizedNormal
from .bounds._information import SymmetryInformation as SymmetryInformation
from .bounds.by_name import register_bound as register_bound
from .bounds.orbit import Drawn as Drawn
from .full_gaussians import FullGuideAlignment as FullGuideAlignment
