"""Sphinx configuration."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import shown
import tutorials

import numpyro_sym

project = "numpyro_sym"
copyright = "the numpyro_sym developers"
release = version = numpyro_sym.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "links",
    "shown",
    "typeset",
]
exclude_patterns = ["_build", "templates"]
templates_path = ["templates"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

tutorials.bring()
nb_execution_mode = "off"
nb_merge_streams = True

html_theme = "furo"
pygments_dark_style = "github-dark"  # Furo's own underlines modules, as if they were links
html_title = "numpyro_sym"
html_static_path = ["static"]
html_css_files = ["site.css"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autosummary_generate = True
autosummary_ignore_module_all = False
python_display_short_literal_types = True
maximum_signature_line_length = 80

# Every name must be found: ours in the reference, those of others on their sites, which are asked
# where the pages are published.
nitpicky = True
OTHERS = {
    "python": "https://docs.python.org/3",
    "numpy": "https://numpy.org/doc/stable",
    "jax": "https://docs.jax.dev/en/latest",
    "numpyro": "https://num.pyro.ai/en/stable",
    "xarray": "https://docs.xarray.dev/en/stable",
    "arviz": "https://python.arviz.org/en/stable",
    "optax": "https://optax.readthedocs.io/en/latest",
    "pandas": "https://pandas.pydata.org/docs",
    "matplotlib": "https://matplotlib.org/stable",
}
intersphinx_mapping = {}
nitpick_ignore_regex = []
if os.environ.get("READTHEDOCS"):
    intersphinx_mapping = {name: (site, None) for name, site in OTHERS.items()}
else:
    # What is not ours may be missing here.
    ours = "|".join({name for layer in shown.LAYERS for name in dir(layer) if name[0] != "_"})
    nitpick_ignore_regex = [("py:.*", rf"(?!numpyro_sym|(\w+\.)?({ours})$).*")]
