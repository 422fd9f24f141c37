"""What is known about distributions on CPUs, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legacy_doctor.model.machine import Cpu


class Severity(str, Enum):
    """How bad a finding is; `check` exits with 1 from `--fail-on` upwards."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Grade(str, Enum):
    """How well a statement is known, strongest first."""

    SILICON = "silicon"
    EMULATED = "emulated"
    MAINTAINER = "maintainer"
    REPORTED = "reported"
    INFERRED = "inferred"

    @property
    def strength(self) -> int:
        """Higher is stronger."""
        return len(Grade) - list(Grade).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a statement may be believed.

    `source`: an address, an issue, a document's title, or `emulated: <model>, <date>, <python>`.
    """

    grade: Grade
    source: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What may be installed in place of a distribution, and what it needs in its turn."""

    requirement: str
    needs: frozenset[str] = frozenset()
    note: str = ""
    instead: bool = True
    """The broken one must be uninstalled first; False where both live side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A condition on the CPU that is not a missing feature."""

    vendor: str | None = None
    cpuid_level_below: int | None = None

    def holds(self, cpu: Cpu) -> bool:
        """True where nothing contradicts it; an unknown CPUID level is no proof, so False."""
        if self.vendor is not None and cpu.vendor != self.vendor:
            return False
        if self.cpuid_level_below is None:
            return True
        return cpu.cpuid_level is not None and cpu.cpuid_level < self.cpuid_level_below


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What is known about one distribution on CPUs that lack `needs` (and meet `when`).

    `broken` and `good` are specifiers; either may be None: no `good` means "no wheel works", no
    `broken` means "runs, no failure known". Evidence speaks for both halves.
    """

    distribution: str
    evidence: tuple[Evidence, ...]
    broken: str | None = None
    good: str | None = None
    needs: frozenset[str] = frozenset()
    when: When | None = None
    unless: tuple[str, ...] = ()
    """Distributions whose presence keeps the broken code from being loaded."""
    treated_by: tuple[str, ...] = ()
    """Ids of patches with any of which it fails no more."""
    runs_without: frozenset[str] = frozenset()
    """Features that the CPU lacked on which it was seen to run; else what the pin-set lacks."""
    stage: str = "import"
    """`import`: dies when imported. `use`: imports, then fails at first use."""
    severity: Severity = Severity.ERROR
    symptom: str = ""
    cure: str = ""
    """What to do where neither another version nor another distribution helps."""
    first_bad: str | None = None
    last_good: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    pinset: str = ""

    def bites(self, cpu: Cpu) -> bool:
        """True where this CPU is one the statement is about."""
        if self.when is not None and not self.when.holds(cpu):
            return False
        return not self.needs or bool(cpu.missing(self.needs))

    @property
    def grade(self) -> Grade:
        """The strongest of the evidence."""
        return max((item.grade for item in self.evidence), key=lambda grade: grade.strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A distribution that a pin-set wants gone."""

    distribution: str
    reason: str
    evidence: tuple[Evidence, ...]
    pinset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Distributions that install the same files: the last one wins, half of each remains."""

    distributions: tuple[str, ...]
    effect: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incompatibility:
    """Two requirements that no metadata forbids and that fail together."""

    first: str
    second: str
    effect: str
    resolution: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftImport:
    """`distribution` imports `imports` when it happens to be installed: no metadata says so."""

    distribution: str
    imports: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSet:
    """A dated set of statements for one kind of machine."""

    id: str
    version: str
    title: str
    lacks: frozenset[str]
    """The features it assumes absent: it applies to a CPU that misses any of them."""
    origin: Path
    supersedes: tuple[str, ...] = ()
    notes: str = ""
    pins: tuple[Pin, ...] = ()
    removals: tuple[Removal, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    incompatibilities: tuple[Incompatibility, ...] = ()
    soft_imports: tuple[SoftImport, ...] = ()

    @property
    def label(self) -> str:
        """`below-v2@2026-11-20`."""
        return f"{self.id}@{self.version}"

    def applies(self, cpu: Cpu) -> bool:
        """True where the CPU lacks something that this pin-set assumes absent."""
        return not self.lacks or bool(cpu.missing(self.lacks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """The pin-sets chosen for this consultation."""

    pinsets: tuple[PinSet, ...]

    @property
    def pins(self) -> tuple[Pin, ...]:
        """All pins, in the order of the pin-sets."""
        return tuple(pin for pinset in self.pinsets for pin in pinset.pins)

    def about(self, name: str) -> tuple[Pin, ...]:
        """The pins of one distribution (normalized name)."""
        return tuple(pin for pin in self.pins if pin.distribution == name)
