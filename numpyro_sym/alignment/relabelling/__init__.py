"""Labels of mixtures and hidden Markov models by what they say of the observations."""

from ._data_based import data_based as data_based
from ._ecr import ecr as ecr
from ._ecr import ecr_iterative as ecr_iterative
from ._ecr import ecr_soft as ecr_soft
from ._stephens import stephens as stephens
from .by_labels import ByLabels as ByLabels
from .by_labels import align_by_labels as align_by_labels
from .by_parameters import ordering as ordering
from .by_parameters import pivotal as pivotal
from .result import Relabelling as Relabelling
