"""`legacy-doctor check`: the diagnosis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

import click

from legacy_doctor import __version__
from legacy_doctor.cli import config, examination, options, output
from legacy_doctor.diagnosis import packages, remedies, rules
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Knowledge, Patient, ProbePlan, Report, Severity
from legacy_doctor.report import json, text

NOT_PROBED = ProbePlan(
    ran=False, reason="no package was imported, each verdict rests on its evidence grade"
)


def _list_rules(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    del parameter
    if value:
        width = max(len(rule.id) for rule in rules.RULES)
        for rule in rules.RULES:
            click.echo(f"{rule.id:<{width}}  {rule.summary}")
        context.exit(0)


@click.command("check")
@options.target_options
@click.option(
    "--fail-on",
    type=click.Choice(config.FAIL_ON),
    help="Exit with 1 from this severity upwards.  [default: error]",
)
@click.option(
    "--ignore", "ignored", multiple=True, metavar="RULE", help="Leave out the findings of a rule."
)
@click.option("-v", "--verbose", is_flag=True, help="Show notes too: hints, settled disputes.")
@click.option("--verify-files", is_flag=True, help="Hash every installed file against RECORD.")
@click.option(
    "--list-rules",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_rules,
    help="List the rules and exit.",
)
@options.output_options
def command(  # noqa: PLR0913  one parameter an option, as click has it
    python: str | None,
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    fail_on: str | None,
    ignored: tuple[str, ...],
    form: str,
    destination: Path | None,
    *,
    verbose: bool,
    verify_files: bool,
    color: bool | None,
) -> int:
    """Tell what will break in an environment on this CPU, or a named one.

    Nothing is imported and nothing is changed: the target's metadata are read and compared with
    versioned pin-sets, whose every statement carries its evidence.
    """
    settings = config.find(Path.cwd())
    ignores = (
        *settings.ignores,
        *(config.Ignore(rule=rules.known(name), reason="--ignore") for name in ignored),
    )
    name = cpu_name or settings.target_cpu
    knowledge = catalogue.choose(
        pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
    )
    patient = examination.examine(python, name, thorough=verify_files)
    wanted = fail_on or settings.fail_on or Severity.ERROR.value
    report = diagnosed(patient, knowledge, ignores, name or "", wanted)
    return deliver(report, form, destination, color=color, verbose=verbose)


def diagnosed(
    patient: Patient,
    knowledge: Knowledge,
    ignores: Iterable[config.Ignore],
    target_name: str,
    fail_on: str,
) -> Report:
    """Return the report on a patient."""
    everything = rules.diagnose(patient, knowledge)
    findings, ignored = config.sift(everything, ignores, datetime.now(timezone.utc).date())
    return Report(
        version=__version__,
        cpu=patient.cpu,
        interpreter=patient.interpreter,
        pinsets=tuple(item for item in knowledge.pinsets if item.applies(patient.cpu)),
        findings=findings,
        distributions=len(patient.distributions),
        unjudged=packages.unjudged(patient, knowledge),
        probes=NOT_PROBED,
        prescription=remedies.prescription(patient, findings),
        target_name=target_name,
        what_if=patient.what_if,
        fail_on=None if fail_on == "never" else Severity(fail_on),
        ignored=ignored,
    )


def deliver(
    report: Report, form: str, destination: Path | None, *, color: bool | None, verbose: bool
) -> int:
    """Write the report and return the exit code."""
    if form == "json":
        output.write(json.dump("check", report.version, json.report(report)), destination)
    elif report.empty:
        raise DoctorError(
            f"{report.interpreter.prefix}: nothing to examine, no distribution is installed "
            f"there (chosen by {report.interpreter.chosen_by}; name another with --python)"
        )
    else:
        output.show(
            lambda page: text.lines(report, page, verbose=verbose), destination, color=color
        )
    if report.empty:
        return 2
    return 1 if report.failed else 0
