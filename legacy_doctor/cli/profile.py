"""`legacy-doctor profile`: what is known about the projects that people really run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from packaging.utils import canonicalize_name

from legacy_doctor import __version__
from legacy_doctor.cli import binaries, config, examination, options, output, profiling
from legacy_doctor.diagnosis import native, projects, recognition
from legacy_doctor.environment import requirements
from legacy_doctor.errors import DoctorError, TargetError
from legacy_doctor.knowledge import catalogue, document, profiles
from legacy_doctor.model import Cpu, Profile, Sighting
from legacy_doctor.report import json
from legacy_doctor.report import profiles as told

_ASKING = (
    *("pyproject.toml", "requirements*.txt", "requirements/*.txt", "*.lock"),
    *("pylock*.toml", "environment.yml", "environment.yaml"),
)
"""Where a checkout says what it needs."""
NATIVE = "whisper-cpp"
"""The profile that `binary` judges by."""


@click.group("profile")
def command() -> None:
    """List, show and recognise the profiles of projects; look at a native program."""


@command.command("list")
@options.output_options
def list_command(form: str, destination: Path | None, *, color: bool | None) -> int:
    """List the profiles, and whether the project runs in each of four tiers of CPUs."""
    runs = profiles.runs()
    found = [projects.recorded(item, runs) for item in profiles.every()]
    if form == "json":
        body = {"profiles": [told.header(item) for item in found]}
        output.write(json.dump("profile-list", __version__, body), destination)
    else:
        output.show(lambda page: told.overview(found, page), destination, color=color)
    return 0


@command.command("show")
@click.argument("name", metavar="NAME")
@options.python_option
@options.cpu_option
@options.output_options
def show_command(  # noqa: PLR0913  one parameter an option, as click has it
    name: str,
    python: str | None,
    cpu_name: str | None,
    form: str,
    destination: Path | None,
    *,
    color: bool | None,
) -> int:
    """Show all that a profile says, for this CPU or a named one."""
    profile = profiles.find(name)
    settings = config.find(Path.cwd())
    patient = examination.examine(python, cpu_name or settings.target_cpu)
    knowledge = catalogue.choose(settings.pinsets, settings.pinset_paths)
    value, _ = profiling.outlook(profile, patient, knowledge)
    if value is None:
        raise AssertionError(name)
    runs = tuple(run for run in profiles.runs() if run.profile == profile.id)
    value = replace(value, profile=projects.recorded(profile, runs))
    build = _build(profile, patient.cpu)
    if form == "json":
        body = told.body(value, runs, build)
        output.write(json.dump("profile-show", __version__, body), destination)
    else:
        output.show(lambda page: told.lines(value, runs, build, page), destination, color=color)
    return 0


def _build(profile: Profile, cpu: Cpu) -> tuple[str, ...]:
    return native.built_for(profile.native, cpu) if profile.native else ()


@command.command("detect")
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@options.python_option
@options.output_options
def detect_command(
    folders: tuple[Path, ...],
    python: str | None,
    form: str,
    destination: Path | None,
    *,
    color: bool | None,
) -> int:
    """Tell which profiles match an environment, or the checkouts in FOLDERs."""
    known = profiles.every()
    if folders:
        found = [(str(folder), item) for folder in folders for item in _checkout(known, folder)]
    else:
        found = _environment(known, python)
    found.sort(key=lambda pair: (not pair[1].certain, pair[0]))
    if form == "json":
        body: dict[str, Any] = {
            "matches": [{"place": place, **item._asdict()} for place, item in found]
        }
        output.write(json.dump("profile-detect", __version__, body), destination)
    else:
        output.show(lambda page: told.sightings(found, page), destination, color=color)
    return 0


def _environment(known: tuple[Profile, ...], python: str | None) -> list[tuple[str, Sighting]]:
    patient = examination.examine(python, None)
    names = {item.name for item in patient.distributions}
    place = str(patient.interpreter.prefix)
    return [(place, item) for item in recognition.installed(known, names)]


def _checkout(known: tuple[Profile, ...], folder: Path) -> Iterator[Sighting]:
    if not folder.is_dir():
        raise TargetError(f"{folder}: no folder")
    names: set[str] = set()
    for pattern in _ASKING:
        for file in sorted(folder.glob(pattern)):
            names |= _asked(file)

    def there(mark: str) -> bool:
        return (folder / mark).is_file()

    yield from recognition.asked(known, _own_name(folder / "pyproject.toml"), names, there)


def _asked(file: Path) -> set[str]:
    """Return what a file asks for; a file that nobody can read is told and passed over."""
    try:
        return {item.name for item in requirements.read(file).requirements}
    except DoctorError as error:
        click.echo(f"warning: {error}", err=True)
        return set()


def _own_name(file: Path) -> str:
    """Return the name in a project's metadata, normalized; empty where it says none."""
    try:
        project = document.parse(file.read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError, RecursionError):
        return ""
    name = project.get("name") if isinstance(project, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else ""


@command.command("binary")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@options.cpu_option
@options.output_options
def binary_command(
    path: Path, cpu_name: str | None, form: str, destination: Path | None, *, color: bool | None
) -> int:
    """Tell whether a whisper.cpp program, or build folder, runs on this CPU or a named one.

    What it declares, what its build was switched to, what it says of itself, and what comes of
    starting it in the sandbox (for a named CPU under qemu-user). Exits with 1 where any of them
    asks for what the CPU lacks. Whatever it is, the commands that build it for the CPU follow.
    """
    profile = profiles.find(NATIVE)
    if profile.native is None:
        raise DoctorError(f"the profile {NATIVE} does not say how it is built")
    settings = config.find(Path.cwd())
    check = binaries.examine(profile, profile.native, path, cpu_name or settings.target_cpu)
    if form == "json":
        body = told.native_body(check)
        output.write(json.dump("profile-binary", __version__, body), destination)
    else:
        output.show(lambda page: told.native(check, page), destination, color=color)
    return 0 if check.runs else 1
