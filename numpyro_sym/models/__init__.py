"""Models as densities and supports of plain arrays, and whether a symmetry leaves these as they
are.
"""

from .factors import prior_factor as prior_factor
from .numpyro_model import latent_sites as latent_sites
from .numpyro_model import read_numpyro_model as read_numpyro_model
from .plates import cut_plates as cut_plates
from .trial import Changes as Changes
from .trial import Trial as Trial
from .view import ModelView as ModelView
from .view import Point as Point
