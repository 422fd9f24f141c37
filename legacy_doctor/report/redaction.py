"""What must not leave the machine: who somebody is, how it is called, where things lie there.

Known names are replaced wherever they stand. Paths that nobody named are cut to their last part
unless they lie where every Linux has the same folders. What replaces a name tells what it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

_COMMON: Final = frozenset(
    "root user users admin administrator debian ubuntu fedora centos arch alpine linux unix docker "
    "podman container runner vagrant jenkins builder build nobody guest test tester dev developer "
    "python localhost localdomain host home path environment mail credentials".split()
)
"""Names that so many machines share that they tell nothing, and words of ours."""
_SHORTEST: Final = 3
"""A shorter name cannot be told from a word; as a part of a path it is replaced all the same."""
_PUBLIC: Final = "usr|lib|lib32|lib64|libx32|bin|sbin|etc|proc|sys|dev|nix"
"""Folders at the root that are the same on every Linux."""
_PART: Final = r"[^\s/'\"`:;,()<>\[\]{}|]+"
_CREDENTIALS: Final = r"(?<=://)[^\s/@'\"]+@"
_MAIL: Final = r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_FOREIGN_HOME: Final = rf"/(?:home|Users)/{_PART}"
_PATH: Final = rf"(?<![\w.~\]/:<-])/(?!~|(?:{_PUBLIC})(?![\w-])){_PART}(?:/{_PART})*"


class Redacted(NamedTuple):
    """What is left of a text or of a JSON value, and how often each kind was replaced."""

    value: Any
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What is known to be private on this machine."""

    places: tuple[tuple[str, str], ...] = ()
    """Folders, each with what stands for it: `[environment]`, `[environment]/bin/python`."""
    homes: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def redact(self, value: Any) -> Redacted:
        """Return a text, or a tree of lists and dictionaries of texts, without any of it."""
        counts: Counter[str] = Counter()
        return Redacted(self._tree(value, counts), dict(sorted(counts.items())))

    def _tree(self, value: Any, counts: Counter[str]) -> Any:
        if isinstance(value, str):
            return self._text(value, counts)
        if isinstance(value, dict):
            return {
                self._tree(key, counts): self._tree(item, counts) for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._tree(item, counts) for item in value]
        return value

    def _text(self, value: str, counts: Counter[str]) -> str:
        def replace(match: re.Match[str]) -> str:
            kind = str(match.lastgroup)
            if kind == "path":
                counts["other folders"] += 1
                last = self._names.sub(replace, match[0].rpartition("/")[2])
                return f"[path]/{last}"
            what, shown = self._kinds[kind]
            counts[what] += 1
            return shown

        return self._everything.sub(replace, value)

    @cached_property
    def _kinds(self) -> dict[str, tuple[str, str]]:
        """What each group of the pattern is, and what stands in its place."""
        places = {f"p{index}": ("the target", shown) for index, (_, shown) in self._places()}
        return {
            "credentials": ("credentials", "[credentials]@"),
            "mail": ("e-mail addresses", "[mail]"),
            **places,
            "own": ("home folders", "~"),
            "kin": ("other folders", "[path]"),
            "foreign": ("home folders", "/home/[user]"),
            "host": ("host names", "[host]"),
            "user": ("user names", "[user]"),
        }

    def _places(self) -> Iterator[tuple[int, tuple[str, str]]]:
        return enumerate(sorted(self.places, key=lambda item: (-len(item[0]), item)))

    @cached_property
    def _everything(self) -> re.Pattern[str]:
        """One pattern, so that nothing that was put in is looked at again."""
        parts = [f"(?P<credentials>{_CREDENTIALS})", f"(?P<mail>{_MAIL})"]
        parts += [f"(?P<p{index}>{_literal(path)})" for index, (path, _) in self._places() if path]
        homes = [_literal(home) for home in _longest(self.homes) if home.strip("/")]
        parts += [f"(?P<own>{'|'.join(homes)})"] if homes else []
        kin = [path for path in (*self.homes, *(path for path, _ in self.places)) if path[1:]]
        kin = [re.escape(path.rstrip("/")) for path in _longest(kin) if path.startswith("/")]
        parts += [f"(?P<kin>(?:{'|'.join(kin)})[\\w-]+)"] if kin else []
        parts += [f"(?P<foreign>{_FOREIGN_HOME})", f"(?P<path>{_PATH})"]
        return re.compile("|".join((*parts, *self._words())), re.IGNORECASE)

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return re.compile("|".join(self._words()) or r"(?!)", re.IGNORECASE)

    def _words(self) -> Iterator[str]:
        """Yield the patterns of names, each a whole word: `bob` is not in `bobbin`."""
        hosts = {*self.hosts, *(host.partition(".")[0] for host in self.hosts)}
        for kind, names in (("host", hosts), ("user", self.users)):
            told = [re.escape(name) for name in _longest(names) if private(name)]
            if told:
                yield rf"(?P<{kind}>(?<![^\W_])(?:{'|'.join(told)})(?![^\W_]))"


def private(name: str) -> bool:
    """True where a name tells whose machine it is."""
    return len(name) >= _SHORTEST and name.lower() not in _COMMON


def _longest(names: Iterable[str]) -> list[str]:
    return sorted({*names} - {""}, key=lambda name: (-len(name), name))


def _literal(path: str) -> str:
    """Return the pattern of a path; a relative one must stand alone."""
    before = "" if path.startswith("/") else r"(?<![\w./-])"
    return rf"{before}{re.escape(path.rstrip('/'))}(?![\w-])"
