"""How single probes ended, for a person: one line each, and all that is known about a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.model import Fault, Frame, Outcome, Patient, ProbeResult
from legacy_doctor.report.layout import Line, Page, Span, line, paragraph
from legacy_doctor.report.text import STYLES, counted, shortened, where_it_ran

Sentence = Callable[[ProbeResult, str], str]
"""Says how a probe ended, given the installed version."""

_SHOWN_FRAMES: Final = 3
"""The innermost ones: the way there is the reader's own."""


def lines(
    patient: Patient, how: str, results: Sequence[ProbeResult], page: Page, sentence: Sentence
) -> list[Line]:
    """Return the results as lines; `how` says where they ran (`Probing.how`)."""
    versions = {item.name: item.version for item in patient.distributions}
    folders = patient.interpreter.site_packages
    told: list[Line] = []
    for result in results:
        version = versions.get(result.probe.distribution, "")
        told += _headline(result, page, version, sentence)
        told += _block(result, folders, page)
    return [*told, line(), *_summary(results, how, page)]


def death(result: ProbeResult, said: str, site_packages: Sequence[Path], page: Page) -> list[Line]:
    """Return how a program ended that was no probe: `said`, and all that is known of its fault."""
    told = list(paragraph(page, f"{page.mark('error')} ", shortened(said, page), indent=4))
    return [*told, *_block(result, site_packages, page)]


def _headline(result: ProbeResult, page: Page, version: str, sentence: Sentence) -> Iterator[Line]:
    who = f"{result.probe.distribution} {version}".rstrip()
    severity = _severity(result.outcome)
    text = shortened(f"{_label(result, who)}  {_said(result, version, who, sentence)}", page)
    lead = f"{page.mark(severity)} "
    (mark, first), *rest = paragraph(page, lead, text, style=STYLES[severity], indent=4)
    bold = min(len(who), len(first.text))
    yield (mark, Span(first.text[:bold], "bold"), Span(first.text[bold:]))
    yield from rest


def _severity(outcome: Outcome) -> str:
    if outcome is Outcome.OK:
        return "ok"
    if outcome is Outcome.SKIPPED:
        return "info"
    return "warning" if outcome in {Outcome.TIMEOUT, Outcome.VANISHED} else "error"


def _label(result: ProbeResult, who: str) -> str:
    """Name the probe: which of several it is, and the variables it ran with."""
    what = result.probe.id.partition("/")[2]
    variables = " ".join(f"{name}={value}" for name, value in result.overrides)
    return " ".join(filter(None, [who, what and f"({what})", variables and f"with {variables}"]))


def _said(result: ProbeResult, version: str, who: str, sentence: Sentence) -> str:
    if result.outcome is Outcome.OK:
        return "import and use ok" if result.probe.use else "import ok"
    if result.outcome is Outcome.SKIPPED:
        return f"skipped: {result.reason}"
    # The variables stand in the label already.
    return sentence(replace(result, overrides=()), version).removeprefix(who).lstrip()


def _block(result: ProbeResult, folders: Sequence[Path], page: Page) -> Iterator[Line]:
    facts: list[tuple[str, str]] = []
    frames = result.raised.frames if result.raised else ()
    if result.fault is not None:
        facts += _facts(result.fault)
        frames = result.fault.frames
    places = [_place(frame, folders) for frame in _telling(frames)[-_SHOWN_FRAMES:]]
    facts += zip(("frames", "", ""), places, strict=False)
    if result.fault is not None:
        facts += [("known", result.fault.known), ("held", ", ".join(result.held))]
    if result.leftovers:
        facts.append(("left behind", f"{_processes(result.leftovers)}, killed"))
    for name, text in facts:
        if text:
            yield from paragraph(page, f"    {name:<12} ", shortened(text, page), style="dim")


def _telling(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out the import machinery: that an import was under way can be seen without it."""
    return [frame for frame in frames if not frame.file.startswith("<frozen importlib")]


def _place(frame: Frame, folders: Sequence[Path]) -> str:
    """Say where a frame is, below site-packages where it lies there."""
    file = frame.file
    for folder in folders:
        file = file.removeprefix(f"{folder}/")
    return f"{file}:{frame.line} in {frame.function}"


def _facts(fault: Fault) -> Iterator[tuple[str, str]]:
    yield "instruction", fault.instruction or fault.bytes
    yield "needs", " ".join(features.ordered(fault.needs))
    where = fault.path or fault.library or ""
    offset = "" if fault.offset is None else f"+{fault.offset:#x}"
    yield "library", f"{where} {offset}".strip()
    yield "symbol", fault.symbol or ""
    yield "owner", fault.owner or ""
    yield "place", fault.place


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _summary(results: Sequence[ProbeResult], how: str, page: Page) -> Iterator[Line]:
    outcomes = [item.outcome for item in results]
    passed, skipped = outcomes.count(Outcome.OK), outcomes.count(Outcome.SKIPPED)
    failed = len(outcomes) - passed - skipped
    cached = sum(item.cached for item in results)
    parts = [f"{passed} ok", f"{failed} failed"]
    parts += [f"{skipped} skipped"] if skipped else []
    parts += [f"{cached} from the cache"] if cached else []
    text = f"{counted(len(results), 'probe')} {where_it_ran(how)}: {', '.join(parts)}."
    first, *rest = paragraph(page, "", text)
    yield (Span(first[1].text, STYLES["error" if failed else "ok"]),)
    yield from rest
