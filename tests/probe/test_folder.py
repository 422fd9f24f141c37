"""Folders that resist: unreadable, full of links, nested deeper than a path can be."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from legacy_doctor.probe import folder
from tests.conftest import ROOT, clean

# As nobody where the tests run as root, to whom nothing is unreadable.
DRIVER = """
import os, socket, sys
from pathlib import Path
from legacy_doctor.probe import folder
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with folder.temporary() as home:
    os.chdir(home)
    exec(sys.argv[1])
print(home.exists(), flush=True)
os._exit(0)  # coverage could write nothing as nobody
"""

SPOILED = {
    "nothing in it": "",
    "files and folders": "os.makedirs('a/b/c'); open('a/b/f', 'w').close(); open('g', 'w').close()",
    "folders that nobody may read": (
        "os.makedirs('a/b/c'); open('a/b/f', 'w').close(); [os.chmod(p, 0) for p in ('a/b/f', 'a/b/c', 'a/b', 'a', '.')]"
    ),
    "links to nowhere and to itself": "os.symlink('/no/such', 'a'); os.symlink('.', 'b'); os.symlink('c', 'c')",
    "pipes and sockets": "os.mkfifo('a'); socket.socket(socket.AF_UNIX).bind('b')",
    "names that are no text": "os.mkdir(b'\\xff\\n'); open(b'\\xff\\n/-rf *', 'w').close()",
    "more levels than a path or a stack may have": (
        "\nfor _ in range(3000):\n    os.mkdir('d' * 100)\n    os.chdir('d' * 100)\nopen('f', 'w').close()"
    ),
}


@pytest.fixture
def nobodys() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("code", SPOILED.values(), ids=SPOILED)
def test_a_temporary_folder_is_removed_with(code: str, nobodys: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, code],
        env={**clean(os.environ), "PYTHONPATH": str(ROOT), "TMPDIR": str(nobodys)},
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )

    assert (done.stdout, done.stderr) == ("False\n", "")
    assert list(nobodys.iterdir()) == []


def test_what_a_link_points_to_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "deeper").mkdir()
    (inside / "deeper/link").symlink_to(outside)

    folder.remove(inside)

    assert not inside.exists()
    assert (outside / "file").exists()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "outside")

    folder.remove(tmp_path / "link")

    assert (tmp_path / "outside/file").exists()


def test_what_is_gone_already_is_no_trouble(tmp_path: Path) -> None:
    folder.remove(tmp_path / "gone")


def test_what_cannot_be_removed_is_left_and_the_rest_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "stuck", "two"):
        (tmp_path / "folder" / name).mkdir(parents=True)
    rmdir = os.rmdir

    def refuse(name: str, **options: int) -> None:
        if name == "stuck":
            raise OSError
        rmdir(name, **options)

    monkeypatch.setattr(os, "rmdir", refuse)
    folder.remove(tmp_path / "folder")

    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["stuck"]
