"""Workflow commands: read back as the runner reads them, whatever a name tries to be."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.model import Judgement, Location
from legacy_doctor.report import github, wording
from tests.report.judgements import EMPTY, EVERY, GATE, HOSTILE, SICK
from tests.report.test_text import finding, report


class Command(NamedTuple):
    """What the runner makes of a line (`ActionCommand.TryParseV2`)."""

    name: str
    properties: dict[str, str]
    message: str


def _unescaped(text: str, *pairs: tuple[str, str]) -> str:
    for code, character in (*pairs, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def parsed(line: str) -> Command:
    match = re.fullmatch(r"::([a-z]+)(?: ([^\r\n]*?))?::([^\r\n]*)", line)
    assert match, f"no workflow command: {line!r}"
    words = (word.partition("=") for word in (match[2] or "").split(",") if word)
    properties = {key: _unescaped(value, ("%3A", ":"), ("%2C", ",")) for key, _, value in words}
    return Command(match[1], properties, _unescaped(match[3]))


def commands(judgement: Judgement) -> list[Command]:
    text = github.render(judgement)
    assert text.endswith("\n")
    return [parsed(line) for line in text[:-1].split("\n")]


@pytest.mark.parametrize("judgement", EVERY.values(), ids=EVERY)
def test_every_line_is_a_command_so_that_no_text_can_be_one(judgement: Judgement) -> None:
    told = commands(judgement)
    assert len(told) == 1 + (0 if wording.nothing(judgement) else len(judgement.findings))
    assert {item.name for item in told} <= {"error", "warning", "notice"}


def test_a_finding_in_a_file_is_annotated_there() -> None:
    status, error, warning, notice = commands(GATE)
    assert status.message.startswith("findings: 1 error, 1 warning, 1 note, 1 ignored in 2 files")
    assert error.properties == {
        "file": "r.txt",
        "line": "2",
        "col": "3",
        "title": "broken-pin: numpy",
    }
    assert (error.name, warning.name, notice.name) == ("error", "warning", "notice")
    assert error.message.splitlines()[0].startswith("numpy: numpy>=1.26 admits 2.4.6")
    assert error.message.splitlines()[-1] == "numpy<2.4"


def test_a_finding_in_no_file_is_annotated_all_the_same() -> None:
    error = commands(SICK)[1]
    assert error.properties == {"title": "broken-pin: numpy 2.4.6"}
    assert "remedy: install numpy<2.4" in error.message


def test_a_hostile_name_gives_no_orders() -> None:
    status, error = commands(HOSTILE)
    assert status.name == "notice"
    assert error.properties["line"] == "3"
    assert "%0A::error::]]> ##[add-path]x" in error.message, "shown, not obeyed"
    assert set(error.properties) == {"file", "line", "col", "title"}


def test_nothing_to_examine_is_an_error() -> None:
    (only,) = commands(EMPTY)
    assert only.name == "error"
    assert "nothing to examine" in only.message


@given(st.text(), st.text(min_size=1))
def test_what_is_read_back_is_what_was_said(message: str, path: str) -> None:
    value = finding(message=f"said {message}", location=Location(path, 1, 2))
    error = commands(report(value))[1]
    assert error.message.splitlines()[0] == wording.one_line(wording.headline(value))
    assert error.properties["file"] == wording.one_line(path)
