"""What was found on one CPU, whatever was examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from legacy_doctor.model.belief import Severity

if TYPE_CHECKING:
    from legacy_doctor.model.belief import PinSet
    from legacy_doctor.model.finding import Finding
    from legacy_doctor.model.machine import Cpu
    from legacy_doctor.model.requirement import RequirementFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Findings for one CPU, whatever was examined: what CI formats may see."""

    version: str
    """Of legacy-doctor."""
    cpu: Cpu
    pinsets: tuple[PinSet, ...]
    findings: tuple[Finding, ...]
    target_name: str = ""
    """How the user called the CPU, for the commands we suggest; empty for the real one."""
    what_if: bool = False
    fail_on: Severity | None = Severity.ERROR
    ignored: int = 0

    def count(self, severity: Severity) -> int:
        """How many findings of that severity there are."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def failed(self) -> bool:
        """True where a finding reaches `fail_on`: the exit code is then 1."""
        if self.fail_on is None:
            return False
        return any(finding.severity.rank <= self.fail_on.rank for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Judgement):
    """What requirement and lock files would let in, judged for one CPU."""

    files: tuple[RequirementFile, ...] = ()
