"""What requirement and lock files would let in, for a person and for a program."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from legacy_doctor.model import Finding, Gate, Location, Severity
from legacy_doctor.report.layout import Line, Page, Span, line, paragraph
from legacy_doctor.report.text import STYLES, commands, counted, shortened, some


def lines(gate: Gate, page: Page, *, verbose: bool = False, offer_fix: bool = True) -> list[Line]:
    """Return the judgement as lines; notes and what was passed over only where `verbose`."""
    shown = [item for item in gate.findings if verbose or item.severity is not Severity.INFO]
    result: list[Line] = []
    for finding in shown:
        result += _finding(finding, page)
    for file in gate.files if verbose else ():
        for place, problem in file.problems:
            result += _at(place, "info", f"passed over: {problem}", page)
    if result:
        result.append(line())
    result += _summary(gate, page)
    locks = {file.path for file in gate.files if file.is_lock}
    places = [item.location for item in shown if item.location and _is_fixable(item)]
    fixable = [place.path for place in places if place.path not in locks]
    if fixable and offer_fix:
        words = " ".join(map(shlex.quote, dict.fromkeys(fixable)))
        cpu = f" --cpu {shlex.quote(gate.target_name)}" if gate.what_if else ""
        result += commands("Fix:", [f"legacy-doctor requirements {words}{cpu} --fix"])
    result += commands("Lock:", _relocking(shown))
    return result


def _finding(finding: Finding, page: Page) -> Iterator[Line]:
    place = finding.location or Location("")
    grade = f" [{finding.evidence[0].grade.value}]" if finding.evidence else ""
    message = finding.message
    if finding.version is not None:
        message = f"{finding.subject} {finding.version} {message}"
    elif finding.subject not in message:
        message = f"{finding.subject}: {message}"
    text = f"{shortened(message, page)}{grade}"
    yield from _at(place, finding.severity.value, text, page)
    if finding.affects:
        asked = f"asked for by: {some(finding.affects)}"
        yield from paragraph(page, f"    {page.arrow} ", asked, style="dim")
    if finding.remedy:
        yield from paragraph(page, "    hint: ", finding.remedy.text, style="green", indent=10)


def _at(place: Location, severity: str, text: str, page: Page) -> Iterator[Line]:
    """Yield `file:line:column: severity: text`, the form that editors make a link of."""
    where = f"{place.path}:{place.line}:{place.column}: "
    first, *rest = paragraph(page, "", f"{where}{severity}: {text}", indent=4)
    said = first[1].text.removeprefix(f"{where}{severity}:")
    if said == first[1].text:  # the path alone fills the line
        yield first
    else:
        yield (Span(where, "bold"), Span(f"{severity}:", STYLES[severity]), Span(said))
    yield from rest


def _summary(gate: Gate, page: Page) -> Iterator[Line]:
    counts = [counted(gate.count(severity), severity.value) for severity in list(Severity)[:2]]
    ignored = f", {gate.ignored} ignored" if gate.ignored else ""
    where = gate.files[0].path if len(gate.files) == 1 else counted(len(gate.files), "file")
    cpu = gate.target_name if gate.what_if else gate.cpu.brand or gate.cpu.level
    text = f"{', '.join(counts)}{ignored} in {where} for {cpu}."
    worst = gate.findings[0].severity.value if gate.findings else "ok"
    first, *rest = paragraph(page, "", text)
    yield (Span(first[1].text, STYLES[worst]),)
    yield from rest
    sets = ", ".join(item.label for item in gate.pinsets) or "none applies to this CPU"
    proof = "Predicted, not proven: nothing was installed"
    yield from paragraph(page, "", f"{proof}. Pin-sets: {sets}.", style="dim")


def _is_fixable(finding: Finding) -> bool:
    """True where `--fix` may write the remedy, if the file is no lock."""
    return finding.remedy is not None and bool(finding.remedy.install)


def _relocking(findings: Iterable[Finding]) -> tuple[str, ...]:
    remedies = (item.remedy for item in findings if item.remedy is not None)
    return tuple(dict.fromkeys(command for item in remedies for command in item.commands))


def body(gate: Gate) -> dict[str, Any]:
    """Return the body of `requirements` for a program."""
    from legacy_doctor.report import json  # the screen has no use for it, and is in a hurry

    return {
        "status": json.status(gate),
        "what_if": gate.what_if,
        "cpu": json.cpu(gate.cpu),
        "pinsets": [json.pinset_header(item) for item in gate.pinsets],
        "files": [
            {
                "path": file.path,
                "format": file.format,
                "requirements": len(file.requirements),
                "problems": [
                    {"location": json.location(place), "problem": problem}
                    for place, problem in file.problems
                ],
            }
            for file in gate.files
        ],
        "findings": [json.finding(item) for item in gate.findings],
        "summary": {
            **{f"{item.value}s": gate.count(item) for item in Severity},
            "ignored": gate.ignored,
        },
    }
