"""What to do: the remedy of one finding, and the commands that carry out all of them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from legacy_doctor.diagnosis.claims import Judgement, overruled_as_advice
from legacy_doctor.diagnosis.specifiers import admits, compatible, intersect
from legacy_doctor.model import (
    Alternative,
    Cpu,
    Finding,
    Grade,
    Patient,
    Pin,
    Remedy,
    RemedyKind,
    Severity,
    canonical,
)


def for_judgement(judgement: Judgement, patient: Patient) -> Remedy:
    """Return the safest thing to do about a broken distribution.

    In this order: a version that runs, another distribution that runs here, a cure that leaves
    the version alone, and at last its removal, said as such; but nobody is told to remove what
    a mere warning is about, or what is only reported.
    """
    name = judgement.distribution.name
    good = good_specifier(judgement)
    if good is not None:
        best = known_to_run(judgement, good)
        known = f" ({best} is known to run)" if best else ""
        return Remedy(
            kind=RemedyKind.PIN,
            text=f"install {name}{good}{known}",
            install=(f"{name}{good}",),
        )
    serious = _serious(judgement)
    alternative = _alternative(serious, patient.cpu)
    if alternative is not None:
        return _replace(name, alternative)
    cure = next((pin.cure for pin in serious if pin.cure), None)
    if cure is not None:
        return Remedy(kind=RemedyKind.ADVICE, text=cure)
    worst = judgement.standing[0]
    if worst.severity is not Severity.ERROR or worst.grade.strength < Grade.MAINTAINER.strength:
        text = f"try it on this CPU before you rely on it; no better version of {name} is known"
        return Remedy(kind=RemedyKind.ADVICE, text=text)
    return Remedy(
        kind=RemedyKind.REMOVE,
        text=f"no wheel of {name} is known to work on this CPU: uninstall it, or build it from "
        "source on this machine",
        uninstall=(name,),
    )


def known_to_run(judgement: Judgement, good: str) -> str | None:
    """Return the last version that a pin knows to run, where `good` admits it."""
    known = (pin.last_good for pin in judgement.standing)
    return next((version for version in known if version and admits(good, version)), None)


def good_specifier(judgement: Judgement) -> str | None:
    """Return what all pins about it accept together, or None where they leave nothing.

    Only the worst of them count: a warning that no version escapes must not take away the
    version that escapes death.
    """
    serious = _serious(judgement)
    if any(pin.good is None for pin in serious):
        return None
    advising = [
        pin
        for pin in judgement.pins
        if pin.broken is not None
        and pin.good is not None
        and not overruled_as_advice(pin, judgement.pins)
    ]
    good = ""
    for pin in sorted(advising, key=lambda pin: pin not in judgement.standing):
        if compatible(good, pin.good or ""):
            good = intersect(good, pin.good or "")
        elif pin in serious:
            return None
    return good or None


def _serious(judgement: Judgement) -> list[Pin]:
    worst = judgement.standing[0].severity
    return [pin for pin in judgement.standing if pin.severity is worst]


def _alternative(pins: Iterable[Pin], cpu: Cpu) -> Alternative | None:
    for pin in pins:
        for alternative in pin.alternatives:
            if not cpu.missing(alternative.needs):
                return alternative
    return None


def _replace(name: str, alternative: Alternative) -> Remedy:
    note = f" ({alternative.note})" if alternative.note else ""
    if not alternative.instead:
        text = f"install {alternative.requirement}{note}"
        return Remedy(kind=RemedyKind.REPLACE, text=text, install=(alternative.requirement,))
    return Remedy(
        kind=RemedyKind.REPLACE,
        text=f"uninstall {name}, then install {alternative.requirement}{note}",
        install=(alternative.requirement,),
        uninstall=(name,),
    )


def alternatives(pins: Iterable[Pin]) -> tuple[Alternative, ...]:
    """Return every alternative that the pins name, once each."""
    found = {item.requirement: item for pin in pins for item in pin.alternatives}
    return tuple(found.values())


def commands(
    patient: Patient, install: Iterable[str] = (), uninstall: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the shell commands that uninstall, then install, in the target.

    With the target's own pip; with uv where it has none.
    """
    python = _shown(patient.interpreter.executable)
    result = []
    if patient.get("pip") is None:
        pip, target, yes = "uv pip", f" --python {python}", ""
    else:
        pip, target, yes = f"{python} -m pip", "", " -y"
    gone = " ".join(map(shlex.quote, dict.fromkeys(uninstall)))
    wanted = " ".join(map(shlex.quote, dict.fromkeys(install)))
    if gone:
        result.append(f"{pip} uninstall{target}{yes} {gone}")
    if wanted:
        result.append(f"{pip} install{target} {wanted}")
    return tuple(result)


def _shown(path: Path) -> str:
    """The path as a person would type it: relative where it lies below the working folder."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith("..") or "/" not in relative else relative)


def prescription(patient: Patient, findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the commands of all findings together: one resolution, so that nothing moves alone.

    A distribution that one finding removes is not pinned by another. Notes ask for nothing.
    """
    from packaging.requirements import Requirement

    remedies = [
        finding.remedy
        for finding in findings
        if finding.remedy is not None and finding.severity is not Severity.INFO
    ]
    gone = [name for remedy in remedies for name in remedy.uninstall]
    wanted = [
        requirement
        for remedy in remedies
        for requirement in remedy.install
        if remedy.uninstall or canonical(Requirement(requirement).name) not in gone
    ]
    other = [command for remedy in remedies for command in remedy.commands]
    return (*dict.fromkeys(other), *commands(patient, wanted, gone))
