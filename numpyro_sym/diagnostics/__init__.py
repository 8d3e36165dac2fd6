"""What draws say once they are aligned, for people who use ArviZ."""

from .diagnose import Diagnosis as Diagnosis
from .diagnose import diagnose as diagnose
from .functional_modes import FunctionalModes as FunctionalModes
from .functional_modes import ModesSeen as ModesSeen
from .functional_modes import functional_modes as functional_modes
from .functional_modes import modes_seen as modes_seen
from .rebasin import rebasin as rebasin
from .record import act_on_group as act_on_group
from .record import elements_of as elements_of
