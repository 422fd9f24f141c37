"""`pyproject.toml`: what a project asks for, and how its tools bound it.

Read are `[project]` (PEP 621), `[dependency-groups]` (PEP 735), `[tool.poetry]`, `[tool.pdm]` and
`[tool.uv]`. `build-system.requires` is not: it speaks of the machine that builds, in an environment
of its own, and says nothing of what the target will run.
"""

from __future__ import annotations

from typing import Any, Final

from legacy_doctor.environment.requirements import keyed
from legacy_doctor.environment.requirements.entry import (
    NAMED,
    Entry,
    EntryError,
    direct,
    is_direct,
    normalized,
    parse,
)
from legacy_doctor.environment.requirements.source import Found, Source
from legacy_doctor.environment.requirements.toml import Document, Path
from legacy_doctor.model import RequirementKind

_ASKED: Final = RequirementKind.RANGE
_BOUND: Final = RequirementKind.CONSTRAINT


def read(source: Source, found: Found) -> None:
    """Read a project; raises `RequirementsError` where the text is no TOML."""
    _Reader(Document(source), found).read()


class _Reader:
    def __init__(self, document: Document, found: Found) -> None:
        self._document = document
        self._found = found
        self._sources = _uv_sources(document)
        self._misfits: set[Path] = set()

    def read(self) -> None:
        self._texts(("project", "dependencies"))
        self._named_texts(("project", "optional-dependencies"))
        self._groups()
        self._texts(("tool", "uv", "dev-dependencies"))
        self._texts(("tool", "uv", "constraint-dependencies"), _BOUND)
        self._texts(("tool", "uv", "override-dependencies"), _BOUND)
        self._named_texts(("tool", "pdm", "dev-dependencies"))
        self._overrides()
        self._poetry()

    def _value(self, path: Path, kind: type) -> Any:
        """Return the value at a path, or nothing of its kind; a wrong kind is a problem."""
        for length in range(1, len(path) + 1):
            wanted = kind if length == len(path) else dict
            value = self._document.get(path[:length])
            if value is None:
                return kind()
            if not isinstance(value, wanted):
                self._misfit(path[:length], "a list" if wanted is list else "a table")
                return kind()
        return value

    def _misfit(self, path: Path, wanted: str) -> None:
        if path not in self._misfits:
            self._misfits.add(path)
            self._problem(path, ".".join(map(str, path)), f"{wanted} belongs here")

    def _problem(self, path: Path, entry: object, why: str) -> None:
        self._found.problem(self._document.place(path), entry, why)

    def _texts(self, path: Path, kind: RequirementKind = _ASKED) -> None:
        for index, item in enumerate(self._value(path, list)):
            self._text((*path, index), item, kind)

    def _named_texts(self, path: Path) -> None:
        for name in self._value(path, dict):
            self._texts((*path, name))

    def _groups(self) -> None:
        path: Path = ("dependency-groups",)
        groups = self._value(path, dict)
        known = {normalized(name) for name in groups}
        for name in groups:
            for index, item in enumerate(self._value((*path, name), list)):
                where = (*path, name, index)
                if not isinstance(item, dict):
                    self._text(where, item, _ASKED)
                elif normalized(str(item.get("include-group", ""))) not in known:
                    self._problem(where, item, "includes no group of this file")

    def _text(self, path: Path, item: object, kind: RequirementKind) -> None:
        if not isinstance(item, str):
            self._problem(path, item, "a text belongs here")
            return
        editable = item.startswith("-e ")  # pdm writes that
        try:
            bare = f"   {item[3:]}" if editable else item
            entry = direct(bare) if is_direct(bare) else parse(bare)
        except EntryError as error:
            self._problem(path, item, str(error))
            return
        if entry is None:
            return
        entry = self._sourced(entry)
        where = self._document.within(path, entry.start)
        end = self._document.within(path, entry.end)
        self._found.add(entry.requirement(kind, where, end, item))

    def _sourced(self, entry: Entry) -> Entry:
        origin = self._sources.get(normalized(entry.name), "")
        return entry._replace(origin=entry.origin or origin)

    def _overrides(self) -> None:
        path: Path = ("tool", "pdm", "resolution", "overrides")
        for name, value in self._value(path, dict).items():
            where = (*path, name)
            text = value if isinstance(value, str) else ""
            bare = text.strip()
            glue = "" if bare.startswith(tuple("<>=!~")) else "==" if bare[:1].isdigit() else " @ "
            try:
                entry = parse(f"{name}{glue}{text}")
            except EntryError as error:
                self._problem(where, {name: value}, str(error))
                continue
            place = self._document.key(where)
            self._found.add(entry.requirement(_BOUND, place, None, f"{name} = {value!r}"))

    def _poetry(self) -> None:
        texts = [
            item for item in self._value(("project", "dependencies"), list) if isinstance(item, str)
        ]
        declared = {normalized(match[0]) for match in map(NAMED.match, texts) if match}
        path: Path = ("tool", "poetry")
        keyed.poetry_table(self._document, (*path, "dependencies"), self._found, declared)
        keyed.poetry_table(self._document, (*path, "dev-dependencies"), self._found)
        for group in self._value((*path, "group"), dict):
            keyed.poetry_table(self._document, (*path, "group", group, "dependencies"), self._found)


def _uv_sources(document: Document) -> dict[str, str]:
    """Return what uv takes from elsewhere than an index, and from where.

    A list of sources, each for its own environments, may hold an index: it says nothing.
    """
    sources: dict[str, str] = {}
    table = document.get(("tool", "uv", "sources"))
    for name, value in table.items() if isinstance(table, dict) else ():
        if isinstance(value, dict):
            origin = next((str(value[key]) for key in ("git", "url", "path") if key in value), "")
            sources[normalized(name)] = "workspace" if value.get("workspace") else origin
    return sources
