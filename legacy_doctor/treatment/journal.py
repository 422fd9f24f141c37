"""What was done to an environment, in numbered runs, and the way back.

Everything lies in `<environment>/.legacy-doctor`, for its owner only: `lock`, and `runs/0001`,
`runs/0002`, … (see `run`). A run is written under a name that does not count, and renamed when it
is complete and on the disk: only then may it touch a file. So whenever a process is killed, the
journal says what it was about to do, and `recover` brings the files to all-before or all-after.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from legacy_doctor.errors import DataError, DoctorError, UnknownNameError
from legacy_doctor.treatment import disk, files, lock
from legacy_doctor.treatment.record import Record
from legacy_doctor.treatment.run import LostError, Run, undrifted
from legacy_doctor.treatment.shelf import Shelf
from legacy_doctor.treatment.steps import FileStep, Plan


class NothingToDoError(DoctorError):
    """Every file of a plan is already as the plan wants it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the history."""

    number: int
    state: str
    """As in `run.STATES`, or `damaged`: then `problem` says how, and only the number is known."""
    command: str = ""
    began: str = ""
    undoes: int | None = None
    undone_by: int | None = None
    paths: tuple[Path, ...] = ()
    extra: Any = None
    problem: str = ""

    @property
    def in_effect(self) -> bool:
        """Whether its changes are what the environment holds now, as far as the journal knows."""
        return self.state == "applied" and self.undone_by is None


class Journal:
    """The journal of one environment. Nothing is created before `lock`."""

    def __init__(self, prefix: Path) -> None:
        self._shelf = Shelf(prefix)
        self._locked = False

    @property
    def prefix(self) -> Path:
        """The environment, links resolved."""
        return self._shelf.prefix

    @contextmanager
    def lock(self, *, wait: bool = False, command: str = "fix") -> Iterator[None]:
        """Keep others from treating this environment for the time of a `with` block.

        Where another process holds the lock, wait for it, or raise `LockedError`, which names it.
        Within the block the same journal may lock again.
        """
        if self._locked:
            yield
            return
        self._shelf.ensure()
        with lock.hold(self._shelf.lock, command, wait=wait):
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def begin(
        self,
        plan: Plan,
        *,
        command: str,
        extra: Any = None,
        undoes: int | None = None,
        emptied: Iterable[Path] = (),
    ) -> Run:
        """Write a run down: its plan and the original of every file that it replaces.

        When this returns, both are on the disk and no file has been touched; `Run.apply` does
        that. `extra` is any JSON value (the prior package set): with one, a plan may be empty.
        `undoes` names the run that the plan takes back; `emptied` folders that are not to stay
        where nothing else lies in them. Needs the lock, and `recover` first.

        Raises `DriftedError` where files are not as the plan supposes, `NothingToDoError`,
        `DoctorError` for a path outside the environment, `DiskError`.
        """
        if not self._locked:
            raise RuntimeError("begin needs the lock")
        if self._shelf.unwritten() or self._shelf.unfinished():
            raise DoctorError(f"{self._shelf.folder}: an interrupted run must be recovered first")
        places = [self._shelf.place(step.path) for step in plan.steps]
        since = "the plan was made" if undoes is None else f"run {undoes}"
        expected = [step.before for step in plan.steps]
        found = undrifted(zip(places, expected, strict=True), since)
        steps = [
            replace(step, path=place, before=state)
            for step, place, state in zip(plan.steps, places, found, strict=True)
        ]
        steps = [step for step in Plan(tuple(steps)).steps if step.after != step.before]
        if not steps and extra is None:
            raise NothingToDoError(f"{self.prefix}: every file is already as planned")
        record = Record(
            number=max(self._shelf.numbers(), default=0) + 1,
            command=command,
            began=lock.now(),
            changes=tuple(step.change for step in steps),
            undoes=undoes,
            made=_missing_folders(steps),
            removed=self._emptied(emptied, undoes),
            extra=extra,
        )
        return self._shelf.write(record, tuple(steps))

    def _emptied(self, folders: Iterable[Path], undoes: int | None) -> tuple[Path, ...]:
        made = () if undoes is None else self._shelf.load(undoes).record.made
        return (*made, *map(self._shelf.place, folders))

    def recover(self) -> tuple[str, ...]:
        """Bring interrupted runs to an end; return what was done, a sentence each.

        A run that had touched no file is given up; any other is finished, or taken back where it
        cannot be. Its temporary files are removed. Killed in turn, the next call goes on. Without
        an interrupted run, nothing is locked or written. Raises `LockedError` where the run is
        not interrupted but still at work.
        """
        shelf = self._shelf
        if not shelf.unwritten() and not shelf.unfinished():
            return ()
        with self.lock(command="recover"):
            said = [self._forget(number) for number in shelf.unwritten()]
            return (*said, *(self._recover(shelf.load(n)) for n in shelf.unfinished()))

    def _forget(self, number: int) -> str:
        self._shelf.discard(number)
        return f"run {number} was interrupted before it was written down: nothing had changed"

    def _recover(self, run: Run) -> str:
        for path in [change.path for change in run.changes]:
            if self._shelf.place(path) != path:
                raise DoctorError(f"{path}: a folder of it became a symbolic link; undo that first")
        if run.state == "planned":
            run.give_up()
            return f"{run.title} was interrupted before it changed a file: it was given up"
        try:
            foreign, end = run.finish(), "finished"
        except (LostError, disk.DiskError):
            foreign, end = run.take_back(), "taken back"
        names = ", ".join(map(str, foreign))
        rest = f"; left alone, for somebody else changed them since: {names}" if foreign else ""
        return f"{run.title} was interrupted while it changed files: it was {end}{rest}"

    def history(self) -> tuple[Entry, ...]:
        """Return all runs, oldest first. Takes no lock and writes nothing."""
        entries: dict[int, Entry] = {}
        for number in sorted(self._shelf.numbers(), reverse=True):
            later = [e for e in entries.values() if e.in_effect and e.undoes == number]
            entry = self._entry(number)
            entries[number] = replace(entry, undone_by=later[0].number if later else None)
        return tuple(reversed(entries.values()))

    def _entry(self, number: int) -> Entry:
        try:
            run = self._shelf.load(number)
            return Entry(
                number=number,
                state=run.state,
                command=run.record.command,
                began=run.record.began,
                undoes=run.record.undoes,
                paths=tuple(change.path for change in run.changes),
                extra=run.extra,
            )
        except DataError as error:
            return Entry(number=number, state="damaged", problem=str(error))

    def inverse(self, number: int | None = None) -> tuple[int, Plan]:
        """Return the number of a run and the plan that undoes it, without doing it.

        Without a number: the newest run in effect that is no undo itself. Raises
        `UnknownNameError` for a run that is not there, `DoctorError` for one that is not in
        effect, `DataError` for one that is damaged.
        """
        history = {entry.number: entry for entry in self.history()}
        if number is None:
            open_ = [e.number for e in history.values() if e.in_effect and e.undoes is None]
            if not open_:
                raise UnknownNameError(f"{self.prefix}: nothing to undo")
            number = open_[-1]
        if number not in history:
            raise UnknownNameError(f"{self.prefix}: no run {number}; {_held(history)}")
        entry = history[number]
        if entry.problem:
            raise DataError(entry.problem)
        if not entry.in_effect:
            why = f"undone by run {entry.undone_by}" if entry.undone_by else entry.state
            raise DoctorError(f"run {number} ({entry.command}) cannot be undone: it is {why}")
        run = self._shelf.load(number)
        return number, Plan(tuple(run.inverse(i) for i in reversed(range(len(run.changes)))))

    def undo(self, number: int | None = None, *, command: str = "undo", extra: Any = None) -> Run:
        """Undo a run (see `inverse`): bytes, permissions, owner, links and times as before it.

        That is a run of its own, and can be undone. Raises `DriftedError`, and changes nothing,
        where a file is no longer as the run left it. Locks where the caller has not.
        """
        with self.lock(command=command):
            number, plan = self.inverse(number)
            try:
                run = self.begin(plan, command=command, extra=extra, undoes=number)
            except files.DriftedError as error:
                raise self._with_hint(error, number) from error
            run.apply()
        return run

    def _with_hint(self, error: files.DriftedError, number: int) -> files.DriftedError:
        """Name the later runs that changed the same files: undone first, they make way."""
        paths = set(error.paths)
        later = [
            str(entry.number)
            for entry in self.history()
            if entry.in_effect and entry.number > number and paths & set(entry.paths)
        ]
        hint = f"; undo first: run {', run '.join(reversed(later))}" if later else ""
        return files.DriftedError(f"{error}{hint}", error.paths)


def _held(history: dict[int, Entry]) -> str:
    return f"there are runs 1 to {max(history)}" if history else "there are none"


def _missing_folders(steps: list[FileStep]) -> tuple[Path, ...]:
    """Return the folders to make, outer ones first; refuse a file that is in their way."""
    missing: set[Path] = set()
    for step in (step for step in steps if step.after.kind != "absent"):
        parents = iter(step.path.parents)
        folder = next(parents)
        while not os.path.lexists(folder):
            missing.add(folder)
            folder = next(parents)
        if not os.path.isdir(folder):  # noqa: PTH112
            raise DoctorError(f"{folder}: a file, where {step.path} needs a folder")
    for step in steps:
        if step.path in missing:
            raise DoctorError(f"{step.path}: to be a file and a folder at once")
    return tuple(sorted(missing))
