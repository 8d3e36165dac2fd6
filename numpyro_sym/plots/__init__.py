"""Pictures of what diagnostics say, drawn with matplotlib; each returns its axes."""

import typing as _typing

from ._plot_symmetry import plot_symmetry as plot_symmetry
from ._unit_cards import Card as Card
from ._unit_cards import plot_unit_cards as plot_unit_cards
from ._unit_cards import unit_cards as unit_cards
from .assignment import assignment_matrix as assignment_matrix
from .assignment import plot_assignment as plot_assignment
from .barrier import plot_barrier as plot_barrier
from .forest import plot_rhat as plot_rhat
from .pairs import plot_pairs as plot_pairs
from .pruning import plot_pruning as plot_pruning
from .relabelings import plot_relabelings as plot_relabelings
from .traces import plot_traces as plot_traces
from .transpositions import plot_transpositions as plot_transpositions

if not _typing.TYPE_CHECKING:
    from ..symmetry.deprecated import renamed as _renamed

    __getattr__ = _renamed(__name__, {"plot_relabellings": ("plot_relabelings", plot_relabelings)})
