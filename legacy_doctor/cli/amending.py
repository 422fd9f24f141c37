"""`legacy-doctor requirements --fix`: bounds are written, lock files are left to their tools."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from legacy_doctor.cli import output
from legacy_doctor.environment import requirements
from legacy_doctor.model import (
    Finding,
    Gate,
    Location,
    Remedy,
    RemedyKind,
    Requirement,
    RequirementFile,
    RequirementKind,
    Severity,
    canonical,
)
from legacy_doctor.treatment import bounds, files, pins
from legacy_doctor.treatment.bounds import Bound, UnwritableError

Judge = Callable[[Sequence[RequirementFile]], Gate]


class Amendment(NamedTuple):
    """One file as it is and as it would be."""

    path: str
    before: str
    after: str
    bounds: int
    """How many are written."""


def amend(gate: Gate, judge: Judge, destination: Path | None, *, write: bool) -> Gate:
    """Write the bounds that the findings ask for, and return the judgement of what is left.

    The diff goes to stderr. Without `write` it is the report, and nothing is changed. What is not
    written is told with the reason. Raises `DoctorError` where a file cannot be written.
    """
    amendments = list(_amendments(gate, judge))
    diff = "".join(bounds.difference(each.path, each.before, each.after) for each in amendments)
    if not write:
        output.write(diff, destination)
        return gate
    if not amendments:
        return gate
    click.echo(diff, err=True, nl=False)
    for each in amendments:
        files.apply(pins.write(Path(os.path.abspath(each.path)), each.after, "bound"))
    return judge([_reread(file) for file in gate.files])


def _reread(file: RequirementFile) -> RequirementFile:
    if not os.path.isfile(file.path):
        return file
    return requirements.read(Path(file.path), file.path, kind=file.format)


def _amendments(gate: Gate, judge: Judge) -> Iterator[Amendment]:
    by_path: dict[str, list[Finding]] = {}
    for finding in gate.findings:
        if finding.location is not None and finding.severity is not Severity.INFO:
            by_path.setdefault(finding.location.path, []).append(finding)
    formats = {file.path: file.format for file in gate.files}
    places = {item.location: item for file in gate.files for item in file.requirements}
    for path, findings in by_path.items():
        form = formats.get(path, "requirements")  # what an -r includes
        wanted = list(_bounds(path, findings, places))
        try:
            amendment = _amendment(path, form, wanted)
            if amendment is not None:
                _prove(amendment, form, gate, judge)
                yield amendment
        except UnwritableError as error:
            click.echo(f"{path}: not written: {error}", err=True)


def _bounds(
    path: str, findings: Iterable[Finding], places: dict[Location, Requirement]
) -> Iterator[Bound]:
    """Yield what is to be written into one file; the rest is told."""
    bounded: set[Location] = set()
    told: dict[str, None] = {}
    for finding in findings:
        remedy, place = finding.remedy, finding.location
        if remedy is None or place is None or place in bounded:
            continue
        requirement = places.get(place)
        if requirement is None:  # about the configuration
            continue
        if remedy.commands:
            told.setdefault(f"{path}: a tool's own; run {' and '.join(remedy.commands)}")
        elif _is_written(requirement, remedy):
            bounded.add(place)
            yield Bound(requirement, remedy.install[0])
        else:
            told.setdefault(
                f"{path}:{place.line}: {requirement.name} is left to you: {remedy.text}"
            )
    for line in told:
        click.echo(line, err=True)


def _is_written(requirement: Requirement, remedy: Remedy) -> bool:
    """True where the remedy is about that very distribution, and a person wrote the file."""
    if requirement.kind is RequirementKind.LOCKED or not remedy.install:
        return False
    if remedy.kind is RemedyKind.REPLACE:
        return canonical(remedy.install[0].partition("[")[0]) == requirement.name
    return remedy.kind is RemedyKind.PIN


def _amendment(path: str, form: str, wanted: Sequence[Bound]) -> Amendment | None:
    if not wanted:
        return None
    if os.path.islink(path):  # noqa: PTH114  as the others beside it
        raise UnwritableError(f"a symbolic link; name the file it leads to, {os.readlink(path)}")
    content = files.read(Path(os.path.abspath(path)))[1] or b""
    try:
        before = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnwritableError("not UTF-8") from error
    command = bounds.compiled_by(before)
    if command is not None:
        plain = dict.fromkeys(item.wanted.partition(";")[0].strip() for item in wanted)
        quoted = " ".join(f"--upgrade-package {shlex.quote(item)}" for item in plain)
        raise UnwritableError(f"a tool's own; run {command} {quoted}")
    mark = "\ufeff" if before.startswith("\ufeff") else ""
    text = before.removeprefix(mark)
    writable = [item for item in wanted if _has_place(path, text, form, item)]
    after = mark + bounds.written(text, form, writable)
    return Amendment(path, before, after, len(writable)) if writable else None


def _has_place(path: str, text: str, form: str, bound: Bound) -> bool:
    try:
        bounds.written(text, form, [bound])
    except UnwritableError as error:
        click.echo(f"{path}:{bound.requirement.location.line}: not written: {error}", err=True)
        return False
    return True


def _prove(amendment: Amendment, form: str, gate: Gate, judge: Judge) -> None:
    """Read and judge the new text; raises `UnwritableError` where it is not better."""
    new = requirements.read_text(amendment.after.removeprefix("\ufeff"), amendment.path, form)
    others = [f for f in gate.files if f.format == "constraints" and f.path != amendment.path]
    before, after = (
        sum(_counts(item, amendment.path) for item in found)
        for found in (gate.findings, judge([new, *others]).findings)
    )
    if after > before - amendment.bounds:
        raise UnwritableError("the bounds would not take effect; write them by hand")


def _counts(finding: Finding, path: str) -> bool:
    there = finding.location is not None and finding.location.path == path
    return there and finding.severity is not Severity.INFO
