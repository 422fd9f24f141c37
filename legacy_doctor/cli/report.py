"""`legacy-doctor report`: the diagnosis as a page to read, or as a text to share."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from legacy_doctor.cli import (
    check,
    config,
    examination,
    fix,
    ignores,
    options,
    output,
    probing,
)
from legacy_doctor.cli.ward import Ward
from legacy_doctor.cpu import features, models
from legacy_doctor.diagnosis import machine, prognosis
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Chart, Cpu, Interpreter, Knowledge, Patient, Report, Severity, Step
from legacy_doctor.report import html, json, share, wording
from legacy_doctor.report.redaction import Secrets
from legacy_doctor.treatment.plan import Selection

_PROBING: Final = ("wanted", "use_cache", "slots", "seconds")
_ACCOUNTS: Final = ("USER", "LOGNAME", "SUDO_USER")
_SYSTEM: Final = frozenset({"/usr", "/usr/local"})
"""Prefixes of an interpreter that every machine has."""
_ENVIRONMENT: Final = "[environment]"
_ISSUE: Final = 65_536
"""Characters that the text of a GitHub issue may have."""
_XSAVE_LEAF: Final = 0xD
"""A CPU that has XSAVE has the leaf that describes it (Intel SDM volume 2A, CPUID)."""


@click.command("report")
@options.target_options
@options.probing_options
@click.option(
    "--fail-on",
    type=click.Choice(config.FAIL_ON),
    help="Exit with 1 from this severity upwards.  [default: error]",
)
@click.option(
    "--ignore", "ignored", multiple=True, metavar="RULE", help="Leave out the findings of a rule."
)
@click.option("--verify-files", is_flag=True, help="Hash every installed file against RECORD.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Write one self-contained page (- is stdout).",
)
@click.option(
    "--share",
    "shared",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Write Markdown for an issue upstream, without names and folders (- is stdout).",
)
def command(  # noqa: PLR0913  one parameter an option, as click has it
    python: str | None,
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    fail_on: str | None,
    ignored: tuple[str, ...],
    page: Path | None,
    shared: Path | None,
    *,
    verify_files: bool,
    **words: Any,
) -> int:
    """Write the diagnosis as a page to read, or as a text to share.

    The page is one file that needs no network and no JavaScript. The text is for an issue
    upstream: what died at which instruction, how to repeat it, and the report as JSON; user and
    host names, home folders and paths are replaced. Look at it before you share it.
    """
    _check_outputs(page, shared)
    settings = config.find(Path.cwd())
    accepted = (*settings.ignores, *config.ignoring(ignored))
    name = cpu_name or settings.target_cpu
    knowledge = catalogue.choose(
        pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
    )
    patient = examination.examine(python, name, thorough=verify_files)
    severity = fail_on or settings.fail_on or Severity.ERROR.value
    wish = probing.wish(settings, name, **{key: words[key] for key in _PROBING})
    scope = ignores.scope(settings, patient, pinsets=bool(pinsets), thorough=verify_files)
    report = check.diagnosed(patient, knowledge, accepted, wish, severity, scope)
    if report.empty:
        raise DoctorError(wording.nothing(report))
    if page is not None:
        output.write(paged(patient, knowledge, report), place(page))
    if shared is not None:
        _share(report, shared)
    return wording.exit_code(report)


def _check_outputs(page: Path | None, shared: Path | None) -> None:
    if page is None and shared is None:
        raise click.UsageError("say what to write: --html OUT, --share OUT or both")
    if page == shared:
        raise click.UsageError(f"--html and --share cannot both be written to {page}")


def _share(report: Report, destination: Path) -> None:
    """Write what may be shared, and say on stderr what was taken out of it."""
    secrets = known_secrets(report.interpreter)
    document, first = secrets.redact(json.document("check", report.version, json.report(report)))
    text, rest = secrets.redact(share.text(report, document))
    counts = Counter(first) + Counter(rest)
    output.write(text, place(destination))
    said = ", ".join(f"{what} ({number} times)" for what, number in sorted(counts.items()))
    click.echo(f"replaced: {said or 'nothing'}", err=True)
    where = "" if place(destination) is None else f": {destination}"
    click.echo(f"read it before you share it{where}", err=True)
    if len(text) > _ISSUE:
        click.echo(
            f"it has {len(text)} characters and an issue takes {_ISSUE}: attach the file", err=True
        )


def known_secrets(interpreter: Interpreter) -> Secrets:
    """Return what is private here: the account, the machine and where the target lies."""
    home = str(Path("~").expanduser())
    users = {Path(home).name, *(os.environ.get(name, "") for name in _ACCOUNTS)}
    with contextlib.suppress(KeyError, OSError):
        users.add(getpass.getuser())
    prefix, python = str(interpreter.prefix), str(interpreter.executable)
    named = {
        prefix: _ENVIRONMENT,
        os.path.realpath(prefix): _ENVIRONMENT,
        python: f"{_ENVIRONMENT}/bin/{interpreter.executable.name}",
    }
    places = {
        shown: label
        for path, label in named.items()
        for shown in (path, os.path.relpath(path))  # commands name it as it is seen from here
        if os.sep in shown and prefix not in _SYSTEM
    }
    return Secrets(
        places=tuple(places.items()),
        homes=tuple({home, os.path.realpath(home)}),
        users=tuple(users - {""}),
        hosts=tuple({socket.gethostname(), platform.node()} - {""}),
    )


def place(path: Path) -> Path | None:
    """Return where to write: None is stdout, which is called `-`."""
    return None if str(path) == "-" else path


def paged(patient: Patient, knowledge: Knowledge, report: Report) -> str:
    """Return the report as a page, with all that is shown beside it."""
    return html.page(report, charted(patient, knowledge, report))


def charted(patient: Patient, knowledge: Knowledge, report: Report) -> Chart:
    """Return what the page shows beside the report."""
    reasons = dict.fromkeys(item.reason for item in patient.cpu.hidden)
    return Chart(
        prognosis=prognosis.tell(
            patient,
            knowledge,
            {level: _cpu_of(level) for level in features.LEVELS},
            results=report.probing.results,
            findings=report.findings,
        ),
        overrides=patient.overrides,
        steps=tuple(_steps(patient, knowledge, report)),
        remedies=tuple((item, machine.hidden_remedy(item, patient.cpu)) for item in reasons),
    )


def _cpu_of(level: str) -> Cpu:
    """Return a CPU that has exactly the features of a level."""
    cpu = models.find(level).cpu
    return replace(cpu, cpuid_level=_XSAVE_LEAF) if "xsave" in cpu.features else cpu


def _steps(patient: Patient, knowledge: Knowledge, report: Report) -> Iterator[Step]:
    """Yield the plan of `fix`; nothing where no installer may work in the environment."""
    if not report.failed and not report.prescription:
        return
    ward = Ward(interpreter=patient.interpreter, known=patient.distributions)
    try:
        plan = ward.plan(patient, knowledge, report.findings, Selection(), exact=False)
        steps = tuple(fix.steps(plan, ward))
    except DoctorError:
        return
    yield from steps
