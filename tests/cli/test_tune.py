"""`legacy-doctor tune`: on trees of other machines, on this one, into files, and measured for real."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from legacy_doctor.cli import measuring
from legacy_doctor.environment import interpreter
from legacy_doctor.errors import TargetError
from tests.conftest import ROOT, Doctor, Site, Wheels, clean
from tests.cpu.trees import put, tree
from tests.diagnosis.patients import PHENOM, dist
from tests.probe.faults import EXECUTE
from tests.tune.consultations import alike, choice

NUMPY = dist("numpy", "2.3.5")
QWEN = ("tune", "--profile", "qwen3-tts")


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def test_a_hybrid_gets_the_p_cores_and_the_guides_twelve_with_the_reason(
    doctor: Doctor, tmp_path: Path
) -> None:
    answer = doctor(*QWEN, "--root", str(tree(tmp_path, "i5-1240p")))

    flat = " ".join(answer.out.split())
    assert answer.code == 0, answer.err
    assert "12 physical (4P+8E, says /sys/devices/cpu_core and cpu_atom), 16 logical" in flat
    assert "threads 4, the P-cores alone (on CPUs 0,2,4,6)" in flat
    assert "or 12, all physical cores" in flat
    assert "--measure finds out" in flat
    assert "CPU_THREADS=4" in flat
    assert "name the recorded one's with --cpu" in flat
    assert "start with: taskset -c 0,2,4,6 ..." in flat
    assert max(map(len, answer.out.splitlines())) <= 80


def test_large_products_get_all_cores_of_a_hybrid_and_decoders_its_p_cores(
    doctor: Doctor, tmp_path: Path
) -> None:
    out = doctor("tune", "--root", str(tree(tmp_path, "i5-1240p"))).out

    assert "OMP_NUM_THREADS=12" in out
    assert "torch: torch.set_num_threads(12)" in out
    assert "whisper.cpp: -t 4" in out


@pytest.mark.parametrize("form", ["env", "shell"])
def test_a_container_gets_its_quota_as_variables(form: str, doctor: Doctor, tmp_path: Path) -> None:
    answer = doctor(*QWEN, "--format", form, "--root", str(tree(tmp_path, "container-of-two-cpus")))

    text = answer.out.replace("export ", "") if form == "shell" else answer.out
    assert answer.code == 0
    found = variables(text)
    assert {found[n] for n in ("CPU_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")} == {"2"}
    assert found["TTS_MODEL_ID"] == "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice"
    assert "OV_DEVICE" not in found
    assert "# OV_DEVICE is left unset" in text


def test_a_model_that_does_not_fit_is_a_finding(doctor: Doctor, tmp_path: Path) -> None:
    answer = doctor(*QWEN, "--root", str(tree(tmp_path, "j4125")), "--format", "json")

    report = json.loads(answer.out)
    assert (answer.code, report["status"]) == (1, "findings")
    (wrong,) = [item for item in report["remarks"] if item["severity"] == "error"]
    assert "needs about 4.4 GB of memory, and 3.0 GB can be had" in wrong["text"]


def test_a_named_cpu_says_what_it_cannot_use(doctor: Doctor) -> None:
    flat = " ".join(doctor("tune", "--cpu", "phenom-ii").out.split())

    assert "(named)" in flat
    assert "oneDNN: needs sse4_1, which this CPU has not" in flat
    assert "bitsandbytes: needs avx2" in flat


def test_a_variable_that_cannot_work_is_a_finding(doctor: Doctor) -> None:
    answer = doctor(*QWEN, "--format", "env", env={"TTS_BACKEND": "openvino"})

    assert answer.code == 1
    assert "error: TTS_BACKEND=openvino: the server's OpenVINO backend does not" in answer.err
    assert "(set in the environment)" in answer.err
    assert variables(answer.out)["TTS_BACKEND"] == "pytorch"


def test_presets_and_models_are_chosen(doctor: Doctor) -> None:
    words = ("--model", "qwen3-tts-12hz-1.7b-customvoice", "--preset", "development")
    found = variables(doctor(*QWEN, "--format", "env", *words).out)

    assert found["TTS_MODEL_ID"] == "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"
    assert found["TTS_WARMUP_ON_START"] == "false"


# --- --write


BEFORE = "# mine\r\nSECRET='a b'\r\nexport CPU_THREADS=12 # the guide\r\nTTS_BACKEND=openvino"


def test_a_file_is_edited_shown_and_left_alone_the_second_time(
    doctor: Doctor, tmp_path: Path
) -> None:
    root = tree(tmp_path, "phenom-ii-x6")
    file = tmp_path / ".env"
    file.write_bytes(BEFORE.encode())
    file.chmod(0o600)
    words = (*QWEN, "--write", ".env", "--root", str(root))

    first = doctor(*words)

    assert first.code == 0, first.err
    assert "TTS_BACKEND was set to 'openvino' and is 'pytorch'" in first.out
    assert "-export CPU_THREADS=12 # the guide" in first.out
    assert "+export CPU_THREADS=6 # the guide" in first.out
    after = file.read_bytes()
    assert after.startswith(
        b"# mine\r\nSECRET='a b'\r\nexport CPU_THREADS=6 # the guide\r\nTTS_BACKEND=pytorch\r\n"
    )
    assert b"\r\nOMP_NUM_THREADS=6\r\n" in after
    assert b"\n" not in after.replace(b"\r\n", b"")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "phenom-ii-x6"]

    second = doctor(*words)

    assert second.code == 0
    assert second.out.endswith(".env: nothing to do, it is so already\n")
    assert file.read_bytes() == after


def test_a_diff_writes_nothing_and_judges_what_is_there(doctor: Doctor, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(BEFORE)

    answer = doctor(*QWEN, "--write", ".env", "--diff")

    assert file.read_text() == BEFORE.replace("\r\n", "\n")
    assert answer.code == 1, "the file still has a backend that does not synthesise"
    assert ".env: not written (--diff)" in answer.out
    assert "would be 'pytorch'" in answer.out


def test_a_new_file_is_made_and_a_shell_reads_it(doctor: Doctor, tmp_path: Path) -> None:
    answer = doctor(
        "tune", "--write", "new.env", "--format", "env", "--root", str(tree(tmp_path, "j4125"))
    )

    assert answer.code == 0
    assert "+++ b/new.env" in answer.err
    assert variables(answer.out)["OMP_NUM_THREADS"] == "4"
    done = subprocess.run(
        ["sh", "-c", "set -a; . ./new.env; env"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "OMP_NUM_THREADS=4\n" in done.stdout


def test_a_change_is_told_beside_a_format_that_has_no_room_for_it(
    doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("OMP_NUM_THREADS=99\n")

    answer = doctor("tune", "--write", ".env", "--format", "shell")

    assert "note: OMP_NUM_THREADS was set to '99', now " in answer.err
    assert json.loads(doctor("tune", "--write", ".env", "--format", "json").out)["env_file"] == {
        "path": ".env",
        "written": False,
        "diff": "",
        "changed": [],
    }


def test_a_link_stays_a_link(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "real.env").write_text("A=1\n")
    (tmp_path / ".env").symlink_to("real.env")

    assert doctor("tune", "--write", ".env").code == 0

    assert (tmp_path / ".env").is_symlink()
    assert (
        (tmp_path / "real.env")
        .read_text()
        .startswith("A=1\n\n# legacy-doctor tune: --profile general\n")
    )


def test_bytes_that_are_no_text_survive(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe\n")

    assert doctor("tune", "--write", ".env").code == 0
    assert (tmp_path / ".env").read_bytes().startswith(b"A=\xff\xfe\n\n#")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--profile", "qwen"], "no tuning profile 'qwen'; did you mean 'qwen3-tts'", id="profile"),
        pytest.param([*QWEN[1:], "--model", "bark"], "knows no model 'bark'", id="a model"),
        pytest.param(["--diff"], "--diff shows what --write FILE would change", id="a diff of nothing"),
        pytest.param(["--measure", "--cpu", "nehalem"], "does not go with --cpu", id="measuring another CPU"),
        pytest.param(["--measure", "--root", "."], "does not go with --root", id="measuring a recording"),
        pytest.param(["--write", "gone/.env"], "is not there; make it first", id="a folder that is not there"),
        pytest.param(["--write", "circle"], "the link leads to itself", id="a link in a circle"),
        pytest.param(["--write", "pipe"], "not a regular file", id="a pipe"),
        pytest.param(["--rounds", "2"], "2", id="too few rounds"),
        pytest.param(["--cpu", "penntium"], "unknown CPU 'penntium'", id="an unknown CPU"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_two(
    words: list[str], said: str, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")

    answer = doctor("tune", *words)

    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1
    assert said in answer.err


# --- --measure


@pytest.mark.wheels
def test_a_terminal_gets_a_bar_and_the_report_its_curve(wheels: Wheels, tmp_path: Path) -> None:
    screen, end = pty.openpty()
    words = ("tune", "--measure", "--rounds", "3", "--python", str(wheels.last_good))
    child = subprocess.Popen(
        [sys.executable, "-m", "legacy_doctor", *words],
        stdout=subprocess.PIPE,
        stderr=end,
        cwd=tmp_path,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT), "TERM": "xterm"},
    )
    os.close(end)
    out = child.communicate(timeout=300)[0].decode()
    shown = os.read(screen, 1 << 16).decode()
    os.close(screen)

    assert child.returncode == 0
    assert "measuring" in shown
    assert "100%" in shown
    assert "measured       numpy 2.3.5, 3 rounds" in out
    assert "  unset (" in out
    assert "  1 thread" in out
    assert "verdict" in out


@pytest.mark.wheels
def test_a_measurement_decides_only_beyond_the_noise(wheels: Wheels, doctor: Doctor) -> None:
    words = (*QWEN, "--measure", "--rounds", "3", "--python", str(wheels.last_good))

    answer = doctor(*words, "--format", "json")

    report = json.loads(answer.out)
    assert "measuring" not in answer.err, "no bar where nobody looks"
    measured, first = report["measurement"], report["choices"][0]
    by_label = {item["label"]: item for item in measured["timings"]}
    best, base = by_label[measured["best"]], by_label[measured["baseline"]]
    assert measured["kept"] == (best != base and best["speed"] - 1 > best["noise"])
    assert first["threads"] == (best if measured["kept"] else base)["threads"]
    settings = {item["name"]: item["value"] for item in report["settings"]}
    assert settings["CPU_THREADS"] == str(first["threads"])
    assert all(
        len(found) == 3 for item in measured["timings"] for found in item["seconds"].values()
    )


def test_without_anything_to_compute_with_there_is_no_measurement(
    site: Site, doctor: Doctor
) -> None:
    answer = doctor("tune", "--measure", "--python", str(site.folder))

    assert (answer.code, answer.out) == (2, "")
    assert "has neither torch nor numpy to measure with" in answer.err


def test_a_load_that_dies_of_sigill_sends_to_check(site: Site, doctor: Doctor) -> None:
    deadly = f"{EXECUTE}\nexecute('0f0b')\n"
    site.install("numpy", "9.9", files={"numpy/__init__.py": deadly.encode()})

    answer = doctor("tune", "--measure", "--python", str(site.folder))

    assert (answer.code, answer.out) == (1, "")
    assert "SIGILL" in answer.err
    assert "error: nothing was measured: the load died. Run `legacy-doctor check`" in answer.err


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param("raise ImportError('no BLAS')", "ImportError: no BLAS", id="a Python error"),
        pytest.param("import os; os._exit(3)", "exit status 3", id="no word at all"),
    ],
)
def test_a_load_that_ends_otherwise_is_an_error_in_one_line(
    source: str, said: str, site: Site, doctor: Doctor
) -> None:
    site.install("numpy", "9.9", files={"numpy/__init__.py": source.encode()})

    answer = doctor("tune", "--measure", "--python", str(site.folder))

    assert answer.code == 2
    assert f"the load could not be timed ({said})" in answer.err


def test_an_interpreter_that_cannot_be_started_is_told(site: Site, tmp_path: Path) -> None:
    target = interpreter.examine(site.python, "--python")
    gone = dataclasses.replace(target, executable=tmp_path / "gone")

    with pytest.raises(TargetError, match="cannot be started"):
        measuring.measure(gone, [NUMPY], [choice(1)], alike(1), PHENOM, 3)


def test_an_interpreter_that_dies_is_told(tmp_path: Path, doctor: Doctor) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -ILL $$\n")
    python.chmod(0o755)

    answer = doctor("tune", "--measure", "--python", str(python))

    assert answer.code == 2
    assert "died of SIGILL" in answer.err


# --- what had better not be there


def ipex(site: Site, source: str) -> None:
    """IPEX by name, which ends as the real one does; see the module's own test for the ends."""
    site.install("torch", "2.13.0", files={"torch/__init__.py": b""})
    files = {"intel_extension_for_pytorch/__init__.py": source.encode()}
    site.install("intel-extension-for-pytorch", "2.8.0", files=files)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param("import os; os._exit(127)", "exit status 127 (what it does", id="127, without a word"),
        pytest.param("import os; os.exit(127)", "AttributeError: module 'os' has no attribute 'exit'", id="AttributeError"),
        pytest.param("raise SystemExit(127)", "SystemExit: 127 (what it does", id="SystemExit"),
    ],
)  # fmt: skip
def test_ipex_that_does_not_match_is_tried_in_a_child(
    source: str, said: str, site: Site, doctor: Doctor
) -> None:
    ipex(site, source)

    answer = doctor(*QWEN, "--python", str(site.folder))

    flat = " ".join(answer.out.split())
    assert answer.code == 1
    assert "intel-extension-for-pytorch 2.8.0: torch is 2.13.0, of another minor version" in flat
    assert said in flat


def test_ipex_on_a_cpu_that_cannot_be_played_is_not_imported(site: Site, doctor: Doctor) -> None:
    ipex(site, "")

    answer = doctor("tune", "--python", str(site.folder), "--cpu", "x86-64-v4")

    assert "not imported: qemu-user cannot play" in " ".join(answer.out.split())


def test_a_recorded_tree_is_read_without_asking_this_cpu(doctor: Doctor, tmp_path: Path) -> None:
    root = put(tmp_path / "bare", {"sys/devices/system/cpu/online": "0-1"})

    out = doctor("tune", "--root", str(root), "--format", "json").out

    notes = json.loads(out)["topology"]["notes"]
    assert notes == [
        "sysfs does not tell which core 2 of 2 CPUs belong to; each was taken for a core of its own"
    ]


def test_the_settings_are_had_as_a_page(doctor: Doctor, tmp_path: Path) -> None:
    answer = doctor("tune", "--format", "html", "-o", str(tmp_path / "tune.html"))

    assert (answer.code, answer.out) == (0, ""), answer.err
    assert "OMP_NUM_THREADS=" in (tmp_path / "tune.html").read_text("utf-8")
