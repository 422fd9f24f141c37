"""What the README says is what CI runs and what the program prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from benchmarks.profiles import CPUS
from legacy_doctor.cli.main import _COMMANDS, EXIT_CODES
from legacy_doctor.knowledge import profiles
from legacy_doctor.report import profiles as report
from tests.conftest import ROOT, Doctor, clean

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


def test_there_are_two_commands_and_ci_runs_the_second() -> None:
    assert len(COMMANDS) == 2
    assert "legacy-doctor check --cpu" in COMMANDS[0]
    assert COMMANDS[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_the_exit_codes_of_the_readme_are_those_of_the_help() -> None:
    in_help = dict(re.findall(r"^  (\d+)\s+(.+)$", EXIT_CODES, re.MULTILINE))
    in_readme = dict(re.findall(r"^\| (\d+) \| (.+) \|$", README, re.MULTILINE))

    assert {code: text.replace("`", "") for code, text in in_readme.items()} == {
        code: text + (" (default error)" if code == "1" else "") for code, text in in_help.items()
    }


@pytest.mark.parametrize("command", list(_COMMANDS))
def test_every_command_has_help_in_ninety_columns(command: str, doctor: Doctor) -> None:
    answer = doctor(command, "--help")

    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= 90
    assert f"legacy-doctor {command}" in README


def test_help_lists_the_exit_codes(doctor: Doctor) -> None:
    assert "101  a bug of legacy-doctor itself" in doctor("--help").out


def test_a_bare_call_shows_the_help_and_is_a_usage_error(doctor: Doctor) -> None:
    answer = doctor()

    assert (answer.code, answer.out) == (2, "")
    assert "Commands:" in answer.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_the_readme_works(shell: str) -> None:
    variable = "_LEGACY_DOCTOR_COMPLETE"
    assert f"{variable}={shell}_source" in README
    script = "import sys; from legacy_doctor.cli.main import run; sys.exit(run([]))"
    env = {**clean(os.environ), "PYTHONPATH": str(ROOT)}

    def complete(**settings: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**env, **settings},
        ).stdout

    assert "legacy-doctor" in complete(**{variable: f"{shell}_source"})
    words = {"COMP_WORDS": "legacy-doctor cpu --cpu nehal", "COMP_CWORD": "3"}
    if shell == "fish":
        words["COMP_CWORD"] = "nehal"
    assert "nehalem" in complete(**words, **{variable: f"{shell}_complete"})


def test_the_table_of_projects_is_what_was_run() -> None:
    """Made by `python -m benchmarks.profiles --table`; every profile was run on every CPU."""
    runs = profiles.runs()

    assert report.table(profiles.every(), runs, CPUS) in README
    ran = {(run.profile, run.cpu) for run in runs}
    assert ran == {(name, cpu) for name in profiles.names() for cpu in CPUS}
