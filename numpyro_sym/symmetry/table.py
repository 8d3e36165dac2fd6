"""Plain text tables, the one way in which this package prints results."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of left-aligned text and right-aligned numbers under a header.

    >>> print(text_table(["units", "n"], [["hidden", 3]]))
    units   n
    hidden  3
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    numeric = [
        bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
        for i in range(len(header))
    ]

    def line(values: Sequence[str]) -> str:
        aligned = (
            v.rjust(w) if right else v.ljust(w)
            for v, w, right in zip(values, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join(line(values) for values in [list(header), *cells])


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
