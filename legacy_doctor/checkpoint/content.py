"""What a file holds, of whichever form: its pickles drawn, its tensors and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from legacy_doctor.checkpoint import legacy, safetensors, tensors
from legacy_doctor.checkpoint.archive import LOCAL, Archive, Entry
from legacy_doctor.checkpoint.machine import Drawing, draw
from legacy_doctor.checkpoint.source import Source, UnreadableError, Watch, unwatched
from legacy_doctor.checkpoint.tensors import Found

_UNPACKED: Final = 256 << 20
"""A pickle that is packed and larger than this is a bomb: torch packs none at all."""
_SMALL: Final = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was found. `damage` says why it cannot be whole, or is empty."""

    form: str
    drawings: tuple[Drawing, ...] = ()
    main: Drawing | None = None
    """The pickle that torch.load reads; None where there is none."""
    found: tuple[Found, ...] = ()
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Where each storage lies in the file: offset and bytes. Empty for a zip archive."""
    archive: Archive | None = None
    header: safetensors.Header | None = None
    damage: str = ""
    doubles: tuple[str, ...] = ()
    little: bool = True
    """The little end of each number comes first."""


def read(source: Source, watch: Watch = unwatched) -> Content:
    """Tell the form of a file and read it.

    Raises `UnreadableError` where it is of none of them, or where not even its outline is right.
    """
    head = source.at(0, min(source.size, 512))
    if head.startswith(LOCAL):
        return _zipped(source, watch)
    if safetensors.looks(source):
        return Content(form="safetensors", header=safetensors.read(source))
    if head[257:262] == b"ustar":
        raise UnreadableError(
            "a tar archive; as torch wrote them until 0.1.9 they are not read here"
        )
    return _stream(source, watch)


def _zipped(source: Source, watch: Watch) -> Content:
    archive = Archive(source)
    scripted = archive.find("constants.pkl") is not None
    main = archive.find("data.pkl")
    pickles = [entry for entry in archive.entries if _is_pickle(archive, entry)]
    if not pickles:
        raise UnreadableError("a zip archive without a pickle: not written by torch.save")
    drawn = {entry: _drawn(archive, entry, watch) for entry in pickles}
    drawing = drawn[main] if main is not None else None
    found = tuple(tensors.every(drawing.root)) if drawing is not None else ()
    order = archive.find("byteorder")
    little = order is None or archive.read(order, _SMALL) != b"big"
    damage = "" if main is not None else "no data.pkl where torch.load looks for it"
    for entry, item in drawn.items():
        damage = damage or (f"{entry.name}: {item.broken}" if item.broken else "")
    return Content(
        form="torchscript" if scripted else "torch-zip",
        drawings=tuple(drawn.values()),
        main=drawing,
        found=found,
        archive=archive,
        damage=damage or _misfit(archive, found),
        doubles=tuple(archive.doubles()),
        little=little,
    )


def _is_pickle(archive: Archive, entry: Entry) -> bool:
    """Tell whether an entry is, or may be meant as, a pickle: by its name or its first bytes.

    The storages are numbers and are not looked into: what they begin with is chance.
    """
    if entry.name.lower().endswith((".pkl", ".pickle")):
        return True
    if (
        entry.name.lower().startswith(f"{archive.folder}/data/".lower())
        or entry.size < 2
        or not entry.stored
    ):
        return False
    head = archive.source.at(entry.start, 2)
    return head[:1] == b"\x80" and head[1] <= 5


def _drawn(archive: Archive, entry: Entry, watch: Watch) -> Drawing:
    """Draw one pickle of the archive; its checksum is that of the pieces, or is checked here."""
    if not entry.stored and entry.size > _UNPACKED:
        raise UnreadableError(f"{entry.name} unpacks to {entry.size:,} bytes: a zip bomb")
    drawing = draw(archive.open(entry), watch)
    if entry.stored and not drawing.broken:
        for _ in archive.pieces(entry):
            pass  # raises where the checksum is wrong
    return drawing


def _misfit(archive: Archive, found: tuple[Found, ...]) -> str:
    """Say which tensor reaches beyond its storage, or which storage is missing."""
    for item in found:
        entry = archive.find(f"data/{item.storage.key}")
        if entry is None:
            return f"storage {item.storage.key} of {item.tensor.name} is not in the archive"
        if entry.size != item.storage.size or item.reach > item.storage.elements:
            return f"{item.tensor.name} does not fit its storage ({entry.name}, {entry.size} bytes)"
    return ""


def _stream(source: Source, watch: Watch) -> Content:
    stream = legacy.read(source, watch)
    first = stream.drawings[0]
    if first.broken and not first.calls and not _begins_like_a_pickle(source):
        raise UnreadableError("neither a zip archive nor a pickle nor a safetensors file")
    broken = next((item.broken for item in stream.drawings if item.broken), "")
    if not stream.legacy:
        return Content(form="pickle", drawings=stream.drawings, main=first, damage=broken)
    main = stream.drawings[3] if len(stream.drawings) > 3 else None
    found = tuple(tensors.every(main.root)) if main is not None else ()
    places: dict[str, tuple[int, int]] = {}
    if not broken:
        answer = legacy.places(source, stream)
        broken, places = (answer, {}) if isinstance(answer, str) else ("", answer)
    return Content(
        form="torch-legacy",
        drawings=stream.drawings,
        main=main,
        found=found,
        places=places,
        damage=broken or _short(found, places),
        little=stream.little,
    )


def _begins_like_a_pickle(source: Source) -> bool:
    head = source.at(0, min(source.size, 2))
    return head[:1] == b"\x80" and head[-1] <= 5


def _short(found: tuple[Found, ...], places: dict[str, tuple[int, int]]) -> str:
    for item in found:
        if item.storage.key not in places:
            return f"storage {item.storage.key} of {item.tensor.name} is not in the file"
        if item.reach > item.storage.elements:
            return f"{item.tensor.name} does not fit its storage"
    return ""
