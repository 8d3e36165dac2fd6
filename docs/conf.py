"""Sphinx configuration."""

project = "numpyro_sym"
copyright = "the numpyro_sym developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
html_theme = "furo"
html_title = "numpyro_sym"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
exclude_patterns = ["_build"]
