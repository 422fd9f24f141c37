"""kill -9 at every system call that writes: afterwards all is as before or all is as planned."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a kill loses nothing that was written, synced or not."""
    memory = Path("/dev/shm")  # noqa: S108
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="legacy-doctor-", dir=memory))
    yield folder
    shutil.rmtree(folder)


POINTS = {
    "apply": 100,
    "undo": 100,
    "redo": 60,
    "recover-unwritten": 10,
    "recover-planned": 15,
    "recover-forward": 15,
    "recover-back": 40,
}
"""The least number of points at which each is killed: fewer, and the harness has missed some."""


@pytest.mark.parametrize(("scenario", "least"), POINTS.items(), ids=POINTS)
def test_killed_anywhere_it_recovers_to_before_or_after(
    scenario: str,
    least: int,
    fast: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.treatment.faults", scenario, str(fast)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean(os.environ),
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    ends = ", ".join(f"{count} {end}" for end, count in sorted(found["ends"].items()))
    told = f"{scenario}: killed at {found['points']} points of {found['calls']} calls: {ends}"
    record_property("fault injection", told)
    with capsys.disabled():
        print(f"\nfault injection: {told}", end="")  # noqa: T201
    assert found["wrong"] == []
    assert sum(found["ends"].values()) == found["points"] >= least
