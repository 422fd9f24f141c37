"""Packages moved together and taken back: real environments, real pip, real uv."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.model import (
    RemedyKind,
)
from legacy_doctor.treatment import packages, pharmacy
from legacy_doctor.treatment.disk import DiskError
from legacy_doctor.treatment.files import DriftedError
from legacy_doctor.treatment.installer import Installer, InstallerError
from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.lock import LockedError
from legacy_doctor.treatment.packages import Move, PackageStep
from legacy_doctor.treatment.pins import CONSTRAINTS
from legacy_doctor.treatment.steps import Plan
from tests.conftest import ROOT, clean
from tests.treatment.environments import Venv, furnish, make, picture, shop, wheel, wheelhouse
from tests.treatment.test_packages import finding

MAKERS = ["pip", "uv"]
LIB_1 = PackageStep(install=("lib<2",), constraints=("lib<2",), together=("app",))


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync waits for all that others write to the disk."""
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def app(tmp_path: Path, shelf: Path, request: pytest.FixtureRequest) -> Venv:
    """lib 2.0 and app 2.0, which wants it; made by uv unless the test says otherwise."""
    maker = getattr(request, "param", "uv")
    return make(tmp_path, "--no-index", f"--find-links={shelf}", "app", maker=maker)


both = pytest.mark.parametrize("app", MAKERS, indirect=True)


@both
def test_resolving_says_what_moves_and_changes_nothing(app: Venv, shelf: Path) -> None:
    before = app.picture()

    moves = furnish(app, shelf).resolve(replace(LIB_1, uninstall=("lib",)))

    assert moves == (Move("app", "2.0", "1.0"), Move("lib", "2.0", "1.0"))
    assert app.picture() == before


@both
def test_there_and_back_and_there_again(app: Venv, shelf: Path) -> None:
    """Byte for byte: bytes, permissions, times, links."""
    before, frozen = app.picture(), app.freeze()
    room = furnish(app, shelf)

    run = room.apply(LIB_1, command="fix --apply", extra={"cpu": "phenom-ii"})

    assert app.versions() == {"app": "1.0", "lib": "1.0"}
    after = app.picture()
    assert run.extra["step"]["install"] == ["lib<2"]
    assert {p["name"]: p["version"] for p in run.extra["packages"]}["lib"] == "2.0"
    assert run.extra["more"] == {"cpu": "phenom-ii"}
    assert room.complaints() == ()

    undone = room.undo(run.number)
    assert app.picture() == before
    assert app.freeze() == frozen

    again = room.undo(undone.number)
    assert app.picture() == after

    room.undo(again.number)
    assert app.picture() == before
    states = [(entry.number, entry.state, entry.undoes) for entry in room.journal.history()]
    assert states == [(n, "applied", n - 1 or None) for n in (1, 2, 3, 4)]
    assert pharmacy.recover(room.journal) == ()


def test_removal_is_taken_back_too(app: Venv, shelf: Path) -> None:
    before = app.picture()
    room = furnish(app, shelf)

    run = room.apply(PackageStep(uninstall=("lib",), constraints=("lib<0",)))

    assert app.versions() == {"app": "2.0"}
    assert any("lib" in line for line in room.complaints())
    assert not (app.prefix / "share/lib/2.0.txt").exists()
    room.undo(run.number)
    assert app.picture() == before


CONFLICTS = {
    "two that exclude each other": (("lib<2", "lib>=2"), r"lib"),
    "one that does not exist": (("nowhere",), r"nowhere"),
    "two that need what excludes each other": (("extra", "app>=2"), r"lib<2"),
}


@both
@pytest.mark.parametrize(("wanted", "words"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_cannot_be_resolved_leaves_everything(
    app: Venv, shelf: Path, wanted: tuple[str, ...], words: str
) -> None:
    before = app.picture()
    room = furnish(app, shelf)
    with pytest.raises(InstallerError, match=words) as caught:
        room.apply(PackageStep(install=wanted))
    assert "\n" not in str(caught.value)
    assert app.picture() == before
    assert room.journal.history() == ()


@both
def test_a_source_distribution_is_not_built_unasked(app: Venv, tmp_path: Path, shelf: Path) -> None:
    folder = tmp_path / "sources"
    project(folder / "tiny")
    subprocess.run(
        ["tar", "czf", str(folder / "tiny-1.0.tar.gz"), "-C", str(folder), "tiny"], check=True
    )
    room = furnish(app, folder)
    with pytest.raises(InstallerError, match="tiny"):
        room.apply(PackageStep(install=("tiny",)))
    assert room.journal.history() == ()


def project(folder: Path, requires: str = "lib") -> Path:
    """A project that builds itself, without any build tool."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        f"[project]\nname = 'tiny'\nversion = '1.0'\ndependencies = ['{requires}']\n"
    )
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (folder / "backend.py").write_text(
        f"""
import os, zipfile
INFO = "tiny-1.0.dist-info/"
def make(folder, files):
    files[INFO + "METADATA"] = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\nRequires-Dist: {requires}\\n"
    files[INFO + "WHEEL"] = "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[INFO + "RECORD"] = "".join(f"{{name}},,\\n" for name in [*files, INFO + "RECORD"])
    with zipfile.ZipFile(os.path.join(folder, "tiny-1.0-py3-none-any.whl"), "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return "tiny-1.0-py3-none-any.whl"
def build_wheel(folder, *_, **__):
    return make(folder, {{"tiny.py": "x = 1\\n"}})
def build_editable(folder, *_, **__):
    return make(folder, {{"tiny.pth": os.path.dirname(os.path.abspath(__file__)) + "\\n"}})
"""
    )
    return folder


FOLDERS = {
    "pip, editable": ("pip", True),
    "uv, editable": ("uv", True),
    "uv, copied": ("uv", False),
}


@pytest.mark.parametrize(("app", "editable"), FOLDERS.values(), ids=FOLDERS, indirect=["app"])
def test_what_came_from_a_folder_stays_as_it_is(
    app: Venv, tmp_path: Path, shelf: Path, editable: bool
) -> None:
    folder = project(tmp_path / "tiny")
    app.uv("install", "--no-deps", *(["-e"] if editable else []), str(folder))
    before, frozen = app.picture(), app.freeze()
    room = furnish(app, shelf)
    found = finding("lib", RemedyKind.PIN, install=["lib<2"])
    step = packages.step([found], app.read(), ["lib<2"])
    assert step.constraints == ("lib<2", "tiny==1.0")
    assert step.together == ("app", "tiny")

    run = room.apply(step)

    assert app.versions() == {"app": "1.0", "lib": "1.0", "tiny": "1.0"}
    assert [line for line in app.freeze().splitlines() if "tiny" in line] == [
        line for line in frozen.splitlines() if "tiny" in line
    ]
    tiny = next(item for item in run.extra["packages"] if item["name"] == "tiny")
    assert tiny["editable"] is editable
    assert tiny["direct_url"]["url"] == folder.as_uri()
    room.undo(run.number)
    assert (app.picture(), app.freeze()) == (before, frozen)


def test_a_folder_install_that_does_not_fit_is_a_conflict(
    app: Venv, tmp_path: Path, shelf: Path
) -> None:
    app.uv("install", "--no-deps", "-e", str(project(tmp_path / "tiny", "lib>=2")))
    before = app.picture()
    step = packages.step([finding("lib", RemedyKind.PIN, install=["lib<2"])], app.read())
    with pytest.raises(InstallerError, match="tiny"):
        furnish(app, shelf).apply(step)
    assert app.picture() == before


def test_a_step_without_dependencies(app: Venv, shelf: Path) -> None:
    furnish(app, shelf).apply(PackageStep(alone={"extra": "its pin says so"}))
    assert app.versions() == {"app": "2.0", "lib": "2.0", "extra": "1.0"}


def test_what_the_installer_did_not_do_is_seen(app: Venv, shelf: Path) -> None:
    before = app.picture()
    lazy = Installer(name="uv", program=("/bin/true",), python=app.python)
    room = furnish(app, shelf, tool=lazy)
    step = PackageStep(uninstall=("lib",), install=("leaf", "app<2"))
    with pytest.raises(
        DoctorError,
        match=r"lib is still installed; leaf is not installed; app is 2\.0, not <2; nothing was",
    ):
        room.apply(step)
    assert app.picture() == before
    assert room.journal.history() == ()


@both
def test_built_here_where_a_step_asks_for_it(app: Venv, tmp_path: Path, shelf: Path) -> None:
    folder = tmp_path / "sources"
    project(folder / "tiny-1.0")
    pack = ["tar", "czf", str(folder / "tiny-1.0.tar.gz"), "-C", str(folder), "tiny-1.0"]
    subprocess.run(pack, check=True)
    before = app.picture()
    room = furnish(app, folder)
    run = room.apply(PackageStep(install=("tiny",), from_source=("tiny",)))
    assert app.versions()["tiny"] == "1.0"
    room.undo(run.number)
    assert app.picture() == before


def test_an_undo_of_what_was_written_in_place_is_refused(
    app: Venv, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = furnish(app, shelf)
    run = room.apply(LIB_1)
    after = app.picture()
    monkeypatch.setattr(pharmacy.Tree, "revert", lambda _: (app.packages / "lib/x.py",))
    with pytest.raises(DoctorError, match=r"lib/x\.py: written in place .*; nothing was changed"):
        room.undo(run.number)
    assert app.picture() == after


def test_a_run_of_files_is_not_undone_here(app: Venv, shelf: Path) -> None:
    room = furnish(app, shelf)
    with room.journal.lock():
        room.journal.begin(Plan(()), command="fix", extra={}).apply()
    with pytest.raises(DoctorError, match="run 1 changed no packages; undo its files"):
        room.undo(1)


def test_a_report_that_cannot_be_read(app: Venv, shelf: Path) -> None:
    mute = Installer(name="pip", program=("/bin/true",), python=app.python)
    with pytest.raises(DoctorError, match="pip's report of its dry run cannot be read"):
        furnish(app, shelf, tool=mute).resolve(LIB_1)


def test_what_is_left_after_a_failure_is_told() -> None:
    told = pharmacy._told(pharmacy.Restored((Path("/v/a"),), (Path("/v/doc"),)))
    assert told == (
        "put back, but for what was written in place: reinstall what owns /v/a; "
        "left alone, for it may be yours: /v/doc"
    )


# An installer that does half of its work, and then what a test asks for.

HALF = """
import os, sys, time
packages, end = sys.argv[1:3]
if "--dry-run" in sys.argv:
    report = sys.argv[sys.argv.index("--report") + 1]
    with open(report, "w") as file:
        file.write('{"install": []}')
    raise SystemExit
if "config" in sys.argv:
    raise SystemExit
for name in os.listdir(packages + "/lib"):
    if name.endswith(".py"):
        os.unlink(packages + "/lib/" + name)
os.mkdir(packages + "/half")
with open(packages + "/half/new.py", "w") as file:
    file.write("half")
os.replace(packages + "/half/new.py", packages + "/app/__init__.py")
with open(packages + "/_virtualenv.pth", "w") as file:
    file.write("# in place")
os.mkdir(packages + "/../../../share/new")
os.mkdir(packages + "/../../../strange")
print("half done", os.getpid(), flush=True)
if end == "fail":
    print("ERROR: no more", file=sys.stderr)
    raise SystemExit(1)
time.sleep(60)
"""


def half(venv: Venv, end: str) -> Installer:
    program = (sys.executable, "-c", HALF, str(venv.packages), end)
    return Installer(name="pip", program=program, python=venv.python)


def test_an_installer_that_fails_half_way(app: Venv, shelf: Path) -> None:
    before = app.picture()
    room = furnish(app, shelf, tool=half(app, "fail"))
    with pytest.raises(InstallerError, match=r"^pip: no more; nothing was changed$") as caught:
        room.apply(LIB_1)
    assert "half done" in caught.value.said
    assert caught.value.command[-2:] == ("lib<2", "app")
    assert app.picture() == before
    assert room.journal.history() == ()


def test_ctrl_c_half_way(app: Venv, shelf: Path) -> None:
    before = app.picture()
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line.split()[2]))
        os.kill(os.getpid(), signal.SIGINT)

    room = furnish(app, shelf, tool=half(app, "sleep"), watch=interrupt)
    with pytest.raises(KeyboardInterrupt):
        room.apply(LIB_1)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert app.picture() == before
    assert room.journal.history() == ()


KILLED = """
import sys
from pathlib import Path
from tests.treatment.environments import Venv, furnish
from tests.treatment.test_pharmacy import LIB_1, half
import os, signal
prefix, cache, shelf, kind = sys.argv[1:]
venv = Venv(Path(prefix), Path(cache))
def die(line):
    words = line.split()
    if kind == "half" or words[:1] == ["Installing"]:
        print(words[2] if kind == "half" else 0, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
tool = half(venv, "sleep") if kind == "half" else None
furnish(venv, Path(shelf), tool=tool, watch=die).apply(LIB_1)
"""


def killed(venv: Venv, shelf: Path, kind: str) -> int:
    """Let another process begin the step and kill itself; return the installer's number."""
    command = [sys.executable, "-c", KILLED, str(venv.prefix), str(venv.cache), str(shelf), kind]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT, env=clean(os.environ)
    )
    assert done.returncode == -signal.SIGKILL
    return int(done.stdout)


def test_killed_while_the_installer_goes_on(app: Venv, shelf: Path) -> None:
    before = app.picture()
    number = killed(app, shelf, "half")
    journal = Journal(app.prefix)

    with pytest.raises(LockedError, match=r"installer that run 1 .* started is still at work"):
        pharmacy.recover(journal)
    os.kill(number, signal.SIGKILL)
    said = pharmacy.recover(journal, wait=True)

    strange = app.prefix / "strange"
    assert len(said) == 1
    assert said[0].endswith(f"it was taken back; left alone, for it may be yours: {strange}")
    strange.rmdir()
    assert app.picture() == before
    assert journal.history() == ()
    assert pharmacy.recover(journal) == ()


@pytest.mark.parametrize("app", ["pip"], indirect=True)
def test_killed_while_pip_is_at_work(app: Venv, shelf: Path) -> None:
    before = app.picture()
    killed(app, shelf, "real")
    (said,) = pharmacy.recover(Journal(app.prefix), wait=True)
    assert said.endswith("it was taken back")
    assert app.picture() == before
    furnish(app, shelf).apply(LIB_1)
    assert app.versions() == {"app": "1.0", "lib": "1.0"}


def test_killed_after_the_installer_was_done(
    app: Venv, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = furnish(app, shelf)

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("legacy_doctor.treatment.run.Run.apply", die)
        with pytest.raises(SystemExit):
            room.apply(LIB_1)
    (said,) = pharmacy.recover(room.journal)
    assert said == "run 1 (fix) was interrupted when its packages were changed: it was finished"
    assert [entry.state for entry in room.journal.history()] == ["applied"]
    room.undo(1)
    assert app.versions() == {"app": "2.0", "lib": "2.0"}


def test_killed_while_the_snapshot_is_taken(
    app: Venv, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, before = furnish(app, shelf), app.picture()
    with room.journal.lock():
        run = room.journal.begin(Plan(()), command="fix", extra={})
    (run.folder / "tree").mkdir()
    (run.folder / "tree/taking").touch()
    (run.folder / "tree/000001").touch()

    (said,) = pharmacy.recover(room.journal)

    assert said.endswith("it was taken back")
    assert app.picture() == before


def test_no_snapshot_no_run(app: Venv, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DiskError("no space")

    monkeypatch.setattr(pharmacy.Tree, "begin", refuse)
    room = furnish(app, shelf)
    with pytest.raises(DiskError):
        room.apply(LIB_1)
    assert room.journal.history() == ()


def test_an_undo_is_refused_where_files_drifted(app: Venv, shelf: Path) -> None:
    room = furnish(app, shelf)
    run = room.apply(LIB_1)
    (app.packages / "lib/only_2.py").write_text("mine")
    (app.packages / "lib/only_1.py").write_text("mine")
    after = app.picture()
    with pytest.raises(DriftedError, match=r"changed since run 1, .*only_1\.py, .*only_2\.py$"):
        room.undo(run.number)
    assert app.picture() == after
    assert len(room.journal.history()) == 1


def test_many_drifted_files_are_counted(app: Venv, shelf: Path) -> None:
    room = furnish(app, shelf)
    run = room.apply(LIB_1)
    app.uv("install", "--no-index", f"--find-links={shelf}", "lib==2.0", "app==2.0")
    with pytest.raises(DriftedError, match=r" and \d+ more$"):
        room.undo(run.number)


def test_bytecode_compiled_since_goes_with_its_source(app: Venv, shelf: Path) -> None:
    before = app.picture()
    room = furnish(app, shelf)
    run = room.apply(LIB_1)
    subprocess.run([str(app.python), "-I", "-c", "import lib, app, lib.only_1"], check=True)
    assert list(app.packages.rglob("only_1*.pyc"))
    room.undo(run.number)
    assert app.picture() == before


def test_a_put_back_that_fails_is_gone_on_with(
    app: Venv, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = app.picture()
    room = furnish(app, shelf, tool=half(app, "fail"))

    def refuse(*_: object) -> None:
        raise DiskError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(pharmacy.Tree, "restore", refuse)
        with pytest.raises(InstallerError, match=r"failed too \(read-only\); nothing is lost"):
            room.apply(LIB_1)
    pharmacy.recover(room.journal)
    shutil.rmtree(app.prefix / "strange")
    assert app.picture() == before


def test_a_pin_of_an_earlier_fix_makes_way(app: Venv, shelf: Path) -> None:
    ours = app.prefix / CONSTRAINTS
    ours.write_text("lib>=2\n")
    room = furnish(app, shelf, environ={"UV_CONSTRAINT": str(ours)})
    room.apply(LIB_1)
    assert app.versions()["lib"] == "1.0"


@pytest.mark.parametrize("app", ["pip"], indirect=True)
@pytest.mark.parametrize("ours", [True, False], ids=["ours, beside another's", "another's"])
def test_pins_of_an_earlier_fix_in_pip(app: Venv, shelf: Path, ours: bool, tmp_path: Path) -> None:
    mine = app.prefix / CONSTRAINTS
    other = tmp_path / "other.txt"
    mine.write_text("lib>=2\n")
    other.write_text("leaf<1\n" if ours else "lib>=2\n")
    (app.prefix / "pip.conf").write_text(f"[install]\nconstraint = {other}\n    {mine}\n")
    room = furnish(app, shelf)
    if not ours:
        with pytest.raises(InstallerError, match="lib"):
            room.apply(LIB_1)
        return
    room.apply(LIB_1)
    assert app.versions()["lib"] == "1.0"
    with pytest.raises(InstallerError, match="leaf"):
        room.apply(PackageStep(install=("leaf",)))


def test_pins_of_an_earlier_fix_in_the_variable(app: Venv, shelf: Path) -> None:
    mine = app.prefix / CONSTRAINTS
    mine.write_text("")
    pip = Installer(name="pip", program=("/bin/false",), python=app.python)
    room = furnish(app, shelf, tool=pip, environ={"PIP_CONSTRAINT": str(mine)})
    assert room._unbound()["PIP_CONSTRAINT"] == os.devnull


# Real wheels.

KINDS = {
    "pip": ("pip", "hardlink", ""),
    "uv, hard links": ("uv", "hardlink", "pandas"),
    "uv, symbolic links": ("uv", "symlink", ""),
}


@pytest.mark.parametrize(("maker", "link", "with_it"), KINDS.values(), ids=KINDS)
def test_real_numpy_there_and_back(maker: str, link: str, with_it: str, tmp_path: Path) -> None:
    """The cache of uv, and a second environment that shares it, keep every byte."""
    names = ["numpy==2.4.6", "six", *filter(None, [with_it])]
    words = ("--no-index", f"--find-links={wheelhouse()}", *names)
    venv = make(tmp_path, *words, maker=maker, link=link)
    other = make(tmp_path, *words, link=link, name="other")
    stored = venv.cache / "archive-v0"
    before, frozen, beside = venv.picture(), venv.freeze(), other.picture()
    cache = picture(stored)
    room = furnish(venv, wheelhouse(), environ={"UV_LINK_MODE": link})
    step = PackageStep(install=("numpy<2.4",), together=tuple(filter(None, [with_it])))

    run = room.apply(step)

    assert venv.versions()["numpy"] == "2.3.5"
    room.undo(run.number)
    assert (venv.picture(), venv.freeze()) == (before, frozen)
    assert other.picture() == beside
    now = picture(stored)
    assert {path: now[path] for path in cache} == cache


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_full_disk_leaves_everything(maker: str, small_disk: Path, shelf: Path) -> None:
    for number in range(8):
        content = {f"big_{number}/data.bin": os.urandom(5_000_000)}
        wheel(small_disk.parent / "big", f"big_{number}", "1.0", files=content)
    venv = make(small_disk, "--no-index", f"--find-links={shelf}", "leaf", maker=maker, link="copy")
    venv = venv._replace(cache=small_disk.parent / "cache")
    before = venv.picture()
    room = furnish(venv, small_disk.parent / "big", environ={"UV_LINK_MODE": "copy"})
    with pytest.raises(InstallerError, match=r"No space left on device.*; nothing was changed"):
        room.apply(PackageStep(install=tuple(f"big-{number}" for number in range(8))))
    assert venv.picture() == before
    assert room.journal.history() == ()


def test_a_tree_that_may_not_be_written_is_left(app: Venv, shelf: Path) -> None:
    """As another user, for root may write everywhere."""
    if os.getuid():
        pytest.skip("needs root to become somebody else")
    before = app.picture()
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from legacy_doctor.treatment.journal import Journal\n"
        "from legacy_doctor.errors import DoctorError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    Journal(Path(sys.argv[1])).lock().__enter__()\n"
        "except DoctorError as error:\n"
        "    print(error)\n"
    )
    environ = {**clean(os.environ), "PYTHONPATH": str(ROOT)}
    for folder in (app.prefix, *app.prefix.parents):
        if folder != Path("/tmp"):  # noqa: S108
            folder.chmod(folder.stat().st_mode | 0o055)
        if folder == Path("/tmp"):  # noqa: S108
            break
    done = subprocess.run(
        [sys.executable, "-c", code, str(app.prefix)],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    assert re.search(r"cannot be written \(Permission denied\)", done.stdout), done
    assert app.picture() == before
