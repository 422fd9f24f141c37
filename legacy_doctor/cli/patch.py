"""`legacy-doctor patch`: the patches, how an environment stands to them, and single ones."""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any, Final

import click

from legacy_doctor import __version__
from legacy_doctor.cli import examination, fix, options, output, treated
from legacy_doctor.cli.ward import Ward
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import patches
from legacy_doctor.knowledge.patches import Kind, Patch
from legacy_doctor.report import chart, json, layout
from legacy_doctor.treatment import application, builds, installer, packages
from legacy_doctor.treatment.patching import Standing, State
from legacy_doctor.treatment.steps import FileStep

_BY_HOOK: Final = Standing(State.APPLIED, "armed by the import-time hook")


@click.group("patch")
def command() -> None:
    """List, show, apply and revert the patches."""


@command.command("list")
@options.output_options
def list_command(form: str, destination: Path | None, *, color: bool | None) -> int:
    """List the patches, the recommended ones first."""
    found = patches.every()
    if form == "json":
        body = {"patches": [_plain(item) for item in found]}
        output.write(json.dump("patch-list", __version__, body), destination)
        return 0
    rows = [("patch", "for", "what it does")]
    rows += [(item.id, _target(item), _title(item)) for item in found]
    output.show(lambda page: chart.table(rows, page), destination, color=color)
    return 0


@command.command("show")
@click.argument("patch_id", metavar="ID")
@options.output_options
def show_command(patch_id: str, form: str, destination: Path | None, *, color: bool | None) -> int:
    """Show what a patch does, for whom, at what price, and why that is believed."""
    patch = patches.find(patch_id)
    if form == "json":
        output.write(json.dump("patch-show", __version__, {"patch": _plain(patch)}), destination)
    else:
        output.show(lambda page: _told(patch, page), destination, color=color)
    return 0


@command.command("status")
@options.python_option
@options.output_options
def status_command(
    python: str | None, form: str, destination: Path | None, *, color: bool | None
) -> int:
    """Tell how an environment stands to every patch."""
    ward = treated.ward(python)
    place, armed = ward.place(), examination.armed(ward.interpreter)
    found = [
        (item, _BY_HOOK if _is_armed(item, armed) else place.standing(item))
        for item in patches.every()
    ]
    if form == "json":
        entries = [{"id": p.id, "state": s.state.value, "why": s.why} for p, s in found]
        output.write(json.dump("patch-status", __version__, {"patches": entries}), destination)
        return 0
    rows = [("patch", "state", "why"), *((p.id, s.state.value, s.why) for p, s in found)]
    output.show(lambda page: chart.table(rows, page), destination, color=color)
    return 0


def _is_armed(patch: Patch, armed: Container[str]) -> bool:
    return patch.kind is Kind.HOOK and patch.shim in armed


@command.command("apply")
@click.argument("patch_id", metavar="ID")
@options.python_option
@click.option("--diff", "shown", is_flag=True, help="Show the changes and make none.")
@click.option(
    "--source",
    metavar="SOURCE",
    help="Of a patch that builds: what to build, a folder, an archive or an address.  "
    "[default: the index]",
)
@options.installer_options
def apply_command(
    patch_id: str, python: str | None, *, shown: bool, source: str | None, **words: Any
) -> int:
    """Apply one patch; nothing happens where it is applied already."""
    patch = patches.find(patch_id)
    if source is not None and patch.build is None:
        raise click.UsageError(f"--source is for a patch that builds; {patch.id} does not")
    ward = treated.ward(python, words, fix.progress())
    name = f"patch apply {patch.id}"
    if patch.build is not None:
        return _build(ward, patch, source, name, shown=shown)
    return _carry_out(ward, ward.place().apply(patch), name, shown=shown)


def _build(ward: Ward, patch: Patch, source: str | None, name: str, *, shown: bool) -> int:
    """Build in the environment; with `shown`, only print the commands that would."""
    requirement = patch.distribution if source is None else _sourced(patch, source)
    step = builds.step(patch, requirement, ward.installed())
    if shown:
        found = packages.commands(step, ward.installer, options=ward.options)
        output.write("\n".join(shlex.join(item.words) for item in found), None)
        return 0
    for remark in ward.recover():
        click.echo(remark, err=True)
    number = ward.pharmacy.apply(step, command=name).number
    click.echo(
        f"{ward.interpreter.prefix}: {patch.distribution} was built here, journaled as run "
        f"{number} (legacy-doctor undo {number})"
    )
    return 0


def _sourced(patch: Patch, source: str) -> str:
    """Return the requirement that means exactly this folder, archive or address."""
    path = Path(source)
    if "://" not in source and not path.exists():
        raise DoctorError(f"{source}: no such folder or archive, and no address")
    return f"{patch.distribution} @ {source if '://' in source else path.resolve().as_uri()}"


@command.command("revert")
@click.argument("patch_id", metavar="ID")
@options.python_option
@click.option("--diff", "shown", is_flag=True, help="Show the changes and make none.")
def revert_command(patch_id: str, python: str | None, *, shown: bool) -> int:
    """Take one patch back, also one that was made by hand beside its original."""
    patch = patches.find(patch_id)
    ward = treated.ward(python)
    return _carry_out(ward, ward.place().revert(patch), f"patch revert {patch.id}", shown=shown)


def _carry_out(ward: Ward, steps: Iterable[FileStep], name: str, *, shown: bool) -> int:
    steps = tuple(steps)
    prefix = ward.interpreter.prefix
    if shown:
        output.write(application.diff(steps, prefix), None)
        return 0
    installer.refuse(ward.interpreter)
    for remark in ward.recover():
        click.echo(remark, err=True)
    number = ward.change(steps, name)
    if number is None:
        click.echo(f"{prefix}: nothing to do, it is so already")
        return 0
    files = "1 file" if len(steps) == 1 else f"{len(steps)} files"
    click.echo(
        f"{prefix}: {files} changed, journaled as run {number} (legacy-doctor undo {number})"
    )
    return 0


def _target(patch: Patch) -> str:
    return f"{patch.distribution}{patch.versions}"


def _title(patch: Patch) -> str:
    return patch.title if patch.recommended else f"{patch.title} (offered, not recommended)"


def _told(patch: Patch, page: layout.Page) -> list[layout.Line]:
    facts = [
        ("for", _target(patch)),
        ("by", patch.kind.value),
        ("advice", "recommended" if patch.recommended else "offered, not recommended"),
        ("instead", ", ".join(patch.instead)),
        ("costs", patch.cost),
        *(("danger", text) for text in patch.dangers),
        ("disarmed by", ", ".join(patch.disarmed_by)),
        ("upstream", patch.upstream or ""),
        *((item.grade.value, f"{item.source}: {item.detail}") for item in patch.evidence),
    ]
    told = list(layout.paragraph(page, "", f"{patch.id}: {patch.title}", style="bold"))
    for name, text in facts:
        if text:
            told += layout.field(page, name, text)
    return told


def _plain(patch: Patch) -> dict[str, Any]:
    return {
        "id": patch.id,
        "title": patch.title,
        "distribution": patch.distribution,
        "versions": patch.versions,
        "kind": patch.kind.value,
        "recommended": patch.recommended,
        "cost": patch.cost,
        "dangers": list(patch.dangers),
        "instead": list(patch.instead),
        "upstream": patch.upstream,
        "disarmed_by": list(patch.disarmed_by),
        "evidence": [json.evidence(item) for item in patch.evidence],
    }
