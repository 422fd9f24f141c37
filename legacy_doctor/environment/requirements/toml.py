"""A TOML document with the place of every key and value.

No TOML library for Python tells where a value stands. So the library parses, and a scanner then
walks the same text, which is known to be valid by then, and notes offsets.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final, NamedTuple

from legacy_doctor.environment.requirements.source import RequirementsError, Source
from legacy_doctor.model import Location

Path = tuple["str | int", ...]
"""The keys and indexes that lead to a value."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_SCALAR: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:[^\s,\]}#]*|[^\s,\]}#]+")
_FOLD: Final = re.compile(r"\\[ \t]*\n[ \t\n]*")
"""A backslash at the end of a line takes the blanks behind it along."""
_CHARACTER: Final = re.compile(
    rf"{_FOLD.pattern}|\\u[0-9A-Fa-f]{{4}}|\\U[0-9A-Fa-f]{{8}}|\\x[0-9A-Fa-f]{{2}}|\\.|[\s\S]"
)


class Span(NamedTuple):
    """Where a value is written, quotes and brackets included."""

    start: int
    end: int


class Document:
    """The values of a TOML file and where they stand."""

    def __init__(self, source: Source) -> None:
        """Raises `RequirementsError` where the text is no TOML."""
        self.source = source
        self.values = values(source)
        scanner = _Scanner(source.text)
        try:
            scanner.document()
        except (IndexError, RecursionError) as error:
            where = source.place(scanner.at)
            raise RequirementsError(
                f"{source.path}:{where.line}: cannot be followed; write it plainer"
            ) from error
        self.keys = scanner.keys
        """Where a key was written first."""
        self.spans = scanner.spans

    def get(self, path: Path) -> Any:
        """Return the value at a path, or None where there is none."""
        return get(self.values, path)

    def within(self, path: Path, index: int) -> Location:
        """Return the place of a character of a string: the one at `index` of its value."""
        start, end = self.spans[path]
        return self.source.place(start + inside(self.source.text[start:end], index))

    def key(self, path: Path) -> Location:
        """Return the place of the last key of a path, behind a quote that it may have."""
        start = self.keys[path]
        return self.source.place(start + (self.source.text[start] in "\"'"))

    def place(self, path: Path) -> Location:
        """Return the place of a value, or of the nearest thing around it that has one."""
        while path:
            if path in self.spans:
                return self.source.place(self.spans[path].start)
            if path in self.keys:
                return self.key(path)
            path = path[:-1]
        return Location(self.source.path)


def values(source: Source) -> dict[str, Any]:
    """Parse the text; raises `RequirementsError` where it is no TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(source.text)
    except (ValueError, RecursionError) as error:  # endless digits, endless brackets
        reason = str(error) or type(error).__name__
        raise RequirementsError(f"{source.path}: not valid TOML: {reason}") from error


def get(value: Any, path: Path) -> Any:
    """Return what lies at a path below a value, or None where there is nothing."""
    for part in path:
        inside = isinstance(value, dict) and part in value
        listed = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if not inside and not listed:
            return None
        value = value[part]
    return value


class _Scanner:
    """Walks a valid TOML text. Where it is not valid, what it notes is of no use."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.keys: dict[Path, int] = {}
        self.spans: dict[Path, Span] = {}
        self._last: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise IndexError(self.at)
        self.at = match.end()
        return match[0]

    def _header(self) -> Path:
        several = self.text.startswith("[[", self.at)
        self.at += 2 if several else 1
        parts = self._key()
        self.at += 2 if several else 1
        path: Path = ()
        for index, (part, offset) in enumerate(parts):
            path = (*path, part)
            self.keys.setdefault(path, offset)
            last = index == len(parts) - 1
            if last and several:
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path = (*path, self._last[path])
        return path

    def _key(self) -> list[tuple[str, int]]:
        parts = []
        while True:
            self._skip(_SPACE)
            start = self.at
            if self.text[start] in "\"'":
                parts.append((unquoted(self._take(_STRING)), start))
            else:
                parts.append((self._take(_BARE), start))
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _pair(self, table: Path) -> None:
        path = table
        for part, offset in self._key():
            path = (*path, part)
            self.keys.setdefault(path, offset)
        self.at += 1
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        start = self.at
        first = self.text[start]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline(path)
        else:
            self._take(_STRING if first in "\"'" else _SCALAR)
        self.spans[path] = Span(start, self.at)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self.text[self.at] == "]":
                break
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            self.at += self.text[self.at] == ","
        self.at += 1

    def _inline(self, path: Path) -> None:
        self.at += 1
        while True:
            self._skip(_BLANK)
            if self.text[self.at] == "}":
                break
            self._pair(path)
            self._skip(_BLANK)
            self.at += self.text[self.at] == ","
        self.at += 1


def inside(literal: str, index: int) -> int:
    """Return where in a string literal the character at `index` of its value is written.

    An index past the end is where the closing quote stands.
    """
    quote = 3 if literal.startswith(('"""', "'''")) else 1
    start = quote + (quote == 3 and literal[quote] == "\n")
    if literal[0] == "'" or "\\" not in literal:
        return start + index
    for match in _CHARACTER.finditer(literal, start, len(literal) - quote):
        if _FOLD.match(match[0]):
            continue
        if index == 0:
            return match.start()
        index -= 1
    return len(literal) - quote


def unquoted(literal: str) -> str:
    """Return the value of a TOML string literal."""
    if literal.startswith("'"):
        return literal.strip("'") if not literal.startswith("'''") else _parsed(literal)
    return literal[1:-1] if "\\" not in literal and '""' not in literal else _parsed(literal)


def _parsed(literal: str) -> str:
    return str(values(Source(f"v = {literal}", "string"))["v"])
