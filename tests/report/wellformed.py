"""What a page is made of, read by the standard library's parser, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Final, NamedTuple

VOID: Final = frozenset({"meta", "br", "hr"})
_LOADING: Final = frozenset(
    {"src", "srcset", "poster", "data", "action", "background", "xlink:href"}
)


class Element(NamedTuple):
    tag: str
    attributes: dict[str, str]
    within: tuple[str, ...]


class Document(HTMLParser):
    """Elements and text of a page, with the mistakes of its tags."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.mistakes: list[str] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.style = ""
        self.headings: list[tuple[int, str]] = []
        self.feed(text)
        self.close()
        self.mistakes += [f"<{tag}> is never closed" for tag in self._open]

    @property
    def text(self) -> str:
        """What a reader sees, spaces joined."""
        return " ".join(" ".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if len(attributes) != len(attrs):
            self.mistakes.append(f"<{tag}> has an attribute twice")
        self.elements.append(Element(tag, attributes, tuple(self._open)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()
        if "svg" not in self._open:
            self.mistakes.append(f"<{tag}/> stands outside SVG")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.style += data
            return
        self._text.append(data)
        if self.headings and any(re.fullmatch("h[1-6]", tag) for tag in self._open):
            level, said = self.headings[-1]
            self.headings[-1] = (level, said + data)

    def ids(self) -> list[str]:
        return [item.attributes["id"] for item in self.elements if "id" in item.attributes]

    def wrong(self) -> list[str]:
        """Everything that is wrong with the page."""
        return [*self.mistakes, *self._ids_wrong(), *self._outline_wrong(), *self._loads()]

    def _ids_wrong(self) -> Iterator[str]:
        ids = self.ids()
        yield from (f"id {name} is there twice" for name in {*ids} if ids.count(name) > 1)
        for item in self.elements:
            for name in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
                for wanted in item.attributes.get(name, "").split():
                    if wanted not in ids:
                        yield f"{name} of <{item.tag}> names {wanted}, which is not there"

    def _outline_wrong(self) -> Iterator[str]:
        levels = [level for level, _ in self.headings]
        if levels[:1] != [1] or levels.count(1) != 1:
            yield "there is not one h1, at the top"
        for before, level in pairwise(levels):
            if level > before + 1:
                yield f"h{level} follows h{before}"
        yield from (f"an h{level} is empty" for level, said in self.headings if not said.strip())

    def _loads(self) -> Iterator[str]:
        """Yield what would make a browser ask somebody for something, or run something."""
        for tag, attributes, within in self.elements:
            if tag in {"script", "link", "img", "iframe", "object", "embed", "form", "base", "use"}:
                yield f"<{tag}> is there"
            yield from (f"{name} is set" for name in {*attributes} & _LOADING)
            yield from (f"{name} is a handler" for name in attributes if name.startswith("on"))
            href = attributes.get("href")
            if href is not None and not (
                tag == "a" and "article" in within and href.startswith(("https://", "http://"))
            ):
                yield f"<{tag}> leads to {href}"
            if "url(" in attributes.get("style", ""):
                yield "a style loads something"
        if re.search(r"url\(|@import|@font-face", self.style):
            yield "the style sheet loads something"
