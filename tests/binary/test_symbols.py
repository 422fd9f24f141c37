"""Places in native files: real wheels, libraries of this machine's compiler, and damaged ones."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.binary import symbols
from legacy_doctor.binary.symbols import Place
from tests import conftest

SOURCE = """
volatile int count;
__attribute__((noinline)) void helper(void) { count++; }
__attribute__((constructor)) static void boot(void) { helper(); count = 2; }
int plain(void) { return count; }
__attribute__((constructor)) static void second(void) { count = 3; }
"""
ASSEMBLY = """
    .text
    .globl outer
    .type outer, @function
outer:
    nop
    .type inner, @function
inner:
    nop
    .size inner, . - inner
    nop
    .size outer, . - outer
    .type sizeless, @function
sizeless:
    nop
    nop
    .type after, @function
after:
    nop
    .size after, . - after
    nop
    .section .other, "ax", @progbits
    nop
"""


def compiled(folder: Path, source: str, *options: str, suffix: str = ".c") -> Path:
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    text, library = folder / f"f{suffix}", folder / "f.so"
    text.write_text(source)
    command = ["cc", "-shared", "-fPIC", "-O1", "-nostartfiles", *options, "-o", library, text]
    subprocess.run(command, check=True)
    return library


def offset_of(path: Path, address: int) -> int:
    with path.open("rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            header = segment.header
            if header.p_vaddr <= address < header.p_vaddr + header.p_filesz:
                return int(address - header.p_vaddr + header.p_offset)
    raise AssertionError(f"{address:#x} is not in {path}")


def addresses(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {item.name: item["st_value"] for item in table.iter_symbols()}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("library"), SOURCE)


@pytest.fixture(scope="module")
def stripped(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stripped") / "f.so"
    subprocess.run(["strip", "-o", path, library], check=True)
    return path


FUNCTIONS = {
    "a constructor": ("boot", True),
    "the second constructor": ("second", True),
    "what a constructor calls": ("helper", False),
    "an ordinary function": ("plain", False),
}


@pytest.mark.parametrize(("name", "initialiser"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_place_within(name: str, initialiser: bool, library: Path) -> None:
    address = addresses(library)[name] + 3
    found = symbols.locate(library, offset_of(library, address))
    assert found == Place(address, name, 3, initialiser)


@pytest.mark.parametrize(("name", "initialiser"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_stripped_file_still_knows_its_constructors(
    name: str, initialiser: bool, library: Path, stripped: Path
) -> None:
    address = addresses(library)[name] + 3
    found = symbols.locate(stripped, offset_of(library, address))
    exported = name in {"helper", "plain"}
    assert found == Place(address, name if exported else None, 3 if exported else 0, initialiser)


@pytest.mark.parametrize(("name", "initialiser"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_return_address_within(name: str, initialiser: bool, library: Path) -> None:
    offset = offset_of(library, addresses(library)[name])
    assert symbols.in_initialiser(library, [offset + 3]) is initialiser
    assert symbols.in_initialiser(library, [1 << 40, offset + 3]) is initialiser


def test_a_return_address_belongs_to_the_function_that_ends_before_it(library: Path) -> None:
    offset = offset_of(library, addresses(library)["second"])
    assert not symbols.in_initialiser(library, [offset])


def test_no_return_address_is_in_no_constructor(library: Path) -> None:
    assert not symbols.in_initialiser(library, [])


def changed(path: Path, folder: Path, section: str, data: bytes) -> Path:
    """A copy whose section begins with other bytes."""
    content = bytearray(path.read_bytes())
    with path.open("rb") as file:
        start = ELFFile(file).get_section_by_name(section)["sh_offset"]
    content[start : start + len(data)] = data
    copy = folder / "changed.so"
    copy.write_bytes(content)
    return copy


def test_constructors_that_only_the_relocations_name(library: Path, tmp_path: Path) -> None:
    """As lld leaves them: zeros in .init_array."""
    copy = changed(library, tmp_path, ".init_array", bytes(16))
    offset = offset_of(library, addresses(library)["boot"])
    assert symbols.locate(copy, offset).initialiser


def test_constructors_that_only_the_section_names(library: Path, tmp_path: Path) -> None:
    """As packed relocations (DT_RELR) leave them: addresses in place."""
    boot = addresses(library)["boot"]
    with library.open("rb") as file:
        size = ELFFile(file).get_section_by_name(".rela.dyn")["sh_size"]
    bare = changed(library, tmp_path, ".rela.dyn", bytes(size))
    copy = changed(bare, tmp_path, ".init_array", struct.pack("<QQ", boot, 0))
    assert symbols.locate(copy, offset_of(library, boot)).initialiser
    assert not symbols.locate(copy, offset_of(library, addresses(library)["second"])).initialiser


def test_an_init_function_is_run_by_the_loader(tmp_path: Path) -> None:
    path = compiled(tmp_path, SOURCE, "-Wl,-init,plain")
    address = addresses(path)["plain"]
    assert symbols.locate(path, offset_of(path, address)).initialiser


def test_without_constructors_nothing_is_an_initialiser(tmp_path: Path) -> None:
    path = compiled(tmp_path, "int plain(void) { return 1; }")
    address = addresses(path)["plain"]
    assert symbols.locate(path, offset_of(path, address)) == Place(address, "plain", 0)
    assert not symbols.in_initialiser(path, [offset_of(path, address) + 1])


NAMES = {
    "GCC's per file": "_GLOBAL__sub_I_unique.cpp",
    "old GCC's per file": "_GLOBAL__I_main",
    "GCC's worker": "_Z41__static_initialization_and_destruction_0ii",
    "GCC's worker, cloned": "_Z41__static_initialization_and_destruction_0v.constprop.0",
    "Clang's per variable": "__cxx_global_var_init.12",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_an_initialiser_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    source = f'.text\n.type "{name}", @function\n"{name}":\nnop\n.size "{name}", 1\n'
    path = compiled(tmp_path, source, "-nostdlib", suffix=".s")
    address = addresses(path)[name]
    assert symbols.locate(path, offset_of(path, address)) == Place(address, name, 0, True)


NESTED = {
    "before the inner function": (0, "outer", 0),
    "in the inner function": (1, "inner", 0),
    "behind the inner function, in the outer": (2, "outer", 2),
    "in a function without a size": (3, "sizeless", 0),
    "later in a function without a size": (4, "sizeless", 1),
    "in the last function": (5, "after", 0),
    "behind all of them": (6, None, 0),
}


@pytest.mark.parametrize(("distance", "name", "inside"), NESTED.values(), ids=NESTED)
def test_a_symbol_covers(distance: int, name: str | None, inside: int, tmp_path: Path) -> None:
    path = compiled(tmp_path, ASSEMBLY, "-nostdlib", suffix=".s")
    address = addresses(path)["outer"] + distance
    assert symbols.locate(path, offset_of(path, address)) == Place(address, name, inside)


def test_a_symbol_does_not_cover_another_section(tmp_path: Path) -> None:
    path = compiled(tmp_path, ASSEMBLY, "-nostdlib", suffix=".s")
    with path.open("rb") as file:
        other = ELFFile(file).get_section_by_name(".other")["sh_addr"]
    assert symbols.locate(path, offset_of(path, other)) == Place(other)


def test_without_section_headers_the_address_and_the_constructors_remain(
    library: Path, tmp_path: Path
) -> None:
    content = bytearray(library.read_bytes())
    struct.pack_into("<Q", content, 40, 0)
    struct.pack_into("<HHH", content, 58, 0, 0, 0)
    copy = tmp_path / "bare.so"
    copy.write_bytes(content)
    address = addresses(library)["boot"]
    assert symbols.locate(copy, offset_of(library, address)) == Place(address, None, 0, True)


def test_an_unwind_table_of_another_form_tells_nothing(
    library: Path, stripped: Path, tmp_path: Path
) -> None:
    copy = changed(stripped, tmp_path, ".eh_frame_hdr", b"\x02")
    offset = offset_of(library, addresses(library)["boot"])
    assert symbols.in_initialiser(stripped, [offset + 3])
    assert not symbols.in_initialiser(copy, [offset + 3])


def test_without_an_unwind_table_a_constructor_is_known_by_its_start(tmp_path: Path) -> None:
    path = compiled(tmp_path, SOURCE, "-fno-asynchronous-unwind-tables")
    offset = offset_of(path, addresses(path)["boot"])
    assert symbols.in_initialiser(path, [offset + 1])
    assert not symbols.in_initialiser(path, [offset + 3])


def test_an_offset_that_no_segment_holds_is_no_place(library: Path) -> None:
    for offset in (library.stat().st_size, 1 << 70, -1):
        assert symbols.locate(library, offset) == Place()


NOT_ELF = {
    "empty": b"",
    "a script": b"#!/bin/sh\n",
    "a magic number alone": b"\x7fELF",
    "Windows": b"MZ" + bytes(100),
}


@pytest.mark.parametrize("data", NOT_ELF.values(), ids=NOT_ELF)
def test_no_elf_is_no_place(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.so"
    path.write_bytes(data)
    assert symbols.locate(path, 0) == Place()
    assert not symbols.in_initialiser(path, [1])


def test_another_class_is_no_place(library: Path, tmp_path: Path) -> None:
    for index, value in ((4, 1), (5, 2)):
        content = bytearray(library.read_bytes())
        content[index] = value
        path = tmp_path / "some.so"
        path.write_bytes(content)
        assert symbols.locate(path, 0x1000) == Place()


def test_what_cannot_be_read_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "loop.so").symlink_to("loop.so")
    for path in (tmp_path, tmp_path / "missing.so", tmp_path / "loop.so", Path("a\0b")):
        assert symbols.locate(path, 0) == Place()
        assert not symbols.in_initialiser(path, [1])


def test_a_file_cut_short_anywhere_is_no_error(library: Path, tmp_path: Path) -> None:
    content = library.read_bytes()
    address = addresses(library)["boot"]
    offset = offset_of(library, address)
    path = tmp_path / "short.so"
    for length in range(0, len(content), 61):
        path.write_bytes(content[:length])
        found = symbols.locate(path, offset)
        assert found.virtual_address in {None, address}
        assert found.symbol in {None, "boot"}


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_damage_is_a_place_or_none(
    data: st.DataObject, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(library.read_bytes())
    headers = struct.unpack_from("<Q", content, 40)[0]
    weak = st.one_of(
        st.integers(0, 0x300),
        st.integers(headers, len(content) - 1),
        st.integers(0, len(content) - 1),
    )
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(weak)] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(content)
    offset = offset_of(library, addresses(library)["boot"])
    assert isinstance(symbols.locate(path, offset), Place)
    assert symbols.in_initialiser(path, [offset + 3]) in {True, False}


def package(environment: Path, name: str) -> Iterator[Path]:
    return environment.glob(f"lib/python*/site-packages/{name}")


REAL = {
    "numpy 2.4.6": (
        ("deadly", "numpy/_core/_multiarray_umath*.so", 0x2DBCC),
        ("_Z41__static_initialization_and_destruction_0v", 108, True),
    ),
    "pyarrow 26.0.1": (
        ("deadly", "pyarrow/libarrow.so.2600", 0x417DCE),
        ("_Z41__static_initialization_and_destruction_0v.lto_priv.6", 46, True),
    ),
    "pyarrow 26.0.1 in use": (
        ("deadly", "pyarrow/libarrow.so.2600", 0x13314E3),
        ("mi_bchunk_xsetNC", 83, False),
    ),
    "polars 2.1.0": (
        ("polars", "_polars_runtime*/_polars_runtime.abi3.so", 0x7D6B7BA),
        ("_rjem_je_sc_data_init", 26, False),
    ),
}


@pytest.mark.wheels
@pytest.mark.parametrize(("where", "what"), REAL.values(), ids=REAL)
def test_the_place_where_a_real_wheel_dies(
    where: tuple[str, str, int], what: tuple[str, int, bool], wheels: conftest.Wheels
) -> None:
    environment, pattern, address = where
    path = next(package(getattr(wheels, environment), pattern))
    assert symbols.locate(path, offset_of(path, address)) == Place(address, *what)
