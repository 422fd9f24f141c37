"""Writing so that it is there after a crash, and saying in one line why it cannot be.

A file counts as written when its bytes are on the disk; its name counts when the folder is.
Nothing here follows a symbolic link.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from legacy_doctor.errors import DoctorError

_ADVICE: Final = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some of your quota, then run the same command again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), then run the same command again",
    errno.EROFS: "mount the file system writable, or copy the environment to one that is",
    errno.EACCES: "run this as the owner of the environment",
    errno.EPERM: "run this as the owner of the environment, and look for `chattr +i` with lsattr",
    errno.ENOTDIR: "a file is where a folder must be; move it away",
    errno.ELOOP: "a symbolic link is where none may be; move it away",
}

CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class DiskError(DoctorError):
    """The operating system refused to read or write a file: no space, no permission, read-only."""


@contextmanager
def telling(path: Path, deed: str = "written") -> Iterator[None]:
    """Turn an OSError into a `DiskError` that names the file, the reason and what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0)
        hint = f"; {advice}" if advice else ""
        raise DiskError(f"{path}: cannot be {deed} ({error.strerror or error}){hint}") from error


@contextmanager
def all_or_nothing(way_back: Callable[[], object]) -> Iterator[None]:
    """Go back when the block cannot be finished, whatever the reason, and say that it was done."""
    try:
        yield
    except DiskError as error:
        try:
            way_back()
        except DoctorError as second:
            raise DiskError(
                f"{error}; taking back what was begun failed too ({second}); nothing is lost: "
                "the next command goes on with it"
            ) from error
        raise DiskError(f"{error}; nothing was changed") from error
    except BaseException:
        way_back()
        raise


def fill(descriptor: int, content: bytes) -> None:
    """Write all of the content, however little the system takes at a time."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def create(path: Path, content: bytes = b"") -> None:
    """Create a file that only its owner may read, and return when its bytes are on the disk.

    Raises `DiskError`, also where something is there already. The name is durable only after
    `sync` of the folder.
    """
    with telling(path):
        descriptor = os.open(path, CREATE, 0o600)
        try:
            fill(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def touch(path: Path) -> None:
    """Create an empty file; it is durable after `sync` of the folder."""
    with telling(path):
        os.close(os.open(path, CREATE, 0o600))


def keep(path: Path, copy: Path, content: bytes) -> None:
    """Keep `content`, which lies at `path`, under another name; return when it is on the disk.

    A file that has no other name yet gets a second one: nothing is written twice, and since
    files are replaced and never written through, the kept one stays as it is. Anything else is
    copied: an inode that a cache or another environment shares is theirs to change.
    """
    status = os.lstat(path)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        try:
            os.link(path, copy, follow_symlinks=False)
        except OSError:  # another file system, or one without hard links
            pass
        else:
            _flush(copy)
            return
    create(copy, content)


def _flush(path: Path) -> None:
    """Bring the content of a file to the disk, whoever wrote it: pip does not wait for that.

    Costs nothing where it is there: the new name, which is all that changed, is not asked for.
    """
    with telling(path):
        descriptor = os.open(path, READ)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def read(path: Path) -> bytes:
    """Return the bytes of a regular file that is no symbolic link; raises `DiskError`."""
    with telling(path, "read"):
        descriptor = os.open(path, READ)
        try:
            return drain(descriptor)
        finally:
            os.close(descriptor)


def drain(descriptor: int) -> bytes:
    """Return what is left to read."""
    blocks = []
    while block := os.read(descriptor, 1 << 20):
        blocks.append(block)
    return b"".join(blocks)


def sync(folders: Iterable[Path]) -> None:
    """Return when the names in these folders are on the disk; a folder that is gone needs none."""
    for folder in sorted(set(folders)):
        with telling(folder), suppress(FileNotFoundError, NotADirectoryError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def discard(path: Path) -> None:
    """Remove a file or a symbolic link, or nothing where nothing is."""
    with telling(path, "removed"), suppress(NotADirectoryError):
        path.unlink(missing_ok=True)


def discard_folder(folder: Path) -> None:
    """Remove a folder of files, or nothing where nothing is."""
    if os.path.lexists(folder):
        with telling(folder, "removed"):
            for name in os.listdir(folder):  # noqa: PTH208
                discard(folder / name)
            folder.rmdir()


def rename(path: Path, target: Path) -> None:
    """Give a file or folder another name in the same folder, and return when that is on the disk.

    Needs no space: it is how the journal moves from one state to the next.
    """
    with telling(path, "renamed"):
        os.replace(path, target)
    sync([target.parent])
