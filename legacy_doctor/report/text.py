"""The diagnosis for a person: errors first, the commands last, then the next step."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.model import Cpu, Finding, Report, Severity
from legacy_doctor.report.layout import Line, Page, Span, line, paragraph

STYLES: Final = {"error": "bold red", "warning": "bold yellow", "info": "cyan", "ok": "green"}
_SHOWN_AFFECTED: Final = 6


def lines(report: Report, page: Page, *, verbose: bool = False) -> list[Line]:
    """Return the report as lines; what nobody has to act upon only where `verbose`."""
    result: list[Line] = [*_header(report, page), line()]
    shown = [item for item in report.findings if verbose or item.severity is not Severity.INFO]
    for finding in shown:
        result += _finding(finding, page)
    if not shown:
        result += paragraph(
            page,
            f"{page.mark('ok')} ",
            "no finding: nothing that the pin-sets know breaks here",
            style=STYLES["ok"],
        )
    hidden = len(report.findings) - len(shown)
    if hidden:
        result += paragraph(
            page,
            f"{page.mark('info')} ",
            f"{counted(hidden, 'note')}, shown with -v",
            style=STYLES["info"],
        )
    result += [line(), *_summary(report, page), *_steps(report)]
    return result


def _header(report: Report, page: Page) -> Iterator[Line]:
    interpreter = report.interpreter
    yield from paragraph(
        page,
        "",
        f"legacy-doctor {report.version} {page.dot} Python {interpreter.dotted} {page.dot} "
        f"{interpreter.prefix} ({interpreter.chosen_by})",
        indent=2,
    )
    why = f"named {report.target_name}" if report.what_if else f"read by {report.cpu.source}"
    cpu = f"{cpu_name(report.cpu)} {page.dot} {report.cpu.level} ({why})"
    yield from paragraph(page, "", cpu, indent=2)
    yield from paragraph(page, "", lacks_next(report.cpu), indent=2, style="dim")


def cpu_name(cpu: Cpu) -> str:
    """Return what to call the CPU."""
    return cpu.brand or f"{cpu.vendor} family {cpu.family} model {cpu.model}".strip()


def lacks_next(cpu: Cpu) -> str:
    """Say what keeps the CPU from the next level."""
    for level in features.LEVELS:
        missing = cpu.missing(features.cumulative(level))
        if missing:
            return f"{level} also needs {' '.join(features.ordered(missing))}"
    return "it has all of x86-64-v4"


def _finding(finding: Finding, page: Page) -> Iterator[Line]:
    severity = finding.severity.value
    who = f"{finding.subject} {finding.version}" if finding.version else finding.subject
    grade = f" [{finding.evidence[0].grade.value}]" if finding.evidence else ""
    lead = f"{page.mark(severity)} "
    # A message that starts with its subject (VARIABLE=value: ...) does not need it twice.
    said = finding.message.startswith(f"{finding.subject}=") or finding.subject == "cpu"
    text = f"{finding.message}{grade}" if said else f"{who}  {finding.message}{grade}"
    first, *rest = paragraph(page, lead, text, style=STYLES[severity], indent=4)
    yield _emphasised(first, who)
    yield from rest
    if finding.cause and finding.affects:
        affected = f"also affects: {_some(finding.affects)}"
        yield from paragraph(page, f"    {page.arrow} ", affected, style="dim")
    if finding.remedy and finding.severity is not Severity.INFO:
        yield from paragraph(page, "    hint: ", finding.remedy.text, style="green", indent=10)


def _emphasised(first: Line, who: str) -> Line:
    """Set the subject of a headline in bold."""
    lead, text = first
    if not text.text.startswith(who):
        return first
    return (lead, Span(who, "bold"), Span(text.text[len(who) :]))


def _some(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:_SHOWN_AFFECTED])
    more = len(names) - _SHOWN_AFFECTED
    return f"{shown} and {more} more" if more > 0 else shown


def counted(number: int, noun: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _summary(report: Report, page: Page) -> Iterator[Line]:
    counts = [counted(report.count(severity), severity.value) for severity in list(Severity)[:2]]
    ignored = f", {report.ignored} ignored" if report.ignored else ""
    unjudged = ""
    if report.unjudged:
        unjudged = f"; no evidence about {_some(report.unjudged)}"
    text = (
        f"{', '.join(counts)}{ignored} in {counted(report.distributions, 'distribution')}"
        f"{unjudged}."
    )
    worst = report.findings[0].severity.value if report.findings else "ok"
    first, *rest = paragraph(page, "", text)
    yield (Span(first[1].text, STYLES[worst]),)
    yield from rest
    if not report.probes.ran:
        sets = ", ".join(item.label for item in report.pinsets) or "none applies to this CPU"
        yield from paragraph(
            page,
            "",
            f"Predicted, not proven: {report.probes.reason}. Pin-sets: {sets}.",
            style="dim",
        )


def _steps(report: Report) -> Iterator[Line]:
    if report.prescription:
        yield line()
    yield from commands("Fix:", report.prescription)
    subject = next((item for item in report.findings if item.cause), None)
    if subject is None:
        return
    option = f" --cpu {shlex.quote(report.target_name)}" if report.what_if else ""
    python = ""
    if report.interpreter.chosen_by == "--python":
        python = f" --python {shlex.quote(str(report.interpreter.prefix))}"
    yield from commands("Next:", [f"legacy-doctor explain {subject.subject}{python}{option}"])


def commands(lead: str, words: Iterable[str]) -> Iterator[Line]:
    """Yield commands, each whole: a wrapped command cannot be copied."""
    for command in words:
        yield (Span(f"{lead:<7}", "bold green"), Span(command))
        lead = ""
