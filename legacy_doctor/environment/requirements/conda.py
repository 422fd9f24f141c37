"""conda's `environment.yml`: its `dependencies`, and those that it hands to pip.

No YAML library is used: the only one in wide use, PyYAML, ships compiled wheels and tells no
places. conda itself writes this file in a small part of YAML, lists of plain or quoted texts, one a
line, and that is what is read; anything else in the list is a problem of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from legacy_doctor.environment.requirements.entry import exact, normalized
from legacy_doctor.environment.requirements.pip import Line, Reader
from legacy_doctor.environment.requirements.source import Found, Source
from legacy_doctor.model import Requirement, RequirementKind

_KEY: Final = re.compile(
    r"(?P<key>dependencies|'dependencies'|\"dependencies\")[ ]*:[ ]*(?P<rest>.*)$"
)
_ITEM: Final = re.compile(r"(?P<indent>[ ]*)-(?:[ ]+(?P<text>.*)|$)")
_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t]))#.*$")
_QUOTED: Final = re.compile(r"""(["'])(?P<text>[^"'\\]*)\1""")
_PIP: Final = re.compile(r"(?:pip|'pip'|\"pip\")[ ]*:$")
_STRANGE: Final = re.compile(r"[\[\]{}&*!|%@`,>?:-](?=\s|$)|[\[{&!|%@`\"'>*]|.*:(?:\s|$)|-\s")
"""What begins something else than a plain text, or makes it a key with a value."""

_SPEC: Final = re.compile(
    r"(?:(?P<channel>[^\s:\[\]]+)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]*)[ ]*"
    r"(?P<version>[^\[\]]*?)[ ]*(?:\[(?P<fields>[^\[\]]*)\])?"
)
_FIELD: Final = re.compile(r"\bversion\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\s]+))")
_CLAUSE: Final = re.compile(
    r"(?P<operator>==|!=|<=|>=|~=|=|<|>)?\s*(?P<version>\d+(?:\.\d+)*(?:\.?(?:a|b|rc|post|dev)\d+)*)(?P<wild>\.?\*)?"
)
_BUILD: Final = re.compile(r"(?<=[\w.*])(?:=|[ ]+(?=[\w*]))[^=<>!~|,]*$")
"""What follows the version: `=py311_0`, or a blank and the build."""
_OPEN: Final = re.compile(r"|(?:[<>!]|==)[^|]*[^*\s|]")
"""A version to which `,<2` may be added."""
_LONGEST: Final = 500
"""Characters of a package's line: blanks without end would take time without end."""
_NOT_UNDERSTOOD: Final = "this YAML is not understood; write one plain text a line"
_NAMES: Final = {
    "faiss": "faiss-cpu",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "py-xgboost": "xgboost",
    "pyarrow-core": "pyarrow",
    "pytables": "tables",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
}
"""What conda-forge or Anaconda call otherwise than PyPI does."""


class _Item(NamedTuple):
    """An item of a list: a text, or the key of a list of its own."""

    indent: int
    text: str
    offset: int


def read(source: Source, found: Found) -> None:
    """Read an environment. Packages of conda's have `conda` as origin: its builds are its own."""
    pip, outer, inner = Reader(found), -1, False
    for item in _items(source, found):
        outer = item.indent if outer < 0 else outer
        nested = item.indent > outer
        plain = _plain(item)
        if not nested and _PIP.fullmatch(item.text):
            inner = True
        elif plain is None or (nested and not inner):
            found.problem(source.place(item.offset), item.text, _NOT_UNDERSTOOD)
        elif nested:
            line = Line(plain.text, ((0, plain.offset),))
            pip.line(source, line, RequirementKind.RANGE)
        else:
            inner = False
            _conda(source, plain, found)


def _items(source: Source, found: Found) -> Iterator[_Item]:
    """Yield the items of `dependencies`, comments and blank lines left out."""
    offset, inside = 0, False
    for raw in source.text.split("\n"):
        line = _COMMENT.sub("", raw).rstrip()
        item = _ITEM.fullmatch(line) if inside else None
        key = _KEY.fullmatch(line)
        if item:
            text = item["text"] or ""
            start = offset + (item.start("text") if item["text"] else len(line))
            yield _Item(len(item["indent"]), text.strip(), start + len(text) - len(text.lstrip()))
        elif key:
            inside = True
            if key["rest"] not in {"", "[]"}:
                found.problem(source.place(offset), line, _NOT_UNDERSTOOD)
        elif line and not line[0].isspace():
            inside = False
        elif line and inside:
            text = line.strip()
            found.problem(source.place(offset + line.index(text)), text, _NOT_UNDERSTOOD)
        offset += len(raw) + 1


def _plain(item: _Item) -> _Item | None:
    """Return an item without its quotes; None where it is no plain text."""
    quoted = _QUOTED.fullmatch(item.text)
    if quoted:
        return item._replace(text=quoted["text"], offset=item.offset + 1)
    return None if not item.text or _STRANGE.match(item.text) else item


def _conda(source: Source, item: _Item, found: Found) -> None:
    match = _SPEC.fullmatch(item.text) if len(item.text) < _LONGEST else None
    if match is None:
        found.problem(source.place(item.offset), item.text, "no package of conda's")
        return
    name = match["name"].lower()
    if name in {"python", "pip"} or name.startswith("_"):
        return
    field = _FIELD.search(match["fields"] or "")
    written = next(filter(None, field.groups()), "") if field else match["version"]
    open_ended = match["fields"] is None and _OPEN.fullmatch(written)
    end = source.place(item.offset + match.end("version")) if open_ended else None
    for specifier in _specifiers(written):
        found.add(
            Requirement(
                name=normalized(_NAMES.get(name, name)),
                kind=RequirementKind.RANGE,
                location=source.place(item.offset + match.start("name")),
                end=end,
                specifier=specifier,
                version=exact(specifier),
                origin="conda",
                text=item.text,
            )
        )


def _specifiers(written: str) -> list[str]:
    """Return the specifiers of which one must hold, in the words of PEP 440.

    The grammar is that of conda's `MatchSpec`: `1.26.4` is exactly that, `=1.26` any of 1.26,
    and a build behind it (`=1.26.4=py311_0`, `1.26.4 py311_0`) makes it exact again. A version
    that PEP 440 does not know, such as openssl's `3.0.2h`, bounds nothing.
    """
    text = written.strip()
    build = _BUILD.search(text)
    if build:
        text = text[: build.start()].lstrip("=")
    return [_specifier(part) for part in text.split("|")]


def _specifier(text: str) -> str:
    clauses = []
    for part in filter(None, (item.strip() for item in text.split(","))):
        match = _CLAUSE.fullmatch(part)
        if match is None:
            continue
        operator, wild = match["operator"] or "==", match["wild"] or match["operator"] == "="
        operator = "==" if operator == "=" else operator
        starred = wild and operator in {"==", "!="}
        clauses.append(f"{operator}{match['version']}{'.*' if starred else ''}")
    return ",".join(clauses)
