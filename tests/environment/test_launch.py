"""Which command lines are Python programs, and where their parts begin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment import launch
from legacy_doctor.environment.launch import Launch


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(
            "python app.py -v x", Launch("python", (), ("app.py", "-v", "x")), id="script"
        ),
        pytest.param(
            "/v/bin/python3.11 -I app.py",
            Launch("/v/bin/python3.11", ("-I",), ("app.py",)),
            id="an-option-before-the-script",
        ),
        pytest.param(
            "python3 -X dev -W error -u app.py",
            Launch("python3", ("-X", "dev", "-W", "error", "-u"), ("app.py",)),
            id="options-with-values",
        ),
        pytest.param(
            "python -m pip list", Launch("python", (), ("-m", "pip", "list")), id="a-module"
        ),
        pytest.param(
            "python -Im pip", Launch("python", ("-I",), ("-m", "pip")), id="letters-together"
        ),
        pytest.param(
            "python -mpip -V",
            Launch("python", (), ("-m", "pip", "-V")),
            id="no-space-before-module",
        ),
        pytest.param(
            "python -B -c pass -c x",
            Launch("python", ("-B",), ("-c", "pass", "-c", "x")),
            id="after-the-code-all-is-arguments",
        ),
        pytest.param(
            "python -Xdev app.py", Launch("python", ("-Xdev",), ("app.py",)), id="a-glued-value"
        ),
        pytest.param(
            "python -Wmodule app.py",
            Launch("python", ("-Wmodule",), ("app.py",)),
            id="a-glued-value-with-an-m-in-it",
        ),
        pytest.param("python", None, id="interactive"),
        pytest.param("python -", None, id="standard-input"),
        pytest.param("python --version", None, id="asked-for-its-version"),
        pytest.param("python -V", None, id="asked-for-its-version-in-short"),
        pytest.param("python -m", None, id="a-module-that-is-not-named"),
        pytest.param("python -X", None, id="an-option-cut-short"),
        pytest.param("pythonic app.py", None, id="another-program"),
        pytest.param("no-such-program-anywhere", None, id="nothing-on-path"),
    ],
)
def test_a_command_line_is_taken_apart(command: str, expected: Launch | None) -> None:
    assert launch.read(command.split(" ")) == expected


@pytest.mark.parametrize(
    ("head", "interpreter"),
    [
        pytest.param("#!/v/bin/python\nimport x", "/v/bin/python", id="as-pip-writes-it"),
        pytest.param("#!/usr/bin/env python3\n", "python3", id="by-way-of-env"),
        pytest.param("#! /usr/bin/python3 -E\n", "/usr/bin/python3", id="with-an-option"),
        pytest.param(
            "#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\n",
            "/a b/bin/python",
            id="a-path-with-a-space",
        ),
        pytest.param(
            "#!/bin/sh\n'''exec' /long/bin/python3 \"$0\" \"$@\"\n' '''\n",
            "/long/bin/python3",
            id="a-long-path",
        ),
        pytest.param("#!/bin/sh\necho\n", None, id="a-shell-script"),
        pytest.param("#!/usr/bin/env\n", None, id="env-of-nothing"),
        pytest.param("\x7fELF", None, id="a-binary"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_script_is_python_by_its_first_line(
    head: str, interpreter: str | None, tmp_path: Path
) -> None:
    script = tmp_path / "tool"
    script.write_text(head)
    script.chmod(0o755)

    found = launch.read([str(script), "--flag"])

    assert found == (Launch(interpreter, (), (str(script), "--flag")) if interpreter else None)


def test_a_script_that_may_not_be_read_is_no_python(tmp_path: Path) -> None:
    folder = tmp_path / "tool"
    folder.mkdir()

    assert launch._interpreter_of(folder) is None


@given(st.lists(st.text(alphabet="-cmXWIuapy. ", max_size=5), max_size=6))
def test_no_words_break_it(words: list[str]) -> None:
    found = launch.read(["python", *words])

    assert found is None or found.interpreter == "python"


OPTIONS = st.lists(
    st.sampled_from(["-I", "-B", "-u", "-Xdev", "-Werror", "-bb", "-sE"]), max_size=3
)


@given(options=OPTIONS, arguments=st.lists(st.sampled_from(["-c", "-m", "-x", "a"]), max_size=3))
def test_the_parts_put_together_mean_the_same(options: list[str], arguments: list[str]) -> None:
    found = launch.read(["python", *options, "-c", "pass", *arguments])

    assert found == Launch("python", tuple(options), ("-c", "pass", *arguments))


def test_a_real_console_script_is_recognised() -> None:
    pytest_command = Path(sys.executable).with_name("pytest")
    found = launch.read([str(pytest_command), "--version"])

    assert found is not None
    done = subprocess.run([found.interpreter, *found.program], capture_output=True, check=True)
    assert b"pytest" in done.stdout + done.stderr
