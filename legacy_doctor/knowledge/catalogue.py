"""Which pin-sets there are, and which are chosen for a consultation.

A shipped file is named `<id>.toml` while it is current and `<id>@<version>.toml` once another
supersedes it: so the current ones are found without reading the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from legacy_doctor.cpu import features
from legacy_doctor.errors import DataError, UnknownNameError, suggestion
from legacy_doctor.knowledge import pinset
from legacy_doctor.model import Knowledge, PinSet


def folder(name: str = "pinsets") -> Path:
    """Return where the shipped data lie: in the package (wheel) or beside it (checkout)."""
    package = Path(__file__).resolve().parent.parent
    for root in (package / name, package.parent / name):
        if (root / "schema.json").is_file():
            return root
    raise DataError(f"the installation lacks its {name} folder; reinstall legacy-doctor")


def current() -> tuple[PinSet, ...]:
    """Return the shipped pin-sets that nothing supersedes, oldest machine first."""
    sets = map(pinset.read, _files(superseded=False))
    return tuple(sorted(sets, key=lambda item: (-len(features.onwards(item.lacks)), item.id)))


def every() -> tuple[PinSet, ...]:
    """Return all shipped pin-sets, the superseded ones last."""
    return (*current(), *map(pinset.read, _files(superseded=True)))


def _files(*, superseded: bool) -> list[Path]:
    found = sorted(folder().glob("*.toml"), reverse=True)  # newest version first
    return [path for path in found if ("@" in path.stem) is superseded and path.stem != "probes"]


def choose(wanted: Sequence[str] = (), own: Iterable[Path] = ()) -> Knowledge:
    """Return the pin-sets named by `ID[@VERSION]`, or the current ones; the user's own first.

    Raises `UnknownNameError` for a name that none has, `DataError` for a file that is broken.
    """
    shipped = tuple(find(label) for label in wanted) if wanted else current()
    return Knowledge(pinsets=(*map(pinset.read, own), *shipped))


def find(label: str) -> PinSet:
    """Return the shipped pin-set called `ID` (its current or newest version) or `ID@VERSION`."""
    sets = every()
    for item in sets:
        if label in {item.id, item.label}:
            return item
    names = [name for item in sets for name in (item.id, item.label)]
    raise UnknownNameError(
        f"no pin-set {label!r}{suggestion(label, names)}; see legacy-doctor pinsets list"
    )
