"""`legacy-doctor undo`: put back what a run changed."""

from __future__ import annotations

from pathlib import Path

import click

from legacy_doctor import __version__
from legacy_doctor.cli import fix, options, output, treated
from legacy_doctor.report import json


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
    undone = ward.undo(run)
    if form == "json":
        body = {"prefix": str(ward.interpreter.prefix), "undone": list(undone)}
        output.write(
            json.dump("undo", __version__, {**body, "remarks": list(remarks)}), destination
        )
        return 0
    numbers = " and ".join(map(str, undone))
    word = "run" if len(undone) == 1 else "runs"
    said = [*remarks, f"{ward.interpreter.prefix}: {word} {numbers} undone"]
    output.write("\n".join(said), destination)
    return 0
