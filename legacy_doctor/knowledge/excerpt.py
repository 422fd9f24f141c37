"""The part of the shipped pin-sets that speaks of some distributions, cut out before it is parsed.

Parsing and checking a thousand pins takes longer than all else that a look at one requirement
file does. A shipped file is checked by our tests and of one form: every pin begins with a line
`[[pins]]`, its keys stand at the beginning of lines. Files of users are read whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_PIN: Final = "\n[[pins]]\n"
_REST: Final = re.compile(r"^\[(?!\[?pins[.\]])", re.MULTILINE)
_DISTRIBUTION: Final = re.compile(r'^distribution = "([^"]+)"', re.MULTILINE)
_ALTERNATIVE: Final = re.compile(r'\brequirement = "([A-Za-z0-9._-]+)')
_UNLESS: Final = re.compile(r"^unless-installed = \[([^]]*)\]", re.MULTILINE)
_QUOTED: Final = re.compile(r'"([^"]+)"')


def cut(texts: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return the texts without the pins that have nothing to do with the distributions.

    Kept are the pins about them, those that name one as an alternative, and those about what
    these bring with them; all that is no pin stays.
    """
    split = [text.split(_PIN) for text in texts]
    rest = [_REST.search(pieces[-1]) if len(pieces) > 1 else None for pieces in split]
    tails = [
        pieces[-1][match.start() :] if match else ""
        for pieces, match in zip(split, rest, strict=True)
    ]
    pins = [
        [*pieces[1:-1], *([pieces[-1].removesuffix(tail)] if len(pieces) > 1 else [])]
        for pieces, tail in zip(split, tails, strict=True)
    ]
    wanted = _closure([pin for each in pins for pin in each], frozenset(names))
    return [
        "".join([pieces[0], *(f"{_PIN}{pin}" for pin in each if pin in wanted), "\n", tail])
        for pieces, each, tail in zip(split, pins, tails, strict=True)
    ]


def _closure(pins: Sequence[str], names: frozenset[str]) -> set[str]:
    """Return the pins about the names, and about what those pins say belongs to them."""
    about = [(pin, _DISTRIBUTION.findall(pin)[:1], _ALTERNATIVE.findall(pin)) for pin in pins]
    chosen: set[str] = set()
    while True:
        more = {
            pin
            for pin, distribution, alternatives in about
            if pin not in chosen and not names.isdisjoint((*distribution, *alternatives))
        }
        if not more:
            return chosen
        chosen |= more
        names |= {name for pin in more for name in _belonging(pin)}


def _belonging(pin: str) -> Iterable[str]:
    unless = _UNLESS.search(pin)
    return (*_DISTRIBUTION.findall(pin)[:1], *(_QUOTED.findall(unless[1]) if unless else ()))
