"""What a model is, seen from its own code."""

from .model import latent_sites as latent_sites
from .model import read_numpyro_model as read_numpyro_model
