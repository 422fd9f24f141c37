"""A file as text, and where in it an offset lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment.requirements import source
from legacy_doctor.environment.requirements.source import RequirementsError, Source
from legacy_doctor.model import Location


@given(st.text(alphabet="ab\n\r"), st.data())
def test_a_place_is_where_an_editor_shows_it(text: str, data: st.DataObject) -> None:
    read = Source(text, "x")
    for _ in range(3):  # in any order: the last place is where counting begins
        offset = data.draw(st.integers(0, len(read.text)))
        lines = read.text[:offset].replace("\r", "\n").split("\n")

        assert read.place(offset) == Location("x", len(lines), len(lines[-1]) + 1)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"numpy", "numpy"),
        ("é".encode(), "é"),
        (b"\xef\xbb\xbfnumpy", "numpy"),
        ("\ufeffnumpy".encode("utf-16-le"), "numpy"),
        ("\ufeffnumpy".encode("utf-16-be"), "numpy"),
        ("\ufeffnumpy".encode("utf-32-le"), "numpy"),
        ("\ufeffnumpy".encode("utf-32-be"), "numpy"),
        (b"", ""),
    ],
)
def test_a_byte_order_mark_tells_the_encoding(data: bytes, text: str) -> None:
    assert source.decoded(data, "x") == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\nb\xff", "x:2: not UTF-8 (byte 3); save it as UTF-8"),
        (b"\xff\xfea", "x:1: not UTF-16-LE (byte 0); save it as UTF-8"),
    ],
)
def test_bytes_that_are_no_text(data: bytes, message: str) -> None:
    with pytest.raises(RequirementsError) as raised:
        source.decoded(data, "x")

    assert str(raised.value) == message


def test_a_file_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes(b"a\r\nb")

    read = source.load(tmp_path / "r.txt", "shown.txt")

    assert (read.text, read.path, read.file) == ("a\nb", "shown.txt", tmp_path / "r.txt")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone.txt", "no such file"),
        (".", "is a folder"),
        ("pipe", "no such file"),
        ("a\0b", "no such file|embedded null"),
        ("x" * 300, "cannot be read|no such file"),
    ],
)
def test_what_is_no_file(tmp_path: Path, name: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(RequirementsError, match=why):
        source.load(tmp_path / name, "shown")


def test_what_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "disk.img").open("wb") as file:
        file.truncate(65 * 1024 * 1024)

    with pytest.raises(RequirementsError, match="larger than 64 MiB"):
        source.load(tmp_path / "disk.img", "disk.img")
