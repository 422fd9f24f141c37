"""An environment as a tree of files, put back byte for byte after an installer was at work in it.

Before the installer begins, every regular file gets a second name (a hard link) in the folder of
its run: whatever pip or uv unlinks or replaces afterwards, the bytes live on under that name. Small
texts, which some tools rewrite in place (`*.pth`, metadata, scripts), are copied. The folder says
by the name of one empty file how far it came:

    taking   the second names are being given; nothing in the environment has been touched
    taken    all of them are on the disk: the installer may be at work, and `restore` leads back
    done     the installer ended well; what it removed and changed is kept, the rest is let go
    over     not needed any more; being removed

A file that was written through its own inode since has taken its second name along. That is seen
and told by name: such a file is left as it is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor.errors import DataError, DoctorError
from legacy_doctor.treatment import disk, files
from legacy_doctor.treatment.manifest import (
    KEPT,
    Difference,
    Entry,
    Manifest,
    Scope,
    diff,
    dump,
    entry_of,
    hashed,
    is_bytecode,
    load,
    look,
    scan,
)

STATES: Final = ("taking", "taken", "done", "over")
SMALL: Final = 64 * 1024
"""Texts up to this size are copied, not linked, where tools are known to rewrite them in place."""

_YOUNG_NS: Final = 300 * 10**9
"""Ten times as long as the kernel keeps what was written to itself."""

_MANIFEST: Final = "before.json"
_DELTA: Final = "delta.json"


class Restored(NamedTuple):
    """What could not be put back, in order."""

    lost: tuple[Path, ...] = ()
    """Written in place since: left as they are."""
    left: tuple[Path, ...] = ()
    """New beside the folders of the environment: whose they are is not known."""


class Delta(NamedTuple):
    """What a finished installer did: what was, and what is, at every path that it touched."""

    before: dict[str, Entry]
    after: dict[str, Entry]


class Tree:
    """The second names of an environment's files, in a folder of their own (`runs/NNNN/tree`).

    Whoever calls anything here but `load` and `state` holds the lock of the environment.
    """

    def __init__(self, folder: Path, scope: Scope) -> None:
        self.folder = folder
        self.scope = scope

    @classmethod
    def begin(cls, folder: Path, scope: Scope) -> Tree:
        """Take the snapshot. When this returns it is on the disk, and an installer may begin.

        Raises `DiskError`, and leaves nothing, where that cannot be.
        """
        tree = cls(folder, scope)
        with disk.telling(folder):
            folder.mkdir(0o700)
        with disk.all_or_nothing(tree.discard):
            disk.touch(folder / "taking")
            found = scan(scope)
            disk.create(folder / _MANIFEST, dump(scope, tree._keep(found), {}))
            _settle(found.values())
            disk.rename(folder / "taking", folder / "taken")
        return tree

    @classmethod
    def load(cls, folder: Path, prefix: Path) -> Tree:
        """Return what lies in the folder; raises `DataError` where that is damaged."""
        prefix = Path(os.path.realpath(prefix))
        tree = cls(folder, Scope(prefix))
        name = {"taken": _MANIFEST, "done": _DELTA}.get(tree.state)
        return tree if name is None else cls(folder, load(folder / name, prefix).scope)

    @property
    def state(self) -> str:
        """One of `STATES`; raises `DataError` where the folder does not say exactly one."""
        with disk.telling(self.folder, "read"):
            names = os.listdir(self.folder)  # noqa: PTH208
        states = [state for state in STATES if state in names]
        if not names:
            return "over"
        if len(states) != 1:
            raise DataError(
                f"{self.folder}: no telling how far this came (one of {', '.join(STATES)} must "
                f"lie there; found {' and '.join(states) or 'none'}); the files named in "
                f"{_MANIFEST} lie there under their numbers; move the folder away"
            )
        return states[0]

    @property
    def delta(self) -> Delta:
        """What the installer did; of a tree that is `done`."""
        manifest = load(self.folder / _DELTA, self.scope.prefix)
        return Delta(manifest.before, manifest.after)

    def finish(self) -> Difference:
        """Keep what the installer removed or changed, with the hashes of what it left.

        Killed before the end, the tree is still `taken`; killed after it, `done`, and `prune`
        goes on. Raises `DiskError`; the tree is still `taken` then, and can be restored.
        """
        before = self._before()
        now = scan(self.scope)
        difference = diff(before, now)
        kept = {
            path: before[path]._replace(kept=None) if path in difference.lost else before[path]
            for path in (*difference.removed, *difference.changed)
        }
        after = {
            path: hashed(self.scope.prefix / path, now[path])
            for path in (*difference.added, *difference.changed)
        }
        disk.discard(self.folder / _DELTA)
        disk.create(self.folder / _DELTA, dump(self.scope, kept, after))
        _settle(after.values())
        disk.rename(self.folder / "taken", self.folder / "done")
        self.prune()
        return difference

    def prune(self) -> None:
        """Let go of the second names that nothing needs any more; of a tree that is `done`."""
        needed = {entry.kept for entry in self.delta.before.values()}
        with disk.telling(self.folder, "cleared"):
            names = os.listdir(self.folder)  # noqa: PTH208
            for name in names:
                if name == _MANIFEST or (KEPT.fullmatch(name) and name not in needed):
                    os.unlink(f"{self.folder}/{name}")  # noqa: PTH108

    def restore(self, *, strangers: bool = True) -> Restored:
        """Bring the environment back to the snapshot; of a tree that is `taken`.

        Can be repeated, also after a kill. `strangers` False leaves new names beside the usual
        folders alone: after a crash nobody knows whose they are. Raises `DiskError` where the
        system refuses; what was put back until then stays so.
        """
        before, now = self._before(), scan(self.scope)
        difference = diff(before, now)
        left = [p for p in difference.added if not strangers and self.scope.strange(p)]
        wanted: dict[str, Entry | None] = dict.fromkeys(set(difference.added) - set(left))
        wanted.update({p: before[p] for p in (*difference.removed, *difference.changed)})
        lost = self._bring(wanted, now)
        tops = sorted({self.scope.prefix / path.partition("/")[0] for path in left})
        return Restored(tuple(self.scope.prefix / path for path in lost), tuple(tops))

    def drifted(self) -> tuple[Path, ...]:
        """Return what is no longer as the installer left it; of a tree that is `done`.

        Bytecode does not count: Python itself rewrites it. A folder counts where it must be gone.
        """
        before, after = self.delta
        prefix = self.scope.prefix
        odd = []
        for path in sorted({*before, *after}):
            wanted, found = after.get(path), look(prefix / path)
            if is_bytecode(path) or _is_folder(wanted, found):
                continue
            if wanted is None:
                if found is not None and found.kind != "folder":
                    odd.append(prefix / path)
            elif not wanted.same(found) and (
                found is None or not wanted.like(hashed(prefix / path, found))
            ):
                odd.append(prefix / path)
        return tuple(odd)

    def revert(self) -> tuple[Path, ...]:
        """Bring what the installer touched back to what it was; of a tree that is `done`.

        The caller has looked at `drifted`, and has a snapshot of its own to go back to. Returns
        the files that could not be put back, for they had been written in place.
        """
        before, after = self.delta
        prefix = self.scope.prefix
        sources = sorted(path for path in after if path.endswith(".py"))
        for path in sources:
            files.forget_bytecode(prefix / path)
        looks = {path: look(prefix / path) for path in {*before, *after}}
        now = {path: entry for path, entry in looks.items() if entry is not None}
        wanted: dict[str, Entry | None] = {path: None for path in after if path not in before}
        wanted.update({p: entry for p, entry in before.items() if not entry.same(now.get(p))})
        lost = self._bring(wanted, now)
        for folder in {(prefix / path).parent for path in sources}:
            with suppress(OSError):
                (folder / "__pycache__").rmdir()
        return tuple(prefix / path for path in lost)

    def discard(self) -> None:
        """Remove the folder, however far it came. The environment stays as it is."""
        if not os.path.lexists(self.folder):
            return
        state = self.state
        if state != "over":
            disk.rename(self.folder / state, self.folder / "over")
        with disk.telling(self.folder, "removed"):
            for name in os.listdir(self.folder):  # noqa: PTH208
                if name != "over":
                    os.unlink(f"{self.folder}/{name}")  # noqa: PTH108
            disk.discard(self.folder / "over")
            self.folder.rmdir()
        disk.sync([self.folder.parent])

    def _before(self) -> dict[str, Entry]:
        return load(self.folder / _MANIFEST, self.scope.prefix).before

    def _keep(self, found: Manifest) -> dict[str, Entry]:
        """Give every file its second name, and return the entries that say which."""
        prefix, folder = str(self.scope.prefix), str(self.folder)
        kept: dict[str, Entry] = {}
        for index, (path, entry) in enumerate(found.items()):
            source, name = f"{prefix}/{path}", f"{index:06d}"
            kept[path] = entry
            if entry.kind == "file":
                kept[path] = _second_name(source, f"{folder}/{name}", path, entry, name)
            elif entry.kind == "link":
                kept[path] = _behind(source, f"{folder}/{name}", path, entry, name)
        return kept

    def _bring(self, wanted: Mapping[str, Entry | None], now: Manifest) -> list[str]:
        """Bring paths to what is wanted: what must go goes first, and makes room for the rest."""
        prefix = self.scope.prefix
        self._refuse_links(wanted)
        for path in sorted(wanted, reverse=True):
            entry, found = wanted[path], now.get(path)
            if found is not None and (entry is None or entry.kind != found.kind):
                _remove(prefix / path, found)
        lost = []
        for path in sorted(wanted):
            entry = wanted[path]
            if entry is not None and entry.kind == "folder":
                with disk.telling(prefix / path):
                    (prefix / path).mkdir(exist_ok=True)
            elif entry is not None and not self._place(prefix / path, entry):
                if is_bytecode(path):  # whatever it is now, it is not that of its source
                    disk.discard(prefix / path)
                else:
                    lost.append(path)
        for path in sorted(wanted, reverse=True):
            entry = wanted[path]
            if entry is not None and entry.kind == "folder":
                _dress_folder(prefix / path, entry)
        disk.sync({(prefix / path).parent for path in wanted})
        return lost

    def _refuse_links(self, paths: Mapping[str, object]) -> None:
        """Refuse to write through a folder that became a symbolic link."""
        prefix = self.scope.prefix
        for folder in {path.rpartition("/")[0] for path in paths}:
            inner = folder
            while inner:
                if inner not in paths and os.path.islink(prefix / inner):  # noqa: PTH114
                    raise DoctorError(
                        f"{prefix / inner}: became a symbolic link; nothing is put back through "
                        "it: make it a folder again"
                    )
                inner = inner.rpartition("/")[0]

    def _place(self, path: Path, entry: Entry) -> bool:
        """Put a file or link back; False where its bytes are no longer what they were."""
        temp = files.temporary(path, 0, 0)
        disk.discard(temp)
        kept = None if entry.kept is None else self.folder / entry.kept
        with disk.telling(path):
            if entry.kind == "link":
                return _place_link(path, entry, kept, temp)
            if kept is None or not _sound(kept, entry):
                return False
            try:
                if entry.sha256 is not None or not _dressed(kept, entry) or not _link(kept, temp):
                    _copy(str(kept), temp, entry)
                os.replace(temp, path)
            except BaseException:
                disk.discard(temp)
                raise
        return True


def _settle(entries: Iterable[Entry]) -> None:
    """Wait until young files are on the disk: no installer waits for that.

    What is older has been written back long ago. One call for all, since one for each file takes
    minutes.
    """
    since = time.time_ns() - _YOUNG_NS
    if any(entry.kind == "file" and entry.mtime_ns > since for entry in entries):
        os.sync()


def _place_link(path: Path, entry: Entry, kept: Path | None, temp: Path) -> bool:
    """Make the link again; where it would lead elsewhere now, the kept file takes its place."""
    lives = entry.behind is None
    if kept is not None and _stat_of(path.parent / (entry.link or "")) != entry.behind:
        lives = _stat_of(kept) == entry.behind and _link(kept, temp)
        if lives:
            os.replace(temp, path)
            return True
    temp.symlink_to(entry.link or "")
    if os.geteuid() == 0:
        os.lchown(temp, entry.uid, entry.gid)
    os.replace(temp, path)
    return lives or _stat_of(path) == entry.behind


def _stat_of(path: Path | str) -> tuple[int, int] | None:
    """Size and time of the regular file that a link leads to."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _second_name(source: str, kept: str, path: str, entry: Entry, name: str) -> Entry:
    with disk.telling(Path(source), "kept"):
        if not _is_rewritten(path, entry.size) and _link(source, kept):
            # Once more: a union file system moves a file when it is linked.
            linked = entry_of(kept, os.lstat(kept)) or entry
            return linked._replace(kept=name)
        digest = _copy(source, kept, entry)
    return entry._replace(sha256=digest, kept=name)


def _behind(source: str, kept: str, path: str, entry: Entry, name: str) -> Entry:
    """Keep what an installed link leads to, where that costs nothing: uv's cache may be cleaned."""
    behind = _stat_of(source) if "-packages/" in path else None
    if behind is None:
        return entry
    linked = _link(os.path.realpath(source), kept)
    return entry._replace(behind=behind, kept=name if linked else None)


def _is_rewritten(path: str, size: int) -> bool:
    """Tell the small texts that some tool rewrites in place."""
    if size > SMALL:
        return False
    folder, _, name = path.rpartition("/")
    return (
        not folder
        or folder.endswith((".dist-info", ".egg-info"))
        or name.endswith((".pth", ".egg-link"))
        or folder.rpartition("/")[2] in {"bin", "Scripts"}
    )


_UNLINKABLE: Final = frozenset(
    {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.ENOSYS}
)


def _link(source: str | Path, target: str | Path) -> bool:
    """Give a file another name; False where this file, or this file system, takes none."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _UNLINKABLE:
            return False
        raise
    return True


def _copy(source: str, target: str | Path, entry: Entry) -> str:
    """Copy content and all that `entry` says of the file; return the sha256 of the content."""
    digest = hashlib.sha256()
    reading = os.open(source, disk.READ)
    try:
        writing = os.open(target, disk.CREATE, 0o600)
        try:
            while block := os.read(reading, 1 << 20):
                digest.update(block)
                disk.fill(writing, block)
            _attribute(reading, writing)
            status = os.fstat(writing)
            if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
                os.fchown(writing, entry.uid, entry.gid)
            os.fchmod(writing, entry.mode)
            os.utime(writing, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return digest.hexdigest()


def _attribute(source: int, target: int) -> None:
    try:
        for name in os.listxattr(source):
            if not name.startswith("security."):  # labels are the kernel's to give
                os.setxattr(target, name, os.getxattr(source, name))
    except OSError as error:
        if error.errno not in {errno.ENOTSUP, errno.ENODATA}:
            raise


def _sound(kept: Path, entry: Entry) -> bool:
    """Whether the kept bytes are what they were when they were kept."""
    try:
        status = os.lstat(kept)
    except FileNotFoundError:
        return False
    if entry.sha256 is not None:
        return hashlib.sha256(disk.read(kept)).hexdigest() == entry.sha256
    return (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns)


def _dressed(kept: Path, entry: Entry) -> bool:
    """Whether permissions and owner are still those of the entry."""
    status = os.lstat(kept)
    found = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found == (entry.mode, entry.uid, entry.gid)


def _dress_folder(path: Path, entry: Entry) -> None:
    with disk.telling(path):
        status = os.lstat(path)
        if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if stat.S_IMODE(status.st_mode) != entry.mode:
            path.chmod(entry.mode)


def _remove(path: Path, found: Entry) -> None:
    if found.kind != "folder":
        disk.discard(path)
        return
    # Bytecode that was compiled since keeps no folder alive; what somebody else put there does.
    for empty in (path / "__pycache__", path):
        with suppress(OSError):
            empty.rmdir()


def _is_folder(wanted: Entry | None, found: Entry | None) -> bool:
    return wanted is not None and found is not None and wanted.kind == found.kind == "folder"
