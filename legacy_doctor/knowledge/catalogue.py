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
    return _sorted(sets)


def _sorted(sets: Iterable[PinSet]) -> tuple[PinSet, ...]:
    return tuple(sorted(sets, key=lambda item: (-len(features.onwards(item.lacks)), item.id)))


def excerpt(names: Iterable[str]) -> tuple[PinSet, ...]:
    """Return of the current pin-sets what may break of the distributions, and what answers it."""
    from legacy_doctor.knowledge.excerpt import cut

    paths = _files(superseded=False)
    texts = cut([path.read_text(encoding="utf-8") for path in paths], names)
    return _sorted(map(pinset.read, paths, (text.encode() for text in texts)))


def every() -> tuple[PinSet, ...]:
    """Return all shipped pin-sets, the superseded ones last."""
    return (*current(), *map(pinset.read, _files(superseded=True)))


def _files(*, superseded: bool) -> list[Path]:
    found = sorted(folder().glob("*.toml"), reverse=True)  # newest version first
    return [path for path in found if ("@" in path.stem) is superseded and path.stem != "probes"]


def choose(
    wanted: Sequence[str] = (), own: Iterable[Path] = (), about: Iterable[str] | None = None
) -> Knowledge:
    """Return the pin-sets named by `ID[@VERSION]`, or the current ones; the user's own first.

    With `about`, what the current ones say of other distributions may be missing, and of those
    that nothing is known to break. Raises `UnknownNameError` for a name that none has, `DataError`
    for a file that is broken.
    """
    if wanted:
        shipped = tuple(find(label) for label in wanted)
    else:
        shipped = current() if about is None else excerpt(about)
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
