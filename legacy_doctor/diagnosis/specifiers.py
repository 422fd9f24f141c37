"""Can two version specifiers be met at once? Decided without an index of what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version


def admits(specifier: str | None, version: str) -> bool:
    """True where `version` satisfies `specifier`; a specifier that is None admits nothing."""
    return specifier is not None and SpecifierSet(specifier).contains(version, prereleases=True)


def intersect(*specifiers: str) -> str:
    """Return the specifier that asks for all of them."""
    parts = dict.fromkeys(part for text in specifiers for part in text.split(",") if part)
    return ",".join(parts)


def compatible(one: str, other: str) -> bool:
    """True where some version satisfies both.

    Specifiers are unions of intervals whose ends are the versions they name, so it is enough to
    try those versions and a neighbour on either side of each.
    """
    both = SpecifierSet(intersect(one, other))
    return any(both.contains(version, prereleases=True) for version in _candidates(one, other))


def _candidates(*specifiers: str) -> Iterator[Version]:
    yield Version("0")
    for text in specifiers:
        for specifier in SpecifierSet(text):
            try:
                named = Version(specifier.version.removesuffix(".*"))
            except InvalidVersion:  # `===` takes any text
                continue
            yield named
            yield from _neighbours(named)


def _neighbours(version: Version) -> Iterator[Version]:
    epoch = f"{version.epoch}!" if version.epoch else ""
    release = version.release
    following = re.sub(r"\d+$", lambda last: str(int(last[0]) + 1), version.public)
    yield Version(following)
    yield Version(following.partition(".dev")[0] + ".dev0")
    yield Version(f"{epoch}{'.'.join(map(str, release))}.0.1")
    yield Version(f"{epoch}{version.base_version.rpartition('!')[2]}.dev0")
    for place in range(len(release)):
        head = release[:place]
        yield Version(epoch + _dotted(*head, release[place] + 1))
        if release[place]:
            yield Version(epoch + _dotted(*head, release[place] - 1, 99999))
    yield Version(f"{epoch}99999")


def _dotted(*numbers: int) -> str:
    return ".".join(map(str, numbers))
