"""What requirement and lock files would let in, judged for one CPU before anything is installed.

There is one judge. A file is turned into the environment that an installer would make of it: a
locked version as it is, a range as the newest version that it admits, and the rules for installed
distributions are asked about that. Only the words and the remedy are those of a file.

Without an index nobody knows which versions exist; those that a pin or the range itself names
are taken as known to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from legacy_doctor.diagnosis import (
    amendments,
    claims,
    markers,
    packages,
    relocking,
    specifiers,
)
from legacy_doctor.diagnosis.amendments import Member
from legacy_doctor.diagnosis.specifiers import (
    admits,
    compatible,
    following,
    intersect,
    named,
    newest,
)
from legacy_doctor.model import (
    Cpu,
    Distribution,
    Finding,
    Interpreter,
    Knowledge,
    Patient,
    Pin,
    Requirement,
    RequirementFile,
    RequirementKind,
    Severity,
    canonical,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement as Wanted

_SINGLE: Final = (
    packages.broken_pin,
    packages.no_working_wheel,
    packages.unwanted_distribution,
)
_JOINT: Final = (packages.overwriting_distributions, packages.incompatible_versions)
_ANY_OF: Final = frozenset({"pyproject", "Pipfile", *relocking.FORMATS} - {"freeze"})
"""Formats that list more than any one environment gets: extras, groups, other platforms."""
_NOWHERE: Final = Interpreter(
    executable=Path("python"),
    prefix=Path(),
    version=(3, 11, 0),
    implementation="cpython",
    platform="linux-x86_64",
    chosen_by="",
    site_packages=(),
    machine="x86_64",
)


def judge(
    files: Sequence[RequirementFile],
    cpu: Cpu,
    knowledge: Knowledge,
    locks: Mapping[str, Sequence[RequirementFile]] | None = None,
) -> tuple[Finding, ...]:
    """Return what the files let in that breaks on this CPU: errors first, then by file and line.

    Constraints files bound the ranges of all others. `locks` are the lock files beside a file, by
    its path: what they settle is not judged by what the file alone would admit. A distribution
    that no pin-set speaks of is passed over, and so is what no Linux on x86-64 would install.
    """
    bench = _Bench(cpu, knowledge)
    shared = [item for file in files if file.format == "constraints" for item in file.requirements]
    asked = {item.name for file in files for item in file.requirements if not _bounds(item)}
    found: dict[object, Finding] = {}
    for file in files:
        beside = (locks or {}).get(file.path, ())
        for finding in sorted(bench.findings(file, shared, asked, beside), key=_place):
            key = (finding.rule, finding.subject, finding.version, finding.location)
            found.setdefault(key, finding)
    return tuple(sorted(found.values(), key=lambda finding: finding.severity.rank))


def names(files: Iterable[RequirementFile]) -> frozenset[str]:
    """Return the distributions that the files speak of."""
    return frozenset(item.name for file in files for item in file.requirements)


def _bounds(requirement: Requirement) -> bool:
    return requirement.kind is RequirementKind.CONSTRAINT


def _place(finding: Finding) -> tuple[str, int, int]:
    location = finding.location
    return (location.path, location.line, location.column) if location else ("", 0, 0)


class _Bench:
    """One CPU and what is known, before which one file after another is brought."""

    def __init__(self, cpu: Cpu, knowledge: Knowledge) -> None:
        self._cpu = cpu
        self._knowledge = knowledge
        self._pins = claims.by_name(cpu, knowledge)
        self._known: dict[str, list[Version]] = {name: [] for name in self._pins}
        for pin in knowledge.pins:  # those about other CPUs know of versions, too
            if pin.distribution in self._known:
                self._known[pin.distribution] += _versions(pin)

        self._names = self._pins.keys() | set(_named_beside_pins(knowledge))

    def findings(
        self,
        file: RequirementFile,
        shared: Sequence[Requirement],
        asked: set[str],
        beside: Sequence[RequirementFile],
    ) -> Iterator[Finding]:
        """Yield what one file lets in."""
        there = [item for item in file.requirements if self._concerns(item)]
        wanted = [item for item in there if not _bounds(item)]
        bounds = [item for item in there if _bounds(item)]
        bounds += [item for item in shared if self._concerns(item)]
        members = [member for item in wanted for member in self._members(item, wanted, bounds)]
        if file.format not in relocking.FORMATS:
            members += self._brought(members)
        for finding, member in self._told(members, file.format):
            yield _asked_for(self._settled(finding, member, beside), file)
        fixed = [Member(item, _made(item.name, item.version)) for item in there if _settles(item)]
        for finding, member in self._told(fixed, file.format):
            sure = member.requirement.name in asked
            yield finding if sure else amendments.at_most(Severity.WARNING, finding)

    def _concerns(self, item: Requirement) -> bool:
        return (
            item.name in self._names
            and specifiers.is_specifier(item.specifier)
            and markers.possible(item.marker)
        )

    def _members(
        self, item: Requirement, wanted: Sequence[Requirement], bounds: Sequence[Requirement]
    ) -> Iterator[Member]:
        """Yield what an installer would make of one requirement."""
        if item.version is not None:
            if specifiers.version(item.version) is not None:
                yield Member(item, _made(item.name, item.version))
            return
        if item.name not in self._known:
            yield Member(item, _made(item.name, "0"))  # a removal or a conflict may name it
            return
        others = [other for other in (*wanted, *bounds) if other.name == item.name]
        # What stands at the same place is an alternative (`^1 || ^2`), and no further bound.
        beside = [other for other in others if other.location != item.location]
        exact = (other.specifier.split(",") for other in beside if _settles(other))
        settled = {part for parts in exact for part in parts if part.startswith("==")}
        for text in _bounded(item, beside):
            version = newest(text, self._known[item.name])
            # What a constraint settles is judged there.
            if version is not None and settled.isdisjoint(text.split(",")):
                yield from self._let_in(item, text, version)

    def _let_in(self, item: Requirement, specifier: str, version: Version) -> Iterator[Member]:
        """Yield the newest version, and an older one where only that breaks."""
        now = Member(item, _made(item.name, str(version)), specifier)
        if self._stands(item.name, version):
            later = (each for each in following(version) if admits(specifier, str(each)))
            older = any(not self._stands(item.name, each) for each in later)
            yield now._replace(older=older)
            return
        yield now
        worse = [
            each
            for pin in self._pins[item.name]
            if pin.broken is not None and pin.severity is Severity.ERROR
            for each in named(pin.broken)
            if admits(specifier, str(each)) and self._stands(item.name, each, Severity.ERROR)
        ]
        if worse:
            yield Member(item, _made(item.name, str(max(worse))), specifier, older=True)

    def _stands(self, name: str, version: Version, severity: Severity = Severity.INFO) -> bool:
        made = _made(name, str(version))
        standing = claims.judged(made, self._pins.get(name, []), set()).standing
        return any(pin.severity.rank <= severity.rank for pin in standing)

    def _brought(self, members: Sequence[Member]) -> list[Member]:
        """Return what a distribution brings along, as far as the alternatives of pins tell.

        A pin of another distribution whose alternative is `X[extra]` says that X brings it unless
        the extra is asked for, which then brings what the pin names under `unless-installed`. Of
        several that one extra replaces, the first is told.
        """
        there = {member.requirement.name for member in members}
        result: dict[tuple[Requirement, bool], Member] = {}
        for member in members:
            for pin, alternative in self._replacing(member):
                chosen = alternative.extras <= member.requirement.extras
                for name in pin.unless if chosen else (pin.distribution,):
                    version = newest("", self._known.get(name, ())) or "0"
                    made = Member(member.requirement, _made(name, str(version)))
                    if name not in there:
                        result.setdefault((member.requirement, chosen), made)
        return list(result.values())

    def _replacing(self, member: Member) -> Iterator[tuple[Pin, Wanted]]:
        name, version = member.distribution.name, member.distribution.version
        start = [item for item in self._alternatives(name, own=True) if item[1].extras]
        for pin, wanted in self._alternatives(name, own=False):
            since = [item.specifier for _, item in start if item.extras == wanted.extras]
            if wanted.extras and all(item.contains(version, prereleases=True) for item in since):
                yield pin, wanted

    def _alternatives(self, name: str, *, own: bool) -> Iterator[tuple[Pin, Wanted]]:
        for pins in self._pins.values():
            for pin in pins:
                if (pin.distribution == name) is not own:
                    continue
                for alternative in pin.alternatives:
                    if _head(alternative.requirement) == name:
                        yield pin, _wanted(alternative.requirement)

    def _told(self, members: Sequence[Member], form: str) -> Iterator[tuple[Finding, Member]]:
        """Yield the findings of the rules with the requirement that each is about."""
        patient = Patient(
            cpu=self._cpu,
            interpreter=_NOWHERE,
            distributions=tuple(member.distribution for member in members),
        )
        by_key: dict[tuple[str, str | None], list[Member]] = {}
        for member in members:
            key = (member.distribution.name, member.distribution.version)
            by_key.setdefault(key, []).append(member)
        judgements = {
            (item.distribution.name, item.distribution.version): item
            for item in claims.judge(patient, self._knowledge)
        }
        for check in _SINGLE:
            for finding in check(patient, self._knowledge):
                key = (finding.subject, finding.version or "")
                for member in by_key[key]:
                    yield amendments.told(finding, member, judgements.get(key), form), member
        yield from self._jointly(patient, members, form)

    def _jointly(
        self, patient: Patient, members: Sequence[Member], form: str
    ) -> Iterator[tuple[Finding, Member]]:
        """Yield what is wrong with two together, at the place of the later one."""
        for check in _JOINT:
            for finding in check(patient, self._knowledge):
                names = {canonical(name) for name in finding.subject.split(" + ")}
                both = [item for item in members if item.requirement.name in names]
                less = next((item for item in both if item.requirement.origin), both[-1])
                place = both[-1].requirement.location
                told = amendments.tempered(replace(finding, location=place), less)
                if form in _ANY_OF:
                    told = amendments.at_most(Severity.WARNING, told)
                yield told, both[-1]

    def _settled(
        self, finding: Finding, member: Member, beside: Sequence[RequirementFile]
    ) -> Finding:
        """Make a note of what a lock file beside it settles for the better."""
        locked = [
            (lock, item.version)
            for lock in beside
            for item in lock.requirements
            if item.name == member.distribution.name and item.version is not None
        ]
        if member.exact or not locked:
            return finding
        lock, version = locked[0]
        if any(self._stands(member.distribution.name, Version(each)) for _, each in locked):
            return replace(finding, details=(*finding.details, f"{lock.path} locks {version}"))
        message = f"{finding.message}; {lock.path} locks {version}, so it is not let in"
        return replace(finding, severity=Severity.INFO, message=message)


def _asked_for(finding: Finding, file: RequirementFile) -> Finding:
    """Say who asks for it, where the file does: a package that a person never wrote down."""
    askers = file.askers.get(finding.subject, ())
    paths = {who: (who, finding.subject) for who in askers}
    return replace(finding, affects=askers, paths=paths) if askers else finding


def _bounded(item: Requirement, others: Sequence[Requirement]) -> Iterator[str]:
    """Yield the specifiers by which an installer would choose, one for each set of markers.

    Entries for other versions of Python do not bound this one; those that hold beside it do.
    """
    if not others:
        yield from () if not compatible(item.specifier, "") else (item.specifier,)
        return
    found: dict[str, None] = {}
    for each in markers.environments(item.marker, *(other.marker for other in others)):
        if markers.holds(item.marker, each):
            holding = (o.specifier for o in others if markers.holds(o.marker, each))
            found.setdefault(intersect(item.specifier, *holding))
    yield from (text for text in found if compatible(text, ""))


def _named_beside_pins(knowledge: Knowledge) -> Iterator[str]:
    """Yield the distributions that anything but a pin is about, or that keep a pin from biting."""
    for pinset in knowledge.pinsets:
        yield from (name for pin in pinset.pins for name in pin.unless)
        yield from (item.distribution for item in pinset.removals)
        yield from (name for item in pinset.conflicts for name in item.distributions)
        for pair in pinset.incompatibilities:
            yield from (_head(text) for text in (pair.first, pair.second))


def _head(requirement: str) -> str:
    return canonical(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])


def _wanted(requirement: str) -> Wanted:
    from packaging.requirements import Requirement as Wanted

    return Wanted(requirement)


def _versions(pin: Pin) -> Iterator[Version]:
    yield from named(pin.broken or "", pin.good or "")
    yield from (Version(text) for text in (pin.first_bad, pin.last_good) if text)


def _settles(requirement: Requirement) -> bool:
    return _bounds(requirement) and specifiers.version(requirement.version or "") is not None


def _made(name: str, version: str | None) -> Distribution:
    return Distribution(name=name, version=version or "0", root=Path(), info=Path())
