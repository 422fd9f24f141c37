"""Opening without waiting, reading without trusting a length."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from legacy_doctor.checkpoint import source
from legacy_doctor.checkpoint.source import UnreadableError


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _empty(path: Path) -> None:
    path.touch()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(_folder, "a folder", id="a folder"),
        pytest.param(_pipe, "no regular file", id="a pipe that nobody writes to"),
        pytest.param(_empty, "empty", id="no byte"),
        pytest.param(_loop, "cannot be read", id="a link to itself"),
        pytest.param(_socket, "cannot be read", id="a socket"),
        pytest.param(lambda path: None, "No such file", id="nothing"),
    ],
)
def test_what_is_no_file_is_told_in_one_line(make: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    assert callable(make)
    make(path)

    with pytest.raises(UnreadableError, match=words) as caught, source.opened(path):
        pass

    assert str(caught.value).startswith(f"{path}: ")


def test_a_part_is_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(bytes(range(100)))

    with source.opened(path) as opened:
        window = opened.window(10, 20)
        assert window.read(5) == bytes(range(10, 15))
        assert window.tell() == 5
        assert window.seek(-2, os.SEEK_END) == 18
        assert window.read() == bytes([28, 29])
        assert window.seek(0) == 0
        assert b"".join(opened.pieces(90, 10)) == bytes(range(90, 100))
        with pytest.raises(UnreadableError, match="ends at byte 100"):
            opened.at(99, 2)


def test_a_file_that_shrinks_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(bytes(100))

    with source.opened(path) as opened:
        os.truncate(path, 50)
        with pytest.raises(UnreadableError, match="shortened"):
            opened.at(40, 20)


def test_the_checksum_is_that_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"x" * (2 * source.PIECE + 1))
    told: list[int] = []

    with source.opened(path) as opened:
        assert opened.sha256(told.append) == hashlib.sha256(path.read_bytes()).hexdigest()

    assert (max(told), sum(told)) == (source.PIECE, 2 * source.PIECE + 1)
