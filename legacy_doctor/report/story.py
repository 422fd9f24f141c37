"""One distribution's whole story, for a person."""

from __future__ import annotations

from collections.abc import Iterator

from legacy_doctor.cpu import features
from legacy_doctor.model import Pin, Story
from legacy_doctor.report import beliefs
from legacy_doctor.report.layout import Line, Page, Span, field, line
from legacy_doctor.report.text import commands, cpu_name


def lines(story: Story, page: Page) -> list[Line]:
    """Return the story as lines."""
    version = f" {story.installed.version}" if story.installed else ""
    title = f"{story.name}{version} on {cpu_name(story.cpu)} ({story.cpu.level})"
    result: list[Line] = [(Span(title, "bold"),)]
    result += _presence(story, page)
    result += _verdicts(story, page)
    for pin in story.pins:
        if pin in story.decisive:
            result += [line(), *_pin(pin, story, page)]
    others = [pin for pin in story.pins if pin not in story.decisive]
    if others:
        result.append(line())
    for pin in others:
        result += field(page, "other versions", beliefs.summary(pin))
    if story.elsewhere:
        labels = dict.fromkeys(
            f"{pin.broken or pin.good or '*'} ({pin.pinset})" for pin in story.elsewhere
        )
        result += [line(), *field(page, "elsewhere", f"on other CPUs: {'; '.join(labels)}")]
    for alternative in story.alternatives:
        lacks = features.ordered(story.cpu.missing(alternative.needs))
        fits = f"needs {' '.join(lacks)}, which this CPU lacks" if lacks else "runs here"
        note = f"; {alternative.note}" if alternative.note else ""
        result += field(page, "alternative", f"{alternative.requirement}: {fits}{note}")
    remedies = dict.fromkeys(
        item.remedy.text for item in story.findings if item.remedy and item.severity.value != "info"
    )
    for remedy in remedies:
        result += field(page, "remedy", remedy, style="green")
    if story.prescription:
        result += [line(), *commands("Fix:", story.prescription)]
    return result


def _presence(story: Story, page: Page) -> Iterator[Line]:
    if story.installed is None:
        yield from field(page, "installed", f"no, not in {story.interpreter.prefix}")
        return
    by = f" by {story.installed.installer}" if story.installed.installer else ""
    yield from field(page, "installed", f"{story.installed.version}{by}")
    askers = [
        f"{name} {version} ({specifier or 'any version'})"
        for name, version, specifier in story.required_by
    ]
    yield from field(page, "required by", "; ".join(askers) or "nobody: it was asked for")
    if len(story.path) > 2:
        yield from field(page, "path", " > ".join(story.path))


def _verdicts(story: Story, page: Page) -> Iterator[Line]:
    said = False
    for finding in story.findings:
        said = True
        if story.name in finding.subject.split(" + "):
            yield from field(page, "verdict", f"{finding.severity.value}: {finding.message}")
        else:
            path = " > ".join(finding.paths.get(story.name, (story.name, finding.subject)))
            yield from field(
                page,
                "verdict",
                f"{story.name} itself is not at fault: {path}, and {finding.subject} "
                f"{finding.version or ''} {finding.message}",
            )
    if said or story.installed is None:
        return
    if story.pins:
        yield from field(page, "verdict", "no failure is known for this version on this CPU")
    elif story.elsewhere:
        yield from field(page, "verdict", "no failure is known on a CPU like this one")
    else:
        yield from field(page, "verdict", "no pin-set says anything about it on this CPU")


def _pin(pin: Pin, story: Story, page: Page) -> Iterator[Line]:
    if pin.broken is not None:
        where = pin.broken or "every version"
        how = "dies on import" if pin.stage == "import" else "fails in use"
        yield from field(page, "broken", f"{where}: {how}: {pin.symptom}")
    if pin.good is not None:
        yield from field(page, "good", pin.good or "every version tried")
    elif pin.broken is not None and not pin.cure:
        yield from field(page, "good", "no wheel is known to work")
    if pin.first_bad or pin.last_good:
        text = f"last good {pin.last_good or 'none'}, first bad {pin.first_bad or 'unknown'}"
        yield from field(page, "boundary", text)
    yield from _conditions(pin, story, page)
    if pin.cure:
        yield from field(page, "cure", pin.cure)
    for item in pin.evidence:
        yield from field(page, "evidence", f"[{item.grade.value}] {beliefs.ground(item)}")
    yield from field(page, "pin-set", pin.pinset)


def _conditions(pin: Pin, story: Story, page: Page) -> Iterator[Line]:
    if pin.needs:
        yield from field(page, "needs", " ".join(features.abridged(pin.needs)))
        missing = features.ordered(story.cpu.missing(pin.needs))
        yield from field(page, "this CPU lacks", " ".join(missing) or "nothing of it")
    if pin.when is not None:
        yield from field(page, "only on", beliefs.condition(pin).removeprefix(" on "))
    if pin.unless:
        yield from field(page, "unless", f"{', '.join(pin.unless)} is installed")
    if pin.treated_by:
        yield from field(page, "treated by", f"patch {' or '.join(pin.treated_by)}")
