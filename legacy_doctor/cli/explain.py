"""`legacy-doctor explain NAME`: the whole story of one distribution."""

from __future__ import annotations

from pathlib import Path

import click
from packaging.utils import canonicalize_name

from legacy_doctor import __version__
from legacy_doctor.cli import config, examination, options, output
from legacy_doctor.diagnosis import stories
from legacy_doctor.errors import UnknownNameError, suggestion
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Knowledge, Patient
from legacy_doctor.report import json, story


@click.command("explain")
@click.argument("name")
@options.target_options
@options.output_options
def command(  # noqa: PLR0913  one parameter an option, as click has it
    name: str,
    python: str | None,
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    form: str,
    destination: Path | None,
    *,
    color: bool | None,
) -> int:
    """Tell the whole story of the distribution NAME.

    Why it is installed, what breaks and since which version, what it needs and this CPU lacks,
    every piece of evidence with its grade, and what may stand in for it.
    """
    settings = config.find(Path.cwd())
    knowledge = catalogue.choose(
        pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
    )
    patient = examination.examine(python, cpu_name or settings.target_cpu)
    wanted = canonicalize_name(name)
    _refuse_unknown(wanted, patient, knowledge)
    told = stories.tell(wanted, patient, knowledge)
    if form == "json":
        output.write(json.dump("explain", __version__, json.story(told)), destination)
    else:
        output.show(lambda page: story.lines(told, page), destination, color=color)
    return 0


def _refuse_unknown(name: str, patient: Patient, knowledge: Knowledge) -> None:
    known = {pin.distribution for pin in knowledge.pins}
    known |= {item.distribution for pinset in knowledge.pinsets for item in pinset.removals}
    known |= {item.name for item in patient.distributions}
    if name not in known:
        raise UnknownNameError(
            f"{name}: not installed in {patient.interpreter.prefix}, and no pin-set speaks of it"
            f"{suggestion(name, sorted(known))}"
        )
