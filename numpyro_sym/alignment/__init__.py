"""Draws and distributions brought to a reference by a symmetry."""

from .align import Alignment as Alignment
from .align import align as align
from .section import Section as Section
from .section import sorted_section as sorted_section
