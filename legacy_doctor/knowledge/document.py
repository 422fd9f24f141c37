"""Read a TOML table strictly: every error names the file, the path of the key and what to do.

`pins[3].needs[0]: unknown feature 'sse41'; did you mean 'sse4_1'?`
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final, NoReturn

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from legacy_doctor.cpu import features
from legacy_doctor.errors import DataError, suggestion
from legacy_doctor.model import Evidence, Grade, canonical

if sys.version_info >= (3, 11):
    import tomllib
else:  # tomli before 2.2 is pure Python: the doctor loads nothing compiled
    import tomli as tomllib


_NAME: Final = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
"""A distribution's name, as the core metadata specification allows it."""


def parse(text: str) -> dict[str, Any]:
    """Parse TOML; raises `ValueError` where it is none, `RecursionError` for endless brackets."""
    return tomllib.loads(text)


def load(path: Path) -> Table:
    """Parse a TOML file; raises `DataError` where it cannot be read or is no TOML."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return decoded(content, path)


def decoded(content: bytes, path: Path) -> Table:
    """Parse what a TOML file holds; raises `DataError` where it is no TOML."""
    try:
        return Table(tomllib.loads(content.decode()), str(path), "")
    except (ValueError, RecursionError) as error:  # endless digits, endless brackets
        raise DataError(f"{path}: not valid TOML: {error}") from error


class Table:
    """One table and its place in the file. Getters check the type and extend the path.

    A key that no getter asked for is an error when `finish` is called: a typo never passes
    for an absent key.
    """

    def __init__(self, values: dict[str, Any], file: str, path: str) -> None:
        self._values = values
        self._file = file
        self._path = path
        self._known: set[str] = set()

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise `DataError` for a key of this table."""
        raise DataError(f"{self._file}: {self._at(key)}: {problem}")

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _get(self, key: str) -> Any:
        self._known.add(key)
        return self._values.get(key)

    def __contains__(self, key: str) -> bool:
        self._known.add(key)
        return key in self._values

    def finish(self) -> None:
        """Raise for the first key that nobody asked for."""
        for key in self._values:
            if key not in self._known:
                shown = key if re.fullmatch(r"[\w-]+", key) else repr(key)
                self.fail(shown, f"unknown key{suggestion(key, sorted(self._known))}")

    def text(self, key: str, default: str | None = None) -> str:
        """A string; required where there is no default."""
        value = self._get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (not value.strip() and default is None):
            self.fail(key, f"expected a text, got {_shown(value)}")
        return value.strip()

    def optional(self, key: str) -> str | None:
        """A string, or None where the key is absent."""
        return self.text(key) if key in self else None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where the key is absent."""
        value = self._get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.fail(key, f"expected a list of texts, got {_shown(value)}")
        for index, item in enumerate(value):
            if not isinstance(item, str):
                self.fail(f"{key}[{index}]", f"expected a text, got {_shown(item)}")
        return tuple(value)

    def number(self, key: str) -> int | None:
        """A whole number, or None where the key is absent."""
        value = self._get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            self.fail(key, f"expected a whole number, got {_shown(value)}")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where the key is absent."""
        value = self._get(key)
        if value is not None and not isinstance(value, bool):
            self.fail(key, f"expected true or false, got {_shown(value)}")
        return bool(value)

    def choice(self, key: str, allowed: Collection[str], default: str | None = None) -> str:
        """One of the allowed words."""
        value = self.text(key, default)
        if value not in allowed:
            words = ", ".join(allowed)
            hint = suggestion(value, allowed) or f"; one of {words}"
            self.fail(key, f"unknown value {value!r}{hint}")
        return value

    def day(self, key: str) -> str:
        """A date as `YYYY-MM-DD`, written as a text or as a TOML date."""
        value = self._get(key)
        text = value.isoformat() if isinstance(value, date) else value
        try:
            return date.fromisoformat(text).isoformat()
        except (TypeError, ValueError):
            self.fail(key, f"expected a date like '2026-11-20', got {_shown(value)}")

    def features(self, key: str) -> frozenset[str]:
        """CPU feature names and x86-64 levels, levels expanded."""
        names = self.texts(key)
        for index, name in enumerate(names):
            if name not in features.KNOWN and name not in features.LEVELS:
                known = [*features.LEVELS, *features.KNOWN]
                hint = suggestion(features.ALIASES.get(name, name), known)
                self.fail(f"{key}[{index}]", f"unknown feature {name!r}{hint}")
        return features.expand(names)

    def specifier(self, key: str) -> str | None:
        """A version specifier (PEP 440), or None where the key is absent; `*` is any version."""
        text = self.optional(key)
        if text is None:
            return None
        plain = "" if text == "*" else text.replace(" ", "")
        try:
            SpecifierSet(plain)
        except InvalidSpecifier:
            self.fail(key, f"not a version specifier: {text!r} (like '>=2.4,<3')")
        return plain

    def requirement(self, key: str) -> str:
        """A requirement (PEP 508), as it is written."""
        from packaging.requirements import InvalidRequirement, Requirement

        text = self.text(key)
        try:
            Requirement(text)
        except InvalidRequirement:
            self.fail(key, f"not a requirement: {text!r}")
        return text

    def version(self, key: str) -> str | None:
        """A version (PEP 440), or None where the key is absent."""
        text = self.optional(key)
        try:
            return None if text is None else str(Version(text))
        except InvalidVersion:
            self.fail(key, f"not a version: {text!r}")

    def distribution(self, key: str) -> str:
        """A distribution name, normalized."""
        return self._name(key, self.text(key))

    def distributions(self, key: str) -> tuple[str, ...]:
        """Several distribution names, normalized."""
        names = enumerate(self.texts(key))
        return tuple(self._name(f"{key}[{index}]", name) for index, name in names)

    def _name(self, key: str, name: str) -> str:
        if not _NAME.fullmatch(name):
            self.fail(key, f"not a distribution name: {name!r}")
        return canonical(name)

    def table(self, key: str) -> Table | None:
        """A sub-table, or None where the key is absent."""
        value = self._get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fail(key, f"expected a table, got {_shown(value)}")
        return Table(value, self._file, self._at(key))

    def tables(self, key: str) -> Iterator[Table]:
        """The tables of an array; none where the key is absent."""
        value = self._get(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.fail(key, f"expected an array of tables ([[{key}]]), got {_shown(value)}")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                self.fail(f"{key}[{index}]", f"expected a table, got {_shown(item)}")
            yield Table(item, self._file, self._at(f"{key}[{index}]"))


def evidence(table: Table) -> tuple[Evidence, ...]:
    """Read the evidence of one statement; none is an error."""
    result = []
    for item in table.tables("evidence"):
        grade = item.choice("grade", [grade.value for grade in Grade])
        source, detail = item.text("source"), item.text("detail", "")
        result.append(Evidence(grade=Grade(grade), source=source, detail=detail))
        item.finish()
    if not result:
        table.fail("evidence", "nothing is stated without evidence: add grade and source")
    return tuple(result)


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {value!r}"[:60]
