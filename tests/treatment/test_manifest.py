"""What lies in an environment: what counts as its own, and what became of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from legacy_doctor.errors import DataError
from legacy_doctor.treatment import disk, manifest
from legacy_doctor.treatment.manifest import Difference, Entry, Scope, diff, scan
from tests.conftest import Site

FILE = Entry("file", 0o644, 5, 100, 7, 0, 0)
FOLDER = Entry("folder", 0o755, 4096, 100, 8, 0, 0)
LINK = Entry("link", 0o777, 3, 100, 9, 0, 0, link="../a")

PAIRS = {
    "nothing": (FILE, None, False),
    "itself": (FILE, FILE, True),
    "a kept file and the same": (FILE._replace(kept="000001", sha256="a"), FILE, True),
    "another inode": (FILE, FILE._replace(inode=8), False),
    "another size": (FILE, FILE._replace(size=6), False),
    "another time": (FILE, FILE._replace(mtime_ns=101), False),
    "another mode": (FILE, FILE._replace(mode=0o600), False),
    "another owner": (FILE, FILE._replace(uid=1), False),
    "a folder with another time": (FOLDER, FOLDER._replace(mtime_ns=1, size=1), True),
    "a folder with another mode": (FOLDER, FOLDER._replace(mode=0o700), False),
    "a link made again": (LINK, LINK._replace(inode=1, mtime_ns=1), True),
    "a link elsewhere": (LINK, LINK._replace(link="../b"), False),
    "another kind": (FILE, LINK, False),
}


@pytest.mark.parametrize(("one", "other", "wanted"), PAIRS.values(), ids=PAIRS)
def test_same(one: Entry, other: Entry | None, wanted: bool) -> None:
    assert one.same(other) is wanted


LIKE = {
    "nothing": (FILE, None, False),
    "the same bytes, written again": (
        FILE._replace(sha256="a"),
        FILE._replace(sha256="a", inode=1, mtime_ns=1),
        True,
    ),
    "other bytes": (FILE._replace(sha256="a"), FILE._replace(sha256="b"), False),
    "another mode": (FILE._replace(sha256="a"), FILE._replace(sha256="a", mode=0), False),
    "another kind": (FILE, FOLDER, False),
    "the same link": (LINK, LINK._replace(inode=1), True),
}


@pytest.mark.parametrize(("one", "other", "wanted"), LIKE.values(), ids=LIKE)
def test_like(one: Entry, other: Entry | None, wanted: bool) -> None:
    assert one.like(other) is wanted


def test_the_difference() -> None:
    before = {"a": FILE, "b": FILE, "c": FILE, "d": FILE, "e": FILE._replace(sha256="x")}
    now = {
        "b": FILE,
        "c": FILE._replace(inode=1, size=1),
        "d": FILE._replace(size=1),
        "e": FILE._replace(size=1),
        "f": FILE,
    }
    found = diff(before, now)
    assert found == Difference(("f",), ("a",), ("c", "d", "e"), ("d",))
    assert found
    assert not diff(now, now)


def test_a_virtual_environment_and_not_the_project_around_it(site: Site) -> None:
    site.install("tool", "1", files={"../../../etc/tool/conf": b"x", "tool.py": b"x"})
    for name in ("notes/a.txt", ".git/config", "etc/mine", ".legacy-doctor/lock", "share/doc"):
        path = site.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    os.mkfifo(site.folder / "share/pipe")

    scope = Scope.of(site.folder, [site.packages])
    found = scan(scope)

    assert scope.others == (".git", "notes")
    tops = {path.partition("/")[0] for path in found}
    assert tops == {"bin", "etc", "lib", "pyvenv.cfg", "share"}
    assert "share/pipe" not in found
    assert found["bin/python"].kind == "link"
    inner = str(site.packages.relative_to(site.folder))
    assert found[f"{inner}/tool.py"].kind == "file"
    assert found[inner].kind == "folder"
    assert scope.strange("new/file")
    assert not scope.strange("share/new")
    (site.folder / "new").mkdir()
    assert "new" in scan(scope)


def test_a_record_that_cannot_be_read_or_leads_out(site: Site) -> None:
    info = site.install("tool", "1")
    (info / "RECORD").write_text("../../../../../out,,\n../../..,,\n")
    other = site.install("other", "1")
    (other / "RECORD").unlink()
    (other / "RECORD").mkdir()
    (site.folder / "mine").mkdir()
    assert Scope.of(site.folder, [site.packages]).others == ("mine",)


def test_a_prefix_that_is_no_virtual_environment(tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.11/site-packages"
    dist = tmp_path / "local/lib/python3.11/dist-packages"
    for folder in (packages / "a", dist, tmp_path / "bin", tmp_path / "share"):
        folder.mkdir(parents=True)
    (tmp_path / "local/bin").symlink_to("../bin")
    (packages / "a/b.py").write_text("b")
    (tmp_path / "bin/tool").write_text("tool")

    scope = Scope.of(tmp_path, [packages, packages / "a", dist, Path("/elsewhere"), tmp_path])

    assert scope.roots == (
        "bin",
        "local/bin",
        "lib/python3.11/site-packages",
        "local/lib/python3.11/dist-packages",
    )
    assert set(scan(scope)) == {
        "bin/tool",
        "lib/python3.11/site-packages/a",
        "lib/python3.11/site-packages/a/b.py",
    }
    assert not scope.strange("share/new")


def test_a_folder_that_cannot_be_read_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(disk.DiskError, match=r"venv: cannot be read \(Permission denied\)"):
        scan(Scope(site.folder))


def test_hashes_and_looks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    entry = manifest.look(tmp_path / "a")
    assert entry is not None
    assert str(manifest.hashed(tmp_path / "a", entry).sha256).startswith("ba7816bf")
    assert manifest.hashed(tmp_path, FOLDER) == FOLDER
    assert manifest.look(tmp_path / "b") is None
    assert manifest.look(tmp_path / "a/b") is None


def written(tmp_path: Path) -> Path:
    path = tmp_path / "before.json"
    before = {"a/\udcff": FILE._replace(kept="000001"), "l": LINK._replace(behind=(1, 2))}
    path.write_bytes(manifest.dump(Scope(tmp_path, ("a",), ("x",)), before, {"b": FOLDER}))
    return path


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    found = manifest.load(written(tmp_path), tmp_path)
    assert found.scope == Scope(tmp_path, ("a",), ("x",))
    assert found.before["a/\udcff"] == FILE._replace(kept="000001")
    assert found.before["l"].behind == (1, 2)
    assert found.after == {"b": FOLDER}
    other = tmp_path / "other"
    other.write_bytes(manifest.dump(Scope(tmp_path), {}, {}))
    assert manifest.load(other, tmp_path).scope == Scope(tmp_path)


BROKEN = {
    "truncated": (lambda text: text[:-20], "its checksum does not fit"),
    "edited": (lambda text: text.replace("000001", "000002"), "its checksum does not fit"),
    "empty": (lambda text: "", "truncated"),
    "no text": (lambda text: "\xff", "truncated"),
}


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN)
def test_what_was_not_written_so_is_refused(
    change: Callable[[str], str], words: str, tmp_path: Path
) -> None:
    path = written(tmp_path)
    path.write_bytes(change(path.read_text()).encode("latin-1"))
    with pytest.raises(DataError, match=words) as caught:
        manifest.load(path, tmp_path)
    assert "\n" not in str(caught.value)


PATHS = ["../out", "a/../../out", "/etc/passwd", "a//b", ".legacy-doctor/runs", "", "a\0b"]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out(path: str, tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    file.write_bytes(manifest.dump(Scope(tmp_path), {path: FILE}, {}))
    with pytest.raises(DataError, match="not a path inside the environment"):
        manifest.load(file, tmp_path)


def test_no_kept_name_leads_out(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    file.write_bytes(manifest.dump(Scope(tmp_path), {"a": FILE._replace(kept="../1")}, {}))
    with pytest.raises(DataError, match="no name of a kept file"):
        manifest.load(file, tmp_path)


def test_another_format_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FORMAT", 2)
    path = written(tmp_path)
    monkeypatch.undo()
    with pytest.raises(DataError, match="written by another legacy-doctor"):
        manifest.load(path, tmp_path)
    with pytest.raises(DataError, match=r"cannot be read \(No such file"):
        manifest.load(tmp_path / "none", tmp_path)
