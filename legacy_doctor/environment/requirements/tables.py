"""The tables of a lock file, one for each locked package.

uv, poetry, pdm and pip write them in one regular form, megabytes of it, and a TOML parser in
Python takes ten times as long as a walk over its lines. So where every line has one of
the forms that those tools write, tables are found line by line; any other file is parsed whole.
Both ways find the same, which the tests hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from legacy_doctor.environment.requirements import toml
from legacy_doctor.environment.requirements.source import RequirementsError, Source
from legacy_doctor.model import Location

_PART: Final = r'(?:[\w-]+|"[^"\\.]*")'
_NAME: Final = rf"{_PART}(?:\.{_PART})*"
_HEADER: Final = re.compile(rf"\[{_NAME}\]|\[\[{_NAME}\]\]", re.ASCII)
_PAIR: Final = re.compile(rf"({_PART}) = (?:\[\[?|\[.*\]|\{{.*\}}|[^\[{{\s].*)", re.ASCII)
"""A key, and its value or the bracket that opens it."""
_ITEM: Final = re.compile(r"""[ \t]+(?:"(?:[^"\\]|\\.)*"|'[^']*'|\{.*\}),?|\], \[""")
_LONG: Final = ('"""', "'''")
_SIMPLE: Final = re.compile(r'"([^"\\]*)"')
_OUTSIDE: Final = re.compile(r'("(?:[^"\\]|\\.)*")|[^"]+')
_KEY: Final = re.compile(r"([\w-]+) = ", re.ASCII)
_COMMA: Final = re.compile(r",\s*\]")


class Table:
    """One table: its values by key, and where a text among them begins.

    A pair is a key and its value on a line, or on several. What has a header of its own
    (`[package.source]`) is a table below; lists of those (`[[packages.wheels]]`) are not told.
    """

    def __init__(
        self,
        source: Source,
        spans: Mapping[str, tuple[int, int]],
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._source = source
        self._spans = spans
        self._values = values

    def get(self, key: str) -> Any:
        """Return the value of a pair, or None where the table does not have it."""
        span = self._spans.get(key)
        if span is None:
            return None
        if self._values is not None:
            return self._values.get(key)
        return self._read(self._source.text[slice(*span)])

    def _read(self, literal: str) -> Any:
        simple = _SIMPLE.fullmatch(literal)
        if simple:
            return simple[1]
        try:
            return _decoded(literal)
        except RequirementsError:
            toml.values(self._source)  # refuses the file with the line
            raise

    def table(self, key: str) -> dict[str, Any]:
        """Return a table below this one, written inline or with a header; else an empty one."""
        value = self.get(key) if self._values is None else self._values.get(key)
        if value is None and self._values is None:
            below = f"{key}."
            names = [name for name in self._spans if name.startswith(below)]
            return {name[len(below) :]: self.get(name) for name in names}
        return value if isinstance(value, dict) else {}

    def below(self, key: str) -> list[str]:
        """Return the keys of a table below this one, without reading their values."""
        if self._values is not None or key in self._spans:
            return list(self.table(key))
        start = f"{key}."
        return [name[len(start) :] for name in self._spans if name.startswith(start)]

    def text(self, key: str) -> str:
        """Return the value where it is a text, else an empty one."""
        value = self.get(key)
        return value if isinstance(value, str) else ""

    def tables(self, key: str) -> list[dict[str, Any]]:
        """Return the tables of a list, whatever else may be in it."""
        value = self.get(key)
        items = value if isinstance(value, list) else ()
        return [item for item in items if isinstance(item, dict)]

    def place(self, key: str) -> Location:
        """Return where the content of a text begins; the first line where there is none."""
        span = self._spans.get(key)
        if span is None:
            return Location(self._source.path)
        literal = self._source.text[slice(*span)]
        return self._source.place(span[0] + (toml.inside(literal, 0) if literal[0] in "\"'" else 0))


def tables(source: Source, name: str) -> list[Table]:
    """Return the tables `[[name]]`; raises `RequirementsError` where the text is no TOML.

    A file in the regular form is not proven to be TOML all through.
    """
    found = scanned(source.text, name)
    if found is None:
        return list(_parsed(source, name))
    return [Table(source, spans) for spans in found]


def scanned(text: str, name: str) -> list[dict[str, tuple[int, int]]] | None:
    """Return where the values of each table `[[name]]` stand, those below it by `table.key`.

    None where a line has another form than those of the tools: only then could a line mean
    something else than what it looks like.
    """
    if "\r" in text or any(quotes in text for quotes in _LONG):
        return None
    scan = _Scan(text, name)
    return scan.tables if scan.run() else None


class _Scan:
    """A walk over a text, line by line, over a list of tables in one step."""

    def __init__(self, text: str, name: str) -> None:
        self.tables: list[dict[str, tuple[int, int]]] = []
        self._text = text if text.endswith("\n") else f"{text}\n"
        self._name = name
        self._prefix: str | None = None
        """What precedes the keys of the current table; None where nobody asks for them."""
        self._root = True
        self._at = 0

    def run(self) -> bool:
        """Walk to the end; False as soon as a line has none of the forms."""
        while self._at < len(self._text):
            start, end = self._at, self._text.index("\n", self._at)
            self._at = end + 1
            first = self._text[start]
            if first == "[":
                regular = self._header(self._text[start:end])
            else:
                regular = first in "\n#" or self._pair(start, end)
            if not regular:
                return False
        return True

    def _header(self, line: str) -> bool:
        self._root = False
        self._prefix = None
        if line == f"[[{self._name}]]":
            self.tables.append({})
            self._prefix = ""
        elif line.startswith(f"[{self._name}.") and line.count(".") == 1:
            self._prefix = f"{line[len(self._name) + 2 : -1]}."
        return _HEADER.fullmatch(line) is not None

    def _pair(self, start: int, end: int) -> bool:
        match = _PAIR.fullmatch(self._text, start, end)
        if match is None:
            return False
        key, value = match[1].strip('"'), match.end(1) + len(" = ")
        if self._root and key == self._name:
            return False
        opened = self._text[value:end]
        if opened in {"[", "[["}:  # uv writes `conflicts` as a list of lists
            closed = "\n" + "]" * len(opened)
            start, end = end, self._text.find(f"{closed}\n", value)
            if end < 0 or not self._items(start, end):
                return False
            end += len(closed)
            self._at = end + 1
        if self._prefix is not None and self.tables:
            self.tables[-1][self._prefix + key] = (value, end)
        return True

    def _items(self, start: int, end: int) -> bool:
        """Tell whether each line of a list is an item of its own."""
        count = self._text.count
        lines = count("\n", start, end)
        tables = count("\n    { ", start, end)
        if lines == tables == count(" },\n", start, end + 1):  # most are such
            return True
        items = self._text[start + 1 : end].split("\n") if lines else []
        return all(map(_ITEM.fullmatch, items))


def _parsed(source: Source, name: str) -> Iterator[Table]:
    document = toml.Document(source)
    rows = document.values.get(name)
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            spans = {key: document.spans.get((name, index, key)) for key in row}
            written = {key: (span.start, span.end) for key, span in spans.items() if span}
            yield Table(source, written, row)


@lru_cache(maxsize=4096)
def _decoded(literal: str) -> Any:
    """Return the value of a literal; raises `RequirementsError` where it is none.

    The `json` module is faster than any TOML parser in Python, and what is JSON after the keys
    were put into quotes means the same in both. Literal strings (`'...'`) and comments are none.
    """
    import json

    try:
        return json.loads(_jsonlike(literal))
    except (ValueError, RecursionError):
        return toml.values(Source(f"v = {literal}", "value"))["v"]


def _jsonlike(literal: str) -> str:
    if "\\" in literal:
        return _OUTSIDE.sub(lambda match: match[1] or _bare(match[0]), literal)
    pieces = literal.split('"')
    pieces[::2] = map(_bare, pieces[::2])
    return '"'.join(pieces)


@lru_cache(maxsize=1024)
def _bare(piece: str) -> str:
    """Put the keys of what stands outside strings into quotes; leave out commas JSON forbids."""
    return _COMMA.sub("]", _KEY.sub(r'"\1": ', piece))
