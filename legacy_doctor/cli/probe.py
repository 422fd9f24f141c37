"""`legacy-doctor probe`: run one package and tell how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from packaging.utils import canonicalize_name

from legacy_doctor import __version__
from legacy_doctor.cli import config, examination, options, output, probing
from legacy_doctor.diagnosis import rules, words
from legacy_doctor.environment.imports import import_names
from legacy_doctor.errors import DoctorError, UnknownNameError, suggestion
from legacy_doctor.knowledge import catalogue
from legacy_doctor.knowledge import probes as shipped
from legacy_doctor.model import Outcome, Patient, Probe
from legacy_doctor.probe import emulator, session
from legacy_doctor.report import json
from legacy_doctor.report import probes as told


@click.command("probe")
@click.argument("names", metavar="NAME|MODULE...", nargs=-1, required=True)
@options.python_option
@options.cpu_option
@options.probe_options
@options.output_options
def command(  # noqa: PLR0913  one parameter an option, as click has it
    names: tuple[str, ...],
    python: str | None,
    cpu_name: str | None,
    slots: int | None,
    seconds: float | None,
    form: str,
    destination: Path | None,
    *,
    use_cache: bool,
    color: bool | None,
) -> int:
    """Import and use packages in a sandbox, on this CPU or an emulated one, and tell how it ended.

    NAME is an installed distribution: all its probes are run. MODULE is anything that can be
    imported. A crash is named: instruction, feature, library, package. Exits with 1 where one
    did not end well.
    """
    settings = config.find(Path.cwd())
    name = cpu_name or settings.target_cpu
    patient = examination.examine(python, name)
    knowledge = catalogue.choose(settings.pinsets, settings.pinset_paths)
    wish = probing.Wish(
        cpu_name=name,
        use_cache=use_cache,
        slots=slots,
        seconds=seconds or settings.probe_seconds,
    )
    chosen = [probe for word in names for probe in probes_of(word, patient)]
    try:
        setting = probing.prepare(patient, knowledge, wish)
    except emulator.Unplayable as error:
        raise DoctorError(f"nothing was run: {error}") from error
    findings = rules.diagnose(patient, knowledge)
    tasks = [*map(session.Task, chosen), *probing.with_overrides(patient, findings, chosen)]
    results = probing.attempt(tasks, setting, patient)
    if form == "json":
        body = json.probe_report(patient, setting.how, results)
        output.write(json.dump("probe", __version__, body), destination)
    else:
        output.show(
            lambda page: told.lines(patient, setting.how, results, page, words.sentence),
            destination,
            color=color,
        )
    return 0 if all(item.outcome in {Outcome.OK, Outcome.SKIPPED} for item in results) else 1


def probes_of(word: str, patient: Patient) -> Iterator[Probe]:
    """Yield the probes that `word` means: a distribution's, one by its id, or a module's."""
    everything = shipped.shipped()
    named = [probe for probe in everything if probe.id == word]
    installed = patient.get(canonicalize_name(word.partition("/")[0]))
    if "/" in word and named:
        yield from named
    elif "/" in word:
        ids = [probe.id for probe in everything]
        raise UnknownNameError(f"no probe {word!r}{suggestion(word, ids)}")
    elif installed is not None:
        own = [probe for probe in everything if probe.distribution == installed.name]
        made = None if own else probing.generic(installed)
        yield from own or ([made] if made else [])
    else:
        yield _module(word, patient)


def _module(word: str, patient: Patient) -> Probe:
    """Return an import probe for a module that no distribution is named after."""
    if not all(part.isidentifier() for part in word.split(".")):
        known = sorted(item.name for item in patient.distributions)
        raise UnknownNameError(
            f"{word}: not installed in {patient.interpreter.prefix}, and no name of a module"
            f"{suggestion(word, known)}"
        )
    owner = _provider(word.partition(".")[0], patient)
    return Probe(id=word, distribution=owner or word, imports=f"import {word}")


def _provider(top: str, patient: Patient) -> str | None:
    return next(
        (item.name for item in patient.distributions if top in _tops(import_names(item))), None
    )


def _tops(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}
