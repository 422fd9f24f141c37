"""The tables of a lock file, one for each locked package.

uv, poetry, pdm and pip write them in one regular form, megabytes of it, and a TOML parser in
Python takes a second for what an expression finds in milliseconds. So where every line has one of
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

_IRREGULAR: Final = re.compile(
    r"""
    ^(?!
        \n | \Z
      | \#[^\n\r]*$                                                       # a comment
      | \[\[?(?!(?:true|false|inf|nan)\])[A-Za-z][\w-]*
        (?:\.(?:[\w-]+|"[^"\\\n]*"))*\]\]?$                              # a header
      | [A-Za-z][\w-]*[ ]=[ ](?:\[|\[[^\n\r]*\]|\{[^\n\r]*\}|[^\[{\s][^\n\r]*)$  # a pair
      | [ \t]+(?:"(?:[^"\\\n\r]|\\.)*"|'[^'\n\r]*'|\{[^\n\r]*\}),?$     # an item of a list
      | \]$                                                               # its end
    )
    """,
    re.MULTILINE | re.VERBOSE | re.ASCII,
)
_LONG: Final = re.compile("\"\"\"|'''")
_HEADER: Final = re.compile(r"^\[.*$", re.MULTILINE)
_PAIR: Final = re.compile(
    r"^([\w-]+) = (\[\n(?:[ \t][^\n]*\n)*\]|[^\n]*)$", re.MULTILINE | re.ASCII
)
_SIMPLE: Final = re.compile(r'"([^"\\]*)"')
_QUOTED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_TO_JSON: Final = re.compile(
    rf"({_QUOTED.pattern})|([A-Za-z][\w-]*) = |,\s*(?=\])",  # a key; a comma that JSON forbids
    re.ASCII,
)
_BELOW: Final = re.compile(r"\[([A-Za-z][\w-]*)\.([\w-]+)\]\n", re.ASCII)


class Table:
    """One table: its values by key, and where a text among them begins.

    A sub-table (`[package.source]`) is a value like one written inline; lists of sub-tables
    (`[[packages.wheels]]`) are not told.
    """

    def __init__(
        self,
        source: Source,
        path: tuple[str, int],
        literals: Mapping[str, tuple[str, int]],
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._source = source
        self._path = path
        self._literals = literals
        self._values = values

    def get(self, key: str) -> Any:
        """Return the value, or None where the table does not have the key."""
        if self._values is not None:
            return self._values.get(key)
        found = self._literals.get(key)
        if found is None:
            return None
        literal = found[0]
        simple = _SIMPLE.fullmatch(literal)
        if simple:
            return simple[1]
        if _BELOW.match(literal):
            pairs = _PAIR.finditer(literal)
            return {pair[1]: self._decoded((key, pair[1]), pair[2]) for pair in pairs}
        return self._decoded((key,), literal)

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
        found = self._literals.get(key)
        if found is None:
            return Location(self._source.path)
        literal, offset = found
        start = toml.inside(literal, 0) if literal[0] in "\"'" else 0
        return self._source.place(offset + start)

    def _decoded(self, keys: tuple[str, ...], literal: str) -> Any:
        try:
            return _decoded(literal)
        except RequirementsError:  # no TOML, or a value that goes on where the tools end it
            value = toml.get(toml.values(self._source), (*self._path, *keys))
            if value is None:
                raise
            return value


def tables(source: Source, name: str) -> list[Table]:
    """Return the tables `[[name]]`; raises `RequirementsError` where the text is no TOML.

    A file in the regular form is not proven to be TOML all through.
    """
    if is_regular(source.text, name):
        return list(_found(source, name))
    return list(_parsed(source, name))


def is_regular(text: str, name: str) -> bool:
    """Tell whether every line has a form in which it alone says what it is."""
    return (
        f"\n[[{name}]]\n" in text
        and not _LONG.search(text)
        and not _IRREGULAR.search(text)
        and not re.search(rf"^{name} =", text, re.MULTILINE)
    )


def _found(source: Source, name: str) -> Iterator[Table]:
    text = source.text
    first, below = f"[[{name}]]", f"[{name}."
    literals: dict[str, tuple[str, int]] | None = None
    index = 0
    headers = list(_HEADER.finditer(text))
    ends = [match.start() for match in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        if header[0] == first:
            if literals is not None:
                yield Table(source, (name, index), literals)
                index += 1
            pairs = _PAIR.finditer(text, header.end(), end)
            literals = {pair[1]: (pair[2], pair.start(2)) for pair in pairs}
        elif literals is not None and header[0].startswith(below):
            key = header[0][len(below) : -1]
            literals[key] = (text[header.start() : end], header.start())
    if literals is not None:
        yield Table(source, (name, index), literals)


def _parsed(source: Source, name: str) -> Iterator[Table]:
    document = toml.Document(source)
    rows = document.values.get(name)
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            spans = {key: document.spans.get((name, index, key)) for key in row}
            literals = {
                key: (source.text[span.start : span.end], span.start)
                for key, span in spans.items()
                if span is not None
            }
            told = {
                key: value
                for key, value in row.items()
                if key in literals or not isinstance(value, list)
            }
            yield Table(source, (name, index), literals, told)


@lru_cache(maxsize=4096)
def _decoded(literal: str) -> Any:
    """Return the value of a literal; raises `RequirementsError` where it is none.

    The `json` module is faster than any TOML parser in Python, and what is JSON after the keys
    were put into quotes means the same in both.
    """
    import json

    if "'" not in _QUOTED.sub("", literal):
        try:
            return json.loads(_TO_JSON.sub(_json, literal), parse_constant=_refused)
        except (ValueError, RecursionError):
            pass
    return toml.values(Source(f"v = {literal}", "value"))["v"]


def _json(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    return f'"{match[2]}": ' if match[2] else ""


def _refused(word: str) -> None:
    raise ValueError(word)
