"""What requirement and lock files ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from legacy_doctor.model.finding import Location


class RequirementKind(str, Enum):
    """What a line of a requirement or lock file settles."""

    RANGE = "range"
    """It asks for the distribution; an installer chooses the version."""
    LOCKED = "locked"
    """Exactly this version will be installed."""
    CONSTRAINT = "constraint"
    """It bounds the version only where something else asks for the distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One distribution that a file asks for, locks or bounds."""

    name: str
    """Normalized (PEP 503)."""
    kind: RequirementKind
    location: Location
    """Where its name stands."""
    end: Location | None = None
    """Behind its specifier, where `,<2` may be written; None where a tool or a table wrote it."""
    specifier: str = ""
    """PEP 440; what another dialect (poetry's caret, conda's) says is translated."""
    version: str | None = None
    """The locked version; also of a range that admits one version only (`==1.2.3`)."""
    extras: frozenset[str] = frozenset()
    marker: str = ""
    """PEP 508, as written or translated; empty where it always holds."""
    origin: str = ""
    """`conda`, an address or a path: what a package index offers says nothing about it then."""
    text: str = ""
    """As written, for the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementFile:
    """What one file asks for, with what could not be understood."""

    path: str
    format: str
    """`requirements`, `constraints`, `pyproject`, `uv.lock`, `poetry.lock`, `pdm.lock`,
    `Pipfile`, `Pipfile.lock`, `pylock`, `conda-environment`, `freeze`."""
    requirements: tuple[Requirement, ...] = ()
    problems: tuple[tuple[Location, str], ...] = ()
    """Entries that were passed over, each with the reason."""
    askers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who asks for each distribution, where the file says it; normalized names."""

    @property
    def is_lock(self) -> bool:
        """True where a tool writes it and nobody edits it."""
        return self.format.endswith("lock") or self.format == "freeze"
