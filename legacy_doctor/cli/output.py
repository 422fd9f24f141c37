"""Where a report goes: stdout or a file, with colour where a person looks at it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from legacy_doctor.errors import DoctorError
from legacy_doctor.report import layout

Lines = Callable[[layout.Page], "list[layout.Line]"]


def show(lines: Lines, output: Path | None, *, color: bool | None) -> None:
    """Lay out a text report for the terminal at hand, or plainly for a file or a pipe."""
    colored = output is None and (_wants_color() if color is None else color)
    unicode = output is not None or speaks_unicode(sys.stdout)
    page = layout.Page(width=_width(), unicode=unicode)
    laid_out = lines(page)
    if colored:
        # Loaded for a terminal only: it costs more than all the rest of a small report.
        from legacy_doctor.report import terminal

        text = terminal.render(laid_out)
    else:
        text = layout.plain(laid_out)
    write(text, output)


def write(text: str, output: Path | None) -> None:
    """Print `text`, or put it whole into a file: never half a report.

    What is no regular file (/dev/null, a pipe) is written to and never replaced.
    """
    if output is None:
        click.echo(text, nl=not text.endswith("\n"), color=True)
        return
    import tempfile  # takes longer to load than most reports to write

    text = text if text.endswith("\n") else f"{text}\n"
    try:
        if output.exists() and not output.is_file():
            output.write_text(text, encoding="utf-8")
            return
        # A link stays a link: what it leads to is replaced.
        output = output.resolve()
        folder = output.parent
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o666 & ~_umask())
        os.replace(file.name, output)
    except OSError as error:
        raise DoctorError(f"{output}: cannot be written ({error.strerror or error})") from error


@contextmanager
def progress(total: int, label: str) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr where a person looks at it; what is yielded is called at each step."""
    if not total or not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield lambda: bar.update(1)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _width() -> int:
    """80 columns; what the terminal has, between 60 and 100."""
    if not sys.stdout.isatty():
        return 80
    try:
        return max(60, min(os.get_terminal_size(sys.stdout.fileno()).columns, 100))
    except OSError:
        return 80


def speaks_unicode(stream: TextIO) -> bool:
    """Tell whether what is written there may hold more than ASCII."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def _wants_color() -> bool:
    """Follow NO_COLOR and FORCE_COLOR (no-color.org, force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
