"""`legacy-doctor checkpoint`: exit codes, one line for what cannot be read, bounded memory."""

from __future__ import annotations

import json
import os
import pty
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from legacy_doctor.cli import main
from tests.checkpoint.conftest import Torch
from tests.checkpoint.conftest import torch as _torch
from tests.checkpoint.files import (
    Reducing,
    call,
    dumped,
    safetensors,
    state,
    table,
    zipped,
)
from tests.conftest import ROOT, Answer, Doctor, clean

torch = _torch
EMA = {"ema_model.a": 3, "step": 1, "ema_model.b.weight": 5}
SCHEMA = json.loads((ROOT / "legacy_doctor/report/schema.json").read_text())


def _good(path: Path) -> None:
    state(path, {"a": 3})


def _safetensors(path: Path) -> None:
    safetensors(path, {"a": 3})


def _averaged(path: Path) -> None:
    state(path, EMA)


def _class(path: Path) -> None:
    zipped(path, table({"x": call("models", "Config")}))


def _hostile(path: Path) -> None:
    path.write_bytes(dumped(Reducing(os.system, ("touch ran",))))


def _text(path: Path) -> None:
    path.write_text("<html>404</html>")


def _nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(_good, 0, id="a good archive"),
        pytest.param(_safetensors, 0, id="safetensors"),
        pytest.param(_averaged, 1, id="averaged weights alone"),
        pytest.param(_class, 1, id="a class of somebody"),
        pytest.param(_hostile, 1, id="a hostile pickle"),
        pytest.param(_text, 2, id="an error page saved as weights"),
        pytest.param(_nothing, 2, id="nothing"),
        pytest.param(Path.mkdir, 2, id="a folder"),
        pytest.param(os.mkfifo, 2, id="a pipe"),
        pytest.param(Path.touch, 2, id="an empty file"),
    ],
)
def test_the_exit_code_is_the_same_in_every_format(
    make: Callable[[Path], None],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "weights.pt")

    for form in ("text", "json"):
        assert main.run(["checkpoint", "weights.pt", "--format", form]) == code
        told = capsys.readouterr()
        if code == 2:
            assert told.out == ""
            assert told.err.startswith("error: weights.pt: ")
            assert told.err.count("\n") == 1
        elif form == "json":
            jsonschema.validate(json.loads(told.out), SCHEMA)
    assert not (tmp_path / "ran").exists()


WATCHED = """
import sys
seen = []
watched = {"pickle.find_class", "os.system", "subprocess.Popen", "os.exec", "socket.connect"}
sys.addaudithook(lambda event, arguments: seen.append(event) if event in watched else None)
from legacy_doctor.cli import main
codes = [main.run(["checkpoint", path]) for path in sys.argv[1:]]
print(seen, codes, file=sys.stderr)
"""


def test_python_itself_sees_nothing_unpickled_or_run(tmp_path: Path) -> None:
    """Audit events (PEP 578) are raised below any Python code, by whatever route."""
    hostile = Reducing(os.system, ("touch ran",))
    for protocol in range(6):
        (tmp_path / f"{protocol}.pkl").write_bytes(dumped({"x": hostile}, protocol))
    zipped(tmp_path / "weights.pt", table({"x": call("posix", "system", "touch ran")}))
    files = sorted(tmp_path.iterdir())

    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )

    assert done.stderr.splitlines()[-1] == f"[] {[1] * 7}"
    assert done.stdout.count("posix.system('touch") >= 7
    assert sorted(tmp_path.iterdir()) == files


def test_the_command_of_the_screen_makes_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state(tmp_path / "my weights.pt", EMA)
    assert main.run(["checkpoint", "my weights.pt", "--format", "json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    (command,) = finding["remedy"]["commands"]

    subprocess.run(
        ["sh", "-c", command.replace("legacy-doctor", f"{sys.executable} -m legacy_doctor", 1)],
        check=True,
        capture_output=True,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )

    assert main.run(["checkpoint", "my weights-stripped.pt"]) == 0


def test_a_copy_is_told_in_both_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state(tmp_path / "weights.pt", EMA)
    words = ["checkpoint", "weights.pt", "--strip-prefix", "ema_model.", "--out"]

    assert main.run([*words, "plain.pt"]) == 0
    assert "left out       step\n" in capsys.readouterr().out
    assert main.run([*words, "again.pt", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)

    jsonschema.validate(document, SCHEMA)
    assert document["copy"] == {
        "path": str(tmp_path / "again.pt"),
        "tensors": 2,
        "size": (tmp_path / "again.pt").stat().st_size,
        "dropped": ["step"],
    }
    assert main.run([*words, "plain.pt"]) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert main.run([*words, "plain.pt", "--force"]) == 0


@pytest.mark.parametrize(
    "options",
    [["--out", "x.pt"], ["--strip-prefix", "a."], ["--strip-prefix", "", "--out", "x.pt"]],
    ids=["no prefix", "no place", "an empty prefix"],
)
def test_prefix_and_place_belong_together(
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    state(tmp_path / "weights.pt", EMA)

    assert main.run(["checkpoint", "weights.pt", *options]) == 2
    assert "belong together" in capsys.readouterr().err


LARGE = """
import json, sys, torch
tensors = {f"ema_model.layers.{n}.weight": torch.zeros(410_000, 2) + n for n in range(92)}
tensors |= {"step": torch.tensor(3), "initted": torch.tensor(True)}
torch.save(tensors, sys.argv[1]); print(1)
"""
SAME = """
import json, sys, torch
old, new = (torch.load(path, weights_only=True, mmap=True) for path in sys.argv[1:])
print(json.dumps([len(new), all(torch.equal(new[k], old["ema_model." + k]) for k in new)]))
"""
PEAK = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "legacy_doctor", *sys.argv[1:]])
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
"""


@pytest.mark.torch
def test_three_hundred_megabytes_are_read_and_copied_in_a_fraction_of_that(
    torch: Torch, tmp_path: Path
) -> None:
    def peak(*arguments: str) -> list[int]:
        """Exit code, and the most megabytes the doctor held."""
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "checkpoint", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        )
        return [int(word) for word in done.stdout.splitlines()[-1].split()]

    path, out = tmp_path / "model.pt", tmp_path / "plain.pt"
    try:
        torch.run(LARGE, path)
        assert path.stat().st_size > 300_000_000

        code, held = peak(str(path))
        assert (code, held < 100) == (1, True), held
        code, held = peak(str(path), "--strip-prefix", "ema_model.", "--out", str(out))
        assert (code, held < 100) == (0, True), held
        assert torch.run(SAME, path, out) == [92, True]
    finally:
        path.unlink(missing_ok=True)
        out.unlink(missing_ok=True)


HOSTILE = {
    "lists": b"]" * 1_000_001,
    "strings": (b"X" + struct.pack("<I", 60_000) + b"a" * 60_000) * 1000,
}


@pytest.mark.parametrize("opcodes", HOSTILE.values(), ids=HOSTILE)
def test_a_pickle_without_end_is_put_away_in_bounded_memory(opcodes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(b"\x80\x02" + opcodes)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))

    done = subprocess.run(
        [sys.executable, "-m", "legacy_doctor", "checkpoint", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        preexec_fn=limit,
        timeout=120,
    )

    assert done.returncode == 2
    assert "more than" in done.stderr


def test_progress_is_shown_on_a_terminal_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(b"\x80\x02" + b"N0" * 700_000 + b"N.")
    parent, child = pty.openpty()
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "legacy_doctor", "checkpoint", str(path)],
        stdout=subprocess.PIPE,
        stderr=child,
        check=False,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )
    took = time.monotonic() - began
    os.close(child)
    told = os.read(parent, 1 << 16).decode() if took > 1.6 else "reading"
    os.close(parent)

    assert done.returncode == 1
    assert "reading" in told


def test_a_pipe_shows_no_progress(tmp_path: Path, doctor: Doctor) -> None:
    state(tmp_path / "weights.pt", {"a": 3})

    answer: Answer = doctor("checkpoint", "weights.pt")

    assert (answer.code, answer.err) == (0, "")
