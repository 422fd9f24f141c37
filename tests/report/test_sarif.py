"""SARIF: held to the official schema of the standard, and to what code scanning asks beyond it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from legacy_doctor.diagnosis import guidance, rules
from legacy_doctor.model import Finding, Judgement, Location
from legacy_doctor.report import sarif
from tests.report.judgements import ADMITTED, EMPTY, EVERY, GATE, HOSTILE, SICK, gate
from tests.report.test_text import NUMPY, finding, report

OFFICIAL = json.loads((Path(__file__).parent / "sarif/sarif-schema-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft4Validator(
    OFFICIAL, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
)
RULES = guidance.every()


def run(judgement: Judgement) -> dict[str, Any]:
    log = json.loads(sarif.render(judgement, RULES))
    VALIDATOR.validate(log)
    assert log["$schema"] == OFFICIAL["id"]
    (only,) = log["runs"]
    assert isinstance(only, dict)
    return only


def result(found: Finding) -> dict[str, Any]:
    (only,) = run(report(found))["results"]
    assert isinstance(only, dict)
    return only


def test_the_schema_is_the_official_one_and_refuses_what_is_wrong() -> None:
    VALIDATOR.check_schema(OFFICIAL)
    log = json.loads(sarif.render(SICK, RULES))
    mistakes: tuple[dict[str, Any], ...] = ({"level": "fatal"}, {"message": {}}, {"rule_id": "x"})
    for wrong in mistakes:
        broken = json.loads(json.dumps(log))
        broken["runs"][0]["results"][0].update(wrong)
        assert not VALIDATOR.is_valid(broken), wrong


@pytest.mark.parametrize("judgement", EVERY.values(), ids=EVERY)
def test_every_judgement_is_valid_and_code_scanning_would_take_it(judgement: Judgement) -> None:
    found = run(judgement)
    ids = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    for rule in found["tool"]["driver"]["rules"]:
        for key in ("shortDescription", "fullDescription", "help"):
            assert 0 < len(rule[key]["text"]) <= 1024
    for item in found["results"]:
        assert ids[item["ruleIndex"]] == item["ruleId"]
        assert item["partialFingerprints"]
        assert item["message"]["text"].strip()
        (place,) = item["locations"]
        if place.get("physicalLocation") is None:
            assert judgement is GATE, "a finding about no file at all"


def test_every_rule_is_explained_whether_or_not_it_found_something() -> None:
    described = run(report())["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in described] == [name for name, _ in rules.summaries()]
    assert all(rule["help"]["markdown"].startswith("**") for rule in described)


@pytest.mark.parametrize(
    ("severity", "level"), [("error", "error"), ("warning", "warning"), ("info", "note")]
)
def test_a_severity_has_its_level(severity: str, level: str) -> None:
    assert result(finding(severity))["level"] == level


def test_a_place_in_a_file_is_physical_and_the_distribution_logical() -> None:
    (first, second, third) = run(GATE)["results"]
    (place,) = first["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "r.txt"},
        "region": {"startLine": 2, "startColumn": 3},
    }
    assert second["locations"][0]["physicalLocation"]["region"]["startLine"] == 9
    assert "physicalLocation" not in third["locations"][0]


@pytest.mark.parametrize(
    ("found", "logical"),
    [
        pytest.param(NUMPY, [("numpy", "numpy@2.4.6", "package")], id="a distribution"),
        pytest.param(
            finding(subject="a + b", version=None),
            [("a", "a", "package"), ("b", "b", "package")],
            id="two of them",
        ),
        pytest.param(
            SICK.findings[1],
            [("OPENBLAS_CORETYPE", "OPENBLAS_CORETYPE", "variable")],
            id="a variable",
        ),
        pytest.param(
            finding(subject="wheel tags", version=None),
            [("wheel tags", "wheel tags", "resource")],
            id="what is neither",
        ),
    ],
)
def test_whom_a_finding_is_about(found: Finding, logical: list[tuple[str, ...]]) -> None:
    (place,) = result(found)["locations"]
    got = [tuple(item.values()) for item in place["logicalLocations"]]
    assert got == logical
    assert place["physicalLocation"] == {"artifactLocation": {"uri": "file:///venv/bin/python"}}, (
        "what was examined: code scanning refuses a result without a place"
    )


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("requirements.txt", "requirements.txt"),
        ("./a/../requirements.txt", "requirements.txt"),
        ("/home/me/my project/r.txt", "file:///home/me/my%20project/r.txt"),
        ("a:b?c#d.txt", "a%3Ab%3Fc%23d.txt"),
        ("ü.txt", "%C3%BC.txt"),
        ("bad\udcff.txt", "bad%3F.txt"),
    ],
)
def test_a_path_is_a_uri(path: str, uri: str) -> None:
    place = result(finding(location=Location(path)))["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_fingerprint_survives_another_line_and_another_version() -> None:
    moved = dataclasses.replace(ADMITTED, location=Location("r.txt", 40, 1), version="2.4.7")
    other = dataclasses.replace(ADMITTED, location=Location("other.txt", 2, 3))
    prints = [item["partialFingerprints"] for item in run(gate(ADMITTED, other))["results"]]
    (again,) = (item["partialFingerprints"] for item in run(gate(moved))["results"])
    assert again == prints[0] != prints[1]
    assert "primaryLocationLineHash" not in again, "it is computed from the line on upload"


def test_findings_that_look_alike_have_fingerprints_of_their_own() -> None:
    prints = [
        tuple(item["partialFingerprints"].values()) for item in run(report(NUMPY, NUMPY))["results"]
    ]
    assert len(set(prints)) == 2
    assert "primaryLocationLineHash" in run(report(NUMPY))["results"][0]["partialFingerprints"]


def test_the_properties_hold_what_to_believe_and_what_to_do() -> None:
    properties = run(GATE)["results"][0]["properties"]
    assert properties["standing"] == "predicted"
    assert properties["grade"] == "emulated"
    assert (properties["needs"], properties["missing"]) == (["sse4_1"], ["sse4_1"])
    assert properties["remedy"]["install"] == ["numpy<2.4"]
    assert properties["evidence"][0]["source"] == "example/project#1"


@pytest.mark.parametrize(
    ("judgement", "code", "successful"), [(SICK, 1, True), (report(), 0, True), (EMPTY, 2, False)]
)
def test_the_invocation_tells_the_exit_code(
    judgement: Judgement, code: int, successful: bool
) -> None:
    (invocation,) = run(judgement)["invocations"]
    assert invocation["exitCode"] == code
    assert invocation["executionSuccessful"] is successful
    assert bool(invocation["toolExecutionNotifications"]) is not successful


def test_analyses_of_different_things_have_different_categories() -> None:
    ids = {run(item)["automationDetails"]["id"] for item in (report(), GATE)}
    assert ids == {"legacy-doctor/environment/host/", "legacy-doctor/requirements/phenom-ii/"}


def test_a_message_means_itself() -> None:
    text = run(HOSTILE)["results"][0]["message"]["text"]
    assert "{{0}}" in text
    assert "[a] (http://b)" in text
    assert "\x1b" not in text
    assert text.splitlines()[0].count("\ufffd") == 6, "all of it on its own line"


def test_a_rule_that_nobody_explains_is_described_by_its_name() -> None:
    found = run(report(finding(rule="from-another-house")))
    assert found["tool"]["driver"]["rules"][-1]["id"] == "from-another-house"
    assert found["results"][0]["ruleIndex"] == len(RULES)
