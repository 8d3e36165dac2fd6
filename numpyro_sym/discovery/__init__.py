"""What a model is, seen from its own code, and the symmetry found there."""

from ..models import latent_sites as latent_sites
from ..models import read_numpyro_model as read_numpyro_model
from .find import find_symmetry as find_symmetry
from .in_use import SymmetryInUse as SymmetryInUse
from .inference import Value as Value
from .inference import Walk as Walk
from .inference import register_rule as register_rule
from .inference import rules as rules
