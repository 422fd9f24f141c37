"""The gate's screen and its document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from legacy_doctor.model import (
    Finding,
    Gate,
    Location,
    Remedy,
    RemedyKind,
    Requirement,
    RequirementFile,
    RequirementKind,
)
from legacy_doctor.report import json as documents
from legacy_doctor.report import requirements
from legacy_doctor.report.layout import Page, plain
from tests.diagnosis.patients import PHENOM, pinset
from tests.report.test_json import VALIDATOR
from tests.report.test_text import finding

PLACE = Location("requirements.txt", 3, 1)
RANGE = finding(
    rule="admits-broken",
    version=None,
    message="numpy>=1.26 admits numpy>=2.4, which dies on import: SIGILL; needs sse4_1",
    remedy=Remedy(
        kind=RemedyKind.PIN,
        text="add `numpy<2.4; platform_machine == 'x86_64'`",
        install=("numpy<2.4; platform_machine == 'x86_64'",),
    ),
    location=PLACE,
)
LOCKED = finding(
    remedy=Remedy(
        kind=RemedyKind.PIN,
        text="lock numpy<2.4",
        install=("numpy<2.4",),
        commands=("uv lock --upgrade-package 'numpy<2.4'",),
    ),
    location=Location("uv.lock", 12, 9),
)
NOTE = finding("info", location=Location("requirements.txt", 4, 1), remedy=None)
ASKED = Requirement(name="numpy", kind=RequirementKind.RANGE, location=PLACE)
FILE = RequirementFile(
    path="requirements.txt",
    format="requirements",
    requirements=(ASKED,),
    problems=((Location("requirements.txt", 7, 2), "'?': no distribution name"),),
)

LOCK = RequirementFile(path="uv.lock", format="uv.lock")


def gate(*findings: Finding, **changes: Any) -> Gate:
    facts: dict[str, Any] = {
        "version": "0.1.0",
        "cpu": PHENOM,
        "pinsets": (pinset(),),
        "findings": findings,
        "files": (FILE,),
        "target_name": "phenom-ii",
        "what_if": True,
    }
    return Gate(**{**facts, **changes})


def screen(value: Gate, *, width: int = 80, unicode: bool = True, **options: bool) -> str:
    return plain(requirements.lines(value, Page(width, unicode), **options))


def test_a_finding_starts_with_its_place() -> None:
    assert screen(gate(RANGE)) == (
        "requirements.txt:3:1: error: numpy>=1.26 admits numpy>=2.4, which dies on\n"
        "    import: SIGILL; needs sse4_1 [emulated]\n"
        "    hint: add `numpy<2.4; platform_machine == 'x86_64'`\n"
        "\n"
        "1 error, 0 warnings in requirements.txt for phenom-ii.\n"
        "Predicted, not proven: nothing was installed. Pin-sets: below-v2@2026-11-20.\n"
        "Fix:   legacy-doctor requirements requirements.txt --cpu phenom-ii --fix\n"
    )


def test_what_does_not_name_its_subject_is_told_with_it() -> None:
    both = finding(subject="a + b", version=None, message="both write c", location=PLACE)

    assert "requirements.txt:3:1: error: a + b: both write c [emulated]\n" in screen(gate(both))


def test_a_lock_has_a_command_of_its_own_and_the_version_is_told() -> None:
    shown = screen(gate(LOCKED, files=(FILE, LOCK)))

    assert shown.startswith("uv.lock:12:9: error: numpy 2.4.6 dies on import: SIGILL at pinsrq;")
    assert shown.endswith("\nLock:  uv lock --upgrade-package 'numpy<2.4'\n")
    assert "Fix:" not in shown


@pytest.mark.parametrize(
    ("value", "line"),
    [
        pytest.param(gate(), "0 errors, 0 warnings in requirements.txt for phenom-ii.", id="clean"),
        pytest.param(
            gate(ignored=2, files=(FILE, FILE)),
            "0 errors, 0 warnings, 2 ignored in 2 files for phenom-ii.",
            id="several files, and what was ignored",
        ),
        pytest.param(
            gate(what_if=False, target_name=""),
            "0 errors, 0 warnings in requirements.txt for AMD Phenom(tm) II X4 955 Processor.",
            id="the CPU here",
        ),
    ],
)
def test_the_summary(value: Gate, line: str) -> None:
    assert screen(value).splitlines()[0] == line


def test_without_a_pinset_that_applies_it_says_so() -> None:
    assert screen(gate(pinsets=()), width=100).endswith("Pin-sets: none applies to this CPU.\n")


def test_notes_are_shown_on_request_only() -> None:
    assert "info:" not in screen(gate(NOTE))

    shown = screen(gate(NOTE), verbose=True)
    assert "requirements.txt:4:1: info: numpy 2.4.6 dies" in shown
    assert "requirements.txt:7:2: info: passed over: '?': no distribution name" in shown


def test_after_a_fix_none_is_offered() -> None:
    assert "Fix:" not in screen(gate(RANGE), offer_fix=False)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_fit_the_screen(width: int) -> None:
    shown = screen(gate(RANGE, LOCKED), width=width).splitlines()

    assert all(len(row) <= width for row in shown if not row.startswith(("Fix:", "Lock:")))


def test_a_path_longer_than_a_line_stays_whole() -> None:
    place = Location("a/" * 50 + "requirements.txt", 3, 1)

    shown = screen(gate(finding(location=place, evidence=())))

    assert shown.splitlines()[0] == f"{place.path}:3:1:"


def test_plain_text_where_the_screen_knows_no_more() -> None:
    assert screen(gate(finding(message="dies…", location=PLACE)), unicode=False).isascii()


@pytest.mark.parametrize("value", [gate(), gate(RANGE, LOCKED, NOTE), gate(ignored=1)])
def test_the_document_is_as_the_schema_says(value: Gate) -> None:
    text = documents.dump("requirements", value.version, requirements.body(value))

    told = json.loads(text)
    VALIDATOR.validate(told)
    assert told["status"] == ("findings" if value.findings else "healthy")
    assert told["summary"]["errors"] == len([item for item in value.findings if item is not NOTE])


def test_who_asks_for_what_nobody_wrote_down_is_told() -> None:
    brought = replace(RANGE, affects=("pandas", "scipy"))

    assert "asked for by: pandas, scipy" in plain(requirements.lines(gate(brought), Page()))
