"""`legacy-doctor fix`: the plan, and with `--apply` the treatment."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from legacy_doctor import __version__
from legacy_doctor.cli import (
    check,
    config,
    examination,
    options,
    output,
    probing,
    profiling,
    treated,
)
from legacy_doctor.cli.ward import Ward
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Course, Knowledge, Patient, Profile, Report, Severity, Step
from legacy_doctor.report import json
from legacy_doctor.report import treatment as told
from legacy_doctor.treatment import application, packages, pins, plan, remainder
from legacy_doctor.treatment.installer import Options
from legacy_doctor.treatment.packages import PackageStep
from legacy_doctor.treatment.plan import PatchItem, Selection, Treatment

if TYPE_CHECKING:
    from legacy_doctor.cli.protection import Protection

_OFFERED: Final = (
    "the change of the project's own file is an offer (--diff shows it last): it is not applied",
)
_PROBING: Final = ("wanted", "use_cache", "slots", "seconds")


@click.command("fix")
@options.target_options
@profiling.option
@click.option("--apply", "applied", is_flag=True, help="Do it. Without this nothing is changed.")
@click.option("--diff", "shown", is_flag=True, help="Show every change of a file as a diff.")
@click.option("--only", multiple=True, metavar="STEP", help="Only this step or distribution.")
@click.option("--skip", multiple=True, metavar="STEP", help="Leave out this step or distribution.")
@click.option("--pins-only", is_flag=True, help="Packages and pins, no patches.")
@click.option("--patches-only", is_flag=True, help="Patches, no packages and no pins.")
@options.installer_options
@options.probing_options
@options.output_options
def command(  # noqa: PLR0913  one parameter an option, as click has it
    python: str | None,
    cpu_name: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    form: str,
    destination: Path | None,
    *,
    color: bool | None,
    applied: bool,
    shown: bool,
    **words: Any,
) -> int:
    """Make a plan that cures what `check` finds, and with --apply carry it out.

    Packages first, then patches against what is installed then, then pins that later
    installations obey; then it is verified by probes. Every step tells its reason, its grade and
    what stops working. Everything is journaled: `legacy-doctor undo` puts every byte back.
    """
    settings = config.find(Path.cwd())
    name = cpu_name or settings.target_cpu
    case = Case(
        python=python,
        knowledge=catalogue.choose(
            pinsets or settings.pinsets, (*settings.pinset_paths, *pinset_paths)
        ),
        settings=settings,
        wish=probing.wish(settings, name, **{key: words[key] for key in _PROBING}),
        profile=profiling.named(words["profile_name"]),
    )
    course = _course(case, words, applied=applied, exact=applied or shown)
    return deliver(course, form, destination, color=color, diff=shown)


def _course(case: Case, words: dict[str, Any], *, applied: bool, exact: bool) -> Course:
    """Examine, plan and, where it is to be `applied`, treat and examine again."""
    patient, report = case.examine()
    ward = _ward(patient, words)
    remarks = ward.recover()
    if remarks:  # it is another environment now
        patient, report = case.examine()
        ward = _ward(patient, words)
    selection = _selection(words)
    needed = profiling.patched(case.profile)
    try:
        treatment = ward.plan(
            patient, case.knowledge, report.findings, selection, exact=exact, needed=needed
        )
    except DoctorError:
        for remark in remarks:  # it was done, whatever becomes of the plan
            click.echo(remark, err=True)
        raise
    shield = _shield(patient, case.knowledge, report, ward, selection)
    planned = steps(treatment, ward, ward.offer(patient, case.knowledge, Path.cwd()))
    course = Course(
        report=report,
        steps=(*planned, *(shield.steps if shield else ())),
        untreated=tuple(
            item
            for item in treatment.untreated
            if shield is None or item.subject not in shield.cured
        ),
        probes=treatment.probes,
        applied=applied,
        remarks=(*remarks, *(shield.remarks if shield else ())),
        options=tuple(_said(words)),
    )
    if not applied or not course.steps:
        return course
    runs = ward.apply(treatment, "fix --apply", shield.hooking if shield else None)
    complaints = () if treatment.packages.empty else ward.pharmacy.complaints()
    after = case.examine()[1]
    return replace(course, runs=runs, outcome=after, remarks=(*course.remarks, *complaints))


def _shield(
    patient: Patient, knowledge: Knowledge, report: Report, ward: Ward, selection: Selection
) -> Protection | None:
    """Plan the start-up hook, for what nothing else cures; None where there is no such thing."""
    if not remainder.exists(patient, report.findings):
        return None
    from legacy_doctor.cli import protection
    from legacy_doctor.cli.arming import Arming

    arming = Arming(patient=patient, knowledge=knowledge, report=report)
    return protection.plan(arming, ward.socket, selection)


def _said(words: dict[str, Any]) -> Iterator[str]:
    """Yield the options that decide what the treatment is, as they are typed."""
    for name in ("only", "skip", "find_links"):
        for value in words[name]:
            yield from (f"--{name.replace('_', '-')}", value)
    flags = ("pins_only", "patches_only", "no_index", "prefer_binary", "break_system_packages")
    yield from (f"--{name.replace('_', '-')}" for name in flags if words[name])
    if words["wanted"]:
        yield from ("--probe", words["wanted"])
    if words["profile_name"]:
        yield from ("--profile", words["profile_name"])


def _ward(patient: Patient, words: dict[str, Any]) -> Ward:
    return Ward(
        interpreter=patient.interpreter,
        options=Options(**{key: words[key] for key in treated.INSTALLING}),
        watch=progress(),
        known=patient.distributions,
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is asked of which environment: it is examined before, and again afterwards."""

    python: str | None
    knowledge: Knowledge
    settings: config.Config
    wish: probing.Wish
    profile: Profile | None = None

    def examine(self) -> tuple[Patient, Report]:
        """Return the patient and the report on it, as they are now."""
        patient = examination.examine(self.python, self.wish.cpu_name)
        fail_on = self.settings.fail_on or Severity.ERROR.value
        report = check.diagnosed(
            patient,
            self.knowledge,
            self.settings.ignores,
            self.wish,
            fail_on,
            profile=self.profile,
        )
        return patient, report


def _selection(words: dict[str, Any]) -> Selection:
    """Read --only and --skip, and the two options that leave out whole parts."""
    without: tuple[str, ...] = ()
    if words["pins_only"] and words["patches_only"]:
        raise click.UsageError("--pins-only and --patches-only leave nothing to do")
    if words["pins_only"]:
        without = (plan.PATCHES,)
    if words["patches_only"]:
        without = (plan.PACKAGES, plan.PINS)
    return Selection(only=words["only"], skip=words["skip"], without=without)


def progress() -> Callable[[str], object] | None:
    """Return what shows the installer's lines where a person looks at stderr."""
    if not sys.stderr.isatty():
        return None
    return lambda said: click.echo(click.style(said.rstrip(), dim=True), err=True)


def steps(treatment: Treatment, ward: Ward, offer: str = "") -> Iterator[Step]:
    """Yield the steps of a treatment as they are told; `offer` is a diff that is not applied."""
    if not treatment.packages.empty:
        yield _packages(treatment.packages, ward)
    for item in treatment.patches:
        if item.steps or item.replaces is not None:
            yield _patch(item, ward)
    if treatment.pins:
        yield _pins(treatment, ward, offer)


def _packages(step: PackageStep, ward: Ward) -> Step:
    words = packages.commands(step, ward.installer, options=ward.options)
    what = [f"remove {', '.join(step.uninstall)}"] if step.uninstall else []
    what += (
        [f"install {', '.join((*step.install, *step.alone))}"] if step.install or step.alone else []
    )
    remarks: tuple[str, ...] = ()
    if step.together:
        require = "requires" if len(step.together) == 1 else "require"
        remarks = (f"resolved together with {', '.join(step.together)}, which {require} them",)
    return Step(
        id=plan.PACKAGES,
        title="; ".join(what),
        reasons=step.reasons,
        costs=step.costs,
        commands=tuple(shlex.join(item.words) for item in words),
        remarks=remarks,
    )


def _patch(item: PatchItem, ward: Ward) -> Step:
    patch = item.patch
    return Step(
        id=item.id,
        title=patch.title,
        reasons=(item.standing.why,),
        grade=item.grade,
        costs=(patch.cost, *patch.dangers),
        files=tuple(step.path for step in item.steps),
        diff=application.diff(item.steps, ward.interpreter.prefix),
    )


def _pins(treatment: Treatment, ward: Ward, offer: str) -> Step:
    prefix = ward.interpreter.prefix
    uv = pins.uv_words(prefix) if ward.installer.name == "uv" else ()
    return Step(
        id=plan.PINS,
        title="keep broken versions out of every later installation",
        reasons=("every upgrade would break it again",),
        files=tuple(step.path for step in treatment.pins),
        diff=application.diff(treatment.pins, prefix) + offer,
        remarks=(*uv, *_OFFERED[: bool(offer)], *pins.variables(ward.environ, prefix)),
    )


def deliver(
    course: Course, form: str, destination: Path | None, *, color: bool | None, diff: bool
) -> int:
    """Write the course and return the exit code: 1 while something is to be done or wrong."""
    if form == "json":
        output.write(json.dump("fix", __version__, json.course(course)), destination)
    else:
        output.show(lambda page: told.lines(course, page, diff=diff), destination, color=color)
    if course.applied:
        return 1 if (course.outcome or course.report).failed else 0
    return 1 if course.steps or course.report.failed else 0
