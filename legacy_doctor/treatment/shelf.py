"""Where the journal of an environment lies, and what may stand there.

A run is written under a name that does not count (`.0003.new`) and renamed when it is complete
and on the disk. Nothing is followed through a symbolic link.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from legacy_doctor.errors import DataError, DoctorError
from legacy_doctor.treatment import disk, files
from legacy_doctor.treatment.record import Record, dump
from legacy_doctor.treatment.run import RECORD, Run, forget, original, state_of, unwritten
from legacy_doctor.treatment.steps import FileStep

FOLDER: Final = ".legacy-doctor"
_RUN: Final = re.compile(r"\d{4,}")
_UNWRITTEN: Final = re.compile(r"\.(\d{4,})\.new")


class Shelf:
    """The folder of the journal. Nothing is created before `ensure`."""

    def __init__(self, prefix: Path) -> None:
        if not os.path.isdir(prefix):  # noqa: PTH112  Path.is_dir raises where it may not look
            raise DoctorError(f"{prefix}: not a folder, so no environment to treat")
        self.prefix = Path(os.path.realpath(prefix))
        self.folder = self.prefix / FOLDER
        self.lock = self.folder / "lock"
        self._runs = self.folder / "runs"

    def ensure(self) -> None:
        """Create the folders, for their owner only, where they are missing."""
        for folder in (self.folder, self._runs):
            with disk.telling(folder):
                try:
                    folder.mkdir(0o700)
                except FileExistsError:
                    _refuse_link(folder)
                else:
                    disk.sync([folder.parent])

    def place(self, path: Path) -> Path:
        """Return where a file to treat really lies; raises `DoctorError` where it may not be."""
        place = files.inside(self.prefix, path)
        if self.folder in (place, *place.parents):
            raise DoctorError(f"{path}: belongs to the journal and is left alone")
        return place

    def numbers(self) -> list[int]:
        """Return the numbers of all runs, in order."""
        return sorted(int(name) for name in self._names() if _RUN.fullmatch(name))

    def unfinished(self) -> list[int]:
        """Return the numbers of the runs that were written down and neither done nor left.

        None is begun before all are ended, so only the newest are looked at.
        """
        found: list[int] = []
        for number in reversed(self.numbers()):
            if state_of(self._folder(number)) not in {"planned", "prepared"}:
                break
            found.insert(0, number)
        return found

    def unwritten(self) -> list[int]:
        """Return the numbers of the runs that were not even written down."""
        matches = map(_UNWRITTEN.fullmatch, self._names())
        return sorted(int(match[1]) for match in matches if match)

    def load(self, number: int) -> Run:
        """Read a run; raises `DataError` where it is damaged."""
        folder = self._folder(number)
        _refuse_link(folder)
        run = Run.load(folder, self.prefix)
        if run.number != number:
            raise DataError(f"{folder}: holds run {run.number}; give the folder its name back")
        return run

    def write(self, record: Record, steps: tuple[FileStep, ...]) -> Run:
        """Write a run down. When this returns, plan and originals are on the disk.

        Raises `DiskError`, and leaves nothing, where they cannot be.
        """
        folder = self._folder(record.number)
        new = unwritten(folder)
        with disk.all_or_nothing(lambda: forget(folder)):
            with disk.telling(new):
                new.mkdir(0o700)
            disk.touch(new / "planned")
            for index, step in enumerate(steps):
                content = files.read(step.path)[1]
                if content is not None:
                    disk.keep(step.path, original(new, index), content)
            disk.create(new / RECORD, dump(record, self.prefix))
            disk.sync([new])
            disk.rename(new, folder)
        return Run(folder, record, steps)

    def discard(self, number: int) -> None:
        """Remove what there is of a run that was not written down."""
        disk.discard_folder(unwritten(self._folder(number)))

    def _folder(self, number: int) -> Path:
        return self._runs / f"{number:04d}"

    def _names(self) -> list[str]:
        for folder in (self.folder, self._runs):
            if not os.path.lexists(folder):
                return []
            _refuse_link(folder)
        with disk.telling(self._runs, "read"):
            return os.listdir(self._runs)  # noqa: PTH208


def _refuse_link(folder: Path) -> None:
    if os.path.islink(folder) or not os.path.isdir(folder):  # noqa: PTH112, PTH114
        raise DataError(f"{folder}: not a folder of its own; it is not followed, move it away")
