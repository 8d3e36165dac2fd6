"""Tables, the one way in which this package shows results: as text, as HTML, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Table:
    """A header and rows, with lines above and below.

    Columns of numbers alone stand to the right.

    >>> print(Table(["units", "n"], [["hidden", 3]], below=["found"]))
    units   n
    hidden  3
    found
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    above: Sequence[str] = ()
    below: Sequence[str] = ()

    def __str__(self) -> str:
        columns = []
        for i, title in enumerate(self.header):
            cells = [title, *(_cell(row[i]) for row in self.rows)]
            width = max(map(len, cells))
            align = str.rjust if self._is_numeric(i) else str.ljust
            columns.append([align(cell, width) for cell in cells])
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        return "\n".join([*self.above, *lines, *self.below])

    def to_html(self) -> str:
        """For notebooks; no style but the side on which a column stands."""
        sides = []
        for i in range(len(self.header)):
            sides.append("right" if self._is_numeric(i) else "left")
        rows = [_html_row("th", self.header, sides)]
        rows += [_html_row("td", [_cell(value) for value in row], sides) for row in self.rows]
        table = "<table>\n" + "\n".join(rows) + "\n</table>"
        above, below = _html_lines(self.above), _html_lines(self.below)
        return "\n".join([*above, table, *below])

    def to_dataframe(self) -> Any:
        """The rows as a ``pandas.DataFrame`` whose index is the first column."""
        import pandas as pd

        columns = list(self.header)
        frame = pd.DataFrame([list(row) for row in self.rows], columns=columns)
        return frame.set_index(columns[0])

    def _is_numeric(self, column: int) -> bool:
        values = [row[column] for row in self.rows]
        return bool(values) and all(isinstance(value, (int, float)) for value in values)


class Tabular:
    """What is shown as a table wherever it is shown: a subclass says which."""

    def _table(self) -> Table:
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table().to_html()

    def to_dataframe(self) -> Any:
        """The table as a ``pandas.DataFrame``, its index the first column."""
        return self._table().to_dataframe()


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as text: left-aligned words, right-aligned numbers.

    >>> print(text_table(["units", "n"], [["hidden", 3]]))
    units   n
    hidden  3
    """
    return str(Table(header, rows))


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _html_row(tag: str, cells: Sequence[str], sides: Sequence[str]) -> str:
    row = ""
    for text, side in zip(cells, sides, strict=True):
        row += f'<{tag} style="text-align: {side}">{escape(text)}</{tag}>'
    return f"<tr>{row}</tr>"


def _html_lines(lines: Sequence[str]) -> list[str]:
    return [f"<p>{escape(line)}</p>" for line in lines if line]
