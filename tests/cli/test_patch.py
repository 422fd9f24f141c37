"""`legacy-doctor patch`: what there is, how an environment stands to it, and single ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from legacy_doctor.knowledge import patches
from tests.cli.wards import copied, recorded, spelt
from tests.conftest import Doctor, Site
from tests.report.test_json import VALIDATOR

STUB = "torch/_dynamo/variables/builtin.py"
TORCH_INIT = b"import builtins\n"


@pytest.mark.torch
def test_the_write_ups_patch_is_applied_once_and_reverted_to_the_byte(
    torch_environment: Path, doctor: Doctor, tmp_path: Path
) -> None:
    """On the installed torch 2.13.0."""
    ward = copied(torch_environment, tmp_path / "venv")
    file = ward.packages / STUB
    words = ("torch-dynamo-stub", "--python", str(ward.folder))
    released = recorded(ward, "torch", STUB)
    assert spelt(file) == released

    shown = doctor("patch", "apply", *words, "--diff")
    assert shown.code == 0
    assert f"+++ b/{file.relative_to(ward.folder)}" in shown.out
    assert spelt(file) == released, "nothing but shown"

    applied = doctor("patch", "apply", *words)
    assert applied.code == 0, applied.err
    assert "1 file changed, journaled as run 1 (legacy-doctor undo 1)" in applied.out
    patched = file.read_text("utf-8")
    compile(patched, str(file), "exec")
    assert "legacy-doctor" in patched
    assert _state(doctor, ward.folder, "torch-dynamo-stub") == "applied"

    again = doctor("patch", "apply", *words)
    assert (again.code, again.out) == (0, f"{ward.folder}: nothing to do, it is so already\n")
    assert file.read_text("utf-8") == patched

    reverted = doctor("patch", "revert", *words)
    assert (reverted.code, reverted.err) == (0, "")
    assert spelt(file) == released
    assert _state(doctor, ward.folder, "torch-dynamo-stub") == "applicable"
    assert "nothing to do" in doctor("patch", "revert", *words).out


def _state(doctor: Doctor, folder: Path, name: str) -> str:
    answer = doctor("patch", "status", "--python", str(folder), "--format", "json")
    document = json.loads(answer.out)
    VALIDATOR.validate(document)
    (state,) = [item["state"] for item in document["patches"] if item["id"] == name]
    assert isinstance(state, str)
    return state


def test_a_distribution_is_added_and_taken_away(site: Site, doctor: Doctor) -> None:
    site.install("torch", "2.13.0", files={"torch/__init__.py": TORCH_INIT})
    words = ("torch-onednn-off", "--python", str(site.folder))
    before = sorted(site.packages.rglob("*"))

    assert _state(doctor, site.folder, "torch-onednn-off") == "applicable"
    assert doctor("patch", "apply", *words).code == 0
    assert _state(doctor, site.folder, "torch-onednn-off") == "applied"
    assert doctor("patch", "revert", *words).code == 0

    assert [path for path in sorted(site.packages.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]


def test_what_an_older_run_interrupted_is_told_on_stderr(site: Site, doctor: Doctor) -> None:
    site.install("torch", "2.13.0", files={"torch/__init__.py": TORCH_INIT})
    words = ("torch-onednn-off", "--python", str(site.folder))
    assert doctor("patch", "apply", *words).code == 0
    (site.folder / ".legacy-doctor/runs/0001").rename(site.folder / ".legacy-doctor/runs/.0002.new")

    answer = doctor("patch", "apply", *words)

    assert answer.code == 0
    assert "run 2 was interrupted before it was written down" in answer.err


def test_it_is_told_even_where_no_plan_can_be_made(site: Site, doctor: Doctor) -> None:
    site.install("torch", "2.13.0", files={"torch/__init__.py": TORCH_INIT})
    target = ("--python", str(site.folder))
    assert doctor("patch", "apply", "torch-onednn-off", *target).code == 0
    (site.folder / ".legacy-doctor/runs/0001").rename(site.folder / ".legacy-doctor/runs/.0002.new")

    answer = doctor("fix", *target, "--cpu", "phenom-ii", "--probe", "none", "--only", "nothing")

    assert answer.code == 2
    assert "run 2 was interrupted before it was written down" in answer.err
    assert "error: nothing: no such step" in answer.err


def test_all_are_listed(doctor: Doctor) -> None:
    answer = doctor("patch", "list")
    document = json.loads(doctor("patch", "list", "--format", "json").out)

    VALIDATOR.validate(document)
    assert answer.code == 0
    assert [item["id"] for item in document["patches"]] == [item.id for item in patches.every()]
    for patch in patches.every():
        assert patch.id in answer.out
    assert "offered, not recommended" in " ".join(answer.out.split())


@pytest.mark.parametrize("name", [item.id for item in patches.every()])
def test_each_tells_its_price_and_its_evidence(name: str, doctor: Doctor) -> None:
    told = " ".join(doctor("patch", "show", name).out.split())
    document = json.loads(doctor("patch", "show", name, "--format", "json").out)

    VALIDATOR.validate(document)
    patch = patches.find(name)
    assert told.startswith(f"{name}: ")
    for text in (patch.cost, *patch.dangers, patch.evidence[0].source):
        assert " ".join(text.split()) in told
    assert document["patch"]["cost"] == patch.cost


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ["apply", "torch-dynamo-stubb"],
            "no patch 'torch-dynamo-stubb'; did you mean 'torch-dynamo-stub'?",
            id="unknown",
        ),
        pytest.param(["show", "x"], "no patch 'x'", id="unknown, to be shown"),
        pytest.param(
            ["apply", "torch-dynamo-stub"], "absent: torch is not installed", id="not installed"
        ),
        pytest.param(
            ["revert", "torch-dynamo-stub"],
            "absent: torch is not installed",
            id="not installed, to be reverted",
        ),
        pytest.param(
            ["apply", "mel-on-gpu"],
            "changes no file: it acts at import time",
            id="nothing for a file",
        ),
        pytest.param(
            ["apply", "no-build-isolation", "--source", "nowhere.tar.gz"],
            "nowhere.tar.gz: no such folder or archive",
            id="nothing to build",
        ),
        pytest.param(
            ["apply", "torch-dynamo-stub", "--source", "."],
            "--source is for a patch that builds; torch-dynamo-stub does not",
            id="a source for what builds nothing",
        ),
    ],
)
def test_bad_input_gets_one_line_and_changes_nothing(
    words: list[str], told: str, site: Site, doctor: Doctor
) -> None:
    before = sorted(site.folder.rglob("*"))
    target = [] if words[0] == "show" else ["--python", str(site.folder)]

    answer = doctor("patch", *words, *target)

    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert answer.err.count("\n") == 1
    assert sorted(site.folder.rglob("*")) == before


def test_a_file_that_drifted_is_never_touched(site: Site, doctor: Doctor) -> None:
    site.install("torch", "2.13.0", files={STUB: b"x = 1\n"})
    (site.packages / STUB).write_text("x = 2\n")

    answer = doctor("patch", "apply", "torch-dynamo-stub", "--python", str(site.folder))

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
    assert (site.packages / STUB).read_text() == "x = 2\n"
