"""`--profile NAME`: what a project needs here, for the commands that judge and treat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from legacy_doctor.model import Finding, Keep, Outlook, Patient, Probe, Profile

if TYPE_CHECKING:
    from legacy_doctor.model import Cpu, Knowledge
    from legacy_doctor.treatment.pins import PinLine

NONE: Final = frozenset[str]()


def _names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    del context, parameter
    from legacy_doctor.knowledge import profiles

    return [CompletionItem(name) for name in profiles.names() if name.startswith(incomplete)]


option = click.option(
    "--profile",
    "profile_name",
    metavar="NAME",
    shell_complete=_names,
    help="Of one project (f5-tts, whisper-cpp ...); see `legacy-doctor profile list`.",
)


def named(name: str | None) -> Profile | None:
    """Return the profile of that name; None where none is named."""
    if name is None:
        return None
    from legacy_doctor.knowledge import profiles

    return profiles.find(name)


def outlook(
    profile: Profile | None, patient: Patient, knowledge: Knowledge
) -> tuple[Outlook | None, tuple[Finding, ...]]:
    """Return what is to be said of the project here, and what of it is a finding."""
    if profile is None:
        return None, ()
    from legacy_doctor.diagnosis import projects
    from legacy_doctor.knowledge import patches, profiles

    keep = tuple(_kept(profile, patient, knowledge))
    value = projects.outlook(profile, patient, keep, patches.every(), profiles.runs())
    return value, tuple(projects.findings(value, patient))


def smoke(profile: Profile | None) -> tuple[Probe, ...]:
    """Return the probe of the project as a whole, where it has one."""
    return (profile.smoke.probe,) if profile and profile.smoke else ()


def lines(profile: Profile, cpu: Cpu, knowledge: Knowledge) -> tuple[PinLine, ...]:
    """Return the pins that concern the project on a CPU."""
    from legacy_doctor.treatment import pins

    return tuple(line for line in pins.for_cpu(cpu, knowledge) if line.name in {*profile.pins})


def _kept(profile: Profile, patient: Patient, knowledge: Knowledge) -> Iterator[Keep]:
    for line in lines(profile, patient.cpu, knowledge):
        there = patient.get(line.name)
        yield Keep(
            name=line.name,
            requirement=line.requirement,
            reason=line.reason,
            grade=line.grade,
            installed=there.version if there else None,
        )


def patched(profile: Profile | None) -> frozenset[str]:
    """Return the ids of the patches that the project cannot do without."""
    if profile is None:
        return NONE
    return frozenset(use.id for use in profile.patches if use.need == "required")
