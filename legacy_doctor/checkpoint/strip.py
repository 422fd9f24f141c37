"""A copy with plain names: what bears a prefix, without it, and nothing else.

The pickle of the copy is written anew and holds tensors alone, so that weights_only=True takes
it whatever the original asked for. The numbers are copied as they are, a megabyte at a time.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from legacy_doctor.checkpoint import content, description, prefix
from legacy_doctor.checkpoint.content import Content
from legacy_doctor.checkpoint.machine import Table
from legacy_doctor.checkpoint.rewriting import pickled
from legacy_doctor.checkpoint.source import Source, Watch, opened
from legacy_doctor.checkpoint.tensors import Found
from legacy_doctor.errors import DoctorError
from legacy_doctor.model import StrippedCopy

ALIGNMENT: Final = 64
"""Where torch lets each storage begin, so that it can be mapped."""
_FOLDER: Final = "archive"
_EXTRA: Final = 0x4246
"""The extra field that torch pads local headers with (`FB`)."""


def write(source: Source, start: str, out: Path, *, force: bool, watch: Watch) -> StrippedCopy:
    """Write the copy beside its name, then put it in its place: all of it or nothing.

    Raises `DoctorError` where nothing bears the prefix, two names would fall together, the copy
    cannot be written, or something is there already (unless `force`; never over the original).
    """
    found = content.read(source)
    if found.damage:
        raise DoctorError(f"{source.path}: {found.damage}; no copy was made")
    _check_form(source, found, out)
    out = _place(source, out, force=force)
    names = _names(found)
    kept = _chosen(source, names, start)
    with _replaced(out, source) as file:
        if found.header is not None:
            _write_safetensors(source, found, kept, file, watch)
        else:
            _write_zip(source, found, kept, file, watch)
        file.flush()
        _read_back(Path(file.name), len(kept))
        size = os.fstat(file.fileno()).st_size
    dropped = [".".join(keys) for index, keys in enumerate(names) if index not in kept]
    return StrippedCopy(out, len(kept), size, (*dropped, *_without_tensors(found, names)))


def _check_form(source: Source, found: Content, out: Path) -> None:
    named = out.suffix == ".safetensors"
    if found.form in {"torchscript", "pickle"}:
        raise DoctorError(f"{source.path}: a {found.form} holds no table of tensors to copy")
    if named != (found.header is not None):
        wanted = "with" if found.header is not None else "without"
        raise DoctorError(
            f"{out}: torch and others go by the ending: name a copy of this form {wanted} "
            ".safetensors at its end"
        )


def _place(source: Source, out: Path, *, force: bool) -> Path:
    """Return where the copy goes; a link stays a link."""
    out = Path(os.path.realpath(out))
    try:
        status = os.stat(out)
    except FileNotFoundError:
        return out
    except OSError as error:
        raise DoctorError(f"{out}: cannot be written ({error.strerror or error})") from error
    if os.path.samestat(status, source.status):
        raise DoctorError(f"{out}: that is the original, which is never written to")
    if not stat.S_ISREG(status.st_mode):
        raise DoctorError(f"{out}: something else than a file is there")
    if not force:
        raise DoctorError(f"{out}: is there already; --force replaces it")
    return out


def _names(found: Content) -> list[tuple[str, ...]]:
    if found.header is not None:
        return [(block.name,) for block in found.header.blocks]
    return [item.keys for item in found.found]


def _chosen(source: Source, names: Sequence[tuple[str, ...]], start: str) -> dict[int, str]:
    """Return the new names by number: by the whole name, else by the name in its table."""
    for titles in (
        [".".join(keys) for keys in names],
        [keys[-1] if keys else "" for keys in names],
    ):
        kept = {
            index: title[len(start) :]
            for index, title in enumerate(titles)
            if title.startswith(start) and title != start
        }
        if not kept:
            continue
        if len(set(kept.values())) < len(kept):
            raise DoctorError(
                f"{source.path}: without {start!r} several tensors have the same name; give a "
                "longer prefix"
            )
        return kept
    known = prefix.only(names)
    hint = f"; its weights begin with {known.prefix!r}" if known else ""
    raise DoctorError(f"{source.path}: no tensor's name begins with {start!r}{hint}")


@contextmanager
def _replaced(out: Path, source: Source) -> Iterator[BinaryIO]:
    """Give a new file that takes its name when the block is done, and is gone when it fails."""
    try:
        with tempfile.NamedTemporaryFile(
            "w+b", dir=out.parent, prefix=".legacy-doctor-", suffix=out.suffix, delete=False
        ) as file:
            try:
                yield file  # type: ignore[misc]
                os.fchmod(file.fileno(), stat.S_IMODE(source.status.st_mode) & 0o666)
                os.fsync(file.fileno())
                os.replace(file.name, out)
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)  # noqa: PTH108  beside os.replace
                raise
        folder = os.open(out.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DoctorError(f"{out}: cannot be written ({error.strerror or error})") from error


def _read_back(path: Path, tensors: int) -> None:
    """Make sure that the copy can be read as what it is meant to be."""
    with opened(path) as copy:
        found = content.read(copy)
    if found.damage or len(_names(found)) != tensors:
        raise AssertionError(f"the copy is not what it was meant to be: {found.damage}")


def _without_tensors(found: Content, names: Sequence[tuple[str, ...]]) -> Iterator[str]:
    root = found.main.root if found.main is not None else None
    filled = {keys[0] for keys in names if keys}
    for key, _ in root.pairs if isinstance(root, Table) else []:
        if isinstance(key, str) and key not in filled:
            yield description.printable(key)


def _write_safetensors(
    source: Source, found: Content, kept: dict[int, str], file: BinaryIO, watch: Watch
) -> None:
    header = found.header
    assert header is not None  # noqa: S101  the caller has asked
    blocks = [(name, header.blocks[index]) for index, name in kept.items()]
    table: dict[str, object] = {"__metadata__": header.metadata} if header.metadata else {}
    place = 0
    for name, block in blocks:
        size = block.end - block.begin
        table[name] = {
            "dtype": block.dtype,
            "shape": list(block.shape),
            "data_offsets": [place, place + size],
        }
        place += size
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of 8 bytes
    file.write(struct.pack("<Q", len(text)) + text)
    for _, block in blocks:
        for piece in source.pieces(header.start + block.begin, block.end - block.begin):
            file.write(piece)
            watch(len(piece))


def _write_zip(
    source: Source, found: Content, kept: dict[int, str], file: BinaryIO, watch: Watch
) -> None:
    chosen = {name: found.found[index] for index, name in kept.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("data.pkl"), pickled(chosen))
        archive.writestr(_entry("byteorder"), b"little" if found.little else b"big")
        archive.writestr(_entry(".storage_alignment"), str(ALIGNMENT).encode())
        storages = {item.storage.key: item for item in chosen.values()}
        for key, item in storages.items():
            entry = _entry(f"data/{key}")
            entry.file_size = item.storage.size
            entry.extra = _padding(file.tell(), entry)
            with archive.open(entry, "w") as target:
                for piece in _pieces(source, found, item):
                    target.write(piece)
                    watch(len(piece))
        archive.writestr(_entry("version"), b"3\n")


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(f"{_FOLDER}/{name}")


def _padding(place: int, entry: zipfile.ZipInfo) -> bytes:
    """Return the extra field that lets the data begin where a multiple of 64 is."""
    # zipfile adds 20 bytes of its own where it expects more than 2 GB.
    large = 20 if entry.file_size * 1.05 > zipfile.ZIP64_LIMIT else 0
    begin = place + 30 + len(entry.filename.encode()) + large + 4
    room = -begin % ALIGNMENT
    return struct.pack("<HH", _EXTRA, room) + b"Z" * room


def _pieces(source: Source, found: Content, item: Found) -> Iterator[bytes]:
    if found.archive is None:
        return source.pieces(*found.places[item.storage.key])
    entry = found.archive.find(f"data/{item.storage.key}")
    assert entry is not None  # noqa: S101  a missing one is damage, which was asked for
    return found.archive.pieces(entry)
