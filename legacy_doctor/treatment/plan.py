"""From findings to what will be done about them, as data: nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from legacy_doctor.errors import UnknownNameError, suggestion
from legacy_doctor.knowledge.patches import Kind, Patch
from legacy_doctor.model import (
    Cpu,
    Distribution,
    Finding,
    Grade,
    Remedy,
    RemedyKind,
    Severity,
)
from legacy_doctor.treatment import builds, packages, pins
from legacy_doctor.treatment.application import OURS, Place
from legacy_doctor.treatment.packages import PackageStep
from legacy_doctor.treatment.patching import Standing, State
from legacy_doctor.treatment.pins import PinLine
from legacy_doctor.treatment.steps import FileStep

PACKAGES: Final = "packages"
PINS: Final = "pins"
PATCHES: Final = "patches"
HOOK: Final = "hook"
PATCH: Final = "patch:"
_TREATED: Final = frozenset({RemedyKind.PIN, RemedyKind.REMOVE, RemedyKind.REPLACE})


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which parts of a treatment the user wants; names are step ids or distributions."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Of `packages`, `patches`, `pins`: what is left out whether the plan has any or not."""

    def takes(self, *names: str) -> bool:
        """True where one of these names is wanted, and none is skipped."""
        parts = {PATCHES if name.startswith(PATCH) else name for name in names}
        if set(names) & set(self.skip) or parts & set(self.without):
            return False
        return not self.only or bool(set(names) & set(self.only))

    def check(self, known: Iterable[str]) -> None:
        """Raise `UnknownNameError` for a name that no step has."""
        there = sorted(set(known))
        for name in (*self.only, *self.skip):
            if name not in there:
                raise UnknownNameError(
                    f"{name}: no such step or distribution in this plan"
                    f"{suggestion(name, there)}; there are {', '.join(there) or 'none'}"
                )


@dataclass(frozen=True, kw_only=True)
class PatchItem:
    """A patch of the plan."""

    patch: Patch
    standing: Standing
    steps: tuple[FileStep, ...] = ()
    replaces: str | None = None
    """The version of the real distribution that the package step removes for it."""

    @property
    def id(self) -> str:
        """`patch:torch-onednn-off`."""
        return f"{PATCH}{self.patch.id}"

    @property
    def grade(self) -> Grade:
        """The strongest of its evidence."""
        return max((e.grade for e in self.patch.evidence), key=lambda grade: grade.strength)


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """All that will be done, in this order: packages, patches, pins; then it is verified."""

    packages: PackageStep
    patches: tuple[PatchItem, ...] = ()
    pins: tuple[FileStep, ...] = ()
    untreated: tuple[Finding, ...] = ()
    """Findings for which no step of this plan is a remedy: what to do is told, or that there is
    nothing."""
    probes: tuple[str, ...] = ()
    """Distributions whose probes will run again."""

    @property
    def steps(self) -> tuple[FileStep, ...]:
        """The file steps as they are now known."""
        return (*(step for item in self.patches for step in item.steps), *self.pins)

    @property
    def empty(self) -> bool:
        """True where there is nothing to do."""
        return self.packages.empty and not self.steps and not self.later

    @property
    def later(self) -> tuple[PatchItem, ...]:
        """The patches that wait for the packages."""
        return tuple(item for item in self.patches if item.replaces is not None)


def make(  # noqa: PLR0913  all that a treatment is made from
    place: Place,
    cpu: Cpu,
    findings: Sequence[Finding],
    patches: Iterable[Patch],
    persistent: Sequence[FileStep],
    constraints: Iterable[str],
    selection: Selection,
    needed: frozenset[str] = frozenset(),
) -> Treatment:
    """Return the treatment of these findings; `needed` patches are part of it, if they suit."""
    patches = tuple(patches)
    wanted = [item for item in patches if _wanted(item, place, cpu, needed)]
    building = list(builds.needed(patches, cpu, place.distributions, needed))
    selection.check(_names(findings, [*wanted, *(patch for patch, _ in building)]))
    chosen = [finding for finding in findings if _is_chosen(finding, selection)]
    stand_ins = list(_stand_ins(wanted, place, selection))
    step = packages.step([*chosen, *stand_ins], place.distributions, constraints)
    step = _without_costs_of(step, [item.subject for item in stand_ins])
    step = builds.joined(
        step,
        (
            builds.step(patch, asked, place.distributions)
            for patch, asked in building
            if selection.takes(PACKAGES, PATCH + patch.id)
        ),
    )
    items = tuple(_item(item, place, step) for item in wanted if selection.takes(PATCH + item.id))
    return Treatment(
        packages=step,
        patches=items,
        pins=tuple(persistent) if selection.takes(PINS) else (),
        untreated=tuple(_untreated(findings, chosen, _patched(items))),
        probes=_reprobed(step, items, findings),
    )


def _names(findings: Iterable[Finding], patches: Iterable[Patch]) -> list[str]:
    subjects = [item.subject for item in findings if _is_treated(item)]
    return [PACKAGES, PINS, HOOK, *subjects, *(PATCH + item.id for item in patches)]


def _is_treated(finding: Finding) -> bool:
    return (
        finding.remedy is not None
        and finding.remedy.kind in _TREATED
        and finding.severity is not Severity.INFO
    )


def _is_chosen(finding: Finding, selection: Selection) -> bool:
    """True where the finding is to be treated: wanted, and known well enough.

    What is only reported to be unwise is left alone unless it is asked for by its name: once the
    rest is cured, its own probe can tell.
    """
    if not selection.takes(PACKAGES, finding.subject):
        return False
    known = max((item.grade.strength for item in finding.evidence), default=0)
    rumour = finding.severity is not Severity.ERROR and known <= Grade.REPORTED.strength
    return not rumour or finding.subject in selection.only


def _patched(items: Iterable[PatchItem]) -> set[str]:
    """Return the distributions of which a patch of this plan, or one that is there, takes care."""
    cared = (item for item in items if item.steps or item.standing.state is State.APPLIED)
    return {item.patch.distribution for item in cared}


def _untreated(
    findings: Iterable[Finding], chosen: Sequence[Finding], patched: set[str]
) -> Iterable[Finding]:
    for finding in findings:
        treated = _is_treated(finding) and finding in chosen
        treated = treated or (not _is_treated(finding) and finding.subject in patched)
        if not treated and finding.severity is not Severity.INFO:
            yield finding


def _wanted(patch: Patch, place: Place, cpu: Cpu, needed: frozenset[str]) -> bool:
    """True for a recommended change of files, of something that is there, for such a CPU.

    What is `needed` is wanted before its distribution is there: a stand-in takes its place.
    """
    if patch.kind not in {Kind.FILE, Kind.DISTRIBUTION} or not patch.suits(cpu):
        return False
    if patch.id in needed:
        return True
    if not patch.recommended:
        return False
    installed = place.get(patch.distribution)
    return installed is not None and (
        patch.claims(installed.version) or installed.installer == OURS
    )


def _stand_ins(patches: Iterable[Patch], place: Place, selection: Selection) -> Iterable[Finding]:
    """Yield, as findings, what has to go so that a stand-in of ours can take its place."""
    for patch in patches:
        real = _replaced(patch, place)
        if real is not None and selection.takes(PATCH + patch.id):
            remedy = Remedy(kind=RemedyKind.REMOVE, text=patch.title, uninstall=(real.name,))
            yield Finding(
                rule="stand-in",
                severity=Severity.WARNING,
                subject=real.name,
                message=f"a stand-in takes its place ({patch.id})",
                version=real.version,
                evidence=patch.evidence,
                remedy=remedy,
            )


def _replaced(patch: Patch, place: Place) -> Distribution | None:
    """Return the real distribution whose place a patch's own is to take."""
    provides = patch.provides
    if provides is None or canonicalize_name(provides.name) != patch.distribution:
        return None
    real = place.get(patch.distribution)
    return None if real is None or real.installer == OURS else real


def _without_costs_of(step: PackageStep, gone: Iterable[str]) -> PackageStep:
    """Leave out what a stand-in prevents: the patch tells its own cost."""
    told = tuple(f" {name}: what of it " for name in gone)
    costs = tuple(cost for cost in step.costs if not any(text in cost for text in told))
    return replace(step, costs=costs)


def _item(patch: Patch, place: Place, step: PackageStep) -> PatchItem:
    standing = place.standing(patch)
    real = _replaced(patch, place)
    if real is not None and real.name in step.uninstall:
        standing = Standing(State.APPLICABLE, "once the packages are changed")
        return PatchItem(patch=patch, standing=standing, replaces=real.version)
    steps = place.apply(patch) if standing.state is State.APPLICABLE else ()
    return PatchItem(patch=patch, standing=standing, steps=steps)


def _reprobed(
    step: PackageStep, items: Iterable[PatchItem], findings: Iterable[Finding]
) -> tuple[str, ...]:
    """What was at fault, what suffered from it, and what is patched."""
    names: dict[str, None] = {}
    for finding in findings:
        if _is_treated(finding) and not step.empty:
            names.update(dict.fromkeys([finding.subject, *finding.affects]))
    names.update(dict.fromkeys(item.patch.distribution for item in items))
    gone = {canonicalize_name(name) for name in step.uninstall} - {
        canonicalize_name(text.partition("<")[0]) for text in step.install
    }
    return tuple(name for name in names if name not in gone)


def persistence(
    prefix: Path, lines: Sequence[PinLine], installer: str, inherited: Sequence[str]
) -> tuple[FileStep, ...]:
    """Return the steps that make the environment's installer obey the pins from now on."""
    steps = [pins.constraints_step(prefix, lines)]
    if (prefix / "conda-meta").is_dir():
        steps = [pins.conda_step(prefix, lines)]
    elif installer == "pip":
        steps.append(pins.pip_step(prefix, inherited))
    return tuple(step for step in steps if step.after != step.before)
