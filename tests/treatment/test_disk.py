"""Durable writing, and one clear line where it cannot be."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.treatment import disk
from legacy_doctor.treatment.disk import DiskError

REFUSALS = {
    "a full disk": (errno.ENOSPC, "No space left on device); free some space, then run the"),
    "a full quota": (errno.EDQUOT, "Disk quota exceeded); free some of your quota, then"),
    "a read-only system": (errno.EROFS, "Read-only file system); mount the file system writable"),
    "no permission": (errno.EACCES, "Permission denied); run this as the owner of the"),
    "an immutable file": (errno.EPERM, "Operation not permitted); run this as the owner of"),
    "a broken disk": (errno.EIO, "Input/output error)"),
}


@pytest.mark.parametrize(("number", "said"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_what_where_and_what_to_do(number: int, said: str) -> None:
    with pytest.raises(DiskError) as caught, disk.telling(Path("/a/b")):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith(f"/a/b: cannot be written ({said}")
    assert "\n" not in str(caught.value)


def test_an_error_without_a_number_is_told_too() -> None:
    with (
        pytest.raises(DiskError, match=r"^/a: cannot be read \(odd\)$"),
        disk.telling(Path("/a"), "read"),
    ):
        raise OSError("odd")


def test_a_file_is_created_for_its_owner_and_read_back(tmp_path: Path) -> None:
    disk.create(tmp_path / "a", b"content")

    assert disk.read(tmp_path / "a") == b"content"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_all_is_written_however_little_the_system_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data[:3])))

    disk.create(tmp_path / "a", b"0123456789")

    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize("create", [disk.create, disk.touch], ids=["create", "touch"])
def test_what_is_there_already_is_not_overwritten(
    create: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(DiskError, match="File exists"):
        create(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(DiskError, match="File exists"):
        disk.create(tmp_path / "a")
    with pytest.raises(DiskError, match="symbolic link"):
        disk.read(tmp_path / "a")


def test_what_is_gone_is_discarded_already(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    disk.discard(tmp_path / "none")
    disk.discard(tmp_path / "file/below")
    disk.discard(tmp_path / "no/folder")


def test_a_folder_is_not_discarded(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot be removed"):
        disk.discard(tmp_path)


def test_a_folder_that_is_gone_needs_no_sync(tmp_path: Path) -> None:
    disk.sync([tmp_path, tmp_path / "none"])


KEPT = {
    "a file of one name gets a second": (1, False, True),
    "a file of two names is copied": (2, False, False),
    "a link is copied": (1, True, False),
}


@pytest.mark.parametrize(("names", "linked", "shared"), KEPT.values(), ids=KEPT)
def test_originals_are_kept_apart_from_what_others_share(
    names: int, linked: bool, shared: bool, tmp_path: Path
) -> None:
    path, kept = tmp_path / "path", tmp_path / "kept"
    (tmp_path / "real").write_bytes(b"x")
    if names == 2:
        os.link(tmp_path / "real", tmp_path / "second")
    if linked:
        path.symlink_to("real")
    else:
        os.replace(tmp_path / "real", path)

    disk.keep(path, kept, b"x")

    assert kept.read_bytes() == b"x"
    assert not kept.is_symlink()
    assert path.samefile(kept) is shared


def test_without_hard_links_an_original_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_bytes(b"x")

    disk.keep(tmp_path / "a", tmp_path / "kept", b"x")

    assert (tmp_path / "kept").read_bytes() == b"x"


def test_a_way_back_is_taken_and_told() -> None:
    taken = []
    with (
        pytest.raises(DiskError, match=r"^full; nothing was changed$"),
        disk.all_or_nothing(lambda: taken.append(1)),
    ):
        raise DiskError("full")
    assert taken == [1]


def test_an_interruption_takes_the_way_back_and_stays_one() -> None:
    taken = []
    with pytest.raises(KeyboardInterrupt), disk.all_or_nothing(lambda: taken.append(1)):
        raise KeyboardInterrupt
    assert taken == [1]


def test_a_way_back_that_fails_is_told() -> None:
    def fail() -> None:
        raise DoctorError("worse")

    said = r"^full; .* failed too \(worse\); nothing is lost: "
    with pytest.raises(DiskError, match=said), disk.all_or_nothing(fail):
        raise DiskError("full")
