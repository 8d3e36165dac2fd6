"""Labels of mixtures and hidden Markov models by what they say of the observations."""

from .data_based import data_based as data_based
from .ecr import ecr as ecr
from .ecr import ecr_iterative as ecr_iterative
from .ecr import ecr_soft as ecr_soft
from .result import Relabelling as Relabelling
from .slots import ordering as ordering
from .slots import pivotal as pivotal
from .stephens import stephens as stephens
