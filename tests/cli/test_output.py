"""Where a report goes: whole into a file, and never in place of what is none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from legacy_doctor.cli import output
from legacy_doctor.errors import DoctorError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("an older and longer report\n")

    output.write("new", path)

    assert path.read_text() == "new\n"
    assert os.listdir(tmp_path) == ["report.txt"]  # noqa: PTH208


def test_what_is_no_file_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    """Run by root, `-o /dev/null` must not put a file in place of the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    output.write("report", pipe)

    assert os.read(reader, 100) == b"report\n"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/report.txt")

    output.write("report", tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/report.txt").read_text() == "report\n"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DoctorError, match=r"no/report\.txt: cannot be written"):
        output.write("report", tmp_path / "no" / "report.txt")
