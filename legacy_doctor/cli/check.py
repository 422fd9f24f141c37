"""`legacy-doctor check`: the diagnosis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

import click

from legacy_doctor import __version__
from legacy_doctor.cli import (
    config,
    examination,
    formats,
    ignores,
    options,
    output,
    probing,
    profiling,
)
from legacy_doctor.diagnosis import confirmation, packages, remedies, rules
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Knowledge, Patient, Profile, Report, Severity
from legacy_doctor.report import json, text, wording


def _list_rules(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    del parameter
    if value:
        width = max(len(name) for name, _ in rules.summaries())
        for name, summary in rules.summaries():
            click.echo(f"{name:<{width}}  {summary}")
        context.exit(0)


@click.command("check")
@options.target_options
@options.probing_options
@profiling.option
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
@options.report_options
def command(  # noqa: PLR0913  one parameter an option, as click has it
    python: str | None,
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    wanted: str | None,
    slots: int | None,
    seconds: float | None,
    profile_name: str | None,
    fail_on: str | None,
    ignored: tuple[str, ...],
    form: str,
    destination: Path | None,
    *,
    use_cache: bool,
    verbose: bool,
    verify_files: bool,
    color: bool | None,
) -> int:
    """Tell what will break in an environment on this CPU, or a named one.

    The target's metadata are compared with versioned pin-sets, whose every statement carries its
    evidence. Then what is risky is imported and used, each in a sandboxed process of its own (for
    a named CPU under qemu-user), and the findings follow what happened. Nothing is changed.
    """
    settings, profile = config.find(Path.cwd()), profiling.named(profile_name)
    accepted = (*settings.ignores, *config.ignoring(ignored))
    name = cpu_name or settings.target_cpu
    knowledge = catalogue.choose(
        pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
    )
    patient = examination.examine(python, name, thorough=verify_files)
    severity = fail_on or settings.fail_on or Severity.ERROR.value
    wish = probing.wish(
        settings, name, wanted=wanted, use_cache=use_cache, slots=slots, seconds=seconds
    )
    scope = ignores.scope(settings, patient, pinsets=bool(pinsets), thorough=verify_files)
    report = diagnosed(patient, knowledge, accepted, wish, severity, scope, profile)
    if form == "html" and not report.empty:
        return _write_page(patient, knowledge, report, destination)
    return deliver(report, form, destination, color=color, verbose=verbose)


def diagnosed(  # noqa: PLR0913  all that decides what a report says
    patient: Patient,
    knowledge: Knowledge,
    accepted: Iterable[config.Ignore],
    wish: probing.Wish,
    fail_on: str,
    scope: ignores.Scope | None = None,
    profile: Profile | None = None,
) -> Report:
    """Return the report on a patient: what rules predict, and what probes make of it.

    With a `scope` the ignores themselves are reviewed too; with a `profile` its project is.
    """
    accepted = tuple(accepted)
    outlook, about = profiling.outlook(profile, patient, knowledge)
    predicted = (*rules.diagnose(patient, knowledge), *about)
    smoke = profiling.smoke(profile)
    proof = probing.prove(patient, knowledge, predicted, wish, also=smoke)
    today = datetime.now(timezone.utc).date()
    everything = probing.follow(patient, knowledge, predicted, proof, wish, today)
    if scope is not None and (everything or patient.distributions):
        found = (*predicted, *everything)
        remarks = ignores.remarks(accepted, found, patient, knowledge, proof, scope, today)
        everything = confirmation.ordered([*everything, *remarks])
    findings, ignored = config.sift(everything, accepted, today)
    return Report(
        version=__version__,
        cpu=patient.cpu,
        interpreter=patient.interpreter,
        pinsets=tuple(item for item in knowledge.pinsets if item.applies(patient.cpu)),
        findings=findings,
        distributions=len(patient.distributions),
        unjudged=packages.unjudged(patient, knowledge),
        probing=proof,
        prescription=remedies.prescription(patient, findings),
        target_name=wish.cpu_name or "",
        what_if=patient.what_if,
        fail_on=None if fail_on == "never" else Severity(fail_on),
        ignored=ignored,
        outlook=outlook,
    )


def _write_page(
    patient: Patient, knowledge: Knowledge, report: Report, destination: Path | None
) -> int:
    from legacy_doctor.cli.report import paged

    output.write(paged(patient, knowledge, report), destination)
    return wording.exit_code(report)


def deliver(
    report: Report, form: str, destination: Path | None, *, color: bool | None, verbose: bool
) -> int:
    """Write the report and return the exit code.

    Where there was nothing to examine, programs get a document that says so, people the error.
    """
    if form in options.CI_FORMATS:
        formats.deliver(report, form, destination)
    elif form == "json":
        output.write(json.dump("check", report.version, json.report(report)), destination)
    elif not report.empty:
        output.show(
            lambda page: text.lines(report, page, verbose=verbose), destination, color=color
        )
    if report.empty:
        raise DoctorError(wording.nothing(report))
    return wording.exit_code(report)
