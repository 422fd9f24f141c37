"""HTML that is escaped by construction: whatever is not `Markup` already is text."""

from __future__ import annotations

from html import escape
from typing import Final

_EMPTY: Final = frozenset({"meta", "br", "hr", "rect", "circle", "line", "path"})
"""Elements without content: those of HTML, and the shapes of SVG that we draw."""


class Markup(str):
    """A piece of HTML: made by `tag` and `join`, and by nobody else."""

    __slots__ = ()


Child = str | None
"""Text, unless it is `Markup`; None leaves nothing."""


def text(value: str) -> Markup:
    """Return a text with nothing in it that could be taken for markup.

    What XML forbids (control characters, lone surrogates) becomes U+FFFD: a screen cannot show
    it, and a parser may stop there.
    """
    return Markup(escape("".join(char if _allowed(char) else "�" for char in value)))


def _allowed(char: str) -> bool:
    code = ord(char)
    return (code >= 0x20 and not 0x7F <= code <= 0x9F and not 0xD800 <= code <= 0xDFFF) or (
        char in "\n\t"
    )


def tag(name: str, /, *children: Child, **attributes: str | int | None) -> Markup:
    """Return an element; `class_` is `class`, `aria_label` is `aria-label`, None leaves out."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        closing = "/" if name not in {"meta", "br", "hr"} else ""
        return Markup(f"<{name}{words}{closing}>")
    return Markup(f"<{name}{words}>{join(*children)}</{name}>")


def prose(value: str) -> Markup:
    """Return a sentence in which what stands between backticks is code."""
    parts = value.split("`")
    if len(parts) % 2 == 0:  # a backtick without its like is no quotation
        return text(value)
    return join(*(tag("code", part) if place % 2 else part for place, part in enumerate(parts)))


def join(*children: Child) -> Markup:
    """Return the children one after another; text among them is escaped."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else text(child)
            for child in children
            if child is not None
        )
    )
