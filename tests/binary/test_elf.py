"""The ELF note of really compiled libraries, and files that are none."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.binary import elf
from tests import conftest

LEVELS = {
    "baseline": ("-mneeded", "x86-64-v1"),
    "v2": ("-march=x86-64-v2 -mneeded", "x86-64-v2"),
    "v3": ("-march=x86-64-v3 -mneeded", "x86-64-v3"),
    "v4": ("-march=x86-64-v4 -mneeded", "x86-64-v4"),
    "v3 without the note": ("-march=x86-64-v3", None),
    "v3 with the CET note beside it": ("-march=x86-64-v3 -mneeded -fcf-protection", "x86-64-v3"),
    "stripped": ("-march=x86-64-v2 -mneeded -s", "x86-64-v2"),
    "position-dependent program": ("-march=x86-64-v3 -mneeded -no-pie -Wl,-e,f", "x86-64-v3"),
}


def compiled(folder: Path, options: str) -> Path:
    """A native file that the machine's own compiler made."""
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    source, library = folder / "f.c", folder / "f.so"
    source.write_text("int f(void) { return 1; }\n")
    kind = () if "-no-pie" in options else ("-shared",)
    command = ["cc", *kind, "-nostdlib", *options.split(), "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        conftest.lacking("cc", f"this compiler cannot: {done.stderr.strip()[-200:]}")
    return library


@pytest.mark.parametrize(("options", "level"), LEVELS.values(), ids=LEVELS)
def test_a_compiled_file_declares(options: str, level: str | None, tmp_path: Path) -> None:
    assert elf.declared_level(compiled(tmp_path, options)) == level


def test_a_32_bit_library_declares_nothing(tmp_path: Path) -> None:
    assert elf.declared_level(compiled(tmp_path, "-m32")) is None


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A library that asks for x86-64-v3."""
    folder = tmp_path_factory.mktemp("library")
    return compiled(folder, "-march=x86-64-v3 -mneeded -s").read_bytes()


def level_of(data: bytes, folder: Path) -> str | None:
    path = folder / "some.so"
    path.write_bytes(data)
    return elf.declared_level(path)


def note_at(data: bytes) -> int:
    """Where the GNU property note of this library starts."""
    table, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    for index in range(count):
        kind, _, where = struct.unpack_from("<IIQ", data, table + 56 * index)
        if kind == 0x6474E553:
            return int(where)
    raise AssertionError("no PT_GNU_PROPERTY")


def test_a_library_cut_short_anywhere_is_no_error(library: bytes, tmp_path: Path) -> None:
    end = note_at(library) + 0x30
    for length in [*range(end + 8), *range(end + 8, len(library), 997)]:
        assert level_of(library[:length], tmp_path) in {None, "x86-64-v3"}


def test_a_library_cut_after_its_note_still_declares(library: bytes, tmp_path: Path) -> None:
    assert level_of(library[: note_at(library) + 0x40], tmp_path) == "x86-64-v3"


HEAD = {
    "magic": (0, "<4s", b"\x7fELG"),
    "32-bit class": (4, "<B", 1),
    "big-endian": (5, "<B", 2),
    "ARM": (18, "<H", 183),
    "x86, 32-bit": (18, "<H", 3),
    "program headers of another size": (54, "<H", 57),
    "more program headers than any file has": (56, "<H", 60000),
    "program headers beyond the end": (32, "<Q", 1 << 40),
    "program headers beyond what a file can have": (32, "<Q", 1 << 63),
    "program headers at the highest number": (32, "<Q", 2**64 - 1),
    "no program headers": (56, "<H", 0),
}


@pytest.mark.parametrize(("offset", "form", "value"), HEAD.values(), ids=HEAD)
def test_a_damaged_header_declares_nothing(
    offset: int, form: str, value: int | bytes, library: bytes, tmp_path: Path
) -> None:
    data = bytearray(library)
    struct.pack_into(form, data, offset, value)
    assert level_of(bytes(data), tmp_path) is None


def with_note(library: bytes, note: bytes) -> bytes:
    """The library with another property note, at its end."""
    data = bytearray(library)
    table, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    for index in range(count):
        start = table + 56 * index
        if struct.unpack_from("<I", data, start)[0] == 0x6474E553:
            struct.pack_into("<Q", data, start + 8, len(data))
            struct.pack_into("<Q", data, start + 32, len(note))
    return bytes(data) + note


def note(*properties: tuple[int, bytes], kind: int = 5) -> bytes:
    array = b"".join(
        struct.pack("<II", name, len(value)) + value.ljust(-(-len(value) // 8) * 8, b"\0")
        for name, value in properties
    )
    return struct.pack("<III4s", 4, len(array), kind, b"GNU\0") + array


NEEDED, FEATURE = 0xC0008002, 0xC0000002


def bits(value: int) -> bytes:
    return struct.pack("<I", value)


NOTES = {
    "v4 alone, as bits": (note((NEEDED, bits(0b1000))), "x86-64-v4"),
    "v2 behind another property": (note((FEATURE, bits(3)), (NEEDED, bits(0b11))), "x86-64-v2"),
    "behind one of odd length": (note((1, b"12345"), (NEEDED, bits(1))), "x86-64-v1"),
    "no bits": (note((NEEDED, bits(0))), None),
    "bits that nobody has defined": (note((NEEDED, bits(0xF0))), None),
    "a value of another size": (note((NEEDED, bits(4) + bits(0))), None),
    "other properties only": (note((FEATURE, bits(3))), None),
    "no properties": (note(), None),
    "another kind of note": (note((NEEDED, bits(4)), kind=1), None),
    "a length beyond the note": (note((NEEDED, bits(4)))[:-6], None),
    "a size beyond the note": (note((1, bits(0)))[:-8] + bits(0xFFFFFFFF), None),
    "empty": (b"", None),
    "too long to be a note": (note((NEEDED, bits(4))).ljust((1 << 16) + 1, b"\0"), None),
}


@pytest.mark.parametrize(("made", "level"), NOTES.values(), ids=NOTES)
def test_a_note_says(made: bytes, level: str | None, library: bytes, tmp_path: Path) -> None:
    assert level_of(with_note(library, made), tmp_path) == level


@given(st.binary(max_size=64))
def test_any_note_is_a_level_or_none(made: bytes) -> None:
    assert elf._level(note()[:12] + b"GNU\0" + made) in {None, *elf._LEVELS}


@settings(deadline=None)
@given(data=st.data())
def test_any_damage_is_a_level_or_none(
    data: st.DataObject, library: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = bytearray(library[:4096])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.one_of(st.integers(0, 700), st.integers(0, len(damaged) - 1)))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(damaged)
    assert elf.declared_level(path) in {None, *elf._LEVELS}


def test_what_is_no_file_declares_nothing(tmp_path: Path) -> None:
    assert elf.declared_level(tmp_path) is None
    assert elf.declared_level(tmp_path / "missing.so") is None
    (tmp_path / "loop.so").symlink_to("loop.so")
    assert elf.declared_level(tmp_path / "loop.so") is None


def test_what_is_no_elf_declares_nothing(tmp_path: Path) -> None:
    for data in (b"", b"#!/bin/sh\n", b"MZ" + bytes(100), b"\xca\xfe\xba\xbe" + bytes(100)):
        assert level_of(data, tmp_path) is None


# Reads as another user where this one may read everything.
AS_NOBODY = """
import os, pathlib, sys
from legacy_doctor.binary import elf
if not os.getuid():
    os.setuid(65534)
sys.exit(elf.declared_level(pathlib.Path(sys.argv[1])) is not None)
"""


def test_a_file_that_may_not_be_read_declares_nothing(library: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.so"
    path.write_bytes(library)
    path.chmod(0)
    command = [sys.executable, "-c", AS_NOBODY, str(path)]
    done = subprocess.run(command, check=False, cwd=conftest.ROOT)
    assert done.returncode == 0
