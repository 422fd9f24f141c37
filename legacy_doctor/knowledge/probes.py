"""Read probes: the smallest real use of a distribution. Format: `pinsets/probes.schema.json`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from legacy_doctor.knowledge import catalogue, document
from legacy_doctor.knowledge.document import Table
from legacy_doctor.model import Probe

FORMAT: Final = 1
"""The one `schema` number that this reader understands."""

OLDEST: Final = (3, 8)
"""The oldest Python that a probe may meet: its source must compile there."""

SECONDS: Final = 60


def read(path: Path) -> tuple[Probe, ...]:
    """Return the probes in the file; raises `DataError` with file, path, line and suggestion."""
    return _read(path, check=True)


def shipped() -> tuple[Probe, ...]:
    """Return the probes that come with legacy-doctor.

    Their sources are not compiled here, which would cost more than reading them: a test has.
    """
    return _read(catalogue.folder() / "probes.toml", check=False)


def generic(distribution: str, import_names: Iterable[str]) -> Probe:
    """Return the probe of a distribution that has no entry: it imports what there is."""
    imports = "\n".join(f"import {name}" for name in import_names)
    return Probe(id=distribution, distribution=distribution, imports=imports)


def _read(path: Path, *, check: bool) -> tuple[Probe, ...]:
    table = document.load(path)
    if table.number("schema") != FORMAT:
        table.fail("schema", f"this legacy-doctor reads schema = {FORMAT}")
    table.day("version")
    probes: dict[str, Probe] = {}
    for item in table.tables("probes"):
        probe = _probe(item)
        if probe.id in probes:
            item.fail("id", f"there is another probe {probe.id!r}")
        if check:
            _compile(item, "imports", probe.imports)
            _compile(item, "use", probe.use)
        probes[probe.id] = probe
    table.finish()
    return tuple(probes.values())


def _probe(table: Table) -> Probe:
    probe = Probe(
        id=table.text("id"),
        distribution=table.distribution("distribution"),
        imports=table.text("imports"),
        use=table.text("use", ""),
        requires=table.distributions("requires"),
        extra=table.flag("extra"),
        seconds=_seconds(table),
    )
    if not re.fullmatch(rf"{re.escape(probe.distribution)}(/[a-z0-9]+(-[a-z0-9]+)*)?", probe.id):
        name = probe.distribution
        table.fail("id", f"expected {name!r} or '{name}/<what>' in small letters, got {probe.id!r}")
    table.finish()
    return probe


def _seconds(table: Table) -> float:
    seconds = table.number("seconds")
    if seconds is not None and seconds < 1:
        table.fail("seconds", f"expected at least 1, got {seconds}")
    return float(SECONDS if seconds is None else seconds)


def _compile(table: Table, key: str, source: str) -> None:
    try:
        ast.parse(source, feature_version=OLDEST)
    except SyntaxError as error:
        table.fail(key, f"line {error.lineno}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL, endless brackets
        table.fail(key, f"no Python source ({type(error).__name__})")
