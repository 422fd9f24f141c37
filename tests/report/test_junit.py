"""JUnit: what passes, what fails, and XML that every reader takes."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.diagnosis import guidance, rules
from legacy_doctor.model import Judgement, Severity
from legacy_doctor.report import junit, wording
from tests.report.judgements import ABOUT_THE_FILE, ADMITTED, EMPTY, EVERY, GATE, SICK, gate
from tests.report.test_text import HINT, NUMPY, VARIABLE, finding, report

RULES = guidance.every()
ALLOWED = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "properties": set[str](),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time", "file", "line"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "system-out": set[str](),
}
"""What the readers agree on; nothing else is written."""


def document(judgement: Judgement) -> ET.Element:
    text = junit.render(judgement, RULES)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    return ET.fromstring(text.encode())  # noqa: S314  our own


def fates(judgement: Judgement) -> dict[str, str]:
    return {
        f"{suite.get('name')} {case.get('name')}": " ".join(child.tag for child in case)
        for suite in document(judgement)
        for case in suite.iter("testcase")
    }


@pytest.mark.parametrize("judgement", EVERY.values(), ids=EVERY)
def test_every_judgement_is_a_document_whose_sums_are_right(judgement: Judgement) -> None:
    root = document(judgement)
    for element in root.iter():
        assert set(element.attrib) <= ALLOWED[element.tag]
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for key, tag in (("failures", "failure"), ("errors", "error")):
            assert element.get(key) == str(sum(case.find(tag) is not None for case in cases))
    broken = int(root.get("failures", "0")) + int(root.get("errors", "0"))
    assert bool(broken) == bool(wording.exit_code(judgement)), "as the exit code says"


def test_rules_that_found_nothing_pass() -> None:
    told = fates(report())
    assert list(told) == [f"legacy-doctor {name}" for name, _ in rules.summaries()]
    assert set(told.values()) == {""}


@pytest.mark.parametrize(
    ("fail_on", "failing"),
    [(None, 0), (Severity.ERROR, 1), (Severity.WARNING, 2), (Severity.INFO, 3)],
)
def test_what_fails_follows_the_threshold_and_the_rest_is_told(
    fail_on: Severity | None, failing: int
) -> None:
    values = list(fates(report(NUMPY, VARIABLE, HINT, fail_on=fail_on)).values())
    assert values.count("failure") == failing
    assert values.count("system-out") == 3 - failing


def test_every_requirement_of_a_file_is_a_case() -> None:
    assert fates(GATE) == {
        "r.txt numpy": "failure",
        "r.txt six": "",
        "r.txt broken-pin: r.txt": "system-out",
        "sub dir/uv.lock six": "",
        "legacy-doctor broken-pin: cpu": "system-out",
    }


def test_two_findings_about_one_requirement_are_one_case() -> None:
    warning = finding("warning", version=None, location=ADMITTED.location)
    assert fates(gate(ADMITTED, warning))["r.txt numpy"] == "failure system-out"
    assert fates(gate(ABOUT_THE_FILE))["r.txt numpy"] == ""


def test_a_failure_says_what_and_what_to_do() -> None:
    (failure,) = document(SICK).iter("failure")
    assert failure.get("type") == "broken-pin"
    assert (failure.get("message") or "").startswith("numpy 2.4.6: dies on import")
    assert "remedy: install numpy<2.4" in (failure.text or "")
    properties = {item.get("name"): item.get("value") for item in document(SICK).iter("property")}
    assert properties["findings"] == "1 error, 1 warning, 1 note, 2 ignored"


def test_a_case_has_the_place_of_its_requirement() -> None:
    case = next(document(GATE).iter("testcase"))
    assert (case.get("classname"), case.get("file"), case.get("line")) == ("r.txt", "r.txt", "2")


def test_nothing_to_examine_is_an_error() -> None:
    (error,) = document(EMPTY).iter("error")
    assert "nothing to examine" in (error.get("message") or "")


@given(st.text(st.characters()))
def test_any_text_makes_a_document(text: str) -> None:
    (failure,) = document(report(finding(message=text, subject=text))).iter("failure")
    assert failure.text is not None
    assert not re.search("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f]", failure.text)
