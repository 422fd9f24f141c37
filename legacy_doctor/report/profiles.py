"""Profiles for a person: the list, all that one says, what matches, what a native program needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Evidence,
    Fitness,
    Grade,
    NativeCheck,
    Outcome,
    Outlook,
    Profile,
    ProfileRun,
    ProfileStatus,
    Sighting,
    Tier,
)
from legacy_doctor.report import chart, outlook
from legacy_doctor.report.layout import Line, Page, Span, field, line, paragraph
from legacy_doctor.report.text import commands, cpu_name

_WIDTH: Final = 12
_SEEN: Final = (
    "its probe was run on such a CPU; else it is told, and profile show NAME says by whom"
)
_NOT_RUN: Final = "no run of its probe is recorded: the grades below say how else it is known"


def overview(profiles: Iterable[Profile], page: Page) -> list[Line]:
    """Return the list: a line a profile, and how it stands in each tier."""
    rows = [("profile", *(tier.value for tier in Tier))]
    rows += [(item.id, *(_mark(_worst(item, tier)) for tier in Tier)) for item in profiles]
    return [*chart.table(rows, page), line(), *paragraph(page, "* ", _SEEN, style="dim")]


def _mark(status: ProfileStatus) -> str:
    seen = status.evidence[0].grade in {Grade.EMULATED, Grade.SILICON}
    return f"{status.fitness.value}{' *' if seen else ''}"


def _worst(profile: Profile, tier: Tier) -> ProfileStatus:
    """The row of the tier's least CPU, which is the first one."""
    return next(status for status in profile.status if status.tier is tier)


def lines(
    value: Outlook, runs: Iterable[ProfileRun], build: Iterable[str], page: Page
) -> list[Line]:
    """Return all that a profile says, seen from one CPU."""
    profile = value.profile
    result: list[Line] = [
        (Span(profile.title, "bold"), Span(f"  ({profile.id} of {profile.version})")),
        *field(page, "project", f"{profile.project}; read: {profile.read}", _WIDTH),
    ]
    if profile.python:
        result += field(page, "Python", profile.python, _WIDTH)
    if profile.notes:
        result += field(page, "notes", profile.notes, _WIDTH)
    result += [line(), *_statuses(value, tuple(runs), page)]
    result += [line(), *_imports(profile, page)]
    result += [line(), *_needs(value, page)]
    result += _issues(profile, page)
    result += _advice(value, page)
    result += _smoke(profile, page)
    told = tuple(build)
    if told:
        result += [line(), *commands("Build:", told)]
    return result


def _statuses(value: Outlook, runs: tuple[ProfileRun, ...], page: Page) -> Iterator[Line]:
    yield line("Will it run", "bold")
    if not runs:
        yield from paragraph(page, "  ", _NOT_RUN, style="dim")
    for status in value.profile.status:
        here = status.tier is value.tier and status.text == value.status.text
        shown = value.status if here else status
        without = f" without {' '.join(features.ordered(status.lacks))}" if status.lacks else ""
        tail = "  <- this CPU" if here else ""
        head = f"{status.tier.value}{without}: {outlook.VERDICTS[shown.fitness]}{tail}"
        yield from paragraph(page, "  ", head, style="bold" if here else "")
        yield from paragraph(page, "    ", status.text)
        yield from _grounds(shown.evidence, page)


def _grounds(evidence: Iterable[Evidence], page: Page) -> Iterator[Line]:
    for item in evidence:
        source = item.source.removeprefix(f"{item.grade.value}: ")
        text = f"{source}: {item.detail}" if item.detail else source
        yield from paragraph(page, f"    [{item.grade.value}] ", text, style="dim", indent=6)


def _imports(profile: Profile, page: Page) -> Iterator[Line]:
    yield line("What it imports, in order", "bold")
    for item in profile.imports:
        lazy = " (when it is asked for)" if item.lazy else ""
        text = f"{item.module} by {item.via}{lazy}: {item.risk}"
        yield from paragraph(page, "  ", text, indent=4)


def _needs(value: Outlook, page: Page) -> Iterator[Line]:
    yield line("What it needs on this CPU", "bold")
    for item in value.keep:
        told = item.requirement or f"{item.name}: none is known to run"
        cure = f"; treated by {item.treated_by}" if item.treated_by else ""
        text = f"{told} ({item.grade.value}: {item.reason}{cure})"
        yield from paragraph(page, "  pin    ", text, indent=9)
    for use in value.patches:
        yield from paragraph(page, "  patch  ", f"{use.id} ({use.need}): {use.why}", indent=9)
    if not value.keep and not value.patches:
        yield line("  nothing")


def _issues(profile: Profile, page: Page) -> Iterator[Line]:
    if profile.issues:
        yield from (line(), line("Looks like the CPU, and is not", "bold"))
    for item in profile.issues:
        yield from paragraph(page, "  ", f"{item.ref}: {item.text}", indent=4)
        yield from paragraph(page, "    cure: ", item.cure, style="green", indent=10)


def _advice(value: Outlook, page: Page) -> Iterator[Line]:
    topics = dict.fromkeys(item.about for item in value.counsel)
    for about in topics:
        yield from (line(), line(f"Advice: {about}", "bold"))
        for item in value.counsel:
            if item.about == about:
                grade = item.evidence[0].grade.value
                yield from paragraph(page, "  ", f"{item.text} [{grade}]", indent=4)
                for command in item.commands:
                    yield (Span("    "), Span(command, "green"))


def _smoke(profile: Profile, page: Page) -> Iterator[Line]:
    if profile.smoke is None:
        return
    smoke = profile.smoke
    yield from (line(), line(f"Its probe ({smoke.kind}; no network, no weights)", "bold"))
    yield from field(page, "covers", "; ".join(smoke.covers), _WIDTH)
    yield from field(page, "leaves out", "; ".join(smoke.leaves_out), _WIDTH)


def sightings(found: Iterable[tuple[str, Sighting]], page: Page) -> list[Line]:
    """Return which profiles a place matches, and by what; the place first."""
    rows = [
        (item.profile, "certain" if item.certain else "likely", f"{place}: {item.by}")
        for place, item in found
    ]
    if not rows:
        return [line("no profile matches; see legacy-doctor profile list")]
    return chart.table([("profile", "", "by"), *rows], page)


def native(check: NativeCheck, page: Page) -> list[Line]:
    """Return whether a program runs on the CPU, by which witness, and how it is built for it."""
    good = check.runs
    mark, style = (page.mark("ok"), "bold green") if good else (page.mark("error"), "bold red")
    result: list[Line] = list(paragraph(page, f"{mark} ", _verdict(check), style=style))
    result += field(page, "CPU", f"{cpu_name(check.cpu)}, {check.cpu.level}", _WIDTH)
    for path, level in check.declared:
        result += field(page, "declares", f"{path}: {level}", _WIDTH)
    if check.switched:
        on = [name for name, value in check.switched.items() if value]
        result += field(page, "built with", " ".join(on) or "every switch off", _WIDTH)
    if check.info:
        result += field(page, "says", check.info, _WIDTH)
    where = f"{check.outcome.value} {check.how}".strip()
    result += field(page, "started", f"{where}: {check.detail}", _WIDTH)
    result += [line(), *commands("Build:", check.build)]
    return result


def _verdict(check: NativeCheck) -> str:
    name = str(check.program or check.path)
    if check.outcome.died:
        lacks = f"; it needs {_listed(check)}" if check.missing else ""
        return f"{name} does not run on this CPU: {check.outcome.value}{lacks}"
    if check.missing:
        return f"{name} is built for what this CPU lacks: {_listed(check)}"
    proof = "it was started and did not die" if check.how else "nothing was started"
    return f"{name}: nothing speaks against it on this CPU ({proof})"


def _listed(check: NativeCheck) -> str:
    return " ".join(features.ordered(check.missing))


def table(profiles: Iterable[Profile], runs: Iterable[ProfileRun], cpus: Iterable[str]) -> str:
    """Return the status table in Markdown: what was run on these CPUs, and else what is told."""
    cpus, runs = tuple(cpus), tuple(runs)
    rows = [f"| profile | {' | '.join(cpus)} |", f"| --- |{' --- |' * len(cpus)}"]
    for profile in profiles:
        cells = (_cell(profile, runs, cpu) for cpu in cpus)
        rows.append(f"| {profile.id} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _cell(profile: Profile, runs: tuple[ProfileRun, ...], cpu: str) -> str:
    mine = [run for run in runs if (run.profile, run.cpu) == (profile.id, cpu)]
    if not mine:
        return "not run"
    return "; ".join(
        f"{'treated' if run.treated else 'as installed'}: {_ended(run)}" for run in mine
    )


def _ended(run: ProfileRun) -> str:
    crashed = run.outcome in {item.value for item in Outcome if item.died}
    return "the emulator fails" if crashed and run.fitness is Fitness.UNKNOWN else run.outcome


def header(profile: Profile) -> dict[str, Any]:
    """Return a profile as the list for programs has it."""
    return {
        "id": profile.id,
        "version": profile.version,
        "title": profile.title,
        "project": profile.project,
        "distributions": list(profile.distributions),
        "tiers": {tier.value: _worst(profile, tier).fitness.value for tier in Tier},
        "grades": {tier.value: _worst(profile, tier).evidence[0].grade.value for tier in Tier},
    }


def body(value: Outlook, runs: Iterable[ProfileRun], build: Iterable[str]) -> dict[str, Any]:
    """Return all that a profile says, for programs."""
    profile, smoke = value.profile, value.profile.smoke
    return {
        "profile": header(profile),
        "read": profile.read,
        "python": profile.python,
        "notes": profile.notes,
        "tuning": profile.tuning,
        "outlook": outlook.document(value),
        "status": [_status(item) for item in profile.status],
        "imports": [item._asdict() for item in profile.imports],
        "smoke": None
        if smoke is None
        else {
            "id": smoke.probe.id,
            "kind": smoke.kind,
            "covers": list(smoke.covers),
            "leaves_out": list(smoke.leaves_out),
        },
        "runs": [_run(run) for run in runs],
        "build": list(build),
    }


def _status(value: ProfileStatus) -> dict[str, Any]:
    return {
        "tier": value.tier.value,
        "lacks": list(features.ordered(value.lacks)),
        "fitness": value.fitness.value,
        "text": value.text,
        "grade": value.evidence[0].grade.value,
    }


def _run(run: ProfileRun) -> dict[str, Any]:
    return {
        "cpu": run.cpu,
        "tier": run.tier.value,
        "day": run.day,
        "treated": run.treated,
        "fitness": run.fitness.value,
        "outcome": run.outcome,
        "detail": run.detail,
        "python": run.python,
        "emulator": run.emulator,
        "versions": list(run.versions),
    }


def native_body(check: NativeCheck) -> dict[str, Any]:
    """Return the examination of a native program, for programs."""
    return {
        "profile": check.profile,
        "path": str(check.path),
        "program": None if check.program is None else str(check.program),
        "level": check.cpu.level,
        "runs": check.runs,
        "declared": [{"path": path, "level": level} for path, level in check.declared],
        "switched": dict(check.switched),
        "told": list(features.ordered(check.told)),
        "info": check.info,
        "how": check.how,
        "outcome": check.outcome.value,
        "detail": check.detail,
        "missing": list(features.ordered(check.missing)),
        "build": list(check.build),
    }
