"""Colour adds escape codes, and not a character moves."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.report import layout, terminal
from legacy_doctor.report.layout import Page, Span

CODES = re.compile(r"\x1b\[[0-9;]*m")


def test_styles_become_escape_codes() -> None:
    text = terminal.render([(Span("[x] ", "bold red"), Span("numpy"))])
    assert text == "\x1b[1;31m[x] \x1b[0mnumpy\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[bold]no markup[/bold]", id="brackets are no markup"),
        pytest.param("x" * 500, id="long lines are not wrapped"),
        pytest.param("12 /path True 'text'", id="nothing is highlighted"),
        pytest.param(":smile:", id="no emoji"),
        pytest.param("ends in blanks  ", id="blanks at the end are cut in both"),
    ],
)
def test_the_same_characters_as_without_colour(text: str) -> None:
    lines = [(Span(text),), (Span("> ", "green"), Span(text))]
    assert CODES.sub("", terminal.render(lines)) == layout.plain(lines)


@settings(deadline=None)
@given(st.text("ab [/]\\:{}", max_size=40), st.sampled_from(["", "dim", "bold red", "cyan"]))
def test_whatever_the_text(text: str, style: str) -> None:
    lines = list(layout.paragraph(Page(width=20), "- ", text, style=style))
    assert CODES.sub("", terminal.render(lines)) == layout.plain(lines)
