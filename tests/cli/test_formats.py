"""One examination, six formats: the same exit code, the same findings, the same cures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from legacy_doctor.cli import formats, options
from legacy_doctor.report import wording
from tests.conftest import ROOT, Answer, Doctor, Site, Wheels, clean
from tests.report.judgements import EVERY
from tests.report.test_github import parsed
from tests.report.test_markdown import Shown
from tests.report.test_sarif import VALIDATOR

FORMATS = ("text", "json", *options.CI_FORMATS)
NATIVE = ("cp311-cp311-linux_x86_64",)
ATTACK = "evil|<b>%0A::error::]]>`x`@octocat"
COUNTS = re.compile(r"(\d+) errors?, (\d+) warnings?(?:, (\d+) notes?)?(?:, (\d+) ignored)?")


def flat(text: str) -> str:
    """The words of a text: in Markdown what stands in backticks is code, and they are gone."""
    return wording.one_line(text).replace("`", "")


class Meaning(NamedTuple):
    """What a reader of any format learns."""

    status: str
    """Empty where the format says it by its exit code only."""
    counts: tuple[int, ...]
    """Errors, warnings, notes, ignored."""
    errors: list[str]
    """What is said about each error."""
    text: str
    """All of it, on one line."""


def _counted(text: str) -> tuple[int, ...]:
    match = COUNTS.search(text)
    assert match, text
    return tuple(int(number or 0) for number in match.groups())


def _text(out: str) -> Meaning:
    line = wording.one_line(out)
    errors, warnings, _, ignored = _counted(line)
    blocks = re.split(r"^(?=\[)", out, flags=re.MULTILINE)
    told = [wording.one_line(block) for block in blocks]
    notes = sum(block.startswith("[i]") for block in told)
    worst = [block for block in told if block.startswith("[✗]")]
    return Meaning("", (errors, warnings, notes, ignored), worst, line)


def _json(out: str) -> Meaning:
    report = json.loads(out)
    keys = ("errors", "warnings", "infos", "ignored")
    told = [json.dumps(item, ensure_ascii=False) for item in report["findings"]]
    worst = [
        text
        for text, item in zip(told, report["findings"], strict=True)
        if item["severity"] == "error"
    ]
    status = report["status"].replace("-", " ")
    counts = tuple(report["summary"][key] for key in keys)
    return Meaning(status, counts, worst, wording.one_line(out))


def _sarif(out: str) -> Meaning:
    log = json.loads(out)
    VALIDATOR.validate(log)
    (run,) = log["runs"]
    levels = [item["level"] for item in run["results"]]
    counts = [levels.count(level) for level in ("error", "warning", "note")]
    texts = [item["message"]["text"] for item in run["results"] if item["level"] == "error"]
    (invocation,) = run["invocations"]
    said = [item["message"]["text"] for item in invocation["toolExecutionNotifications"]]
    every = " ".join([*said, *(item["message"]["text"] for item in run["results"])])
    return Meaning(
        invocation["exitCodeDescription"],
        (*counts, run["properties"]["ignored"]),
        [wording.one_line(text) for text in texts],
        wording.one_line(every.replace("{{", "{").replace("}}", "}")),
    )


def _github(out: str) -> Meaning:
    status, *commands = [parsed(line) for line in out.splitlines()]
    every = wording.one_line(" ".join(item.message for item in (status, *commands)))
    if "nothing to examine" in status.message:
        return Meaning("nothing to examine", (0, 0, 0, 0), [], every)
    counts = _counted(status.message)
    names = [item.name for item in commands]
    assert counts[:3] == tuple(names.count(name) for name in ("error", "warning", "notice"))
    errors = [wording.one_line(item.message) for item in commands if item.name == "error"]
    return Meaning(status.message.partition(":")[0], counts, errors, every)


def _markdown(out: str) -> Meaning:
    shown = Shown(out)
    status = shown.text.splitlines()[0].removeprefix("legacy-doctor: ")
    rows = [wording.one_line(" ".join(row)) for row in shown.rows[1:]]
    counts = (0, 0, 0, 0) if "nothing" in status else _counted(shown.text)
    errors = [row for row in rows if row.startswith("❌")]
    return Meaning(status, counts, errors, wording.one_line(shown.text))


def _junit(out: str) -> Meaning:
    root = ET.fromstring(out.encode())  # noqa: S314  our own
    facts = {item.get("name"): item.get("value") or "" for item in root.iter("property")}
    told = [item.text or "" for tag in ("failure", "system-out") for item in root.iter(tag)]
    errors = [wording.one_line(text) for text in told if text.startswith("error\n")]
    said = [item.get("message") or "" for item in root.iter("error")]
    every = wording.one_line(" ".join([*told, *said]))
    return Meaning(facts["status"], _counted(facts["findings"]), errors, every)


READERS: dict[str, Callable[[str], Meaning]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
    "markdown": _markdown,
    "junit": _junit,
}


def same(ask: Callable[..., Answer], *words: str, **more: Any) -> tuple[int, list[dict[str, Any]]]:
    """Ask in every format and compare; return the exit code and the findings."""
    answers = {form: ask("check", *words, "-v", "--format", form, **more) for form in FORMATS}
    report = json.loads(answers["json"].out)
    findings: list[dict[str, Any]] = report["findings"]
    wanted = _json(answers["json"].out)
    code = {"healthy": 0, "findings": 1}[wanted.status]
    for form, answer in answers.items():
        got = READERS[form](answer.out)
        assert (answer.code, answer.err) == (code, ""), form
        assert got.status in {"", wanted.status}, form
        assert got.counts == wanted.counts, form
        assert len(got.errors) == wanted.counts[0], form
        for finding in findings:
            assert flat(finding["subject"]) in flat(got.text), form
            # A person's screen shows no cure of what nobody has to cure.
            if finding["remedy"] and (form != "text" or finding["severity"] != "info"):
                assert flat(finding["remedy"]["text"]) in flat(got.text), form
            if finding["severity"] == "error":
                who = f"{finding['subject']} {finding['version'] or ''}".strip()
                mine = [text for text in got.errors if form == "json" or who in text]
                assert mine, f"{form}: {who}"
    return code, findings


def test_a_sick_environment(ill: Path, doctor: Doctor) -> None:
    code, findings = same(doctor, "--python", str(ill), "--cpu", "phenom-ii")

    assert code == 1
    assert "numpy" in {item["subject"] for item in findings if item["severity"] == "error"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["--cpu", "haswell"], 0, id="healthy on another CPU"),
        pytest.param(["--cpu", "phenom-ii", "--ignore", "broken-pin"], 0, id="ignored"),
        pytest.param(["--cpu", "kvm64", "--fail-on", "never"], 0, id="told, and not failed"),
    ],
)
def test_the_options_mean_the_same(words: list[str], code: int, site: Site, inside: Doctor) -> None:
    site.install("numpy", "2.4.6")
    site.install("pandas", "3.1.1", requires=["numpy>=1.26"])

    assert same(inside, "--python", str(site.folder), *words)[0] == code


def test_an_ignore_that_is_over(site: Site, inside: Doctor, tmp_path: Path) -> None:
    site.install("numpy", "2.4.6")
    (tmp_path / "legacy-doctor.toml").write_text(
        "[[ignore]]\nrule = 'broken-pin'\nreason = 'moved'\nuntil = 2020-01-01\n"
        "[[ignore]]\nrule = 'broken-pin'\nsubject = 'six'\nreason = 'gone'\n"
    )

    _, findings = same(inside, "--python", str(site.folder), "--cpu", "phenom-ii")

    assert {"expired-ignore", "unused-ignore"} < {item["rule"] for item in findings}


def test_an_obstacle(site: Site, inside: Doctor, tmp_path: Path) -> None:
    site.install("numpy", "2.4.6")
    (tmp_path / "bin").mkdir()

    _, findings = same(
        inside,
        *("--python", str(site.folder), "--cpu", "phenom-ii", "--probe", "risky"),
        env={"PATH": str(tmp_path / "bin")},
    )

    assert "probes-not-run" in {item["rule"] for item in findings}


@pytest.mark.qemu
@pytest.mark.wheels
def test_what_a_probe_proved(wheels: Wheels, doctor: Doctor, qemu: Path, tmp_path: Path) -> None:
    _, findings = same(
        doctor,
        *("--python", str(wheels.polars), "--cpu", "phenom-ii", "--probe", "risky"),
        env={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )

    assert "confirmed" in {item["standing"] for item in findings}


def test_hostile_names_and_messages(site: Site, doctor: Doctor, tmp_path: Path) -> None:
    import_fails = f"raise RuntimeError({ATTACK!r})".encode()
    site.install("lost", "1.0", files={"lost/__init__.py": import_fails}, tags=NATIVE)
    site.install("odd", f"1.0+{ATTACK}")
    folder = site.packages / f"{ATTACK}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("no header at all\n")

    code, findings = same(
        doctor,
        *("--python", str(site.folder), "--cpu", "host", "--probe", "risky"),
        *("--fail-on", "warning"),
        env={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )

    assert code == 1
    hurt = [item["rule"] for item in findings if ATTACK in item["message"]]
    assert hurt == ["broken-metadata", "broken-metadata", "probe-raised"]


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_environment(form: str, site: Site, inside: Doctor) -> None:
    answer = inside("check", "--python", str(site.folder), "--cpu", "haswell", "--format", form)

    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "nothing to examine, no distribution is installed there" in answer.err
    if form == "text":
        assert answer.out == "", "a person reads the error"
    else:
        assert READERS[form](answer.out).status == "nothing to examine", "a program reads this"


WORKFLOW = """\
. ./activate
legacy-doctor check --cpu x86-64-v1 --probe none --format sarif --output legacy-doctor.sarif || true
legacy-doctor check --cpu x86-64-v1 --probe none --format github
"""
"""The two steps of the documented workflow, as its shell runs them."""


def test_the_documented_workflow_fails_with_annotations_and_an_alert_file(
    site: Site, tmp_path: Path
) -> None:
    site.install("numpy", "2.4.6")
    (tmp_path / ".venv").symlink_to(site.folder)
    command = f'legacy-doctor() {{ "{sys.executable}" -m legacy_doctor "$@"; }}\n'
    (tmp_path / "activate").write_text(command)
    summary = tmp_path / "summary.md"
    env = {"PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(summary)}

    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", WORKFLOW],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**clean(os.environ), **env},
    )

    assert (done.returncode, done.stderr) == (1, "")
    assert "::error title=broken-pin%3A numpy 2.4.6::" in done.stdout
    assert _sarif((tmp_path / "legacy-doctor.sarif").read_text()).counts[0] == 1
    assert summary.read_text().startswith("## legacy-doctor: findings\n")


def test_a_job_summary_is_appended_where_the_runner_asks(
    site: Site, inside: Doctor, tmp_path: Path
) -> None:
    site.install("numpy", "2.4.6")
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    check = ["check", "--python", str(site.folder), "--cpu", "phenom-ii"]
    env = {"GITHUB_STEP_SUMMARY": str(summary)}

    page = inside(*check, "--format", "markdown", env=env).out
    assert summary.read_text() == "before\n", "of no other format"
    answer = inside(*check, "--format", "github", env=env)

    assert answer.code == 1
    assert summary.read_text() == f"before\n{page}"
    assert all(line.startswith("::") for line in answer.out.splitlines())


def test_a_summary_that_cannot_be_written_fails_nothing(
    site: Site, inside: Doctor, tmp_path: Path
) -> None:
    site.install("numpy", "1.26.4")
    check = ["check", "--python", str(site.folder), "--cpu", "haswell", "--format", "github"]

    answer = inside(*check, env={"GITHUB_STEP_SUMMARY": str(tmp_path / "no/such/folder")})

    assert answer.code == 0
    assert answer.err.startswith(f"warning: {tmp_path}/no/such/folder: no job summary was written")
    assert answer.out.startswith("::notice ")


def test_a_summary_that_is_full_gets_no_more(site: Site, inside: Doctor, tmp_path: Path) -> None:
    site.install("numpy", "2.4.6")
    summary = tmp_path / "summary.md"
    summary.write_text("x" * (formats._ROOM - 10))
    check = ["check", "--python", str(site.folder), "--cpu", "phenom-ii", "--format", "github"]

    answer = inside(*check, env={"GITHUB_STEP_SUMMARY": str(summary)})

    assert answer.code == 1
    assert summary.stat().st_size == formats._ROOM - 10
    assert "no room is left" in answer.err


@pytest.mark.parametrize("form", options.CI_FORMATS)
def test_one_function_writes_whatever_was_judged(form: str) -> None:
    for judgement in EVERY.values():
        assert formats.render(judgement, form)


def test_a_format_that_is_none_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="sarif, github, markdown, junit"):
        formats.render(EVERY["files"], "html")


def test_only_what_judges_has_the_formats_of_ci(inside: Doctor) -> None:
    said = inside("check", "--help").out
    assert all(f"{form}: " in said for form in FORMATS)
    refused = inside("cpu", "--format", "sarif")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
