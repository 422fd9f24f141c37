"""`legacy-doctor checkpoint FILE`: what a file of weights holds, without unpickling it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from legacy_doctor import __version__
from legacy_doctor.checkpoint import source, strip, verdict
from legacy_doctor.checkpoint.source import Source, Watch
from legacy_doctor.cli import options, output
from legacy_doctor.model import StrippedCopy
from legacy_doctor.report import checkpoint as report
from legacy_doctor.report import json

_PATIENCE = 1.0
"""Seconds before a progress bar appears."""


@click.command("checkpoint")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--strip-prefix",
    "start",
    metavar="PREFIX",
    help="Copy the tensors whose names begin with PREFIX, without it, to --out.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The copy; FILE itself stays as it is.",
)
@click.option("--force", is_flag=True, help="Replace what --out names.")
@options.output_options
def command(  # noqa: PLR0913  one parameter an option, as click has it
    file: Path,
    start: str | None,
    out: Path | None,
    form: str,
    destination: Path | None,
    *,
    force: bool,
    color: bool | None,
) -> int:
    """Tell what a file of weights holds, and how it can be loaded, without unpickling it.

    Reads what torch.save writes (zip archives, the older stream) and safetensors. Says whether
    torch.load takes it with weights_only=True and what stands in the way, which commands a hostile
    pickle would run, and whether it holds averaged (EMA) weights only.
    """
    if (start is None) != (out is None) or start == "":
        raise click.UsageError("--strip-prefix and --out belong together, and name something")
    with source.opened(file) as opened, _watched(opened, "reading") as watch:
        found = verdict.judge_file(opened, watch)
    copy = _stripped(file, start, out, force=force) if start and out else None
    if form == "json":
        output.write(json.dump("checkpoint", __version__, report.body(found, copy)), destination)
    else:
        output.show(lambda page: report.lines(found, copy, page), destination, color=color)
    return 1 if found.failed and copy is None else 0


def _stripped(file: Path, start: str, out: Path, *, force: bool) -> StrippedCopy:
    with source.opened(file) as opened, _watched(opened, "copying") as watch:
        return strip.write(opened, start, out, force=force, watch=watch)


@contextmanager
def _watched(opened: Source, label: str) -> Iterator[Watch]:
    """Show how far a file is dealt with, where it takes time and a person looks at it."""
    if not sys.stderr.isatty():
        yield source.unwatched
        return
    since, waiting = time.monotonic(), 0
    with ExitStack() as shown:
        bar = click.progressbar(length=opened.size, label=label, file=sys.stderr)

        def watch(number: int) -> None:
            nonlocal waiting
            waiting += number
            if time.monotonic() - since < _PATIENCE:
                return
            if not bar.entered:
                shown.enter_context(bar)
            bar.update(waiting)
            waiting = 0

        yield watch
