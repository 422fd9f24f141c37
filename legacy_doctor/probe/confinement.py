"""What holds a patient back, applied by the patient's process itself between fork and exec.

Each means may be missing or refused on its own, and the record tells which of them held. What
none of them holds back: connecting to a UNIX socket by its path, reading what the user may read,
filling the disk with many files, and (for root, and before Linux 5.14) the number of processes:
a fork bomb is then bounded by the time limit alone, when the sandbox kills all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from legacy_doctor.probe import kernel, namespaces, seccomp
from legacy_doctor.probe.landlock import SCOPES_ABI, Landlock

LARGEST_FILE: Final = 256 << 20
MOST_PROCESSES: Final = 1024
"""Threads count as well: a numerical library starts one for each core."""

_PARENT_DEATH_SIGNAL: Final = 1  # prctl
_NO_NEW_PRIVILEGES: Final = 38
_CAPABILITIES_VERSION: Final = 0x20080522
_READ_ANYTHING: Final = 1 << 2  # CAP_DAC_READ_SEARCH
_PASS_PERMISSIONS: Final = 1 << 1  # CAP_DAC_OVERRIDE


def kept(permitted: int) -> int:
    """Return which capabilities a patient keeps: to read what the doctor read, and no more.

    Without any, root could not import from the folder of another user.
    """
    return permitted & _READ_ANYTHING or permitted & _PASS_PERMISSIONS


def counts_by_namespace(release: str) -> bool:
    """Tell whether this kernel counts the processes of a user for each namespace (Linux 5.14).

    Before, a limit would count all that the user runs, and starve the patient for it.
    """
    found = re.match(r"(\d+)\.(\d+)", release)
    return found is not None and (int(found[1]), int(found[2])) >= (5, 14)


class Confinement:
    """All that is done to one job's process; made before the fork, called after it.

    Calling it never raises. It writes one line to the descriptor `record`:
    `{"event":"held","held":[...]}`. A bare word is what the name says; one with `: seccomp` or
    `: mounts` held by the second best means.
    """

    def __init__(
        self,
        folder: Path,
        record: int,
        *,
        memory: int | None = None,
        cpu_seconds: int | None = None,
        own_memory: bool = True,
    ) -> None:
        self._record = record
        self._doctor = os.getpid()
        self._memory = memory
        self._cpu_seconds = cpu_seconds
        level = namespaces.offered()
        self._entry = level and namespaces.Entry(level, folder, own_memory=own_memory)
        self._isolated = False
        self._capabilities = _capabilities()
        self._landlock = Landlock(folder)
        self._filters = {
            network: seccomp.Filter(self._doctor, os.getpgrp(), network=network)
            for network in (False, True)
        }
        self._count = counts_by_namespace(os.uname().release)

    # Coverage cannot follow between fork and exec; the tests look at what is left possible.
    def __call__(self) -> None:  # pragma: no cover
        """Confine this process for good, by every means there is, and tell by which."""
        steps: tuple[Callable[[], Iterable[str]], ...] = (
            self._bound,
            self._isolate,
            self._follow,
            self._restrict,
            self._bound_memory,
        )
        held: list[str] = []
        for step in steps:
            with contextlib.suppress(Exception):
                held.extend(step())
        with contextlib.suppress(Exception):
            os.write(self._record, line(held))

    def _bound(self) -> Iterable[str]:  # pragma: no cover
        # An emulator that forks forty times is the first thing an empty machine kills: not us.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_bytes(b"1000")
        _limit(resource.RLIMIT_FSIZE, LARGEST_FILE)
        if self._cpu_seconds is not None:
            _limit(resource.RLIMIT_CPU, self._cpu_seconds)
        if os.getsid(0) == os.getpid():
            yield "own-session"
        # One byte, not none: too small for any core file, and the only limit at which the kernel
        # does not start a dump handler either (coredump.c: `cprm.limit == 1`).
        _limit(resource.RLIMIT_CORE, 1)
        yield "no-core-dump"

    def _isolate(self) -> Iterable[str]:  # pragma: no cover
        entry = self._entry
        entered = False
        with contextlib.suppress(OSError):
            entered = entry is not None and entry.enter()
        private = kernel.call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
        dropped = kernel.call("capset", *self._capabilities) == 0
        if entry is None or not entered:
            return
        # With its capabilities root could go back to where it came from.
        self._isolated = entry.level.user or (private and dropped)
        if not self._isolated:
            return
        yield "no-network"
        if entry.own_memory:
            yield "own-shared-memory"
        if entry.level.user and os.geteuid() and self._count:
            _limit(resource.RLIMIT_NPROC, MOST_PROCESSES)
            yield "few-processes"

    def _follow(self) -> Iterable[str]:  # pragma: no cover
        # After every change of credentials: each of them forgets it.
        if kernel.call("prctl", _PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0) == 0:
            yield "dies-with-doctor"
        if os.getppid() != self._doctor:
            os.kill(os.getpid(), signal.SIGKILL)

    def _restrict(self) -> Iterable[str]:  # pragma: no cover
        read_only = False
        with contextlib.suppress(OSError):
            read_only = self._landlock.enforce()
        filtered = self._filters[not self._isolated].install()
        if read_only:
            yield "read-only"
        elif self._isolated and self._entry is not None and self._entry.level.mounts:
            yield "read-only: mounts"
        if filtered and not self._isolated:
            yield "no-network: seccomp"
        if read_only and self._landlock.abi >= SCOPES_ABI:
            yield "no-signals"
        elif filtered:
            yield "no-signals: seccomp"

    def _bound_memory(self) -> Iterable[str]:  # pragma: no cover
        if self._memory is not None:  # last: what comes before may need some
            _limit(resource.RLIMIT_AS, self._memory)
        return ()


def line(held: Iterable[str]) -> bytes:
    """Return the line of the record that tells what held."""
    return json.dumps({"event": "held", "held": list(held)}).encode() + b"\n"


def _capabilities() -> tuple[bytes, bytes]:
    """Return the two arguments of capset(2)."""
    header = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    now = bytearray(24)
    kernel.call("capget", header, now)
    low = kept(struct.unpack("=6I", now)[1])
    return header, struct.pack("=6I", low, low, 0, 0, 0, 0)


def _limit(which: int, amount: int) -> None:  # pragma: no cover
    hard = resource.getrlimit(which)[1]
    amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(which, (amount, amount))
