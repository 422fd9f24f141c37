"""Rules about what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Final

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import remedies
from legacy_doctor.diagnosis.claims import Judgement, judge
from legacy_doctor.diagnosis.requirements import Requirements
from legacy_doctor.diagnosis.specifiers import admits, compatible
from legacy_doctor.model import (
    Conflict,
    Distribution,
    Evidence,
    Finding,
    Knowledge,
    Patient,
    Pin,
    Remedy,
    RemedyKind,
    Severity,
    canonical,
    is_native,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def broken_pin(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """An installed version is broken on this CPU and another version is known to run."""
    yield from _judged(patient, knowledge, "broken-pin", (RemedyKind.PIN,))


def no_working_wheel(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """No version is free of it on this CPU: replace it, follow the cure, or remove it."""
    kinds = (RemedyKind.REPLACE, RemedyKind.REMOVE, RemedyKind.ADVICE)
    yield from _judged(patient, knowledge, "no-working-wheel", kinds)


def _judged(
    patient: Patient, knowledge: Knowledge, rule: str, kinds: tuple[RemedyKind, ...]
) -> Iterator[Finding]:
    requirements = graph(patient, knowledge)
    for judgement in judge(patient, knowledge):
        if not judgement.standing:
            continue
        remedy = remedies.for_judgement(judgement, patient)
        if remedy.kind in kinds:
            yield _finding(rule, judgement, remedy, patient, requirements)


def graph(patient: Patient, knowledge: Knowledge) -> Requirements:
    """Return the requirement graph, soft imports of all chosen pin-sets included."""
    soft = [item for pinset in knowledge.pinsets for item in pinset.soft_imports]
    return Requirements(patient, soft)


def _finding(
    rule: str,
    judgement: Judgement,
    remedy: Remedy,
    patient: Patient,
    requirements: Requirements,
) -> Finding:
    pin = judgement.standing[0]
    name = judgement.distribution.name
    paths = requirements.affected(name)
    return Finding(
        rule=rule,
        severity=pin.severity,
        subject=name,
        version=judgement.distribution.version,
        message=_message(pin, patient),
        needs=pin.needs,
        missing=patient.cpu.missing(pin.needs),
        evidence=_evidence(judgement.standing),
        cause=name,
        affects=tuple(paths),
        paths=paths,
        details=tuple(_message(other, patient) for other in judgement.standing[1:]),
        remedy=remedy,
    )


def _message(pin: Pin, patient: Patient) -> str:
    missing = features.ordered(patient.cpu.missing(pin.needs))
    how = "dies on import" if pin.stage == "import" else "fails in use"
    lack = f"; needs {', '.join(missing)}" if missing else ""
    return f"{how}: {pin.symptom}{lack}"


def _evidence(pins: Iterable[Pin]) -> tuple[Evidence, ...]:
    everything = dict.fromkeys(item for pin in pins for item in pin.evidence)
    return tuple(sorted(everything, key=lambda item: -item.grade.strength))


def disputed_evidence(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """One source says that an installed version breaks, a stronger one that it runs."""
    for judgement in judge(patient, knowledge):
        for broken, runs in judgement.overruled:
            yield Finding(
                rule="disputed-evidence",
                severity=Severity.INFO,
                subject=judgement.distribution.name,
                version=judgement.distribution.version,
                message=f"{broken.grade.value} to break ({broken.symptom}), but "
                f"{runs.grade.value} to run: the stronger evidence decides",
                evidence=_evidence((runs, broken)),
            )


def treated(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A patch in force keeps something from failing."""
    for judgement in judge(patient, knowledge):
        if not judgement.treated:
            continue
        pins = [pin for pin, _ in judgement.treated]
        how = "; ".join(dict.fromkeys(item.how for _, item in judgement.treated))
        needs = frozenset[str]().union(*(pin.needs for pin in pins))
        told, *more = (_message(pin, patient) for pin in pins)
        patches = {item.patch.id: item.patch.title for _, item in judgement.treated}
        yield Finding(
            rule="treated",
            severity=Severity.INFO,
            subject=judgement.distribution.name,
            version=judgement.distribution.version,
            message=f"{how}; without that it {told}",
            needs=needs,
            missing=patient.cpu.missing(needs),
            details=(*more, *(f"patch {name}: {title}" for name, title in patches.items())),
            evidence=_evidence(pins),
        )


def unwanted_distribution(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A pin-set wants an installed distribution gone."""
    requirements = graph(patient, knowledge)
    for pinset in knowledge.pinsets:
        for removal in pinset.removals if pinset.applies(patient.cpu) else ():
            installed = patient.get(removal.distribution)
            if installed is None:
                continue
            paths = requirements.affected(installed.name)
            yield Finding(
                rule="unwanted-distribution",
                severity=Severity.ERROR,
                subject=installed.name,
                version=installed.version,
                message=f"{pinset.label} wants it removed: {removal.reason}",
                evidence=removal.evidence,
                cause=installed.name,
                affects=tuple(paths),
                paths=paths,
                remedy=Remedy(
                    kind=RemedyKind.REMOVE,
                    text=f"uninstall {installed.name}",
                    uninstall=(installed.name,),
                ),
            )


def overwriting_distributions(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """Two installed distributions write the same files: half of each is left."""
    told: set[str] = set()
    for pinset in knowledge.pinsets:
        for conflict in pinset.conflicts:
            present = [item for item in map(patient.get, conflict.distributions) if item]
            if len(present) > 1 and not told.issuperset(item.name for item in present):
                told.update(item.name for item in present)
                yield _overwriting(present, conflict)
    for present in _sharing_files(patient):
        if not told.issuperset(item.name for item in present):
            yield _overwriting(present, None)


def _overwriting(present: list[Distribution], conflict: Conflict | None) -> Finding:
    names = [item.name for item in present]
    effect = conflict.effect if conflict else "RECORD of both claims the same code files"
    return Finding(
        rule="overwriting-distributions",
        severity=Severity.ERROR if conflict else Severity.WARNING,
        subject=" + ".join(names),
        message=effect,
        evidence=conflict.evidence if conflict else (),
        remedy=Remedy(
            kind=RemedyKind.REINSTALL,
            text=f"uninstall {' and '.join(names)}, then reinstall the one you want",
        ),
    )


_NO_PACKAGE: Final = re.compile(r"(tests?|docs?)/")
"""Folders that careless wheels leave in site-packages: nobody imports them."""


def _sharing_files(patient: Patient) -> Iterator[list[Distribution]]:
    """Yield pairs that both claim a package's `__init__.py` or the same native file.

    Not where both wrote the same bytes: namespace packages of the old kind do.
    """
    owners: dict[str, tuple[Distribution, str | None]] = {}
    told: set[tuple[str, str]] = set()
    for distribution in patient.distributions:
        for item in distribution.files:
            if not item.path.endswith("/__init__.py") and not is_native(item.path):
                continue
            where = f"{distribution.root}/{item.path}"
            owner, sha256 = owners.setdefault(where, (distribution, item.sha256))
            pair = (owner.name, distribution.name)
            same = sha256 is not None and sha256 == item.sha256
            if owner is distribution or pair in told or same or _NO_PACKAGE.match(item.path):
                continue
            told.add(pair)
            yield [owner, distribution]


def incompatible_versions(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """Two installed versions fail together although no metadata forbids it."""
    for pinset in knowledge.pinsets:
        for item in pinset.incompatibilities:
            first, second = _required(item.first), _required(item.second)
            if _installed(first, patient) and _installed(second, patient):
                yield Finding(
                    rule="incompatible-versions",
                    severity=Severity.ERROR,
                    subject=f"{first.name} + {second.name}",
                    message=f"{item.first} with {item.second}: {item.effect}",
                    evidence=item.evidence,
                    remedy=Remedy(kind=RemedyKind.ADVICE, text=item.resolution),
                )


def _required(text: str) -> Requirement:
    from packaging.requirements import Requirement

    return Requirement(text)


def _installed(requirement: Requirement, patient: Patient) -> bool:
    found = patient.get(canonical(requirement.name))
    return found is not None and admits(str(requirement.specifier), found.version)


def contradicting_pins(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A pin contradicts another pin, or what an installed dependant requires."""
    requirements = graph(patient, knowledge)
    for judgement in judge(patient, knowledge):
        if not judgement.standing:
            continue
        good = remedies.good_specifier(judgement)
        if good is None:
            yield from _pins_against_pins(judgement)
        else:
            yield from _pin_against_dependants(judgement, good, requirements)


def _pins_against_pins(judgement: Judgement) -> Iterator[Finding]:
    pins = [pin for pin in judgement.standing if pin.good is not None]
    for one, other in combinations(pins, 2):
        if not compatible(one.good or "", other.good or ""):
            yield Finding(
                rule="contradicting-pins",
                severity=Severity.WARNING,
                subject=judgement.distribution.name,
                version=judgement.distribution.version,
                message=f"{one.pinset} wants {one.good}, {other.pinset} wants {other.good}: "
                "no version satisfies both",
                evidence=_evidence((one, other)),
                remedy=Remedy(kind=RemedyKind.ADVICE, text="choose one with --pinset"),
            )


def _pin_against_dependants(
    judgement: Judgement, good: str, requirements: Requirements
) -> Iterator[Finding]:
    name, version = judgement.distribution.name, judgement.distribution.version
    for edge in requirements.dependants(name):
        if not edge.specifier or compatible(good, edge.specifier):
            continue
        if edge.extra and not admits(edge.specifier, version):
            continue  # whoever installs an extra gets what it asks for: nobody asked for this one
        who = edge.distribution
        extra = f"[{edge.extra}]" if edge.extra else ""
        yield Finding(
            rule="contradicting-pins",
            severity=Severity.WARNING,
            subject=name,
            version=version,
            message=f"the pin {name}{good} contradicts {who.name}{extra} {who.version}, which "
            f"requires {name}{edge.specifier}",
            evidence=_evidence(judgement.standing),
            cause=name,
            affects=(who.name,),
            paths={who.name: (who.name, name)},
            remedy=Remedy(
                kind=RemedyKind.ADVICE,
                text=f"find a version of {who.name} that accepts {name}{good}, or do without it",
            ),
        )


def unjudged(patient: Patient, knowledge: Knowledge) -> tuple[str, ...]:
    """Return the installed distributions with machine code that no pin speaks of."""
    known = {pin.distribution for pin in knowledge.pins}
    return tuple(
        item.name for item in patient.distributions if item.native and item.name not in known
    )
