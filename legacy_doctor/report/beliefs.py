"""A pin-set for a person, and what two of them say differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from legacy_doctor.cpu import features
from legacy_doctor.model import Pin, PinSet
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
        result += _pin(pin, page)
    for removal in pinset.removals:
        result += paragraph(page, f"{removal.distribution}: ", f"remove: {removal.reason}")
    for conflict in pinset.conflicts:
        names = " + ".join(conflict.distributions)
        result += paragraph(page, f"{names}: ", conflict.effect, indent=4)
    for item in pinset.incompatibilities:
        names = f"{item.first} with {item.second}"
        result += paragraph(page, f"{names}: ", f"{item.effect}; {item.resolution}", indent=4)
    for soft in pinset.soft_imports:
        text = f"imports {soft.imports} when it is installed"
        result += paragraph(page, f"{soft.distribution}: ", text, indent=4)
    return result


def _pin(pin: Pin, page: Page) -> Iterator[Line]:
    first, *rest = paragraph(page, "", f"{pin.distribution}: {summary(pin)}", indent=4)
    yield first
    yield from rest
    for item in pin.evidence:
        detail = f": {item.detail}" if item.detail else ""
        text = f"{item.source}{detail}"
        yield from paragraph(page, f"    [{item.grade.value}] ", text, style="dim", indent=6)


def summary(pin: Pin) -> str:
    """Return a pin in one sentence."""
    if pin.broken is None:
        return f"{pin.good or 'every version tried'} runs ({pin.stage})"
    needs = f" without {' '.join(features.abridged(pin.needs))}" if pin.needs else ""
    good = "no wheel works" if pin.good is None else f"good: {pin.good or 'every other version'}"
    if pin.good is None and pin.cure:
        good = f"cure: {pin.cure}"
    verb = "dies on import" if pin.stage == "import" else "fails in use"
    return f"{pin.broken or 'every version'} {verb}{needs} ({pin.symptom}); {good}"


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
    for pin in pinset.pins:
        said[pin.distribution] = (*said.get(pin.distribution, ()), summary(pin))
    for removal in pinset.removals:
        name = removal.distribution
        said[name] = (*said.get(name, ()), f"remove: {removal.reason}")
    return said


def diff_lines(old: PinSet, new: PinSet, differences: Iterable[Change], page: Page) -> list[Line]:
    """Return the differences, like a diff: what was said, what is said now."""
    result: list[Line] = [line(f"--- {old.label}", "bold"), line(f"+++ {new.label}", "bold")]
    for change in differences:
        result.append(line(change.distribution, "bold"))
        for text in change.old:
            result += paragraph(page, "- ", text, style="red")
        for text in change.new:
            result += paragraph(page, "+ ", text, style="green")
    if len(result) == 2:
        result.append(line("no difference"))
    return result
