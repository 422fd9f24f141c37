"""One regular file, read by position and never more of it at a time than asked for."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from legacy_doctor.errors import DoctorError

PIECE: Final = 1 << 20
"""Bytes that are copied or hashed at a time."""
_BUFFER: Final = 1 << 16

Watch = Callable[[int], object]
"""Told how many bytes were dealt with since it was last told."""


def unwatched(number: int) -> None:
    """Tell nobody."""


class UnreadableError(DoctorError):
    """A file that cannot be read as a checkpoint, or not to its end; the message says why."""


class Source:
    """An open file. `size` is what it held when it was opened."""

    def __init__(self, descriptor: int, path: Path, status: os.stat_result) -> None:
        self.descriptor = descriptor
        self.path = path
        self.status = status
        self.size = status.st_size

    def at(self, offset: int, length: int) -> bytes:
        """Return exactly these bytes; raises `UnreadableError` where the file ends before."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise UnreadableError(f"it ends at byte {self.size}, before what it announces")
        parts = []
        while length:
            part = os.pread(self.descriptor, length, offset)
            if not part:
                raise UnreadableError("it was shortened while it was read")
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def window(self, offset: int, length: int) -> io.BufferedReader:
        """Return a buffered stream of a part of the file; what lies behind its end is cut off."""
        return io.BufferedReader(_Window(self, offset, length), _BUFFER)

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield a part of the file in pieces of at most `PIECE` bytes."""
        while length:
            piece = self.at(offset, min(length, PIECE))
            yield piece
            offset, length = offset + len(piece), length - len(piece)

    def sha256(self, watch: Watch) -> str:
        """Return the checksum of the whole file."""
        state = sha256()
        for piece in self.pieces(0, self.size):
            state.update(piece)
            watch(len(piece))
        return state.hexdigest()


class _Window(io.RawIOBase):
    def __init__(self, source: Source, offset: int, length: int) -> None:
        self._source = source
        self._begin = self._offset = offset
        self._end = min(offset + max(length, 0), source.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the beginning of the window."""
        base = {os.SEEK_SET: self._begin, os.SEEK_CUR: self._offset, os.SEEK_END: self._end}
        self._offset = max(base[whence] + offset, self._begin)
        return self._offset - self._begin

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill what the standard library offers."""
        wanted = min(len(buffer), self._end - self._offset)
        piece = self._source.at(self._offset, wanted) if wanted > 0 else b""
        buffer[: len(piece)] = piece
        self._offset += len(piece)
        return len(piece)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file for reading; never waits, also where a pipe without a writer lies.

    Raises `UnreadableError` for what is no regular file, is empty or may not be read. Every
    `UnreadableError` of the block gets the path in front.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableError("a folder; name the checkpoint file in it")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("no regular file; copy what it gives into one first")
        if not status.st_size:
            raise UnreadableError("empty; download it again")
        yield Source(descriptor, path, status)
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error}") from error
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror or error})") from error
    finally:
        os.close(descriptor)
