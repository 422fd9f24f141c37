"""Statements of the doctor, and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from legacy_doctor.model.belief import Evidence, Severity
    from legacy_doctor.model.probing import Fault


class Standing(str, Enum):
    """What the probes say of a finding."""

    PREDICTED = "predicted"
    """No probe reached it."""
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NEW = "new"
    """No rule knew: a probe found it."""


class RemedyKind(str, Enum):
    """What sort of thing has to be done."""

    PIN = "pin"
    REMOVE = "remove"
    REPLACE = "replace"
    UNSET = "unset"
    MACHINE = "machine"
    REINSTALL = "reinstall"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do, as text and, where it can be typed, as requirements or commands."""

    kind: RemedyKind
    text: str
    install: tuple[str, ...] = ()
    """Requirements to install into the target."""
    uninstall: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class Location(NamedTuple):
    """A place in a file that a person wrote or a tool locked."""

    path: str
    """As it was named on the command line, or relative to the file that includes it."""
    line: int = 1
    """From 1."""
    column: int = 1
    """From 1, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement of the doctor, with the reason to believe it."""

    rule: str
    severity: Severity
    subject: str
    message: str
    version: str | None = None
    needs: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    evidence: tuple[Evidence, ...] = ()
    cause: str | None = None
    """The distribution really at fault."""
    affects: tuple[str, ...] = ()
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each affected distribution, the requirement path that leads from it to the cause."""
    details: tuple[str, ...] = ()
    remedy: Remedy | None = None
    standing: Standing = Standing.PREDICTED
    fault: Fault | None = None
    """Where it died, in the probe that confirmed or found it."""
    location: Location | None = None
    """Where it is asked for, in a requirement or lock file or in the configuration."""


class RuleText(NamedTuple):
    """What a rule is about, in the words of formats that explain it beside its findings."""

    id: str
    summary: str
    """What a finding of it means, in one sentence."""
    help: str
    """How it is known, and what to do about it; plain text, paragraphs apart by a blank line."""
    severity: Severity
    """The usual one: a finding may weigh more or less."""
