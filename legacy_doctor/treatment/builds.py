"""Source builds in the environment itself: what has to be built, against what is installed here.

An isolated build fetches the newest of what it needs, and dies on the CPU that this is all about
when `setup.py` imports it. Nothing here runs anything: a build is a package step (see `pharmacy`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge.patches import Build, Kind, Patch
from legacy_doctor.model import Cpu, Distribution
from legacy_doctor.treatment.packages import PackageStep

_HEAD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def needed(
    patches: Iterable[Patch], cpu: Cpu, distributions: Sequence[Distribution]
) -> Iterator[tuple[Patch, str]]:
    """Yield the builds that something installed waits for, each with the requirement that asks.

    Only what is required and not there: a build that is there is left as it is.
    """
    there = {item.name for item in distributions}
    for patch in patches:
        if patch.kind is Kind.BUILD and patch.recommended and patch.suits(cpu):
            asked = next(_asking(patch.distribution, distributions), None)
            if patch.distribution not in there and asked is not None:
                yield patch, asked


def step(
    patch: Patch,
    requirement: str,
    distributions: Sequence[Distribution],
    constraints: Iterable[str] = (),
) -> PackageStep:
    """Return the step that builds `requirement` here, without touching what it depends on.

    What the build needs and lacks is installed before. Raises `DoctorError` where the patch
    is no build, or the requirement is not of its distribution.
    """
    if patch.build is None:
        raise DoctorError(f"patch {patch.id} builds nothing")
    name = _parsed(requirement).name
    if canonicalize_name(name) != patch.distribution:
        raise DoctorError(f"{requirement!r}: patch {patch.id} builds {patch.distribution}")
    return PackageStep(
        install=tuple(_lacking(patch.build, distributions)),
        constraints=tuple(constraints),
        from_source=(patch.distribution,),
        alone={requirement: patch.title},
        reasons=(f"{patch.distribution}: {patch.title}",),
        costs=(patch.cost, *patch.dangers),
    )


def joined(packages: PackageStep, built: Iterable[PackageStep]) -> PackageStep:
    """Return one step that moves the packages and then builds: they share one way back.

    What a build needs is not asked for twice: the versions that the packages move to decide.
    """
    for item in built:
        moved = {_name(text) for text in packages.install}
        alone: Mapping[str, str] = {**packages.alone, **item.alone}
        packages = replace(
            packages,
            install=(*packages.install, *(t for t in item.install if _name(t) not in moved)),
            constraints=tuple(dict.fromkeys((*packages.constraints, *item.constraints))),
            from_source=(*packages.from_source, *item.from_source),
            alone=alone,
            reasons=(*packages.reasons, *item.reasons),
            costs=tuple(dict.fromkeys((*packages.costs, *item.costs))),
        )
    return packages


def _lacking(build: Build, distributions: Iterable[Distribution]) -> Iterator[str]:
    there = {item.name: item.version for item in distributions}
    for text in build.requires:
        wanted = _parsed(text)
        version = there.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            yield text


def _asking(name: str, distributions: Iterable[Distribution]) -> Iterator[str]:
    """Yield how installed distributions ask for `name`, as they write it."""
    for item in distributions:
        for text in item.requires:
            head = _HEAD.match(text)  # to parse them all takes longer than the rest of a plan
            if head is None or canonicalize_name(head[0]) != name:
                continue
            with suppress(InvalidRequirement):
                wanted = Requirement(text)
                marker = wanted.marker
                if marker is None or marker.evaluate({"extra": ""}):
                    wanted.marker = None
                    yield str(wanted)


def _parsed(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise DoctorError(f"{text!r}: not a requirement ({error})") from error


def _name(text: str) -> str:
    return str(canonicalize_name(_parsed(text).name))
