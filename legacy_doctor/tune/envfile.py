"""Edit the text of a `.env`: what is not ours stays byte for byte, where it is.

There is no standard for these files. Read here is what python-dotenv, Docker, systemd and a shell
agree on: `[export ]NAME=value`, `#` comments, values in single or double quotes, which may run over
several lines (python-dotenv and shells). Of several lines with one name the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

MARK: Final = "# legacy-doctor tune"
"""The comment above what was added; found again, it is not added twice."""

_LINE: Final = re.compile(
    r"""
    (?P<head> \ufeff? [ \t]* (?:export[ \t]+)? (?P<name> [^\s=#'"]+ ) [ \t]* = [ \t]* )
    (?P<value>
        ' (?: [^'\\] | \\. )* ' (?= [ \t]* (?: \#[^\r\n]* )? (?: [\r\n] | \Z ) )
      | " (?: [^"\\] | \\. )* " (?= [ \t]* (?: \#[^\r\n]* )? (?: [\r\n] | \Z ) )
      | (?! \#) [^\r\n]*? (?= [ \t]+\# | [ \t]* (?: [\r\n] | \Z ) )
      |
    )
    (?P<tail> [^\r\n]* (?: \r\n | \r | \n | \Z ) )
    """,
    re.VERBOSE | re.DOTALL,
)
_OTHER: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_END: Final = re.compile(r"\r\n|\r|\n")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


class Line(NamedTuple):
    """A line, or several where a quoted value runs over them; the parts together are the text."""

    head: str
    value: str
    """As written, with its quotes."""
    tail: str
    name: str = ""
    """Empty for a comment, a blank line, and what is no assignment."""

    @property
    def text(self) -> str:
        """The line as it stands in the file."""
        return self.head + self.value + self.tail

    @property
    def plain(self) -> str:
        """The value as a program gets it."""
        quote = self.value[:1]
        if len(self.value) < 2 or quote not in {"'", '"'} or self.value[-1] != quote:
            return self.value
        known = _ESCAPES if quote == '"' else {}
        return re.sub(
            r"\\(.)", lambda found: known.get(found[1], found[1]), self.value[1:-1], flags=re.DOTALL
        )


class Edit(NamedTuple):
    """The new text, and what it does to what was there."""

    text: str
    changed: tuple[tuple[str, str, str], ...] = ()
    """Name, old and new value."""
    added: tuple[str, ...] = ()


def lines(text: str) -> Iterator[Line]:
    """Yield the lines of the text; joined they are the text again, whatever it is."""
    place = 0
    while place < len(text):
        found = _LINE.match(text, place)
        if found:
            yield Line(found["head"], found["value"], found["tail"], found["name"])
        else:
            found = _OTHER.match(text, place)
            yield Line(found[0] if found else text[place:], "", "")
        place = found.end() if found else len(text)


def values(text: str) -> dict[str, str]:
    """Return the variables that the text sets."""
    return {line.name: line.plain for line in lines(text) if line.name}


def edit(text: str, wanted: Mapping[str, str], title: str = "") -> Edit:
    """Return the text with the wanted values: changed in place, or added at the end.

    Quotes, spaces, comments and `export` of a line stay; only the last line of a name is touched.
    The wanted values must need no quotes. Applied to its own result it changes nothing.
    """
    parts = list(lines(text))
    last = {line.name: index for index, line in enumerate(parts) if line.name in wanted}
    changed = []
    for name, index in sorted(last.items(), key=lambda item: item[1]):
        line = parts[index]
        if line.plain != wanted[name]:
            changed.append((name, line.plain, wanted[name]))
            gap = " " if line.tail.startswith("#") else ""  # else it would be part of the value
            parts[index] = line._replace(value=_written(line, wanted[name]), tail=gap + line.tail)
    added = tuple(name for name in wanted if name not in last)
    whole = "".join(line.text for line in parts)
    new = "".join(_added(whole, {name: wanted[name] for name in added}, title))
    return Edit(whole + new, tuple(changed), added)


def _written(line: Line, value: str) -> str:
    quote = line.value[:1]
    quoted = quote in {"'", '"'} and len(line.value) > 1 and line.value[-1] == quote
    return f"{quote}{value}{quote}" if quoted else value


def _added(before: str, new: Mapping[str, str], title: str) -> Iterator[str]:
    """Yield what is put below, with the line ends that the text has."""
    if not new:
        return
    found = _END.search(before)
    end = found[0] if found else "\n"
    if before and not before.endswith(("\r", "\n")):
        yield end
    if MARK not in before:
        yield f"{end if before.strip() else ''}{MARK}{f': {title}' if title else ''}{end}"
    for name, value in new.items():
        yield f"{name}={value}{end}"
