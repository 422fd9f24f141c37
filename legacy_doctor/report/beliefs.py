"""A pin-set for a person, and what two of them say differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from legacy_doctor.cpu import features
from legacy_doctor.model import Evidence, Pin, PinSet, Severity
from legacy_doctor.report.layout import Line, Page, Span, field, line, paragraph


def lines(pinset: PinSet, page: Page) -> list[Line]:
    """Return all that a pin-set states."""
    result: list[Line] = [(Span(pinset.label, "bold"),), *paragraph(page, "", pinset.title)]
    result += field(page, "for CPUs without", " ".join(features.abridged(pinset.lacks)), 17)
    if pinset.supersedes:
        result += field(page, "supersedes", " ".join(pinset.supersedes), 17)
    if pinset.notes:
        result += field(page, "notes", " ".join(pinset.notes.split()), 17)
    for pin in pinset.pins:
        result += _stated(pin.distribution, summary(pin), pin.evidence, page)
    for removal in pinset.removals:
        text = f"remove: {removal.reason}"
        result += _stated(removal.distribution, text, removal.evidence, page)
    for conflict in pinset.conflicts:
        names = " + ".join(conflict.distributions)
        result += _stated(names, conflict.effect, conflict.evidence, page)
    for item in pinset.incompatibilities:
        text = f"{item.effect}; {item.resolution}"
        result += _stated(f"{item.first} with {item.second}", text, item.evidence, page)
    for soft in pinset.soft_imports:
        text = f"imports {soft.imports} when it is installed"
        result += _stated(soft.distribution, text, soft.evidence, page)
    return result


def _stated(name: str, text: str, grounds: Iterable[Evidence], page: Page) -> Iterator[Line]:
    yield from paragraph(page, "", f"{name}: {text}", indent=4)
    for item in grounds:
        lead = f"    [{item.grade.value}] "
        yield from paragraph(page, lead, ground(item), style="dim", indent=6)


def ground(evidence: Evidence) -> str:
    """Return source and detail; the grade is shown before it and not said twice."""
    source = evidence.source.removeprefix(f"{evidence.grade.value}: ")
    return f"{source}: {evidence.detail}" if evidence.detail else source


def summary(pin: Pin) -> str:
    """Return a pin in one sentence."""
    if pin.broken is None:
        return f"{pin.good or 'every version tried'} runs ({pin.stage})"
    needs = f" without {' '.join(features.abridged(pin.needs))}" if pin.needs else ""
    verb = "dies on import" if pin.stage == "import" else "fails in use"
    parts = [
        f"{pin.broken or 'every version'} {verb}{needs}{condition(pin)}: {pin.symptom}",
    ]
    if pin.unless:
        parts.append(f"unless {', '.join(pin.unless)} is installed")
    if pin.treated_by:
        parts.append(f"treated by patch {' or '.join(pin.treated_by)}")
    parts.append(_way_out(pin))
    parts += [f"or {item.requirement}" for item in pin.alternatives]
    if pin.severity is not Severity.ERROR:
        parts.append(f"told as {pin.severity.value}")
    return "; ".join(parts)


def condition(pin: Pin) -> str:
    """Return ` on ...` for a pin about certain CPUs only; nothing for others."""
    if pin.when is None:
        return ""
    vendor = f"{pin.when.vendor} " if pin.when.vendor else ""
    leaf = pin.when.cpuid_level_below
    below = "" if leaf is None else f" whose highest basic CPUID leaf is below {leaf}"
    return f" on {vendor}CPUs{below}"


def _way_out(pin: Pin) -> str:
    if pin.good is not None:
        return f"good: {pin.good}"
    return f"cure: {pin.cure}" if pin.cure else "no wheel works"


class Change(NamedTuple):
    """What one pin-set says of a distribution and another does not."""

    distribution: str
    old: tuple[str, ...]
    new: tuple[str, ...]


def changes(old: PinSet, new: PinSet) -> tuple[Change, ...]:
    """Return the distributions of which the two pin-sets say something different."""
    before, after = _statements(old), _statements(new)
    return tuple(
        Change(name, before.get(name, ()), after.get(name, ()))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _statements(pinset: PinSet) -> dict[str, tuple[str, ...]]:
    said: dict[str, tuple[str, ...]] = {}

    def say(name: str, text: str, grounds: Iterable[Evidence]) -> None:
        sources = " | ".join(f"{item.grade.value}, {ground(item)}" for item in grounds)
        said[name] = (*said.get(name, ()), f"{text} [{sources}]")

    for pin in pinset.pins:
        say(pin.distribution, summary(pin), pin.evidence)
    for removal in pinset.removals:
        say(removal.distribution, f"remove: {removal.reason}", removal.evidence)
    for conflict in pinset.conflicts:
        say(" + ".join(conflict.distributions), conflict.effect, conflict.evidence)
    for item in pinset.incompatibilities:
        say(f"{item.first} with {item.second}", f"{item.effect}; {item.resolution}", item.evidence)
    for soft in pinset.soft_imports:
        say(soft.distribution, f"imports {soft.imports} when it is installed", soft.evidence)
    return said


def diff_lines(old: PinSet, new: PinSet, differences: Iterable[Change], page: Page) -> list[Line]:
    """Return the differences, like a diff: what was said, what is said now."""
    result: list[Line] = [line(f"--- {old.label}", "bold"), line(f"+++ {new.label}", "bold")]
    for change in differences:
        result += paragraph(page, "", change.distribution, style="bold", indent=4)
        for text in change.old:
            result += paragraph(page, "- ", text, style="red")
        for text in change.new:
            result += paragraph(page, "+ ", text, style="green")
    if len(result) == 2:
        result.append(line("no difference"))
    return result
