"""Full disks, read-only trees, other users, and uv's cache: real ones, made for the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from legacy_doctor.treatment import files
from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.steps import FileStep, Plan
from tests.conftest import ROOT, clean, lacking
from tests.treatment import faults
from tests.treatment.faults import snapshot


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with a file of every kind; its cache lies beside it."""
    return faults.build(tmp_path)


def run_script(script: str, *arguments: str, under: Sequence[str] = ()) -> str:
    done = subprocess.run(
        [*under, sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def namespace() -> list[str]:
    """A command that runs another where it may mount what it likes."""
    command = ["unshare", "--map-root-user", "--mount", "--"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        lacking("namespaces", f"no mount namespace of our own: {error}")
    return command


FULL = """
import os, subprocess, sys
from pathlib import Path
from legacy_doctor.treatment import files
from legacy_doctor.treatment.disk import DiskError
from legacy_doctor.treatment.journal import Journal
from tests.treatment import faults

folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
prefix = faults.build(folder)
before = faults.snapshot(folder)
Journal(prefix).lock().__enter__()
refused = applied = 0
for free in range(0, 100_000, 4096):
    filler = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(filler, bytes(4096))
    except OSError:
        os.ftruncate(filler, max(0, os.lseek(filler, 0, os.SEEK_END) - free))
    os.close(filler)
    try:
        faults.apply(prefix)
        applied += 1
    except DiskError as error:
        refused += 1
        said = str(error)
        assert "No space left on device); free some space, then run" in said, said
        assert said.endswith("; nothing was changed"), said
    (folder / "filler").unlink()
    assert Journal(prefix).recover() == ()
    if applied:
        Journal(prefix).undo()
        break
    assert faults.snapshot(folder) == before
assert faults.snapshot(folder) == before
print(refused, applied)
"""


def test_a_full_disk_changes_nothing_wherever_it_ends(tmp_path: Path, namespace: list[str]) -> None:
    refused, applied = run_script(FULL, str(tmp_path), under=namespace).split()
    assert int(refused) >= 3
    assert applied == "1"


READ_ONLY = """
import subprocess, sys
from pathlib import Path
from legacy_doctor.treatment.disk import DiskError
from tests.treatment import faults

prefix, part = Path(sys.argv[1]), sys.argv[2]
before = faults.snapshot(prefix)
subprocess.run(["mount", "--bind", prefix / part, prefix / part], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", prefix / part], check=True)
try:
    faults.apply(prefix)
except DiskError as error:
    print(error)
assert faults.snapshot(prefix) == before
"""


@pytest.mark.parametrize("part", [".", "lib"])
def test_a_read_only_tree(part: str, prefix: Path, namespace: list[str]) -> None:
    said = run_script(READ_ONLY, str(prefix), part, under=namespace)
    assert "(Read-only file system); mount the file system writable" in said
    assert said.count("\n") == 1


LIMITED = """
import resource, sys
from pathlib import Path
from legacy_doctor.treatment.disk import DiskError
from tests.treatment import faults

prefix = Path(sys.argv[1])
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (5500, limits[1]))
before = faults.snapshot(prefix)
try:
    faults.apply(prefix)
except DiskError as error:
    print(error)
assert faults.snapshot(prefix) == before
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
"""


def test_a_limit_on_file_sizes(prefix: Path) -> None:
    said = run_script(LIMITED, str(prefix))
    assert "(File too large); raise the limit on file sizes" in said


NOBODY = """
import os, sys
from pathlib import Path
from legacy_doctor.treatment.disk import DiskError
from tests.treatment import faults

prefix = Path(sys.argv[1])
if os.getuid() == 0:
    for path in [prefix, *prefix.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    os.setgid(65534)
    os.setuid(65534)
(prefix / sys.argv[2]).chmod(0o555)
before = faults.snapshot(prefix)
try:
    faults.apply(prefix)
except DiskError as error:
    print(error)
assert faults.snapshot(prefix) == before
"""


@pytest.mark.parametrize("part", [".", "lib"])
def test_a_folder_that_one_may_not_write(part: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        prefix = faults.build(Path(folder))
        said = run_script(NOBODY, str(prefix), part)
        assert "(Permission denied); run this as the owner of the environment" in said
        (prefix / part).chmod(0o755)


THEIRS = """
import os, sys
from pathlib import Path
from legacy_doctor.treatment.disk import DiskError
from tests.treatment import faults

prefix = Path(sys.argv[1])
for path in [prefix, *(path for path in prefix.rglob("*") if path.is_dir())]:
    os.chown(path, 65534, 65534)
os.setgid(65534)
os.setuid(65534)
before = faults.snapshot(prefix)
try:
    faults.apply(prefix)
except DiskError as error:
    print(error)
assert faults.snapshot(prefix) == before
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes files that are not its own")
def test_a_file_of_another_user_keeps_its_owner_or_stays_as_it_is() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        prefix = faults.build(Path(folder))
        (prefix / "lib/doomed.py").chmod(0o644)
        said = run_script(THEIRS, str(prefix))
    assert "cannot be written (Operation not permitted)" in said
    assert said.endswith("; nothing was changed\n")


@pytest.mark.wheels
@pytest.mark.parametrize("mode", ["hardlink", "symlink"])
def test_uv_cache_and_a_second_environment_keep_their_bytes(mode: str, tmp_path: Path) -> None:
    def uv(*arguments: str) -> None:
        cache = {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_LINK_MODE": mode}
        done = subprocess.run(
            [Path(sys.executable).parent / "uv", *arguments],
            capture_output=True,
            text=True,
            env={**clean(os.environ), **cache},
            check=False,
        )
        if done.returncode:
            lacking("wheels", f"uv could not do {arguments}: {done.stderr[-300:]}")

    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        uv("venv", "-q", "--python", sys.executable, str(folder))
        uv("pip", "install", "-q", "--python", str(folder / "bin/python"), "six")
    path = next(one.glob("lib/python*/site-packages/six.py"))
    other = two / path.relative_to(one)
    assert path.samefile(other), "uv shares nothing here: the test shows nothing"
    untouched = [snapshot(two), snapshot(tmp_path / "cache")]
    before, inode = snapshot(one), other.stat().st_ino

    journal = Journal(one)
    patch = FileStep(path, files.observe(path), b"patched = True\n", None, "patch six")
    with journal.lock():
        journal.begin(Plan((patch,)), command="fix --apply").apply()

    assert path.read_bytes() == b"patched = True\n"
    assert (other.stat().st_ino, other.is_symlink()) == (inode, mode == "symlink")
    journal.undo()
    assert snapshot(one) == before
    assert other.stat().st_ino == inode
    assert [snapshot(two), snapshot(tmp_path / "cache")] == untouched
    json.loads((one / ".legacy-doctor/runs/0001/plan.json").read_text())
