"""Dependencies written as key and value: poetry's tables, and those of a Pipfile.

`numpy = "^1.26"`, or a table with a version and its conditions, or (poetry) a list of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from legacy_doctor.environment.requirements import poetry
from legacy_doctor.environment.requirements.entry import NAMED, exact, extras_of, normalized
from legacy_doctor.environment.requirements.source import Found
from legacy_doctor.environment.requirements.toml import Document, Path
from legacy_doctor.model import Location, Requirement, RequirementKind

_ORIGINS: Final = ("git", "hg", "svn", "bzr", "url", "file", "path")
_VARIABLES: Final = (
    *("os_name", "sys_platform", "platform_machine", "platform_python_implementation"),
    *("platform_release", "platform_system", "platform_version", "python_version"),
    *("python_full_version", "implementation_name", "implementation_version"),
)


def poetry_table(
    document: Document, path: Path, found: Found, declared: Collection[str] = ()
) -> None:
    """Read a table of poetry's; `python` in it is no distribution.

    What is `declared` in `[project]` has its range there: an entry without a version only says
    where it comes from.
    """
    for name, value in _items(document, path, found):
        if name.lower() == "python":
            continue
        several = value if isinstance(value, list) else [value]
        for index, item in enumerate(several):
            where = (*path, name, index) if isinstance(value, list) else (*path, name)
            if isinstance(item, str) or "version" in item or normalized(name) not in declared:
                _entry(document, where, (name, item), found, poetry.alternatives)


def pipfile(document: Document, found: Found) -> None:
    """Read the packages of a Pipfile, and those of its other categories."""
    for category in document.values:
        if category not in {"source", "requires", "scripts", "pipenv"}:
            for name, value in _items(document, (category,), found):
                if isinstance(value, list):
                    found.problem(document.key((category, name)), name, "no version constraint")
                    continue
                _entry(document, (category, name), (name, value), found, _pipenv)


def _items(document: Document, path: Path, found: Found) -> Iterator[tuple[str, Any]]:
    """Yield what is well-formed in a table; the rest are problems."""
    table = document.get(path)
    if table is None:
        return
    if not isinstance(table, dict):
        found.problem(document.place(path), ".".join(map(str, path)), "a table belongs here")
        return
    for name, value in table.items():
        several = value if isinstance(value, list) else [value]
        if not NAMED.fullmatch(name):
            found.problem(document.key((*path, name)), name, "no name of a distribution")
        elif not all(isinstance(item, str | dict) for item in several):
            found.problem(document.key((*path, name)), name, "no version constraint")
        else:
            yield name, value


def _pipenv(constraint: str) -> list[str]:
    """Return the one specifier of a Pipfile's constraint; raises ValueError where it is none."""
    from packaging.specifiers import SpecifierSet

    bare = constraint.strip()
    if bare == "*":
        return [""]
    plain = f"=={bare}" if bare[:1].isdigit() else re.sub(r"\s+", "", bare)
    try:
        SpecifierSet(plain)
    except ValueError as error:
        raise ValueError(f"no version constraint: {bare[:60]!r}") from error
    return [plain]


def _entry(
    document: Document,
    where: Path,
    entry: tuple[str, Any],
    found: Found,
    dialect: Callable[[str], list[str]],
) -> None:
    name, value = entry
    table: Mapping[str, Any] = {"version": value} if isinstance(value, str) else value
    place = document.key(where if isinstance(where[-1], str) else where[:-1])
    text = f"{name} = {_shown(value)}"
    origin = next((str(table[key]) for key in _ORIGINS if key in table), "")
    try:
        specifiers = [""] if origin else dialect(str(table.get("version", "*")))
        marker = _marker(table)
    except ValueError as error:
        found.problem(place, text, str(error))
        return
    alone = len(specifiers) == 1 and "version" in table and not origin
    for specifier in specifiers:
        found.add(
            Requirement(
                name=normalized(name),
                kind=RequirementKind.RANGE,
                location=place,
                end=_end(document, where, value) if alone else None,
                specifier=specifier,
                version=exact(specifier),
                extras=extras_of(table.get("extras")),
                marker=marker,
                origin=origin,
                text=text,
            )
        )


def _end(document: Document, where: Path, value: Any) -> Location:
    """Return where the text of the constraint ends, before its closing quote."""
    path, text = (
        (where, value) if isinstance(value, str) else ((*where, "version"), value["version"])
    )
    return document.within(path, len(str(text)))


def _marker(table: Mapping[str, Any]) -> str:
    """Return all the conditions of an entry in one; raises ValueError for what is none."""
    from packaging.markers import Marker

    parts = []
    if "python" in table:
        parts.append(poetry.python(str(table["python"])))
    if "platform" in table:
        parts.append(poetry.platform(str(table["platform"])))
    written = [str(table["markers"])] if table.get("markers") else []
    written += [f"{key} {table[key]}" for key in _VARIABLES if key in table]
    for marker in written:
        try:
            Marker(marker)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"no marker: {marker[:60]!r}") from error
        parts.append(marker.strip())
    return poetry.every(*parts)


def _shown(value: Any) -> str:
    """Return a value of an entry as TOML writes it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
