"""Source builds in the environment itself: what has to be built, against what is installed here.

An isolated build fetches the newest of what it needs, and dies on the CPU that this is all about
when `setup.py` imports it. Nothing here runs anything: a build is a package step (see `pharmacy`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge.patches import Build, Kind, Patch
from legacy_doctor.model import Cpu, Distribution
from legacy_doctor.treatment.packages import PackageStep, Requirements, name_of, parsed


def needed(
    patches: Iterable[Patch],
    cpu: Cpu,
    distributions: Sequence[Distribution],
    anyway: Collection[str] = (),
) -> Iterator[tuple[Patch, str]]:
    """Yield the builds that something installed waits for, each with the requirement that asks.

    Only what is required and not there: a build that is there is left as it is. `anyway` are
    ids of patches that a project needs, whatever is installed so far.
    """
    there = {item.name for item in distributions}
    for patch in patches:
        wanted = patch.kind is Kind.BUILD and patch.recommended and patch.suits(cpu)
        if wanted and patch.distribution not in there:
            asking = [*_asking(patch.distribution, distributions)]
            if asking or patch.id in anyway:
                yield patch, (*asking, patch.distribution)[0]


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
    if name_of(requirement) != patch.distribution:
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
        moved = {name_of(text) for text in packages.install}
        alone: Mapping[str, str] = {**packages.alone, **item.alone}
        packages = replace(
            packages,
            install=(*packages.install, *(t for t in item.install if name_of(t) not in moved)),
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
        wanted = parsed(text)
        version = there.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            yield text


def _asking(name: str, distributions: Iterable[Distribution]) -> Iterator[str]:
    """Yield how installed distributions ask for `name`, without the conditions, which hold."""
    for text in Requirements(distributions).asking(name):
        wanted = parsed(text)
        wanted.marker = None
        yield str(wanted)
