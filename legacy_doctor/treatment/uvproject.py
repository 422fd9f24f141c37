"""The pins in a project of uv: `constraint-dependencies` of its uv.toml or pyproject.toml.

A text is edited as text, so that comments and order stay, and then read again: what does not say
exactly what was meant is not written, but told.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement

from legacy_doctor.errors import DoctorError
from legacy_doctor.treatment.pins import (
    PinLine,
    ended,
    printable,
    quoted,
    requirements,
    text_of,
    write,
)
from legacy_doctor.treatment.steps import FileStep

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEY: Final = "constraint-dependencies"


def edited(path: Path, text: str, pins: Sequence[PinLine]) -> str:
    """Return a `pyproject.toml` or `uv.toml` whose `constraint-dependencies` hold the pins.

    The text is edited, then read again: unless exactly the pins were added to that one list,
    `DoctorError` is raised with the lines to paste. A pin that is there already is not repeated.
    """
    keys = [] if path.name == "uv.toml" else ["tool", "uv"]
    before = _parsed(path, text)
    there = _list(path, before, keys)
    missing = [pin for pin in pins if pin.requirement and not _holds(there, pin.requirement)]
    if not missing:
        return text
    new = _with_pins(text, keys, missing, exists=there is not None)
    wanted = _with(before, keys, [*(there or []), *requirements(missing)])
    try:
        right = new is not None and tomllib.loads(new) == wanted
    except tomllib.TOMLDecodeError:
        right = False
    if new is None or not right:
        paste = ", ".join(map(quoted, requirements(missing)))
        where = f"[{'.'.join(keys)}] of " if keys else ""
        raise DoctorError(
            f"{path}: cannot be edited safely; add to {_KEY} in {where}it by hand: {paste}"
        )
    return new


def diff(path: Path, text: str, pins: Sequence[PinLine]) -> str:
    """Return what `edited` would change, as a unified diff; empty where nothing."""
    rows = difflib.unified_diff(
        text.splitlines(keepends=True),
        edited(path, text, pins).splitlines(keepends=True),
        f"a/{path.name}",
        f"b/{path.name}",
    )
    return "".join(
        row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows
    )


def step(path: Path, pins: Sequence[PinLine]) -> FileStep:
    """Return the step that writes the pins into a project's file, for those who ask for it."""
    return write(path, edited(path, text_of(path), pins), "make uv obey the pins")


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DoctorError(f"{path}: no valid TOML, so it is left alone: {error}") from error


def _list(path: Path, document: dict[str, Any], keys: list[str]) -> list[str] | None:
    table: Any = document
    for key in keys:
        table = table.get(key, {}) if isinstance(table, dict) else None
    found = table.get(_KEY) if isinstance(table, dict) else ()
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise DoctorError(
            f"{path}: {'.'.join([*keys, _KEY])}: not a list of texts; correct it first"
        )
    return found


def _holds(there: list[str] | None, requirement: str) -> bool:
    """Whether a list holds a requirement, however that is written."""
    return Requirement(requirement) in map(_requirement, there or ())


def _requirement(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _with(document: dict[str, Any], keys: list[str], value: list[str]) -> dict[str, Any]:
    if not keys:
        return {**document, _KEY: value}
    inner = document.get(keys[0], {})
    return {**document, keys[0]: _with(inner, keys[1:], value)}


def _with_pins(text: str, keys: list[str], pins: list[PinLine], *, exists: bool) -> str | None:
    """Return the text with the pins in it, or None where there is no obvious place for them."""
    items = "".join(
        f"    {quoted(pin.requirement or '')}, # {printable(pin.comment)}\n" for pin in pins
    )
    header = re.compile(r"^\[\s*tool\s*\.\s*uv\s*\][ \t]*(?:#.*)?\n", re.MULTILINE)
    if exists:
        return _extended(text, items)
    block = f"{_KEY} = [\n{items}]\n"
    if not keys:
        return f"{block}{text}"
    match = header.search(ended(text))
    if match:
        return ended(text)[: match.end()] + block + text[match.end() :]
    gap = "\n" if text else ""
    return f"{ended(text)}{gap}[tool.uv]\n{block}"


_STRING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*')


def _extended(text: str, items: str) -> str | None:
    """Return the text with the items at the end of its list."""
    match = re.search(rf'^[ \t]*"?{_KEY}"?[ \t]*=[ \t]*\[', text, re.MULTILINE)
    if match is None:
        return None
    place, last = match.end(), ""
    while place < len(text) and text[place] != "]":
        token = _STRING.match(text, place)
        if token is None:
            last = text[place] if not text[place].isspace() else last
            place += 1
        else:
            last = last if token[0].startswith("#") else '"'
            comma = token.end()
            place = comma
    if place == len(text):
        return None
    body = text[match.end() : place]
    if last == '"':
        body = _comma(body)
    return f"{text[: match.end()]}{ended(body.rstrip(' ') or chr(10))}{items}{text[place:]}"


def _comma(body: str) -> str:
    """Put a comma after the last string of a list, before a comment that may follow it."""
    tokens = [match for match in _STRING.finditer(body) if not match[0].startswith("#")]
    end = tokens[-1].end()
    return f"{body[:end]},{body[end:]}"
