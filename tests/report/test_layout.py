"""Lines: wrapped on purpose and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.report import layout
from legacy_doctor.report.layout import Page, Span

NARROW = Page(width=20)


def shown(page: Page, lead: str, text: str, indent: int | None = None) -> str:
    return layout.plain(layout.paragraph(page, lead, text, indent=indent))


@pytest.mark.parametrize(
    ("lead", "text", "indent", "wanted"),
    [
        pytest.param("", "", None, "\n", id="nothing"),
        pytest.param("- ", "", None, "-\n", id="a lead alone: no blank at the end"),
        pytest.param("- ", "short", None, "- short\n", id="one line"),
        pytest.param(
            "- ",
            "a text that has to be wrapped",
            None,
            "- a text that has to\n  be wrapped\n",
            id="below the text",
        ),
        pytest.param(
            "- ",
            "a text that has to be wrapped",
            4,
            "- a text that has to\n    be wrapped\n",
            id="at an indent",
        ),
        pytest.param(
            "- ",
            "see /a/path/that/is/longer/than/the/page now",
            None,
            "- see\n  /a/path/that/is/longer/than/the/page\n  now\n",
            id="a long word stays whole",
        ),
        pytest.param(
            "- ",
            "/a/path/that/is/longer/than/the/page now",
            None,
            "- /a/path/that/is/longer/than/the/page\n  now\n",
            id="a long word first",
        ),
        pytest.param(
            "",
            "numpy-and-pandas-and torch-geometric",
            None,
            "numpy-and-pandas-and\ntorch-geometric\n",
            id="names are not broken at hyphens",
        ),
        pytest.param("", "one\ntwo", None, "one two\n", id="a line break is a blank"),
    ],
)
def test_a_paragraph(lead: str, text: str, indent: int | None, wanted: str) -> None:
    assert shown(NARROW, lead, text, indent) == wanted


@settings(deadline=None)
@given(st.text("ab -/", max_size=60), st.integers(1, 30), st.integers(0, 8))
def test_a_paragraph_keeps_every_word_and_the_width(text: str, width: int, lead: int) -> None:
    lines = shown(Page(width=width), "x" * lead, text).removesuffix("\n").split("\n")
    assert lines[0].startswith("x" * lead)
    words = [word for line in [lines[0][lead:], *lines[1:]] for word in line.split()]
    assert words == text.split()
    for line in lines[1:]:
        assert len(line) <= width or len(line.split()) == 1


def test_only_the_lead_is_styled() -> None:
    first, rest = layout.paragraph(NARROW, "- ", "a text that has to be wrapped", style="red")
    assert first == (Span("- ", "red"), Span("a text that has to"))
    assert rest == (Span("  be wrapped"),)


def test_a_field_has_a_column_of_its_own() -> None:
    lines = layout.field(Page(width=30), "needs", "sse4_1 sse4_2 popcnt")
    assert layout.plain(lines) == "  needs          sse4_1 sse4_2\n                 popcnt\n"
    assert layout.plain(layout.field(Page(), "a", "b", 3)) == "  a  b\n"


def test_the_longest_name_of_a_field_does_not_touch_its_value() -> None:
    assert layout.plain(layout.field(Page(), "this CPU lacks", "avx")) == "  this CPU lacks avx\n"


def test_a_field_is_dim_unless_told_otherwise() -> None:
    assert next(layout.field(Page(), "a", "b"))[0].style == "dim"
    assert next(layout.field(Page(), "a", "b", style="bold"))[0].style == "bold"


def test_a_line_of_one_style() -> None:
    assert layout.line("x", "bold") == (Span("x", "bold"),)
    assert layout.plain([layout.line()]) == "\n"


@pytest.mark.parametrize(
    ("page", "marks", "arrow", "dot"),
    [
        pytest.param(Page(), ["[✗]", "[!]", "[i]", "[✓]"], "╰─>", "·", id="unicode"),
        pytest.param(Page(unicode=False), ["[x]", "[!]", "[i]", "[+]"], "`->", "-", id="ASCII"),
    ],
)
def test_marks_are_told_apart_without_colour(
    page: Page, marks: list[str], arrow: str, dot: str
) -> None:
    assert [page.mark(word) for word in ("error", "warning", "info", "ok")] == marks
    assert len(set(marks)) == 4
    assert (page.arrow, page.dot) == (arrow, dot)
    assert page.unicode or "".join([*marks, arrow, dot]).isascii()
