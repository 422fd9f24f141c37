"""The corpus: requirement and lock files as people and tools write them.

The lock files are what uv 0.13, poetry 2.5 and 1.8, pdm 2.29, pipenv 2026.10, pip-tools 7.6 and
pip 26.3 made of the projects beside them in November 2026.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from legacy_doctor.environment.requirements import RequirementsError
from legacy_doctor.model import RequirementFile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["EXPECTED", "FILES", "FOLDER", "attempt", "text", "tomllib"]

FOLDER = Path(__file__).parent / "corpus"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads(
    (FOLDER.parent / "expected.toml").read_text(encoding="utf-8")
)
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())


def attempt(read: Callable[[], RequirementFile]) -> RequirementFile | str:
    """What was read, or the one message that refuses it."""
    try:
        return read()
    except RequirementsError as error:
        return str(error)


def text(path: Path) -> str:
    """The text of a file as an editor shows it."""
    data = path.read_bytes()
    wide = data.startswith(b"\xff\xfe")
    return data.decode("utf-16" if wide else "utf-8-sig").replace("\r\n", "\n")
