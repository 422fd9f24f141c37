"""Package steps carried out by the installer of an environment, so that they can be taken back.

First everything is resolved in a dry run, with all pins as constraints; then the files of the
environment get second names (see `tree`); only then is the installer let in. Whatever stops it
(no network, no space, Ctrl-C), the files are put back. A run of the journal holds the step: its
folder has the tree, and the exact state before it in `extra`.

Killed at any point, `recover` puts the files back, or ends the run where the installer was done.
An installer that outlived us is waited for: it holds a lock as long as it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from legacy_doctor.errors import DoctorError
from legacy_doctor.model import Distribution, Interpreter
from legacy_doctor.treatment import disk
from legacy_doctor.treatment.files import DriftedError
from legacy_doctor.treatment.installer import DEFAULTS, Installer, InstallerError, Options
from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.lock import LockedError
from legacy_doctor.treatment.manifest import Scope
from legacy_doctor.treatment.packages import (
    Command,
    Move,
    PackageStep,
    away,
    commands,
    memory,
    state,
)
from legacy_doctor.treatment.pins import CONSTRAINTS, reference
from legacy_doctor.treatment.run import Run
from legacy_doctor.treatment.shelf import Shelf
from legacy_doctor.treatment.steps import Plan
from legacy_doctor.treatment.tree import Restored, Tree

TREE: Final = "tree"
"""The folder of a run that holds the files of the environment."""
_WORKING: Final = "installer"
"""The file of a run that is locked while an installer is at work."""

Watch = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Pharmacy:
    """What package steps are carried out with: one environment and its installer.

    `reread` reads what is installed, now.
    """

    journal: Journal
    interpreter: Interpreter
    installer: Installer
    reread: Callable[[], Sequence[Distribution]]
    environ: Mapping[str, str]
    options: Options = DEFAULTS
    watch: Watch | None = None

    def resolve(self, wanted: PackageStep) -> tuple[Move, ...]:
        """Return what would move, and change nothing.

        Raises `InstallerError` where the requirements cannot be met together, a download fails,
        or only a source distribution is to be had.
        """
        with self._commands(wanted) as (chosen, environ, report):
            before = {item.name: item.version for item in self.reread()}
            moves = {name: Move(name, before.get(name), None) for name in wanted.uninstall}
            for command in chosen:
                if command.resolves:
                    words = self.installer.dry(command.words, report)
                    said = self.installer.run(words, environ=environ)
                    for name, version in self._chosen(said, report):
                        moves[name] = Move(name, before.get(name), version)
            return tuple(moves[name] for name in sorted(moves))

    def _chosen(self, said: str, report: Path) -> Iterator[tuple[str, str]]:
        if self.installer.name == "uv":
            for match in re.finditer(r"^ *[+~] (\S+?)==(\S+)", said, re.MULTILINE):
                yield canonicalize_name(match[1]), match[2]
            return
        try:
            items = json.loads(report.read_text("utf-8"))["install"]
            chosen = [(item["metadata"]["name"], item["metadata"]["version"]) for item in items]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DoctorError(f"pip's report of its dry run cannot be read: {error}") from error
        yield from ((canonicalize_name(name), version) for name, version in chosen)

    @contextmanager
    def _commands(
        self, wanted: PackageStep
    ) -> Iterator[tuple[tuple[Command, ...], dict[str, str], Path]]:
        with tempfile.TemporaryDirectory(prefix="legacy-doctor-") as folder:
            file = Path(folder, CONSTRAINTS)
            file.write_text("".join(f"{line}\n" for line in wanted.constraints), "utf-8")
            chosen = commands(wanted, self.installer, constraints=file, options=self.options)
            yield chosen, self._unbound(), Path(folder, "report.json")

    def _unbound(self) -> dict[str, str]:
        """Return the variables without the pins of an earlier fix: new ones take their place."""
        environ = dict(self.environ)
        ours = reference(self.journal.prefix / CONSTRAINTS)
        if environ.get("UV_CONSTRAINT") == ours:
            del environ["UV_CONSTRAINT"]
        if self.installer.name == "pip" and os.path.lexists(self.journal.prefix / CONSTRAINTS):
            text = environ.get("PIP_CONSTRAINT", "").split()
            force = text or self.installer.configured(environ)
            if ours in force:
                rest = [place for place in force if place != ours]
                environ["PIP_CONSTRAINT"] = " ".join(rest) or os.devnull
        return environ

    def apply(self, wanted: PackageStep, *, command: str = "fix", extra: Any = None) -> Run:
        """Carry a step out, or leave every file as it was and raise.

        Resolves first. Raises `InstallerError`, `DiskError`, `DoctorError`, or what interrupted
        it. `extra` is remembered beside the package set. Needs the lock of the journal only for
        itself: it takes it.
        """
        with self.journal.lock(command=command):
            self.resolve(wanted)
            remembered = {"packages": state(self.reread()), "step": memory(wanted), "more": extra}
            run = self.journal.begin(Plan(()), command=command, extra=remembered)
            with self._restored_on_failure(run) as tree:
                self._install(run, wanted)
                self._verify(wanted)
                tree.finish()
            run.apply()
        return run

    def undo(self, number: int, *, command: str = "undo") -> Run:
        """Put back the files of a package step, byte for byte; that is a run, and undoable.

        Raises `DriftedError`, and changes nothing, where files are no longer as the step left
        them; `UnknownNameError` or `DoctorError` where the run cannot be undone.
        """
        with self.journal.lock(command=command):
            self.journal.inverse(number)
            folder = Shelf(self.journal.prefix).load(number).folder
            if not is_step(folder):
                raise DoctorError(f"run {number} changed no packages; undo its files")
            old = Tree.load(folder / TREE, self.journal.prefix)
            drifted = old.drifted()
            if drifted:
                names = ", ".join(map(str, drifted[:5]))
                more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
                raise DriftedError(
                    f"changed since run {number}, so nothing was done: {names}{more}", drifted
                )
            remembered = {"packages": state(self.reread()), "step": None, "more": None}
            run = self.journal.begin(Plan(()), command=command, extra=remembered, undoes=number)
            with self._restored_on_failure(run) as tree:
                _refuse_lost(old.revert())
                tree.finish()
            run.apply()
        return run

    @contextmanager
    def _restored_on_failure(self, run: Run) -> Iterator[Tree]:
        """Take the snapshot; when the block fails, go back to it and forget the run."""
        scope = Scope.of(self.journal.prefix, self.interpreter.site_packages)
        try:
            tree = Tree.begin(run.folder / TREE, scope)
        except BaseException:
            run.give_up()
            raise
        try:
            yield tree
        except BaseException as error:
            said = _taken_back(run, tree)
            if isinstance(error, DoctorError):
                raise _with(error, said) from error
            raise

    def _install(self, run: Run, wanted: PackageStep) -> None:
        with _working(run) as descriptor, self._commands(wanted) as (chosen, environ, _):
            for item in chosen:
                self.installer.run(
                    item.words, environ=environ, watch=self.watch, hold=(descriptor,)
                )

    def _verify(self, wanted: PackageStep) -> None:
        """Compare what is installed with what was asked for, whatever the installer says."""
        found = {item.name: item.version for item in self.reread()}
        wrong = [name for name in away(wanted) if name in found]
        problems = [f"{name} is still installed" for name in wrong]
        for text in (*wanted.install, *wanted.alone):
            requirement = Requirement(text)
            version = found.get(canonicalize_name(requirement.name))
            if version is None:
                problems.append(f"{text} is not installed")
            elif not requirement.url and not requirement.specifier.contains(
                version, prereleases=True
            ):
                problems.append(f"{requirement.name} is {version}, not {requirement.specifier}")
        if problems:
            raise DoctorError(f"{self.installer.name} ended well, but {'; '.join(problems)}")

    def complaints(self) -> tuple[str, ...]:
        """Return what the installer itself finds unmet among all that is installed; for display."""
        try:
            self.installer.run(self.installer.check(), environ=self.environ)
        except InstallerError as error:
            said = error.said.splitlines()
            return tuple(line.strip() for line in said if re.search(r" (has|requires) ", line))
        return ()


def _taken_back(run: Run, tree: Tree) -> str:
    """Go back to the snapshot, forget the run, and say so."""
    try:
        restored = tree.restore()
        tree.discard()
        run.give_up()
    except DoctorError as error:
        return (
            f"putting the environment back failed too ({error}); nothing is lost: the next "
            "command goes on with it"
        )
    return _told(restored) or "nothing was changed"


def _told(restored: Restored) -> str:
    parts = []
    if restored.lost:
        names = ", ".join(map(str, restored.lost))
        parts.append(f"put back, but for what was written in place: reinstall what owns {names}")
    if restored.left:
        names = ", ".join(map(str, restored.left))
        parts.append(f"left alone, for it may be yours: {names}")
    return "; ".join(parts)


def _with(error: DoctorError, said: str) -> DoctorError:
    text = f"{error}; {said}"
    if isinstance(error, InstallerError):
        return InstallerError(text, error.command, error.said)
    return DoctorError(text)


def _refuse_lost(lost: Sequence[Path]) -> None:
    if lost:
        raise DoctorError(
            f"{', '.join(map(str, lost))}: written in place by the installer, so what was there is "
            "not kept; reinstall what owns it, then undo again"
        )


@contextmanager
def _working(run: Run) -> Iterator[int]:
    """Lock the run for as long as anybody lives who was given the descriptor."""
    path = run.folder / _WORKING
    disk.create(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
        disk.discard(path)


def is_step(folder: Path) -> bool:
    """Whether a run, given by its folder, is one of packages."""
    return os.path.lexists(folder / TREE)


def recover(journal: Journal, *, wait: bool = False) -> tuple[str, ...]:
    """Bring interrupted runs to an end, those of packages and all others; a sentence each.

    Raises `LockedError` where the installer that such a run started is still at work (with
    `wait`: waits for it), or the run itself is.
    """
    shelf = Shelf(journal.prefix)
    said: list[str] = []
    if any(is_step(shelf.load(number).folder) for number in shelf.unfinished()):
        with journal.lock(command="recover", wait=wait):
            runs = [shelf.load(number) for number in shelf.unfinished()]
            said = [_recover(run, journal.prefix, wait=wait) for run in runs if is_step(run.folder)]
    return (*said, *journal.recover())


def _recover(run: Run, prefix: Path, *, wait: bool) -> str:
    tree = Tree.load(run.folder / TREE, prefix)
    if tree.state == "done":
        tree.prune()
        disk.discard(run.folder / _WORKING)
        run.apply()
        return f"{run.title} was interrupted when its packages were changed: it was finished"
    told = ""
    if tree.state == "taken":
        _await_installer(run, prefix, wait=wait)
        told = _told(tree.restore(strangers=False))
    tree.discard()
    run.give_up()
    rest = f"; {told}" if told else ""
    return f"{run.title} was interrupted while it changed packages: it was taken back{rest}"


def _await_installer(run: Run, prefix: Path, *, wait: bool) -> None:
    try:
        descriptor = os.open(run.folder / _WORKING, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise LockedError(
            f"{prefix}: the installer that {run.title} started is still at work; let it finish, "
            "then try again"
        ) from None
    finally:
        os.close(descriptor)
