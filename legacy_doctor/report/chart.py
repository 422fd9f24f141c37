"""A CPU for a person: what it can do, what it lacks, who hides what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from legacy_doctor.cpu import features
from legacy_doctor.model import Cpu, Witness
from legacy_doctor.report.layout import Line, Page, Span, field, paragraph
from legacy_doctor.report.text import cpu_name


def lines(cpu: Cpu, page: Page, remedies: Iterable[tuple[str, str]] = ()) -> list[Line]:
    """Return the chart; `remedies` are pairs of who hides something and what to do."""
    result: list[Line] = [(Span(cpu_name(cpu), "bold"),)]
    result += field(page, "level", cpu.level, style="bold")
    if cpu.family or cpu.vendor:
        text = f"{cpu.vendor} family {cpu.family} model {cpu.model} stepping {cpu.stepping}"
        result += field(page, "identity", text)
    if cpu.microarchitecture:
        result += field(page, "archspec", cpu.microarchitecture)
    if cpu.cpuid_level is not None:
        result += field(page, "cpuid level", f"{cpu.cpuid_level} (highest basic leaf)")
    if cpu.hypervisor:
        result += field(page, "hypervisor", cpu.hypervisor)
    result += field(page, "has", " ".join(features.ordered(cpu.features)))
    for level in features.LEVELS:
        missing = cpu.missing(features.LEVELS[level])
        if missing:
            result += field(page, f"lacks for {level[-2:]}", " ".join(features.ordered(missing)))
    if {"sse4a"} <= cpu.features and "sse4_1" not in cpu.features:
        note = "SSE4a is AMD's own and is neither SSE4.1 nor SSE4.2: those are not there"
        result += field(page, "beware", note)
    result += _hidden(cpu, page)
    for who, remedy in remedies:
        result += field(page, f"if {who}", remedy)
    result += _witnesses(cpu, page)
    return result


def _hidden(cpu: Cpu, page: Page) -> Iterator[Line]:
    details = dict.fromkeys((item.reason, item.detail) for item in cpu.hidden)
    for reason, detail in details:
        names = [
            item.feature for item in cpu.hidden if (item.reason, item.detail) == (reason, detail)
        ]
        text = f"by the {reason.value}: {' '.join(features.ordered(names))} ({detail})"
        yield from field(page, "hidden", text, style="bold yellow")


def _witnesses(cpu: Cpu, page: Page) -> Iterator[Line]:
    for witness in cpu.witnesses:
        yield from field(page, witness.name, _testimony(witness, cpu))


def _testimony(witness: Witness, cpu: Cpu) -> str:
    if witness.features is None:
        return f"silent: {witness.note}"
    if witness.name == cpu.source:
        return "believed"
    parts = []
    if witness.extra:
        parts.append(f"also shows {' '.join(features.ordered(witness.extra))}")
    if witness.lacking:
        parts.append(f"does not show {' '.join(features.ordered(witness.lacking))}")
    return f"disagrees: {'; '.join(parts)}" if parts else "agrees"


def table(rows: Iterable[tuple[str, ...]], page: Page) -> list[Line]:
    """Return rows as columns; the first row is the heading, the last column wraps."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    result: list[Line] = []
    for index, row in enumerate(rows):
        cells = (f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        style = "bold" if index == 0 else ""
        result += paragraph(page, "".join(cells), row[-1], style=style)
    return result
