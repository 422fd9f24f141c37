"""An examined environment, and the story of one of its distributions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from legacy_doctor.model.judgement import Judgement
from legacy_doctor.model.probing import Probing

if TYPE_CHECKING:
    from legacy_doctor.model.belief import Alternative, Pin
    from legacy_doctor.model.finding import Finding
    from legacy_doctor.model.installation import Distribution, Interpreter
    from legacy_doctor.model.machine import Cpu
    from legacy_doctor.model.profile import Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known about one distribution here: what `explain` tells."""

    name: str
    cpu: Cpu
    interpreter: Interpreter
    installed: Distribution | None
    required_by: tuple[tuple[str, str, str], ...]
    """Who asks for it: name, version, specifier."""
    path: tuple[str, ...]
    """How it came here: from a distribution that nobody requires down to this one."""
    pins: tuple[Pin, ...]
    """Pins that concern this CPU, the decisive one first."""
    decisive: tuple[Pin, ...]
    """Those of them that speak of the installed version; all, where none is installed."""
    elsewhere: tuple[Pin, ...]
    """Pins about CPUs unlike this one."""
    findings: tuple[Finding, ...]
    """Findings in which it is the subject, or which affect it."""
    alternatives: tuple[Alternative, ...]
    prescription: tuple[str, ...] = ()
    """The commands that carry out the remedies of these findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Judgement):
    """An examined environment: all that a formatter may see of it."""

    interpreter: Interpreter
    distributions: int
    unjudged: tuple[str, ...]
    """Distributions with machine code about which no pin-set says anything."""
    probing: Probing = field(default_factory=Probing)
    prescription: tuple[str, ...] = ()
    """The commands that carry out the remedies of all findings together."""
    outlook: Outlook | None = None
    """Of the project that was asked about (`--profile`)."""

    @property
    def empty(self) -> bool:
        """True where there was nothing to examine: the exit code is then 2."""
        return not self.distributions and not self.findings
