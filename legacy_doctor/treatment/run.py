"""One numbered run: a folder of the journal, and the way of its files from before to after.

The folder holds `plan.json` (the record), the originals of the files that the run replaces, and
one empty file whose name is the state of the run:

    planned     the plan and every original are on the disk; no file has been touched
    prepared    every new file lies, complete, beside the one that it will replace
    applied     every file is as planned
    abandoned   some files had been changed, and every file is again as it was before

A state is left by renaming that file: one system call that needs no space. Killed while planned,
a run has changed nothing and is forgotten; killed while prepared, it can be finished (a rename a
file) or taken back (from the originals).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from legacy_doctor.errors import DataError, DoctorError
from legacy_doctor.treatment import disk, files
from legacy_doctor.treatment.files import DriftedError
from legacy_doctor.treatment.record import Record, load
from legacy_doctor.treatment.steps import Change, FileState, FileStep

STATES: Final = ("planned", "prepared", "applied", "abandoned")
RECORD: Final = "plan.json"


class Run:
    """A run that the journal keeps. Whoever moves it on holds the lock of the environment."""

    def __init__(self, folder: Path, record: Record, steps: tuple[FileStep, ...] = ()) -> None:
        self.folder = folder
        self.record = record
        self._steps = steps

    @classmethod
    def load(cls, folder: Path, prefix: Path) -> Run:
        """Read a run from its folder; raises `DataError` where its record is damaged."""
        return cls(folder, load(folder / RECORD, prefix))

    @property
    def number(self) -> int:
        """The number of the run; the first is 1."""
        return self.record.number

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the run does to which file."""
        return self.record.changes

    @property
    def extra(self) -> Any:
        """What the caller of `begin` wanted to remember."""
        return self.record.extra

    @property
    def title(self) -> str:
        """The run in a sentence: `run 3 (fix --apply)`."""
        return f"run {self.number} ({self.record.command})"

    @property
    def state(self) -> str:
        """One of `STATES`; raises `DataError` where the folder does not say exactly one."""
        return state_of(self.folder)

    def original(self, index: int) -> bytes | None:
        """Return the content that a file had before; None where it had none.

        Raises `DataError` where the journal's copy is no longer what it was.
        """
        change = self.changes[index]
        if change.before.sha256 is None:
            return None
        path = original(self.folder, index)
        content = disk.read(path)
        if sha256(content).hexdigest() != change.before.sha256:
            raise DataError(
                f"{path}: damaged: no longer the original of {change.path}; "
                "reinstall what owns that file"
            )
        return content

    def inverse(self, index: int) -> FileStep:
        """Return the step that takes one change back, with the original from the journal."""
        change, content = self.changes[index], self.original(index)
        link = change.before.link
        lives = link is not None and files.leads_to(change.path, link) == change.before.sha256
        return change.inverse(content, link_lives=lives)

    def apply(self) -> None:
        """Bring every file from before to after, or leave every one as it was and raise.

        First each file is compared with the plan, then all new content is brought to the disk,
        then all is renamed. Raises `DriftedError` where a file changed since `begin`, `DiskError`
        where the system refuses. Killed at any point, `Journal.recover` finishes or takes back.
        """
        if self.state != "planned":
            raise DoctorError(f"{self.title} is {self.state} and cannot be applied again")
        with disk.all_or_nothing(self.give_up):
            expected = [(change.path, change.before) for change in self.changes]
            undrifted(expected, f"{self.title} was planned")
            self._prepare()
            self._turn("prepared")
        with disk.all_or_nothing(self.take_back):
            for change, temp in self._pairs():
                files.commit(change, temp)
            self._settle()

    def _pairs(self) -> Iterator[tuple[Change, Path]]:
        for index, change in enumerate(self.changes):
            yield change, files.temporary(change.path, self.number, index)

    def _prepare(self) -> None:
        for folder in self.record.made:
            with disk.telling(folder):
                folder.mkdir(exist_ok=True)
        for step, (_, temp) in zip(self._steps, self._pairs(), strict=True):
            files.stage(step, temp)

    def _turn(self, state: str) -> None:
        disk.rename(self.folder / self.state, self.folder / state)

    def give_up(self) -> None:
        """Forget a run that touched no file, with its temporary files and its new folders.

        Its own folder goes too: on a full disk, a try that failed must not cost space.
        """
        for _, temp in self._pairs():
            disk.discard(temp)
        _remove_empty(self.record.made)
        forget(self.folder)

    def finish(self) -> tuple[Path, ...]:
        """Bring the files that are not there yet to after; raises `LostError` where it cannot.

        Returns the files that are neither as before nor as after: somebody else changed them
        since, and they are left alone.
        """
        standing = [self._standing(change, temp) for change, temp in self._pairs()]
        if "lost" in standing:
            raise LostError(f"{self.title}: a prepared file is gone")
        for (change, temp), state in zip(self._pairs(), standing, strict=True):
            if state == "ready":
                files.commit(change, temp)
            else:
                disk.discard(temp)
        self._settle()
        pairs = zip(self.changes, standing, strict=True)
        return tuple(change.path for change, state in pairs if state == "foreign")

    def _standing(self, change: Change, temp: Path) -> str:
        found = self._found(change)
        if found == change.after:
            return "done"
        if found != change.before:
            return "foreign"
        return "ready" if _observed(temp) == change.after else "lost"

    def _found(self, change: Change) -> FileState | None:
        """Return what lies there; None for what no run leaves, such as a package that is gone."""
        folder = change.path.parent
        ours = folder in {*self.record.made, *self.record.removed}
        return _observed(change.path) if ours or folder.is_dir() else None

    def _settle(self) -> None:
        """Do what follows the renames, and leave the run as applied."""
        for change in self.changes:
            files.forget_bytecode(change.path)
        _remove_empty(self.record.removed)
        self._sync()
        self._turn("applied")

    def take_back(self) -> tuple[Path, ...]:
        """Bring the files that are as after to before; return those that are neither.

        In reverse: what was written last may be what leads to the others.
        """
        found = [self._found(change) for change in self.changes]
        # Every original is read before the first is restored: a damaged one stops all of them.
        back = {
            index: self.inverse(index)
            for index, change in enumerate(self.changes)
            if found[index] == change.after
        }
        for index, (change, temp) in reversed(list(enumerate(self._pairs()))):
            if index in back:
                with disk.telling(change.path):
                    change.path.parent.mkdir(parents=True, exist_ok=True)
                files.apply(back[index], temp)
            disk.discard(temp)
        _remove_empty(self.record.made)
        self._sync()
        self._turn("abandoned")
        pairs = zip(self.changes, found, strict=True)
        return tuple(c.path for c, state in pairs if state not in {c.before, c.after})

    def _sync(self) -> None:
        folders = (*self.record.made, *self.record.removed)
        disk.sync([change.path.parent for change in self.changes] + [f.parent for f in folders])


class LostError(DoctorError):
    """A run cannot be finished, only taken back."""


def original(folder: Path, index: int) -> Path:
    """Return where a run keeps the former content of its change number `index`."""
    return folder / f"{index:04d}.original"


def unwritten(folder: Path) -> Path:
    """Return the name of a run's folder under which it does not count."""
    return folder.with_name(f".{folder.name}.new")


def forget(folder: Path) -> None:
    """Remove a run, however far it is written down; first it loses the name that counts."""
    if os.path.lexists(folder):
        disk.rename(folder, unwritten(folder))
    disk.discard_folder(unwritten(folder))


def state_of(folder: Path) -> str:
    """Return the state that a run's folder says; raises `DataError` where it is not one."""
    with disk.telling(folder, "read"):
        names = os.listdir(folder)  # noqa: PTH208  one look: another process may be renaming
    states = [state for state in STATES if state in names]
    if len(states) != 1:
        found = " and ".join(states) or "none"
        raise DataError(
            f"{folder}: no telling how far this run came (one of {', '.join(STATES)} must lie "
            f"there; found {found}); compare its files with plan.json, then move the folder away"
        )
    return states[0]


def undrifted(expected: Iterable[tuple[Path, FileState]], since: str) -> list[FileState]:
    """Return what lies at the paths now.

    Raises `DriftedError`, with all their names, where that is not what is expected.
    """
    found = [(path, before, _observed(path)) for path, before in expected]
    drifted = [path for path, before, state in found if state != before]
    if drifted:
        names = ", ".join(map(str, drifted))
        raise DriftedError(f"changed since {since}, so nothing was done: {names}", drifted)
    return [state for _, _, state in found if state is not None]


def _observed(path: Path) -> FileState | None:
    try:
        return files.observe(path)
    except files.OddFileError:
        return None


def _remove_empty(folders: tuple[Path, ...]) -> None:
    """Remove the empty ones, inner ones first; what somebody else put there stays."""
    for folder in reversed(folders):
        for empty in (folder / "__pycache__", folder):
            with suppress(OSError):
                empty.rmdir()
