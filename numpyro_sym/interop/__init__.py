"""What people have besides NumPyro models: log densities, pytrees, checkpoints, files."""

from .blackjax_states import gaussian_of_state as gaussian_of_state
from .blackjax_states import state_with_gaussian as state_with_gaussian
from .log_density import LogDensity as LogDensity
from .pymc_models import pymc_log_density as pymc_log_density
from .pytrees import pytree_of as pytree_of
from .pytrees import pytrees_of as pytrees_of
from .pytrees import sites_of as sites_of
from .pytrees import stacked_sites as stacked_sites
