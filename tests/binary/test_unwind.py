"""Frames by .eh_frame: compared with readelf on this machine's own libraries, and damaged files."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sysconfig
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.binary import unwind
from legacy_doctor.binary.image import Image
from legacy_doctor.binary.unwind import RBP, RSP, Rule
from tests import conftest

REGISTERS = {"rsp": RSP, "rbp": RBP}


def rows(path: Path) -> Generator[tuple[int, Rule | None], None, None]:
    """Address and rule of every row that readelf interprets; None for frames by expression."""
    if shutil.which("readelf") is None:
        conftest.lacking("readelf", "there is no readelf")
    command = ["readelf", "--debug-dump=frames-interp", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as readelf:
        assert readelf.stdout is not None
        yield from parsed(readelf.stdout)


def parsed(lines: Iterable[str]) -> Iterator[tuple[int, Rule | None]]:
    columns: list[str] = []
    in_function = False
    for line in lines:
        if " FDE " in line or " CIE" in line:
            in_function = " FDE " in line
        elif "LOC" in line:
            columns = line.split()
        elif in_function and re.match(r"[0-9a-f]{16} ", line):
            row = dict(zip(columns, line.split(), strict=False))
            yield int(row["LOC"], 16), _rule(row)


def _rule(row: dict[str, str]) -> Rule | None:
    frame = re.fullmatch(r"(rsp|rbp)\+(\d+)", row["CFA"])
    if frame is None:
        return None
    saved = int(row["rbp"][1:]) if row.get("rbp", "u").startswith("c") else None
    return Rule(REGISTERS[frame[1]], int(frame[2]), saved)


def libraries() -> dict[str, Path]:
    python = Path(sysconfig.get_config_var("LIBDIR")) / sysconfig.get_config_var("INSTSONAME")
    known = Path("/lib/x86_64-linux-gnu"), Path("/lib64"), Path("/usr/lib")
    found = {
        name: folder / name
        for name in ("libc.so.6", "libstdc++.so.6")
        for folder in reversed(known)
        if (folder / name).exists()
    }
    return {**found, "Python": python} if python.exists() else found


@pytest.mark.parametrize("path", libraries().values(), ids=libraries())
def test_every_row_is_what_readelf_says(path: Path) -> None:
    with path.open("rb") as file:
        image = Image(file)
        read = rows(path)
        compared = 0
        for address, expected in islice(read, 3000):
            assert unwind.rule(image, address) == expected, hex(address)
            compared += 1
        read.close()
    assert compared > 1000


SOURCE = r"""
#include <alloca.h>
volatile int count;
void use(void *);
__attribute__((noinline)) int small(int n) { count += n; return count; }
int sized(int n) { char *data = alloca(n); use(data); return data[0]; }
int early(int n) { if (n) { char a[900]; use(a); return a[n]; } use(0); return small(n) + 1; }
"""


def compiled(folder: Path, *options: str) -> Path:
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    (folder / "f.c").write_text(SOURCE)
    path = folder / "f.so"
    command = ["cc", "-shared", "-fPIC", "-O2", *options, "-o", path, folder / "f.c"]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("library"))


def test_a_compiled_library_agrees_too(library: Path) -> None:
    with library.open("rb") as file:
        image = Image(file)
        found = [unwind.rule(image, address) for address, _ in rows(library)]
    expected = [rule for _, rule in rows(library)]
    assert found == expected
    assert {rule.register for rule in expected if rule} == {RSP, RBP}


def test_outside_every_function_there_is_no_rule(library: Path) -> None:
    with library.open("rb") as file:
        image = Image(file)
        assert unwind.rule(image, 0) is None
        assert unwind.rule(image, library.stat().st_size - 8) is None


def test_a_file_without_the_table_has_no_rules(tmp_path: Path) -> None:
    path = compiled(tmp_path, "-fno-asynchronous-unwind-tables", "-nostartfiles")
    with path.open("rb") as file:
        assert unwind.rule(Image(file), 0x1000) is None


CHANGED_CIE = {
    "another version": (8, b"\x09"),
    "no augmentation": (9, b"\0"),
    "absolute addresses": (16, b"\0"),
    "an identity that no CIE has": (4, b"\x01"),
}


@pytest.mark.parametrize(("offset", "data"), CHANGED_CIE.values(), ids=CHANGED_CIE)
def test_entries_of_another_form_have_no_rules(
    offset: int, data: bytes, library: Path, tmp_path: Path
) -> None:
    content = bytearray(library.read_bytes())
    with library.open("rb") as file:
        elf = ELFFile(file)
        start = elf.get_section_by_name(".eh_frame")["sh_offset"]
        small = elf.get_section_by_name(".symtab").get_symbol_by_name("small")[0]["st_value"]
    content[start + offset : start + offset + len(data)] = data
    path = tmp_path / "changed.so"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert unwind.rule(Image(file), small) is None
    with library.open("rb") as file:
        assert unwind.rule(Image(file), small) == Rule(RSP, 8, None)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_damage_is_a_rule_or_an_ordinary_error(
    data: st.DataObject, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(library.read_bytes())
    with library.open("rb") as file:
        elf = ELFFile(file)
        header = elf.get_section_by_name(".eh_frame_hdr")["sh_offset"]
        frames = elf.get_section_by_name(".eh_frame")
        places = st.integers(header, frames["sh_offset"] + frames["sh_size"] - 1)
        early = elf.get_section_by_name(".symtab").get_symbol_by_name("early")[0]["st_value"]
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(places)] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(content)
    with path.open("rb") as file:
        image = Image(file)
        try:
            found = unwind.rule(image, early + 4)
        except (LookupError, ValueError, struct.error, UnicodeError):
            return
    assert found is None or isinstance(found, Rule)
