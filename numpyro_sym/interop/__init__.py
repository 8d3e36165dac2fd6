"""What people have besides NumPyro models and ArviZ objects: log densities, pytrees, checkpoints."""

from .log_density import LogDensity as LogDensity
from .pytrees import pytree_of as pytree_of
from .pytrees import pytrees_of as pytrees_of
from .pytrees import sites_of as sites_of
from .pytrees import stacked_sites as stacked_sites
