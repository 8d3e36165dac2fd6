"""Bringing draws to one representative of their orbit."""

from .section import Section as Section
from .section import sorted_section as sorted_section
