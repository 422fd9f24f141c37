"""`legacy-doctor tune`: threads and variables for computing on the CPU, each with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from legacy_doctor import __version__
from legacy_doctor.cli import examination, options, output, watching
from legacy_doctor.cpu import topology as topologies
from legacy_doctor.environment import distributions, interpreter
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import tuning
from legacy_doctor.knowledge.tuning import Guide, Weights
from legacy_doctor.model import (
    Choice,
    Cpu,
    EnvFile,
    Measurement,
    Remark,
    Severity,
    Topology,
    Tuning,
    Work,
)
from legacy_doctor.report import json
from legacy_doctor.report import tuning as told
from legacy_doctor.treatment import application, files
from legacy_doctor.treatment.steps import FileStep
from legacy_doctor.tune import advice, envfile, settings, trial

_ROUNDS: Final = 5
_FORMATS: Final = ("text", "json", "env", "shell", "html")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    profile: str
    python: str | None
    cpu_name: str | None
    root: Path | None
    model: str | None
    production: bool
    measured: bool
    rounds: int
    file: Path | None
    shown_only: bool

    def check(self) -> None:
        """Refuse what cannot be had together."""
        elsewhere = "--cpu" if self.cpu_name else "--root" if self.root else ""
        if self.measured and elsewhere:
            raise click.UsageError(f"--measure times this machine: it does not go with {elsewhere}")
        if self.shown_only and self.file is None:
            raise click.UsageError("--diff shows what --write FILE would change: name the file")


@click.command("tune")
@click.option(
    "--profile",
    default=tuning.GENERAL,
    metavar="NAME",
    help="What is to be run: qwen3-tts, or general for any program.  [default: general]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="How to write the report; env and shell hold the variables alone, html is one page.",
)
@click.option(
    "-o",
    "--output",
    "destination",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report to FILE instead of stdout.",
)
@click.option(
    "--color/--no-color", "color", default=None, help="Override NO_COLOR and FORCE_COLOR."
)
@click.option(
    "--write",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Put the variables into FILE (a .env), show the diff, and keep all else in it.",
)
@click.option(
    "--diff", "shown_only", is_flag=True, help="With --write: show the diff, write nothing."
)
@click.option(
    "--measure",
    "measured",
    is_flag=True,
    help="Time a small load with several numbers of threads, and take what is really faster.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=3),
    default=_ROUNDS,
    show_default=True,
    metavar="N",
    help="How often --measure times each of them.",
)
@click.option("--model", metavar="NAME", help="A model of the profile instead of the advised one.")
@click.option(
    "--preset",
    type=click.Choice(["production", "development"]),
    default="production",
    show_default=True,
    help="Warm up at the start, or start at once.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Read /sys and /proc below DIR: the recording of another machine.",
)
@options.python_option
@options.cpu_option
def command(
    form: str, destination: Path | None, *, color: bool | None, preset: str, **words: object
) -> int:
    """Say how many threads to use on this machine, and set up a CPU-only program for it.

    Cores, P- and E-cores, SMT, NUMA, the cgroup's quota, affinity and memory decide; each setting
    comes with its reason, and what the CPU cannot use is named. Exits with 1 where a variable
    that is set, or the memory, cannot work.
    """
    wish = Wish(production=preset == "production", **words)  # type: ignore[arg-type]
    wish.check()
    try:
        value = consult(wish)
    except trial.Died:
        click.echo(
            "error: nothing was measured: the load died. Run `legacy-doctor check` to learn what "
            "does not run on this CPU, and `legacy-doctor fix` to cure it",
            err=True,
        )
        return 1
    _show(value, form, destination, color=color)
    return 1 if value.failed else 0


def consult(wish: Wish) -> Tuning:
    """Work out the settings, measure and write what is asked for."""
    guides = _guides(wish.profile)
    guide = guides[0]
    cpu = examination.cpu_called(wish.cpu_name)
    topology = topologies.read(wish.root) if wish.root else topologies.here()
    weights = settings.model(guide, wish.model)
    choices = advice.choices(topology, guide.work)
    measurement = _measured(wish, choices, topology, cpu) if wish.measured else None
    if measurement is not None:
        choices = trial.measured(measurement, choices)
    engines = _by_work(topology, choices, guide.work, measurement)
    advised = [
        item
        for each in guides
        for item in settings.variables(
            each, choices[0], weights=weights, production=wish.production
        )
    ]
    calls = settings.calls(guide, engines, guide.work)
    values = {item.name: item.value for item in advised if item.value is not None}
    file, text = _written(wish, values, guide)
    return Tuning(
        cpu=cpu,
        what_if=cpu.source.startswith("model:"),
        topology=topology,
        profile=guide.id,
        title=guide.title,
        work=guide.work,
        choices=choices,
        settings=(*advised, *settings.pinning(choices[0]), *calls),
        remarks=tuple(_remarks(wish, guides, cpu, topology, weights, text)),
        starts=guide.starts,
        measurement=measurement,
        env_file=file,
    )


def _remarks(  # noqa: PLR0913  all that there is something to say of
    wish: Wish,
    guides: tuple[Guide, ...],
    cpu: Cpu,
    topology: Topology,
    weights: Weights | None,
    text: str,
) -> Iterator[Remark]:
    """Yield what there is to know; `text` is what the file holds now."""
    yield from settings.machine(topology, weights, measured=wish.measured)
    yield from settings.judged(guides, dict(os.environ), cpu, "the environment")
    yield from settings.judged(guides, envfile.values(text), cpu, str(wish.file))
    yield from watching.remarks(guides, wish.python, wish.cpu_name)
    yield from settings.limits(guides, cpu)
    yield from settings.chances(cpu)
    if wish.root is not None and wish.cpu_name is None:
        text = "what it can do is told of this machine; name the recorded one's with --cpu"
        yield Remark(severity=Severity.INFO, subject="cpu", text=text)
    yield from settings.others(guides[0], topology, weights)
    yield from settings.corrections(guides)


def _guides(profile: str) -> tuple[Guide, ...]:
    """Return the guide of the profile, and the general one behind it."""
    general = tuning.find(tuning.GENERAL)
    return (general,) if profile == tuning.GENERAL else (tuning.find(profile), general)


def _measured(wish: Wish, choices: Sequence[Choice], topology: Topology, cpu: Cpu) -> Measurement:
    from legacy_doctor.cli import measuring

    executable, why = interpreter.choose(wish.python, os.environ, Path.cwd())
    target = interpreter.examine(executable, why)
    installed = distributions.read(target.site_packages).distributions
    return measuring.measure(target, installed, choices, topology, cpu, wish.rounds)


def _by_work(
    topology: Topology, choices: Sequence[Choice], work: Work, measurement: Measurement | None
) -> dict[Work, Choice]:
    """Return the choice for each kind of work; what was measured holds for all of them."""
    if measurement is not None and measurement.kept:
        return dict.fromkeys(Work, choices[0])
    return {each: advice.choices(topology, each)[0] for each in Work} | {work: choices[0]}


def _written(wish: Wish, values: dict[str, str], guide: Guide) -> tuple[EnvFile | None, str]:
    """Edit the file, or plan it; return that, and the text that the file has afterwards."""
    if wish.file is None:
        return None, ""
    path = _resolved(wish.file)
    before, content = files.read(path)
    old = _text(content)
    edit = envfile.edit(old, values, f"--profile {guide.id}")
    step = FileStep(path, before, _bytes(edit.text), None, "tune")
    changes = edit.text != old
    diff = application.diff([step], path.parent) if changes else ""
    written = changes and not wish.shown_only
    if written:
        files.apply(step)
    file = EnvFile(path=wish.file, diff=diff, written=written, changed=edit.changed)
    return file, edit.text if written or not changes else old


def _resolved(path: Path) -> Path:
    """Follow a link to the file it means: it stays a link."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # Python before 3.13, for a link in a circle
        resolved = path
    if resolved.is_symlink():
        raise DoctorError(f"{path}: the link leads to itself; remove it first")
    if not resolved.parent.is_dir():
        raise DoctorError(f"{path}: the folder {resolved.parent} is not there; make it first")
    return resolved


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _show(value: Tuning, form: str, destination: Path | None, *, color: bool | None) -> None:
    if form == "text":
        output.show(lambda page: told.lines(value, page), destination, color=color)
        return
    writers: dict[str, Callable[[], str]] = {
        "json": lambda: json.dump("tune", __version__, json.tuning(value)),
        "env": lambda: told.env(value),
        "shell": lambda: told.shell(value),
        "html": lambda: _page(value),
    }
    output.write(writers[form](), destination)
    if form not in {"json", "html"}:
        _aside(value)


def _page(value: Tuning) -> str:
    from legacy_doctor.report import advised  # no screen needs what pages are made of

    return advised.page(value, __version__)


def _aside(value: Tuning) -> None:
    """Tell on stderr what a file of variables has no room for."""
    file = value.env_file
    if file is not None and file.diff:
        click.echo(file.diff, err=True, nl=False)
    for name, old, new in file.changed if file is not None else ():
        click.echo(f"note: {name} was set to {old!r}, now {new!r}", err=True)
    for item in value.remarks:
        if item.severity is not Severity.INFO:
            click.echo(f"{item.severity.value}: {item.subject}: {item.text}", err=True)
