"""A hook for one command: in a folder of its own on PYTHONPATH, and gone when it has ended."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import click

from legacy_doctor.cli import check, config, examination, probing
from legacy_doctor.cli.arming import Arming, Wish
from legacy_doctor.cli.hooked import Socket
from legacy_doctor.environment import launch
from legacy_doctor.errors import DoctorError, TargetError
from legacy_doctor.hook import generate
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Armed
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Interpreter

_DEAF: Final = frozenset("IES")
"""Options of Python under which PYTHONPATH or sitecustomize is not looked at."""


class Charge(NamedTuple):
    """The command that is to be armed, and how much the user insists on it."""

    program: launch.Launch | None
    cpu_name: str | None
    wish: Wish
    insisted: bool


@contextmanager
def escorted(charge: Charge | None, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment for the command, with a hook on its path where one has work to do.

    Raises `DoctorError` where the user insists and it cannot be armed; else that is told on
    stderr, and the command runs as it is. Nothing is left behind.
    """
    folder = None
    try:
        files = None if charge is None else _files(charge)
        if files is None:
            yield dict(environ)
            return
        folder = Path(tempfile.mkdtemp(prefix="legacy-doctor-hook-"))
        for name, content in files.items():
            (folder / name).write_bytes(content)
        path = os.pathsep.join(filter(None, (str(folder), environ.get("PYTHONPATH"))))
        yield {**environ, "PYTHONPATH": path}
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _files(charge: Charge) -> dict[str, bytes] | None:
    """Return the files of the hook; None where there is nothing to arm."""
    try:
        if charge.program is None:
            raise TargetError("the command is no Python program")
        arming = _arming(charge, charge.program)
        armed = arming.armed(charge.wish) if arming is not None else None
        if arming is None or armed is None or not (armed.guards or armed.shims):
            return None
        interpreter = arming.patient.interpreter
        if _is_there(interpreter, armed, charge.wish):
            return None
        _refuse_deaf(charge.program)
        return generate.files(armed, interpreter.version[:2], Via.PATH)
    except DoctorError as error:
        if charge.insisted:
            raise DoctorError(f"nothing was run, because it cannot be armed: {error}") from error
        if charge.program is not None:
            click.echo(f"note: runs without the hook: {error}", err=True)
        return None


def _arming(charge: Charge, program: launch.Launch) -> Arming | None:
    """Judge by the rules alone: what is to be run now waits for no probe.

    None where no pin-set speaks of such a CPU, and nothing is asked for by name.
    """
    settings = config.find(Path.cwd())
    knowledge = catalogue.choose(settings.pinsets, settings.pinset_paths)
    name = charge.cpu_name
    cpu = examination.cpu_called(name)
    if charge.wish == Wish() and not any(item.applies(cpu) for item in knowledge.pinsets):
        return None
    path = shutil.which(program.interpreter)
    if path is None:
        raise TargetError(f"{program.interpreter}: no such command")
    patient = examination.examine(os.path.abspath(path), name)
    wish = probing.Wish(wanted="none", cpu_name=name)
    report = check.diagnosed(patient, knowledge, settings.ignores, wish, "error")
    return Arming(patient=patient, knowledge=knowledge, report=report)


def _is_there(interpreter: Interpreter, armed: Armed, wish: Wish) -> bool:
    """Whether a hook is installed, which comes first; raises where it lacks what is asked for."""
    try:
        there = Socket(interpreter=interpreter).read()
    except TargetError:
        return False
    if there is None:
        return False
    if wish != Wish() and (there.armed is None or not there.armed.covers(armed)):
        raise TargetError(
            f"{interpreter.prefix}: a hook is installed there, and comes first; arm that one "
            "(legacy-doctor hook install, with the same options), or remove it"
        )
    return True


def _refuse_deaf(program: launch.Launch) -> None:
    letters = {
        letter
        for word in program.options
        if word.startswith("-") and not word.startswith("--")
        for letter in word[1:]
    }
    if letters & _DEAF:
        raise TargetError(
            f"{' '.join(program.options)} keeps Python from reading PYTHONPATH or from running "
            "sitecustomize; install the hook (legacy-doctor hook install) or leave the option out"
        )
