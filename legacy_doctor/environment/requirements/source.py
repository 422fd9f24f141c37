"""The text of one file, and where in it an offset lies."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

from legacy_doctor.environment.requirements.entry import NAMED, normalized
from legacy_doctor.errors import DoctorError
from legacy_doctor.model import Location, Requirement

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with the other's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LARGEST: Final = 64 * 1024 * 1024
"""No lock file comes near; a device or a disk image does."""
_LONGEST: Final = 2000
"""Characters of a specifier. Python refuses to read a number of more than 4,300 digits."""


class RequirementsError(DoctorError):
    """A requirement or lock file that cannot be read; the message starts with the file."""


class Source:
    """A text under the name that messages call it by; CRLF is read as LF, like in an editor."""

    def __init__(self, text: str, path: str, file: Path | None = None) -> None:
        self.text = text.replace("\r\n", "\n") if "\r" in text else text
        self._returns = "\r" in self.text
        self._last = (0, 1)
        self.path = path
        """What messages call it."""
        self.file = Path(path) if file is None else file
        """Where it lies: what it includes is looked for beside it."""

    def place(self, offset: int) -> Location:
        """Return line and column of an offset. Lines end with LF or CR.

        Counting from the last place that was asked for, because a lock file has megabytes, and
        readers ask in its order.
        """
        last, line = self._last if self._last[0] <= offset else (0, 1)
        line += self.text.count("\n", last, offset)
        start = self.text.rfind("\n", 0, offset)
        if self._returns:
            line += self.text.count("\r", last, offset)
            start = max(start, self.text.rfind("\r", 0, offset))
        self._last = (offset, line)
        return Location(self.path, line, offset - start)


class Found:
    """What was read so far: requirements and problems, each in the order of the file."""

    def __init__(self) -> None:
        self.requirements: list[Requirement] = []
        self.problems: list[tuple[Location, str]] = []
        self.askers: dict[str, dict[str, None]] = {}
        """Who asks for each distribution, where a lock file says it, in its order."""

    def asks(self, who: str, whom: str) -> None:
        """Note that one distribution asks for another; what is no name is passed over."""
        if NAMED.fullmatch(who) and NAMED.fullmatch(whom):
            self.askers.setdefault(normalized(whom), {})[normalized(who)] = None

    def add(self, requirement: Requirement) -> None:
        """Note a requirement; one that is longer than any sense is a problem instead."""
        if len(requirement.specifier) + len(requirement.version or "") > _LONGEST:
            self.problem(requirement.location, requirement.text, "too long for a version")
        else:
            self.requirements.append(requirement)

    def problem(self, place: Location, entry: object, why: str) -> None:
        """Note an entry that is passed over."""
        shown = repr(entry)
        self.problems.append((place, f"{shown if len(shown) < 60 else shown[:57] + '...'}: {why}"))


def load(path: Path, name: str) -> Source:
    """Read a file; raises `RequirementsError` where it is none, or no text.

    UTF-8 unless a byte order mark says UTF-16 or UTF-32 (PowerShell's `>` writes that); the
    mark is no part of the text.
    """
    try:
        if not path.is_file():
            why = "is a folder" if path.is_dir() else "no such file"
            raise RequirementsError(f"{name}: {why}; name a requirement or lock file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise RequirementsError(f"{name}: cannot be read ({reason})") from error
    if len(data) > _LARGEST:
        raise RequirementsError(f"{name}: larger than 64 MiB, so no requirement or lock file")
    return Source(decoded(data, name), name, path)


def decoded(data: bytes, name: str) -> str:
    """Return the text; raises `RequirementsError` where the bytes are none."""
    mark, encoding = next((item for item in _BOMS if data.startswith(item[0])), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RequirementsError(
            f"{name}:{line}: not {encoding.upper()} (byte {error.start}); save it as UTF-8"
        ) from error
