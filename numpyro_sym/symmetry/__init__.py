"""The action and its algebra: what is interchangeable, and how one element moves the arrays."""

from .action import act_on_axis as act_on_axis
from .axis import Axis as Axis
from .element import Element as Element
from .element import namespace as namespace
from .errors import SymmetryError as SymmetryError
from .ready_made import factor_model as factor_model
from .ready_made import hmm as hmm
from .ready_made import mixture as mixture
from .ready_made import mlp as mlp
from .report import CheckReport as CheckReport
from .short import short_repr as short_repr
from .symmetry import Symmetry as Symmetry
from .table import Table as Table
from .table import Tabular as Tabular
from .table import text_table as text_table
from .units import Units as Units
