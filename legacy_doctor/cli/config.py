"""The configuration: `legacy-doctor.toml`, or `[tool.legacy-doctor]` in `pyproject.toml`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor.cli import options
from legacy_doctor.errors import UnknownNameError
from legacy_doctor.knowledge import document
from legacy_doctor.knowledge.document import Table
from legacy_doctor.model import Finding, Severity

FAIL_ON: Final = (*(item.value for item in Severity), "never")


class Entry(NamedTuple):
    """A table of the configuration file."""

    file: Path
    keys: tuple[str, ...]
    """The array it is in, from the top of the file."""
    number: int
    """Its place in the array, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """Findings of `rule` (about `subject`, where given) that the project accepts."""

    rule: str
    reason: str
    subject: str | None = None
    until: date | None = None
    """The last day on which it holds."""
    entry: Entry | None = None
    """Where it is written; None for one of the command line."""

    @property
    def label(self) -> str:
        """What it is about: `broken-pin numpy`."""
        return " ".join(filter(None, (self.rule, self.subject)))

    def over(self, today: date) -> bool:
        """True from the day after `until`."""
        return self.until is not None and today > self.until

    def speaks_of(self, finding: Finding) -> bool:
        """True where the finding is one of these, whether or not the time is over."""
        return finding.rule == self.rule and self.subject in {None, finding.subject}

    def covers(self, finding: Finding, today: date) -> bool:
        """True where the finding is one of these and the time is not over."""
        return not self.over(today) and self.speaks_of(finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the configuration file says; the command line overrules it."""

    target_cpu: str | None = None
    fail_on: str | None = None
    probe: str | None = None
    probe_seconds: float | None = None
    """The limit of one probe on this CPU, in place of the probes' own."""
    pinsets: tuple[str, ...] = ()
    pinset_paths: tuple[Path, ...] = ()
    ignores: tuple[Ignore, ...] = field(default=())


def find(here: Path) -> Config:
    """Return the configuration nearest above `here`; the empty one where there is none.

    Raises `DataError` for an unknown key or a wrong type, with file, key and the nearest name.
    """
    for folder in (here, *here.parents):
        own = folder / "legacy-doctor.toml"
        if own.is_file():
            return _read(document.load(own), own, ())
        project = folder / "pyproject.toml"
        if project.is_file():
            tool = document.load(project).table("tool")
            table = tool.table("legacy-doctor") if tool else None
            if table is not None:
                return _read(table, project, ("tool", "legacy-doctor"))
    return Config()


def _read(table: Table, file: Path, above: tuple[str, ...]) -> Config:
    keys = (*above, "ignore")
    config = Config(
        target_cpu=table.optional("target-cpu"),
        fail_on=table.choice("fail-on", FAIL_ON) if "fail-on" in table else None,
        probe=table.choice("probe", options.PROBE) if "probe" in table else None,
        probe_seconds=_seconds(table),
        pinsets=table.texts("pinset"),
        pinset_paths=tuple(file.parent / name for name in table.texts("pinset-path")),
        ignores=tuple(
            _ignore(item, Entry(file, keys, index))
            for index, item in enumerate(table.tables("ignore"))
        ),
    )
    table.finish()
    return config


def _seconds(table: Table) -> float | None:
    seconds = table.number("probe-seconds")
    if seconds is not None and seconds < 1:
        table.fail("probe-seconds", f"expected 1 or more, got {seconds}")
    return seconds


def _ignore(table: Table, entry: Entry) -> Ignore:
    # The rules take longer to load than the file to read, and most files ignore nothing.
    from legacy_doctor.diagnosis import rules

    try:
        rule = rules.known(table.text("rule"))
    except UnknownNameError as error:
        table.fail("rule", str(error))
    ignore = Ignore(
        rule=rule,
        reason=table.text("reason"),
        subject=table.optional("subject"),
        until=date.fromisoformat(table.day("until")) if "until" in table else None,
        entry=entry,
    )
    table.finish()
    return ignore


def ignoring(names: Iterable[str]) -> tuple[Ignore, ...]:
    """Return the ignores of `--ignore`; raises `UnknownNameError` for a rule that is none."""
    names = tuple(names)
    if not names:
        return ()
    from legacy_doctor.diagnosis import rules

    return tuple(Ignore(rule=rules.known(name), reason="--ignore") for name in names)


def sift(
    findings: Iterable[Finding], ignores: Iterable[Ignore], today: date
) -> tuple[tuple[Finding, ...], int]:
    """Return the findings that no ignore covers, and how many were covered."""
    ignores = tuple(ignores)
    findings = tuple(findings)
    kept = tuple(
        finding
        for finding in findings
        if not any(ignore.covers(finding, today) for ignore in ignores)
    )
    return kept, len(findings) - len(kept)
