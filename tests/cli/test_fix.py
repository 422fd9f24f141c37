"""`legacy-doctor fix`: from the diagnosis to an environment that works, and back."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.treatment.journal import Journal
from tests.cli.conftest import offline
from tests.cli.wards import Ward, copied, wheel
from tests.conftest import ROOT, Answer, Doctor, Site, Wheels, clean, lacking
from tests.report.test_json import VALIDATOR

CPU = ("--cpu", "phenom-ii")
PHENOM = ("-cpu", "phenom")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.qemu
@pytest.mark.wheels
def test_a_deadly_environment_is_cured_stays_cured_and_comes_back_byte_for_byte(
    hospital: Path, doctor: Doctor, qemu: Path, tmp_path: Path
) -> None:
    ward = copied(hospital, tmp_path / "venv")
    target = ("--python", str(ward.folder))
    before, frozen = ward.bytes(), ward.pip("freeze")
    emulated = [str(qemu), *PHENOM]
    everything = "import pandas, scipy, transformers, datasets"

    died = ward.run("-c", everything, under=emulated)
    plan = doctor("fix", *target, *CPU)

    assert died.returncode == -4, "as it came from pip"
    assert (plan.code, plan.err) == (1, "")
    assert "Nothing was changed." in plan.out
    assert "Do it:" in plan.out
    assert ward.bytes() == before
    assert not ward.journal().exists()

    applied = doctor("fix", "--apply", *target, *CPU)
    cured = ward.bytes()

    assert applied.code == 0, applied.out + applied.err
    assert "Done, and journaled as runs 1, 2" in applied.out
    assert doctor("check", *target, *CPU, "--probe", "risky").code == 0
    lives = ward.run("-c", everything, under=emulated)
    assert lives.returncode == 0, lives.stderr

    again = doctor("fix", "--apply", *target, *CPU)

    assert again.code == 0
    assert "nothing to do" in again.out
    assert ward.bytes() == cured

    ward.pip("install", "-q", "-U", "numpy", "pandas")

    assert ward.versions()["numpy"].startswith("2.3.")
    assert ward.bytes() == cured

    undone = doctor("undo", *target)

    assert undone.code == 0, undone.err
    assert "runs 2 and 1 undone" in undone.out
    assert ward.pip("freeze") == frozen
    assert ward.bytes() == before


@pytest.mark.qemu
@pytest.mark.wheels
def test_the_same_with_uv_and_its_cache_is_not_written_through(
    doctor: Doctor, qemu: Path, tmp_path: Path
) -> None:
    """uv links the files of its cache into an environment: they are replaced, never edited."""
    wheels = ("numpy==2.4.6", "pandas==3.1.1", "pyarrow==26.0.1")
    uv = Path(sys.executable).with_name("uv")
    cache = Path(os.environ["UV_CACHE_DIR"]) if "UV_CACHE_DIR" in os.environ else _uv_cache(uv)
    ward, second = Ward(tmp_path / "venv"), Ward(tmp_path / "second")
    for folder in (ward, second):
        _run(uv, "venv", "-q", "--python", sys.executable, str(folder.folder))
        _run(uv, "pip", "install", "-q", "--python", str(folder.python), *wheels)
    before, twin = ward.bytes(), second.bytes()
    cached = _large(cache)
    target = ("--python", str(ward.folder))

    applied = doctor("fix", "--apply", *target, *CPU)

    assert applied.code == 0, applied.out + applied.err
    assert "uv pip install --python" in applied.out
    assert "export UV_CONSTRAINT=" in " ".join(applied.out.split())
    lives = ward.run("-c", "import pandas", under=[str(qemu), *PHENOM])
    assert lives.returncode == 0, lives.stderr
    assert doctor("fix", "--apply", *target, *CPU, "--probe", "none").out.count("nothing to do")
    assert doctor("undo", *target).code == 0
    assert ward.bytes() == before
    assert second.bytes() == twin
    assert {path: _large_state(path) for path in cached} == cached


def _uv_cache(uv: Path) -> Path:
    return Path(_run(uv, "cache", "dir").strip())


def _run(*words: Path | str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env=clean(os.environ),
    )
    if done.returncode:
        lacking("wheels", f"{words[0]}: {done.stderr[-300:]}")
    return done.stdout


def _large(cache: Path) -> dict[Path, tuple[int, int, str]]:
    """What the unpacked wheels of numpy in uv's cache hold."""
    infos = cache.glob("archive-v*/*/numpy-2.4.6.dist-info")
    files = (path for info in infos for path in info.parent.rglob("*") if path.is_file())
    return {path: _large_state(path) for path in files}


def _large_state(path: Path) -> tuple[int, int, str]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()


# --- torch


LSTM = "import torch; torch.nn.LSTM(8, 8)(torch.ones(4, 2, 8)); print('lives')"
CONV = "import torch; torch.nn.Conv1d(4, 8, 3)(torch.ones(2, 4, 32)); print('lives')"
SWITCH = "import torch; print(torch._C._get_mkldnn_enabled())"
WORKER = f"""
import multiprocessing, sys

def work():
    exec({LSTM!r})
    exec({CONV!r})

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    context.set_executable(sys.argv[1])
    worker = context.Process(target=work)
    worker.start()
    worker.join()
    sys.exit(worker.exitcode)
"""


@pytest.mark.torch
@pytest.mark.qemu
def test_torch_works_where_onednn_cannot_and_keeps_it_where_it_can(
    torch_environment: Path, torch_needs: Path, doctor: Doctor, qemu: Path, tmp_path: Path
) -> None:
    ward = copied(torch_environment, tmp_path / "venv")
    target = ("--python", str(ward.folder))
    emulated = [str(qemu), *PHENOM]
    env = {"PYTHONPATH": str(torch_needs)}
    before = ward.bytes()

    dead = ward.run("-c", LSTM, under=emulated, env=env)
    refused = ward.run("-c", CONV, under=emulated, env=env)
    applied = doctor("fix", "--apply", *target, *CPU, "--patches-only", "--probe", "none")

    assert dead.returncode == -4
    assert "could not create a primitive" in refused.stderr
    assert "Done, and journaled as run 1." in applied.out, applied.err
    assert "patch:torch-onednn-off" in applied.out
    assert applied.code == 0, "what is treated is no error any more"
    look = doctor("check", *target, *CPU, "-v")
    assert look.code == 0
    assert "[i] torch 2.13.0+cpu  legacy-doctor-torch-guard 1.0 is installed; without" in look.out
    both = f"{LSTM}\n{CONV}"
    lives = ward.run("-c", both, under=emulated, env=env)
    assert lives.stdout == "lives\nlives\n", lives.stderr
    # A child of an emulated process runs on the real CPU, unless it is emulated in its turn.
    python = tmp_path / "emulated"
    python.write_text(f'#!/bin/sh\nexec {" ".join(emulated)} {ward.python} "$@"\n')
    python.chmod(0o755)
    program = tmp_path / "program.py"
    program.write_text(WORKER)
    spawned = ward.run(str(program), str(python), under=emulated, env=env)
    assert (spawned.returncode, spawned.stdout) == (0, "lives\nlives\n"), spawned.stderr
    assert ward.run("-c", SWITCH, env=env).stdout == "True\n"
    assert "legacy-doctor-torch-guard" in ward.versions()

    undone = doctor("undo", *target)

    assert undone.code == 0, undone.err
    assert ward.bytes() == before


# --- what may be chosen


def _fix(doctor: Doctor, ward: Ward, *words: str) -> dict[str, Any]:
    answer = doctor(
        *("fix", "--python", str(ward.folder), *CPU, "--probe", "none", "--format", "json"), *words
    )
    assert answer.code in {0, 1}, answer.err
    document: dict[str, Any] = json.loads(answer.out)
    VALIDATOR.validate(document)
    return document


@pytest.mark.wheels
def test_what_waits_for_a_build_gets_it_here_and_it_is_undone(
    wheels: Wheels, doctor: Doctor, tmp_path: Path
) -> None:
    """The real monotonic_align, built with real Cython against the numpy that is pinned here."""
    ward = copied(wheels.last_good, tmp_path / "venv")
    house = wheel(tmp_path / "house", "speech", "1.0", requires=["monotonic-align"]).parent
    ward.pip("install", "-q", "--no-deps", "--no-index", "--find-links", str(house), "speech")
    before = ward.bytes()
    words = ("--python", str(ward.folder), *CPU, "--probe", "none")

    plan = doctor("fix", *words)
    shown = doctor("patch", "apply", "no-build-isolation", "--python", str(ward.folder), "--diff")

    assert plan.code == 1, plan.err
    assert "--no-build-isolation --no-deps monotonic-align" in " ".join(plan.out.split())
    assert shown.out.splitlines()[-1] in " ".join(plan.out.split())
    assert ward.bytes() == before

    applied = doctor("fix", "--apply", *words)

    assert applied.code == 0, applied.out + applied.err
    versions = ward.versions()
    assert versions["numpy"] == "2.3.5", "the pinned one is left as it is"
    assert list((ward.packages / "monotonic_align").glob("core*.so"))
    assert "nothing to do" in doctor("fix", "--apply", *words).out

    doctor("undo", "--python", str(ward.folder))

    assert ward.bytes() == before


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        pytest.param([], ["packages", "pins"], id="all"),
        pytest.param(["--only", "packages"], ["packages"], id="only packages"),
        pytest.param(["--only", "numpy"], ["packages"], id="only a distribution"),
        pytest.param(["--skip", "numpy"], ["pins"], id="without a distribution"),
        pytest.param(["--skip", "pins"], ["packages"], id="without pins"),
        pytest.param(["--skip", "pins", "--skip", "packages"], [], id="without anything"),
        pytest.param(["--pins-only"], ["packages", "pins"], id="no patches"),
        pytest.param(["--patches-only"], [], id="nothing but patches"),
    ],
)
def test_what_is_chosen_is_planned(
    words: list[str], steps: list[str], ward: Ward, doctor: Doctor
) -> None:
    document = _fix(doctor, ward, *words)

    assert [step["id"] for step in document["steps"]] == steps
    assert not document["applied"]
    untreated = [item["subject"] for item in document["untreated"]]
    assert ("numpy" in untreated) is ("packages" not in steps)


def test_the_plan_tells_all_that_will_be_run_and_written(
    ward: Ward, house: Path, doctor: Doctor
) -> None:
    document = _fix(doctor, ward, *offline(house))

    packages, pins = document["steps"]
    (command,) = packages["commands"]
    assert command.startswith(f"{ward.python} -I -B -m pip install --only-binary=:all: --no-index")
    assert command.endswith("'numpy<2.4' pandas")
    assert pins["files"] == [
        str(ward.folder / "legacy-doctor-constraints.txt"),
        str(ward.folder / "pip.conf"),
    ]
    assert "+++ b/pip.conf" in pins["diff"]
    assert "+numpy<2.4" in pins["diff"]
    assert document["probes"] == ["numpy", "pandas"]


def test_the_outcome_is_a_diagnosis(ward: Ward, house: Path, doctor: Doctor) -> None:
    document = _fix(doctor, ward, "--apply", *offline(house))

    assert document["runs"] == [1, 2]
    assert document["outcome"]["status"] == "healthy"
    assert "numpy" in _errors(document["findings"])
    assert _errors(document["outcome"]["findings"]) == []


def _errors(findings: list[dict[str, Any]]) -> list[str]:
    return [item["subject"] for item in findings if item["severity"] == "error"]


def test_a_diff_is_shown_on_demand(ward: Ward, doctor: Doctor) -> None:
    words = ("fix", "--python", str(ward.folder), *CPU, "--probe", "none")

    assert "+++ b/pip.conf" not in doctor(*words).out
    shown = doctor(*words, "--diff").out
    assert "    +++ b/pip.conf\n" in shown
    assert "    +[install]\n" in shown


# --- what goes wrong


def _refused(answer: Answer, *told: str) -> None:
    assert (answer.code, answer.out) == (2, "")
    for text in told:
        assert text in answer.err
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ["--only", "nunpy"], "nunpy: no such step or distribution", id="an unknown step"
        ),
        pytest.param(
            ["--skip", "patch:torch-onednn-of"],
            "patch:torch-onednn-of: no such step",
            id="a step that is not in this plan",
        ),
        pytest.param(
            ["--pins-only", "--patches-only"], "leave nothing to do", id="neither the one nor other"
        ),
        pytest.param(["--cpu", "phenm"], "did you mean 'phenom'", id="an unknown CPU"),
        pytest.param(["--python", "a-file"], "a-file", id="a target that is a file"),
        pytest.param(
            ["--no-index", "--find-links", "empty"],
            "pip: ",
            id="a resolver that finds nothing",
        ),
    ],
)
def test_bad_input_gets_one_line_and_changes_nothing(
    words: list[str], told: str, ward: Ward, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "a-file").write_text("no interpreter")
    (tmp_path / "empty").mkdir()
    before = ward.bytes()

    answer = doctor(
        *("fix", "--apply", "--python", str(ward.folder), *CPU, "--probe", "none"), *words
    )

    _refused(answer, told)
    assert ward.bytes() == before
    assert "no run" not in doctor("history", "--python", str(ward.folder)).out


def test_requirements_that_cannot_be_met_together_leave_all_as_it_was(
    bare: Path, doctor: Doctor, tmp_path: Path
) -> None:
    """What requires a broken version cannot move, so nothing does."""
    house = tmp_path / "house"
    for version in ("2.4.6", "2.3.5"):
        wheel(house, "numpy", version)
    wheel(house, "stubborn", "1.0", requires=["numpy>=2.4"])
    ward = copied(bare, tmp_path / "venv")
    ward.pip("install", "-q", *offline(house), "stubborn")
    before = ward.bytes()

    answer = doctor(
        *("fix", "--apply", "--python", str(ward.folder), *CPU, "--probe", "none", *offline(house))
    )

    _refused(answer, "pip: Cannot install", "stubborn 1.0 depends on numpy>=2.4")
    assert ward.bytes() == before


def test_an_environment_that_somebody_else_treats_is_left_to_him(
    ward: Ward, house: Path, doctor: Doctor
) -> None:
    before = ward.bytes()
    words = ("fix", "--apply", "--python", str(ward.folder), *CPU, "--probe", "none")

    with Journal(ward.folder).lock(command="fix of the test"):
        answer = doctor(*words, *offline(house))

    _refused(answer, f"being treated by process {os.getpid()} (fix of the test)")
    assert ward.bytes() == before
    assert doctor(*words, *offline(house)).code == 0


def test_an_interpreter_that_its_system_manages_is_refused(doctor: Doctor) -> None:
    marked = sorted(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED"))
    if not marked:
        lacking("pythons", "no EXTERNALLY-MANAGED Python in /usr")

    answer = doctor("fix", "--apply", "--python", "/usr/bin/python3", *CPU, "--probe", "none")

    _refused(answer, "managed by its system", "--break-system-packages")


_ALONE = """
import sys
sys.executable = "/nowhere/python"  # no uv lies beside it
from legacy_doctor.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def test_without_pip_and_uv_it_is_said_what_to_do(site: Site, tmp_path: Path) -> None:
    site.install("numpy", "2.4.6")

    done = subprocess.run(
        [sys.executable, "-c", _ALONE, "fix", "--python", str(site.folder), "--probe", "none"],
        capture_output=True,
        text=True,
        check=False,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT), "PATH": str(tmp_path)},
    )

    answer = Answer(done.returncode, done.stdout, done.stderr)
    _refused(answer, "there is no pip in it, and no uv was found", "-m ensurepip")


@pytest.mark.parametrize("survives", [False, True], ids=["killed with it", "left to itself"])
def test_killed_while_the_installer_works_the_next_command_goes_back(
    survives: bool, ward: Ward, house: Path, doctor: Doctor
) -> None:
    before = ward.bytes()
    target = ("--python", str(ward.folder))
    words = ("fix", "--apply", *target, *CPU, "--probe", "none", *offline(house))
    child = subprocess.Popen(
        [sys.executable, "-m", "legacy_doctor", *words],
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    installer = _installer_of(child.pid, ward.journal() / "runs/0001/installer")
    child.kill()
    child.wait()
    if not survives:
        os.kill(installer, signal.SIGKILL)

    history = json.loads(doctor("history", *target, "--format", "json").out)
    answer = doctor("undo", *target)
    while survives and "still at work" in answer.err:
        time.sleep(0.2)
        answer = doctor("undo", *target)

    VALIDATOR.validate(history)
    assert [run["state"] for run in history["runs"]] == ["planned"]
    assert answer.code == 0, answer.err
    assert "run 1 (fix --apply) was interrupted while it changed packages: it was taken back" in (
        " ".join(answer.out.split())
    )
    assert "nothing more to undo" in answer.out
    assert ward.bytes() == before
    assert doctor(*words).code == 0


def _installer_of(pid: int, working: Path) -> int:
    """Wait until the installer of a fix is at work, and return its process."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = children.read_text().split()
        if working.exists() and found:
            return int(found[0])
        time.sleep(0.002)
    raise AssertionError("no installer was started")
