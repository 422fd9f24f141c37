"""One file replaced as a whole: readers see the old content or the new one, never half of either.

The new content is written beside the file under a recognisable name (`temporary`), given the
owner, permissions and extended attributes of the old one, brought to the disk, and renamed over
it. A hard link or a symbolic link is thereby replaced, never written through: the cache that it
led to keeps its bytes.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from legacy_doctor.errors import DoctorError
from legacy_doctor.treatment import disk
from legacy_doctor.treatment.steps import ABSENT, NEW_FILE_MODE, Change, FileState, FileStep

_CHECKED: Final = (0b11).to_bytes(4, "little")
"""The second word of bytecode that is checked by the hash of its source."""
_INHERITED: Final = "system.posix_acl_access"
"""The access list that a folder may give to every new file in it."""


class OddFileError(DoctorError):
    """A folder, a device or a pipe lies where a file is to be treated."""


class DriftedError(DoctorError):
    """Files are no longer what a plan was made for; `paths` names them."""

    def __init__(self, message: str, paths: Iterable[Path]) -> None:
        super().__init__(message)
        self.paths = tuple(paths)


def temporary(path: Path, run: int, index: int) -> Path:
    """Return the name beside `path` under which a run prepares its new content."""
    return path.parent / f".legacy-doctor-{run:04d}-{index:04d}.tmp"


def inside(prefix: Path, path: Path) -> Path:
    """Return `path` with the links among its folders resolved; its last part may be a link.

    Raises `DoctorError` where the file would lie outside the environment, by `..` or through a
    folder that is a symbolic link. Folders need not exist.
    """
    if not path.is_absolute() or "\0" in str(path) or path.name in {"", ".."}:
        raise DoctorError(f"{str(path)!r}: not the absolute path of a file")
    root = Path(os.path.realpath(prefix))
    parent = Path(os.path.realpath(path.parent))
    if parent != root and root not in parent.parents:
        raise DoctorError(
            f"{path}: lies outside the environment {prefix} (in {parent}) and is left alone"
        )
    return parent / path.name


def observe(path: Path) -> FileState:
    """Return what lies at `path` now.

    Raises `DiskError` where it cannot be read, `OddFileError` where it is neither a file nor a
    symbolic link.
    """
    return read(path)[0]


def read(path: Path) -> tuple[FileState, bytes | None]:
    """Return what lies at `path`, and the content: what an import of it would read."""
    with disk.telling(path, "read"):
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT, None
        if stat.S_ISLNK(status.st_mode):
            return _read_link(path, status)
        if not stat.S_ISREG(status.st_mode):
            raise OddFileError(f"{path}: not a regular file; it is left alone")
        return _read_file(path, disk.READ)


def leads_to(path: Path, link: str) -> str | None:
    """Return the sha256 behind a link at `path` to `link`; None where it would lead nowhere."""
    try:
        return observe(path.parent / link).sha256
    except DoctorError:
        return None


def _read_file(path: Path, flags: int) -> tuple[FileState, bytes]:
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        content = disk.drain(descriptor)
        state = FileState(
            sha256=sha256(content).hexdigest(),
            mode=stat.S_IMODE(status.st_mode),
            size=len(content),
            uid=status.st_uid,
            gid=status.st_gid,
            mtime_ns=status.st_mtime_ns,
            xattrs=_xattrs(descriptor),
            nlink=status.st_nlink,
        )
    finally:
        os.close(descriptor)
    return state, content


def _read_link(path: Path, status: os.stat_result) -> tuple[FileState, bytes | None]:
    """Read through the link; where that leads nowhere (or to a folder) there is no content."""
    behind, content = ABSENT, None
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            behind, content = _read_file(path, disk.READ & ~os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise
    state = replace(
        behind,
        link=os.readlink(path),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=status.st_mtime_ns,
        xattrs=(),
        nlink=status.st_nlink,
    )
    return state, content


def _xattrs(descriptor: int) -> tuple[tuple[str, bytes], ...]:
    try:
        names = sorted(os.listxattr(descriptor))
        return tuple((name, os.getxattr(descriptor, name)) for name in names)
    except OSError as error:
        if error.errno == errno.ENOTSUP:  # a file system that has none
            return ()
        raise


def apply(step: FileStep, temp: Path | None = None) -> None:
    """Do one step by itself, and return when it is on the disk.

    Raises `DriftedError` where `step.before` is not what lies there, and `DoctorError` where it
    cannot be done; nothing has changed then, and no temporary file is left. Killed half-way it
    may leave that file: who needs more than one step, or a way back, goes through the journal.
    """
    found = observe(step.path)
    if found != step.before:
        raise DriftedError(f"{step.path}: changed since the plan was made", [step.path])
    step = replace(step, before=found)
    temp = temp or temporary(step.path, 0, 0)
    try:
        stage(step, temp)
        commit(step.change, temp)
    except BaseException:
        disk.discard(temp)
        raise
    disk.sync([step.path.parent])
    forget_bytecode(step.path)


def stage(step: FileStep, temp: Path) -> None:
    """Write what the step leaves under a temporary name, complete in all but that name.

    The content is on the disk when this returns. `step.before` must come from `observe`: owner
    and extended attributes are taken from it.
    """
    wanted = step.after
    if wanted.kind == "absent":
        return
    disk.discard(temp)
    with disk.telling(step.path):
        if wanted.link is not None:
            _stage_link(wanted, wanted.link, temp)
            return
        descriptor = os.open(temp, disk.CREATE, 0o600)
        try:
            disk.fill(descriptor, step.content or b"")
            _dress(descriptor, wanted)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _stage_link(wanted: FileState, target: str, temp: Path) -> None:
    temp.symlink_to(target)
    status = os.lstat(temp)
    if wanted.uid is not None and (wanted.uid, wanted.gid) != (status.st_uid, status.st_gid):
        os.chown(temp, wanted.uid, -1 if wanted.gid is None else wanted.gid, follow_symlinks=False)
    if wanted.mtime_ns is not None:
        os.utime(temp, ns=(wanted.mtime_ns, wanted.mtime_ns), follow_symlinks=False)


def _dress(descriptor: int, wanted: FileState) -> None:
    """Give owner, permissions, extended attributes and time, in the order in which they last."""
    status = os.fstat(descriptor)
    if wanted.uid is not None and (wanted.uid, wanted.gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, wanted.uid, -1 if wanted.gid is None else wanted.gid)
    os.fchmod(descriptor, NEW_FILE_MODE if wanted.mode is None else wanted.mode)
    if wanted.uid is not None:  # known: the state of something that was there
        _attribute(descriptor, dict(wanted.xattrs))
    if wanted.mtime_ns is not None:
        os.utime(descriptor, ns=(wanted.mtime_ns, wanted.mtime_ns))


def _attribute(descriptor: int, wanted: dict[str, bytes]) -> None:
    found = dict(_xattrs(descriptor))
    for name, value in wanted.items():
        if found.get(name) != value:
            try:
                os.setxattr(descriptor, name, value)
            except PermissionError:
                if not name.startswith("security."):  # labels are the kernel's to give
                    raise
    if _INHERITED in found and _INHERITED not in wanted:
        os.removexattr(descriptor, _INHERITED)


def commit(change: Change, temp: Path) -> None:
    """Put the prepared file in its place, or delete: one atomic system call."""
    with disk.telling(change.path):
        if change.after.kind == "absent":
            change.path.unlink(missing_ok=True)
        else:
            os.replace(temp, change.path)


def forget_bytecode(path: Path) -> None:
    """Remove what Python compiled from a source file; raises `DoctorError` where it cannot.

    Bytecode without a check of its source would outlive every edit. It is a cache: it is removed
    and never restored. What Python itself compares with its source, by hash (PEP 552), stays. A
    `__pycache__` that is a symbolic link belongs to somebody else.
    """
    folder = path.parent / "__pycache__"
    if path.suffix != ".py" or os.path.islink(folder):  # noqa: PTH114
        return
    pattern = re.compile(rf"{re.escape(path.stem)}\.[^.]+(\.opt-[^.]+)?\.pyc")
    with disk.telling(folder, "read"):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return
    for name in names:
        if pattern.fullmatch(name) and not _checks_itself(folder / name):
            disk.discard(folder / name)


def _checks_itself(compiled: Path) -> bool:
    """Whether bytecode says that its source's hash is to be compared at every import."""
    try:
        with open(compiled, "rb") as file:
            return file.read(8)[4:] == _CHECKED
    except OSError:
        return False
