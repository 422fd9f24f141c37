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
from legacy_doctor.environment.requirements.source import Source

_IRREGULAR: Final = re.compile(
    r"""
    ^(?!
        \n | \Z
      | \#[^\n\r]*$                                          # a comment
      | \[\[?(?:[\w-]+)(?:\.(?:[\w-]+|"[^"\\\n]*"))*\]\]?$   # a header
      | [A-Za-z][\w-]*[ ]=[ ][^\n\r]+$                       # a key, its value or its beginning
      | [ \t]+(?:["'][^\n\r]*["'],?|[{\]}][^\n\r]*)$         # an item of a list
      | \],?$
    )
    """,
    re.MULTILINE | re.VERBOSE | re.ASCII,
)
_LONG: Final = re.compile("\"\"\"|'''")
_HEADER: Final = re.compile(r"^\[.*$", re.MULTILINE)
_PAIR: Final = re.compile(
    r"^([\w-]+) = (\[\n(?:[ \t][^\n]*\n)*\]|[^\n]*)$", re.MULTILINE | re.ASCII
)
_ITEM: Final = re.compile(r"^[ \t]+([^\n]*?),?$", re.MULTILINE)
_SIMPLE: Final = re.compile(r'"([^"\\]*)"')
_FLAT: Final = re.compile(r'\{ [\w-]+ = "[^"\\]*"(?:, [\w-]+ = "[^"\\]*")* \}', re.ASCII)
_BELOW: Final = re.compile(r"\[([A-Za-z][\w-]*)\.([\w-]+)\]\n", re.ASCII)
_FIELD: Final = re.compile(r'([\w-]+) = "([^"\\]*)"', re.ASCII)


class Table:
    """One table: its values by key, and where a text among them begins.

    A sub-table (`[package.source]`) is a value like one written inline; lists of sub-tables are
    not told.
    """

    def __init__(
        self,
        path: str,
        literals: Mapping[str, tuple[str, int]],
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._path = path
        self._literals = literals
        self._values = values

    def get(self, key: str) -> Any:
        """Return the value, or None where the table does not have the key."""
        if self._values is not None:
            return self._values.get(key)
        found = self._literals.get(key)
        return None if found is None else _value(found[0], self._path)

    def text(self, key: str) -> str:
        """Return the value where it is a text, else an empty one."""
        value = self.get(key)
        return value if isinstance(value, str) else ""

    def offset(self, key: str) -> int:
        """Return where in the source the content of a text begins."""
        literal, offset = self._literals[key]
        return offset + (3 if _LONG.match(literal) else 1)


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
    headers = list(_HEADER.finditer(text))
    ends = [match.start() for match in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        if header[0] == first:
            if literals is not None:
                yield Table(source.path, literals)
            pairs = _PAIR.finditer(text, header.end(), end)
            literals = {pair[1]: (pair[2], pair.start(2)) for pair in pairs}
        elif literals is not None and header[0].startswith(below):
            key = header[0][len(below) : -1]
            literals[key] = (text[header.start() : end], header.start())
    if literals is not None:
        yield Table(source.path, literals)


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
            yield Table(source.path, literals, told)


def _value(literal: str, path: str) -> Any:
    simple = _SIMPLE.fullmatch(literal)
    if simple:
        return simple[1]
    if _FLAT.fullmatch(literal):
        return dict(_FIELD.findall(literal))
    if literal.startswith("[\n"):
        return [_value(item[1], path) for item in _ITEM.finditer(literal)]
    below = _BELOW.match(literal)
    if below:
        return toml.values(Source(literal, path))[below[1]][below[2]]
    return _decoded(literal, path)


@lru_cache(maxsize=1024)
def _decoded(literal: str, path: str) -> Any:
    return toml.values(Source(f"v = {literal}", path))["v"]
