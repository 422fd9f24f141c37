"""`legacy-doctor undo`: put back what a run changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from legacy_doctor import __version__
from legacy_doctor.cli import fix, options, output, treated
from legacy_doctor.cli.ward import Undone, Ward
from legacy_doctor.report import json
from legacy_doctor.treatment.journal import Entry


@click.command("undo")
@click.argument("run", type=click.IntRange(min=1), required=False)
@options.python_option
@options.installer_options
@options.output_options
def command(
    run: int | None,
    python: str | None,
    form: str,
    destination: Path | None,
    *,
    color: bool | None,
    **words: object,
) -> int:
    """Put back what a run changed, byte for byte: files, permissions, links and packages.

    Without RUN: the newest run that is in effect. What somebody changed since is never
    overwritten: then nothing is done, and the files are named. An undo is a run of its own, and
    `legacy-doctor undo RUN` takes it back in turn.
    """
    del color
    ward = treated.ward(python, words, fix.progress())
    remarks = ward.recover()
    undone = _undone(ward, run, recovered=bool(remarks))
    if form == "json":
        body = {
            "prefix": str(ward.interpreter.prefix),
            "undone": [item.run for item in undone],
            "runs": [item.by for item in undone],
            "remarks": list(remarks),
        }
        output.write(json.dump("undo", __version__, body), destination)
    else:
        output.write("\n".join([*remarks, *_told(undone, ward)]), destination)
    return 0


def _undone(ward: Ward, run: int | None, *, recovered: bool) -> tuple[Undone, ...]:
    """Undo; where an interrupted run was just taken back, there may be nothing more to undo."""
    if run is None and recovered and not any(_is_open(entry) for entry in ward.history()):
        return ()
    return ward.undo(run)


def _is_open(entry: Entry) -> bool:
    return entry.in_effect and entry.undoes is None


def _told(undone: Sequence[Undone], ward: Ward) -> Iterator[str]:
    if not undone:
        yield f"{ward.interpreter.prefix}: nothing more to undo"
        return
    numbers = " and ".join(str(item.run) for item in undone)
    word = "run" if len(undone) == 1 else "runs"
    yield f"{ward.interpreter.prefix}: {word} {numbers} undone"
    back = ", then ".join(f"legacy-doctor undo {item.by}" for item in reversed(undone))
    yield f"(to take that back: {back})"
