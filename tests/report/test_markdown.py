"""Markdown: rendered, it shows every word to the letter and nothing that nobody wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from legacy_doctor.model import Judgement
from legacy_doctor.report import markdown, wording
from tests.report.judgements import ATTACK, EMPTY, EVERY, GATE, HOSTILE, SICK
from tests.report.test_text import NUMPY, finding, report

# GitHub's dialect, HTML passed through as there.
DIALECT = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
TAGS = {
    *("h2", "p", "strong", "br", "code", "pre"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Shown(HTMLParser):
    """What a reader sees of the page: its tags, its cells and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.in_cell = False
        self.feed(DIALECT.render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self.in_cell = True
        if tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        data = data.replace("\u200b", "")
        self.text += data
        if self.in_cell:
            self.rows[-1][-1] += data


@pytest.mark.parametrize("judgement", EVERY.values(), ids=EVERY)
def test_every_judgement_makes_the_page_that_was_meant(judgement: Judgement) -> None:
    shown = Shown(markdown.render(judgement))
    assert shown.tags <= TAGS
    rows = shown.rows[1:]
    assert len(rows) == (0 if wording.nothing(judgement) else len(judgement.findings))
    assert {len(row) for row in rows} <= {5}
    assert shown.text.startswith(f"legacy-doctor: {wording.standing(judgement)}")


def test_a_row_tells_what_where_how_known_and_what_to_do() -> None:
    shown = Shown(markdown.render(GATE))
    assert shown.rows[1] == [
        "❌ error",
        "numpy\nbroken-pin",
        "numpy>=1.26 admits 2.4.6, which dies on import; needs sse4_1\nin r.txt:2:3",
        "emulated, predicted",
        "add a bound\nnumpy<2.4",
    ]
    assert "1 error, 1 warning, 1 note, 1 ignored in 2 files" in shown.text
    assert "named phenom-ii" in shown.text


def test_commands_are_in_a_block_to_be_copied() -> None:
    assert "```sh\npip install 'numpy<2.4'\n```\n" in markdown.render(SICK)


def test_what_stands_in_backticks_stays_code() -> None:
    text = markdown.render(report(finding(message="SIGILL, `pinsrq` needs SSE4.1 (a|b)")))
    assert "SIGILL, `pinsrq` needs SSE4.1 (a\\|b)" in text


def test_a_hostile_name_is_shown_to_the_letter() -> None:
    shown = Shown(markdown.render(HOSTILE))
    plain = wording.one_line(ATTACK)
    cells = shown.rows[1]
    assert cells[1].startswith(f"{plain} {plain}")
    assert cells[4].splitlines()[1] == plain
    assert "@octocat" not in re.sub(r"`[^`]*`", "", markdown.render(SICK))
    outside_code = re.sub(r"(`+).*?\1(?!`)", "", markdown.render(HOSTILE), flags=re.DOTALL)
    assert "@octocat" not in outside_code, "nobody is called"


def test_nothing_to_examine_is_said() -> None:
    assert "nothing to examine" in Shown(markdown.render(EMPTY)).text


def test_of_too_much_the_worst_is_shown_and_the_rest_counted() -> None:
    many = report(*[NUMPY] * 50, *[finding("info")] * 50)
    whole = markdown.render(many)
    assert markdown.render(many, limit=len(whole.encode())) == whole
    short = markdown.render(many, limit=len(whole.encode()) // 3)
    shown = Shown(short)
    assert len(short.encode()) <= len(whole.encode()) // 3
    assert {row[0] for row in shown.rows[1:]} == {"❌ error"}
    assert f"{100 - len(shown.rows[1:])} more findings" in shown.text
    assert "50 errors, 0 warnings, 50 notes" in shown.text


WORDS = st.text(
    st.characters(blacklist_categories=["Cs"]) | st.sampled_from("`|<>*_[]()~$@#&\\!{}")
)


@given(WORDS)
def test_any_text_is_shown_to_the_letter_in_a_cell(text: str) -> None:
    table = "| a | b |\n| - | - |\n| {} | {} |\n"
    wanted = wording.one_line(text)
    shown = Shown(table.format(markdown.escaped(text), markdown.code(text)))
    assert [cell.strip() for cell in shown.rows[1]] == [wanted, wanted]
    assert shown.tags <= TAGS
