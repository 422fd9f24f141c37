"""Lines of styled text, wrapped on purpose and nowhere else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A piece of a line; `style` is a rich style name, empty for plain."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


class Page(NamedTuple):
    """What the reader's screen can show."""

    width: int = 80
    unicode: bool = True

    def mark(self, severity: str) -> str:
        """Return the mark of a severity, told apart without colour."""
        return (
            {"error": "[x]", "warning": "[!]", "info": "[i]", "ok": "[+]"}[severity]
            if (not self.unicode)
            else {"error": "[✗]", "warning": "[!]", "info": "[i]", "ok": "[✓]"}[severity]
        )

    @property
    def arrow(self) -> str:
        """What stands before a reason."""
        return "╰─>" if self.unicode else "`->"

    @property
    def dot(self) -> str:
        """What stands between the parts of a headline."""
        return "·" if self.unicode else "-"


def plain(lines: Iterable[Line]) -> str:
    """Return the lines as text without colour."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines) + "\n"


def line(text: str = "", style: str = "") -> Line:
    """Return a line of one style."""
    return (Span(text, style),)


def paragraph(
    page: Page, lead: str, text: str, *, style: str = "", indent: int | None = None
) -> Iterator[Line]:
    """Yield `lead` and `text`, wrapped to the page below the text (or at `indent`).

    Words are never broken: a long path or command sticks out and stays whole.
    """
    hang = " " * (len(lead) if indent is None else indent)
    wrapped = textwrap.wrap(
        text,
        width=page.width,
        initial_indent=" " * len(lead),
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    first = wrapped[0][len(lead) :] if wrapped else ""
    yield (Span(lead, style), Span(first))
    for rest in wrapped[1:]:
        yield line(rest)


def field(page: Page, name: str, text: str, width: int = 15, style: str = "") -> Iterator[Line]:
    """Yield a named value: the name in a column of its own."""
    yield from paragraph(page, f"  {name:<{width}}", text, style=style or "dim")
