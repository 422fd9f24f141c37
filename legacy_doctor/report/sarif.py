"""The findings in SARIF 2.1.0, as code scanning takes them.

"Static Analysis Results Interchange Format (SARIF) Version 2.1.0 plus Errata 01", OASIS Standard;
what GitHub reads of it and where it refuses a file: "SARIF support for code scanning". A result
needs a physical location there: what is found in an environment and not in a file is located at
the interpreter that was examined, without a region, since no line of it is meant.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Finding,
    Judgement,
    Location,
    RemedyKind,
    Report,
    RuleText,
    Severity,
)
from legacy_doctor.report import wording
from legacy_doctor.report.json import evidence

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEM: Final = {**LEVELS, Severity.INFO: "recommendation"}
"""GitHub's own words for the same, `problem.severity`."""


def render(judgement: Judgement, rules: Sequence[RuleText]) -> str:
    """Return one log with one run; `rules` explains every rule that may have been broken.

    A finding of a rule that is not among them gets a descriptor made of its id. Sorted, stable,
    no times: two runs that find the same say the same.
    """
    known = {rule.id for rule in rules}
    strange = dict.fromkeys(item.rule for item in judgement.findings if item.rule not in known)
    every = [*rules, *(RuleText(name, name, name, Severity.WARNING) for name in strange)]
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(judgement, every)]}
    return json.dumps(_legible(log), indent=2, ensure_ascii=False)


def _run(judgement: Judgement, rules: Sequence[RuleText]) -> dict[str, Any]:
    return {
        "tool": {
            "driver": {
                "name": "legacy-doctor",
                "version": judgement.version,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": _category(judgement)},
        "invocations": [_invocation(judgement)],
        # Columns count characters, not the halves of them that UTF-16 counts.
        "columnKind": "unicodeCodePoints",
        "results": list(_results(judgement, [rule.id for rule in rules])),
        "properties": {
            "status": wording.standing(judgement),
            "cpu": wording.cpu(judgement),
            "pinsets": [item.label for item in judgement.pinsets],
            "ignored": judgement.ignored,
            **_project(judgement),
        },
    }


def _project(judgement: Judgement) -> dict[str, str]:
    told = wording.project(judgement)
    return {"profile": told} if told else {}


def _category(judgement: Judgement) -> str:
    """Return what tells this analysis from others of the same commit, up to the last slash."""
    what = "environment" if isinstance(judgement, Report) else "requirements"
    return f"legacy-doctor/{what}/{judgement.target_name if judgement.what_if else 'host'}/"


def _invocation(judgement: Judgement) -> dict[str, Any]:
    nothing = wording.nothing(judgement)
    said = [{"level": "error", "message": {"text": _literal(nothing)}}] if nothing else []
    return {
        "executionSuccessful": not nothing,
        "exitCode": wording.exit_code(judgement),
        "exitCodeDescription": wording.standing(judgement),
        "toolExecutionNotifications": said,
    }


def _rule(rule: RuleText) -> dict[str, Any]:
    how = rule.help.partition("\n\n")[0]
    return {
        "id": rule.id,
        "shortDescription": {"text": _literal(rule.summary)},
        "fullDescription": {"text": _literal(f"{rule.summary} {how}")},
        "help": {
            "text": _literal(rule.help),
            "markdown": _literal(f"**{rule.summary}**\n\n{rule.help}"),
        },
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"problem.severity": _PROBLEM[rule.severity], "tags": ["x86-64"]},
    }


def _results(judgement: Judgement, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for finding in judgement.findings:
        identity = _identity(finding)
        seen[identity] += 1
        yield {
            "ruleId": finding.rule,
            "ruleIndex": ids.index(finding.rule),
            "level": LEVELS[finding.severity],
            "message": {"text": _literal(wording.told(finding))},
            "locations": [_location(finding, judgement)],
            "partialFingerprints": _fingerprints(finding, f"{identity}:{seen[identity]}"),
            "properties": _properties(finding),
        }


def _identity(finding: Finding) -> str:
    """Return what stays the same of a finding while it is there, whatever the line or version."""
    parts = (finding.rule, finding.subject, finding.location.path if finding.location else "")
    return hashlib.sha256("\0".join(map(wording.legible, parts)).encode()).hexdigest()[:16]


def _fingerprints(finding: Finding, identity: str) -> dict[str, str]:
    """Return the finding's identity.

    GitHub goes by `primaryLocationLineHash` alone. It is computed from the line when the file is
    uploaded, so it is given here only where there is no line to compute it from.
    """
    own = {"legacyDoctorFinding/v1": identity}
    return own if finding.location else {**own, "primaryLocationLineHash": identity}


def _location(finding: Finding, judgement: Judgement) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": list(_logical(finding))}
    if finding.location is not None:
        location["physicalLocation"] = _physical(finding.location)
    elif isinstance(judgement, Report):
        uri = _uri(str(judgement.interpreter.executable))
        location["physicalLocation"] = {"artifactLocation": {"uri": uri}}
    return location


def _physical(place: Location) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": _uri(place.path)},
        "region": {"startLine": place.line, "startColumn": place.column},
    }


def _uri(path: str) -> str:
    """Return a path as a URI (RFC 3986): relative to the root of the sources, or absolute.

    GitHub takes a relative one as a path from the root of the repository, and turns an absolute
    one into that where it lies below the checkout.
    """
    plain = posixpath.normpath(path)
    quoted = quote(plain, safe="/", errors="replace")
    return f"file://{quoted}" if plain.startswith("/") else quoted


def _logical(finding: Finding) -> Iterator[dict[str, str]]:
    """Yield the distributions that a finding is about, or the variable, or what else it names."""
    names = finding.subject.split(" + ")
    if finding.remedy and finding.remedy.kind is RemedyKind.UNSET:
        kind = "variable"
    elif finding.version or finding.cause or len(names) > 1:
        kind = "package"
    else:
        kind = "resource"
    for name in names:
        full = f"{name}@{finding.version}" if finding.version else name
        yield {"name": name, "fullyQualifiedName": full, "kind": kind}


def _properties(finding: Finding) -> dict[str, Any]:
    remedy = finding.remedy
    return {
        "standing": finding.standing.value,
        "grade": finding.evidence[0].grade.value if finding.evidence else None,
        "evidence": [evidence(item) for item in finding.evidence],
        "needs": list(features.ordered(finding.needs)),
        "missing": list(features.ordered(finding.missing)),
        "cause": finding.cause,
        "affects": list(finding.affects),
        "remedy": None
        if remedy is None
        else {
            "kind": remedy.kind.value,
            "text": remedy.text,
            "install": list(remedy.install),
            "uninstall": list(remedy.uninstall),
            "commands": list(remedy.commands),
        },
    }


def _literal(text: str) -> str:
    """Return a message that means itself: no placeholder, no embedded link.

    SARIF 2.1.0, sections 3.11.5 and 3.11.6: braces are doubled; a bracket is only part of a link
    where `](` follows.
    """
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _legible(value: Any) -> Any:
    """Return the value with every text in it legible."""
    if isinstance(value, str):
        return wording.legible(value)
    if isinstance(value, dict):
        return {key: _legible(item) for key, item in value.items()}
    return [_legible(item) for item in value] if isinstance(value, Iterable) else value
