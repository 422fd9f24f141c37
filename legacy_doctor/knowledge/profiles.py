"""Read profiles: what is known about one project. Format: `pinsets/profiles/schema.json`.

A profile names pins, patches and settings and never repeats them. What several projects are
advised alike stands once, in `counsel.toml`; what came of running their probes, in `runs.toml`,
which `benchmarks/profiles.py` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.errors import UnknownNameError, suggestion
from legacy_doctor.knowledge import catalogue, document
from legacy_doctor.knowledge.document import Table
from legacy_doctor.model import (
    BuildFlag,
    Counsel,
    Cpu,
    Fitness,
    Native,
    Outcome,
    PatchUse,
    Probe,
    Profile,
    ProfileRun,
    ProfileStatus,
    RiskyImport,
    Smoke,
    Tier,
    Trial,
    UpstreamIssue,
)

FORMAT: Final = 1
"""The one `schema` number that this reader understands."""

COUNSEL: Final = "counsel"
RUNS: Final = "runs"
ABOUT: Final = (
    *("install", "gpu", "training", "data", "listening", "settings", "choice", "trouble"),
)
NEEDS: Final = ("required", "instead", "optional")
KINDS: Final = ("tiny-model", "first-use", "import-chain")
NOT_INSTALLABLE: Final = "not-installable"
PROBE: Final = "profile"
"""What follows the distribution's name in the id of a smoke probe."""

_SECONDS: Final = 120
_KEY: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def folder() -> Path:
    """Return where the shipped profiles lie."""
    return catalogue.folder() / "profiles"


def tier(cpu: Cpu) -> Tier:
    """Return the kind of machine that a CPU is, by what it can do."""
    if cpu.missing(features.cumulative("x86-64-v2")):
        return Tier.BELOW_V2
    if cpu.missing(frozenset({"avx"})):
        return Tier.V2_NO_AVX
    return Tier.AVX_NO_AVX2 if cpu.missing(features.cumulative("x86-64-v3")) else Tier.V3


def names() -> tuple[str, ...]:
    """Return the ids of the shipped profiles, without reading them."""
    found = (path.stem for path in folder().glob("*.toml"))
    return tuple(sorted(name for name in found if name not in {COUNSEL, RUNS}))


def every() -> tuple[Profile, ...]:
    """Return the shipped profiles by id."""
    return tuple(map(find, names()))


def find(name: str) -> Profile:
    """Return the profile of that id; raises `UnknownNameError` with the nearest one."""
    known = names()
    if name not in known:
        hint = suggestion(name, known)
        raise UnknownNameError(f"no profile {name!r}{hint}; see legacy-doctor profile list")
    return read(folder() / f"{name}.toml", shared())


@cache
def shared() -> Mapping[str, tuple[Counsel, ...]]:
    """Return the advice that several profiles share, by profile."""
    return read_counsel(folder() / f"{COUNSEL}.toml")


def read_counsel(path: Path) -> dict[str, tuple[Counsel, ...]]:
    """Return the advice in the file, by profile; raises `DataError` as `read` does."""
    table = _opened(path)
    result: dict[str, tuple[Counsel, ...]] = {}
    for item in table.tables("counsel"):
        profiles = item.texts("profiles")
        if not profiles:
            item.fail("profiles", "name the profiles that it is for")
        advice = _counsel(item)
        for name in profiles:
            result[name] = (*result.get(name, ()), advice)
    table.finish()
    return result


def read(path: Path, also: Mapping[str, tuple[Counsel, ...]] | None = None) -> Profile:
    """Return the profile in the file, with the advice `also` has for it.

    Raises `DataError` with file, path into the document and suggestion.
    """
    table = _opened(path)
    name = table.text("id")
    if name != path.stem:
        table.fail("id", f"{name!r} stands in a file called {path.name}: give both one name")
    result = Profile(
        id=name,
        version=table.day("version"),
        title=table.text("title"),
        project=table.text("project"),
        read=table.text("read"),
        distributions=table.distributions("distributions"),
        needs=table.distributions("needs"),
        python=table.specifier("python") or "",
        checkout=table.flag("checkout"),
        marks=table.texts("marks"),
        imports=tuple(map(_import, table.tables("imports"))),
        pins=table.distributions("pins"),
        patches=tuple(map(_patch, table.tables("patches"))),
        status=tuple(_statuses(table)),
        issues=tuple(map(_issue, table.tables("issues"))),
        counsel=(*map(_counsel, table.tables("counsel")), *(also or {}).get(name, ())),
        notes=table.text("notes", ""),
        tuning=table.text("tuning", ""),
        smoke=_smoke(table.table("smoke")),
        native=_native(table.table("native")),
    )
    table.finish()
    return result


def _opened(path: Path) -> Table:
    table = document.load(path)
    if table.number("schema") != FORMAT:
        table.fail("schema", f"this legacy-doctor reads schema = {FORMAT}")
    return table


def _import(table: Table) -> RiskyImport:
    result = RiskyImport(
        module=table.text("module"),
        distribution=table.distribution("distribution"),
        via=table.text("via"),
        risk=table.text("risk"),
        lazy=table.flag("lazy"),
    )
    table.finish()
    return result


def _patch(table: Table) -> PatchUse:
    result = PatchUse(
        id=table.text("id"),
        need=table.choice("need", NEEDS),
        why=table.text("why"),
    )
    table.finish()
    return result


def _tier(table: Table) -> Tier:
    return Tier(table.choice("tier", [item.value for item in Tier]))


def _statuses(table: Table) -> Iterator[ProfileStatus]:
    """Read the prospects; of every tier the last row must hold for the whole of it."""
    whole: set[Tier] = set()
    for item in table.tables("status"):
        status = ProfileStatus(
            tier=_tier(item),
            fitness=Fitness(item.choice("fitness", [word.value for word in Fitness])),
            text=item.text("text"),
            evidence=document.evidence(item),
            lacks=item.features("lacks"),
        )
        item.finish()
        if status.tier in whole:
            item.fail("tier", f"all of {status.tier.value} is spoken of before")
        if not status.lacks:
            whole.add(status.tier)
        yield status
    for left in Tier:
        if left not in whole:
            table.fail("status", f"nothing is said of all CPUs of the tier {left.value!r}")


def _issue(table: Table) -> UpstreamIssue:
    result = UpstreamIssue(
        ref=table.text("ref"),
        text=table.text("text"),
        cure=table.text("cure"),
        evidence=document.evidence(table),
    )
    table.finish()
    return result


def _counsel(table: Table) -> Counsel:
    result = Counsel(
        key=table.text("key"),
        about=table.choice("about", ABOUT),
        text=" ".join(table.text("text").split()),
        evidence=document.evidence(table),
        commands=table.texts("commands"),
        first=table.flag("first"),
        tiers=tuple(_tiers(table)),
    )
    if not _KEY.fullmatch(result.key):
        table.fail("key", f"expected words in small letters, joined by '-', got {result.key!r}")
    table.finish()
    return result


def _tiers(table: Table) -> Iterator[Tier]:
    known = [item.value for item in Tier]
    for index, word in enumerate(table.texts("tiers")):
        if word not in known:
            hint = suggestion(word, known) or f"; one of {', '.join(known)}"
            table.fail(f"tiers[{index}]", f"unknown tier {word!r}{hint}")
        yield Tier(word)


def _smoke(table: Table | None) -> Smoke | None:
    if table is None:
        return None
    name = table.distribution("distribution")
    probe = Probe(
        id=f"{name}/{PROBE}",
        distribution=name,
        imports=table.text("imports"),
        use=table.text("use", ""),
        requires=tuple(dict.fromkeys((name, *table.distributions("requires")))),
        seconds=float(table.number("seconds") or _SECONDS),
    )
    kind = table.choice("kind", KINDS)
    if (kind == "import-chain") is not (not probe.use):
        table.fail("use", "an import chain has none, and every other kind has one")
    result = Smoke(
        kind=kind,
        probe=probe,
        covers=table.texts("covers"),
        leaves_out=table.texts("leaves-out"),
    )
    table.finish()
    return result


def _native(table: Table | None) -> Native | None:
    if table is None:
        return None
    result = Native(
        native_switch=table.text("native-switch"),
        flags=tuple(map(_flag, table.tables("flags"))),
        told_as=dict(map(_told, table.tables("told-as"))),
        programs=table.texts("programs"),
        trials=tuple(map(_trial, table.tables("trials"))),
        evidence=document.evidence(table),
    )
    table.finish()
    return result


def _flag(table: Table) -> BuildFlag:
    result = BuildFlag(table.text("name"), table.features("needs"), table.flag("default"))
    if not result.needs:
        table.fail("needs", "name the features that a CPU needs for it")
    table.finish()
    return result


def _told(table: Table) -> tuple[str, frozenset[str]]:
    result = (table.text("name"), table.features("needs"))
    table.finish()
    return result


def _trial(table: Table) -> Trial:
    result = Trial(table.text("program"), table.texts("words"), table.flag("endless"))
    table.finish()
    return result


def runs() -> tuple[ProfileRun, ...]:
    """Return what was run of the shipped profiles, as the benchmark wrote it down."""
    return read_runs(folder() / f"{RUNS}.toml")


def read_runs(path: Path) -> tuple[ProfileRun, ...]:
    """Return the runs in the file; raises `DataError` as `read` does."""
    table = _opened(path)
    result = tuple(map(_run, table.tables("runs")))
    table.finish()
    return result


def _run(table: Table) -> ProfileRun:
    result = ProfileRun(
        profile=table.text("profile"),
        cpu=table.text("cpu"),
        tier=_tier(table),
        day=table.day("day"),
        treated=table.flag("treated"),
        fitness=Fitness(table.choice("fitness", [item.value for item in Fitness])),
        outcome=table.choice("outcome", [*(item.value for item in Outcome), NOT_INSTALLABLE]),
        detail=table.text("detail", ""),
        python=table.text("python"),
        emulator=table.text("emulator", ""),
        lacks=table.features("lacks"),
        versions=table.texts("versions"),
    )
    table.finish()
    return result
