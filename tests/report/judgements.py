"""Judgements that every format has to tell: files with places, and names that fight back."""

from __future__ import annotations

from typing import Any

from legacy_doctor.model import (
    Finding,
    Gate,
    Judgement,
    Location,
    Remedy,
    RemedyKind,
    Requirement,
    RequirementFile,
    RequirementKind,
    Severity,
)
from tests.diagnosis.patients import PHENOM, evidence, pinset, words
from tests.report.test_text import HINT, NUMPY, VARIABLE, finding, report

ATTACK = (
    "<b>&amp;|`x`|%0A::error::]]>\r\n##[add-path]x\n@octocat #12 {0} [a](http://b) \x1b[31m\ud800"
)
"""What a name or a message may hold: every format has a character in it that means something."""


def requirement(name: str, line: int, column: int = 1, **changes: Any) -> Requirement:
    facts = {"name": name, "kind": RequirementKind.RANGE, "location": Location("r.txt", line)}
    return Requirement(**{**facts, "location": Location("r.txt", line, column), **changes})


ADMITTED = Finding(
    rule="broken-pin",
    severity=Severity.ERROR,
    subject="numpy",
    message="numpy>=1.26 admits 2.4.6, which dies on import; needs sse4_1",
    needs=words("sse4_1"),
    missing=words("sse4_1"),
    evidence=(evidence(),),
    remedy=Remedy(kind=RemedyKind.PIN, text="add a bound", install=("numpy<2.4",)),
    location=Location("r.txt", 2, 3),
)
ABOUT_THE_FILE = finding(
    "warning",
    subject="r.txt",
    version=None,
    message="line 9 is no requirement",
    location=Location("r.txt", 9, 1),
    evidence=(),
)
UNPLACED = finding("info", subject="cpu", version=None, message="a remark", evidence=())


def gate(*findings: Finding, **changes: Any) -> Gate:
    """Two files with three requirements."""
    facts: dict[str, Any] = {
        "version": "0.1.0",
        "cpu": PHENOM,
        "pinsets": (pinset(),),
        "findings": findings,
        "target_name": "phenom-ii",
        "what_if": True,
        "files": (
            RequirementFile(
                path="r.txt",
                format="requirements",
                requirements=(requirement("numpy", 2, 3), requirement("six", 3)),
            ),
            RequirementFile(
                path="sub dir/uv.lock",
                format="uv.lock",
                requirements=(
                    requirement("six", 7, location=Location("sub dir/uv.lock", 7), version="1.0"),
                ),
            ),
        ),
    }
    return Gate(**{**facts, **changes})


GATE = gate(ADMITTED, ABOUT_THE_FILE, UNPLACED, ignored=1)
SICK = report(NUMPY, VARIABLE, HINT, ignored=2, prescription=("pip install 'numpy<2.4'",))
HOSTILE = report(
    finding(
        subject=ATTACK,
        version=ATTACK,
        message=ATTACK,
        cause="x",
        affects=(ATTACK,),
        location=Location(ATTACK, 3, 4),
        remedy=Remedy(kind=RemedyKind.PIN, text=ATTACK, install=(ATTACK,)),
    ),
    prescription=(ATTACK,),
    what_if=True,
    target_name=ATTACK,
)
EMPTY = report(distributions=0)
EVERY = {
    "an environment": SICK,
    "files": GATE,
    "neither": Judgement(version="0.1.0", cpu=PHENOM, pinsets=(), findings=(ADMITTED,)),
    "nothing found": report(),
    "no files": gate(files=()),
    "hostile names": HOSTILE,
    "an empty environment": EMPTY,
    "only below the threshold": report(VARIABLE, HINT),
    "nothing fails": report(NUMPY, fail_on=None),
    "everything fails": report(NUMPY, VARIABLE, HINT, fail_on=Severity.INFO),
}
