"""The formats that CI systems read: one word of the command line for each, whatever was judged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from legacy_doctor.cli import options, output
from legacy_doctor.model import Judgement

_ROOM: Final = 1 << 20
"""Bytes that GitHub takes of the job summary of one step; of more it shows nothing at all."""


def render(judgement: Judgement, form: str) -> str:
    """Return an environment's or some files' judgement in one of `options.CI_FORMATS`.

    The exit code that belongs to it is `report.wording.exit_code`, the same for all of them.
    """
    from legacy_doctor.diagnosis import guidance
    from legacy_doctor.report import github, junit, markdown, sarif

    if form == "github":
        return github.render(judgement)
    if form == "markdown":
        return markdown.render(judgement)
    if form == "sarif":
        return sarif.render(judgement, guidance.every())
    if form == "junit":
        return junit.render(judgement, guidance.every())
    raise ValueError(f"{form}: none of {', '.join(options.CI_FORMATS)}")


def deliver(judgement: Judgement, form: str, destination: Path | None) -> None:
    """Write the judgement, and for `github` the summary of the job where a runner asks for it."""
    output.write(render(judgement, form), destination)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if form == "github" and summary:
        _summarize(judgement, Path(summary))


def _summarize(judgement: Judgement, path: Path) -> None:
    """Append the report to the job summary; that it cannot be written fails no check."""
    from legacy_doctor.report import markdown

    try:
        room = _ROOM - (path.stat().st_size if path.exists() else 0)
        text = markdown.render(judgement, limit=room)
        if len(text.encode()) > room:
            _warn(path, "no room is left in it")
            return
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        _warn(path, error.strerror or str(error))


def _warn(path: Path, reason: str) -> None:
    click.echo(f"warning: {path}: no job summary was written ({reason})", err=True)
