"""The findings as a test report, in the JUnit XML that CI servers show.

There is no standard; this keeps to what Jenkins, GitLab and the readers of pytest's files agree
on: `testsuites`, `testsuite`, `testcase`, `failure`, `error`, `system-out`. What is a test case
follows from what a reader wants to see pass:

- of an environment, every rule: a report knows how many distributions there are, not which, and
  a rule that found nothing is what was verified. Each finding is a case of its own beside them;
- of requirement and lock files, every requirement of every file, with its line: what is locked
  and passes is the news. What is found about the file itself is a further case.

A failure is what makes the command exit with 1 and nothing else, so that a server never fails a
build which the exit code lets pass, or the other way round: a finding below `--fail-on` is told in
the `system-out` of a case that passes. An empty environment is an error, as a broken test is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from legacy_doctor.model import Finding, Gate, Judgement, Location, RuleText
from legacy_doctor.report import wording

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0, section 2.2, does not allow in a document, even as a character reference."""


class Case(NamedTuple):
    """One test case: what it is about, and what was found of it."""

    group: str
    name: str
    place: Location | None = None
    findings: tuple[Finding, ...] = ()


def render(judgement: Judgement, rules: Sequence[RuleText]) -> str:
    """Return the document; `rules` are those that could have been broken."""
    from xml.etree import ElementTree as ET

    root = ET.Element("testsuites")
    if wording.nothing(judgement):
        suites = [_broken(judgement)]
    elif isinstance(judgement, Gate):
        suites = [_suite(name, cases, judgement) for name, cases in _files(judgement)]
    else:
        suites = [_suite("legacy-doctor", tuple(_rules(judgement, rules)), judgement)]
    sums = {
        key: str(sum(int(suite.attrib[key]) for suite in suites))
        for key in ("tests", "failures", "errors", "skipped")
    }
    root.attrib.update({"name": f"legacy-doctor {judgement.version}", **sums, "time": "0"})
    root.extend(suites)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _rules(judgement: Judgement, rules: Iterable[RuleText]) -> Iterator[Case]:
    """Yield a case for each rule that found nothing, and one for each finding."""
    ids = dict.fromkeys([*(rule.id for rule in rules), *(item.rule for item in judgement.findings)])
    for rule in ids:
        found = [item for item in judgement.findings if item.rule == rule]
        for item in found:
            yield Case(rule, f"{rule}: {wording.who(item)}", item.location, (item,))
        if not found:
            yield Case(rule, rule)


def _files(judgement: Gate) -> Iterator[tuple[str, tuple[Case, ...]]]:
    """Yield every file with a case for each requirement, and for what else was found in it."""
    left = list(judgement.findings)
    for file in judgement.files:
        cases = []
        for item in file.requirements:
            mine = [found for found in left if _about(found, item.name, item.location)]
            left = [found for found in left if found not in mine]
            cases.append(Case(file.path, item.name, item.location, tuple(mine)))
        others = [item for item in left if item.location and item.location.path == file.path]
        left = [item for item in left if item not in others]
        yield file.path, (*cases, *_others(file.path, others))
    if left:
        yield "legacy-doctor", tuple(_others("legacy-doctor", left))


def _about(finding: Finding, name: str, place: Location) -> bool:
    there = finding.location
    return there is not None and finding.subject == name and there[:2] == place[:2]


def _others(group: str, findings: Iterable[Finding]) -> Iterator[Case]:
    for item in findings:
        yield Case(group, f"{item.rule}: {wording.who(item)}", item.location, (item,))


def _suite(name: str, cases: Sequence[Case], judgement: Judgement) -> Element:
    elements = [_case(case, judgement) for case in cases]
    failures = sum(element.find("failure") is not None for element in elements)
    suite = _element("testsuite", name=name, tests=len(cases), failures=failures, errors=0)
    suite.attrib.update({"skipped": "0", "time": "0"})
    suite.append(_facts(judgement))
    suite.extend(elements)
    return suite


def _facts(judgement: Judgement) -> Element:
    """Return what holds of the whole run: how it stands, the counts, the CPU."""
    properties = _element("properties")
    facts = {
        "status": wording.standing(judgement),
        "findings": wording.counts(judgement),
        "cpu": wording.cpu(judgement),
        "pinsets": ", ".join(item.label for item in judgement.pinsets),
    }
    project = wording.project(judgement)
    if project:
        facts["profile"] = project
    properties.extend(_element("property", name=name, value=text) for name, text in facts.items())
    return properties


def _case(case: Case, judgement: Judgement) -> Element:
    element = _element("testcase", classname=case.group, name=case.name, time=0)
    if case.place is not None:
        element.attrib.update({"file": _xml(case.place.path), "line": str(case.place.line)})
    failing = [item for item in case.findings if _fails(item, judgement)]
    if failing:
        message = wording.one_line(wording.headline(failing[0]))
        failure = _element("failure", message=message, type=failing[0].rule)
        failure.text = _told(failing)
        element.append(failure)
    passing = [item for item in case.findings if item not in failing]
    if passing:
        output = _element("system-out")
        output.text = _told(passing)
        element.append(output)
    return element


def _fails(finding: Finding, judgement: Judgement) -> bool:
    worst = judgement.fail_on
    return worst is not None and finding.severity.rank <= worst.rank


def _told(findings: Iterable[Finding]) -> str:
    return _xml("\n\n".join(f"{item.severity.value}\n{wording.told(item)}" for item in findings))


def _broken(judgement: Judgement) -> Element:
    suite = _element("testsuite", name="legacy-doctor", tests=1, failures=0, errors=1)
    suite.attrib.update({"skipped": "0", "time": "0"})
    case = _element("testcase", classname="legacy-doctor", name="environment", time=0)
    why = wording.nothing(judgement)
    case.append(_element("error", message=why, type=wording.standing(judgement)))
    suite.append(_facts(judgement))
    suite.append(case)
    return suite


def _element(tag: str, **attributes: str | int) -> Element:
    from xml.etree import ElementTree as ET

    return ET.Element(tag, {key: _xml(str(text)) for key, text in attributes.items()})


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", wording.legible(text))
