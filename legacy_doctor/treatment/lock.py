"""One treatment at a time: an advisory lock on the environment, with the name of its holder.

The kernel drops the lock when its holder ends, however it ends; the lock file itself is never
removed, for a file that is removed can be locked twice.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from legacy_doctor.errors import DoctorError
from legacy_doctor.treatment import disk

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class LockedError(DoctorError):
    """Another process is treating this environment; the message says which."""


@contextmanager
def hold(path: Path, command: str, *, wait: bool) -> Iterator[None]:
    """Hold the lock for the time of a `with` block.

    Where somebody else holds it, wait for the end of that, or raise `LockedError`.
    """
    with disk.telling(path, "locked"):
        descriptor = os.open(path, _FLAGS, 0o600)
    try:
        _take(descriptor, path, wait=wait)
        try:
            _write(descriptor, f"process {os.getpid()} ({command}), since {now()}")
            yield
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _take(descriptor: int, path: Path, *, wait: bool) -> None:
    with disk.telling(path, "locked"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            words = os.pread(descriptor, 200, 0).decode("utf-8", "replace")
            holder = "".join(filter(str.isprintable, words)) or "another process"
            raise LockedError(
                f"{path.parent.parent}: being treated by {holder}; let it finish, then try again"
            ) from None


def _write(descriptor: int, words: str) -> None:
    """Name the holder. A courtesy to others: on a full disk there is just no name."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, words.encode("utf-8", "replace")[:200], 0)
    except OSError:
        return
