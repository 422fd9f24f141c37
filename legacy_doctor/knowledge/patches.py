"""Read the patches: what may be changed in an environment, on which CPU, and at what price.

One folder a patch: `patches/<id>/patch.toml` and the sources that it names. Format:
`patches/schema.json`, kept in step with this by a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from legacy_doctor.errors import UnknownNameError, suggestion
from legacy_doctor.knowledge import catalogue, document
from legacy_doctor.knowledge.document import Table
from legacy_doctor.model import Cpu, Evidence, When

FORMAT = 1
"""The one `schema` number that this reader understands."""


class Kind(str, Enum):
    """By what means a patch acts."""

    FILE = "file"
    """Edits an installed file."""
    DISTRIBUTION = "distribution"
    """Adds a small distribution of its own."""
    HOOK = "hook"
    """Acts when a module is imported."""
    BUILD = "build"
    """Builds a distribution from source in the environment itself."""


class Side(str, Enum):
    """Where a block goes, seen from what it is placed by."""

    BEFORE = "before"
    AFTER = "after"
    INTO = "into"
    """At the beginning of the body of a function."""


class Landmark(str, Enum):
    """What a block is placed by. Never a line number."""

    STATEMENT = "statement"
    """A statement of the module, compared as a syntax tree."""
    LINE = "line"
    """A line, compared to the last character."""
    FUNCTION = "function"
    """A function or method, by its qualified name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """CPUs that miss any of `lacks` (where it names some) and meet `when` (where there is one)."""

    lacks: frozenset[str] = frozenset()
    when: When | None = None

    def holds(self, cpu: Cpu) -> bool:
        """True where the CPU is one of those."""
        if self.when is not None and not self.when.holds(cpu):
            return False
        return not self.lacks or bool(cpu.missing(self.lacks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a file a block goes."""

    side: Side
    landmark: Landmark
    text: str
    """The statement, the line, or the qualified name of the function."""
    known: tuple[str, ...] = ()
    """sha256 (hex) of the function's source lines, in every form that was read: with another
    body it is another function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One insertion into one file, for some versions of a distribution."""

    versions: str
    file: str
    """As RECORD spells it."""
    place: Place
    block: str
    """The inserted lines, without markers and indentation."""
    pristine: tuple[str, ...] = ()
    """sha256 (hex) of whole files as released, for where no RECORD proves it."""
    obsolete_with: str | None = None
    """A statement of the module whose presence says that upstream has its own cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """One line of entry_points.txt."""

    group: str
    name: str
    object: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A small pure-Python distribution that a patch adds."""

    name: str
    version: str
    summary: str
    modules: tuple[tuple[str, str], ...]
    """Path in site-packages, and source text."""
    entry_points: tuple[EntryPoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooked:
    """What a patch that acts at import time looks out for."""

    modules: tuple[str, ...]
    scope: str
    """`process`: everything. `paths`: only for files that the user lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A source build in the environment itself."""

    requires: tuple[str, ...]
    """What must be installed before: nobody fetches it for the build."""
    options: tuple[str, ...]
    """Further words for `pip install`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One remedy that is no version of a package: what it does, for whom, at what price."""

    id: str
    title: str
    distribution: str
    versions: str
    """The versions of the distribution that it is right for; empty is any."""
    kind: Kind
    recommended: bool
    cost: str
    """What stops working."""
    evidence: tuple[Evidence, ...]
    conditions: tuple[Condition, ...] = ()
    """It is for CPUs on which any of them holds; for all where there is none."""
    dangers: tuple[str, ...] = ()
    """What stays or becomes dangerous."""
    instead: tuple[str, ...] = ()
    """Ids of patches that are the better choice."""
    upstream: str | None = None
    disarmed_by: tuple[str, ...] = ()
    """Environment settings (`NAME=value`) under which it does nothing."""
    edits: tuple[Edit, ...] = ()
    provides: Provided | None = None
    hooked: Hooked | None = None
    build: Build | None = None

    @property
    def shim(self) -> str:
        """The name of what the start-up hook arms for it; `-hook` tells it from a twin."""
        return self.id.removesuffix("-hook")

    def claims(self, version: str) -> bool:
        """True where it is right for this version of its distribution."""
        return admits(self.versions, version)

    def suits(self, cpu: Cpu) -> bool:
        """True where this CPU is one that it is for."""
        return not self.conditions or any(item.holds(cpu) for item in self.conditions)


def admits(specifier: str, version: str) -> bool:
    """True where the specifier takes the version; a pre-release counts as a version too."""
    return SpecifierSet(specifier).contains(version, prereleases=True)


def every(root: Path | None = None) -> tuple[Patch, ...]:
    """Return the shipped patches: the recommended ones first, each group by id."""
    return _shipped() if root is None else _every(root)


@cache
def _shipped() -> tuple[Patch, ...]:
    return _every(catalogue.folder("patches"))


def _every(folder: Path) -> tuple[Patch, ...]:
    found = [read(path.parent) for path in sorted(folder.glob("*/patch.toml"))]
    return tuple(sorted(found, key=lambda item: (not item.recommended, item.id)))


def find(name: str, among: Iterable[Patch] | None = None) -> Patch:
    """Return the patch of this id; raises `UnknownNameError` with the nearest one."""
    known = {item.id: item for item in (every() if among is None else among)}
    if name not in known:
        hint = suggestion(name, known)
        raise UnknownNameError(f"no patch {name!r}{hint}; see legacy-doctor patch list")
    return known[name]


def read(folder: Path) -> Patch:
    """Return the patch in the folder; raises `DataError` with file, path and suggestion."""
    table = document.load(folder / "patch.toml")
    if table.number("schema") != FORMAT:
        table.fail("schema", f"this legacy-doctor reads schema = {FORMAT}")
    result = Patch(
        id=table.text("id"),
        title=table.text("title"),
        distribution=table.distribution("distribution"),
        versions=_versions(table),
        kind=Kind(table.choice("kind", [item.value for item in Kind])),
        recommended=table.choice("advice", ("recommended", "offered")) == "recommended",
        cost=table.text("cost"),
        evidence=document.evidence(table),
        conditions=tuple(map(_condition, table.tables("needed-by"))),
        dangers=table.texts("dangers"),
        instead=table.texts("instead"),
        upstream=table.optional("upstream"),
        disarmed_by=table.texts("disarmed-by"),
        edits=tuple(_edit(item, folder) for item in table.tables("edits")),
        provides=_provided(table.table("provides"), folder),
        hooked=_hooked(table.table("hook")),
        build=_build(table.table("build")),
    )
    _check(table, result, folder)
    table.finish()
    return result


_PART = {
    Kind.FILE: "edits",
    Kind.DISTRIBUTION: "provides",
    Kind.HOOK: "hook",
    Kind.BUILD: "build",
}


def _check(table: Table, patch: Patch, folder: Path) -> None:
    if patch.id != folder.name:
        table.fail("id", f"{patch.id!r} lies in the folder {folder.name!r}: give both one name")
    for kind, key in _PART.items():
        if kind is patch.kind and key not in table:
            table.fail(key, f"a patch of kind {kind.value!r} must say it")
        if kind is not patch.kind and key in table:
            table.fail(key, f"nothing for a patch of kind {patch.kind.value!r}")


def _versions(table: Table) -> str:
    value = table.specifier("versions")
    if value is None:
        table.fail("versions", "say for which versions it is right (like '>=2.5,<3'; '*' is any)")
    return value


def _condition(table: Table) -> Condition:
    vendor, level = table.optional("vendor"), table.number("cpuid-level-below")
    when = When(vendor=vendor, cpuid_level_below=level)
    result = Condition(lacks=table.features("lacks"), when=None if when == When() else when)
    if result == Condition():
        table.fail("lacks", "a condition names features, a vendor or a CPUID level")
    table.finish()
    return result


def _edit(table: Table, folder: Path) -> Edit:
    result = Edit(
        versions=_versions(table),
        file=_inside(table, "file", table.text("file")),
        place=_place(table),
        block=_block(table, folder),
        pristine=_hashes(table, "pristine"),
        obsolete_with=table.optional("obsolete-with"),
    )
    table.finish()
    return result


def _place(table: Table) -> Place:
    named = [side for side in Side if side.value in table]
    if len(named) != 1:
        table.fail("before", "an edit needs exactly one of `before`, `after` and `into`")
    side = named[0]
    inner = table.table(side.value)
    marks = [mark for mark in Landmark if inner is not None and mark.value in inner]
    if (
        inner is None
        or len(marks) != 1
        or (side is Side.INTO) is not (marks[0] is Landmark.FUNCTION)
    ):
        wanted = "`function`" if side is Side.INTO else "one of `statement` and `line`"
        table.fail(side.value, f"expected a table with {wanted}")
    text, known = inner.text(marks[0].value), _hashes(inner, "known")
    if side is Side.INTO and not known:
        inner.fail("known", "name the sha256 of each form of the function that was read")
    inner.finish()
    return Place(side=side, landmark=marks[0], text=text, known=known)


def _hashes(table: Table, key: str) -> tuple[str, ...]:
    values = table.texts(key)
    for index, value in enumerate(values):
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            table.fail(f"{key}[{index}]", f"not a sha256 in hexadecimal: {value!r}")
    return values


def _block(table: Table, folder: Path) -> str:
    plain, names = table.optional("block"), table.texts("block-from")
    if (plain is None) is (not names):
        table.fail("block", "an edit needs `block` or `block-from`, not both")
    if plain is not None:
        return plain
    return "\n".join(_source(table, "block-from", folder, name) for name in names).rstrip("\n")


def _source(table: Table, key: str, folder: Path, name: str) -> str:
    """Read a file of the patch, or of its neighbour (`../<id>/<file>`)."""
    path = Path(_inside(table, key, name.removeprefix("../")))
    root = folder.parent if name.startswith("../") else folder
    try:
        return (root / path).read_text("utf-8")
    except (OSError, ValueError) as error:
        table.fail(key, f"{name!r} cannot be read ({getattr(error, 'strerror', None) or error})")


def _inside(table: Table, key: str, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
        table.fail(key, f"not a plain relative path: {name!r}")
    return name


def _provided(table: Table | None, folder: Path) -> Provided | None:
    if table is None:
        return None
    names = table.texts("modules")
    if not names:
        table.fail("modules", "name the files that it consists of")
    for name in names:
        _inside(table, "modules", name)
    result = Provided(
        name=table.distribution("name"),
        version=table.version("version") or table.text("version"),
        summary=table.text("summary"),
        modules=tuple((name, _source(table, "modules", folder, name)) for name in names),
        entry_points=tuple(map(_entry_point, table.tables("entry-points"))),
    )
    table.finish()
    return result


def _entry_point(table: Table) -> EntryPoint:
    result = EntryPoint(
        group=table.text("group"), name=table.text("name"), object=table.text("object")
    )
    table.finish()
    return result


def _hooked(table: Table | None) -> Hooked | None:
    if table is None:
        return None
    scope = table.choice("scope", ("process", "paths"), "process")
    result = Hooked(modules=table.texts("modules"), scope=scope)
    if not result.modules:
        table.fail("modules", "name the modules that it looks out for")
    table.finish()
    return result


def _build(table: Table | None) -> Build | None:
    if table is None:
        return None
    requires = enumerate(table.texts("requires"))
    result = Build(
        requires=tuple(_requirement(table, f"requires[{index}]", text) for index, text in requires),
        options=table.texts("options"),
    )
    table.finish()
    return result


def _requirement(table: Table, key: str, text: str) -> str:
    try:
        return str(Requirement(text))
    except InvalidRequirement:
        table.fail(key, f"not a requirement: {text!r}")
