"""`legacy-doctor pins`: what to keep out on a CPU, before anything is installed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from legacy_doctor.cli import config, examination, options, output, profiling
from legacy_doctor.knowledge import catalogue
from legacy_doctor.treatment import pins


@click.command("pins")
@options.cpu_option
@options.pinset_options
@profiling.option
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(pins.Format)),
    default="constraints",
    show_default=True,
    help="For which installer.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Forbid what no version of is known to run, instead of a comment about it.",
)
@click.option(
    "-o",
    "--output",
    "destination",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to FILE instead of stdout.",
)
def command(  # noqa: PLR0913  one parameter an option, as click has it
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    profile_name: str | None,
    form: str,
    destination: Path | None,
    *,
    strict: bool,
) -> int:
    """Print what to keep out on this CPU, or a named one.

    \b
    pip install -c <(legacy-doctor pins --cpu phenom-ii) f5-tts
    """  # noqa: D301
    settings = config.find(Path.cwd())
    knowledge = catalogue.choose(
        pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
    )
    cpu = examination.cpu_called(cpu_name or settings.target_cpu)
    profile = profiling.named(profile_name)
    found = profiling.lines(profile, cpu, knowledge) if profile else pins.for_cpu(cpu, knowledge)
    output.write(pins.render(found, form, strict=strict), destination)
    return 0
