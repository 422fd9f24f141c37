"""A project on this CPU, in this environment: what its profile, its runs and the pin-sets say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from packaging.specifiers import SpecifierSet

from legacy_doctor.cpu import features
from legacy_doctor.knowledge import profiles
from legacy_doctor.knowledge.patches import Patch
from legacy_doctor.model import (
    Cpu,
    Evidence,
    Finding,
    Fitness,
    Grade,
    Keep,
    Outlook,
    Patient,
    Profile,
    ProfileRun,
    ProfileStatus,
    Remedy,
    RemedyKind,
    Severity,
)

RULES: Final = (
    ("profile-unfit", "The project that was asked about does not run on this CPU."),
    ("profile-python", "The project cannot be installed into this version of Python."),
    ("profile-missing", "Parts of the project that was asked about are not installed."),
)
"""The rules about a project (`--profile`), each with what a finding of it means."""

_LIVED: Final = frozenset({Fitness.RUNS, Fitness.TREATED})


def outlook(
    profile: Profile,
    patient: Patient,
    keep: Sequence[Keep],
    patches: Iterable[Patch],
    runs: Iterable[ProfileRun],
) -> Outlook:
    """Return all that is to be said of the project here; `keep` are the pins that concern it."""
    cpu = patient.cpu
    tier = profiles.tier(cpu)
    told = tuple(run for run in runs if run.profile == profile.id and speaks_of(run, cpu))
    suits = {patch.id: patch.distribution for patch in patches if patch.suits(cpu)}
    cures = {
        suits[use.id]: use.id
        for use in profile.patches
        if use.need == "required" and use.id in suits
    }
    own = () if profile.checkout else profile.distributions[:1]
    wanted = dict.fromkeys((*own, *profile.needs))
    return Outlook(
        profile=profile,
        tier=tier,
        status=prospect(profile, cpu, told),
        runs=told,
        keep=tuple(item._replace(treated_by=cures.get(item.name, "")) for item in keep),
        patches=tuple(use for use in profile.patches if use.id in suits),
        counsel=tuple(item for item in profile.counsel if not item.tiers or tier in item.tiers),
        missing=tuple(name for name in wanted if patient.get(name) is None),
    )


def speaks_of(run: ProfileRun, cpu: Cpu) -> bool:
    """True where what happened there holds here: it ran with less, or failed with as much."""
    lacks = cpu.missing(features.cumulative("x86-64-v3"))
    if run.tier is not profiles.tier(cpu):
        return False
    return lacks <= run.lacks if run.fitness in _LIVED else run.lacks <= lacks


def prospect(profile: Profile, cpu: Cpu, runs: Sequence[ProfileRun] = ()) -> ProfileStatus:
    """Return what is to be expected on the CPU: what was run overrules what is only told."""
    tier = profiles.tier(cpu)
    told = next(
        status
        for status in profile.status
        if status.tier is tier and (not status.lacks or cpu.missing(status.lacks))
    )
    return _overruled(told, runs)


def recorded(profile: Profile, runs: Iterable[ProfileRun]) -> Profile:
    """Return the profile with what was run in its rows, each run in the row of its CPU."""
    mine = [run for run in runs if run.profile == profile.id]
    rows = {row: [run for run in mine if _row(profile, run) is row] for row in profile.status}
    return replace(profile, status=tuple(_overruled(row, seen) for row, seen in rows.items()))


def _row(profile: Profile, run: ProfileRun) -> ProfileStatus | None:
    rows = (row for row in profile.status if row.tier is run.tier and row.lacks <= run.lacks)
    return next(rows, None)


def _overruled(told: ProfileStatus, runs: Sequence[ProfileRun]) -> ProfileStatus:
    seen = [run.fitness for run in runs if run.fitness is not Fitness.UNKNOWN]
    if not seen:
        return told
    fitness = next((word for word in (Fitness.RUNS, Fitness.TREATED) if word in seen), seen[0])
    return replace(told, fitness=fitness, evidence=(*map(_evidence, runs), *told.evidence))


def _evidence(run: ProfileRun) -> Evidence:
    state = "with its treatment" if run.treated else "as it is installed"
    detail = f"{state}: {run.outcome}{': ' if run.detail else ''}{run.detail}"
    if not run.emulator:
        return Evidence(grade=Grade.SILICON, source=f"{run.cpu}, {run.day}", detail=detail)
    source = f"emulated: {run.cpu}, {run.day}, CPython {run.python}"
    return Evidence(grade=Grade.EMULATED, source=source, detail=detail)


def findings(value: Outlook, patient: Patient) -> Iterator[Finding]:
    """Yield what of the outlook has to be acted upon."""
    profile, status = value.profile, value.status
    if status.fitness is Fitness.FAILS:
        yield Finding(
            rule="profile-unfit",
            severity=Severity.ERROR,
            subject=profile.id,
            message=f"does not run on this CPU: {status.text}",
            needs=status.lacks,
            missing=patient.cpu.missing(status.lacks),
            evidence=status.evidence,
            remedy=Remedy(kind=RemedyKind.ADVICE, text=_instead(value)),
        )
    python = patient.interpreter.dotted
    if profile.python and not SpecifierSet(profile.python).contains(python, prereleases=True):
        yield Finding(
            rule="profile-python",
            severity=Severity.ERROR,
            subject=profile.id,
            message=f"cannot be installed into Python {python}: it takes {profile.python}",
            evidence=(Evidence(grade=Grade.MAINTAINER, source=f"{profile.project}, its metadata"),),
            remedy=Remedy(
                kind=RemedyKind.MACHINE,
                text=f"make an environment with Python {profile.python}",
            ),
        )
    if value.missing:
        yield _missing(value)


def _instead(value: Outlook) -> str:
    advice = next((item for item in value.counsel if item.about == "choice" and item.first), None)
    return advice.text if advice else f"see legacy-doctor profile show {value.profile.id}"


def _missing(value: Outlook) -> Finding:
    names = ", ".join(value.missing)
    return Finding(
        rule="profile-missing",
        severity=Severity.WARNING,
        subject=value.profile.id,
        message=f"not installed here: {names}; what is said of them is predicted",
        remedy=Remedy(
            kind=RemedyKind.ADVICE,
            text=f"install within the pins: legacy-doctor pins --profile {value.profile.id} "
            "-o constraints.txt, then pip install --prefer-binary -c constraints.txt, and look "
            "again",
        ),
    )
