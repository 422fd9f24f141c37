"""Who descends from whom, with and without the kernel's list of children."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from legacy_doctor.probe import leftovers

FAMILY = """
import os, sys, time
if os.fork() == 0:
    os.fork()
    time.sleep(60)
if os.fork() == 0:
    os._exit(0)
time.sleep(0.2)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def family() -> Iterator[int]:
    """A process with a child, a grandchild, and a child that is a zombie."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", FAMILY],
        stdout=subprocess.PIPE,
        env={leftovers.MARKER: "abc"},
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        members = leftovers.descendants(parent.pid)
        yield parent.pid
        for pid in [*members, parent.pid]:
            os.kill(pid, 9)


def without_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without CONFIG_PROC_CHILDREN."""
    read_bytes = Path.read_bytes

    def read(self: Path) -> bytes:
        if self.name == "children":
            raise FileNotFoundError(self)
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", read)


@pytest.mark.parametrize("lists", [True, False], ids=["lists of children", "parents only"])
def test_descendants_are_found_zombies_among_them(
    lists: bool, family: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not lists:
        without_lists(monkeypatch)

    found = leftovers.descendants(family)

    assert len(leftovers.children(family)) == 2
    assert sorted(map(leftovers.alive, found)) == [False, True, True]
    assert all(leftovers.marked(pid, "abc") for pid in found if leftovers.alive(pid))
    assert not any(leftovers.marked(pid, "ab") for pid in found)


def test_a_process_that_is_gone_has_no_children_and_no_mark() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()

    assert leftovers.children(process.pid) == []
    assert not leftovers.alive(process.pid)
    assert not leftovers.marked(process.pid, "abc")


def test_a_process_that_may_not_be_looked_at_has_no_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_path: str) -> list[str]:
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse)

    assert leftovers.children(os.getpid()) == []
