"""What lies in an environment, path by path: what an installer may touch, and what became of it.

Read with `lstat` alone: nothing is followed, and contents are hashed only where it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from legacy_doctor.errors import DataError
from legacy_doctor.treatment import disk

FORMAT: Final = 1
"""Of a written manifest; raised when an older legacy-doctor could not read it rightly."""

KEPT: Final = re.compile(r"\d{6,}")
"""The names under which bytes are kept."""

_JOURNAL: Final = ".legacy-doctor"
_USUAL: Final = frozenset(
    "bin lib lib32 lib64 include share pyvenv.cfg pip.conf pip.ini Scripts Lib Include".split()
)
"""What every installer writes to in a virtual environment; others only where a RECORD says so."""

_STAT: Final = slice(1, 7)

Kind = Literal["file", "link", "folder"]


class Entry(NamedTuple):
    """What lies at a path. A tuple and no dataclass: an environment has tens of thousands."""

    kind: Kind
    mode: int
    size: int
    mtime_ns: int
    inode: int
    uid: int
    gid: int
    link: str | None = None
    """The target of a symbolic link, as written."""
    sha256: str | None = None
    """Known where the content was read: of a copy, and of what an installer left."""
    kept: str | None = None
    """The name under which the bytes are kept; None where they are not."""
    behind: tuple[int, int] | None = None
    """Size and time of the file that a symbolic link led to."""

    def same(self, other: Entry | None) -> bool:
        """Whether nothing happened to the path between the two looks at it."""
        if other is None or self.kind != other.kind:
            return False
        if self.kind == "link":
            return self.link == other.link
        if self.kind == "folder":
            return self.mode == other.mode
        return self[_STAT] == other[_STAT]

    def like(self, other: Entry | None) -> bool:
        """Whether content and permissions are the same, whoever wrote them when."""
        if other is None or self.kind != other.kind:
            return False
        if self.kind == "file":
            return (self.mode, self.sha256) == (other.mode, other.sha256)
        return self.link == other.link


Manifest = Mapping[str, Entry]


class Difference(NamedTuple):
    """What became of a tree: paths relative to the environment, in order."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    lost: tuple[str, ...] = ()
    """Of the changed ones: written in place, so that what they were is not kept."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any(self)


@dataclass(frozen=True)
class Scope:
    """The part of a prefix that belongs to its packages."""

    prefix: Path
    roots: tuple[str, ...] | None = None
    """Only these; None for the whole prefix but `others`."""
    others: tuple[str, ...] = ()
    """Names in the prefix that were there before and are no business of an installer."""

    @classmethod
    def of(cls, prefix: Path, site_packages: Iterable[Path]) -> Scope:
        """Return what an installer may touch.

        In a virtual environment: its usual folders, and whatever a RECORD names besides, but not
        the project that may lie around it. Elsewhere: the packages and the scripts.
        """
        prefix = Path(os.path.realpath(prefix))
        inner = sorted({i for i in (_inside(prefix, path) for path in site_packages) if i})
        if not os.path.isfile(prefix / "pyvenv.cfg"):
            scripts = [name for name in ("bin", "local/bin") if os.path.isdir(prefix / name)]  # noqa: PTH112
            return cls(prefix, (*scripts, *_outermost(inner)))
        wanted = {*_USUAL, *_recorded(prefix, inner)}
        with disk.telling(prefix, "read"):
            names = os.listdir(prefix)  # noqa: PTH208
        return cls(prefix, None, tuple(sorted(set(names) - wanted - {_JOURNAL})))

    def strange(self, path: str) -> bool:
        """Whether a new path lies where no installer usually writes."""
        return self.roots is None and path.partition("/")[0] not in _USUAL


def _inside(prefix: Path, path: Path) -> str | None:
    try:
        inner = str(Path(os.path.realpath(path)).relative_to(prefix))
    except ValueError:
        return None
    return None if inner == "." else inner


def _outermost(paths: list[str]) -> list[str]:
    return [p for p in paths if not any(p.startswith(f"{other}/") for other in paths)]


_UPWARD: Final = re.compile(r'^"?((?:\.\./)+[^,"\n]+)', re.MULTILINE)


def _recorded(prefix: Path, inner: Iterable[str]) -> Iterator[str]:
    """Yield the names in the prefix that some RECORD mentions."""
    for site in inner:
        for record in (prefix / site).glob("*.dist-info/RECORD"):
            with suppress(OSError):
                text = record.read_text("utf-8", "replace")
                for match in _UPWARD.finditer(text) if "../" in text else ():
                    name = os.path.normpath(f"{site}/{match[1]}").partition("/")[0]
                    if name not in {"..", "."}:
                        yield name


def scan(scope: Scope) -> dict[str, Entry]:
    """Return what lies in the scope now. Nothing is followed; pipes and devices are passed over.

    Raises `DiskError` where a folder cannot be read.
    """
    found: dict[str, Entry] = {}
    if scope.roots is None:
        _scan(str(scope.prefix), "", {*scope.others, _JOURNAL}, found)
    for root in scope.roots or ():
        path = scope.prefix / root
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            _scan(str(path), f"{root}/", set(), found)
    return found


def _scan(folder: str, inner: str, skipped: set[str], found: dict[str, Entry]) -> None:
    with disk.telling(Path(folder), "read"), os.scandir(folder) as entries:
        for item in entries:
            if item.name in skipped:
                continue
            entry = entry_of(item.path, item.stat(follow_symlinks=False))
            if entry is None:
                continue
            path = inner + item.name
            found[path] = entry
            if entry.kind == "folder":
                _scan(item.path, f"{path}/", set(), found)


def entry_of(path: str, status: os.stat_result) -> Entry | None:
    """Return what a path is by its status; None for a pipe, a socket or a device."""
    kind: Kind
    link = None
    if stat.S_ISREG(status.st_mode):
        kind = "file"
    elif stat.S_ISDIR(status.st_mode):
        kind = "folder"
    elif stat.S_ISLNK(status.st_mode):
        kind, link = "link", os.readlink(path)
    else:
        return None
    return Entry(
        kind,
        stat.S_IMODE(status.st_mode),
        status.st_size,
        status.st_mtime_ns,
        status.st_ino,
        status.st_uid,
        status.st_gid,
        link,
    )


def diff(before: Manifest, now: Manifest) -> Difference:
    """Return what became of `before`."""
    common = before.keys() & now.keys()
    changed = sorted(path for path in common if not before[path].same(now[path]))
    return Difference(
        tuple(sorted(now.keys() - before.keys())),
        tuple(sorted(before.keys() - now.keys())),
        tuple(changed),
        tuple(
            path
            for path in changed
            if not is_bytecode(path) and _written_in_place(before[path], now[path])
        ),
    )


def is_bytecode(path: str) -> bool:
    """Whether Python made it, and can make it again."""
    return path.endswith(".pyc") or path.rpartition("/")[2] == "__pycache__"


def _written_in_place(before: Entry, now: Entry) -> bool:
    """The same inode with other content, and no copy of the old one."""
    return (
        before.kind == now.kind == "file"
        and before.sha256 is None
        and before.inode == now.inode
        and (before.size, before.mtime_ns) != (now.size, now.mtime_ns)
    )


def look(path: Path) -> Entry | None:
    """Return what lies at one path now, or None where nothing does."""
    with disk.telling(path, "read"), suppress(FileNotFoundError, NotADirectoryError):
        return entry_of(str(path), os.lstat(path))
    return None


def hashed(path: Path, entry: Entry) -> Entry:
    """Return the entry with the hash of its content, read in blocks."""
    if entry.kind != "file":
        return entry
    digest = hashlib.sha256()
    with disk.telling(path, "read"):
        descriptor = os.open(path, disk.READ)
        try:
            while block := os.read(descriptor, 1 << 20):
                digest.update(block)
        finally:
            os.close(descriptor)
    return entry._replace(sha256=digest.hexdigest())


class Written(NamedTuple):
    """What `dump` was given."""

    scope: Scope
    before: dict[str, Entry]
    after: dict[str, Entry]


def dump(scope: Scope, before: Manifest, after: Manifest) -> bytes:
    """Write as JSON, behind a line with its checksum; paths are relative to the environment."""
    body = json.dumps(
        {
            "format": FORMAT,
            "roots": scope.roots,
            "others": scope.others,
            "before": before,
            "after": after,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return f"{hashlib.sha256(body.encode('ascii')).hexdigest()}\n{body}\n".encode("ascii")


_ADVICE: Final = "put it back as it was, or move its folder away (the files lie in it by number)"


def load(path: Path, prefix: Path) -> Written:
    """Read what `dump` wrote; raises `DataError` where it is not that to the letter."""
    try:
        checksum, _, body = disk.read(path).decode("ascii").partition("\n")
        body = body.removesuffix("\n")
        if hashlib.sha256(body.encode("ascii")).hexdigest() != checksum:
            raise ValueError("its checksum does not fit")
        document = json.loads(body)
        if document["format"] != FORMAT:
            raise ValueError(f"written by another legacy-doctor (this one reads {FORMAT})")
        roots = document["roots"]
        scope = Scope(prefix, None if roots is None else tuple(roots), tuple(document["others"]))
        return Written(scope, _entries(document["before"]), _entries(document["after"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: truncated, or edited by hand: {error}; {_ADVICE}") from error
    except disk.DiskError as error:
        raise DataError(f"{error}; {_ADVICE}") from error


def _entries(values: dict[str, list[Any]]) -> dict[str, Entry]:
    entries = {}
    for path, value in values.items():
        _refuse_escape(path)
        *plain, behind = value
        entry = Entry._make([*plain, None if behind is None else (behind[0], behind[1])])
        if entry.kept is not None and not KEPT.fullmatch(entry.kept):
            raise ValueError(f"no name of a kept file: {entry.kept!r:.60}")
        entries[path] = entry
    return entries


def _refuse_escape(path: str) -> None:
    if "\0" in path or {"", ".", "..", _JOURNAL} & set(path.split("/")):
        raise ValueError(f"not a path inside the environment: {path!r:.60}")
