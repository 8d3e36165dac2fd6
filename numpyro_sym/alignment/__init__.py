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
from .scaling import Rescaled as Rescaled
from .scaling import minimum_mass as minimum_mass
from .scaling import unit_norm as unit_norm
from .scaling import unit_variance as unit_variance
