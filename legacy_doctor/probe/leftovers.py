"""Who descends from this process, as /proc tells it, and how to end it for good."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

MARKER: Final = "LEGACY_DOCTOR_PROBE"
"""The environment variable that tells whose process it is, also in another session."""

_LINGER: Final = 0.25
"""Seconds for helpers that end when their master does, such as multiprocessing's tracker."""
_PATIENCE: Final = 10.0
"""Seconds after which a process that even SIGKILL does not end is left to the kernel."""
_PAUSE: Final = 0.002


def children(pid: int) -> list[int]:
    """Return the children of a process, zombies among them; none where it is gone."""
    try:
        found = [
            Path(f"/proc/{pid}/task/{thread}/children").read_bytes()
            for thread in os.listdir(f"/proc/{pid}/task")  # noqa: PTH208  plain names suffice
        ]
    except FileNotFoundError:  # gone, or a kernel without CONFIG_PROC_CHILDREN
        return [other for other in _everybody() if _status(other)[1] == pid]
    except OSError:
        return []
    return [int(word) for line in found for word in line.split()]


def descendants(pid: int) -> list[int]:
    """Return all that descend from a process, parents before their children."""
    found = [pid]
    for one in found:  # it grows as it goes: a chain of processes may be longer than our stack
        found += children(one)
    return found[1:]


def alive(pid: int) -> bool:
    """Tell whether a process runs: neither gone nor a zombie."""
    return _status(pid)[0] not in {"", "Z", "X"}


def marked(pid: int, mark: str) -> bool:
    """Tell whether a process was started with this mark in its environment."""
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{MARKER}={mark}".encode() in environ.split(b"\0")


def _everybody() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def _status(pid: int) -> tuple[str, int, int]:
    """State, parent and process group; the name before them may hold anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return "", 0, 0
    return text[0].decode(), int(text[1]), int(text[2])


class Household:
    """The processes that were there before; whatever else descends from us is a patient's."""

    def __init__(self) -> None:
        self._before = frozenset(descendants(os.getpid()))

    def clear(self, group: int | None, mark: str, others: Collection[int]) -> int:
        """End what a patient left behind; return how many processes had to be killed.

        `group` is its process group, whose leader has ended and is not waited for yet; None where
        all that is ours has to go. Where
        `others` (the leaders of other patients) still run, an orphan that is neither in that
        group nor marked may be theirs: it is left for their turn.
        """

        def mine() -> list[int]:
            strangers = self._before.union(others)
            return [
                pid
                for top in children(os.getpid())
                if top != group and top not in strangers
                if not others or _status(top)[2] == group or marked(top, mark)
                for pid in [top, *descendants(top)]
            ]

        return _end(mine, group)


def _end(mine: Callable[[], list[int]], group: int | None) -> int:
    _until(lambda: not any(map(alive, mine())), _LINGER)
    killed: set[int] = set()

    def gone() -> bool:
        there = mine()
        killed.update(filter(alive, there))
        if group is not None:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        for pid in there:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        _reap(there)
        return not there

    _until(gone, _PATIENCE)
    return len(killed)


def _reap(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ChildProcessError):  # not (yet) a child of ours
            os.waitpid(pid, os.WNOHANG)


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(_PAUSE)
