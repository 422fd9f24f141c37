"""`legacy-doctor history`: what was done to an environment."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from legacy_doctor import __version__
from legacy_doctor.cli import options, output, treated
from legacy_doctor.report import chart, json
from legacy_doctor.treatment.journal import Entry

_OPEN: Final = frozenset({"planned", "prepared"})


@click.command("history")
@options.python_option
@options.output_options
def command(python: str | None, form: str, destination: Path | None, *, color: bool | None) -> int:
    """List what was done to an environment: numbered runs, newest last, and which are undone."""
    ward = treated.ward(python)
    entries = ward.history()
    prefix = str(ward.interpreter.prefix)
    if form == "json":
        body = {"prefix": prefix, "runs": [_entry(item) for item in entries]}
        output.write(json.dump("history", __version__, body), destination)
    elif not entries:
        output.write(f"{prefix}: nothing was done here", destination)
    else:
        rows = [("run", "when", "what it did"), *map(_row, entries)]
        output.show(lambda page: chart.table(rows, page), destination, color=color)
    return 0


def _state(entry: Entry) -> str:
    if entry.undone_by is not None:
        return f"undone by run {entry.undone_by}"
    if entry.state in _OPEN:
        return "at work, or interrupted: the next fix, patch or undo brings it to an end"
    return entry.state


def _row(entry: Entry) -> tuple[str, ...]:
    if entry.problem:
        return str(entry.number), "", f"damaged: {entry.problem}"
    what = f"undid run {entry.undoes}" if entry.undoes is not None else entry.command
    if _packages(entry):
        what += ", packages"
    if entry.paths:
        count = len(entry.paths)
        what += f", {count} file" + ("" if count == 1 else "s")
    return str(entry.number), entry.began, f"{what} ({_state(entry)})"


def _packages(entry: Entry) -> bool:
    return isinstance(entry.extra, dict) and "packages" in entry.extra


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "run": entry.number,
        "began": entry.began,
        "command": entry.command,
        "state": entry.state,
        "undoes": entry.undoes,
        "undone_by": entry.undone_by,
        "packages": _packages(entry),
        "files": [str(path) for path in entry.paths],
        "problem": entry.problem,
    }
