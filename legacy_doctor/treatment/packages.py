"""What is to become of the packages of an environment: one step of all findings, as data.

Nothing here runs anything (see `pharmacy`). What moves is resolved together with everything that
requires it, so that it moves together or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from legacy_doctor.errors import DoctorError
from legacy_doctor.model import Distribution, Finding, RemedyKind, Severity
from legacy_doctor.treatment.installer import DEFAULTS, Installer, Options

_KINDS: Final = frozenset({RemedyKind.PIN, RemedyKind.REMOVE, RemedyKind.REPLACE})


@dataclass(frozen=True, kw_only=True)
class PackageStep:
    """What is to be removed and installed, in one go."""

    uninstall: tuple[str, ...] = ()
    """Names, removed first."""
    install: tuple[str, ...] = ()
    """Requirements, resolved together."""
    constraints: tuple[str, ...] = ()
    """What holds for whatever the resolver chooses besides."""
    together: tuple[str, ...] = ()
    """Names of installed distributions that must still fit: they move too if they have to."""
    from_source: tuple[str, ...] = ()
    """Names that are built here, against what is installed here."""
    alone: Mapping[str, str] = field(default_factory=dict)
    """Requirements to install without their dependencies, each with the reason why."""
    reasons: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    """What stops working, a sentence each."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.uninstall or self.install or self.alone)


class Move(NamedTuple):
    """What becomes of one distribution; None for a version where there is none."""

    name: str
    before: str | None
    after: str | None


class Command(NamedTuple):
    """One command of a step, and what it is for."""

    words: tuple[str, ...]
    resolves: bool
    """It chooses versions: it is tried in a dry run first."""


def step(
    findings: Iterable[Finding],
    distributions: Sequence[Distribution],
    constraints: Iterable[str] = (),
) -> PackageStep:
    """Return the one step that carries out the remedies of all findings.

    A distribution that one finding removes is not pinned by another. Notes ask for nothing.
    Distributions that require what moves are resolved with it; what was installed from a folder
    or an address stays exactly what it is.
    """
    treated = [
        (finding, finding.remedy)
        for finding in findings
        if finding.remedy is not None
        and finding.remedy.kind in _KINDS
        and finding.severity is not Severity.INFO
    ]
    gone = dict.fromkeys(_canonical(n) for _, remedy in treated for n in remedy.uninstall)
    install = dict.fromkeys(
        requirement
        for _, remedy in treated
        for requirement in remedy.install
        if remedy.uninstall or name_of(requirement) not in gone
    )
    away = set(gone) - {name_of(requirement) for requirement in install}
    return PackageStep(
        uninstall=tuple(gone),
        install=tuple(install),
        constraints=tuple(
            dict.fromkeys(
                (
                    *(text for text in constraints if name_of(text) not in away),
                    *_held(distributions, gone, install),
                    *(f"{name}<0" for name in sorted(away)),
                )
            )
        ),
        together=_together(distributions, {name_of(text) for text in install}, away),
        reasons=tuple(dict.fromkeys(_reason(finding) for finding, _ in treated)),
        costs=_costs(distributions, away),
    )


def _reason(finding: Finding) -> str:
    grades = sorted(finding.evidence, key=lambda item: -item.grade.strength)
    known = f" ({grades[0].grade.value})" if grades else ""
    return f"{finding.subject}: {finding.message}{known}"


def _canonical(name: str) -> str:
    return str(canonicalize_name(name))


def parsed(requirement: str) -> Requirement:
    """Return a requirement; raises `DoctorError` where the text is none."""
    try:
        return Requirement(requirement)
    except InvalidRequirement as error:
        raise DoctorError(f"{requirement!r}: not a requirement ({error})") from error


def name_of(requirement: str) -> str:
    """Return the normalized name that a requirement asks for; raises as `parsed` does."""
    return _canonical(parsed(requirement).name)


def _held(
    distributions: Iterable[Distribution], gone: Iterable[str], install: Iterable[str]
) -> Iterator[str]:
    """Keep what no index can give back: editable installs and those from an address."""
    moved = {*gone, *map(name_of, install)}
    for item in distributions:
        if item.name not in moved and direct_url(item) is not None:
            yield f"{item.name}=={item.version}"


_HEAD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Requirements:
    """Who requires whom here, without any extra; only lines that are asked for are parsed."""

    def __init__(self, distributions: Iterable[Distribution]) -> None:
        self._lines: dict[str, list[tuple[str, str]]] = {}
        for item in distributions:
            for text in item.requires:
                head = _HEAD.match(text)
                if head:
                    self._lines.setdefault(_canonical(head[0]), []).append((item.name, text))

    def users(self, name: str) -> set[str]:
        """Return the distributions that require `name`."""
        return {user for user, text in self._lines.get(name, ()) if _holds(text)}

    def asking(self, name: str) -> Iterator[str]:
        """Yield how they ask for `name`, as they write it."""
        yield from (text for _, text in self._lines.get(name, ()) if _holds(text))

    def dependents(self, names: Iterable[str]) -> set[str]:
        """Return what requires these, directly or not, without these themselves."""
        found: set[str] = set()
        todo = list(names)
        while todo:
            new = self.users(todo.pop()) - found
            found |= new
            todo += new
        return found - set(names)


def _holds(text: str) -> bool:
    with suppress(InvalidRequirement):
        marker = Requirement(text).marker
        return marker is None or marker.evaluate({"extra": ""})
    return False


def _together(
    distributions: Sequence[Distribution], moved: set[str], away: set[str]
) -> tuple[str, ...]:
    """What requires something that is removed would bring it back: it is left out."""
    requirements = Requirements(distributions)
    crippled = requirements.dependents(away) | away
    return tuple(sorted(requirements.dependents(moved) - crippled - moved))


def _costs(distributions: Sequence[Distribution], away: set[str]) -> tuple[str, ...]:
    costs = []
    requirements = Requirements(distributions)
    for name in sorted(away):
        users = sorted(requirements.users(name) - away)
        if users:
            verb = "requires" if len(users) == 1 else "require"
            costs.append(
                f"{', '.join(users)} {verb} {name}: what of it imports {name} fails from now on"
            )
    return tuple(costs)


def direct_url(item: Distribution) -> Any:
    """Return where a distribution was installed from (PEP 610), or None for an index."""
    try:
        return json.loads((item.info / "direct_url.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def state(distributions: Iterable[Distribution]) -> list[dict[str, Any]]:
    """Return the exact package set as a JSON value: what the journal remembers of before."""
    result = []
    for item in distributions:
        url = direct_url(item)
        folder = url.get("dir_info") if isinstance(url, dict) else None
        result.append(
            {
                "name": item.name,
                "version": item.version,
                "installer": item.installer,
                "direct_url": url,
                "editable": bool(isinstance(folder, dict) and folder.get("editable")),
            }
        )
    return result


def commands(
    wanted: PackageStep,
    installer: Installer,
    *,
    constraints: Path | None = None,
    options: Options = DEFAULTS,
) -> tuple[Command, ...]:
    """Return what will be run, in order. `constraints` is the file that holds the step's."""
    files = () if constraints is None or not wanted.constraints else (constraints,)
    result = []
    if wanted.uninstall:
        result.append(Command(installer.uninstall(wanted.uninstall), resolves=False))
    if wanted.install:
        words = installer.install(
            (*wanted.install, *wanted.together),
            constraints=files,
            options=options,
            from_source=wanted.from_source,
        )
        result.append(Command(words, resolves=True))
    if wanted.alone:
        words = installer.install(
            tuple(wanted.alone),
            constraints=files,
            options=options,
            from_source=wanted.from_source,
            alone=True,
        )
        # What is built here needs what the command before installs, even to tell its version.
        result.append(Command(words, resolves=not wanted.from_source))
    return tuple(result)


def away(wanted: PackageStep) -> set[str]:
    """Return the names that are not to be there afterwards."""
    back = {name_of(text) for text in (*wanted.install, *wanted.alone)}
    return {_canonical(name) for name in wanted.uninstall} - back


def memory(wanted: PackageStep) -> dict[str, Any]:
    """Return a step as a JSON value."""
    return {
        "uninstall": list(wanted.uninstall),
        "install": list(wanted.install),
        "constraints": list(wanted.constraints),
        "together": list(wanted.together),
        "from_source": list(wanted.from_source),
        "alone": dict(wanted.alone),
        "reasons": list(wanted.reasons),
        "costs": list(wanted.costs),
    }
