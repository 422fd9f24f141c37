"""A process that runs under watch: what it writes, how long it takes, when it is killed."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

LARGEST_RECORD: Final = 1 << 20
LONGEST_TAIL: Final = 4096

_CHUNK: Final = 1 << 16
_MOST_CHUNKS: Final = 64
"""Read after the end of a process: more than the pipe of any of its leftovers holds."""
_DYING: Final = 10.0
"""Seconds that a killed process may take to end; after that it is in the kernel's hands."""
_GLANCE: Final = 0.02
"""Seconds between looks at processes whose end the kernel does not announce (before 5.3)."""
FOREVER: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a process may use up before it is killed."""

    seconds: float = 60.0
    """Wall-clock time."""
    output: int = 16 << 20
    """Bytes on stdout, stderr and the record together."""
    memory: int | None = None
    """Bytes of address space."""
    cpu_seconds: int | None = None
    grace: float = 2.0
    """Seconds that a process has to end once its record is `settled`."""


class Pipes(NamedTuple):
    """Descriptors to read from."""

    record: int
    stdout: int | None = None
    stderr: int | None = None


Settled = Callable[[bytes], bool]
"""Asked whenever the record grows: has the process said its last word? A thread that dies while
another holds the interpreter's lock may never end by itself."""


class Patient:
    """A child process, its pipes, and what came out of them so far.

    The pipes become its own. Of the record it keeps the beginning, of stderr the end; stdout is
    only counted. Nothing here waits for the end of a pipe, which a daemon may hold open.
    """

    def __init__(
        self,
        pid: int,
        pipes: Pipes,
        selector: selectors.BaseSelector,
        limits: Limits,
        settled: Settled | None = None,
    ) -> None:
        self.pid = pid
        self.record = bytearray()
        self.stderr = bytearray()
        self.seconds = 0.0
        self.stopped = ""
        """Who ended it, if not itself: `timeout` or `output`."""
        self.abandoned = False
        """True where not even SIGKILL ended it."""
        self._limits = limits
        self._settled = settled
        self._amount = 0
        self._killed = False
        self._started = time.monotonic()
        self.deadline = self._started + limits.seconds
        self._selector = selector
        takers = zip(pipes, (self._note, _drop, self._keep), strict=True)
        self._takers = {pipe: taker for pipe, taker in takers if pipe is not None}
        self.announcement = _announcement(pid)
        """Can be read from once the process has ended; None where the kernel has no such thing."""
        for descriptor in self._descriptors():
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ, self)

    def _descriptors(self) -> list[int]:
        return [*self._takers, *([] if self.announcement is None else [self.announcement])]

    def read(self, descriptor: int) -> bool:
        """Take what has come, and judge it; False where there was nothing."""
        taker = self._takers.get(descriptor)
        if taker is None:
            return False
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            del self._takers[descriptor]
            self._shut(descriptor)
            return False
        self._amount += len(data)
        taker(data)
        if self._amount > self._limits.output:
            self._stop("output")
        return True

    def _note(self, data: bytes) -> None:
        room = LARGEST_RECORD - len(self.record)
        self.record += data[:room]
        if self._settled is not None and room and self._settled(bytes(self.record)):
            self._settled = None
            self.deadline = min(self.deadline, time.monotonic() + self._limits.grace)

    def _keep(self, data: bytes) -> None:
        self.stderr += data
        del self.stderr[:-LONGEST_TAIL]

    def ended(self) -> bool:
        """Tell whether the process has ended; kill it where its time is up.

        It is not reaped: as long as it is a zombie, nobody else gets its number.
        """
        now = time.monotonic()
        self.seconds = now - self._started
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        if now >= self.deadline:
            self.abandoned = self._killed
            self._stop("timeout" if self.seconds >= self._limits.seconds else "")
        return self.abandoned

    def _stop(self, why: str) -> None:
        if not self._killed:
            self._killed = True
            self.stopped = why
            self.deadline = time.monotonic() + _DYING
            self.kill()

    def kill(self) -> None:
        """Kill it, and its process group where it leads one."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def drain(self) -> None:
        """Take what its pipes still hold, and close them."""
        for descriptor in tuple(self._takers):
            for _ in range(_MOST_CHUNKS):
                if not self.read(descriptor):
                    break
        self.close()

    def close(self) -> None:
        """Close all descriptors."""
        for descriptor in self._descriptors():
            self._shut(descriptor)
        self._takers.clear()
        self.announcement = None

    def _shut(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)


def watch(selector: selectors.BaseSelector, patients: Iterable[Patient]) -> None:
    """Wait for something to happen to one of the patients, and take what they write."""
    left = FOREVER
    for patient in patients:
        left = min(left, patient.deadline - time.monotonic())
        if patient.announcement is None:
            left = min(left, _GLANCE)
    for key, _ in selector.select(None if left == FOREVER else max(left, 0)):
        key.data.read(key.fd)


def _drop(_data: bytes) -> None:
    """Take stdout: nobody reads it."""


def _announcement(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None
