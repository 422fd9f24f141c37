"""A project on one CPU, for a person: will it run, what to pin, patch and avoid, and advice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from legacy_doctor.cpu import features
from legacy_doctor.model import Counsel, Fitness, Keep, Outlook, Tier
from legacy_doctor.report.layout import Line, Page, Span, field, line, paragraph

VERDICTS: Final = {
    Fitness.RUNS: "runs",
    Fitness.TREATED: "runs once treated",
    Fitness.FAILS: "does not run",
    Fitness.UNKNOWN: "nobody has tried",
}
TIERS: Final = {
    Tier.BELOW_V2: "below x86-64-v2",
    Tier.V2_NO_AVX: "on x86-64-v2 without AVX",
    Tier.AVX_NO_AVX2: "on AVX without AVX2",
    Tier.V3: "on x86-64-v3",
}
_STYLES: Final = {
    Fitness.RUNS: "bold green",
    Fitness.TREATED: "bold yellow",
    Fitness.FAILS: "bold red",
    Fitness.UNKNOWN: "bold",
}
_WIDTH: Final = 10


def lines(value: Outlook, page: Page) -> Iterator[Line]:
    """Yield the block of `check`: one screen, with where to read on."""
    status = value.status
    head = f"{verdict(value)} [{grade(value)}]"
    style = _STYLES[status.fitness]
    yield (Span(f"{value.profile.title} "), Span(head, style))
    yield from paragraph(page, "  ", status.text)
    for name, text in rows(value):
        yield from field(page, name, text, _WIDTH)
    for item in first(value):
        yield from field(page, "advice", opening(item), _WIDTH)
    yield from field(page, "more", f"legacy-doctor profile show {value.profile.id}", _WIDTH)
    yield line()


def verdict(value: Outlook) -> str:
    """Return `on x86-64-v2 without AVX: runs once treated`."""
    return f"{TIERS[value.tier]}: {VERDICTS[value.status.fitness]}"


def grade(value: Outlook) -> str:
    """Return how well the verdict is known."""
    return value.status.evidence[0].grade.value


def first(value: Outlook) -> tuple[Counsel, ...]:
    """Return the advice that has to be read before anything else."""
    return tuple(item for item in value.counsel if item.first)


def opening(item: Counsel) -> str:
    """Return the first sentence of a piece of advice."""
    head = item.text.partition(". ")[0].rstrip(".")
    return f"{head} ({item.commands[0]})" if item.commands else head


def pinned(value: Outlook) -> tuple[str, ...]:
    """Return the requirements that hold here."""
    return tuple(item.requirement for item in value.keep if item.requirement)


def avoided(value: Outlook) -> tuple[Keep, ...]:
    """Return what no version of runs here and no required patch cures."""
    return tuple(item for item in value.keep if not item.requirement and not item.treated_by)


def rows(value: Outlook) -> Iterator[tuple[str, str]]:
    """Yield what to pin, avoid, patch and install, and what is no fault of the CPU."""
    if pinned(value):
        yield "pin", ", ".join(pinned(value))
    if avoided(value):
        yield "avoid", ", ".join(item.name for item in avoided(value))
    required = [use.id for use in value.patches if use.need == "required"]
    if required:
        yield "patch", ", ".join(required)
    if value.missing:
        yield "missing", ", ".join(value.missing)
    if value.profile.issues:
        refs = ", ".join(item.ref for item in value.profile.issues)
        yield "known", f"{refs}: no fault of the CPU"


def told(value: Outlook) -> str:
    """Return the outlook in one line, for formats that have one for it."""
    parts = [f"{value.profile.title} {verdict(value)} ({grade(value)}): {value.status.text}"]
    parts += [f"{name} {text}" for name, text in rows(value)]
    return "; ".join(parts)


def document(value: Outlook) -> dict[str, Any]:
    """Return the outlook for programs."""
    status = value.status
    return {
        "id": value.profile.id,
        "version": value.profile.version,
        "title": value.profile.title,
        "tier": value.tier.value,
        "fitness": status.fitness.value,
        "text": status.text,
        "evidence": [
            {"grade": item.grade.value, "source": item.source, "detail": item.detail}
            for item in status.evidence
        ],
        "keep": [
            {
                "name": item.name,
                "requirement": item.requirement,
                "reason": item.reason,
                "grade": item.grade.value,
                "installed": item.installed,
                "treated_by": item.treated_by,
            }
            for item in value.keep
        ],
        "avoid": [item.name for item in avoided(value)],
        "patches": [use._asdict() for use in value.patches],
        "missing": list(value.missing),
        "issues": [
            {"ref": item.ref, "text": item.text, "cure": item.cure} for item in value.profile.issues
        ],
        "advice": [advice(item) for item in value.counsel],
        "lacks": list(features.ordered(status.lacks)),
    }


def advice(item: Counsel) -> dict[str, Any]:
    """Return one piece of advice for programs."""
    return {
        "key": item.key,
        "about": item.about,
        "text": item.text,
        "commands": list(item.commands),
        "grade": item.evidence[0].grade.value,
        "first": item.first,
        "tiers": [tier.value for tier in item.tiers],
    }
