"""Lock files in TOML: what uv, poetry and pdm wrote, and `pylock.toml` (PEP 751)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from legacy_doctor.environment.requirements.entry import NAMED, normalized
from legacy_doctor.environment.requirements.source import Source
from legacy_doctor.environment.requirements.tables import Table, tables
from legacy_doctor.model import Location, Requirement, RequirementKind

Problems = list[tuple[Location, str]]

_LOCAL: Final = ("virtual", "editable", "directory")
"""Sources of uv that are projects on this disk: no published wheel is installed for them."""


def uv(source: Source, problems: Problems) -> Iterator[Requirement]:
    """Read `uv.lock` (version 1).

    A package that is locked for some environments only carries their markers.
    """
    rows = tables(source, "package")
    for row in rows:
        place = row.get("source")
        table = place if isinstance(place, dict) else {}
        if any(key in table for key in _LOCAL):
            continue
        origin = next((str(table[key]) for key in ("git", "url", "path") if key in table), "")
        marker = _either(row.get("resolution-markers"))
        yield from _locked(row, source, problems, marker=marker, origin=origin)


def _locked(
    row: Table, source: Source, problems: Problems, *, marker: str = "", origin: str = ""
) -> Iterator[Requirement]:
    name, version = row.text("name"), row.text("version")
    if not NAMED.fullmatch(name):
        where = source.place(row.offset("name")) if name else Location(source.path)
        problems.append((where, f"a package without a proper name: {name[:60]!r}"))
        return
    yield Requirement(
        name=normalized(name),
        kind=RequirementKind.LOCKED,
        location=source.place(row.offset("name")),
        specifier=f"=={version}" if version else "",
        version=version or None,
        marker=marker,
        origin=origin,
        text=f"{name} {version}".strip(),
    )


def _either(markers: Any) -> str:
    """Return a marker that holds where one of several does."""
    found = [item for item in markers if isinstance(item, str)] if isinstance(markers, list) else []
    return found[0] if len(found) == 1 else " or ".join(f"({item})" for item in found)
