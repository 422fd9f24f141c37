"""One file replaced as a whole: what is kept, what is refused, and that nobody else's changes."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.treatment import files
from legacy_doctor.treatment.disk import DiskError
from legacy_doctor.treatment.files import DriftedError, OddFileError, observe
from legacy_doctor.treatment.steps import ABSENT, FileStep


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def step(path: Path, content: bytes | None, mode: int | None = None) -> FileStep:
    return FileStep(path, observe(path), content, mode, "because")


def lie(folder: Path, kind: str) -> Path:
    """Put something of that kind there."""
    path = folder / "a.py"
    if kind == "file":
        path.write_bytes(b"old")
    elif kind == "hard link":
        (folder / "cache").write_bytes(b"old")
        os.link(folder / "cache", path)
    elif kind == "link":
        (folder / "cache").write_bytes(b"old")
        path.symlink_to("cache")
    elif kind == "dead link":
        path.symlink_to("nowhere")
    elif kind == "link to itself":
        path.symlink_to("a.py")
    elif kind == "link to a folder":
        path.symlink_to(".")
    elif kind == "link below a file":
        (folder / "cache").write_bytes(b"old")
        path.symlink_to("cache/below")
    if kind in {"file", "hard link", "link"}:
        path.chmod(0o640)
    return path


OBSERVED = {
    "nothing": ("absent", None, None),
    "file": ("file", b"old", None),
    "hard link": ("file", b"old", None),
    "link": ("symlink", b"old", "cache"),
    "dead link": ("symlink", None, "nowhere"),
    "link to itself": ("symlink", None, "a.py"),
    "link to a folder": ("symlink", None, "."),
    "link below a file": ("symlink", None, "cache/below"),
}


@pytest.mark.parametrize(("kind", "wanted"), OBSERVED.items(), ids=OBSERVED)
def test_what_lies_there(
    kind: str, wanted: tuple[str, bytes | None, str | None], tmp_path: Path
) -> None:
    path = lie(tmp_path, kind)
    word, content, link = wanted

    found, read = files.read(path)

    assert (found.kind, read, found.link) == (word, content, link)
    assert found.sha256 == (None if content is None else digest(content))
    assert found.mode == (None if content is None else 0o640)
    assert found.nlink == (2 if kind == "hard link" else 1)
    if kind != "nothing":
        status = path.lstat()
        assert (found.uid, found.gid, found.mtime_ns) == (
            status.st_uid,
            status.st_gid,
            status.st_mtime_ns,
        )


def test_below_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert observe(lie(tmp_path, "file") / "below") == ABSENT


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_what_is_no_file_is_left_alone(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "a.py")
    with pytest.raises(OddFileError, match=r"a\.py: not a regular file"):
        observe(tmp_path / "a.py")


def test_a_name_that_is_too_long_says_so(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"cannot be read \(File name too long\)"):
        observe(tmp_path / ("a" * 300))


def test_a_link_that_may_not_be_followed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lie(tmp_path, "link")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DiskError, match=r"a\.py: cannot be read \(Permission denied\)"):
        observe(path)


@pytest.mark.parametrize(
    "kind", ["nothing", "file", "hard link", "link", "dead link", "link to a folder"]
)
@pytest.mark.parametrize("content", [None, b"", b"new"], ids=["delete", "empty", "write"])
def test_a_step_leaves_what_it_says_and_its_inverse_what_was(
    kind: str, content: bytes | None, tmp_path: Path
) -> None:
    path = lie(tmp_path, kind)
    beside = {p.name: p.lstat().st_ino for p in tmp_path.iterdir() if p != path}
    before, original = files.read(path)
    done = step(path, content)

    files.apply(done)

    assert observe(path) == done.after
    assert not path.is_symlink()
    files.apply(done.inverse(original))
    assert observe(path) == before
    assert observe(path).mtime_ns == before.mtime_ns
    assert {p.name: p.lstat().st_ino for p in tmp_path.iterdir() if p != path} == beside
    assert "cache" not in beside or (tmp_path / "cache").read_bytes() == b"old"


def test_bytecode_that_python_compares_with_its_source_stays(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    for name, flags in (("opt-1.", 3), ("opt-2.", 1), ("", 0)):
        head = b"\xa7\r\r\n" + flags.to_bytes(4, "little")
        (tmp_path / f"__pycache__/a.cpython-311.{name}pyc").write_bytes(head + b"the rest")

    files.forget_bytecode(tmp_path / "a.py")

    assert [path.name for path in (tmp_path / "__pycache__").iterdir()] == [
        "a.cpython-311.opt-1.pyc"
    ]


@pytest.mark.parametrize("kind", ["hard link", "link"])
def test_a_link_is_replaced_and_never_written_through(kind: str, tmp_path: Path) -> None:
    path = lie(tmp_path, kind)
    inode = (tmp_path / "cache").stat().st_ino

    files.apply(step(path, b"new"))

    assert path.read_bytes() == b"new"
    assert path.stat().st_nlink == 1
    assert (tmp_path / "cache").read_bytes() == b"old"
    assert (tmp_path / "cache").stat().st_ino == inode


MODES = {
    "kept": (0o640, None, 0o640),
    "kept, with every bit": (0o6755, None, 0o6755),
    "kept, when there are none": (0o000, None, 0o000),
    "as asked": (0o640, 0o755, 0o755),
    "of a new file": (None, None, 0o644),
    "of a new file, as asked": (None, 0o600, 0o600),
}


@pytest.mark.parametrize(("old", "asked", "new"), MODES.values(), ids=MODES)
def test_permissions(old: int | None, asked: int | None, new: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if old is not None:
        path.write_bytes(b"old")
        path.chmod(old)
        if old == 0 and os.getuid():
            pytest.skip("only root reads a file without permissions")
    umask = os.umask(0o077)
    try:
        files.apply(step(path, b"new", asked))
    finally:
        os.umask(umask)

    assert stat.S_IMODE(path.stat().st_mode) == new


def settable(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"no {name} on this file system ({error.strerror})")


ACCESS = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, who)
    for tag, permissions, who in [
        (0x01, 6, 0xFFFFFFFF),
        (0x02, 4, 65534),
        (0x04, 4, 0xFFFFFFFF),
        (0x10, 4, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    ]
)
"""An access list: the owner may write, and user 65534 may read."""


@pytest.mark.parametrize(
    ("name", "value"), [("user.note", b"\0\xff"), ("system.posix_acl_access", ACCESS)]
)
def test_extended_attributes_are_kept_and_restored(name: str, value: bytes, tmp_path: Path) -> None:
    path = lie(tmp_path, "file")
    settable(path, name, value)
    before, original = files.read(path)
    done = replace(step(path, b"new"), before=before)

    files.apply(done)
    assert os.getxattr(path, name) == value
    os.removexattr(path, name)
    path.chmod(done.after.mode or 0)
    files.apply(done.inverse(original))

    assert os.getxattr(path, name) == value
    assert observe(path) == before


def test_an_access_list_of_the_folder_does_not_fall_on_an_old_file(tmp_path: Path) -> None:
    path = lie(tmp_path, "file")
    settable(tmp_path, "system.posix_acl_default", ACCESS)

    files.apply(step(path, b"new"))
    files.apply(step(tmp_path / "born.py", b"new"))

    assert os.listxattr(path) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listxattr(tmp_path / "born.py") == ["system.posix_acl_access"]


LABELS = {"security.odd": False, "user.odd": True}


@pytest.mark.parametrize(("name", "fatal"), LABELS.items(), ids=LABELS)
def test_a_label_that_the_kernel_will_not_give_is_no_reason_to_fail(
    name: str, fatal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lie(tmp_path, "file")
    wanted = replace(observe(path), xattrs=((name, b"1"),))
    back = FileStep(path, observe(path), b"old", 0o640, "undo", restores=wanted)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "setxattr", refuse)
    if fatal:
        with pytest.raises(DiskError, match="Operation not permitted"):
            files.apply(back)
        assert [p.name for p in tmp_path.iterdir()] == ["a.py"]
    else:
        files.apply(back)


@pytest.mark.parametrize(
    ("number", "quiet"), [(errno.ENOTSUP, True), (errno.EIO, False)], ids=["none", "broken"]
)
def test_a_file_system_without_attributes(
    number: int, quiet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lie(tmp_path, "file")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "listxattr", refuse)
    if quiet:
        files.apply(step(path, b"new"))
    else:
        with pytest.raises(DiskError, match="Input/output error"):
            observe(path)


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")


@needs_root
@pytest.mark.parametrize("kind", ["file", "link"])
def test_the_owner_is_kept_and_restored(kind: str, tmp_path: Path) -> None:
    path = lie(tmp_path, kind)
    os.chown(path, 1234, 4321, follow_symlinks=False)
    done = step(path, b"new")

    files.apply(done)
    assert (path.lstat().st_uid, path.lstat().st_gid) == (1234, 4321)
    os.chown(path, 0, 0, follow_symlinks=False)
    files.apply(done.inverse(b"old"))

    assert (path.lstat().st_uid, path.lstat().st_gid) == (1234, 4321)


CHANGES: dict[str, Callable[[Path], object]] = {
    "other content": lambda path: path.write_bytes(b"other"),
    "other permissions": lambda path: path.chmod(0o600),
    "gone": lambda path: path.unlink(),
    "a link now": lambda path: (path.rename(path.parent / "b"), path.symlink_to("b")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_drifted_is_refused(change: Callable[[Path], object], tmp_path: Path) -> None:
    path = lie(tmp_path, "file")
    planned = step(path, b"new")
    change(path)
    found = observe(path)

    with pytest.raises(DriftedError, match=r"a\.py: changed since the plan was made") as caught:
        files.apply(planned)

    assert caught.value.paths == (path,)
    assert observe(path) == found


FAILING = ["fsync", "replace", "write", "fchmod"]


@pytest.mark.parametrize("call", FAILING)
def test_a_failure_leaves_the_file_and_no_temporary_one(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lie(tmp_path, "file")
    planned = step(path, b"new")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(DiskError, match=r"a\.py: cannot be written \(No space left on device\); "):
        files.apply(planned)

    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


def test_a_temporary_file_of_a_lost_run_is_written_over(tmp_path: Path) -> None:
    path = lie(tmp_path, "file")
    files.temporary(path, 0, 0).write_bytes(b"left")

    files.apply(step(path, b"new"))

    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


def test_a_temporary_name_fits_whatever_the_file_is_called(tmp_path: Path) -> None:
    name = files.temporary(tmp_path / ("a" * 255), 12345, 0).name

    assert name == ".legacy-doctor-12345-0000.tmp"


def test_a_parent_that_is_a_file_is_told(tmp_path: Path) -> None:
    path = lie(tmp_path, "file") / "below.py"
    with pytest.raises(DiskError, match=r"below\.py: .* a file is where a folder must be"):
        files.apply(step(path, b"new"))


BYTECODE = {
    "a.cpython-311.pyc": True,
    "a.cpython-311.opt-1.pyc": True,
    "a.pypy39.pyc": True,
    "ab.cpython-311.pyc": False,
    "a.b.cpython-311.pyc": False,
    "a.cpython-311.pyc.1234": False,
    "a.pyc": False,
}


@pytest.mark.parametrize(("name", "stale"), BYTECODE.items(), ids=BYTECODE)
def test_stale_bytecode_is_removed_and_only_that(name: str, stale: bool, tmp_path: Path) -> None:
    path = lie(tmp_path, "file")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / name).touch()

    files.apply(step(path, b"new"))

    assert (tmp_path / "__pycache__" / name).exists() is not stale


@pytest.mark.parametrize("kind", ["a link", "a file", "nothing", "another suffix"])
def test_no_bytecode_to_remove(kind: str, tmp_path: Path) -> None:
    cache, far = tmp_path / "__pycache__", tmp_path / "far"
    far.mkdir()
    (far / "a.cpython-311.pyc").touch()
    path = lie(tmp_path, "file")
    if kind == "a link":
        cache.symlink_to("far")
    elif kind == "a file":
        cache.touch()
    elif kind == "another suffix":
        os.replace(far, cache)
        far = cache
        path = path.rename(tmp_path / "a.txt")

    files.apply(step(path, b"new"))

    assert (far / "a.cpython-311.pyc").exists()


OUTSIDE = {
    "beside": "../outside/a.py",
    "by dots": "lib/../../outside/a.py",
    "through a link": "away/a.py",
    "through a link, to a folder that is not there": "away/new/a.py",
    "the system": "/etc/passwd",
    "a name like the environment's": "../environment2/a.py",
}


@pytest.mark.parametrize("path", OUTSIDE.values(), ids=OUTSIDE)
def test_no_path_leads_out_of_the_environment(path: str, tmp_path: Path) -> None:
    prefix = tmp_path / "environment"
    (prefix / "lib").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (prefix / "away").symlink_to("../outside")
    with pytest.raises(DoctorError, match="lies outside the environment"):
        files.inside(prefix, prefix / path)


NO_FILES = ["relative/a.py", "/", "/a/..", "/a\0b"]


@pytest.mark.parametrize("path", NO_FILES)
def test_what_is_no_path_of_a_file(path: str, tmp_path: Path) -> None:
    with pytest.raises(DoctorError, match="not the absolute path of a file"):
        files.inside(tmp_path, Path(path))


INSIDE = {
    "plain": ("lib/a.py", "lib/a.py"),
    "at the top": ("pyvenv.cfg", "pyvenv.cfg"),
    "through a link that stays": ("lib64/a.py", "lib/a.py"),
    "a link itself": ("lib/link.py", "lib/link.py"),
    "in folders to be made": ("lib/new/deep/a.py", "lib/new/deep/a.py"),
    "by dots that stay": ("bin/../lib/a.py", "lib/a.py"),
}


@pytest.mark.parametrize(("path", "place"), INSIDE.values(), ids=INSIDE)
def test_where_a_file_really_lies(path: str, place: str, tmp_path: Path) -> None:
    prefix = tmp_path / "environment"
    (prefix / "lib").mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "lib64").symlink_to("lib")
    (prefix / "lib/link.py").symlink_to("/outside/link.py")
    (tmp_path / "by-another-name").symlink_to("environment")

    for name in (prefix, tmp_path / "by-another-name"):
        assert files.inside(name, name / path) == prefix / place
    assert files.inside(tmp_path / "by-another-name", prefix / path) == prefix / place


LIVES = {"cache": digest(b"old"), "nowhere": None, ".": None, "odd": None}


@pytest.mark.parametrize(("link", "wanted"), LIVES.items(), ids=LIVES)
def test_what_a_link_would_lead_to(link: str, wanted: str | None, tmp_path: Path) -> None:
    path = lie(tmp_path, "link")
    os.mkfifo(tmp_path / "odd")
    assert files.leads_to(path, link) == wanted
