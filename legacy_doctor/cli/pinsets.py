"""`legacy-doctor pinsets`: what the doctor believes, and why."""

from __future__ import annotations

from pathlib import Path

import click

from legacy_doctor import __version__
from legacy_doctor.cli import options, output
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import PinSet
from legacy_doctor.report import beliefs, chart, json


@click.group("pinsets")
def command() -> None:
    """List, show and compare the pin-sets: what the doctor believes, and why."""


@command.command("list")
@options.output_options
def list_command(form: str, destination: Path | None, *, color: bool | None) -> int:
    """List the pin-sets, superseded ones included."""
    sets = catalogue.every()
    if form == "json":
        body = {"pinsets": [json.pinset_header(item) for item in sets]}
        output.write(json.dump("pinsets-list", __version__, body), destination)
    else:
        output.show(lambda page: chart.table(_rows(sets), page), destination, color=color)
    return 0


def _rows(sets: tuple[PinSet, ...]) -> list[tuple[str, ...]]:
    superseded = {label for item in sets for label in item.supersedes}
    rows = [("pin-set", "pins", "for", "")]
    for item in sets:
        state = "superseded" if item.label in superseded else "current"
        rows.append((item.label, str(len(item.pins)), item.title, state))
    return [(label, count, state or "state", title) for label, count, title, state in rows]


@command.command("show")
@click.argument("label", metavar="ID[@VERSION]")
@options.output_options
def show_command(label: str, form: str, destination: Path | None, *, color: bool | None) -> int:
    """Show all that one pin-set states, with its evidence."""
    pinset = catalogue.find(label)
    if form == "json":
        text = json.dump("pinsets-show", __version__, {"pinset": json.pinset(pinset)})
        output.write(text, destination)
    else:
        output.show(lambda page: beliefs.lines(pinset, page), destination, color=color)
    return 0


@command.command("diff")
@click.argument("old", metavar="OLD[@VERSION]")
@click.argument("new", metavar="NEW[@VERSION]")
@options.output_options
def diff_command(
    old: str, new: str, form: str, destination: Path | None, *, color: bool | None
) -> int:
    """Show what NEW states otherwise than OLD."""
    before, after = catalogue.find(old), catalogue.find(new)
    changes = beliefs.changes(before, after)
    if form == "json":
        body = {
            "old": json.pinset_header(before),
            "new": json.pinset_header(after),
            "changes": [change._asdict() for change in changes],
        }
        output.write(json.dump("pinsets-diff", __version__, body), destination)
    else:
        output.show(
            lambda page: beliefs.diff_lines(before, after, changes, page),
            destination,
            color=color,
        )
    return 0
