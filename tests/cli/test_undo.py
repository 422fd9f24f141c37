"""`legacy-doctor undo`: back to the last byte, both halves of a fix or none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import offline
from tests.cli.wards import Ward
from tests.conftest import Doctor
from tests.report.test_json import VALIDATOR

FIX = ("fix", "--apply", "--cpu", "phenom-ii", "--probe", "none")


@pytest.fixture
def treated(ward: Ward, house: Path, doctor: Doctor) -> Ward:
    """An environment that was fixed: run 1 changed packages, run 2 pins."""
    answer = doctor(*FIX, "--python", str(ward.folder), *offline(house))
    assert answer.code == 0, answer.err
    return ward


@pytest.fixture
def undo(treated: Ward, doctor: Doctor) -> Doctor:
    return lambda *words: doctor("undo", "--python", str(treated.folder), *words)


def test_packages_and_files_come_back_together(
    ward: Ward, house: Path, doctor: Doctor, tmp_path: Path
) -> None:
    before = ward.bytes()
    target = ("--python", str(ward.folder))
    assert doctor(*FIX, *target, *offline(house)).code == 0
    assert ward.bytes() != before

    answer = doctor("undo", *target)

    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        f"{ward.folder}: runs 2 and 1 undone\n"
        "(to take that back: legacy-doctor undo 4, then legacy-doctor undo 3)\n"
    )
    assert ward.bytes() == before


def test_an_undo_can_be_undone(treated: Ward, undo: Doctor) -> None:
    cured = treated.bytes()
    assert undo().code == 0
    assert treated.versions()["numpy"] == "2.4.6"

    for number in ("4", "3"):
        answer = undo(number)
        assert (answer.code, answer.err) == (0, "")

    assert treated.versions()["numpy"] == "2.3.5"
    assert treated.bytes() == cured


def test_one_run_can_be_named(treated: Ward, undo: Doctor) -> None:
    assert undo("2").code == 0
    assert treated.versions()["numpy"] == "2.4.6", "the packages of the same fix go with it"


def test_it_tells_programs_what_it_did(treated: Ward, undo: Doctor) -> None:
    document = json.loads(undo("--format", "json").out)

    VALIDATOR.validate(document)
    assert (document["undone"], document["runs"], document["remarks"]) == ([2, 1], [3, 4], [])
    assert document["prefix"] == str(treated.folder)


def test_what_drifted_since_is_named_and_nothing_is_done(treated: Ward, undo: Doctor) -> None:
    """A file of a package, then one of ours: not even the other half of the fix is undone."""
    for path in (treated.packages / "numpy/__init__.py", treated.folder / "pip.conf"):
        content = path.read_text()
        path.write_text(f"{content}# mine\n")
        before = treated.bytes()

        answer = undo()

        assert (answer.code, answer.out) == (2, "")
        assert str(path) in answer.err
        assert "nothing was done" in answer.err
        assert answer.err.count("\n") == 1
        assert treated.bytes() == before
        path.write_text(content)


def test_a_damaged_half_keeps_the_other_in_place(treated: Ward, undo: Doctor) -> None:
    (treated.journal() / "runs/0001/plan.json").write_text("{")
    before = treated.bytes()

    answer = undo()

    assert (answer.code, answer.out) == (2, "")
    assert "runs/0001/plan.json: truncated, or edited by hand" in answer.err
    assert answer.err.count("\n") == 1
    assert treated.bytes() == before


def test_a_bad_number_gets_one_line(treated: Ward, undo: Doctor) -> None:
    before = treated.bytes()
    problems = {
        "99": "no run 99; there are runs 1 to 2",
        "0": "0 is not in the range",
        "two": "'two' is not a valid integer",
    }

    for word, problem in problems.items():
        answer = undo(word)
        assert (answer.code, answer.out) == (2, "")
        assert problem in answer.err
        assert answer.err.count("\n") == 1
    assert treated.bytes() == before


def test_what_is_undone_already_is_said(treated: Ward, undo: Doctor) -> None:
    assert undo().code == 0

    assert "undone by run 3" in undo("2").err
    assert "nothing to undo" in undo().err


def test_where_nothing_was_done_there_is_nothing_to_undo(ward: Ward, doctor: Doctor) -> None:
    answer = doctor("undo", "--python", str(ward.folder))

    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {ward.folder}: nothing to undo\n"


_KILLED = """
import os, signal, sys
from legacy_doctor.treatment import run
def killed(self):
    os.kill(os.getpid(), signal.SIGKILL)
run.Run.apply = killed
from legacy_doctor.cli.main import run as main
sys.exit(main(sys.argv[1:]))
"""


def test_what_an_interrupted_fix_left_is_brought_to_an_end_first(
    ward: Ward, house: Path, doctor: Doctor
) -> None:
    """Killed when everything is installed, before the run says so: it is finished, then undone."""
    before = ward.bytes()
    target = ("--python", str(ward.folder))
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, *FIX, *target, *offline(house)], check=False
    )
    assert killed.returncode == -9

    answer = doctor("undo", *target)

    assert answer.code == 0, answer.err
    assert (
        "run 1 (fix --apply) was interrupted when its packages were changed: it was finished"
        in (answer.out)
    )
    assert "run 1 undone" in answer.out
    assert ward.bytes() == before
