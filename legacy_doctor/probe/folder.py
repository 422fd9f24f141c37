"""A temporary folder that is gone afterwards, whatever was done inside it."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    """Make a folder that only its owner may enter; remove it in the end, read-only or not."""
    path = Path(tempfile.mkdtemp(prefix="legacy-doctor-")).resolve()
    try:
        yield path
    finally:
        remove(path)


def remove(path: Path) -> None:
    """Remove a folder and all in it, as far as the system lets us.

    No link is followed, and nothing recurses: folders nested deeper than a path may be long are
    moved up one by one.
    """
    with contextlib.suppress(OSError):
        top = _open(os.fspath(path))
        try:
            _empty(top)
        finally:
            os.close(top)
        path.rmdir()


def _open(name: str, parent: int | None = None) -> int:
    """Open a folder (never through a link) after giving ourselves all rights to it."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=handle)
    finally:
        os.close(handle)


def _empty(top: int) -> None:
    secret = secrets.token_hex(8)  # a name that nobody has put there to be in our way
    fresh = (f"{secret}.{number}" for number in itertools.count())
    stuck: set[str] = set()
    while names := [name for name in os.listdir(top) if name not in stuck]:
        for name in names:
            stuck.add(name)
            with contextlib.suppress(OSError):
                _unlink(name, top, fresh)
                stuck.discard(name)


def _unlink(name: str, parent: int, fresh: Iterator[str]) -> None:
    """Remove a file, or a folder after moving the folders within it up to its parent."""
    try:
        os.unlink(name, dir_fd=parent)
    except (IsADirectoryError, PermissionError):
        folder = _open(name, parent)
        try:
            for inner in os.listdir(folder):  # noqa: PTH208  a descriptor, not a path
                _lift(inner, folder, parent, fresh)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=parent)


def _lift(name: str, folder: int, parent: int, fresh: Iterator[str]) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        os.close(_open(name, folder))  # without write permission it could not be moved
        os.rename(name, next(fresh), src_dir_fd=folder, dst_dir_fd=parent)
