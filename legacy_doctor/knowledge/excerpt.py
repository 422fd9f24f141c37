"""The part of the shipped pin-sets that speaks of some distributions, cut out before it is parsed.

Parsing and checking a thousand pins takes longer than all else that a look at one requirement
file does. A shipped file is checked by our tests and is of one form: every statement begins with
a line like `[[pins]]`, and its keys stand at the beginning of lines. Files of users are read
whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_KINDS: Final = "pins|removals|conflicts|incompatibilities|soft-imports"
_STATEMENT: Final = re.compile(rf"^\[\[(?=(?:{_KINDS})\]\]$)", re.MULTILINE)
_ALTERNATIVE: Final = re.compile(r'requirement = "([A-Za-z0-9._-]+)')
_UNLESS: Final = re.compile(r"^unless-installed = \[([^]]*)\]", re.MULTILINE)
_PAIR: Final = re.compile(r'^(?:first|second|distribution|imports) = "([\w.-]+)', re.MULTILINE)
_QUOTED: Final = re.compile(r'"([^"]+)"')


def cut(texts: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return the texts without the statements that have nothing to do with the distributions.

    Kept are pins and removals about them, pins that name one as an alternative, pins about what
    these bring with them, and what is said of two or more together. That something runs is of use
    only where something else about it breaks: of the rest, nothing is kept.
    """
    wanted = set(names)
    split = [_STATEMENT.split(text) for text in texts]
    every = [statement for _, *rest in split for statement in rest]
    breaking = {_first(statement) for statement in every if "\nbroken =" in statement}
    left = {
        statement: _names(statement)
        for statement in every
        if not statement.startswith("pins") or _first(statement) in breaking
    }
    kept: set[str] = set()
    while True:
        more = [
            statement for statement, about in left.items() if _concerns(statement, about, wanted)
        ]
        if not more:
            break
        kept.update(more)
        for statement in more:
            wanted.update(_brings(statement))
            del left[statement]
    return [
        head + "".join(f"[[{statement}" for statement in statements if statement in kept)
        for head, *statements in split
    ]


def _names(statement: str) -> Sequence[str]:
    """Return the distributions that a statement is about."""
    if statement.startswith(("pins", "removals")):
        about = [_first(statement)]
        if "requirement =" in statement:
            about += _ALTERNATIVE.findall(statement)
        return about
    if statement.startswith("conflicts"):
        return _QUOTED.findall(statement.partition("distributions =")[2].partition("]")[0])
    return _PAIR.findall(statement)


def _first(statement: str) -> str:
    """Return what a pin or a removal is about: `distribution` is its first key."""
    return statement.split('"', 2)[1]


def _concerns(statement: str, about: Sequence[str], names: set[str]) -> bool:
    single = statement.startswith(("pins", "removals"))
    return len(names.intersection(about)) > (0 if single else 1)


def _brings(statement: str) -> Iterable[str]:
    if not statement.startswith("pins"):
        return ()
    unless = _UNLESS.search(statement) if "unless-installed" in statement else None
    return (_first(statement), *(_QUOTED.findall(unless[1]) if unless else ()))
