"""Lock files in TOML: what uv, poetry and pdm wrote, and `pylock.toml` (PEP 751)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from legacy_doctor.environment.requirements.entry import NAMED, normalized
from legacy_doctor.environment.requirements.source import Found, Source
from legacy_doctor.environment.requirements.tables import Table, tables
from legacy_doctor.model import Requirement, RequirementKind

_CHOSEN: Final = re.compile(r"\bextras?\b|\bdependency_groups\b")
"""Markers about what is chosen at installation: somebody may choose it, so they always hold."""


def uv(source: Source, found: Found) -> None:
    """Read `uv.lock`.

    Projects on this disk are left out: no published wheel is installed for them. What is locked
    for some environments only (`resolution-markers`), or asked for under a marker by each
    package that asks for it, has that as its marker.
    """
    rows = tables(source, "package")
    asked = _asked(rows, found)
    for row in rows:
        place = row.table("source")
        if not place.keys() & {"virtual", "editable", "directory"}:
            resolution = _either(row.get("resolution-markers"))
            edges = asked.get((row.text("name"), None), []) + asked.get(_key(row), [])
            origin = _first(place, "git", "url", "path")
            _lock(row, found, marker=_both(resolution, _either(edges)), origin=origin)


def _key(row: Table) -> tuple[str, str | None]:
    return row.text("name"), row.text("version")


def _asked(rows: Iterable[Table], found: Found) -> dict[tuple[str, str | None], list[Any]]:
    """Return the markers under which each package is asked for; an empty one holds always.

    The version is None where the name alone says which package it is.
    """
    asked: dict[tuple[str, str | None], list[Any]] = {}
    for row in rows:
        for edge in _edges(row):
            key = (str(edge.get("name")), edge.get("version"))
            asked.setdefault(key, []).append(edge.get("marker", ""))
            found.asks(row.text("name"), key[0])
    return asked


def _edges(row: Table) -> Iterator[dict[str, Any]]:
    yield from row.tables("dependencies")
    for key in ("optional-dependencies", "dev-dependencies"):
        for items in row.table(key).values():
            if isinstance(items, list):
                yield from (item for item in items if isinstance(item, dict))


def poetry(source: Source, found: Found) -> None:
    """Read `poetry.lock`, written by poetry 1.2 or later. Projects on this disk are left out."""
    for row in tables(source, "package"):
        place = row.table("source")
        kind = place.get("type", "legacy")
        for name in row.below("dependencies"):
            found.asks(row.text("name"), name)
        if kind != "directory":
            origin = "" if kind == "legacy" else _first(place, "url")
            _lock(row, found, marker=_grouped(row), origin=origin)


def _grouped(row: Table) -> str:
    """Return the marker of a package of poetry's, which may have one for each group."""
    markers = row.get("markers") or row.table("markers")
    if isinstance(markers, dict) and markers:
        groups = row.get("groups")
        named = groups if isinstance(groups, list) else list(markers)
        return _either([markers.get(group, "") for group in named])
    return _either([markers or ""])


def pdm(source: Source, found: Found) -> None:
    """Read `pdm.lock`. Projects on this disk are left out, and repetitions for an extra."""
    rows = tables(source, "package")
    plain = {_key(row) for row in rows if not row.get("extras")}
    for row in rows:
        if row.get("extras") and _key(row) in plain:
            continue
        path = row.text("path")
        _ask(row, found)
        if row.get("editable") is not True and (not path or path.endswith((".whl", ".gz", ".zip"))):
            origin = row.text("git") or row.text("url") or path
            _lock(row, found, marker=_either([row.get("marker")]), origin=origin)


def _ask(row: Table, found: Found) -> None:
    """Note what a package of pdm's asks for, in the words of PEP 508."""
    texts = row.get("dependencies")
    for text in texts if isinstance(texts, list) else ():
        name = NAMED.match(text) if isinstance(text, str) else None
        if name:
            found.asks(row.text("name"), name[0])


def pylock(source: Source, found: Found) -> None:
    """Read `pylock.toml` (PEP 751). Directories are left out."""
    for row in tables(source, "packages"):
        for edge in row.tables("dependencies"):
            found.asks(row.text("name"), str(edge.get("name")))
        if not row.table("directory"):
            place = {**row.table("archive"), **row.table("vcs")}
            _lock(
                row, found, marker=_either([row.get("marker")]), origin=_first(place, "url", "path")
            )


def _lock(row: Table, found: Found, *, marker: str, origin: str) -> None:
    name, version = row.text("name"), row.text("version")
    if not NAMED.fullmatch(name):
        found.problem(row.place("name"), name, "no name of a distribution")
        return
    found.add(
        Requirement(
            name=normalized(name),
            kind=RequirementKind.LOCKED,
            location=row.place("name"),
            specifier=f"=={version}" if version else "",
            version=version or None,
            marker=marker,
            origin=origin,
            text=f"{name} {version}".strip(),
        )
    )


def _first(table: Mapping[str, Any], *keys: str) -> str:
    return next((str(table[key]) for key in keys if key in table), "")


def _either(markers: Any) -> str:
    """Return a marker that holds where one of several does; empty where there is none."""
    if not isinstance(markers, list):
        return ""
    told = dict.fromkeys(item if isinstance(item, str) else "" for item in markers)
    if any(not item or _CHOSEN.search(item) for item in told):
        return ""
    return " or ".join(told if len(told) == 1 else (f"({item})" for item in told))


def _both(first: str, second: str) -> str:
    """Return a marker that holds where two do."""
    if not first or not second or first == second:
        return first or second
    return " and ".join(f"({item})" if " or " in item else item for item in (first, second))
