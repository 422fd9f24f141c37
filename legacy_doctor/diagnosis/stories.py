"""Gather all that is known about one distribution."""

from __future__ import annotations

from collections.abc import Iterable

from legacy_doctor.diagnosis import remedies, rules
from legacy_doctor.diagnosis.claims import concerning, judge
from legacy_doctor.diagnosis.packages import graph
from legacy_doctor.diagnosis.requirements import Requirements
from legacy_doctor.diagnosis.specifiers import admits
from legacy_doctor.model import Finding, Knowledge, Patient, Pin, Story


def tell(name: str, patient: Patient, knowledge: Knowledge) -> Story:
    """Return the story of the distribution `name` (normalized), installed or not."""
    about = knowledge.about(name)
    here = {id(pin) for pin in concerning(patient.cpu, knowledge)}
    requirements = graph(patient, knowledge)
    installed = patient.get(name)
    pins = tuple(pin for pin in about if id(pin) in here)
    findings = tuple(_about(name, rules.diagnose(patient, knowledge)))
    return Story(
        name=name,
        cpu=patient.cpu,
        interpreter=patient.interpreter,
        installed=installed,
        required_by=tuple(
            (edge.distribution.name, edge.distribution.version, edge.specifier)
            for edge in requirements.dependants(name)
            if not edge.extra
        ),
        path=_path(name, requirements),
        pins=_decisive_first(name, pins, patient, knowledge),
        decisive=tuple(
            pin
            for pin in pins
            if installed is None
            or admits(pin.broken, installed.version)
            or admits(pin.good, installed.version)
        ),
        elsewhere=tuple(pin for pin in about if id(pin) not in here),
        findings=findings,
        alternatives=remedies.alternatives(pins),
        prescription=remedies.prescription(patient, findings),
    )


def _about(name: str, findings: Iterable[Finding]) -> list[Finding]:
    """Findings about it first, then those about what it depends on."""
    own = [finding for finding in findings if name in finding.subject.split(" + ")]
    return own + [finding for finding in findings if finding.cause and name in finding.affects]


def _required(name: str, requirements: Requirements) -> bool:
    return any(not edge.extra for edge in requirements.dependants(name))


def _path(name: str, requirements: Requirements) -> tuple[str, ...]:
    """The longest way down to `name`: it starts at what somebody asked for."""
    paths = requirements.affected(name).values()
    asked_for = [path for path in paths if not _required(path[0], requirements)]
    return max(asked_for or paths, key=len, default=(name,))


def _decisive_first(
    name: str, pins: tuple[Pin, ...], patient: Patient, knowledge: Knowledge
) -> tuple[Pin, ...]:
    standing = [
        pin
        for judgement in judge(patient, knowledge)
        if judgement.distribution.name == name
        for pin in judgement.standing
    ]
    return (*standing, *(pin for pin in pins if pin not in standing))
