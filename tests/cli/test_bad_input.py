"""Bad input: one clear line that says what, where and what to do; exit 2; nothing written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Doctor, Site, clean, lacking

PYENV = Path("~/.pyenv/versions").expanduser()


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _python(prefix: str) -> Path:
    found = sorted(PYENV.glob(f"{prefix}.*/bin/python"))
    if not found:
        lacking("pythons", f"no Python {prefix} below {PYENV}")
    return found[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["check", "--cpu", "phenm"],
            "error: unknown CPU 'phenm'; did you mean 'phenom'",
            id="unknown CPU",
        ),
        pytest.param(
            ["cpu", "--cpu", "Penrin"],
            "error: unknown CPU 'Penrin'; did you mean 'penryn'",
            id="unknown CPU of the cpu command",
        ),
        pytest.param(
            ["check", "--python", "nowhere"],
            "error: nowhere: no such interpreter or virtual environment folder",
            id="missing target",
        ),
        pytest.param(
            ["check", "--python", "."],
            "no Python interpreter in this folder",
            id="folder without an interpreter",
        ),
        pytest.param(
            ["check", "--python", "/bin/ls"], "not a Python interpreter", id="another program"
        ),
        pytest.param(
            ["check", "--python", "/bin/true"], "not a Python interpreter", id="a silent program"
        ),
        pytest.param(
            ["check", "--pinset", "below-v3"],
            "error: no pin-set 'below-v3'; did you mean 'below-v2'",
            id="unknown pin-set",
        ),
        pytest.param(
            ["check", "--pinset", "below-v2@1999-01-01"],
            "error: no pin-set 'below-v2@1999-01-01'; did you mean 'below-v2@",
            id="unknown version of a pin-set",
        ),
        pytest.param(
            ["check", "--pinset-path", "gone.toml"],
            "error: gone.toml: cannot be read (No such file or directory)",
            id="missing pin-set file",
        ),
        pytest.param(
            ["check", "--ignore", "broken-pins"],
            "error: no rule 'broken-pins'; did you mean 'broken-pin'",
            id="unknown rule",
        ),
        pytest.param(["check", "--fail-on", "fatal"], "is not one of", id="unknown severity"),
        pytest.param(["check", "--format", "xml"], "is not one of", id="unknown format"),
        pytest.param(["chekc"], "error: no command 'chekc'; did you mean 'check'", id="command"),
        pytest.param(
            ["explain", "nunpy", "--cpu", "nehalem"],
            "no pin-set speaks of it; did you mean 'numpy'",
            id="unknown distribution",
        ),
        pytest.param(["pinsets", "show", "x"], "error: no pin-set 'x'", id="pinsets show"),
        pytest.param(
            ["cpu", "-o", "no/such/folder/x.txt"], "cannot be written", id="output folder"
        ),
    ],
)
def test_a_bad_argument_gets_one_line_and_exit_2(
    arguments: list[str], message: str, doctor: Doctor, tmp_path: Path
) -> None:
    before = _snapshot(tmp_path)

    answer = doctor(*arguments)

    assert answer.code == 2
    assert answer.out == ""
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    assert _snapshot(tmp_path) == before


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_a_python_too_old_is_refused_by_its_version(version: str, doctor: Doctor) -> None:
    python = _python(version)

    answer = doctor("check", "--python", str(python))

    assert answer.code == 2
    assert re.search(rf"Python {re.escape(version)}\.\d+ is too old to examine", answer.err)
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("version", ["3.8", "3.10", "3.12", "3.13"])
def test_a_target_of_another_python_is_examined(version: str, doctor: Doctor) -> None:
    answer = doctor("check", "--python", str(_python(version)), "--cpu", "haswell")

    assert answer.code in {0, 1}, answer.err
    assert f"Python {version}." in answer.out


def test_an_empty_environment_is_nothing_to_examine(site: Site, doctor: Doctor) -> None:
    answer = doctor("check", "--python", str(site.folder), "--cpu", "phenom-ii")

    assert answer.code == 2
    assert answer.out == ""
    assert "nothing to examine, no distribution is installed there" in answer.err


def test_an_empty_environment_is_said_in_json_too(site: Site, doctor: Doctor) -> None:
    answer = doctor("check", "--python", str(site.folder), "--format", "json")

    assert answer.code == 2
    assert '"status": "nothing-to-examine"' in answer.out


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("METADATA", b"\xff\xfe\x00", "not UTF-8", id="METADATA of another encoding"),
        pytest.param("METADATA", b"Version: 1\n", "has no Name", id="METADATA without a name"),
        pytest.param("METADATA", b"Name: x\nVersion: one\n", "invalid Version", id="bad version"),
        pytest.param("METADATA", None, "METADATA is missing", id="METADATA missing"),
        pytest.param("RECORD", b"a,b\n", "RECORD is damaged", id="RECORD with two columns"),
        pytest.param("RECORD", b"\xff\xff,,\n", "not UTF-8", id="RECORD of another encoding"),
    ],
)
def test_broken_metadata_is_a_finding_and_the_rest_is_examined(
    name: str, content: bytes | None, problem: str, site: Site, doctor: Doctor
) -> None:
    site.install("numpy", "2.4.6")
    info = site.install("victim", "1.0")
    if content is None:
        (info / name).unlink()
    else:
        (info / name).write_bytes(content)

    answer = doctor("check", "--python", str(site.folder), "--cpu", "phenom-ii")

    assert answer.code == 1
    flat = " ".join(answer.out.split())
    assert problem in flat
    assert "numpy 2.4.6 dies on import" in flat
    assert "Traceback" not in answer.err


def test_an_unreadable_folder_is_a_finding(site: Site, tmp_path: Path) -> None:
    site.install("numpy", "1.26.4")
    site.packages.chmod(0)
    script = (
        "import os, sys\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "from legacy_doctor.cli.main import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if os.getuid() == 0 and folder.is_relative_to("/tmp") and folder != Path("/tmp"):  # noqa: S108
            folder.chmod(0o755)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, "check", "--python", str(site.folder)],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={**clean(os.environ), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        )
    finally:
        site.packages.chmod(0o755)

    if "ModuleNotFoundError" in done.stderr or "PermissionError" in done.stderr:
        lacking("unprivileged", "another user cannot read this checkout")
    assert "cannot be read (Permission denied)" in " ".join(done.stdout.split()), done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            'needs = ["sse4_1"]',
            'needs = ["sse41"]',
            "pins[0].needs[0]: unknown feature 'sse41'; did you mean 'sse4_1'?",
            id="feature",
        ),
        pytest.param(
            "broken =",
            "brocken =",
            "pins[0].brocken: unknown key; did you mean 'broken'?",
            id="key",
        ),
        pytest.param(
            'grade = "reported"',
            'grade = "rumour"',
            "pins[0].evidence[0].grade: unknown value 'rumour'",
            id="grade",
        ),
        pytest.param(
            'version = "2026-11-20"',
            'version = "yesterday"',
            "version: expected a date like '2026-11-20'",
            id="date",
        ),
        pytest.param("schema = 1", "schema = 2", "schema: this legacy-doctor reads", id="schema"),
        pytest.param("[target]", "[target", "not valid TOML", id="no TOML"),
    ],
)
def test_a_pin_set_with_a_typo_names_the_path_and_the_nearest_word(
    old: str, new: str, message: str, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text(OWN_PINSET.replace(old, new))

    answer = doctor("check", "--pinset-path", "own.toml")

    assert answer.code == 2
    assert answer.err.startswith("error: own.toml: ")
    assert message in answer.err
    assert answer.err.count("\n") == 1


OWN_PINSET = """\
schema = 1
id = "own"
version = "2026-11-20"
title = "ours"

[target]
lacks = ["sse4_1"]

[[pins]]
distribution = "ourlib"
broken = ">=2"
good = "<2"
needs = ["sse4_1"]
symptom = "SIGILL"

[[pins.evidence]]
grade = "reported"
source = "our build farm"
"""


def test_a_users_own_pin_set_is_obeyed(site: Site, doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN_PINSET)
    site.install("ourlib", "2.1")

    arguments = ["check", "--python", str(site.folder), "--pinset-path", "own.toml"]

    assert doctor(*arguments, "--cpu", "phenom-ii").code == 1
    assert doctor(*arguments, "--cpu", "penryn").code == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param(
            "[tool.legacy-doctor]\ntarget-cpus = 'x'\n",
            "tool.legacy-doctor.target-cpus: unknown key; did you mean 'target-cpu'?",
            id="unknown key",
        ),
        pytest.param(
            "[tool.legacy-doctor]\ntarget-cpu = 3\n",
            "tool.legacy-doctor.target-cpu: expected a text, got int 3",
            id="wrong type",
        ),
        pytest.param(
            "[[tool.legacy-doctor.ignore]]\nrule = 'broken-pin'\n",
            "tool.legacy-doctor.ignore[0].reason: expected a text, got nothing",
            id="ignore without a reason",
        ),
        pytest.param(
            "[[tool.legacy-doctor.ignore]]\nrule = 'brokenpin'\nreason = 'x'\n",
            "did you mean 'broken-pin'?",
            id="ignore of an unknown rule",
        ),
        pytest.param(
            "[tool.legacy-doctor]\nfail-on = 'fatal'\n",
            "tool.legacy-doctor.fail-on: unknown value 'fatal'",
            id="unknown severity",
        ),
    ],
)
def test_a_mistake_in_the_configuration_names_its_place(
    config: str, message: str, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(config)

    answer = doctor("check")

    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_our_own_bug_shows_where_to_report_and_exits_101(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from legacy_doctor.cpu import detect\n"
        "detect.detect = lambda **_: 1 // 0\n"
        "from legacy_doctor.cli.main import run\n"
        "sys.exit(run(['cpu']))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 101
    assert "ZeroDivisionError" in done.stderr
    assert "this is a bug in legacy-doctor" in done.stderr
    assert done.stdout == ""


def test_an_interrupt_exits_130(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from legacy_doctor.cpu import detect\n"
        "def interrupted(**_): raise KeyboardInterrupt\n"
        "detect.detect = interrupted\n"
        "from legacy_doctor.cli.main import run\n"
        "sys.exit(run(['cpu']))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m legacy_doctor cpu --list | head -1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.startswith("name")
    assert done.stderr == ""


def test_a_dying_interpreter_is_a_finding_and_its_environment_is_read(
    site: Site, doctor: Doctor, tmp_path: Path
) -> None:
    """The interpreter is a real program that executes an undefined instruction."""
    source = tmp_path / "dying.c"
    source.write_text("int main(void) { __builtin_trap(); }\n")
    (site.folder / "bin/python").unlink()
    subprocess.run(["cc", "-o", str(site.folder / "bin/python"), str(source)], check=True)
    site.install("numpy", "2.4.6")

    answer = doctor("check", "--python", str(site.folder), "--cpu", "phenom-ii")

    flat = " ".join(answer.out.split())
    assert answer.code == 1
    assert "python the interpreter itself" in flat
    assert "died of SIGILL" in flat
    assert "numpy 2.4.6 dies on import" in flat


def test_a_dangling_virtual_environment_is_told(site: Site, doctor: Doctor) -> None:
    (site.folder / "bin/python").unlink()
    (site.folder / "bin/python").symlink_to("/usr/bin/python-that-was-removed")

    answer = doctor("check", "--python", str(site.folder))

    assert answer.code == 2
    assert "bin/python leads nowhere (/usr/bin/python-that-was-removed is gone)" in answer.err
    assert answer.err.count("\n") == 1
