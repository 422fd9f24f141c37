"""HTML that is escaped by construction."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.report.markup import join, prose, tag, text


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.said = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (tag("p", "a < b & c"), "<p>a &lt; b &amp; c</p>"),
        (tag("p", tag("b", "x"), None, " y"), "<p><b>x</b> y</p>"),
        (tag("dt", class_="a b", aria_label='"q"'), '<dt class="a b" aria-label="&quot;q&quot;"></dt>'),
        (tag("a", "x", href=None), "<a>x</a>"),
        (tag("meta", charset="utf-8"), '<meta charset="utf-8">'),
        (tag("circle", r=3), '<circle r="3"/>'),
        (join("<", tag("i", ">")), "&lt;<i>&gt;</i>"),
        (prose("dies of `pinsrq`, `<b>`"), "dies of <code>pinsrq</code>, <code>&lt;b&gt;</code>"),
        (prose("a lone ` is itself"), "a lone ` is itself"),
        (text("\x00\x1b[1m\ud800\x85\tx"), "��[1m��\tx"),
    ],
    ids=[
        "text is escaped",
        "markup among the children is kept",
        "attributes are named as in HTML",
        "an attribute without a value is left out",
        "a void element is not closed",
        "a shape closes itself",
        "joined",
        "what stands between backticks is code",
        "one backtick is no quotation",
        "what no screen can show",
    ],
)  # fmt: skip
def test_elements(made: str, expected: str) -> None:
    assert made == expected


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_becomes_markup(content: str, value: str) -> None:
    read = _Reader(tag("p", content, prose(content), title=value))

    assert [name for name in read.tags if name != "code"] == ["p"]
    assert text(read.values[0] or "") == text(value)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_every_other_text_is_read_as_it_was_written(content: str) -> None:
    assert _Reader(tag("p", content)).said == content
