"""`legacy-doctor history`: what was done to an environment, and what of it is undone."""

from __future__ import annotations

import json
import re
from pathlib import Path

from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.steps import ABSENT, FileStep, Plan
from tests.cli.conftest import offline
from tests.cli.wards import Ward
from tests.conftest import Doctor, Site
from tests.report.test_json import VALIDATOR


def test_runs_are_told_with_what_became_of_them(ward: Ward, house: Path, doctor: Doctor) -> None:
    target = ("--python", str(ward.folder))
    fix = ("fix", "--apply", *target, "--cpu", "phenom-ii", "--probe", "none", *offline(house))
    assert doctor(*fix).code == 0
    assert doctor("undo", *target).code == 0

    answer = doctor("history", *target)
    document = json.loads(doctor("history", *target, "--format", "json").out)

    VALIDATOR.validate(document)
    rows = re.findall(r"^(\d)  +20\S+  (.+)$", answer.out, re.MULTILINE)
    assert rows == [
        ("1", "fix --apply, packages (undone by run 4)"),
        ("2", "fix --apply, 2 files (undone by run 3)"),
        ("3", "undid run 2, 2 files (applied)"),
        ("4", "undid run 1, packages (applied)"),
    ]
    assert [(run["packages"], run["undoes"]) for run in document["runs"]] == [
        (True, None),
        (False, None),
        (False, 2),
        (True, 1),
    ]
    assert document["runs"][1]["files"] == [
        str(ward.folder / "legacy-doctor-constraints.txt"),
        str(ward.folder / "pip.conf"),
    ]


def test_where_nothing_was_done_that_is_said_and_nothing_is_made(
    site: Site, doctor: Doctor
) -> None:
    target = ("--python", str(site.folder))

    answer = doctor("history", *target)
    document = json.loads(doctor("history", *target, "--format", "json").out)

    VALIDATOR.validate(document)
    assert (answer.code, answer.out) == (0, f"{site.folder}: nothing was done here\n")
    assert document["runs"] == []
    assert not (site.folder / ".legacy-doctor").exists()


def test_a_damaged_run_is_told_among_the_others(site: Site, doctor: Doctor) -> None:
    site.install("torch", "2.13.0", files={"torch/__init__.py": b""})
    target = ("--python", str(site.folder))
    for verb in ("apply", "revert"):
        assert doctor("patch", verb, "torch-onednn-off", *target).code == 0
    record = site.folder / ".legacy-doctor/runs/0001/plan.json"
    record.write_text(record.read_text()[:-20])

    answer = doctor("history", *target)
    document = json.loads(doctor("history", *target, "--format", "json").out)

    VALIDATOR.validate(document)
    flat = " ".join(answer.out.split())
    assert answer.code == 0
    assert re.search(r"1 damaged: \S+runs/0001/plan.json: truncated, or edited by hand", flat)
    assert "patch revert torch-onednn-off" in flat
    assert [run["state"] for run in document["runs"]] == ["damaged", "applied"]


def test_a_run_that_was_cut_off_says_what_ends_it(site: Site, doctor: Doctor) -> None:
    """Begun, and never carried out: as a power cut leaves it."""
    journal = Journal(site.folder)
    step = FileStep(site.packages / "new.py", ABSENT, b"", None, "a patch")
    with journal.lock(command="fix --apply"):
        journal.begin(Plan((step,)), command="fix --apply")
    target = ("--python", str(site.folder))

    told = " ".join(doctor("history", *target).out.split())
    doctor("fix", *target, "--cpu", "phenom-ii", "--probe", "none")
    after = doctor("history", *target).out

    assert "interrupted: the next fix, patch or undo brings it to an end" in told
    assert "interrupted" not in after
