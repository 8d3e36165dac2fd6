"""Draws and distributions brought to a reference by a symmetry."""

from .align import Alignment as Alignment
from .align import align as align
from .gaussians import GaussianAlignment as GaussianAlignment
from .gaussians import align_gaussians as align_gaussians
from .gaussians import wasserstein_geodesic as wasserstein_geodesic
from .metrics import Activations as Activations
from .metrics import Euclidean as Euclidean
from .metrics import Metric as Metric
from .metrics import Wasserstein as Wasserstein
from .metrics import Whitened as Whitened
from .relabelling import Relabelling as Relabelling
from .relabelling import data_based as data_based
from .relabelling import ecr as ecr
from .relabelling import ecr_iterative as ecr_iterative
from .relabelling import ecr_soft as ecr_soft
from .relabelling import ordering as ordering
from .relabelling import pivotal as pivotal
from .relabelling import stephens as stephens
from .rotation import Rotated as Rotated
from .rotation import align_procrustes as align_procrustes
from .rotation import align_varimax as align_varimax
from .rotation import varimax as varimax
from .scaling import Rescaled as Rescaled
from .scaling import minimum_mass as minimum_mass
from .scaling import unit_norm as unit_norm
from .scaling import unit_variance as unit_variance
