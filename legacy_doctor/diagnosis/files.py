"""Rules about the files of an environment: broken metadata, altered files, mere hints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    AlteredFile,
    Distribution,
    Evidence,
    Finding,
    Grade,
    Knowledge,
    Patient,
    Remedy,
    RemedyKind,
    Severity,
)


def broken_metadata(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A dist-info cannot be read: what it describes could not be judged."""
    del knowledge
    for item in patient.broken:
        name = item.name or item.path.name
        yield Finding(
            rule="broken-metadata",
            severity=Severity.WARNING,
            subject=name,
            message=f"{item.path}: {item.problem}",
            remedy=Remedy(
                kind=RemedyKind.REINSTALL,
                text=f"reinstall {item.name}" if item.name else "repair or delete it",
            ),
        )


def altered_files(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """Installed code is not what RECORD says: patched, or damaged."""
    del knowledge
    for name, group in groupby(patient.altered, key=attrgetter("distribution")):
        items = list(group)
        installed = patient.get(name)
        ours = [item for item in items if item.intact]
        if ours:
            yield _patched(name, installed, ours)
        items = [item for item in items if not item.intact]
        if not items:
            continue
        count = len(items)
        files = "a file" if count == 1 else f"{count} files"
        details = tuple(
            f"{item.path}: {item.problem}" + (f", original in {item.backup}" if item.backup else "")
            for item in items
        )
        yield Finding(
            rule="altered-files",
            severity=Severity.WARNING,
            subject=name,
            version=installed.version if installed else None,
            message=f"{files} differ from RECORD: patched by hand, or damaged"
            if count > 1
            else f"{items[0].path.name} differs from RECORD ({items[0].problem}): patched by "
            "hand, or damaged",
            details=details,
            evidence=(Evidence(grade=Grade.SILICON, source="RECORD", detail=f"{files} compared"),),
            remedy=Remedy(
                kind=RemedyKind.REINSTALL,
                text=f"put the original back, or reinstall {name}, unless you made the change",
            ),
        )


def _patched(name: str, installed: Distribution | None, items: Iterable[AlteredFile]) -> Finding:
    """Return what is to be said of files that hold our patches, and are else as released."""
    ids = ", ".join(dict.fromkeys(id_ for item in items for id_ in item.patches))
    files = ", ".join(f"{item.path.parent.name}/{item.path.name}" for item in items)
    return Finding(
        rule="altered-files",
        severity=Severity.INFO,
        subject=name,
        version=installed.version if installed else None,
        message=f"{files} holds patch {ids} of legacy-doctor, and is as released but for that",
        details=tuple(f"{item.path}: patch {', '.join(item.patches)}" for item in items),
        evidence=(Evidence(grade=Grade.SILICON, source="RECORD", detail="compared without it"),),
    )


def wheel_tag_hint(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A manylinux_2_34 tag: built on a distribution whose compiler once meant x86-64-v2.

    A suspicion and nothing more: cryptography and bcrypt carry the tag and run everywhere,
    numpy 2.4 does not carry it and needs x86-64-v2 (pypa/manylinux#1725).
    """
    known = {pin.distribution for pin in knowledge.pins}
    missing = patient.cpu.missing(features.cumulative("x86-64-v2"))
    if not missing:
        return
    suspects = [
        f"{item.name} {item.version}"
        for item in patient.distributions
        if item.name not in known and _new_base(item.tags)
    ]
    if suspects:
        yield Finding(
            rule="wheel-tag-hint",
            severity=Severity.INFO,
            subject="wheel tags",
            message="manylinux_2_34 or newer, a base built for x86-64-v2 (tags prove nothing): "
            + ", ".join(suspects),
            missing=missing,
            evidence=(Evidence(grade=Grade.INFERRED, source="pypa/manylinux#1725"),),
            details=tuple(suspects),
        )


def _new_base(tags: Iterable[str]) -> bool:
    """True where the oldest glibc that the wheel promises to run on is 2.34 or newer."""
    text = " ".join(tags)
    if "manylinux1_" in text or "manylinux201" in text:
        return False
    numbers = re.findall(r"manylinux_(\d+)_(\d+)_x86_64", text)
    return bool(numbers) and min((int(a), int(b)) for a, b in numbers) >= (2, 34)


def declared_isa(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A native file's own ELF note asks for a level that this CPU lacks."""
    del knowledge
    for name, group in groupby(patient.declared, key=attrgetter("distribution")):
        items = [item for item in group if patient.cpu.missing(features.cumulative(item.level))]
        if not items:
            continue
        worst = max(items, key=lambda item: item.level)
        installed = patient.get(name)
        needs = features.cumulative(worst.level)
        yield Finding(
            rule="declared-isa",
            severity=Severity.INFO,
            subject=name,
            version=installed.version if installed else None,
            message=f"{worst.path} declares that it needs {worst.level}: glibc 2.33 and newer "
            "refuse to load it here",
            needs=needs,
            missing=patient.cpu.missing(needs),
            details=tuple(f"{item.path}: {item.level}" for item in items),
            evidence=(
                Evidence(grade=Grade.INFERRED, source="ELF note GNU_PROPERTY_X86_ISA_1_NEEDED"),
            ),
        )
