"""`legacy-doctor run`: any command, here or on an emulated CPU, with a report when it dies."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from legacy_doctor import __version__
from legacy_doctor.cli import examination, options, output, probing
from legacy_doctor.cli.arming import Wish
from legacy_doctor.cli.escort import Charge, escorted
from legacy_doctor.diagnosis import words as said_in
from legacy_doctor.environment import distributions, interpreter, launch
from legacy_doctor.environment.ownership import Owners
from legacy_doctor.errors import DoctorError, TargetError
from legacy_doctor.model import Cpu, Interpreter, Probe, ProbeResult
from legacy_doctor.probe import emulator, sandbox, session
from legacy_doctor.report import json, layout
from legacy_doctor.report import probes as told

_SCRUBBED: Final = ("OPENBLAS_", "MKL_")
"""What chooses kernels for the CPU that this machine has, not for the emulated one."""


@click.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@options.cpu_option
@click.option(
    "--report",
    "destination",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="When the command dies, write the fault to FILE as JSON too.",
)
@click.option(
    "--arm/--no-arm",
    "insisted",
    default=None,
    help="Arm the start-up hook for this command: what would kill it raises ImportError. "
    "[default: on this CPU yes, on an emulated one no, to see it die]",
)
@options.arming_options
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(  # noqa: PLR0913  one parameter an option, as click has it
    words: tuple[str, ...],
    cpu_name: str | None,
    destination: Path | None,
    shims: tuple[str, ...],
    checkpoints: tuple[str, ...],
    *,
    insisted: bool | None,
) -> int:
    """Run COMMAND, on this CPU or an emulated one, and report the fault when it dies of a signal.

    A Python program is armed for this once with what `hook install` would install: an import that
    would kill it raises ImportError, with the remedy. Python programs (`python app.py`, `pytest`,
    every command of a virtual environment) die with instruction, feature, library and package
    named; other programs with their signal. Nothing is sandboxed, and what COMMAND starts in its
    turn runs on the real CPU. Exits with COMMAND's own status, and with 1 where a signal ended it.
    """
    cpu = examination.cpu_called(cpu_name)
    player = _player(cpu_name)
    program = launch.read(words)
    wish = Wish(shims=shims, checkpoints=checkpoints)
    asked = wish != Wish()
    if insisted is False and asked:
        raise click.UsageError(
            "--no-arm leaves nothing that --shim or --load-file could be part of"
        )
    charge = None
    if insisted or asked or (insisted is None and player is None):
        charge = Charge(program, cpu_name, wish, bool(insisted or asked))
    with escorted(charge, _environment(player)) as environ:
        ended = _attended(words, program, player, environ)
    if ended.status >= 0:
        return ended.status
    if ended.stopped == "interrupted" and ended.status == -signal.SIGINT:
        raise KeyboardInterrupt
    result = death(
        Path(words[0]).name, ended, _examined(program), cpu, player.label if player else ""
    )
    if destination is not None:
        body = json.run_report(cpu, list(words), result)
        output.write(json.dump("run", __version__, body), destination)
    return 1


def death(
    name: str, ended: sandbox.Run, target: Interpreter | None, cpu: Cpu, emulated: str = ""
) -> ProbeResult:
    """Judge a command that died, tell it on stderr, and return the result."""
    installed = distributions.read(target.site_packages).distributions if target else ()
    probe = Probe(id=name, distribution=name, imports="")
    result = session.judged(probe, ended, Owners(installed), emulated)
    _tell(result, target.site_packages if target else (), cpu)
    return result


def _player(cpu_name: str | None) -> emulator.Emulator | None:
    named = cpu_name is not None and cpu_name.lower() not in examination.HERE
    try:
        return probing.player(cpu_name if named else None)
    except emulator.Unplayable as error:
        raise DoctorError(f"nothing was run: {error}") from error


def _attended(
    words: Sequence[str],
    program: launch.Launch | None,
    player: emulator.Emulator | None,
    environ: Mapping[str, str],
) -> sandbox.Run:
    def command_line(descriptor: int) -> list[str]:
        line = list(words)
        if program is not None:
            recorder = [str(session.RECORDER), str(descriptor), "run"]
            line = [program.interpreter, *program.options, *recorder, *program.program]
        path = shutil.which(line[0])
        if path is None:
            raise TargetError(f"{line[0]}: no such command")
        return player.command([path, *line[1:]]) if player else line

    try:
        return sandbox.attend(command_line, environ, settled=session.settled)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TargetError(f"{words[0]}: cannot be started ({reason})") from error


def _environment(player: emulator.Emulator | None) -> dict[str, str]:
    env = dict(os.environ)
    for name in [name for name in env if player and name.startswith(_SCRUBBED)]:
        click.echo(f"note: {name} is unset for the emulated CPU", err=True)
        del env[name]
    return env


def _examined(program: launch.Launch | None) -> Interpreter | None:
    """Look at the program's own environment, only now that it has died."""
    path = shutil.which(program.interpreter) if program else None
    if path is None:
        return None
    try:
        return interpreter.examine(Path(os.path.abspath(path)), "COMMAND")
    except DoctorError:
        return None


def _tell(result: ProbeResult, folders: Sequence[Path], cpu: Cpu) -> None:
    """Put the fault on stderr: stdout belongs to the command."""
    said = said_in.sentence(result, "", cpu=cpu, yours=True)
    page = layout.Page(unicode=output.speaks_unicode(sys.stderr))
    click.echo(layout.plain(told.death(result, said, folders, page)), err=True, nl=False)
