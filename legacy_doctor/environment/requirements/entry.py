"""One requirement as PEP 508 writes it: `name[extras]>=1.0; marker` or `name @ url`.

The plain form, nine lines of ten, is read with one expression; `packaging` is asked for the rest,
because importing its parser takes longer than reading a file of a hundred lines.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from legacy_doctor.model import Location, Requirement, RequirementKind

NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
NAMED: Final = re.compile(NAME)
_NUMBER: Final = r"\d+(?:\.\d+)*"
_SUFFIX: Final = r"(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?"
_CLAUSE: Final = (
    rf"(?:(?:==|!=)[ \t]*{_NUMBER}(?:\.\*|{_SUFFIX}(?:\+[a-z0-9]+(?:\.[a-z0-9]+)*)?)"
    rf"|(?:<=|>=|<|>)[ \t]*{_NUMBER}{_SUFFIX}|~=[ \t]*\d+(?:\.\d+)+{_SUFFIX})"
)
_HEAD: Final = re.compile(rf"(?P<name>{NAME})[ \t]*(?:\[(?P<extras>[^\]]*)\][ \t]*)?", re.ASCII)
_PLAIN: Final = re.compile(rf"{_CLAUSE}(?:[ \t]*,[ \t]*{_CLAUSE})*", re.ASCII)
_EXTRAS: Final = re.compile(rf"[ \t]*{NAME}(?:[ \t]*,[ \t]*{NAME})*[ \t]*", re.ASCII)
_EXACT: Final = re.compile(r"={2,3}([^,*]+)")
_SPACE: Final = re.compile(r"\s+")
_SEPARATORS: Final = re.compile(r"[-_.]+")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://|file:|[a-z]:[\\/]", re.IGNORECASE)
_PATH: Final = re.compile(r"[^\s<>=!~;@\[\]]+(?:\[[^\]]*\])?")
_EGG: Final = re.compile(rf"[#&]egg=(?P<name>{NAME})(?:\[(?P<extras>[^\]]*)\])?")
_MARKER: Final = re.compile(r"(?:(?<=\s);|;(?=\s))(?P<marker>.*)", re.DOTALL)
_ARCHIVES: Final = (
    re.compile(
        r"(?:^\s*|[/\\])(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>\d[^-/\\]*)"
        r"-[^/\\]*\.whl(?=[?#\[]|\s*$)"
    ),
    re.compile(
        rf"(?:^\s*|[/\\])(?P<name>{NAME})-(?P<version>\d[^-/\\]*?)"
        r"(?:\.tar\.(?:gz|bz2|xz)|\.tgz|\.zip)(?=[?#\[]|\s*$)"
    ),
)
"""File names of wheels, in which no name has a hyphen, and of source archives."""


class Entry(NamedTuple):
    """What the text of one requirement says; offsets count from its first character."""

    name: str
    """As written."""
    start: int
    end: int
    """Behind the specifier: where a further clause may be written."""
    specifier: str = ""
    extras: frozenset[str] = frozenset()
    marker: str = ""
    origin: str = ""
    """The address of a direct reference."""
    version: str | None = None

    def requirement(
        self, kind: RequirementKind, location: Location, end: Location | None, text: str
    ) -> Requirement:
        """Return it as the other rooms know it."""
        return Requirement(
            name=normalized(self.name),
            kind=kind,
            location=location,
            end=None if self.origin else end,
            specifier=self.specifier,
            version=self.version,
            extras=self.extras,
            marker=self.marker,
            origin=self.origin,
            text=text,
        )


class EntryError(ValueError):
    """The text is no requirement; the message says why, in words for the reader."""


def normalized(name: str) -> str:
    """Return a distribution name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()


def parse(text: str) -> Entry:
    """Read one requirement; raises `EntryError` where PEP 508 forbids it."""
    start = len(text) - len(text.lstrip())
    head = _HEAD.match(text, start)
    if head is None:
        raise EntryError("no distribution name")
    extras = head["extras"]
    rest = text[head.end() :]
    written = rest.partition(";")[0].rstrip()
    plain = not rest or (rest == written and _PLAIN.fullmatch(written))
    if not plain or (extras and not _EXTRAS.fullmatch(extras)):
        return _parsed(text, start, head)
    specifier = _SPACE.sub("", written)
    return Entry(
        name=head["name"],
        start=start,
        end=head.end() + len(written) if written else _trimmed(text, head.end()),
        specifier=specifier,
        extras=_extras(extras),
        version=exact(specifier),
    )


def _parsed(text: str, start: int, head: re.Match[str]) -> Entry:
    from packaging.requirements import Requirement

    try:
        parsed = Requirement(text.strip())
    except (ValueError, RecursionError) as error:
        raise EntryError(_reason(error)) from error
    name, extras = head["name"], _extras(head["extras"])
    if parsed.url is not None:
        marker = text[head.end() :].partition(parsed.url)[2].partition(";")[2].strip()
        version = _version_of(parsed.url, name)
        return Entry(name, start, head.end("name"), "", extras, marker, parsed.url, version)
    written, _, marker = text[head.end() :].partition(";")
    end = head.end() + len(written.rstrip())
    if text[end - 1] == ")":
        end = _trimmed(text, end - 1)
    specifier = _SPACE.sub("", written.strip().removeprefix("(").removesuffix(")"))
    end = max(end, head.end("name")) if specifier else _trimmed(text, head.end())
    return Entry(name, start, end, specifier, extras, marker.strip(), "", exact(specifier))


def is_direct(text: str) -> bool:
    """Tell an address or a path from a requirement, as pip does."""
    bare = text.strip()
    if _SCHEME.match(bare) or bare.startswith((".", "/", "~")):
        return True
    address = _MARKER.sub("", bare)
    pathlike = _PATH.fullmatch(address) is not None
    return pathlike and ("/" in address or archive(address) is not None)


def direct(text: str) -> Entry | None:
    """Read an address or a path; None for a local project, which names itself elsewhere.

    Raises `EntryError` where the address of something remote does not tell its name.
    """
    tail = _MARKER.search(text)
    address = (text[: tail.start()] if tail else text).rstrip()
    marker = _checked(tail["marker"].strip()) if tail else ""
    egg, file = _EGG.search(address), archive(address)
    origin = address.strip()
    if egg:
        version = _version_of(address, egg["name"])
        found = (egg["name"], egg.start("name"), egg.end())
        return Entry(*found, "", _extras(egg["extras"]), marker, origin, version)
    if file:
        end = file.start + len(file.name)
        return Entry(file.name, file.start, end, "", frozenset(), marker, origin, file.version)
    if "://" in origin and not origin.startswith("file:"):
        raise EntryError("does not tell its name; write `name @ address`")
    return None


def _checked(marker: str) -> str:
    from packaging.markers import Marker

    try:
        Marker(marker)
    except (ValueError, RecursionError) as error:
        raise EntryError(_reason(error)) from error
    return marker


def extras_of(value: object) -> frozenset[str]:
    """Return the extras that a list of a table or of a JSON object names."""
    items = value if isinstance(value, list) else ()
    return frozenset(normalized(item) for item in items if isinstance(item, str))


def exact(specifier: str) -> str | None:
    """Return the only version that a specifier admits (`==1.2.3`), or None."""
    for clause in specifier.split(","):
        match = _EXACT.fullmatch(clause)
        if match:
            return match[1]
    return None


class Archive(NamedTuple):
    """Name and version as the file name of a wheel or source archive says them."""

    name: str
    version: str
    start: int
    """Where the name begins in the address."""


def archive(address: str) -> Archive | None:
    """Read the file name at the end of an address or path; None where it is no archive's.

    The binary distribution format spells a wheel's file name `name-version-...whl`.
    """
    from urllib.parse import unquote

    match = _ARCHIVES[0].search(address) or _ARCHIVES[1].search(address)
    if match is None:
        return None
    return Archive(match["name"], unquote(match["version"]), match.start("name"))


def _version_of(address: str, name: str) -> str | None:
    found = archive(address)
    return found.version if found and normalized(found.name) == normalized(name) else None


def _extras(written: str | None) -> frozenset[str]:
    return frozenset(normalized(item) for item in re.split(r"[\s,]+", written or "") if item)


def _trimmed(text: str, end: int) -> int:
    return len(text[:end].rstrip())


def _reason(error: Exception) -> str:
    first = str(error).partition("\n")[0].strip()
    return first[:1].lower() + first[1:] if first else "no requirement"
