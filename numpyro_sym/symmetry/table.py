"""Plain text tables, the one way in which this package prints results."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of left-aligned text and right-aligned numbers under a header.

    >>> print(text_table(["units", "n"], [["hidden", 3]]))
    units   n
    hidden  3
    """
    columns = []
    for i, title in enumerate(header):
        values = [row[i] for row in rows]
        cells = [title, *map(_cell, values)]
        width = max(map(len, cells))
        is_numeric = bool(values) and all(isinstance(value, (int, float)) for value in values)
        align = str.rjust if is_numeric else str.ljust
        columns.append([align(cell, width) for cell in cells])
    lines = zip(*columns, strict=True)
    return "\n".join("  ".join(cells).rstrip() for cells in lines)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
