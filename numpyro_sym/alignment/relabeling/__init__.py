"""Labels of mixtures and hidden Markov models by what they say of the observations."""

from ._data_based import data_based as data_based
from ._ecr import ecr as ecr
from ._ecr import ecr_iterative as ecr_iterative
from ._ecr import ecr_soft as ecr_soft
from ._relabel import relabel as relabel
from ._stephens import stephens as stephens
from .by_labels import ByLabels as ByLabels
from .by_labels import align_by_labels as align_by_labels
from .by_parameters import ordering as ordering
from .by_parameters import pivotal as pivotal
from .clustering import BestClustering as BestClustering
from .clustering import best_clustering as best_clustering
from .clustering import similarity_matrix as similarity_matrix
from .relabelings import Relabelings as Relabelings
from .result import Relabeling as Relabeling
