"""The diagnosis for a person: errors first, the commands last, then the next step."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Cpu,
    Finding,
    Location,
    Outcome,
    Probing,
    Report,
    Severity,
    Standing,
)
from legacy_doctor.report.layout import Line, Page, Span, line, paragraph

STYLES: Final = {"error": "bold red", "warning": "bold yellow", "info": "cyan", "ok": "green"}
_SHOWN_AFFECTED: Final = 6
_ABI: Final = re.compile(r"\.(?:cpython|pypy)-?\d[^/\s]*?\.so\b")
"""`.cpython-311-x86_64-linux-gnu.so`: half of a line, and it tells nobody anything."""
_PLAIN: Final = str.maketrans({"…": "...", "“": '"', "”": '"'})
_LONGEST: Final = 60
"""Paths longer than this are cut in the middle: they would not fit on a line of their own."""


def lines(report: Report, page: Page, *, verbose: bool = False) -> list[Line]:
    """Return the report as lines; what nobody has to act upon only where `verbose`."""
    result: list[Line] = [*_header(report, page), line()]
    if report.outlook is not None:
        from legacy_doctor.report import outlook  # most reports have none

        result += outlook.lines(report.outlook, page)
    shown = [item for item in report.findings if verbose or item.severity is not Severity.INFO]
    for finding in shown:
        result += _finding(finding, page, verbose=verbose)
    if not shown:
        result += paragraph(page, f"{page.mark('ok')} ", _healthy(report), style=STYLES["ok"])
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


def _healthy(report: Report) -> str:
    """Say that nothing was found, and how far that goes."""
    known = "no finding: nothing that the pin-sets know breaks here"
    ran = [item.outcome for item in report.probing.results if item.outcome is not Outcome.SKIPPED]
    return f"{known}, and no probe failed" if ran and {*ran} == {Outcome.OK} else known


def _finding(finding: Finding, page: Page, *, verbose: bool) -> Iterator[Line]:
    severity = finding.severity.value
    who = f"{finding.subject} {finding.version}" if finding.version else finding.subject
    message = f"{shortened(finding.message, page)}{_ground(finding)}"
    lead = f"{page.mark(severity)} "
    # A message that starts with its subject (VARIABLE=value: ...) does not need it twice.
    said = finding.message.startswith(f"{finding.subject}=") or finding.subject == "cpu"
    text = message if said else f"{who}  {message}"
    first, *rest = paragraph(page, lead, text, style=STYLES[severity], indent=4)
    yield _emphasised(first, who)
    yield from rest
    if finding.location:
        yield from paragraph(
            page, f"    {page.arrow} ", f"in {place(finding.location)}", style="dim"
        )
    if finding.cause and finding.affects:
        affected = f"also affects: {some(finding.affects)}"
        yield from paragraph(page, f"    {page.arrow} ", affected, style="dim")
    for detail in finding.details if verbose else ():
        if detail not in finding.message:
            text = shortened(detail, page)
            yield from paragraph(page, f"    {page.dot} ", text, style="dim")
    if finding.remedy and finding.severity is not Severity.INFO:
        yield from paragraph(page, "    hint: ", finding.remedy.text, style="green", indent=10)


def place(location: Location) -> str:
    """Return `requirements.txt:3:1`, which editors and terminals turn into a link."""
    return f"{location.path}:{location.line}:{location.column}"


def _ground(finding: Finding) -> str:
    """What to believe a finding by: the grade of its evidence, and what the probes say of it."""
    if finding.standing is Standing.NEW:
        return f" [{finding.standing.value}]"
    grade = finding.evidence[0].grade.value if finding.evidence else ""
    if finding.standing is Standing.PREDICTED:
        return f" [{grade}]" if grade else ""
    return f" [{': '.join(filter(None, (finding.standing.value, grade)))}]"


def shortened(text: str, page: Page) -> str:
    """Return a text whose paths fit on a line, cut where they tell least."""
    cut = " ".join(map(_cut, text.split(" ")))
    return cut if page.unicode else cut.translate(_PLAIN)


def _cut(word: str) -> str:
    if "/" not in word or "://" in word:
        return word
    word = _ABI.sub("…so", word)
    half = (_LONGEST - 1) // 2
    return word if len(word) <= _LONGEST else f"{word[:half]}…{word[-half:]}"


def _emphasised(first: Line, who: str) -> Line:
    """Set the subject of a headline in bold."""
    lead, text = first
    if not text.text.startswith(who):
        return first
    return (lead, Span(who, "bold"), Span(text.text[len(who) :]))


def some(names: Iterable[str]) -> str:
    """Return the first of the names, and how many more there are."""
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
        unjudged = f"; no evidence about {some(report.unjudged)}"
    text = (
        f"{', '.join(counts)}{ignored} in {counted(report.distributions, 'distribution')}"
        f"{unjudged}."
    )
    worst = report.findings[0].severity.value if report.findings else "ok"
    first, *rest = paragraph(page, "", text)
    yield (Span(first[1].text, STYLES[worst]),)
    yield from rest
    sets = ", ".join(item.label for item in report.pinsets) or "none applies to this CPU"
    proven = shortened(proof(report.probing, report.findings), page)
    yield from paragraph(page, "", f"{proven}. Pin-sets: {sets}.", style="dim")


def proof(probing: Probing, findings: Iterable[Finding]) -> str:
    """Say what was run, and what came of it; else why nothing was. No full stop."""
    if not probing.ran:
        nothing = "no package was imported" if probing.wanted == "none" else "nothing to probe"
        return f"Predicted, not proven: {probing.obstacle.rstrip('.') or nothing}"
    skipped = sum(item.outcome is Outcome.SKIPPED for item in probing.results)
    standings = [item.standing for item in findings]
    came = ", ".join(
        f"{standings.count(standing)} {standing.value}"
        for standing in (Standing.CONFIRMED, Standing.REFUTED, Standing.NEW)
    )
    where = where_it_ran(probing.how)
    left = f", {skipped} skipped" if skipped else ""
    mute = ""
    if probing.unplayable:
        mute = f"; it cannot play {' '.join(features.ordered(probing.unplayable))}"
    ran = counted(len(probing.results) - skipped, "probe")
    return f"Proven: {ran} ran {where} ({came}{left}){mute}"


def where_it_ran(how: str) -> str:
    """Return `on this CPU`, or `under` the emulator."""
    return how if how.startswith("on ") else f"under {how}"


def _steps(report: Report) -> Iterator[Line]:
    if report.prescription:
        yield line()
    yield from commands("Fix:", report.prescription)
    subject = next((item for item in report.findings if item.cause), None)
    if subject is None:
        return
    yield from commands("Plan:", [f"legacy-doctor fix{treatment_options(report)}"])
    words = f"legacy-doctor explain {subject.subject}{target_options(report)}"
    yield from commands("Next:", [words])


def treatment_options(report: Report) -> str:
    """Return the options by which `fix` is about the same target and project."""
    profile = f" --profile {report.outlook.profile.id}" if report.outlook else ""
    return f"{target_options(report)}{profile}"


def target_options(report: Report) -> str:
    """Return the options by which another command is about the same target, a space before each."""
    python = ""
    if report.interpreter.chosen_by == "--python":
        python = f" --python {shlex.quote(str(report.interpreter.prefix))}"
    cpu = f" --cpu {shlex.quote(report.target_name)}" if report.what_if else ""
    return f"{python}{cpu}"


def commands(lead: str, words: Iterable[str]) -> Iterator[Line]:
    """Yield commands, each whole: a wrapped command cannot be copied."""
    for command in words:
        yield (Span(f"{lead:<7}", "bold green"), Span(command))
        lead = ""
