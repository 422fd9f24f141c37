"""A tree of files put back byte for byte, whatever was done to it, and told where it cannot be."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.errors import DataError, DoctorError
from legacy_doctor.treatment import disk, tree
from legacy_doctor.treatment.manifest import Difference, Scope
from legacy_doctor.treatment.tree import Restored, Tree
from tests.conftest import ROOT, clean
from tests.treatment.environments import picture

SITE = "lib/python3.11/site-packages"
PYC = f"{SITE}/a/__pycache__/__init__.cpython-311.pyc"


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync waits for all that others write to the disk."""
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return build(tmp_path / "venv", tmp_path / "cache")


def build(prefix: Path, cache: Path) -> Path:
    """An environment with every kind of path, half of it linked to a cache."""
    packages = prefix / SITE
    (packages / "a/__pycache__").mkdir(parents=True)
    (packages / "a-1.dist-info").mkdir()
    (prefix / "bin").mkdir()
    cache.mkdir(exist_ok=True)
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")
    for name in ("hard.py", "soft.py"):
        (cache / name).write_text(f"# {name}\n")
    os.link(cache / "hard.py", packages / "a/hard.py")
    (packages / "a/soft.py").symlink_to(cache / "soft.py")
    (packages / "a/__init__.py").write_text("x = 1\n")
    (packages / "a/__pycache__/__init__.cpython-311.pyc").write_bytes(b"pyc")
    (packages / "a/big.so").write_bytes(b"\0" * 100_000)
    (packages / "a-1.dist-info/RECORD").write_text("a/__init__.py,,\n")
    (packages / "easy-install.pth").write_text("/src\n")
    (packages / "empty").mkdir(mode=0o700)
    (prefix / "bin/tool").write_text("#!/bin/sh\n")
    (prefix / "bin/tool").chmod(0o755)
    (prefix / "bin/python").symlink_to("/usr/bin/env")
    (prefix / "lib64").symlink_to("lib")
    (prefix / "mine").mkdir()
    (prefix / "mine/notes").write_text("mine")
    return prefix


def begin(prefix: Path) -> Tree:
    (prefix / ".legacy-doctor").mkdir(exist_ok=True)
    return Tree.begin(prefix / ".legacy-doctor/tree", Scope.of(prefix, [prefix / SITE]))


def replace(path: Path, content: str) -> None:
    """As installers do: another file, renamed over it."""
    path.with_name("temp").write_text(content)
    path.with_name("temp").replace(path)


def upgrade(prefix: Path) -> None:
    """What installers do, and a little more."""
    packages = prefix / SITE
    replace(packages / "a/__init__.py", "x = 2\n")
    replace(packages / "a/hard.py", "hard = 2\n")
    replace(packages / "a/soft.py", "soft = 2\n")
    (packages / "a/__pycache__/__init__.cpython-311.pyc").write_bytes(b"other pyc")
    (packages / "a/big.so").unlink()
    shutil.rmtree(packages / "a-1.dist-info")
    (packages / "a-2.dist-info").mkdir()
    (packages / "a-2.dist-info/RECORD").write_text("a/__init__.py,,\n")
    (packages / "b/c").mkdir(parents=True)
    (packages / "b/c/new.py").write_text("new\n")
    (packages / "easy-install.pth").write_text("/src\n/other\n")  # in place
    (packages / "empty").rmdir()
    (packages / "empty").write_text("a file now\n")
    (prefix / "share/man").mkdir(parents=True)
    (prefix / "share/man/a.1").write_text("man\n")
    (prefix / "bin/tool").chmod(0o700)
    (prefix / "bin/python").unlink()
    (prefix / "bin/python").symlink_to("/usr/bin/true")


def test_everything_is_put_back(prefix: Path, tmp_path: Path) -> None:
    before, cache = picture(prefix), picture(tmp_path / "cache")
    taken = begin(prefix)
    assert picture(prefix) == before
    upgrade(prefix)
    compiled = before.pop(PYC)  # it was written in place

    assert taken.restore() == Restored()

    assert picture(prefix) == before
    assert compiled
    assert picture(tmp_path / "cache") == cache
    hard = prefix / SITE / "a/hard.py"
    assert hard.samefile(tmp_path / "cache/hard.py"), "the very same file again"
    assert taken.state == "taken"
    taken.discard()
    assert not taken.folder.exists()
    taken.discard()


def test_what_an_installer_did_is_kept_and_taken_back(prefix: Path, tmp_path: Path) -> None:
    before = picture(prefix)
    taken = begin(prefix)
    upgrade(prefix)

    found = taken.finish()

    after = picture(prefix)
    assert f"{SITE}/b/c/new.py" in found.added
    assert f"{SITE}/a/big.so" in found.removed
    assert f"{SITE}/empty" in found.changed
    assert found.lost == ()
    assert len(list(taken.folder.iterdir())) < len(before), "the unchanged ones are let go"
    loaded = Tree.load(taken.folder, prefix)
    assert loaded.state == "done"
    assert loaded.drifted() == ()
    assert loaded.revert() == ()
    del before[PYC], before[f"{SITE}/a/__pycache__"]
    assert picture(prefix) == before
    assert after != before


def test_nothing_done_is_nothing_kept(prefix: Path) -> None:
    taken = begin(prefix)
    assert taken.finish() == Difference((), (), ())
    assert sorted(path.name for path in taken.folder.iterdir()) == ["delta.json", "done"]
    assert taken.revert() == ()


def test_restoring_again_changes_nothing(prefix: Path) -> None:
    taken = begin(prefix)
    upgrade(prefix)
    taken.restore()
    once = picture(prefix)
    taken.restore()
    assert picture(prefix) == once


IN_PLACE = {
    "a linked file": (f"{SITE}/a/__init__.py", True),
    "a large one": (f"{SITE}/a/big.so", True),
    "a path file, of which there is a copy": (f"{SITE}/easy-install.pth", False),
    "metadata, likewise": (f"{SITE}/a-1.dist-info/RECORD", False),
    "a script, likewise": ("bin/tool", False),
    "the configuration, likewise": ("pyvenv.cfg", False),
}


@pytest.mark.parametrize(("name", "lost"), IN_PLACE.values(), ids=IN_PLACE)
@pytest.mark.parametrize("crashed", [True, False], ids=["put back", "undone"])
def test_written_in_place(name: str, lost: bool, crashed: bool, prefix: Path) -> None:
    """The second name went along: that is said, and everything else is put back."""
    before = picture(prefix)
    taken = begin(prefix)
    with (prefix / name).open("a") as file:
        file.write("written in place\n")
    replace(prefix / SITE / "a/hard.py", "new")

    if crashed:
        found = taken.restore().lost
    else:
        assert taken.finish().lost == ((name,) if lost else ())
        found = taken.revert()

    assert found == ((prefix / name,) if lost else ())
    now = picture(prefix)
    changed = {path for path in before if before[path] != now.get(path)}
    caches = {f"{SITE}/a/__pycache__", f"{SITE}/a/__pycache__/__init__.cpython-311.pyc"}
    assert changed - caches == ({name} if lost else set())


def test_permissions_changed_in_place_are_not_written_through(prefix: Path, tmp_path: Path) -> None:
    path = prefix / SITE / "a/hard.py"
    taken = begin(prefix)
    path.chmod(0o600)  # of the file in the cache as well
    assert taken.restore() == Restored()
    assert path.stat().st_mode & 0o777 == 0o644
    assert not path.samefile(tmp_path / "cache/hard.py")
    assert (tmp_path / "cache/hard.py").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
def test_a_link_whose_cache_was_cleaned(
    keep: bool, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = prefix / SITE / "a/soft.py"
    if not keep:
        monkeypatch.setattr(tree, "_link", lambda *_: False)
    taken = begin(prefix)
    path.unlink()
    (tmp_path / "cache/soft.py").unlink()

    restored = taken.restore()

    assert restored.lost == (() if keep else (path,))
    assert path.is_symlink() is not keep
    assert not keep or path.read_text() == "# soft.py\n"


def test_a_link_to_a_folder_is_made_again(prefix: Path) -> None:
    link = prefix / SITE / "folder"
    link.symlink_to("a")
    taken = begin(prefix)
    link.unlink()
    assert taken.restore() == Restored()
    assert os.readlink(link) == "a"


ERRORS = [errno.EXDEV, errno.EMLINK, errno.EPERM]


@pytest.mark.parametrize("number", ERRORS, ids=lambda number: errno.errorcode[number])
def test_where_no_link_can_be_made_there_is_a_copy(
    number: int, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture(prefix)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    taken = begin(prefix)
    (prefix / SITE / "a/big.so").chmod(0o600)
    with (prefix / SITE / "a/big.so").open("a") as file:
        file.write("in place")
    upgrade(prefix)
    assert taken.restore() == Restored()
    assert picture(prefix) == before


def test_attributes_are_kept(prefix: Path) -> None:
    path = prefix / "bin/tool"
    try:
        os.setxattr(path, "user.colour", b"red")
    except OSError:
        pytest.skip("no extended attributes here")
    taken = begin(prefix)
    replace(path, "other")
    taken.restore()
    assert os.getxattr(path, "user.colour") == b"red"


def test_an_owner_is_kept(prefix: Path) -> None:
    if os.getuid():
        pytest.skip("only root gives files away")
    names = ["bin/tool", f"{SITE}/a/big.so", f"{SITE}/a/soft.py", f"{SITE}/empty"]
    for name in names:
        os.lchown(prefix / name, 65534, 65534)
    taken = begin(prefix)
    upgrade(prefix)
    taken.restore()
    assert {(prefix / name).lstat().st_uid for name in names} == {65534}


def test_new_names_beside_the_usual_ones(prefix: Path) -> None:
    taken = begin(prefix)
    (prefix / "doc").mkdir()
    (prefix / "doc/a.txt").write_text("a")
    (prefix / "mine/more").write_text("mine")
    assert taken.restore(strangers=False) == Restored((), (prefix / "doc",))
    assert (prefix / "doc/a.txt").exists()
    assert taken.restore() == Restored()
    assert not (prefix / "doc").exists()
    assert (prefix / "mine/more").exists()


def test_a_folder_that_became_a_link_is_not_written_through(prefix: Path, tmp_path: Path) -> None:
    taken = begin(prefix)
    replace(prefix / SITE / "a/hard.py", "new")
    taken.finish()
    shutil.move(prefix / SITE / "a", tmp_path / "away")
    (prefix / SITE / "a").symlink_to(tmp_path / "away")
    with pytest.raises(DoctorError, match=r"site-packages/a: became a symbolic link"):
        taken.revert()
    assert (tmp_path / "away/hard.py").read_text() == "new"


def test_such_a_folder_is_made_again_from_a_whole_snapshot(prefix: Path, tmp_path: Path) -> None:
    before = picture(prefix)
    taken = begin(prefix)
    shutil.move(prefix / SITE / "a", tmp_path / "away")
    (prefix / SITE / "a").symlink_to(tmp_path / "away")
    taken.restore()
    assert picture(prefix) == before
    assert (tmp_path / "away/hard.py").exists()


DRIFT: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "none": (lambda p: None, ()),
    "an added file, touched": (lambda p: os.utime(p / "b/c/new.py"), ()),
    "an added file, changed": (lambda p: (p / "b/c/new.py").write_text("mine"), ("b/c/new.py",)),
    "an added file, gone": (lambda p: (p / "b/c/new.py").unlink(), ("b/c/new.py",)),
    "a removed file, back": (lambda p: (p / "a/big.so").write_text("mine"), ("a/big.so",)),
    "a removed folder, back": (lambda p: (p / "a-1.dist-info").mkdir(), ()),
    "a changed file, changed again": (lambda p: replace(p / "a/hard.py", "3"), ("a/hard.py",)),
    "its permissions": (lambda p: (p / "a/hard.py").chmod(0o600), ("a/hard.py",)),
    "a file that was none of it": (lambda p: (p / "mine.py").write_text("mine"), ()),
    "bytecode": (lambda p: (p / "a/__pycache__/__init__.cpython-311.pyc").unlink(), ()),
    "a folder of bytecode": (lambda p: (p / "b/c/__pycache__").mkdir(), ()),
}


@pytest.mark.parametrize(("change", "wanted"), DRIFT.values(), ids=DRIFT)
def test_drift(change: Callable[[Path], object], wanted: tuple[str, ...], prefix: Path) -> None:
    packages = prefix / SITE
    taken = begin(prefix)
    upgrade(prefix)
    taken.finish()
    change(packages)
    assert taken.drifted() == tuple(packages / name for name in wanted)


def test_what_somebody_else_put_into_a_new_folder_stays(prefix: Path) -> None:
    taken = begin(prefix)
    upgrade(prefix)
    taken.finish()
    mine = prefix / SITE / "b/mine.txt"
    mine.write_text("mine")
    taken.revert()
    assert [p.name for p in (prefix / SITE / "b").iterdir()] == ["mine.txt"]


def damaged_state(folder: Path) -> None:
    (folder / "done").touch()


def damaged_manifest(folder: Path) -> None:
    (folder / "before.json").write_text("{}")


def no_state(folder: Path) -> None:
    (folder / "taken").unlink()


@pytest.mark.parametrize("damage", [damaged_state, damaged_manifest, no_state])
def test_damage_is_told(damage: Callable[[Path], None], prefix: Path) -> None:
    taken = begin(prefix)
    damage(taken.folder)
    with pytest.raises(DataError, match=r"\.legacy-doctor/tree"):
        Tree.load(taken.folder, prefix)


def test_a_damaged_kept_file_is_told(prefix: Path) -> None:
    taken = begin(prefix)
    upgrade(prefix)
    for path in taken.folder.glob("0*"):
        path.unlink()
    lost = taken.restore().lost
    assert prefix / SITE / "a/big.so" in lost
    assert prefix / SITE / "easy-install.pth" in lost


def test_a_removal_that_was_cut_short_goes_on(prefix: Path) -> None:
    taken = begin(prefix)
    (taken.folder / "taken").rename(taken.folder / "over")
    (taken.folder / "before.json").unlink()
    loaded = Tree.load(taken.folder, prefix)
    assert loaded.state == "over"
    loaded.discard()
    taken.folder.mkdir()
    assert Tree.load(taken.folder, prefix).state == "over"
    taken.discard()
    assert not taken.folder.exists()


@pytest.mark.parametrize("call", ["link", "sync", "open"])
def test_a_snapshot_that_cannot_be_taken_leaves_nothing(
    call: str, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture(prefix)
    real = getattr(os, call)

    def refuse(*arguments: Any, **options: Any) -> Any:
        if call == "open" and not arguments[1] & os.O_CREAT:
            return real(*arguments, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises((disk.DiskError, OSError), match="No space left on device"):
        begin(prefix)
    assert not (prefix / ".legacy-doctor/tree").exists()
    assert picture(prefix) == before


def test_a_rename_that_fails_leaves_no_temporary_file(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = begin(prefix)
    replace(prefix / SITE / "a/hard.py", "new")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "EIO")))
        with pytest.raises(disk.DiskError, match=r"a/hard\.py: cannot be written"):
            taken.restore()
    assert not list(prefix.rglob(".legacy-doctor-*.tmp"))
    assert taken.restore() == Restored()


def test_killed_while_it_finishes(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the turn it is as if nothing had been written; after it, the rest is let go."""
    before = picture(prefix)
    taken = begin(prefix)
    upgrade(prefix)
    rename = disk.rename
    monkeypatch.setattr(disk, "rename", lambda *_: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        taken.finish()
    assert taken.state == "taken"
    monkeypatch.setattr(disk, "rename", rename)
    monkeypatch.setattr(Tree, "prune", lambda _: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        taken.finish()
    monkeypatch.undo()
    loaded = Tree.load(taken.folder, prefix)
    assert loaded.state == "done"
    loaded.prune()
    assert not (taken.folder / "before.json").exists()
    loaded.revert()
    assert set(picture(prefix)) <= set(before)


NAMES = st.sampled_from(["a", "b", "a/c", "a/d", "b/c", "a/c/e", "x.pth", "y.py"])
DEEDS = st.lists(
    st.tuples(st.sampled_from(["write", "unlink", "mkdir", "link", "chmod", "rmtree"]), NAMES),
    max_size=12,
)


def do(folder: Path, deed: str, name: str) -> None:
    path = folder / name
    if not path.parent.is_dir() or path.parent.is_symlink():
        return
    there = os.path.lexists(path)
    plain = there and not path.is_dir()
    if deed == "write" and not (there and path.is_dir()):
        replace(path, f"{len(list(path.parent.iterdir()))} {name}")
    elif deed == "unlink" and plain:
        path.unlink()
    elif deed == "mkdir" and not there:
        path.mkdir()
    elif deed == "link" and not there:
        path.symlink_to("nowhere")
    elif deed == "chmod" and there and not path.is_symlink():
        path.chmod(0o710)
    elif deed == "rmtree" and there and path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


@given(first=DEEDS, then=DEEDS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_history_is_put_back(
    first: list[tuple[str, str]], then: list[tuple[str, str]], tmp_path: Path
) -> None:
    prefix = tmp_path / "venv"
    shutil.rmtree(prefix, ignore_errors=True)
    folder = prefix / SITE
    folder.mkdir(parents=True)
    (prefix / "pyvenv.cfg").touch()
    for deed in first:
        do(folder, *deed)
    before = picture(prefix)
    taken = begin(prefix)
    for deed in then:
        do(folder, *deed)
    after = picture(prefix)
    taken.restore()
    assert picture(prefix) == before
    for deed in then:
        do(folder, *deed)
    taken.finish()
    assert set(picture(prefix)) == set(after)
    taken.revert()
    assert picture(prefix) == before


POINTS = {"begin": 60, "finish": 15, "restore": 100, "discard": 25, "revert": 100}
"""The least number of points at which each is killed."""


@pytest.mark.parametrize(("scenario", "least"), POINTS.items(), ids=POINTS)
def test_killed_at_every_call_that_writes(scenario: str, least: int) -> None:
    """The harness forks, so it runs in a process of its own; in memory, where there is one."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="legacy-doctor-", dir=memory) as folder:
        command = [sys.executable, "-m", "tests.treatment.tree_faults", scenario, f"{folder}/w"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=ROOT, env=clean(os.environ)
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["points"] >= least


AGES = {"young": (10, 1), "old": (10_000, 0)}


@pytest.mark.parametrize(("seconds", "wanted"), AGES.values(), ids=AGES)
def test_young_files_are_waited_for(
    seconds: int, wanted: int, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "sync", lambda: calls.append(1))
    for path in prefix.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (time.time() - seconds,) * 2)
    taken = begin(prefix)
    assert len(calls) == wanted
    taken.finish()
    assert len(calls) == wanted, "nothing was changed"
    taken.discard()
