"""Namespaces: a network without interfaces, shared memory of one's own, read-only mounts.

Some systems grant a namespace and refuse what makes it usable (AppArmor's restriction of user
namespaces leaves a process without a user id), and there is no way back. So a child tries first.
"""

from __future__ import annotations

import functools
import os
import struct
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor.probe import kernel
from legacy_doctor.probe.landlock import SHARED_MEMORY

MOUNTS: Final = 0x00020000
IPC: Final = 0x08000000
USER: Final = 0x10000000
NETWORK: Final = 0x40000000

_MOUNT_SETATTR: Final = 442  # the same on every architecture
_CURRENT_FOLDER: Final = -100  # AT_FDCWD
_RECURSIVE: Final = 0x8000
_READ_ONLY: Final = 1
_PRIVATE: Final = 1 << 18
_BIND: Final = 4096
_NO_SUID_NO_DEVICES: Final = 0b110
_SHARED_MEMORY_OPTIONS: Final = b"mode=1777,size=1g"


class Level(NamedTuple):
    """Which namespaces are asked for."""

    flags: int

    @property
    def user(self) -> bool:
        """True where the ids are those of a user namespace."""
        return bool(self.flags & USER)

    @property
    def mounts(self) -> bool:
        """True where mounts are the patient's own: read-only, with other shared memory."""
        return bool(self.flags & MOUNTS)


def levels(*, root: bool) -> tuple[Level, ...]:
    """Return what is worth asking for, the best first.

    Root needs no user namespace, and in one it could not read the files of other users.
    """
    full = (NETWORK | MOUNTS | IPC, NETWORK)
    with_user = tuple(Level(flags | USER) for flags in full)
    return (*map(Level, full), *with_user) if root else with_user


@functools.cache
def offered() -> Level | None:
    """Return the best that this kernel grants to this process; None where it grants nothing."""
    folder = Path(tempfile.gettempdir())
    return next(
        (level for level in levels(root=os.geteuid() == 0) if _works(Entry(level, folder))), None
    )


def _works(entry: Entry) -> bool:
    child = os.fork()
    if not child:  # pragma: no cover  the child ends without a word, for coverage too
        entered = False
        try:
            entered = entry.enter()
        finally:
            os._exit(not entered)
    return os.waitpid(child, 0)[1] == 0


def id_maps(user: int, group: int) -> tuple[tuple[str, bytes], ...]:
    """Return what to write where, so that one's own ids stay the same in a user namespace."""
    return (
        ("/proc/self/setgroups", b"deny"),
        ("/proc/self/uid_map", b"%d %d 1" % (user, user)),
        ("/proc/self/gid_map", b"%d %d 1" % (group, group)),
    )


def attributes(*, sets: int = 0, clears: int = 0, propagation: int = 0) -> bytes:
    """Return `struct mount_attr`."""
    return struct.pack("=4Q", sets, clears, propagation, 0)


class Entry:
    """One job's way into its namespaces, thought out before the fork."""

    def __init__(self, level: Level, folder: Path, *, own_memory: bool = True) -> None:
        self.level = level
        self.own_memory = own_memory and level.mounts
        self._folder = os.fsencode(folder)
        self._maps = id_maps(os.geteuid(), os.getegid()) if level.user else ()
        self._memory = os.fsencode(SHARED_MEMORY)
        self._writable = [self._folder]
        if not own_memory and os.path.isdir(SHARED_MEMORY):  # noqa: PTH112
            self._writable.append(self._memory)

    # Coverage cannot follow between fork and exec: it would write the data of the doctor anew.
    def enter(self) -> bool:  # pragma: no cover
        """Enter; False where any of it is refused."""
        if kernel.call("unshare", self.level.flags):
            return False
        for path, content in self._maps:
            descriptor = os.open(path, os.O_WRONLY)
            os.write(descriptor, content)
            os.close(descriptor)
        return not self.level.mounts or self._mount()

    def _mount(self) -> bool:  # pragma: no cover
        # Private before anything is mounted: a shared mount would reach the system.
        closed = attributes(sets=_READ_ONLY, propagation=_PRIVATE)
        if _set(b"/", _RECURSIVE, closed):
            return False
        failures = [kernel.call("mount", path, path, None, _BIND, None) for path in self._writable]
        failures += [_set(path, 0, attributes(clears=_READ_ONLY)) for path in self._writable]
        if self.own_memory:
            options = _SHARED_MEMORY_OPTIONS
            failures.append(
                kernel.call("mount", b"tmpfs", self._memory, b"tmpfs", _NO_SUID_NO_DEVICES, options)
            )
        os.chdir(self._folder)  # the same folder, on the mount that can be written
        return not any(failures)


def _set(path: bytes, flags: int, change: bytes) -> int:  # pragma: no cover
    return kernel.call("syscall", _MOUNT_SETATTR, _CURRENT_FOLDER, path, flags, change, len(change))
