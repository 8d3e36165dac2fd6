"""What a check of a symmetry compared."""

from __future__ import annotations

from dataclasses import dataclass

from .table import Table, Tabular


@dataclass(frozen=True)
class CheckReport(Tabular):
    """What a check compared.

    :param rows: for each ``Units``: name, kind, what was held equal, and at the point where it
        changed most for what rounding explains: the change and what rounding explains, in nats.
    :param num_points: points tried, far out and where a posterior may be.
    :param num_elements: random elements tried at each point for each ``Units``.
    """

    rows: tuple[tuple[str, str, str, float, float], ...]
    num_points: int
    num_elements: int

    def _table(self) -> Table:
        header = ("units", "kind", "held equal", "largest change", "rounding")
        how = (
            f"in nats, at {self.num_points} points, {self.num_elements} elements each; "
            "changes that rounding explains pass"
        )
        return Table(header, self.rows, below=[how])
