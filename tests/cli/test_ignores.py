"""Ignores that are over, and ignores without use: told where they stand, and never wrongly."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cli import config, ignores
from legacy_doctor.cli.config import Config, Entry, Ignore
from legacy_doctor.cli.ignores import Scope
from legacy_doctor.model import Probing
from tests.conftest import Doctor, Site
from tests.diagnosis.patients import PHENOM, dist, knowing, patient, pin
from tests.diagnosis.probed import ran
from tests.report.test_text import finding

TODAY = date(2026, 11, 26)
NATIVE = ("cp311-cp311-linux_x86_64",)
Check = Callable[..., list[dict[str, Any]]]


def _table(rule: str, subject: str = "", until: str = "") -> str:
    lines = [f"rule = '{rule}'", "reason = 'known'"]
    lines += [f"subject = '{subject}'"] * bool(subject) + [f"until = {until}"] * bool(until)
    return "\n".join(["[[ignore]]", *lines, ""])


@pytest.fixture
def check(site: Site, inside: Doctor, tmp_path: Path) -> Check:
    """Check numpy 2.4.6 with a configuration; return what is said about its ignores."""
    site.install("numpy", "2.4.6")

    def run(configuration: str, *options: str) -> list[dict[str, Any]]:
        (tmp_path / "legacy-doctor.toml").write_text(configuration)
        answer = inside("check", "--python", str(site.folder), "--format", "json", *options)
        assert answer.err == ""
        findings = json.loads(answer.out)["findings"]
        return [item for item in findings if item["rule"].endswith("-ignore")]

    return run


@pytest.mark.parametrize(
    ("configuration", "options", "said"),
    [
        pytest.param(_table("broken-pin", "numpy"), ["--cpu", "phenom-ii"], [], id="in use"),
        pytest.param(
            _table("broken-pin", "polars"),
            ["--cpu", "phenom-ii"],
            [("unused-ignore", "broken-pin polars")],
            id="without use, on any CPU",
        ),
        pytest.param(
            _table("broken-pin", "numpy"), ["--cpu", "haswell"], [], id="of use on another CPU"
        ),
        pytest.param(_table("broken-pin", "numpy"), [], [], id="of use, but not on this CPU"),
        pytest.param(
            "target-cpu = 'haswell'\n" + _table("broken-pin", "numpy"),
            [],
            [("unused-ignore", "broken-pin numpy")],
            id="without use on the CPU that the configuration names",
        ),
        pytest.param(
            "target-cpu = 'phenom-ii'\n" + _table("broken-pin", "numpy"),
            ["--cpu", "haswell"],
            [],
            id="another CPU than the configuration names",
        ),
        pytest.param(
            "target-cpu = 'no-such-cpu'\n" + _table("broken-pin", "polars"),
            ["--cpu", "haswell"],
            [("unused-ignore", "broken-pin polars")],
            id="a CPU that nobody knows is not asked for",
        ),
        pytest.param(
            _table("broken-pin", "polars"),
            ["--pinset", "v2-no-avx", "--cpu", "phenom-ii"],
            [],
            id="the command line chose the pin-sets",
        ),
        pytest.param(_table("probe-failure", "numpy"), [], [], id="no probe was run"),
        pytest.param(_table("probes-not-run"), [], [], id="a matter of the machine"),
        pytest.param(
            _table("dispatch-override", "OPENBLAS_CORETYPE"), [], [], id="a variable of a shell"
        ),
        pytest.param(_table("altered-files", "numpy"), [], [], id="files were not hashed"),
        pytest.param(
            _table("altered-files", "numpy"),
            ["--verify-files"],
            [("unused-ignore", "altered-files numpy")],
            id="files were hashed",
        ),
        pytest.param(
            _table("broken-pin", until="2020-01-01"),
            ["--cpu", "phenom-ii"],
            [("expired-ignore", "broken-pin")],
            id="over, and needed",
        ),
        pytest.param(
            _table("broken-pin", "polars", "2020-01-01"),
            ["--cpu", "phenom-ii"],
            [("expired-ignore", "broken-pin polars")],
            id="over and without use: told once",
        ),
        pytest.param(
            _table("broken-pin", "numpy", "2999-12-31"), ["--cpu", "phenom-ii"], [], id="not over"
        ),
        pytest.param(
            _table("broken-pin", "polars") + _table("unused-ignore", "broken-pin polars"),
            ["--cpu", "phenom-ii"],
            [],
            id="ignored itself",
        ),
        pytest.param(
            _table("unused-ignore") + _table("expired-ignore"), [], [], id="these two without use"
        ),
        pytest.param("", ["--ignore", "broken-metadata"], [], id="of the command line"),
    ],
)
def test_what_is_said_of_an_ignore(
    configuration: str, options: list[str], said: list[tuple[str, str]], check: Check
) -> None:
    assert [(item["rule"], item["subject"]) for item in check(configuration, *options)] == said


def test_it_is_told_where_it_stands_and_what_to_do(check: Check) -> None:
    expired, unused = check(
        "# ours\n" + _table("broken-pin", "polars") + _table("broken-pin", until="2020-01-01"),
        *("--cpu", "phenom-ii"),
    )
    assert (expired["severity"], unused["severity"]) == ("warning", "info")
    assert expired["location"] == {"path": "legacy-doctor.toml", "line": 6, "column": 1}
    assert unused["location"]["line"] == 2
    assert "was good until 2020-01-01: what it covered counts again" in expired["message"]
    assert "later `until`" in expired["remedy"]["text"]
    assert "delete the entry" in unused["remedy"]["text"]


def test_an_ignore_that_is_over_and_not_needed_is_to_be_deleted(check: Check) -> None:
    (expired,) = check(_table("broken-pin", "polars", "2020-01-01"))
    assert expired["message"].endswith("what it covered is not found here")
    assert expired["remedy"]["text"] == "delete the entry"


def test_a_person_reads_it_too(site: Site, doctor: Doctor, tmp_path: Path) -> None:
    site.install("numpy", "1.26.4")
    (tmp_path / "inner").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        "[tool.legacy-doctor]\nignore = [\n  {rule = 'broken-pin', reason = 'r', "
        "until = '2020-01-01'},\n]\n"
    )
    options = ["--python", str(site.folder), "--cpu", "haswell"]

    answer = doctor("check", *options, cwd=tmp_path / "inner")
    strict = doctor("check", *options, "--fail-on", "warning", cwd=tmp_path / "inner")

    assert "broken-pin  the ignore (r) was good until 2020-01-01" in answer.out
    assert "in ../pyproject.toml:3:3" in answer.out
    assert (answer.code, strict.code) == (0, 1)


def test_an_empty_environment_stays_empty(site: Site, inside: Doctor, tmp_path: Path) -> None:
    (tmp_path / "legacy-doctor.toml").write_text(_table("broken-pin", until="2020-01-01"))

    answer = inside("check", "--python", str(site.folder), "--cpu", "haswell")

    assert answer.code == 2


def test_the_two_rules_are_listed(doctor: Doctor) -> None:
    out = doctor("check", "--list-rules").out
    assert "expired-ignore" in out
    assert "unused-ignore" in out


@pytest.mark.parametrize(
    ("subject", "proof", "tested"),
    [
        pytest.param("x", Probing(wanted="risky", results=(ran("x"),)), True, id="it was probed"),
        pytest.param("y", Probing(wanted="risky", results=(ran("x"),)), False, id="it was not"),
        pytest.param(
            "x", Probing(wanted="all", results=(ran("x", "skipped"),)), False, id="it was skipped"
        ),
        pytest.param(None, Probing(wanted="risky", results=(ran("x"),)), False, id="not all were"),
        pytest.param(None, Probing(wanted="all", results=(ran("x"),)), True, id="all were"),
        pytest.param(None, Probing(wanted="all"), False, id="nothing was"),
    ],
)
def test_what_only_probes_find_is_put_to_the_test_by_probes(
    subject: str | None, proof: Probing, tested: bool
) -> None:
    ignore = Ignore(rule="probe-failure", reason="r", subject=subject)
    assert Scope(by_target=True).tests(ignore, proof) is tested
    assert not Scope(by_target=False).tests(ignore, proof)


def test_on_plain_x86_64_everything_breaks_that_can() -> None:
    knowledge = knowing(pin("numpy", ">=2.4", "<2.4", needs="sse4_1"))
    found = ignores.elsewhere(patient(dist("numpy", "2.4.6")), knowledge)
    assert {item.subject for item in found if item.rule == "broken-pin"} == {"numpy"}


def test_the_target_is_known_by_any_of_its_names() -> None:
    someone = patient(on=PHENOM)
    scopes = [
        ignores.scope(Config(target_cpu=name), someone, pinsets=True, thorough=False)
        for name in ("phenom-ii", "host", None)
    ]
    assert [scope.by_target for scope in scopes] == [False] * 3, "it is the CPU at hand"
    assert not scopes[0].every_pinset


def test_a_file_that_went_away_is_still_named(tmp_path: Path) -> None:
    place = ignores.locate(Entry(tmp_path / "gone.toml", ("ignore",), 3))
    assert place == (os.path.relpath(tmp_path / "gone.toml"), 1, 1)


def test_other_commands_review_what_they_tested(tmp_path: Path) -> None:
    entry = Entry(tmp_path / "legacy-doctor.toml", ("ignore",), 0)
    written = [Ignore(rule="broken-pin", reason="r", subject=name, entry=entry) for name in "abc"]
    typed = Ignore(rule="broken-pin", reason="--ignore", subject="d")

    said = ignores.review(
        [*written, typed], TODAY, [finding(subject="a")], lambda ignore: ignore.subject != "b"
    )

    assert [item.subject for item in said] == ["broken-pin c"], "a is used, b was not tested"


def test_an_ignore_holds_on_its_last_day() -> None:
    ignore = Ignore(rule="broken-pin", reason="r", until=TODAY)
    assert ignore.covers(finding(), TODAY)
    assert not ignore.covers(finding(), date(2026, 11, 27))
    assert config.sift([finding()], [ignore], TODAY) == ((), 1)
