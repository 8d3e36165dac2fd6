"""What draws say once they are aligned, for people who use ArviZ."""

from .diagnose import Diagnosis as Diagnosis
from .diagnose import diagnose as diagnose
from .rebasin import rebasin as rebasin
from .record import act_on_group as act_on_group
from .record import elements_of as elements_of
