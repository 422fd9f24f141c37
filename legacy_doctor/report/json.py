"""The reports for programs: plain dictionaries, described by `schema.json` beside this file.

Fields may be added; a field renamed or removed raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Alternative,
    Choice,
    Course,
    Cpu,
    Evidence,
    Fault,
    Finding,
    Frame,
    HookReport,
    Interpreter,
    Judgement,
    Location,
    Measurement,
    Outlook,
    Patient,
    Pin,
    PinSet,
    ProbeResult,
    Probing,
    Report,
    Severity,
    Story,
    Topology,
    Tuning,
)

SCHEMA_VERSION: Final = 1


def dump(command: str, version: str, body: Mapping[str, Any]) -> str:
    """Return one JSON document: what made it, then its body. Sorted, stable, no timings."""
    return json.dumps(document(command, version, body), indent=2, ensure_ascii=False)


def document(command: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `dump` writes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "legacy-doctor", "version": version},
        "command": command,
        **body,
    }


def report(value: Report) -> dict[str, Any]:
    """Return the body of `check`."""
    return {
        "status": status(value),
        "what_if": value.what_if,
        "cpu": cpu(value.cpu),
        "target": target(value.interpreter),
        "pinsets": [pinset_header(item) for item in value.pinsets],
        "findings": [finding(item) for item in value.findings],
        "summary": {
            **{f"{item.value}s": value.count(item) for item in Severity},
            "ignored": value.ignored,
            "distributions": value.distributions,
            "unjudged": list(value.unjudged),
        },
        "prescription": list(value.prescription),
        "probes": probing(value.probing),
        "profile": profile(value.outlook),
    }


def profile(value: Outlook | None) -> dict[str, Any] | None:
    """Return the outlook of the project that was asked about; None where none was."""
    if value is None:
        return None
    from legacy_doctor.report import outlook

    return outlook.document(value)


def status(value: Judgement) -> str:
    """Return `nothing-to-examine` (exit code 2), `findings` (1) or `healthy` (0)."""
    if isinstance(value, Report) and value.empty:
        return "nothing-to-examine"
    return "findings" if value.failed else "healthy"


def cpu(value: Cpu) -> dict[str, Any]:
    """Return a CPU, with what it lacks of each level."""
    return {
        "vendor": value.vendor,
        "brand": value.brand,
        "family": value.family,
        "model": value.model,
        "stepping": value.stepping,
        "level": value.level,
        "microarchitecture": value.microarchitecture,
        "cpuid_level": value.cpuid_level,
        "hypervisor": value.hypervisor,
        "source": value.source,
        "features": sorted(value.features),
        "lacks": {
            level: list(features.ordered(value.missing(needed)))
            for level, needed in features.LEVELS.items()
        },
        "hidden": [
            {"feature": item.feature, "by": item.reason.value, "detail": item.detail}
            for item in value.hidden
        ],
        "witnesses": [
            {
                "name": item.name,
                "heard": item.features is not None,
                "note": item.note,
                "extra": sorted(item.extra),
                "lacking": sorted(item.lacking),
            }
            for item in value.witnesses
        ],
    }


def target(value: Interpreter) -> dict[str, Any]:
    """Return the interpreter whose environment was examined."""
    return {
        "python": str(value.executable),
        "prefix": str(value.prefix),
        "version": value.dotted,
        "implementation": value.implementation,
        "platform": value.platform,
        "libc": value.libc,
        "march": value.march,
        "chosen_by": value.chosen_by,
        "site_packages": [str(path) for path in value.site_packages],
        "death": value.death,
    }


def finding(value: Finding) -> dict[str, Any]:
    """Return one finding."""
    return {
        "rule": value.rule,
        "severity": value.severity.value,
        "subject": value.subject,
        "version": value.version,
        "message": value.message,
        "cause": value.cause,
        "affects": list(value.affects),
        "paths": {name: list(path) for name, path in value.paths.items()},
        "needs": list(features.ordered(value.needs)),
        "missing": list(features.ordered(value.missing)),
        "details": list(value.details),
        "evidence": [evidence(item) for item in value.evidence],
        "standing": value.standing.value,
        "fault": None if value.fault is None else fault(value.fault),
        "remedy": None
        if value.remedy is None
        else {
            "kind": value.remedy.kind.value,
            "text": value.remedy.text,
            "install": list(value.remedy.install),
            "uninstall": list(value.remedy.uninstall),
            "commands": list(value.remedy.commands),
        },
        "location": None if value.location is None else location(value.location),
    }


def location(value: Location) -> dict[str, Any]:
    """Return a place in a file; lines and columns count from 1, columns in characters."""
    return value._asdict()


def evidence(value: Evidence) -> dict[str, Any]:
    """Return one piece of evidence."""
    return {"grade": value.grade.value, "source": value.source, "detail": value.detail}


def probing(value: Probing) -> dict[str, Any]:
    """Return what was run to prove the findings."""
    return {
        "wanted": value.wanted,
        "how": value.how,
        "ran": value.ran,
        "obstacle": value.obstacle,
        "unplayable": list(features.ordered(value.unplayable)),
        "results": [probe_result(item) for item in value.results],
    }


def course(value: Course) -> dict[str, Any]:
    """Return the body of `fix`: the plan, and what came of it."""
    return {
        "target": target(value.report.interpreter),
        "cpu": cpu(value.report.cpu),
        "findings": [finding(item) for item in value.report.findings],
        "steps": [
            {
                "id": item.id,
                "title": item.title,
                "reasons": list(item.reasons),
                "grade": item.grade.value if item.grade else None,
                "costs": list(item.costs),
                "commands": list(item.commands),
                "files": [str(path) for path in item.files],
                "diff": item.diff,
                "remarks": list(item.remarks),
            }
            for item in value.steps
        ],
        "untreated": [finding(item) for item in value.untreated],
        "probes": list(value.probes),
        "applied": value.applied,
        "runs": list(value.runs),
        "remarks": list(value.remarks),
        "outcome": None if value.outcome is None else report(value.outcome),
    }


def probe_report(patient: Patient, how: str, results: Iterable[ProbeResult]) -> dict[str, Any]:
    """Return the body of `probe`: here each probe has its version and how long it took."""
    versions = {item.name: item.version for item in patient.distributions}
    return {
        "cpu": cpu(patient.cpu),
        "target": target(patient.interpreter),
        "how": how,
        "probes": [
            {
                **probe_result(item),
                "version": versions.get(item.probe.distribution),
                "seconds": round(item.seconds, 3),
            }
            for item in results
        ],
    }


def run_report(value: Cpu, argv: Sequence[str], result: ProbeResult) -> dict[str, Any]:
    """Return the body of `run`, written where the command died."""
    return {"cpu": cpu(value), "argv": list(argv), "result": probe_result(result)}


def tuning(value: Tuning) -> dict[str, Any]:
    """Return the body of `tune`."""
    measured, file = value.measurement, value.env_file
    return {
        "status": "findings" if value.failed else "healthy",
        "cpu": cpu(value.cpu),
        "what_if": value.what_if,
        "topology": topology(value.topology),
        "profile": value.profile,
        "work": value.work.value,
        "choices": [_choice(item) for item in value.choices],
        "settings": [
            {
                "name": item.name,
                "value": item.value,
                "engine": item.engine,
                "reason": item.reason,
                "evidence": [evidence(each) for each in item.evidence],
            }
            for item in value.settings
        ],
        "remarks": [
            {
                "severity": item.severity.value,
                "subject": item.subject,
                "text": item.text,
                "evidence": [evidence(each) for each in item.evidence],
            }
            for item in value.remarks
        ],
        "starts": list(value.starts),
        "measurement": None if measured is None else measurement(measured),
        "env_file": None
        if file is None
        else {
            "path": str(file.path),
            "written": file.written,
            "diff": file.diff,
            "changed": [{"name": n, "from": old, "to": new} for n, old, new in file.changed],
        },
    }


def topology(value: Topology) -> dict[str, Any]:
    """Return cores, limits and memory; bytes and CPU numbers are whole, null is unknown."""
    return {
        "online": list(value.online),
        "allowed": list(value.allowed),
        "cores": [core._asdict() | {"cpus": list(core.cpus)} for core in value.cores],
        "kinds_from": value.kinds_from,
        "quota": value.quota,
        "quota_from": value.quota_from,
        "memory": value.memory,
        "available": value.available,
        "memory_limit": value.memory_limit,
        "memory_limit_from": value.memory_limit_from,
        "load": value.load,
        "notes": list(value.notes),
    }


def _choice(value: Choice) -> dict[str, Any]:
    return {
        "id": value.id,
        "title": value.title,
        "threads": value.threads,
        "cpus": list(value.cpus),
        "reason": value.reason,
    }


def measurement(value: Measurement) -> dict[str, Any]:
    """Return what was timed: seconds by part and round, speed beside the baseline."""
    return {
        "library": value.library,
        "rounds": value.rounds,
        "baseline": value.baseline,
        "best": value.best,
        "kept": value.kept,
        "timings": [
            {
                "label": item.contender.label,
                "threads": item.contender.threads,
                "cpus": list(item.contender.cpus),
                "used": item.threads,
                "seconds": {part: list(found) for part, found in item.seconds.items()},
                "speed": item.speed,
                "noise": item.noise,
            }
            for item in value.timings
        ],
    }


def probe_result(value: ProbeResult) -> dict[str, Any]:
    """Return how one probe ended."""
    raised = value.raised
    return {
        "id": value.probe.id,
        "distribution": value.probe.distribution,
        "outcome": value.outcome.value,
        "stage": value.stage,
        "reason": value.reason,
        "fault": None if value.fault is None else fault(value.fault),
        "raised": None
        if raised is None
        else {"type": raised.type, "message": raised.message, "frames": _frames(raised.frames)},
        "stderr": value.stderr,
        "emulator": value.emulator,
        "overrides": dict(value.overrides),
        "held": list(value.held),
        "leftovers": value.leftovers,
        "cached": value.cached,
    }


def fault(value: Fault) -> dict[str, Any]:
    """Return where and why a process died. Addresses are hexadecimal, as objdump prints them."""
    return {
        "signal": value.signal,
        "kind": value.kind.value,
        "code": value.code,
        "address": None if value.address is None else hex(value.address),
        "library": value.library,
        "path": value.path,
        "offset": None if value.offset is None else hex(value.offset),
        "symbol": value.symbol,
        "bytes": value.bytes,
        "instruction": value.instruction,
        "needs": list(features.ordered(value.needs)),
        "owner": value.owner,
        "place": value.place,
        "frames": _frames(value.frames),
        "known": value.known,
    }


def _frames(frames: Iterable[Frame]) -> list[dict[str, Any]]:
    return [frame._asdict() for frame in frames]


def pinset_header(value: PinSet) -> dict[str, Any]:
    """Return what identifies a pin-set."""
    return {
        "id": value.id,
        "version": value.version,
        "title": value.title,
        "supersedes": list(value.supersedes),
        "lacks": list(features.ordered(value.lacks)),
    }


def pinset(value: PinSet) -> dict[str, Any]:
    """Return a pin-set with all that it states."""
    return {
        **pinset_header(value),
        "notes": value.notes,
        "pins": [pin(item) for item in value.pins],
        "removals": [
            {
                "distribution": item.distribution,
                "reason": item.reason,
                "evidence": [evidence(each) for each in item.evidence],
            }
            for item in value.removals
        ],
        "conflicts": [
            {
                "distributions": list(item.distributions),
                "effect": item.effect,
                "evidence": [evidence(each) for each in item.evidence],
            }
            for item in value.conflicts
        ],
        "incompatibilities": [
            {
                "first": item.first,
                "second": item.second,
                "effect": item.effect,
                "resolution": item.resolution,
                "evidence": [evidence(each) for each in item.evidence],
            }
            for item in value.incompatibilities
        ],
        "soft_imports": [
            {
                "distribution": item.distribution,
                "imports": item.imports,
                "evidence": [evidence(each) for each in item.evidence],
            }
            for item in value.soft_imports
        ],
    }


def pin(value: Pin) -> dict[str, Any]:
    """Return one pin. `broken` and `good` are specifiers; "" is every version, null is none."""
    when = value.when
    return {
        "distribution": value.distribution,
        "broken": value.broken,
        "good": value.good,
        "needs": list(features.ordered(value.needs)),
        "when": None
        if when is None
        else {"vendor": when.vendor, "cpuid_level_below": when.cpuid_level_below},
        "runs_without": list(features.ordered(value.runs_without)),
        "unless_installed": list(value.unless),
        "treated_by": list(value.treated_by),
        "stage": value.stage,
        "severity": value.severity.value,
        "symptom": value.symptom,
        "cure": value.cure,
        "first_bad": value.first_bad,
        "last_good": value.last_good,
        "alternatives": [alternative(item) for item in value.alternatives],
        "evidence": [evidence(item) for item in value.evidence],
        "pinset": value.pinset,
    }


def alternative(value: Alternative) -> dict[str, Any]:
    """Return one alternative."""
    return {
        "requirement": value.requirement,
        "needs": list(features.ordered(value.needs)),
        "note": value.note,
        "instead": value.instead,
    }


def story(value: Story) -> dict[str, Any]:
    """Return the body of `explain`."""
    return {
        "name": value.name,
        "installed": value.installed.version if value.installed else None,
        "required_by": [
            {"name": name, "version": version, "specifier": specifier}
            for name, version, specifier in value.required_by
        ],
        "path": list(value.path),
        "cpu": cpu(value.cpu),
        "target": target(value.interpreter),
        "findings": [finding(item) for item in value.findings],
        "pins": [pin(item) for item in value.pins],
        "elsewhere": [pin(item) for item in value.elsewhere],
        "prescription": list(value.prescription),
        "alternatives": [alternative(item) for item in value.alternatives],
    }


def hook(value: HookReport) -> dict[str, Any]:
    """Return the body of `hook status`."""
    return {
        "target": target(value.interpreter),
        "cpu": cpu(value.cpu),
        "installed": bool(value.files),
        "via": value.via,
        "identity": value.identity,
        "files": [str(path) for path in value.files],
        "made_for": {"cpu": value.made_for, "named": value.target},
        "pinsets": list(value.pinsets),
        "rules": [
            {
                "kind": item.kind,
                "name": item.name,
                "distribution": item.distribution,
                "versions": item.versions,
                "needs": list(features.ordered(item.needs)),
                "installed": item.installed,
                "here": item.here,
                "acts": item.acts,
                "remedy": item.remedy,
                "reason": item.reason,
                "listed": list(item.listed),
            }
            for item in value.rules
        ],
        "problems": list(value.problems),
        "stale": list(value.stale),
        "live": value.live,
        "disabled": value.disabled,
    }
