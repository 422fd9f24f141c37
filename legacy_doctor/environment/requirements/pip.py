"""Requirements and constraints files, as pip reads them.

The rules are those of pip's documentation ("Requirements File Format") and of its
`_internal/req/req_file.py`: continuation lines, then comments, then environment variables, then
options. Neither `pip-api` nor `pip-requirements-parser` is used: both tell the line and neither
the column, the first starts `pip --version` when it is imported and knows no constraints.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor.environment.requirements.entry import (
    NAME,
    EntryError,
    direct,
    is_direct,
    parse,
)
from legacy_doctor.environment.requirements.source import Found, RequirementsError, Source, load
from legacy_doctor.model import Location, RequirementKind

_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#")
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")
_OPTION: Final = re.compile(r"(?:^|\s)-")
_INCLUDE: Final = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:[ \t]*=?[ \t]*)")
_EDITABLE: Final = re.compile(r"(?:-e|--editable)(?:[ \t]+|=|(?=\S))")
_COMPILED: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,99})[^\n#]*\n(?P<notes>(?:    [^\n]*\n)+)",
    re.MULTILINE,
)
"""A locked line of pip-compile or uv, with what it wrote below: hashes, and who asks for it."""
_VIA: Final = re.compile(rf"#(?: via|  )[ \t]+(?P<who>{NAME})[ \t]*$", re.MULTILINE)
_DEEPEST: Final = 50
"""Files that include one another; pip's own limit is Python's recursion limit."""


class Line(NamedTuple):
    """A line as pip sees it: continuations joined, comment cut off."""

    text: str
    chunks: tuple[tuple[int, int], ...]
    """(offset in the line, offset in the source), ascending."""

    def offset(self, index: int) -> int:
        """Return where in the source the character at `index` of the line stands."""
        at = bisect_right(self.chunks, (index, sys.maxsize))
        start, source = self.chunks[at - 1]
        found = source + index - start
        return found if at == len(self.chunks) else min(found, self.chunks[at][1])


def lines(source: Source) -> Iterator[Line]:
    """Yield the logical lines that say something: joined, without comments, expanded."""
    pending: list[tuple[str, int]] = []
    offset = 0
    for raw in source.text.splitlines(keepends=True):
        line = raw.splitlines()[0]
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            bare = line.lstrip("\\")
            pending.append((bare.rstrip("\\"), offset + len(line) - len(bare)))
        else:
            pending.append((f" {line}", offset - 1) if comment else (line, offset))
            yield from _joined(pending)
            pending = []
        offset += len(raw)
    if pending:
        yield from _joined(pending)


def _joined(parts: list[tuple[str, int]]) -> Iterator[Line]:
    text, chunks = "", []
    for part, offset in parts:
        chunks.append((len(text), offset))
        text += part
    comment = _COMMENT.search(text)
    text = (text[: comment.start()] if comment else text).rstrip()
    if text.strip():
        yield _expanded(Line(text, tuple(chunks)))


def _expanded(line: Line) -> Line:
    """Put environment variables in, as pip does; unset ones stay as they are written."""
    if "${" not in line.text:
        return line
    text, last = "", 0
    chunks: list[tuple[int, int]] = []
    for match in _VARIABLE.finditer(line.text):
        value = os.environ.get(match[1], "")
        if value:
            chunks += _moved(line, last, match.start(), len(text))
            text += line.text[last : match.start()]
            chunks.append((len(text), line.offset(match.start())))
            text += value
            last = match.end()
    chunks += _moved(line, last, len(line.text), len(text))
    return Line(text + line.text[last:], tuple(chunks))


def _moved(line: Line, start: int, stop: int, to: int) -> Iterator[tuple[int, int]]:
    """Yield the chunks of a piece of a line that begins at `to` in another one."""
    yield to, line.offset(start)
    for index, offset in line.chunks:
        if start < index < stop:
            yield index - start + to, offset


class Reader:
    """Reads one file and what it includes."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._read: set[tuple[str, bool]] = set()
        self._open: list[str] = []

    def read(self, source: Source, kind: RequirementKind) -> None:
        """Read a file in its order; raises `RequirementsError` where an included one is missing."""
        key = os.path.realpath(source.file)
        self._read.add((key, kind is RequirementKind.CONSTRAINT))
        self._open.append(key)
        for line in lines(source):
            self.line(source, line, kind)
        if "# via" in source.text:
            self._askers(source.text)
        self._open.pop()

    def _askers(self, text: str) -> None:
        """Note who asks for what, as the tool that compiled the file says it in comments."""
        for locked in _COMPILED.finditer(text):
            for via in _VIA.finditer(locked["notes"]):
                self._found.asks(via["who"], locked["name"])

    def line(self, source: Source, line: Line, kind: RequirementKind) -> None:
        """Read one line of a file: a requirement, or an option that names another file."""
        text = line.text
        start = len(text) - len(text.lstrip())
        if not text.startswith("-", start):
            option = _OPTION.search(text, start)
            self._entry(source, line, start, option.start() if option else len(text), kind)
            return
        include = _INCLUDE.match(text, start)
        if include:
            self._include(source, line, include)
        editable = _EDITABLE.match(text, start)
        if editable:
            self._entry(source, line, editable.end(), len(text), kind)

    def _entry(
        self, source: Source, line: Line, start: int, end: int, kind: RequirementKind
    ) -> None:
        text = line.text[start:end].rstrip()
        try:
            entry = direct(text) if is_direct(text) else parse(text)
        except EntryError as error:
            place = source.place(line.offset(start))
            unset = _VARIABLE.search(text)
            why = f"${{{unset[1]}}} is not set in the environment" if unset else str(error)
            self._found.problem(place, text.strip(), why)
            return
        if entry is not None:
            where = source.place(line.offset(start + entry.start))
            until = source.place(line.offset(start + entry.end - 1) + 1)
            self._found.add(entry.requirement(kind, where, until, text.strip()))

    def _include(self, source: Source, line: Line, include: re.Match[str]) -> None:
        place = source.place(line.offset(include.start()))
        text = line.text.strip()
        try:
            target = shlex.split(line.text[include.end() :])[0]
            beside = os.path.join(os.path.split(source.file)[0], target)
            key = os.path.realpath(beside)
        except (ValueError, IndexError):  # ValueError: an open quote, a NUL
            self._found.problem(place, text, "names no file to read")
            return
        if "://" in target:
            self._found.problem(place, text, "not read, since nothing is fetched")
            return
        constraint = text.startswith(("-c", "--constraint"))
        if key in self._open:
            self._found.problem(place, text, "includes a file that includes this one")
        elif (key, constraint) not in self._read:
            called = os.path.join(os.path.split(source.path)[0], target)
            kind = RequirementKind.CONSTRAINT if constraint else RequirementKind.RANGE
            self.read(self._opened(Path(beside), called, place), kind)

    def _opened(self, file: Path, called: str, place: Location) -> Source:
        where = f"{place.path}:{place.line}"
        if len(self._open) >= _DEEPEST:
            raise RequirementsError(f"{where}: files that include one another, {_DEEPEST} deep")
        try:
            return load(file, called)
        except RequirementsError as error:
            raise RequirementsError(f"{where}: {error}") from error
