"""`legacy-doctor run`: the user's own command, and a report when it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Doctor, Wheels, clean


@pytest.mark.parametrize(
    ("words", "code", "out"),
    [
        pytest.param(["-c", "print('hi')"], 0, "hi\n", id="it-ends-well"),
        pytest.param(["-c", "import sys; sys.exit(7)"], 7, "", id="its-own-status"),
        pytest.param(["-c", "raise SystemExit('why')"], 1, "", id="a-message"),
        pytest.param(["-c", "import sys; print(sys.argv)", "-x"], 0, "['-c', '-x']\n", id="argv"),
        pytest.param(["-I", "-m", "base64", "-t"], 0, "b'Aladdin:open sesame'", id="a-module"),
    ],
)
def test_a_python_program_runs_as_without_us(
    words: list[str], code: int, out: str, doctor: Doctor
) -> None:
    answer = doctor("run", "--", sys.executable, *words)

    assert answer.code == code
    assert answer.out.startswith(out)


def test_a_death_is_told_on_stderr_and_in_a_file(doctor: Doctor, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text("import ctypes\ndef f():\n    ctypes.string_at(0)\nprint('on')\nf()\n")

    answer = doctor("run", "--report", "fault.json", sys.executable, "app.py")

    assert (answer.code, answer.out) == (1, "on\n"), "the signal does not leak as an exit code"
    assert "SIGSEGV" in answer.err
    assert "app.py:3" in answer.err
    report = json.loads((tmp_path / "fault.json").read_text())
    assert report["argv"] == [sys.executable, "app.py"]
    assert report["result"]["outcome"] == "segmentation-fault"
    assert report["result"]["fault"]["frames"][-2]["function"] == "f"


def test_no_report_is_written_where_nothing_died(doctor: Doctor, tmp_path: Path) -> None:
    doctor("run", "--report", "fault.json", sys.executable, "-c", "raise ValueError")

    assert not (tmp_path / "fault.json").exists()


def test_another_program_is_told_by_its_signal(doctor: Doctor) -> None:
    answer = doctor("run", "--", "sh", "-c", "echo out; kill -SEGV $$")

    assert (answer.code, answer.out) == (1, "out\n")
    assert "SIGSEGV" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["no-such-command"], "no-such-command: no such command", id="not-on-path"),
        pytest.param(["/etc/passwd"], "/etc/passwd: no such command", id="not-a-program"),
        pytest.param([], "Missing argument", id="nothing"),
        pytest.param(["--cpu", "phenm", "ls"], "did you mean", id="an-unknown-cpu"),
        pytest.param(["--cpu", "skylake-server", "ls"], "TCG has no AVX-512", id="unplayable"),
    ],
)
def test_what_cannot_be_started_is_one_clear_line(
    words: list[str], message: str, doctor: Doctor
) -> None:
    answer = doctor("run", *words)

    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.qemu
@pytest.mark.wheels
def test_under_an_emulated_cpu_the_culprit_is_named(
    wheels: Wheels, doctor: Doctor, qemu: Path, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("def load():\n    import pandas\nload()\n")
    python = str(wheels.deadly / "bin/python")

    answer = doctor("run", "--cpu", "phenom-ii", "--", python, "app.py")

    assert answer.code == 1
    for word in ("SIGILL", "`pinsrq` needs SSE4.1", "owner        numpy", "app.py:2"):
        assert word in answer.err


@pytest.mark.qemu
@pytest.mark.wheels
def test_a_console_script_is_python_too(wheels: Wheels, doctor: Doctor, qemu: Path) -> None:
    answer = doctor("run", "--cpu", "phenom-ii", "--", str(wheels.deadly / "bin/pip"), "--version")

    assert answer.code == 0, answer.err
    assert answer.out.startswith("pip ")


@pytest.mark.qemu
def test_what_chooses_kernels_is_unset_and_said(doctor: Doctor, qemu: Path) -> None:
    script = "import os; print(os.environ.get('OPENBLAS_CORETYPE'), os.environ.get('KEPT'))"
    env = {"OPENBLAS_CORETYPE": "Haswell", "KEPT": "yes"}

    emulated = doctor("run", "--cpu", "nehalem", "--", sys.executable, "-c", script, env=env)
    native = doctor("run", "--", sys.executable, "-c", script, env=env)

    assert emulated.out == "None yes\n"
    assert "OPENBLAS_CORETYPE is unset for the emulated CPU" in emulated.err
    assert native.out == "Haswell yes\n"


def test_ctrl_c_reaches_the_command_and_ends_with_130(tmp_path: Path) -> None:
    script = "import time\nprint('ready', flush=True)\ntime.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-m", "legacy_doctor", "run", sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == 130
    assert time.monotonic() - started < 20
