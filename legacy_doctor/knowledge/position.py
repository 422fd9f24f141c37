"""Where a table of a TOML file stands: the parser of the standard library does not say.

The beginning of a TOML file, up to the end of a line, is a TOML file as well, unless the line ends
within a text or an array. So the line on which the n-th table of an array begins is the first
one up to which the parser has seen n of them: no second reading of TOML's grammar is needed, and
no comment or text that looks like a table can be taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from legacy_doctor.knowledge import document


def of_table(text: str, keys: Sequence[str], index: int) -> tuple[int, int]:
    """Return line and column, from 1, of the table `index` (from 0) in the array below `keys`.

    Of `[[ignore]]` that is its header; of `ignore = [{...}]` the line that the inline table is on.
    Where it is not found (the file has changed since) it is the first character of the file.
    """
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        # A table begins with its header or a brace: only such lines are worth a parse.
        if "[" in line or "{" in line:
            head = "".join(lines[:number])
            # Within an array that is still open, what comes so far is closed for it.
            if index < max(_count(head, keys), _count(f"{head}]", keys)):
                return number, len(line) - len(line.lstrip()) + 1
    return 1, 1


def _count(text: str, keys: Sequence[str]) -> int:
    """Return how many tables the array has; none where the text is no TOML."""
    try:
        value: Any = document.parse(text)
    except (ValueError, RecursionError):
        return 0
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return len(value) if isinstance(value, list) else 0
