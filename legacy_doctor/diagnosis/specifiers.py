"""Can two version specifiers be met at once? Decided without an index of what exists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packaging.specifiers import InvalidSpecifier, SpecifierSet
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


def newest(specifier: str, known: Iterable[Version]) -> Version | None:
    """Return the newest version that an installer may find for `specifier`; None where none is.

    Of the known ones if it admits any; else of those that it names itself, else of what lies
    beside them. Pre-releases only where nothing else is admitted, as PEP 440 has it.
    """
    wanted = SpecifierSet(specifier)
    for versions in (tuple(known), tuple(named(specifier)), tuple(_candidates(specifier))):
        for prereleases in (None, True):
            admitted = [item for item in versions if wanted.contains(item, prereleases)]
            if admitted:
                return max(admitted)
    return None


def _candidates(*specifiers: str) -> Iterator[Version]:
    yield Version("0")
    for item in named(*specifiers):
        yield item
        yield from _neighbours(item)


def named(*specifiers: str) -> Iterator[Version]:
    """Yield the versions that the specifiers name, whether they admit them or not."""
    for text in specifiers:
        versions = (version(item.version.removesuffix(".*")) for item in SpecifierSet(text))
        yield from (item for item in versions if item is not None)


def version(text: str) -> Version | None:
    """Return the version that a text is; None where it is none (`===` takes any text)."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def is_specifier(text: str) -> bool:
    """Tell whether a text is a version specifier."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def following(version: Version) -> Iterator[Version]:
    """Yield later releases of the kind that may exist: the last number one up, then others."""
    epoch = f"{version.epoch}!" if version.epoch else ""
    for place in reversed(range(len(version.release))):
        yield Version(epoch + _dotted(*version.release[:place], version.release[place] + 1))


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
