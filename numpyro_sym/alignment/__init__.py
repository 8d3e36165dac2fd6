"""Draws and distributions brought to a reference by a symmetry."""

import typing as _typing

from ._align import Alignment as Alignment
from ._align import align as align
from .chunked import align_chunked as align_chunked
from .engine.starts import Start as Start
from .engine.starts import register_start as register_start
from .full_gaussians import FullGaussianAlignment as FullGaussianAlignment
from .full_gaussians import align_full_gaussians as align_full_gaussians
from .full_gaussians import bures_wasserstein_geodesic as bures_wasserstein_geodesic
from .gaussians import GaussianAlignment as GaussianAlignment
from .gaussians import align_gaussians as align_gaussians
from .gaussians import wasserstein_geodesic as wasserstein_geodesic
from .jitted import JitAlignment as JitAlignment
from .jitted import align_in_jit as align_in_jit
from .metrics import Activations as Activations
from .metrics import Euclidean as Euclidean
from .metrics import Metric as Metric
from .metrics import View as View
from .metrics import Wasserstein as Wasserstein
from .metrics import Whitened as Whitened
from .relabeling import BestClustering as BestClustering
from .relabeling import ByLabels as ByLabels
from .relabeling import Relabeling as Relabeling
from .relabeling import Relabelings as Relabelings
from .relabeling import align_by_labels as align_by_labels
from .relabeling import best_clustering as best_clustering
from .relabeling import data_based as data_based
from .relabeling import ecr as ecr
from .relabeling import ecr_iterative as ecr_iterative
from .relabeling import ecr_soft as ecr_soft
from .relabeling import ordering as ordering
from .relabeling import pivotal as pivotal
from .relabeling import relabel as relabel
from .relabeling import similarity_matrix as similarity_matrix
from .relabeling import stephens as stephens
from .removal import Removed as Removed
from .removal import remove_symmetry as remove_symmetry
from .rotation import Rotated as Rotated
from .rotation import align_procrustes as align_procrustes
from .rotation import align_varimax as align_varimax
from .rotation import varimax as varimax
from .scaling import Rescaled as Rescaled
from .scaling import minimum_mass as minimum_mass
from .scaling import unit_norm as unit_norm
from .scaling import unit_variance as unit_variance
from .sections.nearest import ApproximatelyNearest as ApproximatelyNearest
from .sections.nearest import Nearest as Nearest
from .sections.protocol import MakesSections as MakesSections
from .sections.protocol import Section as Section
from .sections.sorted import SortedSection as SortedSection
from .sections.sorted import SortKey as SortKey
from .sections.sorted import sorted_section as sorted_section

if not _typing.TYPE_CHECKING:
    from ..symmetry.deprecated import renamed as _renamed

    __getattr__ = _renamed(
        __name__,
        {
            "Relabelling": ("Relabeling", Relabeling),
            "Relabellings": ("Relabelings", Relabelings),
        },
    )
