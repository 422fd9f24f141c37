"""`legacy-doctor mel precompute`: resumable, and one clear line for what cannot be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cli import main
from legacy_doctor.cpu import detect
from legacy_doctor.errors import UnsupportedCpuError
from legacy_doctor.model import Cpu
from legacy_doctor.probe import sandbox
from tests.conftest import ROOT, Answer, Doctor, Site, clean, real_environment
from tests.diagnosis.patients import HASWELL, NEHALEM, PHENOM
from tests.mel.audio import tone
from tests.mel.test_worker import DEPENDENCIES

Precompute = Callable[..., Answer]
REASON = "no WAV file, and soundfile is not there to read it (No module named 'soundfile')"
NOTE = "note: computing on the CPU: torch 2.13.0+cpu was built without CUDA"


@pytest.fixture
def environment(torch_environment: Path) -> dict[str, str]:
    """What makes the torch of the tests importable."""
    packages = next(real_environment(*DEPENDENCIES).glob("lib/python*/site-packages"))
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), str(packages)])}


@pytest.fixture
def precompute(doctor: Doctor, torch_environment: Path, environment: dict[str, str]) -> Precompute:
    """Compute all below `audio` into `mels`."""

    def run(*options: str) -> Answer:
        words = ("mel", "precompute", "audio", "mels", "--python", str(torch_environment))
        return doctor(*words, *options, env=environment)

    return run


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What a write would change, of every file and folder."""
    paths = [folder, *sorted(folder.rglob("*"))]
    stats = {str(path): path.stat() for path in paths}
    return {name: (at.st_ino, at.st_size, at.st_mtime_ns) for name, at in stats.items()}


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    return {entry["audio"]: entry for entry in map(json.loads, lines)}


@pytest.mark.torch
def test_from_nothing_to_done_and_what_is_done_is_not_done_again(
    precompute: Precompute, tmp_path: Path
) -> None:
    tone(tmp_path / "audio/a.wav", seconds=0.5)
    tone(tmp_path / "audio/deep/b.wav", seconds=0.25, rate=44100)

    first = precompute()

    assert (first.code, first.out) == (
        0,
        "computed on cpu\n2 computed, 0 already there, 0 failed: mels/manifest.jsonl\n",
    )
    assert first.err.splitlines() == [NOTE]
    entries = manifest(tmp_path / "mels")
    assert {name: (item["mel"], item["seconds"]) for name, item in entries.items()} == {
        "a.wav": ("a.wav.npy", 0.5),
        "deep/b.wav": ("deep/b.wav.npy", 0.25),
    }
    assert entries["a.wav"]["frames"] == 1 + 12000 // 256
    assert entries["a.wav"]["device"] == "cpu"
    assert len(entries["a.wav"]["sha256"]) == len(entries["a.wav"]["parameters"]) == 64

    before = state(tmp_path / "mels")
    again = precompute()

    assert (again.code, again.out, again.err) == (
        0,
        "0 computed, 2 already there, 0 failed: mels/manifest.jsonl\n",
        "",
    )
    assert state(tmp_path / "mels") == before


@pytest.mark.torch
def test_what_changed_is_computed_again_and_nothing_else(
    precompute: Precompute, tmp_path: Path
) -> None:
    for name in ("same", "touched", "changed", "lost", "halved"):
        tone(tmp_path / f"audio/{name}.wav")
    precompute()
    mels = tmp_path / "mels"
    before = {path.stem: path.stat().st_ino for path in mels.glob("*.npy")}

    os.utime(tmp_path / "audio/touched.wav")
    tone(tmp_path / "audio/changed.wav", 880)
    (mels / "lost.wav.npy").unlink()
    (mels / "halved.wav.npy").write_bytes(b"half")
    answer = precompute()

    assert "3 computed, 2 already there" in answer.out
    after = {path.stem: path.stat().st_ino for path in mels.glob("*.npy")}
    kept = {name for name, number in before.items() if after[name] == number}
    assert {"same.wav", "touched.wav"} <= kept
    assert "changed.wav" not in kept
    assert len(manifest(mels)) == len((mels / "manifest.jsonl").read_text().splitlines()) == 5
    assert "0 computed, 5 already there" in precompute().out
    assert "5 computed, 0 already there" in precompute("--hop-length", "300").out


@pytest.mark.torch
def test_after_a_kill_the_rest_is_computed_and_every_mel_is_whole(
    precompute: Precompute, torch_environment: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    for number in range(40):
        tone(tmp_path / f"audio/{number:02}.wav", seconds=1)
    mels = tmp_path / "mels"
    with subprocess.Popen(
        [sys.executable, "-m", "legacy_doctor", "mel", "precompute", "audio", "mels"],
        env={**clean(os.environ), **environment, "VIRTUAL_ENV": str(torch_environment)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not list(mels.glob("0[3-9]*.npy")) and time.monotonic() < deadline:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    done = {name: (mels / f"{name}.npy").stat().st_mtime_ns for name in manifest(mels)}
    assert 0 < len(done) < 40, "killed in the middle of it"
    (mels / ".under-way").write_bytes(b"what a kill leaves behind")
    with (mels / "manifest.jsonl").open("a") as file:
        file.write('{"audio": "39.wav", "mel": "39.wa')

    answer = precompute()

    assert f"{40 - len(done)} computed, {len(done)} already there, 0 failed" in answer.out
    assert not (mels / ".under-way").exists()
    assert {(mels / f"{name}.npy").stat().st_mtime_ns - at for name, at in done.items()} == {0}
    entries = manifest(mels)
    assert len(entries) == 40
    for entry in entries.values():
        assert (mels / entry["mel"]).stat().st_size == 128 + 4 * 100 * entry["frames"]


@pytest.mark.torch
def test_ctrl_c_ends_with_130_and_keeps_what_is_done(
    torch_environment: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    for number in range(60):
        tone(tmp_path / f"audio/{number:02}.wav", seconds=1)
    with subprocess.Popen(
        [sys.executable, "-m", "legacy_doctor", "mel", "precompute", "audio", "mels"],
        env={**clean(os.environ), **environment, "VIRTUAL_ENV": str(torch_environment)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "mels/01.wav.npy").exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, "")
    assert err.split("\n") == [NOTE, "", "interrupted", ""]
    assert manifest(tmp_path / "mels")


@pytest.mark.torch
def test_bad_files_are_told_at_the_end_and_are_no_success(
    precompute: Precompute, tmp_path: Path
) -> None:
    tone(tmp_path / "audio/good.wav")
    (tmp_path / "audio/song\n.mp3").write_bytes(b"ID3")

    answer = precompute()

    assert answer.code == 1
    assert answer.out.splitlines() == [
        f"no mel of song?.mp3: {REASON}",
        "computed on cpu",
        "1 computed, 0 already there, 1 failed: mels/manifest.jsonl",
    ]


@pytest.mark.torch
def test_a_gpu_that_is_not_there(precompute: Precompute, tmp_path: Path) -> None:
    tone(tmp_path / "audio/a.wav")

    answer = precompute("--device", "cuda")

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: --device cuda: torch 2.13.0+cpu was built without CUDA")
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "mels").exists(), "nothing is left behind"


@pytest.mark.torch
def test_an_out_dir_inside_of_the_audio_is_not_scanned(
    precompute: Precompute, tmp_path: Path
) -> None:
    tone(tmp_path / "audio/a.wav")
    tone(tmp_path / "audio/mels/not-this.wav")
    (tmp_path / "mels").symlink_to("audio/mels")

    assert "1 computed, 0 already there, 0 failed" in precompute().out


class TestBadUsage:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            pytest.param(["nowhere", "mels"], "'nowhere' does not exist", id="no folder"),
            pytest.param(["a.wav", "mels"], "'a.wav' is a file", id="a file"),
            pytest.param([".", "a.wav"], "'a.wav' is a file", id="into a file"),
            pytest.param(["."], "Missing argument 'OUT_DIR'", id="no second folder"),
            pytest.param([".", "m", "--device", "tpu"], "'tpu' is not one of", id="a device"),
            pytest.param([".", "m", "--hop-length", "0"], "x>=1", id="no step"),
            pytest.param(
                [".", "m", "--win-length", "2048"],
                "--win-length 2048 is longer than --n-fft 1024",
                id="a window too long",
            ),
            pytest.param(
                [".", "m", "--f-max", "12001"], "up to half the sample rate (12000)", id="too high"
            ),
            pytest.param([".", "m", "--f-min", "12000"], "they must rise", id="no band"),
            pytest.param([".", "m", "--python", "nowhere"], "no such interpreter", id="no Python"),
        ],
    )
    def test_is_one_clear_line(
        self, words: list[str], message: str, doctor: Doctor, tmp_path: Path
    ) -> None:
        tone(tmp_path / "a.wav", seconds=0.01)

        answer = doctor("mel", "precompute", *words)

        assert (answer.code, answer.out) == (2, "")
        assert message in answer.err
        assert len(answer.err.splitlines()) == 1
        assert not (tmp_path / "m").exists()

    def test_no_torch(self, doctor: Doctor, site: Site, tmp_path: Path) -> None:
        tone(tmp_path / "a.wav", seconds=0.01)

        answer = doctor("mel", "precompute", ".", "m", "--python", str(site.folder))

        assert (answer.code, answer.out) == (2, "")
        assert answer.err == f"error: torch is not installed there ({site.python})\n"
        assert not (tmp_path / "m").exists()

    @pytest.mark.parametrize(
        ("torch", "message"),
        [
            pytest.param(b"raise OSError('libcudart is gone')", "libcudart is gone", id="broken"),
            pytest.param(b"import nowhere", "No module named 'nowhere'", id="half there"),
        ],
    )
    def test_a_broken_torch(
        self, torch: bytes, message: str, doctor: Doctor, site: Site, tmp_path: Path
    ) -> None:
        tone(tmp_path / "audio/a.wav", seconds=0.1)
        site.install("torch", "2.0", files={"torch/__init__.py": torch})

        answer = doctor("mel", "precompute", "audio", "m", "--python", str(site.folder))

        assert (answer.code, answer.out) == (2, "")
        assert f"torch cannot be imported there ({message})" in answer.err
        assert not (tmp_path / "m").exists()

    def test_no_audio(self, doctor: Doctor, site: Site, tmp_path: Path) -> None:
        site.install("torch", "2.0", files={"torch/__init__.py": b""})
        (tmp_path / "audio").mkdir()

        answer = doctor("mel", "precompute", "audio", "m", "--python", str(site.folder))

        assert (answer.code, answer.out) == (2, "")
        assert "no audio files below it" in answer.err


def test_a_torch_that_dies_is_told_as_run_tells_it(
    doctor: Doctor, site: Site, tmp_path: Path
) -> None:
    tone(tmp_path / "audio/a.wav", seconds=0.1)
    dies = b"import ctypes\nctypes.string_at(0)\n"
    site.install("torch", "2.0", files={"torch/__init__.py": dies})

    answer = doctor("mel", "precompute", "audio", "m", "--python", str(site.folder))

    assert (answer.code, answer.out) == (1, "")
    assert "SIGSEGV" in answer.err
    assert "torch/__init__.py:2" in answer.err


def test_a_worker_that_ends_before_its_time(doctor: Doctor, site: Site, tmp_path: Path) -> None:
    tone(tmp_path / "audio/a.wav", seconds=0.1)
    site.install("torch", "2.0", files={"torch/__init__.py": b"import os; os._exit(3)"})

    answer = doctor("mel", "precompute", "audio", "m", "--python", str(site.folder))

    assert (answer.code, answer.out) == (2, "")
    assert "the work ended with status 3 before it was done" in answer.err


class TestOneDnn:
    """Off where the patch torch-onednn-off would switch it off, and left alone elsewhere."""

    @pytest.mark.parametrize(
        ("cpu", "off"),
        [
            pytest.param(PHENOM, True, id="Phenom II"),
            pytest.param(NEHALEM, False, id="Nehalem"),
            pytest.param(HASWELL, False, id="Haswell"),
            pytest.param(None, False, id="no x86"),
        ],
    )
    def test_is_switched_off_on_the_cpus_that_cannot(
        self,
        cpu: Cpu | None,
        off: bool,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        orders: list[dict[str, Any]] = []

        def detected() -> Cpu:
            if cpu is None:
                raise UnsupportedCpuError("no x86")
            return cpu

        def attend(command: Callable[[int], list[str]], *_: object, **__: object) -> sandbox.Run:
            orders.append(json.loads(command(7)[-1]))
            told = {"event": "totals", "computed": 0, "kept": 0, "failed": 2000}
            return sandbox.Run(status=1, record=b"cut\n" + json.dumps(told).encode())

        monkeypatch.setattr(detect, "detect", detected)
        monkeypatch.setattr(sandbox, "attend", attend)

        code = main.run(["mel", "precompute", str(tmp_path), "m", "--python", sys.executable])

        (order,) = orders
        assert (code, order["onednn_off"], order["record"]) == (1, off, 7)
        assert order["parameters"]["f_max"] == 12000
        shown = capsys.readouterr()
        assert ("oneDNN is switched off" in shown.err) is off
        assert "... and of 2000 more" in shown.out
