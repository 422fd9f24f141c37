"""`legacy-doctor hook`: put the start-up hook in, take it out, tell how it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from legacy_doctor import __version__
from legacy_doctor.cli import (
    check,
    condition,
    config,
    examination,
    options,
    output,
    probing,
    treated,
)
from legacy_doctor.cli.arming import Arming, Wish
from legacy_doctor.cli.hooked import Hooking
from legacy_doctor.cli.ward import Ward
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Armed
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import HookReport, Patient
from legacy_doctor.report import hook as told
from legacy_doctor.report import json
from legacy_doctor.report.text import counted
from legacy_doctor.treatment import application
from legacy_doctor.treatment.installer import Options

_PROBING: Final = ("wanted", "use_cache", "slots", "seconds")


@click.group("hook", no_args_is_help=False)
def command() -> None:
    """Turn a dying interpreter into a clear ImportError, in every process of an environment.

    The hook is a few small files in site-packages. When a package is imported that would kill the
    process on this CPU, ImportError is raised in its place, with the reason and the remedy.
    """


@command.command("install")
@options.target_options
@options.arming_options
@click.option(
    "--via",
    type=click.Choice([Via.PTH.value, Via.SITECUSTOMIZE.value]),
    default=Via.PTH.value,
    show_default=True,
    help="How Python finds it; sitecustomize is for trees whose .pth files are not read.",
)
@click.option(
    "--skip", multiple=True, metavar="NAME", help="Leave out guard:NAME, shim:NAME or just NAME."
)
@click.option("--diff", "shown", is_flag=True, help="Show what would be written and write nothing.")
@click.option(
    "--allow-world-writable",
    "exposed",
    is_flag=True,
    help="Also into a folder in which every user may write.",
)
@click.option(
    "--break-system-packages",
    is_flag=True,
    help="Treat an interpreter that its system manages.",
)
@options.probing_options
def install_command(  # noqa: PLR0913  one parameter an option, as click has it
    python: str | None,
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    via: str,
    *,
    shown: bool,
    exposed: bool,
    break_system_packages: bool,
    **words: Any,
) -> int:
    """Install the hook, armed for this CPU or a named one; nothing happens where it is there.

    It guards what the pin-sets and the probes know to die on import, now or once installed, and
    arms the recommended patches that act at import time. Journaled: `legacy-doctor undo` takes it
    back. It is tried before the command ends, and taken out again should Python not start as
    before.
    """
    settings = config.find(Path.cwd())
    name = cpu_name or settings.target_cpu
    patient = examination.examine(python, name)
    ward = _ward(patient, Options(break_system_packages=break_system_packages))
    knowledge = catalogue.choose(
        pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
    )
    wish = probing.wish(settings, name, **{key: words[key] for key in _PROBING})
    if not shown:
        ward.socket.refuse(exposed=exposed, options=ward.options)
        for remark in ward.recover():
            click.echo(remark, err=True)
    report = check.diagnosed(patient, knowledge, settings.ignores, wish, "error")
    armed = Arming(patient=patient, knowledge=knowledge, report=report).armed(
        Wish(shims=words["shims"], checkpoints=words["checkpoints"], skip=words["skip"])
    )
    if not (armed.guards or armed.shims):
        return _nothing(ward, armed)
    return _install(ward, patient, armed, ward.socket.plan(armed, Via(via)), shown=shown)


def _ward(patient: Patient, choice: Options) -> Ward:
    return Ward(interpreter=patient.interpreter, options=choice, known=patient.distributions)


def _nothing(ward: Ward, armed: Armed) -> int:
    prefix = ward.interpreter.prefix
    stays = ""
    if ward.socket.read() is not None:
        stays = "; the hook that is there stays (legacy-doctor hook remove takes it out)"
    click.echo(
        f"{prefix}: nothing to arm: no package is known that dies on {armed.cpu}{stays}\n"
        "(to prepare for another machine: --cpu NAME, see legacy-doctor cpu --list)"
    )
    return 0


def _install(ward: Ward, patient: Patient, armed: Armed, hooking: Hooking, *, shown: bool) -> int:
    prefix = ward.interpreter.prefix
    if shown:
        text = [step for step in hooking.steps if step.path.suffix != ".pyc"]
        output.write(application.diff(text, prefix), None)
        return 0
    number = ward.hook(hooking, "hook install")
    if number is None:
        click.echo(f"{prefix}: nothing to do, the hook is there and armed like this already")
        return 0
    value = HookReport(
        interpreter=patient.interpreter,
        cpu=patient.cpu,
        rules=tuple(condition.rules(armed, patient)),
    )
    count = len(hooking.steps)
    output.show(lambda page: told.installed(value, page, number, count), None, color=None)
    return 0


@command.command("remove")
@options.python_option
@click.option("--diff", "shown", is_flag=True, help="Show what would go and take nothing out.")
def remove_command(python: str | None, *, shown: bool) -> int:
    """Take the hook out, damaged or not; nothing happens where there is none."""
    from legacy_doctor.hook import install
    from legacy_doctor.treatment import installer

    ward = treated.ward(python)
    prefix = ward.interpreter.prefix
    steps = install.removal(ward.socket.folder)
    if shown:
        text = [step for step in steps if step.path.suffix != ".pyc"]
        output.write(application.diff(text, prefix), None)
        return 0
    # Who put it there may take it away: a marked or a shared interpreter is no reason to keep it.
    installer.refuse(ward.interpreter, options=Options(break_system_packages=True))
    for remark in ward.recover():
        click.echo(remark, err=True)
    number = ward.unhook("hook remove")
    if number is None:
        click.echo(f"{prefix}: nothing to do, no start-up hook is there")
        return 0
    click.echo(
        f"{prefix}: the start-up hook is gone, {counted(len(steps), 'file')} changed, journaled "
        f"as run {number} (legacy-doctor undo {number})"
    )
    return 0


@command.command("status")
@options.target_options
@click.option("--live", is_flag=True, help="Start Python and ask whether the hook is armed.")
@options.output_options
def status_command(  # noqa: PLR0913  one parameter an option, as click has it
    python: str | None,
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    form: str,
    destination: Path | None,
    *,
    live: bool,
    color: bool | None,
) -> int:
    """Tell what is installed, what it stops on this CPU, and whether it is up to date.

    Exits with 1 where the hook does not work, or something has changed since it was made.
    """
    settings = config.find(Path.cwd())
    knowledge = catalogue.choose(
        pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
    )
    value = condition.examine(python, cpu_name, settings, knowledge, live=live)
    if form == "json":
        output.write(json.dump("hook-status", __version__, json.hook(value)), destination)
    else:
        output.show(lambda page: told.status(value, page), destination, color=color)
    return 1 if value.problems or value.stale else 0
