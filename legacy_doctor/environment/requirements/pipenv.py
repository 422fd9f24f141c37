"""`Pipfile` and `Pipfile.lock`, as pipenv writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from legacy_doctor.environment.requirements import keyed
from legacy_doctor.environment.requirements.entry import (
    NAMED,
    archive,
    exact,
    extras_of,
    normalized,
)
from legacy_doctor.environment.requirements.source import Found, RequirementsError, Source
from legacy_doctor.environment.requirements.toml import Document
from legacy_doctor.model import Requirement, RequirementKind

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')
_ORIGINS: Final = ("git", "hg", "svn", "bzr", "file", "path")


def pipfile(source: Source, found: Found) -> None:
    """Read a Pipfile; raises `RequirementsError` where the text is no TOML."""
    keyed.pipfile(Document(source), found)


def lock(source: Source, found: Found) -> None:
    """Read a `Pipfile.lock`; raises `RequirementsError` where the text is no JSON object.

    Every category is read: which of them are installed is chosen at installation.
    """
    try:
        document = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        raise RequirementsError(f"{source.path}: not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise RequirementsError(f"{source.path}: no Pipfile.lock: an object belongs here")
    places = dict(_keys(source.text))
    for category, table in document.items():
        if category == "_meta" or not isinstance(table, dict):
            continue
        for name, value in table.items():
            _package(source, places[category, name], (name, value), found)


def _keys(text: str) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield category and name of each package with the offset of the name.

    The text is known to be JSON, where a second key of the same name replaces the first.
    """
    depth, category, key = 0, "", True
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if first in "{[":
            depth += 1
            key = first == "{"
        elif first in "}]":
            depth -= 1
        elif first == ",":
            key = True
        elif first == ":":
            key = False
        elif key and depth == 1:
            category = json.loads(token[0])
        elif key and depth == 2:
            yield (category, json.loads(token[0])), token.start() + 1


def _package(source: Source, offset: int, entry: tuple[str, Any], found: Found) -> None:
    name, value = entry
    place = source.place(offset)
    if not NAMED.fullmatch(name) or not isinstance(value, dict):
        found.problem(place, name, "no package of pipenv's")
        return
    origin = next((str(value[key]) for key in _ORIGINS if key in value), "")
    if value.get("path") and (value.get("editable") or archive(origin) is None):
        return  # a project on this disk
    specifier = value.get("version")
    written = "".join(specifier.split()) if isinstance(specifier, str) else ""
    marker = value.get("markers")
    found.add(
        Requirement(
            name=normalized(name),
            kind=RequirementKind.LOCKED,
            location=place,
            specifier="" if written == "*" else written,
            version=exact(written),
            extras=extras_of(value.get("extras")),
            marker=marker if isinstance(marker, str) else "",
            origin=origin,
            text=f"{name} {written}".strip(),
        )
    )
