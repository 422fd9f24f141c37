"""Drawn values in words: short, on one line, and never deeper than a reader follows."""

from __future__ import annotations

from typing import Any, Final

from legacy_doctor.checkpoint.machine import Call, Global, Persistent, Row, Table
from legacy_doctor.checkpoint.opcodes import Blob

_DEPTH: Final = 4
_ITEMS: Final = 4
_TEXT: Final = 120
"""Characters of one string that are shown."""


def words(value: Any, depth: int = _DEPTH) -> str:
    """Return a value as Python would write it, with `...` for what is left out."""
    if isinstance(value, str):
        return repr(value if len(value) <= _TEXT else f"{value[:_TEXT]}...")
    if isinstance(value, bytes):
        return repr(value if len(value) <= _TEXT else value[:_TEXT] + b"...")
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, Global):
        return printable(value.path)
    if isinstance(value, Blob):
        return f"<{value.length:,} bytes>"
    if depth == 0:
        return "..."
    return _compound(value, depth - 1)


def _compound(value: Any, depth: int) -> str:
    if isinstance(value, Persistent):
        return f"<storage {words(value.key, depth)}>"
    if isinstance(value, Call):
        return call(value, depth)
    if isinstance(value, Table):
        items = [f"{words(key, depth)}: {words(item, depth)}" for key, item in value.pairs[:_ITEMS]]
        return f"{{{_listed(items, len(value.pairs))}}}"
    if isinstance(value, Row):
        items = [words(item, depth) for item in value.items[:_ITEMS]]
        return f"{value.kind}[{_listed(items, len(value.items))}]"
    items = [words(item, depth) for item in value[:_ITEMS]]
    return f"({_listed(items, len(value))})"


def call(value: Call, depth: int = _DEPTH) -> str:
    """Return a call with its arguments."""
    function = words(value.function, depth) if depth else "..."
    arguments = value.arguments
    if type(arguments) is not tuple:
        return f"{function}(*{words(arguments, depth)})"
    items = [words(item, depth) for item in arguments[:_ITEMS]]
    return f"{function}({_listed(items, len(arguments))})"


def printable(text: str) -> str:
    """Make a name out of a file fit for a terminal, and short."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_TEXT])
    return shown if len(text) <= _TEXT else f"{shown}..."


def _listed(items: list[str], number: int) -> str:
    return ", ".join([*items, "..."] if number > len(items) else items)
