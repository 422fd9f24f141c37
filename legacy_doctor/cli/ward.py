"""One environment under treatment: its journal, its installer, the plan, and its execution."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from legacy_doctor.environment import distributions
from legacy_doctor.errors import DataError, DoctorError
from legacy_doctor.knowledge import patches
from legacy_doctor.model import Distribution, Finding, Interpreter, Knowledge, Patient
from legacy_doctor.treatment import files, installer, pins, plan
from legacy_doctor.treatment.application import Place
from legacy_doctor.treatment.installer import DEFAULTS, Installer, Options
from legacy_doctor.treatment.journal import Entry, Journal, NothingToDoError
from legacy_doctor.treatment.pins import PinLine
from legacy_doctor.treatment.plan import Selection, Treatment
from legacy_doctor.treatment.shelf import Shelf
from legacy_doctor.treatment.steps import FileStep, Plan

if TYPE_CHECKING:
    from legacy_doctor.cli.hooked import Hooking, Socket
    from legacy_doctor.treatment.pharmacy import Pharmacy

_WITH = "with"
"""In a run's `extra`: the run of packages that belongs to it, undone with it."""


class Undone(NamedTuple):
    """A run that was undone, and the run that did it."""

    run: int
    by: int


@dataclass(frozen=True, kw_only=True)
class Ward:
    """What treats one environment."""

    interpreter: Interpreter
    options: Options = DEFAULTS
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    watch: Callable[[str], object] | None = None
    known: Sequence[Distribution] | None = None
    """What was installed when it was examined, where that was just now."""

    @cached_property
    def journal(self) -> Journal:
        """The journal of the environment."""
        return Journal(self.interpreter.prefix)

    def installed(self) -> Sequence[Distribution]:
        """Read what is installed, now."""
        return distributions.read(self.interpreter.site_packages).distributions

    @cached_property
    def installer(self) -> Installer:
        """The installer that owns the environment; raises `TargetError` where none may work."""
        installer.refuse(self.interpreter, options=self.options)
        known = self.installed() if self.known is None else self.known
        return installer.owner(self.interpreter, known, self.environ, options=self.options)

    @cached_property
    def pharmacy(self) -> Pharmacy:
        """What carries out package steps."""
        # Here and below: a plan that is only read needs none of it.
        from legacy_doctor.treatment.pharmacy import Pharmacy

        return Pharmacy(
            journal=self.journal,
            interpreter=self.interpreter,
            installer=self.installer,
            reread=self.installed,
            environ=self.environ,
            options=self.options,
            watch=self.watch,
        )

    def place(self) -> Place:
        """The environment as patches see it, now."""
        return Place(interpreter=self.interpreter, distributions=self.installed())

    def recover(self) -> tuple[str, ...]:
        """Bring what was interrupted to an end; a sentence each."""
        shelf = Shelf(self.interpreter.prefix)
        if not shelf.unfinished() and not shelf.unwritten():
            return ()
        from legacy_doctor.treatment import pharmacy

        return pharmacy.recover(self.journal)

    def plan(  # noqa: PLR0913  all that a plan is made from
        self,
        patient: Patient,
        knowledge: Knowledge,
        findings: Sequence[Finding],
        selection: Selection,
        *,
        exact: bool = True,
        needed: frozenset[str] = frozenset(),
    ) -> Treatment:
        """Return the treatment of the findings; nothing is changed.

        Without `exact` pip is not asked what else it obeys: a plan that is only read needs no
        more than the names of the files that will change. `needed` are ids of patches that a
        project cannot do without, whatever is installed so far.
        """
        lines = self._lines(patient, knowledge)
        persistent = plan.persistence(
            self.interpreter.prefix,
            lines,
            self.installer.name,
            self.installer.configured(self.environ) if exact else (),
        )
        return plan.make(
            Place(interpreter=self.interpreter, distributions=patient.distributions),
            patient.cpu,
            findings,
            patches.every(),
            persistent,
            pins.requirements(lines),
            selection,
            needed,
        )

    def _lines(self, patient: Patient, knowledge: Knowledge) -> tuple[PinLine, ...]:
        names = [item.name for item in patient.distributions]
        return pins.for_cpu(patient.cpu, knowledge, installed=names)

    def offer(self, patient: Patient, knowledge: Knowledge, here: Path) -> str:
        """Return, as a diff, how a uv project in the folder `here` would keep the pins.

        It is offered and never applied: the file is the user's own. Empty where uv does not own
        the environment, where there is no such project, or where nothing would change.
        """
        if self.installer.name != "uv":
            return ""
        lines = self._lines(patient, knowledge)
        found = [path for name in ("uv.toml", "pyproject.toml") if (path := here / name).is_file()]
        if not found:
            return ""
        from legacy_doctor.treatment import uvproject

        return uvproject.diff(found[0], pins.text_of(found[0]), lines)

    def apply(
        self, treatment: Treatment, command: str, hooking: Hooking | None = None
    ) -> tuple[int, ...]:
        """Carry the treatment out, under one lock; return the numbers of its runs.

        Packages first; then the patches are looked at again, and the hook comes last. Raises
        `DoctorError` where a part fails: what was done before it stays done, and can be undone.
        """
        runs: list[int] = []
        with self.journal.lock(command=command):
            if not treatment.packages.empty:
                run = self.pharmacy.apply(treatment.packages, command=command)
                runs.append(run.number)
            try:
                steps = [*self._patched(treatment), *_again(treatment.pins)]
                extra = {_WITH: runs[0]} if runs else None
                if hooking is not None and runs:
                    hooking = hooking._replace(steps=tuple(_again(hooking.steps)))
                number = self._write(steps, command, extra, hooking)
            except DoctorError as error:
                raise _so_far(error, runs) from error
            runs += [] if number is None else [number]
        return tuple(runs)

    def _patched(self, treatment: Treatment) -> list[FileStep]:
        """Plan the patches against what is installed now."""
        place = self.place()
        return [
            step
            for item in treatment.patches
            if item.steps or item.replaces is not None
            for step in place.apply(item.patch, replaces=item.replaces)
        ]

    def _write(
        self,
        steps: Sequence[FileStep],
        command: str,
        extra: Any,
        hooking: Hooking | None = None,
        emptied: Sequence[Path] = (),
    ) -> int | None:
        steps = (*steps, *(hooking.steps if hooking else ()))
        if not steps:
            return None
        try:
            plan = Plan(steps)
            run = self.journal.begin(plan, command=command, extra=extra, emptied=emptied)
        except NothingToDoError:
            return None
        if hooking is None:
            run.apply()
        else:
            self.socket.apply(run, hooking.identity)
        return run.number

    @cached_property
    def socket(self) -> Socket:
        """Where the start-up hook of the environment goes."""
        from legacy_doctor.cli.hooked import Socket

        return Socket(interpreter=self.interpreter)

    def hook(self, hooking: Hooking, command: str) -> int | None:
        """Put a hook in as one run, and prove it; None where it is there already."""
        with self.journal.lock(command=command):
            return self._write((), command, None, hooking)

    def unhook(self, command: str) -> int | None:
        """Take whatever of a hook is there out, as one run; None where there is nothing."""
        from legacy_doctor.hook import install

        folder = self.socket.folder
        with self.journal.lock(command=command):
            steps = install.removal(folder)
            return self._write(steps, command, None, emptied=[install.cache(folder)])

    def change(self, steps: Sequence[FileStep], command: str) -> int | None:
        """Carry out file steps as one run; None where there is nothing to do."""
        with self.journal.lock(command=command):
            return self._write(steps, command, None)

    def undo(self, number: int | None) -> tuple[Undone, ...]:
        """Undo a run, and the run of packages that belongs to it: both, or none of them.

        Raises `DataError` where that other run is damaged, and what `Journal.undo` raises.
        """
        with self.journal.lock(command="undo"):
            number, _ = self.journal.inverse(number)
            together = self._together(number)
            done = [Undone(number, self._undo(number))]
            if together is not None:
                try:
                    done.append(Undone(together, self._undo(together)))
                except BaseException:
                    self.journal.undo(done[0].by)
                    raise
        return tuple(done)

    def _undo(self, number: int) -> int:
        """Undo one run; return the number of the run that did it."""
        from legacy_doctor.treatment import pharmacy

        if pharmacy.is_step(Shelf(self.journal.prefix).load(number).folder):
            return self.pharmacy.undo(number).number
        return self.journal.undo(number).number

    def _together(self, number: int) -> int | None:
        """Return the run of packages that went before this one, where it is still in effect."""
        entries = {entry.number: entry for entry in self.history()}
        extra = entries[number].extra
        other = extra.get(_WITH) if isinstance(extra, dict) else None
        there = entries.get(other) if isinstance(other, int) else None
        if there is not None and there.problem:
            raise DataError(there.problem)
        return other if there is not None and there.in_effect else None

    def history(self) -> tuple[Entry, ...]:
        """Return all runs, oldest first."""
        return self.journal.history()


def _so_far(error: DoctorError, runs: Sequence[int]) -> DoctorError:
    """Say what was done before it failed, and how to take that back."""
    if not runs:
        return error
    done = f"the packages were changed before that: legacy-doctor undo {runs[0]} takes it back"
    return DoctorError(f"{error}; {done}")


def _again(steps: Sequence[FileStep]) -> list[FileStep]:
    """Plan the same contents against what lies there now: an installer may have been at work."""
    return [replace(step, before=files.observe(step.path)) for step in steps]
