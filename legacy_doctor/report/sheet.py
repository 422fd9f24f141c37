"""What every page has in common: nothing to load, nothing to run, readable light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from legacy_doctor.report.markup import Markup, join, tag

STYLE: Final = Path(__file__).with_name("page.css")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A browser that is given such a page loads nothing and runs nothing, whatever got into it."""


def whole(title: str, version: str, body: Markup) -> str:
    """Return a page of its own; `version` is that of legacy-doctor."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"legacy-doctor {version}"),
        tag("title", f"{title} · legacy-doctor"),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def section(name: str, title: str, *children: Markup | None) -> Markup:
    """Return a part of a page under a heading of its own."""
    head = tag("h2", title, id=name)
    return tag("section", head, *children, aria_labelledby=name)


def fact(name: str, value: str | Markup) -> Markup:
    """Return a name with its value, for a `dl`."""
    return join(tag("dt", name), tag("dd", value))
