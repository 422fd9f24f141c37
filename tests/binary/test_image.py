"""ELF files as the loader sees them."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from legacy_doctor.binary.image import Image
from tests import conftest

SOURCE = "int one(void) { return 1; }\nint two(void) { return 2; }\nint value = 7;\n"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    folder = tmp_path_factory.mktemp("library")
    (folder / "f.c").write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", "f.so", "f.c"], cwd=folder, check=True)
    return Path(folder / "f.so").read_bytes()


def symbol(library: bytes, name: str) -> int:
    table = ELFFile(io.BytesIO(library)).get_section_by_name(".symtab")
    return int(table.get_symbol_by_name(name)[0]["st_value"])


def test_what_is_at_an_address_is_in_the_file_at_its_offset(library: bytes) -> None:
    image = Image(io.BytesIO(library))
    address = symbol(library, "value")
    assert image.at(address, 4) == struct.pack("<i", 7)
    offset = next(at for at in range(len(library)) if image.address(at) == address)
    assert image.read(offset, 4) == struct.pack("<i", 7)


def test_no_segment_no_address(library: bytes) -> None:
    image = Image(io.BytesIO(library))
    assert image.address(len(library) + 1) is None
    assert image.at(1 << 40, 4) == b""


def test_nobody_reads_beyond_the_end(library: bytes) -> None:
    assert Image(io.BytesIO(library)).read(len(library) - 3, 1 << 60) == library[-3:]


def test_a_function_is_found_from_within(library: bytes) -> None:
    image = Image(io.BytesIO(library))
    for name in ("one", "two"):
        found = image.function(symbol(library, name) + 2)
        assert found is not None
        assert found.start == symbol(library, name)


def test_before_all_functions_there_is_none(library: bytes) -> None:
    assert Image(io.BytesIO(library)).function(0) is None


def test_a_table_of_another_form_is_none(library: bytes) -> None:
    content = bytearray(library)
    header = ELFFile(io.BytesIO(library)).get_section_by_name(".eh_frame_hdr")["sh_offset"]
    content[header] = 2
    assert Image(io.BytesIO(bytes(content))).function(symbol(library, "two")) is None


@pytest.mark.parametrize(("index", "value"), [(4, 1), (5, 2)], ids=["32-bit", "big-endian"])
def test_other_files_are_refused(index: int, value: int, library: bytes) -> None:
    content = bytearray(library)
    content[index] = value
    with pytest.raises(Exception, match=r".*"):
        Image(io.BytesIO(bytes(content)))
