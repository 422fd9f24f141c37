"""What no change of packages or files can cure: the business of the start-up hook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from legacy_doctor.knowledge import patches
from legacy_doctor.knowledge.patches import Kind, Patch
from legacy_doctor.model import Finding, Patient, RemedyKind, Severity

_CURABLE = frozenset({RemedyKind.PIN, RemedyKind.REMOVE, RemedyKind.REPLACE})


def is_incurable(finding: Finding) -> bool:
    """True for an error that no version, no removal and no other distribution takes away."""
    curable = finding.remedy is not None and finding.remedy.kind in _CURABLE
    return finding.severity is Severity.ERROR and not curable


def hooks(patient: Patient) -> Iterator[Patch]:
    """Yield the recommended patches that act at import time, for what is installed and the CPU."""
    for patch in patches.every():
        installed = patient.get(patch.distribution)
        if installed is None or patch.kind is not Kind.HOOK or not patch.recommended:
            continue
        if patch.suits(patient.cpu) and patch.claims(installed.version):
            yield patch


def exists(patient: Patient, findings: Sequence[Finding]) -> bool:
    """True where the hook may have something to do."""
    return any(map(is_incurable, findings)) or any(hooks(patient))
