"""Landlock: the file system is read-only but for one folder, whoever the patient runs as.

Rights that a ruleset does not name stay free, so reading and executing are left out of it.
Landlock does not hold back chmod, chown and extended attributes; the read-only mounts of
`namespaces` do, where they are offered.
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import Final

from legacy_doctor.probe import kernel

# The numbers are the same on every architecture.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1

WRITE_FILE: Final = 1 << 1
REMOVE_FILE: Final = 1 << 5
MAKE_REG: Final = 1 << 8
TRUNCATE: Final = 1 << 14
IOCTL_DEV: Final = 1 << 15
# WRITE_FILE, REMOVE_DIR, REMOVE_FILE, and the making of each of the seven kinds of file
_SINCE_ABI_1: Final = WRITE_FILE | sum(1 << bit for bit in range(4, 13))
_LATER: Final = ((2, 1 << 13), (3, TRUNCATE), (5, IOCTL_DEV))  # REFER is 1 << 13
_TCP: Final = 0b11  # bind and connect
_SCOPES: Final = 0b11  # abstract UNIX sockets and signals
NETWORK_ABI: Final = 4
SCOPES_ABI: Final = 6

DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
"""What programs write to and nobody misses."""
SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108
"""multiprocessing keeps its semaphores here. Where `namespaces` could not make it the patient's
own, a file may stay behind in it: nobody can tell whose it is."""


def version() -> int:
    """Return the version of Landlock's interface in this kernel; 0 where there is none."""
    return max(kernel.call("syscall", _CREATE_RULESET, None, 0, _VERSION), 0)


def writes(abi: int) -> int:
    """Return every right to change something that this version knows."""
    return _SINCE_ABI_1 | sum(right for since, right in _LATER if abi >= since)


def ruleset(abi: int) -> bytes:
    """Return `struct landlock_ruleset_attr`, no longer than this version knows it."""
    words = [writes(abi)]
    if abi >= NETWORK_ABI:
        words.append(_TCP)
    if abi >= SCOPES_ABI:
        words.append(_SCOPES)
    return struct.pack(f"={len(words)}Q", *words)


def rule(rights: int, descriptor: int) -> bytes:
    """Return `struct landlock_path_beneath_attr`, which is packed."""
    return struct.pack("=Qi", rights, descriptor)


class Landlock:
    """The ruleset of one job, thought out before the fork."""

    def __init__(self, folder: Path) -> None:
        self.abi = version()
        self._ruleset = ruleset(self.abi)
        everything = writes(self.abi)
        self._folder = (os.fsencode(folder), everything)
        self._others = [
            (os.fsencode(path), everything & (WRITE_FILE | TRUNCATE | IOCTL_DEV))
            for path in DEVICES
        ]
        self._others.append(
            (os.fsencode(SHARED_MEMORY), everything & ~sum(1 << bit for bit in (6, 11)))
        )

    # It binds whoever calls it for good, so coverage could not even write down that it ran.
    def enforce(self) -> bool:  # pragma: no cover
        """Bind this process and its children; False, and unbound, where that is refused."""
        if not self.abi:
            return False
        size = len(self._ruleset)
        descriptor = kernel.call("syscall", _CREATE_RULESET, self._ruleset, size, 0)
        if descriptor < 0 or not _allow(descriptor, *self._folder):
            return False
        for path, rights in self._others:
            with contextlib.suppress(OSError):
                _allow(descriptor, path, rights)
        done = kernel.call("syscall", _RESTRICT_SELF, descriptor, 0)
        os.close(descriptor)
        return done == 0


def _allow(descriptor: int, path: bytes, rights: int) -> bool:  # pragma: no cover
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    answer = kernel.call("syscall", _ADD_RULE, descriptor, _PATH_BENEATH, rule(rights, beneath), 0)
    os.close(beneath)
    return answer == 0
