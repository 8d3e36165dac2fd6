"""Writes docs/performance.md from benchmarks/results, a file of JSON lines for each script.

python benchmarks/write_performance.py
"""

from __future__ import annotations

import ast
import json
from itertools import groupby
from pathlib import Path

from json_lines import WHERE, told_where

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
HEAD = """# Performance

Each section bears the name of its script in `benchmarks`, and `benchmarks/write_performance.py`
writes it from what that printed: one JSON line a row, in `benchmarks/results`. Both sides of a
comparison ran in the same process; seconds are of processor time on one thread, and medians, where
a table says nothing else.
"""


def page():
    """The whole page."""
    files = sorted((HERE / "results").glob("*.jsonl"))
    return "\n".join([HEAD, *map(section, files)])


def section(file):
    """What one script is for, and its rows; rows of the same columns make one table."""
    script = HERE / f"{file.stem}.py"
    lines = ast.get_docstring(ast.parse(script.read_text())).split("\n\n")[0]
    rows = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    parts = [f"## {file.stem}\n\n{lines}\n"]
    for columns, some in groupby(rows, key=lambda row: [c for c in row if c not in WHERE]):
        parts.append(table(columns, list(some)))
    parts.append(told_where(rows))
    return "\n".join(parts)


def table(columns, rows):
    """A table of Markdown; numbers with four digits that count, and no exponent up to a million."""
    lines = [columns, ["---"] * len(columns)]
    lines += [[cell(row[c]) for c in columns] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value):
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e6 else f"{value:.4g}"


if __name__ == "__main__":
    PAGE.write_text(page())
