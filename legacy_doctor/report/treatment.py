"""A treatment for a person: what is to be done and why, or what was done and how it turned out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from legacy_doctor.model import Course, Finding, Step
from legacy_doctor.report.layout import Line, Page, Span, line, paragraph
from legacy_doctor.report.text import STYLES, commands, counted, cpu_name, where_it_ran


def lines(course: Course, page: Page, *, diff: bool = False) -> list[Line]:
    """Return the treatment as lines; with `diff` every change of a file."""
    told: list[Line] = [*_header(course, page), line()]
    for number, step in enumerate(course.steps, 1):
        told += _step(step, number, page, diff=diff)
    if not course.steps:
        told += paragraph(page, f"{page.mark('ok')} ", "nothing to do", style=STYLES["ok"])
    for finding in course.untreated:
        told += _untreated(finding, page)
    for remark in course.remarks:
        told += paragraph(page, f"{page.mark('info')} ", remark, style=STYLES["info"], indent=4)
    return [*told, line(), *_outcome(course, page)]


def _header(course: Course, page: Page) -> Iterator[Line]:
    report = course.report
    what = "Treatment of" if course.applied else "Plan for"
    yield from paragraph(page, "", f"{what} {report.interpreter.prefix}", indent=2)
    yield from paragraph(
        page, "", f"{cpu_name(report.cpu)} {page.dot} {report.cpu.level}", indent=2
    )


def _step(step: Step, number: int, page: Page, *, diff: bool) -> Iterator[Line]:
    grade = f" [{step.grade.value}]" if step.grade else ""
    (lead, first), *rest = paragraph(
        page, f"{number}. ", f"{step.id}  {step.title}{grade}", indent=4
    )
    yield (lead, Span(step.id, "bold"), Span(first.text[len(step.id) :]))
    yield from rest
    for name, texts in (("why", step.reasons), ("costs", step.costs), ("note", step.remarks)):
        for text in texts:
            yield from paragraph(page, f"    {name}: ", text, style="dim", indent=10)
    for path in step.files if not diff else ():
        yield line(f"    file: {path}", "dim")
    for command in step.commands:
        yield line(f"    $ {command}", "green")
    if diff:
        yield from (line(f"    {text}") for text in step.diff.splitlines())


def _untreated(finding: Finding, page: Page) -> Iterator[Line]:
    text = finding.remedy.text if finding.remedy else "no safe remedy is known"
    lead = f"{page.mark(finding.severity.value)} "
    said = f"{finding.subject} ({finding.rule}) is not treated: {text}"
    yield from paragraph(page, lead, said, style=STYLES[finding.severity.value], indent=4)


def _outcome(course: Course, page: Page) -> Iterator[Line]:
    if course.applied and course.runs:
        yield from _done(course, page)
        return
    if not course.steps or course.applied:
        yield from paragraph(page, "", "Nothing was changed.")
        return
    if course.probes:
        names = ", ".join(course.probes)
        yield from paragraph(page, "", f"Afterwards probed again: {names}.", style="dim")
    yield from paragraph(page, "", "Nothing was changed.")
    yield line()
    yield from commands("Do it:", [f"legacy-doctor fix --apply{_words(course)}{_chosen(course)}"])


def _done(course: Course, page: Page) -> Iterator[Line]:
    numbers = ", ".join(map(str, course.runs))
    word = "run" if len(course.runs) == 1 else "runs"
    yield from paragraph(page, "", f"Done, and journaled as {word} {numbers}.", style=STYLES["ok"])
    after = course.outcome
    if after is not None:
        errors = sum(item.severity.value == "error" for item in after.findings)
        passed = sum(item.outcome.value == "ok" for item in after.probing.results)
        ran = after.probing.ran
        proof = (
            f"{counted(passed, 'probe')} of {len(after.probing.results)} ok "
            f"{where_it_ran(after.probing.how)}"
            if ran
            else "no probe ran"
        )
        text = f"Afterwards: {counted(errors, 'error')}, {proof}."
        yield from paragraph(page, "", text, style=STYLES["error" if after.failed else "ok"])
    yield line()
    yield from commands("Undo:", [f"legacy-doctor undo{_python(course)}"])
    yield from commands("Look:", [f"legacy-doctor check{_words(course)}"])


def _chosen(course: Course) -> str:
    """The options by which it became this treatment and no other."""
    return f" {shlex.join(course.options)}" if course.options else ""


def _python(course: Course) -> str:
    interpreter = course.report.interpreter
    if interpreter.chosen_by != "--python":
        return ""
    return f" --python {shlex.quote(str(interpreter.prefix))}"


def _words(course: Course) -> str:
    cpu = f" --cpu {shlex.quote(course.report.target_name)}" if course.report.what_if else ""
    return f"{_python(course)}{cpu}"
