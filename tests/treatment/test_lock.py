"""One treatment at a time, and a word on who is at it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from legacy_doctor.treatment import lock
from legacy_doctor.treatment.disk import DiskError
from legacy_doctor.treatment.lock import LockedError
from tests.conftest import ROOT, clean

HOLD = """
import sys
from pathlib import Path
from legacy_doctor.treatment import lock
with lock.hold(Path(sys.argv[1]), "fix --apply", wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "environment/.legacy-doctor").mkdir(parents=True)
    return tmp_path / "environment/.legacy-doctor/lock"


def test_the_second_is_told_who_is_first(path: Path) -> None:
    with holder(path) as first, pytest.raises(LockedError) as caught:
        lock.hold(path, "undo", wait=False).__enter__()

    said = str(caught.value)
    start = f"{path.parent.parent}: being treated by process {first.pid} (fix --apply), since 20"
    assert said.startswith(start)
    assert said.endswith("; let it finish, then try again")


def test_the_second_waits_for_the_first(path: Path) -> None:
    with holder(path) as first:
        assert first.stdin
        threading.Timer(0.3, first.stdin.close).start()
        began = time.monotonic()
        with lock.hold(path, "undo", wait=True):
            assert time.monotonic() - began > 0.2
            first.wait()
        first.stdin = None


def test_a_holder_that_is_killed_holds_nothing(path: Path) -> None:
    with holder(path) as first:
        first.kill()
        first.wait()
        with lock.hold(path, "undo", wait=False):
            assert f"process {os.getpid()} (undo)" in path.read_text()


def test_it_is_free_after_the_block_whatever_happens(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), lock.hold(path, "fix", wait=False):
        raise KeyboardInterrupt
    with lock.hold(path, "fix", wait=False):
        pass
    assert path.read_bytes() == b""


def test_a_holder_without_a_name_is_another_process(path: Path) -> None:
    with lock.hold(path, "fix", wait=False):
        path.write_bytes(b"\0\n")
        with pytest.raises(LockedError, match="being treated by another process; let"):
            lock.hold(path, "fix", wait=False).__enter__()


def test_a_name_that_cannot_be_written_is_no_reason_to_fail(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "pwrite", refuse)
    with lock.hold(path, "fix", wait=False):
        assert path.read_bytes() == b""


def test_a_link_is_not_followed(path: Path) -> None:
    path.symlink_to("elsewhere")
    with pytest.raises(DiskError, match="cannot be locked"):
        lock.hold(path, "fix", wait=False).__enter__()
    assert not (path.parent / "elsewhere").exists()
