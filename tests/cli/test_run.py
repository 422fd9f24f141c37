"""`legacy-doctor run`: the user's own command, and a report when it dies."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Doctor, Site, Wheels, clean


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


# --- armed for once


PINS = """
schema = 1
id = "mine"
version = "2026-11-26"
title = "CPUs without 3DNow!, which none made since 2011 has"
[target]
lacks = ["3dnow"]
[[pins]]
distribution = "deadly"
broken = ">=2"
good = "<2"
needs = ["3dnow"]
symptom = "SIGILL"
evidence = [{ grade = "silicon", source = "this test" }]
"""
TELL = "import deadly, sys; print([p for p in sys.path if 'legacy-doctor-hook' in p])"


@pytest.fixture
def armory(site: Site, tmp_path: Path) -> Site:
    """An environment with a module that dies on this CPU, by the word of a pin-set of one's own."""
    site.install("deadly", "2.1", files={"deadly/__init__.py": b"alive = True\n"})
    (tmp_path / "mine.toml").write_text(PINS)
    (tmp_path / "legacy-doctor.toml").write_text('pinset-path = ["mine.toml"]\n')
    return site


def test_a_command_is_armed_for_once_and_nothing_is_left_behind(
    armory: Site, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    env = {"TMPDIR": str(tmp_path / "tmp")}
    before = sorted(armory.folder.rglob("*"))

    armed = doctor("run", "--", str(armory.python), "-c", "import deadly", env=env)
    unarmed = doctor("run", "--no-arm", "--", str(armory.python), "-c", TELL, env=env)

    assert armed.code == 1
    assert "CpuFeatureError: deadly 2.1 would kill this process: this CPU (" in armed.err
    assert (unarmed.code, unarmed.out) == (0, "[]\n"), unarmed.err
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [p for p in sorted(armory.folder.rglob("*")) if "__pycache__" not in str(p)] == before


def test_the_program_sees_its_own_path_and_the_sitecustomize_that_is_there(
    armory: Site, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/sitecustomize.py").write_text("import sys\nsys.mine = True\n")
    code = f"import sys, subprocess; print(sys.mine); {TELL.replace('deadly, ', '')}\n"
    child = "subprocess.run([sys.executable, '-c', 'import deadly'])"
    env = {"PYTHONPATH": os.pathsep.join((str(tmp_path / "mine"), str(ROOT)))}

    answer = doctor("run", "--", str(armory.python), "-c", code + child, env=env)

    assert answer.out == "True\n[]\n", answer.err
    assert "CpuFeatureError" in answer.err, "its children are armed too"


def test_a_shim_is_armed_for_once(armory: Site, doctor: Doctor) -> None:
    files = {"torch/__init__.py": b"from torch import serialization\n"}
    files["torch/serialization.py"] = b"def load(f, weights_only=None):\n    return weights_only\n"
    armory.install("torch", "2.13.0", files=files)
    model = armory.folder / "model.pt"
    model.write_bytes(pickle.dumps({"w": [0.5]}))
    code = f"import torch; print(torch.serialization.load({str(model)!r}))"

    answer = doctor("run", "--load-file", str(model), str(armory.python), "-c", code)

    assert (answer.code, answer.out) == (0, "False\n"), answer.err


@pytest.mark.qemu
def test_an_emulated_command_is_armed_where_that_is_asked_for(
    site: Site, doctor: Doctor, qemu: Path
) -> None:
    site.install("numpy", "2.4.6", files={"numpy/__init__.py": b""})
    words = ("--cpu", "phenom-ii", str(site.python), "-c", "import numpy")

    assert doctor("run", *words).code == 0, "to see it die, were it the real one"
    armed = doctor("run", "--arm", *words)
    assert armed.code == 1
    assert "numpy 2.4.6 would kill this process" in armed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--arm", "sh", "-c", "true"], "no Python program", id="another program"),
        pytest.param(
            ["--arm", "PYTHON", "-I", "-c", "pass"], "-I keeps Python from", id="isolated"
        ),
        pytest.param(
            ["--arm", "python9", "-c", "pass"], "python9: no such command", id="no command"
        ),
        pytest.param(
            ["--no-arm", "--shim", "mel-on-gpu", "PYTHON", "-c", "pass"],
            "--no-arm leaves nothing",
            id="a shim and no hook",
        ),
        pytest.param(
            ["--shim", "mel", "PYTHON", "-c", "pass"], "no shim 'mel'", id="an unknown shim"
        ),
    ],
)
def test_what_cannot_be_armed_is_not_run(
    words: list[str], message: str, armory: Site, doctor: Doctor
) -> None:
    answer = doctor("run", *(str(armory.python) if word == "PYTHON" else word for word in words))

    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_where_nobody_insists_it_runs_as_it_is_and_that_is_said(
    armory: Site, doctor: Doctor
) -> None:
    answer = doctor("run", str(armory.python), "-I", "-c", "import deadly")

    assert answer.code == 0
    assert "note: runs without the hook: -I keeps Python from reading PYTHONPATH" in answer.err
    assert doctor("run", "sh", "-c", "true").err == ""


def test_an_installed_hook_comes_first(armory: Site, doctor: Doctor) -> None:
    target = ("--python", str(armory.folder))
    armory.install("torch", "2.13.0", files={"torch/__init__.py": b""})
    assert doctor("hook", "install", *target, "--probe", "none").code == 0

    plain = doctor("run", str(armory.python), "-c", "import deadly")
    more = doctor("run", "--shim", "dataloader-num-workers-0", str(armory.python), "-c", "pass")

    assert "deadly 2.1 would kill" in plain.err
    assert more.code == 2
    assert "a hook is installed there, and comes first" in more.err
