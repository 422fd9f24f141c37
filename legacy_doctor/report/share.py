"""The report as Markdown for an issue upstream: what died where, how to repeat it, and the rest.

Facts stand in fences, in the words that debuggers and issues use (signal, image+offset,
function, call stack), so that nothing in them is taken for markup.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Cpu,
    Fault,
    FaultKind,
    Finding,
    Outcome,
    ProbeResult,
    Report,
    Severity,
)
from legacy_doctor.report.beliefs import ground
from legacy_doctor.report.cards import place, telling
from legacy_doctor.report.html import headline
from legacy_doctor.report.text import cpu_name, where_it_ran

SIGNALS: Final = {
    "SIGILL": "Illegal instruction",
    "SIGFPE": "Floating point exception",
    "SIGSEGV": "Segmentation fault",
    "SIGBUS": "Bus error",
    "SIGABRT": "Aborted",
}
"""What a shell prints for each signal."""
_MADE: Final = (
    "Made by legacy-doctor {}. Names of people, machines and folders were replaced: "
    "`[environment]` is the Python environment, `~` the home folder."
)
_STAGES: Final = {"import": " on import", "use": " in use"}


def text(report: Report, document: dict[str, Any]) -> str:
    """Return the Markdown; `document` is the JSON report that goes with it, folded."""
    parts = [
        f"# {escape(_bare(headline(report)), quote=False)}",
        _MADE.format(report.version),
    ]
    for finding in report.findings:
        if finding.fault is not None:
            parts += _death(finding, finding.fault, report)
    parts += ["## Findings", fence("\n".join(map(_line, report.findings)) or "none")]
    parts += ["## CPU", fence("\n".join(_cpu(report.cpu)))]
    parts += ["## Environment", fence("\n".join(_environment(report)))]
    whole = fence(json.dumps(document, indent=1, ensure_ascii=False), "json")
    parts.append(
        "<details>\n<summary>The whole report as JSON</summary>\n\n" + whole + "\n\n</details>"
    )
    return "\n\n".join(parts) + "\n"


def _bare(value: str) -> str:
    """Return a heading's text on one line, without what could end a quotation in it."""
    return " ".join(value.replace("`", "").split())


def fence(content: str, language: str = "text") -> str:
    """Return a block that no content can close."""
    runs = [len(run) for run in re.findall(r"`{3,}", content)]
    mark = "`" * max(3, *(length + 1 for length in runs), 3)
    return f"{mark}{language}\n{content}\n{mark}"


def _death(finding: Finding, fault: Fault, report: Report) -> Iterator[str]:
    """Yield the record of a fault, how to repeat it and what else is known of it."""
    run = next((item for item in report.probing.results if item.fault == fault), None)
    who = _bare(" ".join(filter(None, (finding.subject, finding.version))))
    said = SIGNALS.get(fault.signal, fault.signal)
    stage = _STAGES.get(run.stage, "") if run is not None else ""
    yield f"## `{who}`: {said} ({fault.signal}){stage}"
    yield fence("\n".join(record(fault, report.cpu)))
    if run is not None:
        yield "To repeat it:"
        yield fence("\n".join(_repeat(run, report)), "sh")
    known = [f"[{item.grade.value}] {ground(item)}" for item in finding.evidence]
    if known:
        yield "Known about it:"
        yield fence("\n".join(known))


def record(fault: Fault, cpu: Cpu) -> Iterator[str]:
    """Yield a fault line by line."""
    code = f", {fault.code}" if fault.code else ""
    yield _field("signal", f"{fault.signal} ({SIGNALS.get(fault.signal, 'signal')}{code})")
    instruction = fault.instruction or ""
    pairs = re.findall("..?", fault.bytes)
    raw = f"[{' '.join(pairs)}]" if pairs else ""
    if instruction or raw:
        yield _field("instruction", f"{instruction}    {raw}".strip())
    if fault.needs:
        lacks = cpu.missing(fault.needs)
        verb = "which this CPU lacks" if lacks else "which this CPU has"
        shown = ", ".join(map(features.display, features.ordered(fault.needs)))
        yield _field("needs", f"{shown} ({' '.join(features.ordered(fault.needs))}), {verb}")
    image = fault.path or fault.library
    if image or fault.place:
        offset = "" if fault.offset is None else f"+{fault.offset:#x}"
        yield _field("image", f"{image or fault.place}{offset}")
    if fault.symbol:
        yield _field("function", fault.symbol)
    if fault.place and image:
        early = ", at load time" if fault.place.startswith("static") else ""
        yield _field("reached in", f"{fault.place}{early}")
    if fault.kind is not FaultKind.UNSUPPORTED:
        yield _field("kind", fault.kind.value)
    if fault.frames:
        yield "call stack (Python, innermost last):"
        yield from (f"  {place(frame)}" for frame in telling(fault.frames))


def _field(name: str, value: str) -> str:
    return f"{name:<12} {value}"


def _repeat(run: ProbeResult, report: Report) -> Iterator[str]:
    """Yield commands that die of the same, ours last."""
    code = run.probe.imports if run.stage != "use" else f"{run.probe.imports}\n{run.probe.use}"
    variables = "".join(f"{name}={shlex.quote(value)} " for name, value in run.overrides)
    program, _, model = run.emulator.partition(" ")
    _, _, model = model.rpartition("-cpu ")
    under = f"{program} -cpu {shlex.quote(model)} " if model else ""
    yield f"{variables}{under}python -c {shlex.quote(code.strip())}"
    if variables:  # which our own probes would leave out
        return
    cpu = f" --cpu {shlex.quote(report.target_name)}" if report.what_if else ""
    yield f"legacy-doctor probe {shlex.quote(run.probe.distribution)}{cpu}"


def _line(finding: Finding) -> str:
    """Return a finding on one line."""
    who = " ".join(filter(None, (finding.subject, finding.version)))
    grade = f", {finding.evidence[0].grade.value}" if finding.evidence else ""
    known = f"[{finding.standing.value}{grade}]"
    name = "note" if finding.severity is Severity.INFO else finding.severity.value
    return f"{name}: {who}: {' '.join(finding.message.split())} {known} ({finding.rule})"


def _cpu(cpu: Cpu) -> Iterator[str]:
    yield _field("name", cpu_name(cpu))
    yield _field("identity", f"{cpu.vendor} family {cpu.family} model {cpu.model}")
    yield _field("level", f"{cpu.level} (read by {cpu.source})")
    yield _field("flags", " ".join(sorted(cpu.features)))
    for level, needed in features.LEVELS.items():
        lacks = features.ordered(cpu.missing(needed))
        if lacks:
            yield _field(f"lacks of {level[-2:]}", " ".join(lacks))
    for item in cpu.hidden:
        yield _field("hidden", f"{item.feature} by the {item.reason.value}: {item.detail}")


def _environment(report: Report) -> Iterator[str]:
    interpreter, probing = report.interpreter, report.probing
    yield _field("python", f"{interpreter.implementation} {interpreter.dotted}")
    yield _field("platform", f"{interpreter.platform}, {interpreter.libc or 'unknown libc'}")
    yield _field("installed", f"{report.distributions} distributions")
    ran = sum(item.outcome is not Outcome.SKIPPED for item in probing.results)
    how = f"{ran} ran {where_it_ran(probing.how)}" if probing.ran else "none ran"
    real = "" if "-cpu" not in probing.how else " (emulated: no old silicon was used)"
    yield _field("probes", f"{how}{real}")
    yield _field("pin-sets", ", ".join(item.label for item in report.pinsets) or "none applies")
    yield from _variables(probing.results)


def _variables(results: Sequence[ProbeResult]) -> Iterator[str]:
    """Yield the dispatch variables that probes ran with: no other is looked at."""
    for name, value in dict.fromkeys(pair for item in results for pair in item.overrides):
        yield _field("variable", f"{name}={value}")
