"""Colour for a terminal, by rich."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from legacy_doctor.report.layout import Line


def render(lines: Iterable[Line]) -> str:
    """Return the lines with the escape codes of a terminal; not a character moves."""
    buffer = io.StringIO()
    # The caller has weighed NO_COLOR and the --color option; rich must not weigh again.
    console = Console(
        file=buffer,
        force_terminal=True,
        no_color=False,
        color_system="standard",
        highlight=False,
        width=10_000,
    )
    for line in lines:
        text = Text.assemble(*((span.text, span.style) for span in line))
        text.rstrip()
        console.print(text, soft_wrap=True)
    return buffer.getvalue()
