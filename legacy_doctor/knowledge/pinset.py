"""Read one pin-set file. Format: `pinsets/schema.json`, kept in step with this by a test."""

from __future__ import annotations

from pathlib import Path

from legacy_doctor.errors import suggestion
from legacy_doctor.knowledge import document
from legacy_doctor.knowledge.document import Table
from legacy_doctor.model import (
    Alternative,
    Conflict,
    Incompatibility,
    Pin,
    PinSet,
    Removal,
    Severity,
    SoftImport,
    When,
)

FORMAT = 1
"""The one `schema` number that this reader understands."""


def read(path: Path, content: bytes | None = None) -> PinSet:
    """Return the pin-set in the file, or in what was taken out of it.

    Raises `DataError` with file, path and suggestion.
    """
    table = document.load(path) if content is None else document.decoded(content, path)
    if table.number("schema") != FORMAT:
        table.fail("schema", f"this legacy-doctor reads schema = {FORMAT}")
    target = table.table("target")
    if target is None:
        table.fail("target", "expected a table with `lacks`")
    name, version = table.text("id"), table.day("version")
    label = f"{name}@{version}"
    result = PinSet(
        id=name,
        version=version,
        title=table.text("title"),
        lacks=target.features("lacks"),
        origin=path,
        supersedes=table.texts("supersedes"),
        notes=table.text("notes", ""),
        pins=tuple(_pin(item, label) for item in table.tables("pins")),
        removals=tuple(_removal(item, label) for item in table.tables("removals")),
        conflicts=tuple(map(_conflict, table.tables("conflicts"))),
        incompatibilities=tuple(map(_incompatibility, table.tables("incompatibilities"))),
        soft_imports=tuple(map(_soft_import, table.tables("soft-imports"))),
    )
    target.finish()
    table.finish()
    return result


def _pin(table: Table, label: str) -> Pin:
    pin = Pin(
        distribution=table.distribution("distribution"),
        broken=table.specifier("broken"),
        good=table.specifier("good"),
        needs=table.features("needs"),
        when=_when(table),
        unless=table.distributions("unless-installed"),
        treated_by=_treated_by(table),
        runs_without=table.features("runs-without"),
        stage=table.choice("stage", ("import", "use"), "import"),
        severity=Severity(table.choice("severity", [item.value for item in Severity], "error")),
        symptom=table.text("symptom", ""),
        cure=table.text("cure", ""),
        first_bad=table.version("first-bad"),
        last_good=table.version("last-good"),
        alternatives=tuple(map(_alternative, table.tables("alternatives"))),
        evidence=document.evidence(table),
        pinset=label,
    )
    if pin.broken is None and pin.good is None:
        table.fail("broken", "a pin needs `broken`, `good` or both")
    if pin.broken is not None and pin.good == "":
        table.fail("good", "every version is good, and some are broken: name those that run")
    if pin.broken is not None and not pin.symptom:
        table.fail("symptom", "a pin with `broken` must say how it breaks")
    table.finish()
    return pin


def _treated_by(table: Table) -> tuple[str, ...]:
    """Return ids of shipped patches; a typo would silently leave an error an error."""
    names = table.texts("treated-by")
    if names:
        from legacy_doctor.knowledge import catalogue  # which reads pin-sets, and so imports us

        shipped = {path.parent.name for path in catalogue.folder("patches").glob("*/patch.toml")}
        for index, name in enumerate(names):
            if name not in shipped:
                hint = f"no patch {name!r}{suggestion(name, shipped)}; see legacy-doctor patch list"
                table.fail(f"treated-by[{index}]", hint)
    return names


def _when(table: Table) -> When | None:
    when = table.table("when")
    if when is None:
        return None
    result = When(
        vendor=when.optional("vendor"),
        cpuid_level_below=when.number("cpuid-level-below"),
    )
    when.finish()
    return result


def _alternative(table: Table) -> Alternative:
    result = Alternative(
        requirement=table.requirement("requirement"),
        needs=table.features("needs"),
        note=table.text("note", ""),
        instead=table.choice("instead", ("beside", "replaces"), "replaces") == "replaces",
    )
    table.finish()
    return result


def _removal(table: Table, label: str) -> Removal:
    result = Removal(
        distribution=table.distribution("distribution"),
        reason=table.text("reason"),
        evidence=document.evidence(table),
        pinset=label,
    )
    table.finish()
    return result


def _conflict(table: Table) -> Conflict:
    result = Conflict(
        distributions=table.distributions("distributions"),
        effect=table.text("effect"),
        evidence=document.evidence(table),
    )
    if len(result.distributions) < 2:
        table.fail("distributions", "a conflict is between two distributions or more")
    table.finish()
    return result


def _incompatibility(table: Table) -> Incompatibility:
    result = Incompatibility(
        first=table.requirement("first"),
        second=table.requirement("second"),
        effect=table.text("effect"),
        resolution=table.text("resolution"),
        evidence=document.evidence(table),
    )
    table.finish()
    return result


def _soft_import(table: Table) -> SoftImport:
    result = SoftImport(
        distribution=table.distribution("distribution"),
        imports=table.distribution("imports"),
        evidence=document.evidence(table),
    )
    table.finish()
    return result
